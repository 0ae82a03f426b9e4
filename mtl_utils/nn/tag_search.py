"""Searching for the best sequence of tags."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl_utils.arguments import check_fits, check_tensor
from mtl_utils.nn.masks import check_mask


@torch.no_grad()
def viterbi(
    emissions: Tensor, mask: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> list[list[int]]:
    """Find the sequences of tags with the greatest score (Viterbi, 1967).

    Args:
        emissions: ``[B, T, C]``.
        mask: ``[B, T]``, True at tokens, which come first in each row.
        start: ``[C]``; minus infinity forbids a first tag.
        transitions: ``[C, C]`` (from, to); minus infinity forbids a step.
        end: ``[C]``; minus infinity forbids a last tag.

    Returns:
        A tag for each token, row by row; of equally good tags the one with the lowest number.

    Raises:
        ValueError: If shapes do not fit, padding comes before a token, emissions are not numbers,
            or every sequence of a row is forbidden.
        TypeError: If the mask is not boolean.
    """
    check_tensor("start", start, "[C]", "floating-point")
    check_tensor("transitions", transitions, "[C, C]", "floating-point")
    check_tensor("end", end, "[C]", "floating-point")
    check_tensor("emissions", emissions, "[B, T, C]", "floating-point")
    for name, given in (("start", start), ("transitions", transitions), ("end", end)):
        if set(given.shape) != {emissions.shape[2]}:
            raise ValueError(
                f"emissions {list(emissions.shape)} are of {emissions.shape[2]} tags, but {name} "
                f"has the shape {list(given.shape)}"
            )
    check_emissions(emissions, mask, emissions.shape[2])
    if mask.numel() == 0:
        return [[] for _ in mask]
    precise = torch.promote_types(emissions.dtype, torch.float32)  # NumPy has no bfloat16
    start, transitions, end = (scores.to(precise) for scores in (start, transitions, end))
    first, *others = by_position(emissions.to(precise), mask)
    best = [_best_zero(start.unsqueeze(1) + first)]  # [C, B], score of the best way to each tag
    from_to = transitions.unsqueeze(2)  # [C, C, 1]
    for step in others:
        best.append(_best_zero((best[-1].unsqueeze(1) + from_to).amax(dim=0) + step))
    # One copy to the CPU; from here on a row needs one number a step.
    scores, lengths = torch.stack(best).cpu().numpy(), mask.sum(dim=1).cpu().numpy()
    totals = scores[lengths - 1, :, np.arange(len(lengths))] + end.cpu().numpy()  # [B, C]
    _check_found(totals.max(axis=1), lengths)
    paths = _backtrace(scores, totals.argmax(axis=1), lengths, transitions.cpu().numpy())
    return [path[:length] for path, length in zip(paths, lengths.tolist(), strict=True)]


def _best_zero(scores: Tensor) -> Tensor:
    """Take the greatest score ``[B]`` off all of ``[C, B]``, so that sums over a text stay small.

    Rounding would otherwise decide between ways whose scores are large and close.
    """
    lowest = torch.finfo(scores.dtype).min  # where all are forbidden they stay so, without nan
    return scores - scores.amax(dim=0).clamp(min=lowest)


def _backtrace(
    scores: NDArray[np.floating],
    last: NDArray[np.int64],
    lengths: NDArray[np.int64],
    transitions: NDArray[np.floating],
) -> list[list[int]]:
    """Follow the best ways back from the last tags, all rows at once."""
    path = np.empty((len(scores), len(last)), np.int64)  # [T, B]
    path[-1] = last
    for t in range(len(scores) - 2, -1, -1):
        before = (scores[t] + transitions[:, path[t + 1]]).argmax(axis=0)
        path[t] = np.where(t + 1 < lengths, before, last)  # a shorter row has not begun yet
    return path.T.tolist()


def _check_found(totals: NDArray[np.floating], lengths: NDArray[np.int64]) -> None:
    wrong = np.flatnonzero(~np.isfinite(totals) & (lengths > 0))
    if len(wrong) == 0:
        return
    row = wrong[0]
    if np.isneginf(totals[row]):
        raise ValueError(
            f"No sequence of {lengths[row]} tags is allowed (row {row}): each has a start, a step, "
            "an emission or an end of minus infinity. Check the constraints."
        )
    raise ValueError(
        f"The scores of row {row} are no numbers: emissions or transitions are nan or infinite. "
        "Look at the model's weights."
    )


def by_position(emissions: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    """Take emissions apart, to go through them from left to right.

    Args:
        emissions: ``[B, T, C]``.
        mask: ``[B, T]``, True at tokens.

    Returns:
        Emissions ``[C, B]`` of each position, zero at padding. With the rows last, a sum over tags
        is one of long vectors, which is twice as fast.
    """
    filled = emissions.masked_fill(~mask.unsqueeze(2), 0.0)
    return filled.permute(1, 2, 0).contiguous().unbind(0)


def check_emissions(emissions: Tensor, mask: Tensor, num_tags: int) -> None:
    """Refuse emissions and masks that do not fit.

    Args:
        emissions: Expected to be ``[B, T, C]``.
        mask: Expected to be ``[B, T]``, boolean, True at tokens, which come first in each row.
        num_tags: Number of tags, C.

    Raises:
        ValueError: If shapes do not fit, or padding comes before a token (seen on the CPU).
        TypeError: If the mask is not boolean.
    """
    check_tensor("emissions", emissions, f"[B, T, {num_tags}]", "floating-point")
    check_fits("emissions", emissions, 2, num_tags)
    check_mask(mask)
    if mask.shape != emissions.shape[:2]:
        raise ValueError(f"Expected a mask {list(emissions.shape[:2])}, got {list(mask.shape)}")
    if mask.device.type == "cpu" and bool((mask[:, 1:] & ~mask[:, :-1]).any()):
        raise ValueError("The mask has padding before a token; expected padding on the right")
