"""Contrastive loss: tell the partner of each row from those of the others in the batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils.arguments import check_tensor


def contrastive_loss(logits: Tensor, groups: Tensor | None = None) -> Tensor:
    r"""Cross-entropy of rows against columns and of columns against rows (Radford et al., 2021).

    .. math:: L = \frac{1}{2N} \sum_i \left(
            -\log \frac{e^{s_{ii}}}{\sum_{j \in A_i} e^{s_{ij}}}
            -\log \frac{e^{s_{ii}}}{\sum_{j \in A_i} e^{s_{ji}}} \right)

    over :math:`A_i = \{i\} \cup \{j : g_j \neq g_i\}`: a pair of the same group as i, such as one
    with the very same caption, is none that i is to be told from.

    Args:
        logits: ``[N, N]``, how alike row i and column j are, the temperature included. Partners
            stand on the diagonal.
        groups: ``[N]``, integers, equal where two pairs say the same; all differ if ``None``.

    Returns:
        A scalar in nats, ``log N`` where all are equally alike and groups differ; exactly 0, with
        zero gradient, where there is no pair.

    Raises:
        ValueError: If the logits are not square, or groups are not one a row.
        TypeError: If logits are no floating-point tensor, or groups no integers.
    """
    check_tensor("logits", logits, "[N, N]", "floating-point")
    size = len(logits)
    if logits.shape[1] != size:
        raise ValueError(f"logits must be square, [N, N], got {list(logits.shape)}")
    if groups is not None:
        check_tensor("groups", groups, "[N]", "integer")
        if len(groups) != size:
            raise ValueError(f"groups must be one a row of the {size} logits, got {len(groups)}")
    if size == 0:
        return logits.sum()
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if groups is not None:
        same = groups.unsqueeze(0) == groups.unsqueeze(1)
        same.fill_diagonal_(False)
        precise = precise.masked_fill(same, -torch.inf)
    targets = torch.arange(size, device=logits.device)
    both = (functional.cross_entropy(each, targets) for each in (precise, precise.T))
    return sum(both, start=precise.new_zeros(())) / 2
