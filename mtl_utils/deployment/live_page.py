"""The folder of a model that is alive in a page of the book."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_utils.deployment.export import CONTENT, GRAPH, INT8_GRAPH, export_onnx, note_scores
from mtl_utils.deployment.hand_written import read_sentences, scores_of
from mtl_utils.deployment.onnx_model import OnnxModel
from mtl_utils.deployment.tokenizer_files import FILE as TOKENIZER
from mtl_utils.files import whole_file
from mtl_utils.models import TextModel

SENTENCES, WORDS, PAGE = "sentences.txt", "words.txt", "live.json"
LOADED = (CONTENT, TOKENIZER, WORDS, INT8_GRAPH)
"""What the page loads of a model, beside the runtime."""


def write_live_model(
    model: TextModel, folder: Path, words: Sequence[str], page: Mapping[str, Any]
) -> dict[str, float]:
    """Write a model for the page: its graph in eight bits, and what the page shows around it.

    Args:
        model: The model, with the three tasks of :class:`mtl_utils.models.ThreeTaskModel`.
        folder: Where to; it holds ``sentences.txt``, on which the model is measured.
        words: The words of the training data, of which others are marked.
        page: ``title``, ``data`` by task, ``licence``, ``titles`` of tasks, ``examples``,
            and a ``note`` on what the scores do not say, if there is one.

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
            found = scores_of(OnnxModel.load(made, int8=int8), model.tasks, rows)
            measured |= {f"{name}{ending}": value for name, value in found.items()}
        note_scores(made, measured)
        for name in (CONTENT, TOKENIZER, INT8_GRAPH, "README.md"):
            shutil.copyfile(made / name, folder / name)
        sizes = {name: (made / name).stat().st_size for name in (GRAPH, INT8_GRAPH)}
    write_text(folder / WORDS, "\n".join(known) + "\n")
    facts = dict(page) | {"scores": measured, "bytes": sizes, "loads": list(LOADED)}
    facts |= {"sentences": len(rows), "without_looking": _most_frequent(rows)}
    write_text(folder / PAGE, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    return measured


def _most_frequent(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return how often the most frequent label of each text is right, whatever the text."""
    counts = {task: Counter(row[task] for row in rows) for task in ("classification", "inference")}
    return {f"{t}_accuracy": max(found.values()) / len(rows) for t, found in counts.items()}


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all.

    Args:
        path: The file.
        text: The text.
    """
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))
