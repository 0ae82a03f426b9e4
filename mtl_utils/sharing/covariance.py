"""A learnt covariance between tasks: who is to be like whom is found in their parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_number, check_tensor
from mtl_utils.nn.encoder import Encoder
from mtl_utils.sharing.soft import SoftSharing


def task_covariance(weights: Tensor, smoothing: float = 0.0) -> Tensor:
    r"""Return the covariance between tasks that suits their parameters best (Zhang & Yeung, 2010).

    .. math:: \Omega = \frac{(W W^\top + \epsilon I)^{1/2}}
        {\operatorname{tr} (W W^\top + \epsilon I)^{1/2}}

    Among all positive definite matrices whose trace is 1 it is the one with the least
    :math:`\operatorname{tr} \Omega^{-1} (W W^\top + \epsilon I)`.

    Args:
        weights: Parameters of K tasks, a row each: W, ``[K, P]``.
        smoothing: :math:`\epsilon`; without it the matrix has no inverse where tasks are
            combinations of others.

    Returns:
        ``[K, K]``; where all parameters are 0, and nothing is known, the identity over K; nan
        where a number is not finite.

    Raises:
        ValueError: If there is another number of dimensions, no task, or ``smoothing`` is negative.
        TypeError: If ``weights`` is no tensor of floating-point numbers, or ``smoothing`` no
            number.
    """
    _check(weights, smoothing)
    matrix = _smoothed(weights, smoothing)
    if not bool(matrix.isfinite().all()):
        return torch.full_like(matrix, math.nan, dtype=weights.dtype)
    values, directions = torch.linalg.eigh(matrix)
    roots = _roots(values, weights)
    if not bool(roots.any()):
        return torch.eye(len(weights), dtype=weights.dtype, device=weights.device) / len(weights)
    return ((directions * (roots / roots.sum())) @ directions.T).to(weights.dtype)


def covariance_penalty(weights: Tensor, smoothing: float = 0.0) -> Tensor:
    r"""Return how ill the parameters of tasks suit the covariance that suits them best.

    .. math:: \min_{\Omega \succ 0,\, \operatorname{tr} \Omega = 1}
        \operatorname{tr} \Omega^{-1} (W W^\top + \epsilon I)
        = \left(\operatorname{tr} (W W^\top + \epsilon I)^{1/2}\right)^2

    At :math:`\epsilon = 0` it is the square of the trace norm of W; see :func:`trace_norm`. The
    gradient is :math:`2\, \Omega^{-1} W`, as if the best :math:`\Omega` were given.

    Args:
        weights: W, ``[K, P]``.
        smoothing: :math:`\epsilon`. At 0, where tasks are combinations of others, there are many
            subgradients; this has the smallest one, as :func:`trace_norm` has.

    Returns:
        A scalar; nan where a number is not finite.

    Raises:
        ValueError: As :func:`task_covariance`.
        TypeError: Likewise.
    """
    _check(weights, smoothing)
    matrix = _smoothed(weights, smoothing)
    if not bool(matrix.isfinite().all()):
        return weights.sum() * math.nan  # where a decomposition would stop with an error
    return _roots(torch.linalg.eigvalsh(matrix), weights).sum().square().to(weights.dtype)


class CovarianceSharing(SoftSharing):
    r"""One encoder a task, under a covariance between tasks that is learnt (Zhang & Yeung, 2010).

    .. math:: \frac\lambda2 \operatorname{tr} \Omega^{-1} (W W^\top + \epsilon I)

    is added to the losses, with the tied parameters of K tasks as the rows of W and
    :math:`\Omega`, ``[K, K]``, positive definite with trace 1. Where two tasks have a positive
    covariance each draws the other towards itself, where it is negative away from itself, and tasks
    without one are left to themselves. So it is not said beforehand who is related to whom, as it
    is by :class:`SoftSharing`.

    For given parameters the best :math:`\Omega` is known, :func:`task_covariance`; Zhang and Yeung
    take turns between it and the parameters. Here it is the best one at every step, which is the
    same as the penalty :func:`covariance_penalty`. They treat the weights of linear models; here
    the tied parameters of encoders stand for them. Encoders that begin as copies of one begin as
    tasks that are all the same, with an :math:`\Omega` that is the same everywhere.

    Args:
        encoders: The encoders by task.
        tied: See :class:`SoftSharing`; all of these are one row of W.
        strength: :math:`\lambda`. Without it tasks are trained apart.
        smoothing: :math:`\epsilon`: what the covariance takes for little, in the units of a sum
            of squares of all tied parameters of a task.

    Attributes:
        tied: Names of all tied parameters.

    Raises:
        ValueError: As :class:`SoftSharing`, and if ``smoothing`` is not above 0.
        TypeError: As :class:`SoftSharing`, and if ``smoothing`` is no number.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        tied: Sequence[str],
        *,
        strength: float = 1e-3,
        smoothing: float = 1e-2,
    ) -> None:
        check_number("smoothing", smoothing, above=0)
        super().__init__(encoders, tied, covariance_penalty, strength)
        self.smoothing = smoothing

    def weights(self) -> Tensor:
        """Return the tied parameters of each task one after the other, W, ``[K, P]``."""
        by_task = [dict(encoder.named_parameters()) for encoder in self.encoders.values()]
        return torch.stack(
            [torch.cat([by_name[name].flatten() for name in self.tied]) for by_name in by_task]
        )

    def distance(self) -> Tensor:
        r"""Return the penalty, :math:`\lambda / 2` of :func:`covariance_penalty`, a scalar."""
        if self.strength == 0:  # not even a gradient of 0, which an optimizer would take for one
            return next(self.parameters()).new_zeros(())
        return self.strength / 2 * covariance_penalty(self.weights(), self.smoothing)

    @torch.no_grad()
    def covariance(self) -> Tensor:
        r"""Return what has been learnt of the tasks, :math:`\Omega`.

        Returns:
            ``[K, K]``, in the order in which encoders were given.

        Raises:
            ValueError: If nothing is tied.
        """
        if not self.tied:
            raise ValueError(
                f"tied={list(self.tied)} leaves nothing to compare tasks by; tie parts of encoders"
            )
        return task_covariance(self.weights(), self.smoothing)

    def correlations(self) -> Tensor:
        r"""Return :math:`\Omega_{ij} / \sqrt{\Omega_{ii} \Omega_{jj}}`, from -1 to 1.

        Returns:
            ``[K, K]``, 1 on the diagonal.

        Raises:
            ValueError: If nothing is tied.
        """
        covariance = self.covariance()
        deviations = covariance.diagonal().sqrt()
        return covariance / torch.outer(deviations, deviations)

    def extra_repr(self) -> str:
        """Say what is tied and how strongly."""
        return f"tied={list(self.tied)}, strength={self.strength}, smoothing={self.smoothing}"


def _smoothed(weights: Tensor, smoothing: float) -> Tensor:
    # What sets tasks apart may be small beside what they have in common, and is squared here.
    matrix = weights.double()
    identity = torch.eye(len(weights), dtype=matrix.dtype, device=matrix.device)
    return matrix @ matrix.T + smoothing * identity


def _roots(values: Tensor, weights: Tensor) -> Tensor:
    """Return the roots of eigenvalues, of which what rounding leaves of a 0 is none."""
    size = max(len(weights), math.sqrt(weights[0].numel()))
    rounding = size * torch.finfo(values.dtype).eps * values.detach().amax()
    return values.masked_fill(values.detach() <= rounding, 0.0).sqrt()


def _check(weights: Tensor, smoothing: float) -> None:
    check_tensor("weights", weights, "[K, P]", "floating-point")
    check_number("smoothing", smoothing, least=0)
    if not len(weights):
        raise ValueError(f"weights must have a row for at least one task, got {weights!r:.60}")
