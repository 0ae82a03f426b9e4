"""Temperature scaling: one number that makes a head as sure as it is right."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

#: Temperatures are looked for between its inverse and this.
LARGEST_TEMPERATURE = 100.0

_STEPS = 40  # each halves the range, until it is 1e-11 wide


def fit_temperature(negative_log_likelihood: Callable[[Tensor], Tensor]) -> float:
    r"""Return the temperature under which what was observed is most likely (Guo et al., 2017).

    The negative log-likelihood of a softmax, of a sigmoid and of a CRF is convex in the sharpness
    :math:`\beta = 1 / T` that multiplies all scores, so that its slope changes its sign once.

    Args:
        negative_log_likelihood: Of the data, a scalar in nats, at a sharpness, a scalar of float64
            that requires a gradient.

    Returns:
        T, from 1 / 100 to 100. It is at an end of the range where the likelihood still grows there:
        if every prediction is right, or no better than one at random.
    """
    low, high = (sign * math.log(LARGEST_TEMPERATURE) for sign in (-1, 1))  # of log beta
    if _slope(negative_log_likelihood, low) >= 0:
        return LARGEST_TEMPERATURE
    if _slope(negative_log_likelihood, high) <= 0:
        return 1 / LARGEST_TEMPERATURE
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _slope(negative_log_likelihood, middle) > 0:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)


def _slope(function: Callable[[Tensor], Tensor], log_sharpness: float) -> float:
    with torch.enable_grad():
        sharpness = torch.tensor(math.exp(log_sharpness), dtype=torch.float64, requires_grad=True)
        return float(torch.autograd.grad(function(sharpness), sharpness)[0])
