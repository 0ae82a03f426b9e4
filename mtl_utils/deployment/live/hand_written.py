"""Sentences written by hand, with their labels in the text: what a live model is measured on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.data.splitting import split_words
from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.tasks import Classification, Tagging

_ENTITY = re.compile(r"\[(?P<kind>[A-Z]+) (?P<text>[^\]]+)\]")


def read_sentences(path: Path) -> list[dict[str, Any]]:
    """Read sentences, one a line: alone, or topic, text, a second one and how that relates to it.

    Entities stand in square brackets after their type: ``[PER Ada] spoke in [GPE Rome].``

    Args:
        path: The file; four columns are parted by `` | ``, and all lines have as many.

    Returns:
        Rows with ``words``, ``tags`` and ``text``; of four columns also ``classification``,
        ``second`` and ``inference``.

    Raises:
        ValueError: If a line has neither one column nor four, or not as many as the first.
    """
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        columns = line.split(" | ")
        alone = len(columns) == 1 and (not rows or "second" not in rows[0])
        if alone:
            rows.append(tagged(line))
            continue
        if len(columns) != 4 or (rows and "second" not in rows[0]):
            raise ValueError(
                f"{path}, line {number}: expected a sentence alone or four columns, as in the "
                f"lines before, got {line!r:.60}"
            )
        topic, marked, second, relation = columns
        labels = {"classification": topic, "second": second, "inference": relation}
        rows.append(tagged(marked) | labels)
    return rows


def tagged(marked: str) -> dict[str, Any]:
    """Return a sentence as words with tags in IOB2.

    Args:
        marked: The sentence, its entities in brackets.
    """
    text, spans, end = "", [], 0
    for found in _ENTITY.finditer(marked):
        text += marked[end : found.start()]
        spans.append((len(text), len(text) + len(found["text"]), found["kind"]))
        text += found["text"]
        end = found.end()
    text += marked[end:]
    words, tags = [], []
    for word in split_words(text):
        inside = next((span for span in spans if span[0] <= word.start < span[1]), None)
        words.append(word.text)
        prefix = "B" if inside and word.start == inside[0] else "I"
        tags.append(f"{prefix}-{inside[2]}" if inside else "O")
    return {"text": text, "words": words, "tags": tags}


def scores_of(model: OnnxModel, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Measure a model as the page asks it: where there is a second sentence one pass over both.

    Args:
        model: The exported model.
        rows: What :func:`read_sentences` returned.

    Returns:
        Scores, each under the name of its task.
    """
    words = [row["words"] for row in rows]
    if "second" in rows[0]:
        said = model.predict(words, second=[row["second"] for row in rows], one_pass=True)
    else:
        said = model.predict(words)
    return _measured(model, {name: [one[name] for one in said] for name in model.tasks}, rows)


def scores_without_looking(model: OnnxModel, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Measure the most frequent answer of each task, whatever the sentence.

    Args:
        model: The exported model, of which the tasks alone are asked for.
        rows: What :func:`read_sentences` returned.

    Returns:
        Scores as :func:`scores_of` gives them; no name at all has an F1 of 0.
    """
    guesses: dict[str, list[Any]] = {}
    for name in model.tasks:
        labels = [row[name] for row in rows]
        if isinstance(labels[0], str):
            guesses[name] = [Counter(labels).most_common(1)[0][0]] * len(rows)
            continue
        likeliest = Counter(tag for tags in labels for tag in tags).most_common(1)[0][0]
        guesses[name] = [[likeliest] * len(tags) for tags in labels]
    return _measured(model, guesses, rows)


def _measured(
    model: OnnxModel, said: Mapping[str, list[Any]], rows: list[dict[str, Any]]
) -> dict[str, float]:
    scores: dict[str, float] = {}
    for name, known in model.tasks.items():
        kind = Tagging if known["kind"] == "tagging" else Classification
        task = kind(name, tuple(known["labels"]))
        found = task.metrics(said[name], [row[name] for row in rows])
        scores |= {f"{name}_{metric}": value for metric, value in found.items()}
    return scores
