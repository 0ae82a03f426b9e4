"""From counts to probabilities: discounts, and the estimate of one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_number
from mtl_utils.models.ngram_counts import CountTable, Ids, Stream, adjusted_counts, previous

Discounts = Literal["single", "modified"] | float | Sequence[float]
Triple = tuple[float, float, float]
Floats = NDArray[np.float64]

FALLBACK = (0.5, 1.0, 1.5)  # where counts of counts are too small to estimate discounts, as KenLM


@dataclass(frozen=True)
class Level:
    """The estimate of one order, ``kept / total + backoff * lower``.

    Args:
        table: The n-grams of the order.
        tokens: Last token of each ``[N]``.
        kept: What is left of each count ``[N]``.
        totals: Sum of the counts by context row ``[R]``.
        backoff: Weight of the lower estimate by context row ``[R]``.
        unseen: Weight of the lower estimate after a context that was never seen.
        discounts: What a count of 1, 2, and 3 or more gave up.
    """

    table: CountTable
    tokens: Ids
    kept: Floats
    totals: Floats
    backoff: Floats
    unseen: float
    discounts: Triple

    @classmethod
    def build(
        cls,
        table: CountTable,
        counts: Ids,
        *,
        unseen: float,
        discounts: Triple = (0.0, 0.0, 0.0),
        prior_mass: float = 0.0,
    ) -> Level:
        """Take the discounts off the counts, or add ``prior_mass`` to each total.

        Args:
            table: The n-grams of the order.
            counts: Their counts, adjusted or not ``[N]``.
            unseen: Weight of the lower estimate after a context that was never seen.
            discounts: What a count of 1, 2, and 3 or more gives to the lower estimate.
            prior_mass: What each context gives to it besides.
        """
        by_count = np.array([0.0, *discounts])
        kept: Floats = np.maximum(counts - by_count[np.minimum(counts, 3)], 0.0)
        contexts, size = table.contexts, table.num_contexts
        seen = _sum_by(contexts, counts, size)
        totals = seen + prior_mass
        backoff = _sum_by(contexts, counts - kept, size) + prior_mass
        empty = totals == 0  # all its counts are 0, so nothing is kept there
        totals[empty] = 1.0
        backoff /= totals
        backoff[empty] = unseen
        return cls(table, table.tokens, kept, totals, backoff, unseen, discounts)

    def distribution(self, row: int, lower: Floats) -> Floats:
        """Return the distribution ``[V]`` after one context row, given the lower one ``[V]``."""
        entries = self.table.entries(row)
        result = self.backoff[row] * lower
        result[self.tokens[entries]] += self.kept[entries] / self.totals[row]
        return result

    def score(self, contexts: Ids, tokens: Ids, lower: Floats) -> tuple[Floats, Ids]:
        """Score tokens ``[T]`` after context rows ``[T]``; also return the rows of the n-grams."""
        rows = self.table.find(contexts, tokens)
        if len(self.table) == 0:
            return self.unseen * lower, rows
        kept = np.where(rows >= 0, self.kept[rows], 0.0)
        known = contexts >= 0
        totals = np.where(known, self.totals[contexts], 1.0)
        backoff = np.where(known, self.backoff[contexts], self.unseen)
        return kept / totals + backoff * lower, rows


def levels_of(
    tables: Sequence[CountTable], smoothing: str, k: float, discounts: Discounts
) -> list[Level]:
    """Return the estimates of all orders; see :class:`mtl_utils.models.NGramLanguageModel`.

    Args:
        tables: The n-grams of the orders 1, 2, and so on.
        smoothing: ``"kneser-ney"``, ``"add-k"`` or ``"none"``.
        k: What add-k adds to each count.
        discounts: Of Kneser-Ney.
    """
    if smoothing == "none":
        return [Level.build(table, table.counts, unseen=0.0) for table in tables]
    if smoothing == "add-k":
        added = [k * (table.vocab_size - 2) for table in tables]  # all but <pad> and <bos>
        pairs = zip(tables, added, strict=True)
        return [Level.build(t, t.counts, unseen=1.0, prior_mass=mass) for t, mass in pairs]
    levels = []
    for index, table in enumerate(tables):
        longer = tables[index + 1] if index + 1 < len(tables) else None
        counts = adjusted_counts(table, longer)
        given = discounts_of_order(discounts, index, counts)
        levels.append(Level.build(table, counts, unseen=1.0, discounts=given))
    return levels


def context_rows(levels: Sequence[Level], context: Sequence[int]) -> list[int]:
    """Find the contexts of 0, 1, ... last tokens; each entry is a row of the order below.

    Args:
        levels: The estimates of all orders.
        context: Token ids.
    """
    rows = [0]
    for length in range(1, min(len(context), len(levels) - 1) + 1):
        row = 0
        for level, token in zip(levels, context[len(context) - length :], strict=False):
            row = int(level.table.find(np.array(row), np.array(token)))
        rows.append(row)
    return rows


def scored(levels: Sequence[Level], stream: Stream, uniform: Floats, interpolated: bool) -> Floats:
    """Return the probability of each token of a stream after those before it ``[T]``.

    Args:
        levels: The estimates of all orders.
        stream: The tokens.
        uniform: The estimate of order 0 ``[T]``.
        interpolated: Whether each order rests on the one below, or on that of order 0.
    """
    result, rows = uniform, np.zeros(len(stream.tokens), dtype=np.int64)
    for n, level in enumerate(levels):
        contexts = rows if n == 0 else previous(rows)
        scores, rows = level.score(contexts, stream.tokens, result if interpolated else uniform)
        enough = stream.ages >= n  # nearer the start of a sequence the context is shorter
        result, rows = np.where(enough, scores, result), np.where(enough, rows, -1)
    return result


def _sum_by(rows: Ids, values: NDArray[Any], size: int) -> Floats:
    return np.bincount(rows, weights=values, minlength=size).astype(np.float64)


def discounts_of_order(given: Discounts, index: int, counts: Ids) -> Triple:
    """Estimate or look up the discounts of one order.

    Args:
        given: ``"single"``, ``"modified"``, or the discounts themselves.
        index: The order minus 1.
        counts: Adjusted counts of the n-grams of the order.

    Returns:
        Discounts for the adjusted counts 1, 2, and 3 or more.
    """
    if isinstance(given, str):
        return single_discount(counts) if given == "single" else modified_discounts(counts)
    discount = float(given if isinstance(given, int | float) else given[index])
    return discount, discount, discount


def single_discount(counts: Ids) -> Triple:
    """Estimate one discount ``n1 / (n1 + 2 n2)`` from adjusted counts (Ney et al., 1994).

    Args:
        counts: Adjusted counts of the n-grams of one order.

    Returns:
        The discount three times, for the counts 1, 2, and 3 or more; 0.5 where ``n1`` or ``n2``
        is 0.
    """
    n1, n2 = (int((counts == count).sum()) for count in (1, 2))
    discount = n1 / (n1 + 2 * n2) if n1 and n2 else FALLBACK[0]
    return discount, discount, discount


def modified_discounts(counts: Ids) -> Triple:
    """Estimate three discounts from adjusted counts (Chen & Goodman, 1999).

    Args:
        counts: Adjusted counts of the n-grams of one order.

    Returns:
        Discounts for the counts 1, 2, and 3 or more; (0.5, 1, 1.5) where one of them cannot be
        estimated or falls outside ``(0, count]``.
    """
    n = [int((counts == count).sum()) for count in range(5)]
    if 0 in n[1:]:
        return FALLBACK
    share = n[1] / (n[1] + 2 * n[2])
    discounts = tuple(count - (count + 1) * share * n[count + 1] / n[count] for count in (1, 2, 3))
    if not all(0 < value <= count for count, value in enumerate(discounts, start=1)):
        return FALLBACK
    return discounts[0], discounts[1], discounts[2]


def check_discounts(discounts: Discounts, order: int) -> None:
    """Refuse discounts that a model of this order cannot use.

    Args:
        discounts: See :class:`mtl_utils.models.NGramLanguageModel`.
        order: Length of the n-grams.

    Raises:
        TypeError: If they are no numbers.
        ValueError: If there is no such way of estimating them, a number is outside [0, 1], or there
            is not one an order.
    """
    if isinstance(discounts, str):
        if discounts not in ("single", "modified"):
            raise ValueError(f"discounts must be 'single', 'modified' or numbers: {discounts!r}")
        return
    if not isinstance(discounts, Sequence | np.ndarray):
        check_number("discounts", discounts, least=0, most=1)
        return
    if len(discounts) != order:
        raise ValueError(
            f"Expected {order} discounts, one per order, got {len(discounts)}: {discounts}"
        )
    for place, value in enumerate(discounts):
        check_number(f"A discount, discounts[{place}],", value, least=0, most=1)
