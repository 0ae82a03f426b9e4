"""Heads with a label for each word: what stands where, beside what should."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import TypeVar

import torch
from torch import Tensor

from mtl_utils.data.batch import MISSING_LABEL, Batch, has_label
from mtl_utils.tasks.labelled_head import LabelledHead

T = TypeVar("T")


class WordHead(LabelledHead):
    """A head over a fixed set of labels, one of them a word; it must define ``decode``.

    Args:
        task: Name of the task, under which a batch has its labels.
        labels: Names of the labels, in the order of their ids.
        class_weights: See :class:`LabelledHead`.

    Raises:
        TypeError: If a name is no string, or the labels have no order.
        ValueError: If there are no labels, or one occurs twice.
    """

    def decode(self, hidden: Tensor, positions: Tensor) -> list[list[int]]:
        """Return the best labels of some tokens, taken as a sequence of their own.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            positions: ``[B, T]``, True at the tokens to label.

        Returns:
            One id for each of these tokens, row by row.
        """
        raise self._undefined("decode(hidden, positions)")

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[int]]:
        """Return the best label of each token of the input.

        Where tokens are pieces of words and the inputs say so (``first_pieces``; see
        :meth:`mtl_utils.data.EncodedText.example`), the first pieces are labelled as one sequence,
        as in training. Otherwise every token takes part in it.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            One id a token, row by row; none for a row without tokens.
            :data:`~mtl_utils.data.MISSING_LABEL` stands where no word begins.
        """
        found = self.decode(hidden, word_starts(batch))
        return at_tokens(found, batch, MISSING_LABEL)

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[list[int], list[int]] | None]:
        """Label the tokens that have a label, and put both side by side.

        Where the inputs say which tokens are words, all of these are labelled as one sequence, as
        by :meth:`predict`, whether each has a label to compare with or not.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels ``[B, T]``.

        Returns:
            Two sequences of ids a row, of its labelled tokens alone; ``None`` where there is none.

        Raises:
            ValueError: If there is not one label a token.
        """
        labels = batch.labels[self.task]
        self._check_fit(hidden, batch)
        known = has_label(labels)
        expected: list[list[int]] = [
            row[at].tolist() for row, at in zip(labels, known, strict=True)
        ]
        positions = known | _word_starts_of_rows(batch)
        found = self.decode(hidden, positions)
        counted = [row[at].tolist() for row, at in zip(known, positions, strict=True)]
        pairs = zip(map(list, map(compress, found, counted)), expected, strict=True)
        return [pair if pair[1] else None for pair in pairs]

    def _check_fit(self, states: Tensor, batch: Batch) -> None:
        """Refuse labels that are not one a token, as far as a batch shows it."""
        labels, mask = batch.labels[self.task], batch.inputs.mask
        if labels.shape != states.shape[:2]:
            raise ValueError(
                f"Labels of {self.task!r} are one a token: states {list(states.shape)} need "
                f"targets {list(states.shape[:2])}, got {list(labels.shape)}"
            )
        if labels.shape != mask.shape or labels.device.type != "cpu":
            return
        beyond = has_label(labels) & ~mask
        if bool(beyond.any()):
            row = int(beyond.any(dim=1).nonzero()[0])
            raise ValueError(
                f"Row {row} has more labels of {self.task!r} than tokens, which are "
                f"{int(mask[row].sum())}; expected one label a token"
            )


def word_starts(batch: Batch) -> Tensor:
    """Return where words begin ``[B, T]``: at every token, unless the inputs say otherwise.

    Args:
        batch: The batch.
    """
    first_pieces = batch.inputs.first_pieces
    return batch.inputs.mask if first_pieces is None else first_pieces


def _word_starts_of_rows(batch: Batch) -> Tensor:
    """Return where words begin ``[B, T]``, nowhere in rows that do not say it themselves.

    Among others that do, these are words throughout.
    """
    mask, first_pieces = batch.inputs.mask, batch.inputs.first_pieces
    if first_pieces is None:
        return torch.zeros_like(mask)
    return first_pieces & (first_pieces != mask).any(dim=1, keepdim=True)


def at_tokens(found: Sequence[Sequence[T]], batch: Batch, fill: T) -> list[list[T]]:
    """Put what belongs to words where these begin.

    Args:
        found: One value a word, row by row.
        batch: What they were computed from.
        fill: What stands at other tokens.

    Returns:
        One value a token, row by row.
    """
    rows = []
    lengths = batch.inputs.mask.sum(dim=1).tolist()
    for row, starts, length in zip(found, word_starts(batch).tolist(), lengths, strict=True):
        left = iter(row)
        rows.append([next(left) if here else fill for here in starts[:length]])
    return rows
