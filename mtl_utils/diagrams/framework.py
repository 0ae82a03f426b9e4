"""One model for three tasks: an encoder, a tagger over it, and a decoder that two tasks use."""

from __future__ import annotations

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box, Frame

_TAGS, _TRANSLATION, _LANGUAGE = range(3)
#: The decoder's uses: first column, task, what it has written so far, and what its head says.
_USES = (
    (1, _TRANSLATION, "<bos> Ada quitte", "translation head:\nnext token of the French"),
    (4, _LANGUAGE, "<bos> Ada leaves", "language head:\nnext token of the English"),
)


def bilstm_framework() -> Diagram:
    """Draw the encoder, the decoder and the heads of :class:`mtl_utils.models.BiLSTMFramework`.

    The tagger reads the encoder's states. The decoder is drawn twice, since it has two uses: as
    the translator it looks at the source and at its own past, and as the language model, with the
    same weights, at its own past alone (Cheng et al., 2016). No arrow leads from the encoder to
    the language model.
    """
    boxes = [
        Box("tagger", "tags head:\na tag for each word", "head", (0, 0), role=_TAGS),
        Box(
            "h", "states $h_t$:\nBiLSTM, linear layer, shortcut", "layer", (2, 0), (2, 1), "shared"
        ),
        Box("embeddings", r"embeddings $\mathsf{E}$", "embedding", (4, 0), role="shared"),
        Box("source", "Ada leaves Oslo", "text", (5, 0)),
        Box("nothing", "no source:\n$c_u = 0$", "note", (2, 4)),
        Box("c", "looks at the source: $c_u$", "layer", (2, 1), role="shared"),
    ]
    arrows = [
        Arrow("source", "embeddings"),
        Arrow("embeddings", "h"),
        Arrow("h", "tagger"),
        Arrow("h", "c"),
        Arrow("h", f"s {_TRANSLATION}"),
        Arrow(f"s {_TRANSLATION}", "c"),
        Arrow("c", f"d {_TRANSLATION}"),
    ]
    for column, task, written, head in _USES:
        d, p, s, embeddings, text = (f"{name} {task}" for name in ("d", "p", "s", "e", "text"))
        wide = (1, 3)
        boxes += [
            Box(f"head {task}", head, "head", (0, column), wide, task),
            Box(d, "linear layer: $d_u$", "layer", (1, column), wide, "shared"),
            Box(p, "looks at its own past: $p_u$", "layer", (2, column + 2), role="shared"),
            Box(s, "LSTM: states $s_u$", "layer", (3, column), wide, "shared"),
            Box(embeddings, r"embeddings $\mathsf{E}$", "embedding", (4, column), wide, "shared"),
            Box(text, written, "text", (5, column), wide),
        ]
        arrows += [
            Arrow(text, embeddings),
            Arrow(embeddings, s),
            Arrow(s, p),
            Arrow(s, d),
            Arrow(p, d),
            Arrow(d, f"head {task}"),
        ]
    translating, continuing = (
        tuple(f"{name} {task}" for name in ("d", "p", "s", "e", "text"))
        for task in (_TRANSLATION, _LANGUAGE)
    )
    return Diagram(
        "an encoder that three tasks share and a decoder that two of them share",
        tuple(boxes),
        tuple(arrows),
        columns=(106, 66, 12, 66, 58, 12, 66),
        frames=(
            Frame("encoder", "encoder", ("h", "embeddings", "source"), "shared", below=True),
            Frame("translating", "decoder", ("c", *translating), "shared", below=True),
            Frame("continuing", "the same decoder", ("nothing", *continuing), "shared", below=True),
        ),
        gap=14,
        row_gap=18,
    )
