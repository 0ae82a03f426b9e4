"""How alike two representations of the same texts are: centred kernel alignment."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_utils.arguments import check_flag, check_tensor


def linear_cka(first: Tensor, second: Tensor, *, debiased: bool = False) -> float:
    r"""Return the linear CKA of two representations (Kornblith et al., 2019).

    .. math:: \operatorname{CKA}(X, Y) = \frac{\lVert \tilde Y^\top \tilde X \rVert_F^2}
        {\lVert \tilde X^\top \tilde X \rVert_F\, \lVert \tilde Y^\top \tilde Y \rVert_F}

    with centred columns. It is 1 for representations that are turned, mirrored, shifted and scaled
    versions of each other, and not for those that are mapped in any other way. With few rows and
    many columns it is high between random numbers: ``debiased`` replaces each inner product of Gram
    matrices by the unbiased estimate of Song et al. (2012), whose expectation is then 0.

    It costs N D^2 where D is less than N, and N^2 D else.

    Args:
        first: ``[N, D]``, a row a word or a text.
        second: ``[N, E]``, the same words or texts.
        debiased: Whether to use the unbiased estimate; it may be a little below 0.

    Returns:
        From 0 to 1; nan where a representation does not vary.

    Raises:
        TypeError: If something is no tensor of floating-point numbers, or ``debiased`` no flag.
        ValueError: If numbers of rows differ or are too few: 2, or 4 for the unbiased estimate.
    """
    check_tensor("first", first, "[N, D]", "floating-point")
    check_tensor("second", second, "[N, E]", "floating-point")
    check_flag("debiased", debiased)
    least = 4 if debiased else 2
    if len(first) != len(second) or len(first) < least:
        raise ValueError(
            f"first and second must have as many rows, at least {least}, got {list(first.shape)} "
            f"and {list(second.shape)}"
        )
    x, y = _centred(first), _centred(second)
    inner = _unbiased if debiased else _inner
    between, of_x, of_y = inner(x, y), inner(x, x), inner(y, y)
    # The square root of each: their product may be too small for a number.
    norm = float(of_x.clamp(min=0).sqrt()) * float(of_y.clamp(min=0).sqrt())
    return float(between) / norm if norm > 0 else float("nan")


def _centred(states: Tensor) -> Tensor:
    states = states.detach().double()
    centred = states - states.mean(dim=0)
    # A constant may leave rounding behind, which would be scaled up.
    rounding = 1e-12 * states.abs().amax(dim=0) if states.shape[1] else 0.0
    centred = torch.where(centred.abs().amax(dim=0) > rounding, centred, 0.0)
    largest = centred.abs().max() if centred.numel() else torch.tensor(0.0)
    return centred / largest if float(largest) > 0 else centred


def _inner(x: Tensor, y: Tensor) -> Tensor:
    """Return the inner product of the Gram matrices, by the shorter way."""
    if x.shape[1] * y.shape[1] <= len(x) * (x.shape[1] + y.shape[1]):
        return (y.T @ x).square().sum()
    return ((x @ x.T) * (y @ y.T)).sum()


def _unbiased(x: Tensor, y: Tensor) -> Tensor:
    """Return its unbiased version: diagonals set to zero, and their part of the means taken out.

    For centred columns, sums of rows of a Gram matrix without its diagonal are minus the diagonal,
    so that nothing of size ``[N, N]`` is needed.
    """
    count = len(x)
    diagonal_x, diagonal_y = x.square().sum(dim=1), y.square().sum(dim=1)  # [N]
    product = _inner(x, y) - (diagonal_x * diagonal_y).sum()
    whole = diagonal_x.sum() * diagonal_y.sum() / ((count - 1) * (count - 2))
    rows = 2 / (count - 2) * (diagonal_x * diagonal_y).sum()
    return (product + whole - rows) / (count * (count - 3))
