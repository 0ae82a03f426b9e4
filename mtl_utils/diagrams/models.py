"""Whole models, token by token, drawn from the text at the bottom to the output at the top."""

from __future__ import annotations

from itertools import pairwise

from mtl_utils.arguments import check_flag
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box, Frame, check_written
from mtl_utils.diagrams.tasks import written

_SOURCE = ("She", "reads", "<eos>")
_TARGET = ("<bos>", "Elle", "lit", "<eos>")
_ATTENTION = r"attention $c_u = \Sigma_t\, \alpha_{ut}\, h_t$"
_ONE_VECTOR = r"one vector $\bar h$: mean of all $h_t$"
_PAIR = ("<bos>", "Ada", "left", "Oslo", "<eos>", "Ada", "left", "<eos>")
_SECOND = 5
"""Where the second text begins: what stands before it, special tokens too, is the first's."""


def encoder_decoder(attention: bool = True, shortcut: bool = False) -> Diagram:
    """Draw a bidirectional LSTM that reads, and an LSTM that writes.

    With attention, after Bahdanau et al. (2015), the decoder asks with its state which states of
    the encoder matter, and the output layer reads the state and the mean that comes back. Without,
    that mean is the same at every step. In both the decoder's first state is computed from the
    encoder's.

    Args:
        attention: Whether the decoder attends.
        shortcut: Whether the output layer reads the embedding of the token before as well.

    Raises:
        TypeError: If one of them is no boolean.
    """
    check_flag("attention", attention)
    check_flag("shortcut", shortcut)
    first = len(_SOURCE) + 1  # column of the decoder's first token
    between, reads = (_ATTENTION, "$c_u$") if attention else (_ONE_VECTOR, r"$\bar h$")
    read = f"$s_u$, {reads} and $e_{{u-1}}$" if shortcut else f"$s_u$ and {reads}"
    role = 0 if attention else "shared"
    row = 3 if attention else 2  # among states, unless the decoder's question passes there
    boxes = [
        Box("attention", between, "layer", (1, 0), (1, 4), role),
        Box("output", f"output layer, reads\n{read}", "head", (1, first), (1, 3), 0),
        Box("start", "$s_0$", "layer", (row, len(_SOURCE)), role=0, tight=True),
        Box("source embedding", "embeddings", "embedding", (3, 0), (1, 3), "shared"),
        Box("target embedding", "embeddings", "embedding", (3, first), (1, 3), 0),
    ]
    arrows = [Arrow("attention", "output"), Arrow("encoder", "start"), Arrow("start", "s 0")]
    if attention:
        arrows.append(Arrow("states", "attention", bend="corner"))
    for t, token in enumerate(_SOURCE):
        boxes += [
            Box(f"source {t}", token, "text", (4, t)),
            Box(f"h {t}", f"$h_{{{t + 1}}}$", "layer", (2, t), role="shared"),
        ]
        arrows += [
            Arrow(f"source {t}", "source embedding"),
            Arrow("source embedding", f"h {t}"),
            Arrow(f"h {t}", "attention"),
        ]
        if t:
            arrows += [Arrow(f"h {t - 1}", f"h {t}"), Arrow(f"h {t}", f"h {t - 1}")]
    for u, (token, following) in enumerate(pairwise(_TARGET)):
        boxes += [
            Box(f"target {u}", token, "text", (4, first + u)),
            Box(f"s {u}", f"$s_{{{u + 1}}}$", "layer", (2, first + u), role=0),
            Box(f"written {u}", following, "text", (0, first + u)),
        ]
        arrows += [
            Arrow(f"target {u}", "target embedding"),
            Arrow("target embedding", f"s {u}"),
            Arrow(f"s {u}", "output"),
            Arrow("output", f"written {u}"),
        ]
        if u:
            arrows.append(Arrow(f"s {u - 1}", f"s {u}"))
    length = range(len(_SOURCE))
    reader = (*(f"h {t}" for t in length), "source embedding", *(f"source {t}" for t in length))
    writer = (*(f"s {t}" for t in length), "target embedding", *(f"target {t}" for t in length))
    return Diagram(
        f"an encoder and a decoder {'with attention' if attention else 'without attention'}",
        tuple(boxes),
        tuple(arrows),
        columns=(54, 54, 54, 34, 54, 54, 54),
        frames=(
            Frame("encoder", "BiLSTM encoder", reader, "shared", below=True),
            Frame("decoder", "LSTM decoder", writer, 0, below=True),
            *((Frame("states", "", writer[: len(_SOURCE)], 0),) if attention else ()),
        ),
        gap=16,
        row_gap=20,
    )


def pair_with_heads(
    topic: str = "topic", tags: str = "entities", inference: str = "inference"
) -> Diagram:
    """Draw a pair of texts, read once, with a head for each of three tasks.

    The first head reads the first state, the second the state of every token of the premise, and
    the third compares the two texts, token by token, special tokens included.

    Args:
        topic: Name of the task of the first state.
        tags: Name of the task of the premise's tokens.
        inference: Name of the task of the pair.

    Raises:
        TypeError: If a name is no string.
        ValueError: If one is empty.
    """
    for argument, name in (("topic", topic), ("tags", tags), ("inference", inference)):
        check_written(argument, name)
    last = len(_PAIR)
    columns = [t if t < _SECOND else t + 1 for t in range(last)]  # an arrow between the texts
    boxes = [
        Box("topic", f"{written(topic)} head", "head", (0, 0), role=0),
        Box("tags", f"{written(tags)} head:\na tag for every token", "head", (0, 1), (1, 3), 1),
        Box(
            "inference",
            f"{written(inference)} head:\ncompares token by token",
            "head",
            (0, 4),
            (1, 5),
            2,
        ),
        Box("encoder", r"shared Transformer $\theta_s$", "layer", (2, 0), (1, last + 1), "shared"),
    ]
    boxes += [
        Box(f"h {t}", f"$h_{{{t + 1}}}$", "layer", (1, at), role="shared")
        for t, at in enumerate(columns)
    ]
    boxes += [
        Box(f"x {t}", token, "text", (3, at))
        for t, (token, at) in enumerate(zip(_PAIR, columns, strict=True))
    ]
    arrows = [Arrow(f"x {t}", "encoder") for t in range(last)]
    arrows += [Arrow("encoder", f"h {t}") for t in range(last)]
    arrows += [Arrow("h 0", "topic"), *(Arrow(f"h {t}", "tags") for t in (1, 2, 3))]
    arrows += [
        Arrow("premise states", "inference", bend="corner"),
        Arrow("hypothesis states", "inference"),
    ]
    states = [f"h {t}" for t in range(last)]
    return Diagram(
        "a pair of texts that three heads read",
        tuple(boxes),
        tuple(arrows),
        columns=(78, 40, 40, 40, 52, 8, 40, 40, 52),
        frames=(
            Frame("premise", "premise", ("x 1", "x 2", "x 3"), below=True),
            Frame("hypothesis", "hypothesis", ("x 5", "x 6"), below=True),
            Frame("premise states", "", tuple(states[:_SECOND]), "shared"),
            Frame("hypothesis states", "", tuple(states[_SECOND:]), "shared"),
        ),
        gap=8,
        row_gap=20,
    )
