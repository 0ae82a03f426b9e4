"""A box of the book in which a model answers: how the model is made, and what stands around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

Model = TypeVar("Model")


@dataclass(frozen=True)
class Page(ABC, Generic[Model]):
    """A model of a page: how it is made, and what stands around the box.

    Args:
        facts: What stands around the box, ``title``, ``data`` by task, ``licence``, ``examples``
            and a ``note`` on what the scores do not say among it.
        train: Trains the model.
        load: Reads a model that was saved, from its folder.
        words: Returns the words of the training data, of which others are marked.
    """

    facts: Mapping[str, Any]
    train: Callable[[], Model]
    load: Callable[[Path], Model]
    words: Callable[[], Sequence[str]]

    def make(self, folder: Path, saved: Path | None = None) -> list[str]:
        """Make the folder of the model.

        Args:
            folder: The folder; the sentences that were written by hand are there already.
            saved: A saved model, instead of training one.

        Returns:
            What was measured, a line a score.

        Raises:
            ValueError: If the sentences cannot be read.
        """
        return self.put(self.train() if saved is None else self.load(saved), folder)

    @abstractmethod
    def put(self, model: Model, folder: Path) -> list[str]:
        """Write a model into the folder of the page.

        Args:
            model: The model.
            folder: The folder.

        Returns:
            What was measured, a line a score.
        """


def score_lines(scores: Mapping[str, float]) -> list[str]:
    """Return scores, a line each.

    Args:
        scores: The scores.
    """
    return [f"{name}: {value:.3f}" for name, value in scores.items()]
