"""Tagging texts that are given as words, in windows where they are too long to be read at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtl_utils.data.batch import Batch
from mtl_utils.data.examples import Example
from mtl_utils.models.text_reading import WORDS, Text, TextReader, marked_window
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.tasks import Tagging, TaggingHead

Predict = Callable[[list[Example], Callable[[Batch], list[Any]]], list[Any]]
"""Predicts for examples with a function of a batch, which returns something for each row."""


@dataclass(frozen=True)
class WordTagger:
    """Tags the words of texts with one task of a model.

    Args:
        model: Has the task.
        task: The task.
    """

    model: MultiTaskModel
    task: Tagging

    def tag(
        self,
        reader: TextReader,
        pairs: Sequence[tuple[Sequence[str], Text | None]],
        predict: Predict,
    ) -> list[list[str]]:
        """Tag the first text of each pair.

        Args:
            reader: Turns texts into ids.
            pairs: Texts as words, each with the second text of its pair or ``None``.
            predict: Predicts for examples, batch by batch.

        Returns:
            One tag for each word of each text.

        Raises:
            ValueError: If a text is too long and not to be read in windows.
            TypeError: If a text is not given as words.
        """
        if reader.long == "error" or reader.max_length is None:
            return predict(reader.read(pairs, marked=True), self._tags_of)
        windows = reader.windows(pairs)
        short = [place for place, parts in enumerate(windows) if len(parts) == 1]
        read = reader.read([pairs[place] for place in short], marked=True, warn=False)
        found = dict(zip(short, predict(read, self._tags_of), strict=True))
        long = [place for place, parts in enumerate(windows) if len(parts) > 1]
        examples = [marked_window(window) for place in long for window in windows[place]]
        states = iter(predict(examples, self._states_of))
        for place in long:
            found[place] = self._decoded([next(states) for _ in windows[place]])
        return [found[place] for place in range(len(pairs))]

    def tags_of_states(self, hidden: Tensor, batch: Batch) -> list[list[str]]:
        """Return the tags of the words that are marked in a batch.

        Args:
            hidden: States ``[B, T, D]``.
            batch: Says where words begin.
        """
        found = self._head.decode(hidden, batch.labels[WORDS] == 1)
        return [self.task.names(ids) for ids in found]

    def _tags_of(self, batch: Batch) -> list[list[str]]:
        return self.tags_of_states(self._hidden(batch), batch)

    def _states_of(self, batch: Batch) -> list[Tensor]:
        """Return the states of the words that each window is to speak for."""
        marked = batch.labels[WORDS] == 1
        return [row[at] for row, at in zip(self._hidden(batch), marked, strict=True)]

    def _hidden(self, batch: Batch) -> Tensor:
        name = self.task.name
        return self.model.sharing(batch, [name]).hidden[name]

    @torch.no_grad()
    def _decoded(self, states: Sequence[Tensor]) -> list[str]:
        """Return the best tags of a sentence, of which there are states in parts."""
        hidden = torch.cat(list(states)).unsqueeze(0)  # [1, W, D], W words
        everywhere = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        with evaluation_mode(self.model):
            return self.task.names(self._head.decode(hidden, everywhere)[0])

    @property
    def _head(self) -> TaggingHead:
        head = self.model.head(self.task.name)
        assert isinstance(head, TaggingHead)
        return head
