"""A validation split where none is published."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import datasets
import numpy as np

from mtl_utils.arguments import check_whole, shown
from mtl_utils.corpora.equal_texts import check_texts, row_texts, unordered

__all__ = ["carve_validation"]


def carve_validation(
    dataset: datasets.DatasetDict,
    fraction: float = 0.1,
    seed: int = 0,
    *,
    texts: str | Sequence[str] | None = None,
    stratify: str | None = None,
) -> datasets.DatasetDict:
    """Take a validation split out of ``train`` where none is published.

    Rows with equal texts stay on one side, so that validation measures no memory. Texts are equal
    when they are after composing letters (NFC), folding case and white space; those of a pair in
    any order. Rows are drawn one after another, each with all that equal it, until the share is
    reached; what is equal to too many to fit stays in ``train``, so that there may be a few rows
    less than asked for.

    Args:
        dataset: Splits with ``train`` and without ``validation``.
        fraction: Share of the training rows to take, between 0 and 1.
        seed: Seed of the draw. The same seed takes the same rows.
        texts: Columns that together make up the text of a row. None takes those with customary
            names (``tokens``, ``text``, ``premise`` and ``hypothesis``, ...), or the only column of
            texts; ``()`` draws every row for itself, equal texts or not.
        stratify: Column of labels of which every one is to have its share. Every label with at
            least two different texts has a row on both sides, even where that takes a few rows
            more than asked for.

    Returns:
        The splits with ``train`` and ``validation`` in their old order of rows, and the others as
        they were.

    Raises:
        TypeError: If an argument is of another type.
        KeyError: If there is no such column.
        ValueError: If there is nothing to take from, a validation split already, the fraction would
            leave either side empty, ``stratify`` is not a column of single labels, or several
            columns of texts are there and none is known by its name.
    """
    train = _training_rows(dataset)
    taken = _size(train.num_rows, fraction)
    check_whole("seed", seed, least=0)
    order = np.random.default_rng(seed).permutation(train.num_rows)
    groups = _groups(train, texts, order)
    labels = _labels(train, stratify)
    chosen = _draw(groups, labels, _quotas(labels, taken))
    if stratify is not None:
        chosen = _with_every_label(chosen, groups, labels)
    inside = np.zeros(train.num_rows, dtype=bool)
    inside[[row for number in chosen for row in groups[number]]] = True
    if not inside.any():
        raise ValueError(
            f"A fraction of {fraction} of {train.num_rows} training rows is {taken} rows, fewer "
            "than have the same text; take a larger fraction, or texts=() to draw row by row."
        )
    carved = {
        "train": train.select(np.flatnonzero(~inside), keep_in_memory=True),
        "validation": train.select(np.flatnonzero(inside), keep_in_memory=True),
    }
    others = {split: rows for split, rows in dataset.items() if split != "train"}
    return datasets.DatasetDict({**carved, **others})


def _training_rows(dataset: datasets.DatasetDict) -> datasets.Dataset:
    if not isinstance(dataset, dict) or not all(
        isinstance(rows, datasets.Dataset) for rows in dataset.values()
    ):
        raise TypeError(f"dataset must be a datasets.DatasetDict, got {shown(dataset)}")
    if "validation" in dataset or "train" not in dataset:
        raise ValueError(
            f"Found the splits {list(dataset) or '{}'} in dataset, expected 'train' and no "
            "'validation' yet."
        )
    return dataset["train"]


def _size(rows: int, fraction: float) -> int:
    if isinstance(fraction, bool) or not isinstance(fraction, int | float | np.number):
        raise TypeError(f"fraction must be a number between 0 and 1, got {fraction!r}")
    taken = round(rows * float(fraction)) if 0 < fraction < 1 else 0
    if not 0 < taken < rows:
        raise ValueError(
            f"A fraction of {fraction} of {rows} training rows is {taken} rows; expected a "
            "fraction between 0 and 1 that leaves rows on both sides."
        )
    return taken


def _groups(
    train: datasets.Dataset, texts: str | Sequence[str] | None, order: np.ndarray
) -> list[list[int]]:
    """Rows with equal texts, in the order in which the first of each is drawn."""
    columns = check_texts(texts, train.features)
    if not columns:
        return [[int(row)] for row in order]
    keys = unordered(row_texts(train, columns))
    members: dict[Hashable, list[int]] = defaultdict(list)
    for row in order:
        members[keys[row]].append(int(row))
    return list(members.values())


def _labels(train: datasets.Dataset, stratify: str | None) -> list[Hashable]:
    """Label of every row; the same for all where nothing is stratified."""
    if stratify is None:
        return [None] * train.num_rows
    if not isinstance(stratify, str):
        raise TypeError(f"stratify must be the name of a column, or None, got {stratify!r}")
    if stratify not in train.features:
        raise KeyError(f"stratify names the column {stratify!r}; there are {list(train.features)}")
    labels = train[stratify][:]
    if any(isinstance(label, list | dict) for label in labels):
        raise ValueError(f"stratify={stratify!r} must be a column of single labels, found lists")
    return list(labels)


def _quotas(labels: Sequence[Hashable], taken: int) -> dict[Hashable, int]:
    """Rows that each label gives: its share, rounded such that they add up (largest remainder).

    Every label with two rows gives at least one, and none gives its last.
    """
    counts = Counter(labels)
    shares = {label: taken * count / len(labels) for label, count in counts.items()}
    quotas = {label: min(max(int(shares[label]), 1), counts[label] - 1) for label in counts}
    by_remainder = sorted(counts, key=lambda label: quotas[label] - shares[label])
    left = taken - sum(quotas.values())
    for label in by_remainder[: max(left, 0)]:
        quotas[label] = min(quotas[label] + 1, counts[label] - 1)
    return quotas


def _draw(
    groups: Sequence[Sequence[int]], labels: Sequence[Hashable], quotas: dict[Hashable, int]
) -> list[int]:
    """Numbers of the groups that fit into what their labels may give, in order."""
    left, wanted, chosen = dict(quotas), sum(quotas.values()), []
    for number, rows in enumerate(groups):
        if wanted == 0:
            break
        needed = Counter(labels[row] for row in rows)
        if any(left[label] < count for label, count in needed.items()):
            continue
        chosen.append(number)
        wanted -= len(rows)
        for label, count in needed.items():
            left[label] -= count
    return chosen


def _with_every_label(
    chosen: Sequence[int], groups: Sequence[Sequence[int]], labels: Sequence[Hashable]
) -> list[int]:
    """Add the smallest group of each label that has none, where ``train`` keeps some of it."""
    result = list(chosen)
    inside = Counter(labels[row] for number in result for row in groups[number])
    counts, taken = Counter(labels), set(result)
    sizes = sorted(range(len(groups)), key=lambda number: len(groups[number]))
    for label in counts:
        if inside[label]:
            continue
        for number in sizes:
            added = Counter(labels[row] for row in groups[number])
            if number in taken or not added[label]:
                continue
            if all(inside[other] + count < counts[other] for other, count in added.items()):
                result.append(number)
                taken.add(number)
                inside.update(added)
                break
    return result
