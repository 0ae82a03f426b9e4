"""Tasks of Atlas on sentences of one's choice, for models that learn one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from mtl_utils import atlas
from mtl_utils.data import Example, Vocabulary
from mtl_utils.models import MultiTaskModel
from mtl_utils.tasks import Classification, Tagging, Task

COLUMNS = {"event": "event", "parts": "pos_tags", "topic": "topic", "entities": "ner_tags"}
"""By task the column of Atlas that has its labels."""

METRICS = {"event": "accuracy", "parts": "accuracy", "topic": "accuracy", "entities": "f1"}
"""By task what it is measured by."""


class AtlasTasks:
    """A corpus, and what a model of some of its tasks needs.

    Args:
        size: Sentences in all splits.
        seed: Of the corpus.

    Attributes:
        words: The vocabulary of all training sentences: the same, whichever task comes first.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self._splits = atlas.load(size, seed=seed)
        tokens = self._splits["train"]["tokens"]
        self.words = Vocabulary.from_tokens(itertools.chain.from_iterable(tokens))

    def labels(self, task: str) -> tuple[str, ...]:
        """Return the names of the labels of a task.

        Args:
            task: Its name, one of :data:`COLUMNS`.
        """
        feature = self._splits["train"].features[COLUMNS[task]]
        return tuple(getattr(feature, "names", None) or feature.feature.names)

    def task(self, name: str) -> Task:
        """Return a task.

        Args:
            name: Its name.
        """
        if name in ("event", "topic"):
            return Classification(name, self.labels(name), "mean")
        scheme: Any = "plain" if name == "parts" else "iob2"
        return Tagging(name, self.labels(name), scheme=scheme, scale="token")

    def rows(self, task: str, start: int, stop: int, split: str = "train") -> list[Example]:
        """Return sentences with the labels of one task.

        Args:
            task: Its name.
            start: The first sentence.
            stop: The one after the last.
            split: Of which split.
        """
        part = self._splits[split].select(range(start, stop))
        pairs = zip(part["tokens"], part[COLUMNS[task]], strict=True)
        return [Example(self.words.encode(tokens), {task: label}) for tokens, label in pairs]

    def scores(self, model: MultiTaskModel, rows: Mapping[str, list[Example]]) -> dict[str, float]:
        """Measure each task of a model, from 0 to 100.

        Args:
            model: The model.
            rows: By task what to measure it on.
        """
        return {
            task: 100 * model.evaluate(rows[task])[f"{task}_{METRICS[task]}"]
            for task in model.tasks
        }
