"""Learning-rate schedules: pure functions from a step to a factor of the highest rate.

Steps count from 0. Every schedule rises linearly over the warm-up and has the factor 1 at its end.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from mtl_utils.arguments import check_choice, check_number

ScheduleName = Literal["constant", "linear", "cosine", "inverse_sqrt"]


def constant(step: int, warmup_steps: int = 0) -> float:
    """Stay at the highest rate.

    Args:
        step: The step at hand, from 0.
        warmup_steps: Steps over which the factor rises linearly to 1.

    Returns:
        The factor, in (0, 1].

    Raises:
        ValueError: If a number is negative or not finite.
        TypeError: If one is no number.
    """
    return _warmup(step, warmup_steps)


def linear(step: int, total_steps: int, warmup_steps: int = 0) -> float:
    """Fall in a straight line, to zero after the last step (Devlin et al., 2019).

    Args:
        step: The step at hand, from 0.
        total_steps: Steps of the whole run.
        warmup_steps: Steps over which the factor rises linearly to 1.

    Returns:
        The factor, in [0, 1].

    Raises:
        ValueError: If a number is negative or not finite.
        TypeError: If one is no number.
    """
    return _warmup(step, warmup_steps) * (1 - _done(step, total_steps, warmup_steps))


def cosine(step: int, total_steps: int, warmup_steps: int = 0) -> float:
    """Fall along half a cosine, to zero after the last step (Loshchilov & Hutter, 2017).

    Args:
        step: The step at hand, from 0.
        total_steps: Steps of the whole run.
        warmup_steps: Steps over which the factor rises linearly to 1.

    Returns:
        The factor, in [0, 1].

    Raises:
        ValueError: If a number is negative or not finite.
        TypeError: If one is no number.
    """
    warmup = _warmup(step, warmup_steps)
    done = _done(step, total_steps, warmup_steps)
    return warmup * 0.5 * (1 + math.cos(math.pi * done))


def inverse_sqrt(step: int, warmup_steps: int = 0) -> float:
    r"""Fall with the inverse square root of the step (Vaswani et al., 2017).

    The paper's :math:`D^{-1/2} \min(s^{-1/2}, s\,w^{-3/2})` with :math:`s` counted from 1,
    divided by its highest value, :math:`D^{-1/2} w^{-1/2}`: :math:`\min(\sqrt{w / s}, s / w)`.

    Args:
        step: The step at hand, from 0.
        warmup_steps: :math:`w`, steps over which the factor rises linearly to 1; 0 counts as 1.

    Returns:
        The factor, in (0, 1].

    Raises:
        ValueError: If a number is negative or not finite.
        TypeError: If one is no number.
    """
    warmup = _warmup(step, warmup_steps)
    return min(warmup, math.sqrt(max(1, warmup_steps) / (step + 1)))


def factor(name: ScheduleName, step: int, total_steps: int, warmup_steps: int = 0) -> float:
    """Return the factor of a schedule given by name.

    Args:
        name: ``"constant"``, ``"linear"``, ``"cosine"`` or ``"inverse_sqrt"``.
        step: The step at hand, from 0.
        total_steps: Steps of the whole run.
        warmup_steps: Steps over which the factor rises linearly to 1.

    Returns:
        The factor, in [0, 1].

    Raises:
        ValueError: If there is no such schedule, or a number is negative or not
            finite.
        TypeError: If one is no number.
    """
    check_choice("schedule", name, get_args(ScheduleName))
    if name == "constant":
        return constant(step, warmup_steps)
    if name == "linear":
        return linear(step, total_steps, warmup_steps)
    if name == "cosine":
        return cosine(step, total_steps, warmup_steps)
    return inverse_sqrt(step, warmup_steps)


def _warmup(step: int, warmup_steps: int) -> float:
    check_number("step", step, least=0)
    check_number("warmup_steps", warmup_steps, least=0)
    return (step + 1) / warmup_steps if step < warmup_steps else 1.0


def _done(step: int, total_steps: int, warmup_steps: int) -> float:
    """Return the share of the steps after the warm-up that lies behind, in [0, 1]."""
    check_number("total_steps", total_steps, least=0)
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return min(1.0, max(0.0, done))


def depends_on_total(name: ScheduleName) -> bool:
    """Tell whether the factors of a schedule depend on how many steps there will be.

    Args:
        name: The schedule.

    Raises:
        ValueError: If there is no such schedule.
    """
    check_choice("schedule", name, get_args(ScheduleName))
    return name in ("linear", "cosine")
