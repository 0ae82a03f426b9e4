"""Soft sharing: each task has an encoder of its own, and a penalty keeps the encoders alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number, check_tensor
from mtl_utils.data.batch import Batch
from mtl_utils.nn.encoder import Encoder
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used
from mtl_utils.sharing.per_task import PerTask
from mtl_utils.tasks.base import Head

_SINGLE = torch.float32
_NOISE = 8  # roundings of a number, of which each may have a few behind it


def squared_distance(copies: Tensor) -> Tensor:
    r"""Sum the squared distances of K copies of a parameter from their mean.

    After Duong et al. (2015), who pulled one copy towards another:

    .. math:: \sum_k \lVert \theta_k - \bar\theta \rVert^2
        = \frac{1}{2K} \sum_{j, k} \lVert \theta_j - \theta_k \rVert^2

    Two tasks are half the squared distance from each other.

    Args:
        copies: ``[K, ...]``.

    Returns:
        A scalar.

    Raises:
        ValueError: If there is no dimension of copies.
        TypeError: If it is no tensor of floating-point numbers.
    """
    check_tensor("copies", copies, "[K, ...]", "floating-point")
    return (copies - copies.mean(dim=0)).square().sum()


def trace_norm(copies: Tensor) -> Tensor:
    r"""Sum the singular values of the matrix of K copies of a parameter, a row each.

    .. math:: \lVert W \rVert_* = \sum_i \sigma_i(W), \qquad
        W = [\operatorname{vec} \theta_1, \dots, \operatorname{vec} \theta_K]^\top

    A small norm means a small rank: the parameters of each task are a combination of few that all
    have in common (Yang & Hospedales, 2017, who call this flattening of the stacked parameters the
    last axis). It draws towards 0 as well, as weight decay does. Where singular values are 0, as
    between equal copies, there are many subgradients; this has the smallest one, in which their
    directions have no part.

    Args:
        copies: ``[K, ...]``.

    Returns:
        A scalar; nan where a number is not finite.

    Raises:
        ValueError: If there is no dimension of copies.
        TypeError: If it is no tensor of floating-point numbers.
    """
    check_tensor("copies", copies, "[K, ...]", "floating-point")
    matrix = copies.flatten(1) if copies.dim() > 1 else copies.unsqueeze(1)  # [K, P]
    if matrix.dtype.itemsize < _SINGLE.itemsize:  # of which there is no decomposition
        return trace_norm(matrix.to(_SINGLE)).to(copies.dtype)
    if matrix.dtype == _SINGLE and matrix.device.type != "mps":  # which has no 64 bits
        norm: Tensor = _TraceNorm.apply(matrix)
        return norm
    if not bool(matrix.isfinite().all()):
        return matrix.sum() * math.nan  # where a decomposition would stop with an error
    return _by_decomposition(matrix)


def _by_decomposition(matrix: Tensor) -> Tensor:
    values = torch.linalg.svdvals(matrix)
    return values.masked_fill(values.detach() <= _rounding(values, matrix.dtype), 0.0).sum()


def _rounding(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what rounding may leave of a singular value of 0, whose direction means nothing.

    Noise of the numbers themselves is meant, so that the size of the matrix has no part in it.
    """
    return _NOISE * torch.finfo(dtype).eps * values.detach().amax()


