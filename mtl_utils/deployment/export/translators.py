"""Exporting a model that translates: a folder of two graphs with all that is needed to use it."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence

from mtl_utils.arguments import check_flag, check_kind, check_path, check_strings, check_text
from mtl_utils.data.vocabulary import SPECIALS
from mtl_utils.deployment.export.cards import write_translator_card
from mtl_utils.deployment.export.onnx_writer import (
    CONTENT,
    READER,
    SOURCE,
    TARGET,
    WRITER,
    graph_file,
)
from mtl_utils.deployment.export.places import made_at
from mtl_utils.deployment.export.text_model import check_precision
from mtl_utils.deployment.export.writing_model import (
    WritingModel,
    export_writer,
    of_framework,
    of_translator,
)
from mtl_utils.deployment.optional import needed
from mtl_utils.files import write_json
from mtl_utils.models import BiLSTMFramework, Seq2Seq
from mtl_utils.saving.cards import CARD, checked_notes

_GRAPHS = {graph_file(name, int8) for name in (READER, WRITER) for int8 in (False, True)}
_FILES = _GRAPHS | {CONTENT, SOURCE, TARGET, CARD}

#: How many pieces the texts have that a model is checked on where none are given.
_LENGTHS = (1, 2, 4, 11, 30)


def export_translator(
    model: Seq2Seq | BiLSTMFramework,
    folder: str | os.PathLike[str],
    texts: Sequence[str] | None = None,
    *,
    int8: bool = False,
    data: Mapping[str, str] | None = None,
    scores: Mapping[str, float] | None = None,
    licence: str | None = None,
) -> float:
    """Write a model that translates as two ONNX graphs with all that is needed to use it.

    One graph reads a sentence, the other writes one token of its translation. The search is a loop
    and stays outside of both: :class:`OnnxWriter` takes the best token each time. A beam would
    keep several sentences and the state of each, of which these graphs have one. The graphs are
    run in new sessions on sentences of several lengths, token after token, and compared with the
    model, before anything is at its place.

    Args:
        model: A translator, whose decoder attends (to a BiLSTM or to a Transformer, or is that of a
            Transformer), or a framework that translates; tags that it gives are an output of the
            graph that reads.
        folder: Where to; a folder that an earlier export wrote, and nothing else lies in, is
            replaced.
        texts: Sentences on which the graphs are compared with the model; made of pieces that the
            tokenizer knows, drawn at random, if ``None``.
        int8: Whether to write two more graphs with weights in eight bits.
        data: For the card: what each task was trained on.
        scores: For the card: what the model was measured at.
        licence: For the card: that of the weights.

    Returns:
        The largest difference between graphs and model that was seen, relative to the greatest
        output where that is above 1; at most 1e-4.

    Raises:
        TypeError: If the model is of another kind, or its encoder or decoder cannot be exported, or
            an argument is of another type.
        ValueError: If a framework does not translate, there is no text to compare on, or one is
            longer than the model reads; if a decoder has fewer positions than a translation may
            have tokens, or weights are in half precision.
        FileExistsError: If there is something else in the folder.
        RuntimeError: If the graphs do not give what the model gives.
        ImportError: If onnx or onnxruntime is not installed.
    """
    check_kind("model", model, (Seq2Seq, BiLSTMFramework), "a Seq2Seq or a BiLSTMFramework")
    check_path("folder", folder)
    check_flag("int8", int8)
    if licence is not None:
        check_text("licence", licence)
    data, scores = checked_notes(data, scores)
    if texts is not None:
        check_strings("texts", texts)
        if not texts:
            raise ValueError(f"texts must be at least one sentence to compare on, got {texts!r}")
    for module in ("onnx", "onnxruntime"):
        needed(module)
    check_precision(model)
    writing = of_translator(model) if isinstance(model, Seq2Seq) else of_framework(model)
    compared = _drawn(writing) if texts is None else list(texts)
    with made_at(folder, _FILES, CONTENT) as place:
        content = export_writer(writing, place, compared)
        if not int8:
            for name in (READER, WRITER):
                (place / graph_file(name, True)).unlink()
                del content["sha256"][graph_file(name, True)]
        content |= {"data": dict(data), "licence": licence}
        content["scores"] = {name: float(value) for name, value in scores.items()}
        write_json(place / CONTENT, content, indent=1)
        write_translator_card(place, content)
    return float(content["differs_by"])


def _drawn(model: WritingModel) -> list[str]:
    """Return texts of several lengths that a model can read, the same each time."""
    draw, tokenizer = random.Random(0), model.source
    most = tokenizer.vocab_size
    low = min(len(SPECIALS), most - 1)
    found = [tokenizer.decode([draw.randrange(low, most) for _ in range(n)]) for n in _LENGTHS]
    if model.longest is None:
        return found
    most = model.longest - len(model.start) - 1
    return [text for text in found if len(tokenizer.encode(" ".join(text.split()))) <= most] or [""]
