"""The folder of a model that is alive in a page of the book."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_utils.deployment.export import CONTENT, GRAPH, INT8_GRAPH, export_onnx, note_scores
from mtl_utils.deployment.hand_written import read_sentences, scores_of, scores_without_looking
from mtl_utils.deployment.onnx_model import OnnxModel
from mtl_utils.deployment.tokenizer_files import FILE as TOKENIZER
from mtl_utils.files import read_json, whole_file
from mtl_utils.models import TextModel

SENTENCES, FRESH, WORDS, PAGE = "sentences.txt", "fresh.txt", "words.txt", "live.json"
LOADED = (CONTENT, TOKENIZER, WORDS, INT8_GRAPH)
"""What the page loads of a model, beside the runtime."""


@dataclass(frozen=True)
class LivePage:
    """A model of a page: how it is made, and what stands around the box.

    Args:
        facts: ``title``, ``data`` by task, ``licence``, ``titles`` of tasks, what scores are called
            (``measures``), ``examples``, and a ``note`` on what the scores do not say, if any.
        train: Trains the model.
        load: Reads a model that was saved, from its folder.
        words: Returns the words of the training data, of which others are marked.
    """

    facts: Mapping[str, Any]
    train: Callable[[], TextModel]
    load: Callable[[Path], TextModel]
    words: Callable[[], list[str]]


def write_live_model(
    model: TextModel, folder: Path, words: Sequence[str], page: Mapping[str, Any]
) -> dict[str, float]:
    """Write a model for the page: its graph in eight bits, and what the page shows around it.

    Args:
        model: The model.
        folder: Where to; it holds ``sentences.txt``, on which the model is measured, and perhaps
            ``fresh.txt``, on which it is measured too.
        words: The words of the training data.
        page: The facts of a :class:`LivePage`.

    Returns:
        What was measured on the sentences, in single precision and (``int8``) as the page has it.

    Raises:
        ValueError: If the sentences cannot be read.
    """
    rows = read_sentences(folder / SENTENCES)
    known = sorted(set(words))
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "export"
        options: dict[str, Any] = {"data": page["data"], "licence": page["licence"]}
        export_onnx(model, made, int8=True, **options)
        measured: dict[str, float] = {}
        for ending, int8 in (("", False), (" int8", True)):
            exported = OnnxModel.load(made, int8=int8)
            found = scores_of(exported, rows)
            measured |= {f"{name}{ending}": value for name, value in found.items()}
        note_scores(made, measured)
        for name in (CONTENT, TOKENIZER, INT8_GRAPH, "README.md"):
            shutil.copyfile(made / name, folder / name)
        sizes = {name: (made / name).stat().st_size for name in (GRAPH, INT8_GRAPH)}
    write_text(folder / WORDS, "\n".join(known) + "\n")
    facts: dict[str, Any] = dict(page) | {"scores": measured, "bytes": sizes}
    facts["loads"] = list(LOADED)
    blind = scores_without_looking(exported, rows)
    facts |= {"sentences": len(rows), "without_looking": blind}
    write_facts(folder, facts)
    if (folder / FRESH).is_file():
        measure_fresh(folder)
    return measured


def measure_fresh(folder: Path) -> dict[str, float]:
    """Measure a model as the page has it on ``fresh.txt``, and note what was found for the page.

    Args:
        folder: What :func:`write_live_model` wrote.

    Returns:
        The scores.

    Raises:
        ValueError: If the sentences cannot be read.
    """
    rows = read_sentences(folder / FRESH)
    model = OnnxModel.load(folder, int8=True)
    found = scores_of(model, rows)
    facts = read_json(folder / PAGE)
    facts["fresh"] = {
        "sentences": len(rows),
        "scores": {f"{name} int8": value for name, value in found.items()},
        "without_looking": scores_without_looking(model, rows),
    }
    write_facts(folder, facts)
    return found


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what is known of a model, for the extension that makes its box.

    Args:
        folder: Of the model.
        facts: What is known.
    """
    write_text(folder / PAGE, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all.

    Args:
        path: The file.
        text: The text.
    """
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))
