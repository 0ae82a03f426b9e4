"""Exporting a language model: one graph of tokens and a state, checked against the model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_kind, check_path, check_text
from mtl_utils.deployment.export.cards import write_language_model_card
from mtl_utils.deployment.export.checking import TOLERANCE
from mtl_utils.deployment.export.graph import OPSET, write_traced
from mtl_utils.deployment.export.onnx_language_model import (
    CONTENT,
    GRAPH,
    INT8_GRAPH,
    READ,
    STATE,
    WRITTEN,
    OnnxLanguageModel,
)
from mtl_utils.deployment.export.places import made_at, sha256
from mtl_utils.deployment.export.quantising import write_int8
from mtl_utils.deployment.export.text_model import check_precision, versions
from mtl_utils.deployment.export.writer_graphs import NEXT, plain
from mtl_utils.deployment.optional import needed
from mtl_utils.files import write_json
from mtl_utils.models import LSTMLanguageModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.saving.cards import CARD, checked_notes

_FILES = {GRAPH, INT8_GRAPH, CONTENT, CARD}

#: Rows and lengths on which a graph is held against the model, each after a state of zeros and
#: again after the state that it left. The graph was traced with 2 rows of 7 tokens.
_TRIALS = ((1, 1), (1, 9), (3, 2), (5, 40))


def export_language_model(
    model: LSTMLanguageModel,
    folder: str | os.PathLike[str],
    *,
    int8: bool = False,
    data: Mapping[str, str] | None = None,
    scores: Mapping[str, float] | None = None,
    licence: str | None = None,
) -> float:
    """Write a language model as an ONNX graph with all that is needed to use it.

    The folder holds ``model.onnx`` (and ``model.int8.onnx``), which reads ids ``[B, T]`` of any
    number of texts of any length and the state of the LSTM before them, hidden and cell
    ``[N, B, D]`` of N layers, and gives logits ``[B, T, V]`` of the token after each and the state
    after the last; ``language_model.json`` with the vocabulary and a digest of each file; and a
    card. Drawing tokens is a loop and stays outside: :class:`OnnxLanguageModel` does it, token
    after token from the state that the graph left. The graph is run in a new session on other
    lengths and numbers of texts and compared with the model, before anything is at its place.

    Args:
        model: The language model. One without a vocabulary is exported too, and reads ids alone.
        folder: Where to; a folder that an earlier export wrote, and nothing else lies in, is
            replaced.
        int8: Whether to write a second graph with weights in eight bits.
        data: For the card: what it was trained on, each part by a name.
        scores: For the card: what the model was measured at.
        licence: For the card: that of the weights.

    Returns:
        The largest difference between graph and model that was seen, relative to the greatest
        output where that is above 1; at most 1e-4.

    Raises:
        TypeError: If the model is of another kind, or an argument is of another type.
        ValueError: If the model has weights in half precision.
        FileExistsError: If there is something else in the folder.
        RuntimeError: If the graph does not give what the model gives.
        ImportError: If onnx or onnxruntime is not installed.
    """
    check_kind("model", model, LSTMLanguageModel, "an LSTMLanguageModel")
    check_flag("int8", int8)
    check_path("folder", folder)
    if licence is not None:
        check_text("licence", licence)
    data, scores = checked_notes(data, scores)
    check_precision(model)
    for module in ("onnx", "onnxruntime"):
        needed(module)
    with made_at(folder, _FILES, CONTENT) as place:
        _write_graph(model, place / GRAPH)
        if int8:
            write_int8(place / GRAPH, place / INT8_GRAPH)
        content = _content(model, place) | {"data": dict(data), "licence": licence}
        content["scores"] = {name: float(value) for name, value in scores.items()}
        write_json(place / CONTENT, content, indent=1)
        apart = _largest_difference(model, OnnxLanguageModel.load(place))
        if not apart <= TOLERANCE:
            raise RuntimeError(
                "The exported graph does not give what the model gives: outputs differ by "
                f"{apart:.2g}, more than {TOLERANCE}. Nothing was written."
            )
        content["differs_by"], content["int8_differs_by"] = apart, None
        if int8:
            small = OnnxLanguageModel.load(place, int8=True)
            content["int8_differs_by"] = _largest_difference(model, small)
        write_json(place / CONTENT, content, indent=1)
        write_language_model_card(place, content)
    return apart


class _LanguageModelForm(torch_nn.Module):
    """The model without a look at its state, which a graph is always given."""

    def __init__(self, model: LSTMLanguageModel) -> None:
        super().__init__()
        self.model = plain(model)

    def forward(self, input_ids: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        embedded = self.model.embedding(input_ids) * self.model.input_scale
        states, (hidden, cell) = self.model.lstm(embedded, (hidden, cell))
        return self.model.output(states), hidden, cell


def _write_graph(model: LSTMLanguageModel, path: Path) -> None:
    state = torch.zeros(model.lstm.num_layers, 2, model.width)
    given = (torch.zeros(2, 7, dtype=torch.long), state, state + 0.0)
    axes = {name: {0: "batch", 1: "length"} for name in (READ, WRITTEN)}
    axes |= {prefix + name: {1: "batch"} for name in STATE for prefix in ("", NEXT)}
    outputs = [WRITTEN, *(NEXT + name for name in STATE)]
    write_traced(_LanguageModelForm(model), given, path, [READ, *STATE], outputs, axes)


def _content(model: LSTMLanguageModel, place: Path) -> dict[str, Any]:
    known = model.vocabulary
    return {
        "vocab_size": model.vocab_size,
        "num_layers": model.lstm.num_layers,
        "width": model.width,
        "padding_id": model.padding_id,
        "vocabulary": None if known is None else list(known),
        "opset": OPSET,
        "versions": versions(),
        "sha256": {path.name: sha256(path) for path in sorted(place.iterdir())},
    }


@torch.no_grad()
def _largest_difference(model: LSTMLanguageModel, exported: OnnxLanguageModel) -> float:
    """Run a graph beside the model over texts of other shapes than it was traced on."""
    generator, most = torch.Generator().manual_seed(0), 0.0
    device = next(model.parameters()).device
    with evaluation_mode(model):
        for shape in _TRIALS:
            state = of_model = None
            for _ in range(2):
                ids = torch.randint(model.vocab_size, shape, generator=generator)
                logits, state = exported.score(ids, state)
                expected, of_model = model(ids.to(device), of_model)
                for found, wanted in zip((logits, *state), (expected, *of_model), strict=True):
                    wanted = wanted.float().cpu()
                    apart = float((found - wanted).abs().max())
                    most = max(most, apart / max(1.0, float(wanted.abs().max())))
                    if not torch.isfinite(found).all():
                        return float("inf")
    return most
