"""The blocks of a Transformer, sublayer by sublayer."""

from __future__ import annotations

from mtl_utils.arguments import check_flag
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box, Frame

_SUBLAYERS = (
    (("self", "self-attention", "attended"), ("network", "network of each position", "worked on")),
    (
        ("self", "self-attention to the past", "past"),
        ("cross", "attention to the memory", "memory"),
        ("network", "network of each position", "worked on"),
    ),
)


def transformer_blocks(norm_first: bool = True) -> Diagram:
    """Draw one block of the encoder and one of the decoder (Vaswani et al., 2017).

    What a sublayer computes is added to what came in. It reads the state normalised (Xiong et al.,
    2020), or the sum is normalised.

    Args:
        norm_first: Whether sublayers normalise what they read, or what they return.

    Raises:
        TypeError: If it is no boolean.
    """
    check_flag("norm_first", norm_first)
    boxes, arrows, frames = [], [], []
    for side, parts in enumerate(_SUBLAYERS):
        whose, role = (("encoder", "shared"), ("decoder", 0))[side]
        layers, kept = ((1, 0), (3, 4))[side]  # columns
        left = min(layers, kept)
        before = f"{whose} in"
        inside = [before]
        boxes.append(Box(before, "$h$", "text", (6, left), (1, 2), role))
        for number, (name, label, added) in enumerate(parts):
            row = 5 - 2 * number
            layer, lane, total = (f"{whose} {part} {name}" for part in ("layer", "kept", "sum"))
            read, after = ("norm, ", "") if norm_first else ("", "norm of ")
            boxes += [
                Box(layer, read + label, "layer", (row, layers), role=role),
                Box(lane, "$h$", "text", (row, kept), role=role),
                Box(total, f"{after}$h$ + {added}", "text", (row - 1, left), (1, 2), role),
            ]
            arrows += [Arrow(before, layer), Arrow(layer, total)]
            arrows += [Arrow(before, lane), Arrow(lane, total)]
            inside += [layer, lane, total]
            before = total
        frames.append(Frame(whose, f"block of the {whose}", tuple(inside), role, below=True))
        if not side:
            boxes.append(Box("memory", "memory $M$", "text", (1, 0), (1, 2), role, tight=True))
            arrows.append(Arrow(before, "memory", role=role))
    arrows.append(Arrow("memory", "decoder layer cross", role="shared"))
    place = "before each sublayer" if norm_first else "after each sum"
    return Diagram(
        f"a block of the encoder and one of the decoder, normalised {place}",
        tuple(boxes),
        tuple(arrows),
        columns=(28, 140, 12, 140, 28),
        frames=tuple(frames),
        gap=12,
        row_gap=18,
    )
