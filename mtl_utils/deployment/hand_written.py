"""Sentences written by hand, with their labels in the text: what a live model is measured on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.data.splitting import split_words

_ENTITY = re.compile(r"\[(?P<kind>[A-Z]+) (?P<text>[^\]]+)\]")


def read_sentences(path: Path) -> list[dict[str, Any]]:
    """Read sentences, one a line: topic, text, a second sentence and how that relates to it.

    Entities stand in square brackets after their type: ``[PER Ada] spoke in [GPE Rome].``

    Args:
        path: The file; its four columns are parted by `` | ``.

    Returns:
        Rows with ``classification``, ``words``, ``tags``, ``text``, ``second`` and ``inference``.

    Raises:
        ValueError: If a line has not four columns.
    """
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        columns = line.split(" | ")
        if len(columns) != 4:
            raise ValueError(f"{path}, line {number}: expected four columns, got {line!r:.60}")
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


def scores_of(model: Any, tasks: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, float]:
    """Measure a model of three tasks as the page asks it: one pass over both sentences.

    Args:
        model: The exported model.
        tasks: Its tasks, by name.
        rows: What :func:`read_sentences` returned.

    Returns:
        Scores, each under the name of its task.
    """
    said = model.predict(
        [row["words"] for row in rows], second=[row["second"] for row in rows], one_pass=True
    )
    scores: dict[str, float] = {}
    for name, task in tasks.items():
        found = task.metrics([one[name] for one in said], [row[name] for row in rows])
        scores |= {f"{name}_{metric}": value for metric, value in found.items()}
    return scores