class _TraceNorm(torch.autograd.Function):
    """The trace norm of a matrix of few rows and 32 bits, by ``W Wᵀ`` in 64 bits.

    That loses nothing which the numbers had, and is many times faster than to decompose them. The
    slope is ``(W Wᵀ)^(-1/2) W``, in the directions that are not 0.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        exact = matrix.to(torch.float64)
        squares = exact @ exact.T
        if not bool(squares.isfinite().all()):
            ctx.save_for_backward(matrix, squares.to(matrix.dtype) * math.nan)
            return matrix.new_tensor(math.nan)
        values, directions = torch.linalg.eigh(squares)
        values = values.clamp(min=0).sqrt()
        zero = values <= _rounding(values, matrix.dtype)
        inverse = values.masked_fill(zero, math.inf).reciprocal()
        root = (directions * inverse) @ directions.T
        ctx.save_for_backward(matrix, root.to(matrix.dtype))
        return values.masked_fill(zero, 0.0).sum().to(matrix.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        matrix, root = ctx.saved_tensors
        if torch.is_grad_enabled():  # the slope is to be differentiated again
            norm = _by_decomposition(matrix)
            return torch.autograd.grad(norm, matrix, gradient, create_graph=True)[0]
        slope: Tensor = gradient * (root @ matrix)
        return slope


class SoftSharing(Sharing):
    r"""One encoder a task, and a penalty on how much some of their parameters differ.

    .. math:: \Omega = \lambda \sum_j \omega(\theta_{1j}, \dots, \theta_{Kj})

    over the tied parameters j. With :math:`\lambda = 0` tasks are trained apart; the squared
    distance with a great :math:`\lambda` comes close to :class:`HardSharing`. What is not tied is
    free: encoders may even have different layers, as long as they have the same width. What is tied
    still belongs to its task: the losses of others reach it through the penalty alone.

    Args:
        encoders: The encoders by task. Copies of one begin without a penalty of distance.
        tied: Names of the parameters to tie, or of modules in the encoders whose parameters are all
            tied: ``["embedding", "lstm"]`` ties all of a :class:`mtl_utils.nn.BiLSTMEncoder`.
        penalty: :math:`\omega`, of the K copies of a parameter ``[K, ...]``:
            :func:`squared_distance`, :func:`trace_norm` or another function to a scalar.
        strength: :math:`\lambda`.

    Attributes:
        tied: Names of all tied parameters.

    Raises:
        ValueError: If a name is not that of a parameter or module in every encoder, tied parameters
            have different shapes or are the same one already, nothing is tied at a ``strength``
            above 0, ``strength`` is negative, or the encoders are refused: none, of different
            widths, or one for two tasks.
        TypeError: If ``encoders`` is not a mapping of encoders, ``tied`` is no sequence of names,
            ``penalty`` no function, or ``strength`` no number.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        tied: Sequence[str],
        penalty: Callable[[Tensor], Tensor] = squared_distance,
        strength: float = 1.0,
    ) -> None:
        super().__init__()
        check_number("strength", strength, least=0)
        if not callable(penalty):
            raise TypeError(
                "penalty must be a function of the copies of a parameter, such as "
                f"squared_distance, got {type(penalty).__name__} {penalty!r:.60}"
            )
        self.encoders = PerTask(encoders, "encoder")
        self.width, self.task_names = self.encoders.width, self.encoders.task_names
        self.penalty, self.strength = penalty, strength
        self.tied = _tied_names(encoders, tied)
        if strength and not self.tied:
            raise ValueError(
                f"tied must name at least one part to tie at a strength of {strength:g}, got "
                f"{tied!r:.60}; give strength=0 for encoders side by side that share nothing"
            )

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the encoder of each task.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task; no features, since there is no shared
            representation; the penalty on the encoders of all tasks, whichever the batch is for.

        Raises:
            KeyError: If there is no such task.
        """
        encoders = {task: self.encoders[task] for task in tasks}
        hidden = {task: encoder(batch.inputs) for task, encoder in encoders.items()}
        return Shared(hidden, None, self.distance())

    def distance(self) -> Tensor:
        r"""Return the penalty :math:`\Omega`, a scalar."""
        parameters = [dict(encoder.named_parameters()) for encoder in self.encoders.values()]
        total = next(self.parameters()).new_zeros(())
        if self.strength == 0:  # not even a gradient of 0, which an optimizer would take for one
            return total
        for name in self.tied:
            total = total + self.penalty(torch.stack([by_name[name] for by_name in parameters]))
        return self.strength * total

    def predict(self, batch: Batch, heads: Mapping[str, Head]) -> dict[str, list[Any]]:
        """Predict without computing the penalty; see :meth:`Sharing.predict`.

        Args:
            batch: The batch; its labels are not looked at.
            heads: The heads by task.

        Returns:
            What each head predicts, one entry a row.

        Raises:
            KeyError: If there is no such task.
        """
        return {
            name: head.predict(self.encoders[name](batch.inputs), batch)
            for name, head in heads.items()
        }

    def causal(self, task: str) -> bool:
        """Tell whether the encoder of a task is causal.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        return self.encoders.causal(task)

    def _uses(self) -> Iterator[Used]:
        for task, encoder in self.encoders.items():
            yield encoder, [task]

    def extra_repr(self) -> str:
        """Say what is tied, how and how strongly."""
        name = getattr(self.penalty, "__name__", repr(self.penalty))
        return f"tied={list(self.tied)}, penalty={name}, strength={self.strength}"


def _tied_names(encoders: Mapping[str, Encoder], tied: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all parameters that are meant, after a look at each."""
    if isinstance(tied, str):
        raise TypeError(
            f"tied must be several names of what to tie, got the string {tied!r}; use [{tied!r}]"
        )
    several = isinstance(tied, Iterable) and not isinstance(tied, Set)  # which has no order
    if not several or not all(isinstance(name, str) for name in tied):
        raise TypeError(
            f"tied must be names of what to tie, strings in a list or tuple, got "
            f"{type(tied).__name__} {tied!r:.60}"
        )
    names: dict[str, None] = {}
    for meant in tied:
        found = {
            task: [
                name
                for name, _ in encoder.named_parameters()
                if name == meant or name.startswith(f"{meant}.")
            ]
            for task, encoder in encoders.items()
        }
        _check_same_names(meant, encoders, found)
        names |= dict.fromkeys(next(iter(found.values())))
    for name in names:
        _check_same_shapes(
            name, {task: encoder.get_parameter(name) for task, encoder in encoders.items()}
        )
    return tuple(names)


def _check_same_names(
    meant: str, encoders: Mapping[str, Encoder], found: Mapping[str, Sequence[str]]
) -> None:
    first, names = next(iter(found.items()))
    for task, others in found.items():
        if not others:
            available = [name for name, _ in encoders[task].named_children()]
            raise ValueError(
                f"The encoder of {task!r} has no parameters named {meant!r}; its parts are "
                f"{available}. Tie only what every encoder has."
            )
        different = sorted(set(names) ^ set(others))
        if different:
            raise ValueError(
                f"{meant!r} has other parameters in the encoder of {task!r} than in that of "
                f"{first!r}: {different} are in one of them only. Name the parameters to tie."
            )


def _check_same_shapes(name: str, parameters: Mapping[str, torch_nn.Parameter]) -> None:
    shapes = {task: list(parameter.shape) for task, parameter in parameters.items()}
    if len(set(map(tuple, shapes.values()))) != 1:
        raise ValueError(
            f"Only parameters of the same shape can be tied; {name!r} has the shapes {shapes}"
        )
    if len(set(map(id, parameters.values()))) != len(parameters):
        raise ValueError(
            f"{name!r} is one and the same parameter in the encoders of two tasks, which share it "
            "already; leave it out of tied"
        )
