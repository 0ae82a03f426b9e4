"""The card of a saved model: what it is, for people."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from mtl_utils.arguments import check_kind, check_names
from mtl_utils.files import whole_file

CARD = "README.md"
_MOST_LABELS = 20


def write_card(folder: str | os.PathLike[str], card: str) -> None:
    """Write what a model is for people.

    Args:
        folder: Where to.
        card: What :meth:`Card.text` returned.

    Raises:
        OSError: If it cannot be written.
    """
    with whole_file(Path(folder) / CARD) as file:
        file.write(card.encode("utf-8", "replace"))


@dataclass(frozen=True)
class Card:
    """What a model is for people.

    Args:
        facts: What it is, line by line.
        use: How it is asked, a line of Python about ``model``; empty if there is none to show.
        own: Names of classes that are needed to load it.
        tasks: Its tasks by name.
    """

    facts: Sequence[str]
    use: str = ""
    own: Sequence[str] = ()
    tasks: Mapping[str, Any] = field(default_factory=dict)

    def text(self, scores: Mapping[str, float]) -> str:
        """Return the card.

        Args:
            scores: What the model was measured at; the F1 of types of entities, which may be many,
                stand in a table of their own.
        """
        folder = '"this folder"' + (f", own=[{', '.join(self.own)}]" if self.own else "")
        code = ["from mtl_utils import models", "", f"model = models.load({folder})"]
        lines = ["# A model", "", *self.facts, "", "```python", *code]
        lines += [*([self.use] if self.use else []), "```"]
        of_types = {name: found for name in scores if (found := self._of_type(name)) is not None}
        main = {name: value for name, value in scores.items() if name not in of_types}
        if main:
            lines += ["", "| score | value |", "| --- | --- |"]
            lines += [f"| {cell(name)} | {value:.4g} |" for name, value in main.items()]
        if of_types:
            lines += ["", "| F1 of | type | value |", "| --- | --- | --- |"]
            for name, (of, kind) in of_types.items():
                lines.append(f"| {cell(of)} | {cell(kind)} | {scores[name]:.4g} |")
        return "\n".join(lines) + "\n"

    def _of_type(self, score: str) -> tuple[str, str] | None:
        """Return what a score is the F1 of, and of which type: of ``test: names_f1_PER``."""
        split, colon, metric = score.rpartition(": ")
        for name, task in self.tasks.items():
            kind = metric.removeprefix(f"{name}_f1_")
            if kind != metric and kind in getattr(task, "entity_types", ()):
                return f"{split}{colon}{name}", kind
        return None


def checked_notes(
    data: Mapping[str, str] | None, scores: Mapping[str, float] | None
) -> tuple[Mapping[str, str], Mapping[str, float]]:
    """Return what a card is to say, after a look at it.

    Args:
        data: What each task was trained on, if it is to be said.
        scores: What it was measured at, likewise.

    Raises:
        TypeError: If one is not given by name, or a score is no number.
    """
    data = {} if data is None else data
    scores = {} if scores is None else scores
    check_names("data", data, "what each task was trained on")
    check_names("scores", scores, "scores by the names of metrics")
    for name, value in scores.items():
        check_kind(f"scores[{name!r}]", value, Real, "a number")
    return data, scores


def task_table(tasks: Mapping[str, Any], data: Mapping[str, str]) -> list[str]:
    """Return a table of tasks.

    Args:
        tasks: The tasks by name.
        data: What each was trained on.
    """
    lines = [
        "| task | kind | reads | labels | trained on |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, task in tasks.items():
        labels = [cell(label) for label in getattr(task, "labels", ())]
        listed = ", ".join(labels[:_MOST_LABELS])
        listed += f", … ({len(labels)})" if len(labels) > _MOST_LABELS else ""
        columns = " and ".join(map(cell, getattr(task, "inputs", ())))
        kind, trained = type(task).__name__, cell(data.get(name, ""))
        lines.append(f"| {cell(name)} | {kind} | {columns} | {listed} | {trained} |")
    return lines


def cell(text: object) -> str:
    """Return text as the cell of a table.

    Args:
        text: Anything.
    """
    return " ".join(str(text).split()).replace("|", "\\|")
