"""Retrieval: how far down the list of all candidates does the right one stand?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_several, check_sizes, check_tensor


def retrieval_ranks(similarity: Tensor, relevant: Tensor) -> Tensor:
    """Return the rank of the best relevant candidate of each query.

    Candidates that are as alike as the relevant one stand before it: an encoder that gives
    everything the same vector finds nothing.

    Args:
        similarity: ``[N, M]``, of N queries and M candidates.
        relevant: ``[N, M]``, True where a candidate answers a query.

    Returns:
        ``[N]``, 1 or greater; M + 1 where nothing answers a query.

    Raises:
        ValueError: If shapes differ.
        TypeError: If the one are no numbers with a point, or the other no truth values.
    """
    check_tensor("similarity", similarity, "[N, M]", "floating-point")
    check_tensor("relevant", relevant, "[N, M]", "boolean")
    if similarity.shape != relevant.shape:
        raise ValueError(
            f"similarity {list(similarity.shape)} and relevant {list(relevant.shape)} must have "
            "the same shape [N, M]"
        )
    if similarity.shape[1] == 0:
        return torch.ones(len(similarity), dtype=torch.long)
    best = similarity.masked_fill(~relevant, -torch.inf).amax(dim=1, keepdim=True)
    # Written so that nan, which is neither less nor greater, is never taken for a find.
    before = (~(similarity < best) & ~relevant).sum(dim=1)
    found = relevant.any(dim=1) & ~best.squeeze(1).isnan()
    return torch.where(found, before + 1, similarity.shape[1] + 1)


def retrieval_scores(ranks: Tensor, at: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Sum ranks up.

    Args:
        ranks: ``[N]``, as :func:`retrieval_ranks` returns them.
        at: For which numbers of candidates to say how often the right one is among the first.

    Returns:
        ``recall_at_<k>``, from 0 to 1, and ``median_rank``.

    Raises:
        ValueError: If there are no ranks, or a number is below 1.
        TypeError: If ranks are no integers, or a number is no whole one.
    """
    check_tensor("ranks", ranks, "[N]", "integer")
    check_several("at", at, "numbers of candidates")
    for number in at:
        check_sizes(at=number)
    if len(ranks) == 0:
        raise ValueError(f"ranks must be at least one, got {ranks!r:.60}")
    exact = ranks.double()
    scores = {f"recall_at_{k}": float((exact <= k).double().mean()) for k in at}
    return {**scores, "median_rank": float(exact.quantile(0.5))}
