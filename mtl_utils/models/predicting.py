"""Predictions from texts: each task reads what it needs, and equal readings share a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.data.examples import Example
from mtl_utils.models.beside import Beside
from mtl_utils.models.text_reading import (
    WORDS,
    Text,
    TextReader,
    kept_once,
    marked_window,
    numbered,
    words_of,
)
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.tasks import Head
from mtl_utils.tasks.text_task import TextTask

Pair = tuple[Text, Text | None]
"""A text, and the second text of a pair or ``None``."""

Predict = Callable[[list[Example], Callable[[Batch], list[Any]]], list[Any]]
"""Predicts for examples with a function of a batch, which returns something for each row."""


@dataclass(frozen=True)
class Predictor:
    """Predicts with the tasks of a model.

    Args:
        model: The model.
        tasks: The tasks to predict, by name.
        reader: Turns texts into ids.
        predict: Predicts for examples, batch by batch.
        probabilities: Whether to return those of all labels instead of the best.
    """

    model: MultiTaskModel
    tasks: Mapping[str, TextTask]
    reader: TextReader
    predict: Predict
    probabilities: bool = False

    def of(
        self,
        readings: Mapping[str, Sequence[Pair]],
        beside: Sequence[Beside] | None = None,
    ) -> list[dict[str, Any]]:
        """Predict.

        Args:
            readings: What each task reads, as many texts or pairs for every task.
            beside: What stands beside each text; nothing if ``None``.

        Returns:
            For each text what each task says.

        Raises:
            ValueError: If a text is too long and not to be cut or read in windows.
        """
        number = len(next(iter(readings.values())))
        beside = [Beside()] * number if beside is None else beside
        rows: list[dict[str, Any]] = [{} for _ in range(number)]
        prepared, in_parts = {}, {}
        for names in self._alike(readings):
            as_words = self.tasks[names[0]].reads_words
            prepared[names] = self._prepared(readings[names[0]], as_words)
            in_parts[names] = self._too_long(prepared[names], as_words)
        for (places, tasks), read in self._passes(prepared, in_parts).items():
            pairs = zip(read, places, strict=True)
            examples = [beside[place].added_to(text) for text, place in pairs]
            found = self.predict(examples, partial(self._said, tasks=tasks))
            for place, said in zip(places, found, strict=True):
                rows[place] |= said
        for names, windows in in_parts.items():
            for name in names:
                found_in = self._of_windows(name, windows, beside)
                for place, said in zip(windows, found_in, strict=True):
                    rows[place][name] = said
        return [{name: row[name] for name in readings} for row in rows]

    def _alike(self, readings: Mapping[str, Sequence[Pair]]) -> list[tuple[str, ...]]:
        """Return tasks that read the very same texts together, so that these are encoded once."""
        groups: dict[tuple[Any, ...], list[str]] = {}
        for name, pairs in readings.items():
            texts = tuple((id(text), id(other)) for text, other in pairs)
            groups.setdefault((self.tasks[name].reads_words, texts), []).append(name)
        return [tuple(names) for names in groups.values()]

    def _prepared(self, pairs: Sequence[Pair], as_words: bool) -> list[Pair]:
        """Split raw texts where tasks read words."""
        if not as_words:
            return list(pairs)
        found: list[Pair] = []
        for place, (text, other) in enumerate(pairs):
            with numbered(place, text):
                found.append((words_of(text), other))
        return found

    def _too_long(self, pairs: Sequence[Pair], as_words: bool) -> dict[int, list[Any]]:
        """Return the windows of texts that must be read in several."""
        if not as_words or not self.reader.in_windows:
            return {}
        windows = enumerate(self.reader.windows(pairs))
        return {place: parts for place, parts in windows if len(parts) > 1}

    def _passes(
        self,
        readings: Mapping[tuple[str, ...], Sequence[Pair]],
        in_parts: Mapping[tuple[str, ...], Mapping[int, Any]],
    ) -> dict[tuple[tuple[int, ...], tuple[str, ...]], list[Example]]:
        """Return what the encoder is to read: texts, and which tasks read them as they are."""
        number = len(next(iter(readings.values())))
        encoded: dict[int, dict[tuple[Any, ...], tuple[Any, ...]]] = {}
        cut: set[int] = set()
        for group, pairs in readings.items():
            for place, (text, other) in enumerate(pairs):
                if place in in_parts[group]:
                    continue
                with numbered(place, text):
                    found = self.reader.encoded(text, other)
                if found.num_cut:
                    cut.add(place)
                kept_once(encoded.setdefault(place, {}), found, [])[1].extend(group)
        self.reader.warn_of_cut(len(cut), number)
        groups: dict[tuple[str, ...], tuple[list[int], list[Example]]] = {}
        for place, known in encoded.items():
            for text_ids, names in known.values():
                places, examples = groups.setdefault(tuple(names), ([], []))
                places.append(place)
                examples.append(text_ids.example())
        return {(tuple(places), tasks): made for tasks, (places, made) in groups.items()}

    def _said(self, batch: Batch, *, tasks: Sequence[str]) -> list[dict[str, Any]]:
        """Return what tasks say of each row of a batch."""
        if self.probabilities:
            hidden = self.model.sharing(batch, tasks).hidden
            columns = {t: self._probabilities(t, hidden[t], batch) for t in tasks}
        else:
            heads = {task: self.model.head(task) for task in tasks}
            found = self.model.sharing.predict(batch, heads)
            columns = {task: self.tasks[task].named(found[task]) for task in tasks}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _probabilities(self, task: str, hidden: Tensor, batch: Batch) -> list[Any]:
        head = self.model.head(task)
        if type(head).probabilities is Head.probabilities:  # it does not choose among labels
            return self.tasks[task].named(head.predict(hidden, batch))
        return named_probabilities(head, hidden, batch)

    def _of_windows(
        self,
        name: str,
        windows: Mapping[int, Sequence[Any]],
        beside: Sequence[Beside],
    ) -> Iterable[Any]:
        """Label the words of long texts, the states of each taken where it sees most."""
        examples = [
            marked_window(part, beside[place]) for place, parts in windows.items() for part in parts
        ]

        def states_of(batch: Batch) -> list[Tensor]:
            marked = batch.labels[WORDS] == 1
            hidden = self.model.sharing(batch, [name]).hidden[name]
            return [row[at] for row, at in zip(hidden, marked, strict=True)]

        states = iter(self.predict(examples, states_of))
        for parts in windows.values():
            hidden = torch.cat([next(states) for _ in parts]).unsqueeze(0)  # [1, W, D], W words
            with torch.no_grad(), evaluation_mode(self.model):
                yield self._of_states(name, hidden)

    def _of_states(self, name: str, hidden: Tensor) -> Any:
        """Return what a task says of the states of words, one text's."""
        everywhere = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        batch = Batch(Inputs(everywhere.long(), everywhere))
        if self.probabilities:
            return self._probabilities(name, hidden, batch)[0]
        return self.tasks[name].named(self.model.head(name).predict(hidden, batch))[0]


def named_probabilities(head: Head, hidden: Tensor, batch: Batch) -> list[Any]:
    """Return the probabilities of all labels by name.

    Args:
        head: The head.
        hidden: What it reads.
        batch: What that was computed from.

    Returns:
        For each row a mapping from labels to probabilities, or one for each word.
    """
    labels: Sequence[str] | None = getattr(head, "labels", None)

    def by_name(values: Any) -> Any:
        if len(values) and not isinstance(values[0], Real):
            # No word begins where there is None.
            return [by_name(word) for word in values if word is not None]
        if labels is None:  # a head of one's own may have no names
            return list(values)
        return dict(zip(labels, values, strict=True)) if len(values) else []

    return [by_name(row) for row in head.probabilities(hidden, batch)]
