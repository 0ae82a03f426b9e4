"""Counting n-grams: one sorted table per order, built and searched with array operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class CountTable:
    """The different n-grams of one order, sorted by context and then by token.

    An n-gram is written as the row of its context (its first n - 1 tokens) in the table of the
    order below, and its last token. The table of order 0, the empty n-gram, has the single row 0.

    Args:
        codes: ``context_row * vocab_size + token`` of each n-gram ``[N]``, ascending.
        counts: How often each n-gram occurs ``[N]``; 0 where its token is never predicted.
        suffixes: Row, in the table of the order below, of the n-gram without its first token.
        starts: Whether the n-gram starts with ``<bos>`` ``[N]``.
        num_contexts: Number of rows of the table below.
        vocab_size: Size of the vocabulary.
    """

    codes: Ids
    counts: Ids
    suffixes: Ids
    starts: NDArray[np.bool_]
    num_contexts: int
    vocab_size: int

    def __len__(self) -> int:
        """Return the number of different n-grams."""
        return len(self.codes)

    @property
    def contexts(self) -> Ids:
        """Row of each n-gram's context in the table of the order below ``[N]``."""
        return self.codes // self.vocab_size

    @property
    def tokens(self) -> Ids:
        """Last token of each n-gram ``[N]``."""
        return self.codes % self.vocab_size

    def find(self, contexts: Ids, tokens: Ids) -> Ids:
        """Look up n-grams.

        Args:
            contexts: Context rows, -1 for one that was never seen.
            tokens: Last tokens, same shape.

        Returns:
            Rows in this table, -1 for an n-gram that was never seen.
        """
        if len(self.codes) == 0:
            return np.full_like(contexts, -1)
        wanted = contexts * self.vocab_size + tokens
        rows = np.minimum(np.searchsorted(self.codes, wanted), len(self.codes) - 1)
        return np.where((contexts >= 0) & (self.codes[rows] == wanted), rows, -1)

    def entries(self, context: int) -> slice:
        """Return where the n-grams of one context row stand in this table."""
        bounds = np.array([context, context + 1]) * self.vocab_size
        first, last = np.searchsorted(self.codes, bounds)
        return slice(int(first), int(last))


@dataclass(frozen=True)
class Stream:
    """Sequences written one after the other.

    Args:
        tokens: Token ids ``[T]``.
        ages: Position of each token within its own sequence ``[T]``, from 0.
    """

    tokens: Ids
    ages: Ids

    @classmethod
    def join(cls, sequences: Sequence[Ids]) -> Stream:
        """Concatenate sequences of token ids."""
        if not sequences:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))
        ages = [np.arange(len(sequence)) for sequence in sequences]
        return cls(np.concatenate(sequences), np.concatenate(ages))


def previous(rows: Ids) -> Ids:
    """Shift rows by one position: entry t holds the row of what ends at t - 1 (-1 at t = 0)."""
    return np.concatenate([np.full(min(1, len(rows)), -1), rows[:-1]])


def count_ngrams(
    stream: Stream, order: int, vocab_size: int, never_predicted: Sequence[int], start: int
) -> list[CountTable]:
    """Count the n-grams of every order up to ``order``; none crosses from one sequence to the next.

    Args:
        stream: The training text.
        order: The longest n-grams.
        vocab_size: Size of the vocabulary.
        never_predicted: Ids that only ever serve as context, such as that of ``<bos>``.
        start: Id of ``<bos>``.

    Returns:
        The tables of the orders 1 to ``order``.
    """
    tables: list[CountTable] = []
    rows = np.zeros(len(stream.tokens), dtype=np.int64)  # of the empty n-gram, everywhere
    starts, num_contexts = np.zeros(1, dtype=bool), 1
    for n in range(1, order + 1):
        ends = np.flatnonzero(stream.ages >= n - 1)
        contexts = rows[ends] if n == 1 else rows[ends - 1]
        keys = contexts * vocab_size + stream.tokens[ends]
        codes, first, inverse, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        counts[np.isin(codes % vocab_size, never_predicted)] = 0
        starts = codes == start if n == 1 else starts[codes // vocab_size]
        suffixes = rows[ends[first]]
        tables.append(CountTable(codes, counts, suffixes, starts, num_contexts, vocab_size))
        rows = np.full(len(stream.tokens), -1, dtype=np.int64)
        rows[ends] = inverse
        num_contexts = len(codes)
    return tables


def adjusted_counts(table: CountTable, longer: CountTable | None) -> Ids:
    """Replace counts by continuation counts, as Kneser-Ney does below the full order.

    Args:
        table: The n-grams of one order.
        longer: Those of the order above, ``None`` for the full order.

    Returns:
        Adjusted counts ``[N]``: the number of different tokens seen before each n-gram; the count
        itself at the full order and for n-grams that start with ``<bos>``, which nothing precedes.
    """
    if longer is None:
        return table.counts
    preceded = np.bincount(longer.suffixes[longer.counts > 0], minlength=len(table))
    return np.where(table.starts, table.counts, preceded)
