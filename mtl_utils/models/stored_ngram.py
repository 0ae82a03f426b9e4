"""The counts of an n-gram model as tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mtl_utils.models.ngram_counts import CountTable


def weights_of(tables: Sequence[CountTable]) -> dict[str, Tensor]:
    """Return n-grams and counts; all else that tables hold follows from these.

    Args:
        tables: The tables of the orders 1, 2, and so on.
    """
    found = {}
    for order, table in enumerate(tables, 1):
        found[f"codes.{order}"] = torch.from_numpy(table.codes)
        found[f"counts.{order}"] = torch.from_numpy(table.counts)
    return found


def tables_of(
    weights: Mapping[str, Tensor], order: int, vocab_size: int, start: int
) -> list[CountTable]:
    """Make tables of what :func:`weights_of` returned.

    Args:
        weights: N-grams and counts of each order.
        order: The longest n-grams.
        vocab_size: Size of the vocabulary.
        start: Id of ``<bos>``.

    Raises:
        ValueError: If they are not what a text could have had.
    """
    if len(weights) != 2 * order:  # looked at first: an order may be any number
        raise ValueError(f"expected {order} tables of codes and of counts, got {len(weights)}")
    for n in range(1, order + 1):
        for name in (f"codes.{n}", f"counts.{n}"):
            if name not in weights:
                raise ValueError(f"expected a table {name}, got {sorted(weights)!r:.200}")
    tables: list[CountTable] = []
    starts, num_contexts = np.zeros(1, dtype=bool), 1
    for n in range(1, order + 1):
        tensors = weights[f"codes.{n}"], weights[f"counts.{n}"]
        if any(tensor.dtype != torch.int64 or tensor.dim() != 1 for tensor in tensors):
            raise ValueError(f"the n-grams of order {n} are no whole numbers in a row")
        codes, counts = (tensor.numpy() for tensor in tensors)
        if (
            len(codes) != len(counts)
            or (np.diff(codes) <= 0).any()
            or (len(codes) and not 0 <= codes[0] <= codes[-1] < num_contexts * vocab_size)
            or (counts < 0).any()
        ):
            raise ValueError(f"the n-grams of order {n} are not sorted, or not those of one below")
        contexts, tokens = codes // vocab_size, codes % vocab_size
        suffixes = np.zeros(len(codes), dtype=np.int64)
        if n > 1:
            suffixes = tables[-1].find(tables[-1].suffixes[contexts], tokens)
        if (suffixes < 0).any():
            raise ValueError(f"an n-gram of order {n} ends in one that there is not")
        starts = codes == start if n == 1 else starts[contexts]
        tables.append(CountTable(codes, counts, suffixes, starts, num_contexts, vocab_size))
        num_contexts = len(codes)
    return tables
