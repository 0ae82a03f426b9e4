"""Cells of recurrent networks: what happens between one token and the next."""

from __future__ import annotations

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box

_GATES = (
    ("forget", "forget\n" + r"$\sigma(f_t)$"),
    ("write", "write\n" + r"$\sigma(i_t)$"),
    ("new", "new\n" + r"$\tanh(g_t)$"),
    ("show", "show\n" + r"$\sigma(o_t)$"),
)


def lstm_cell() -> Diagram:
    """Draw one step of an LSTM (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

    The memory runs along the top and is changed by a product and a sum; the gates stand below,
    computed from the token and the output before.
    """
    boxes = [
        Box("memory before", "$c_{t-1}$", "text", (0, 0)),
        Box("keep", "×", "layer", (0, 1), role=0),
        Box("add", "+", "layer", (0, 2), (1, 2), 0),
        Box("memory", "$c_t$", "text", (0, 5)),
        Box("written", "×", "layer", (1, 2), (1, 2), 0),
        Box("shown", "× " + r"$\tanh(c_t)$", "layer", (1, 4), role=0),
        Box("output", "$h_t$", "text", (1, 5)),
        Box("linear", r"$W e_t + R h_{t-1} + b$", "layer", (3, 1), (1, 4), "shared"),
        Box("output before", "$h_{t-1}$", "text", (3, 0)),
        Box("token", "$e_t$, the token read", "text", (4, 1), (1, 4)),
    ]
    arrows = [
        Arrow("memory before", "keep"),
        Arrow("keep", "add"),
        Arrow("written", "add"),
        Arrow("add", "memory"),
        Arrow("add", "shown"),
        Arrow("shown", "output"),
        Arrow("output before", "linear"),
        Arrow("token", "linear"),
    ]
    for column, (gate, label) in enumerate(_GATES, start=1):
        boxes.append(Box(gate, label, "head", (2, column), role=0))
        arrows.append(Arrow("linear", gate))
    ends = {"forget": "keep", "write": "written", "new": "written", "show": "shown"}
    arrows += [Arrow(gate, end) for gate, end in ends.items()]
    return Diagram(
        "one step of an LSTM",
        tuple(boxes),
        tuple(arrows),
        columns=(46, 66, 66, 66, 86, 46),
        gap=18,
        row_gap=20,
    )
