"""Exporting a text model: a folder that other programs can run, checked before it is there."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from mtl_utils.arguments import check_flag, check_kind, check_path, check_text
from mtl_utils.deployment.export.cards import write_export_card
from mtl_utils.deployment.export.checking import check_graph, largest_difference
from mtl_utils.deployment.export.encoder_forms import languages_of
from mtl_utils.deployment.export.fusion_forms import pictures_of
from mtl_utils.deployment.export.graph import OPSET, ExportedForm, write_graph
from mtl_utils.deployment.export.kinds import description
from mtl_utils.deployment.export.places import made_at, sha256
from mtl_utils.deployment.export.quantising import write_int8
from mtl_utils.deployment.export.spelling import Spelling
from mtl_utils.deployment.export.tokenizer_files import FILE as TOKENIZER
from mtl_utils.deployment.export.tokenizer_files import description as of_tokenizer
from mtl_utils.deployment.export.tokenizer_files import tokenizer_json, word_marks
from mtl_utils.deployment.optional import needed
from mtl_utils.files import read_json, write_json
from mtl_utils.models import Tagger, TextModel
from mtl_utils.models.beside import BesideColumns
from mtl_utils.saving.cards import CARD, checked_notes

GRAPH, INT8_GRAPH, CONTENT = "model.onnx", "model.int8.onnx", "export.json"
_FILES = {GRAPH, INT8_GRAPH, CONTENT, TOKENIZER, CARD}
FORMAT = 1


def export_onnx(
    model: TextModel | Tagger,
    folder: str | os.PathLike[str],
    *,
    int8: bool = False,
    data: Mapping[str, str] | None = None,
    scores: Mapping[str, float] | None = None,
    licence: str | None = None,
) -> dict[str, float]:
    """Write a text model or a tagger as an ONNX graph with all that is needed to use it.

    The folder holds ``model.onnx`` (and ``model.int8.onnx``), which read ids, mask and segments
    ``[B, T]`` of any number of texts of any length and give one output a task; ``tokenizer.json``;
    ``export.json`` with labels, the scores that tags are searched with, and a digest of each file;
    and a card. Choosing labels, and the search for the best sequence of a CRF, stay outside the
    graph, whose output for tags are emissions: :class:`OnnxModel` does both in NumPy. The graph is
    run in a new session on other lengths and numbers of texts, with padding, and compared with the
    model, before anything is at its place.

    Args:
        model: Tasks of the kinds classification, classification of pairs, multi-label, regression
            and tagging, over any way of sharing but :class:`mtl_utils.sharing.SharedDecoder`, and
            encoders that are LSTMs in one or both directions, Transformers or pretrained, with
            adapters by language, or with pictures, or without; or a tagger. The graph of a tagger
            reads characters ``[B, T, L]`` as well. That of a model with adapters by language reads
            the language of each text ``[B]``: one graph for all of them, which may share a batch.
            That of a model with pictures reads them, ``[B, C, H, W]`` from 0 to 1, and which texts
            have one ``[B]``. Models that write go through :func:`export_translator`.
        folder: Where to; a folder that an earlier export wrote, and nothing else lies in, is
            replaced.
        int8: Whether to write a second graph with weights in eight bits.
        data: For the card: what each task was trained on.
        scores: For the card: what the model was measured at.
        licence: For the card: that of the weights.

    Returns:
        By task the largest difference between graph and model that was seen, relative to the
        greatest output where that is above 1; at most 1e-4.

    Raises:
        TypeError: If a part of the model is of a kind that cannot be exported, which is named, or
            an argument is of another type.
        ValueError: If the model has no tokenizer, weights in half precision, adapters of several
            sets of languages, a pretrained network for pictures of no one size, or a task a name
            that no output can have.
        FileExistsError: If there is something else in the folder.
        RuntimeError: If the graph does not give what the model gives.
        ImportError: If onnx or onnxruntime is not installed.
    """
    check_kind("model", model, (TextModel, Tagger), "a TextModel or a Tagger")
    check_flag("int8", int8)
    check_path("folder", folder)
    if licence is not None:
        check_text("licence", licence)
    data, scores = checked_notes(data, scores)
    if model.tokenizer is None:
        raise ValueError("The model has no tokenizer, without which nobody could use the export")
    check_precision(model)
    for module in ("onnx", "onnxruntime"):
        needed(module)
    form, written = ExportedForm(model), tokenizer_json(model.tokenizer)
    with made_at(folder, _FILES, CONTENT) as place:
        write_graph(form, place / GRAPH, getattr(model, "max_length", None))
        differences = check_graph(model, place / GRAPH)
        apart: dict[str, Any] = {"differs_by": differences, "int8_differs_by": None}
        if int8:
            write_int8(place / GRAPH, place / INT8_GRAPH)
            apart["int8_differs_by"] = largest_difference(model, place / INT8_GRAPH)
        (place / TOKENIZER).write_text(written, "utf-8")
        content = _content(model, place) | {"data": dict(data), "licence": licence} | apart
        _write_content(place, content, scores)
    return differences


def note_scores(folder: Path, scores: Mapping[str, float]) -> None:
    """Write what an exported model was measured at into its folder and onto its card.

    Args:
        folder: What :func:`export_onnx` wrote.
        scores: The scores; those that were there are replaced.
    """
    content = read_json(folder / CONTENT)
    del content["digest"]
    _write_content(folder, content, scores)


def _write_content(place: Path, content: dict[str, Any], scores: Mapping[str, float]) -> None:
    content["scores"] = {name: float(value) for name, value in scores.items()}
    write_json(place / CONTENT, content, indent=1)
    write_export_card(place, content)


def _content(model: TextModel | Tagger, place: Path) -> dict[str, Any]:
    assert model.tokenizer is not None
    tasks = {name: description(name, task, model.head(name)) for name, task in model.tasks.items()}
    reads_words = any(task["reads_words"] for task in tasks.values())
    return {
        "format": FORMAT,
        "tasks": tasks,
        "tokenizer": of_tokenizer(model.tokenizer),
        "word_marks": word_marks() if reads_words else [],
        "spelling": Spelling(model.characters).description() if isinstance(model, Tagger) else None,
        **_beside(model),
        "max_length": None if isinstance(model, Tagger) else model.max_length,
        "long": "error" if isinstance(model, Tagger) else model.long,
        "opset": OPSET,
        "versions": versions(),
        "sha256": {path.name: sha256(path) for path in sorted(place.iterdir())},
    }


def _beside(model: TextModel | Tagger) -> dict[str, dict[str, Any] | None]:
    """Return the columns of languages and pictures, and which these are, where a graph has them."""
    columns = BesideColumns() if isinstance(model, Tagger) else model.beside
    names, pictured = languages_of(model), pictures_of(model)
    language = {"column": columns.language or "language", "names": list(names)}
    picture = {"column": columns.picture or "picture", "size": pictured and pictured.size}
    return {"language": language if names else None, "picture": picture if pictured else None}


def versions() -> dict[str, str]:
    """Return the versions of what an export was made with."""
    packages = ("mtl_utils", "torch", "onnx", "onnxruntime", "tokenizers", "transformers")
    return {"python": platform.python_version()} | {
        package: metadata.version(package) for package in packages
    }


def check_precision(model: torch.nn.Module) -> None:
    """Refuse weights in half precision.

    Args:
        model: The model.

    Raises:
        ValueError: If it has some.
    """
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point() and parameter.element_size() < 4:
            kind = str(parameter.dtype).removeprefix("torch.")
            raise ValueError(
                f"The model has weights in half precision ({name} is {kind}), and graphs are "
                "written and checked in float32. Call model.float() first, which changes it in "
                "place and no number; int8=True makes the smaller graph."
            )
