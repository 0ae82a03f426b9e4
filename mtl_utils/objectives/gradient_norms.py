"""GradNorm: weights that make gradients as long as tasks are behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_callable, check_number, shown
from mtl_utils.objectives.across import number_of_processes
from mtl_utils.objectives.base import Losses, check_step, trained_in_common
from mtl_utils.objectives.loss_vectors import check_losses, check_same, note_first, stacked
from mtl_utils.objectives.task_scalarization import TaskNumbers, TaskScalarization, check_rate

#: The least weight before all are scaled: with one below 0 a task would unlearn.
LEAST = 1e-3


def gradnorm_slopes(
    norms: Tensor, weights: Tensor, ratios: Tensor, asymmetry: float = 1.5
) -> Tensor:
    r"""Return the slopes of the loss of GradNorm by the weights (Chen et al., 2018).

    It is :math:`\sum_k |w_k n_k - \bar G r_k^\alpha|`, where :math:`n_k = \lVert\nabla L_k\rVert`,
    :math:`\bar G` is the mean of :math:`w_k n_k`, :math:`r_k` is what is left of a loss over the
    mean of that over tasks, and all but the first :math:`w_k` is held constant. So the slope is
    :math:`\pm n_k`: a weight falls where the gradient is longer than its due.

    Args:
        norms: :math:`n_k` as ``[K]``: lengths of the gradients on shared parameters, without
            weights.
        weights: :math:`w_k` as ``[K]``.
        ratios: What is left of each loss, :math:`L_k(t) / L_k(0)`, ``[K]``.
        asymmetry: :math:`\alpha`: how much longer gradients of tasks that are behind are to be;
            with 0 all are to be equally long.

    Returns:
        ``[K]``.

    Raises:
        ValueError: If shapes do not fit, there are negative ratios, or ``asymmetry`` is below 0.
        TypeError: If something is no tensor of floating-point numbers.
    """
    check_losses(ratios, positive=True, name="ratios")
    check_same("norms", norms, ratios)
    check_same("weights", weights, ratios)
    check_number("asymmetry", asymmetry, least=0)
    lengths = weights * norms
    mean = ratios.mean()
    relative = torch.where(mean == 0, 1.0, ratios / mean)  # all losses are 0
    due = lengths.mean() * relative**asymmetry
    return torch.sign(lengths - due) * norms


class GradNorm(TaskScalarization):
    r"""Weights that balance the lengths of gradients (Chen et al., 2018); :func:`gradnorm_slopes`.

    The weights :math:`w_k` are parameters that start at 1. Before each update they are scaled to
    sum to K, as in the paper, those below 0.001 raised to it. For each task at hand a step takes
    one more backward pass as far as the shared parameters that are looked at. A task that a batch
    has no labels of is left out of all means, and its weight changes by that scaling alone. With
    one task at hand weights stay as they are. What is left of a loss is measured from the first
    that was not 0.

    In several processes gradients are averaged before their lengths are taken, so that these are
    those of the whole batch. In half precision as ``"fp16"`` short gradients may vanish, and their
    lengths with them: prefer ``"bf16"``.

    Args:
        tasks: Names of the model's tasks.
        asymmetry: :math:`\alpha`: how much longer gradients of tasks that are behind are to be.
        learning_rate: Step size of the weights, scaled by the schedule; the trainer's if ``None``.
        parameters: From a model to the shared parameters whose gradients are measured; all that
            are trained of ``model.shared_parameters()`` if ``None``. The paper takes the last
            shared layer alone, which is cheaper.

    Attributes:
        raw: :math:`w_k` before they are scaled, one parameter a task.

    Raises:
        ValueError: If ``tasks`` is empty, a name occurs twice or has a dot, or a number is outside
            its range.
        TypeError: If something is not of its kind.
    """

    needs_positive = True
    by_place = ("first",)
    first: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        asymmetry: float = 1.5,
        learning_rate: float | None = 0.025,
        parameters: Callable[[torch_nn.Module], Iterable[torch_nn.Parameter]] | None = None,
    ) -> None:
        super().__init__(tasks)
        check_number("asymmetry", asymmetry, least=0)
        check_rate(learning_rate)
        if parameters is not None:
            check_callable("parameters", parameters, "a function of the model")
        self.asymmetry = float(asymmetry)
        self.learning_rate = learning_rate
        self.measured = parameters
        self.raw = TaskNumbers(tasks, 1.0)
        self.register_buffer("first", torch.full((len(tasks),), torch.nan))

    def backward(
        self,
        losses: Losses,
        model: torch_nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> dict[str, float]:
        """Back-propagate the weighted sum, and to the weights their slopes.

        Args:
            losses: The losses of one batch.
            model: The model that they come from.
            backward: How to back-propagate a scalar.

        Returns:
            By task, its weight.

        Raises:
            KeyError: If the model's tasks are not those that the balancer was made for.
            ValueError: If a loss is negative.
            TypeError: If losses are none of a model, the model does not say what is shared, or
                ``parameters`` returned something else than parameters.
        """
        check_step(losses)
        tasks = list(losses.by_task)
        self._check_model(tasks, model)
        if not tasks:
            backward(losses.penalty)
            return {}
        values = stacked(losses)
        self._check_positive(tasks, values.tolist())
        places = self._places(tasks)
        note_first(self.first, places, values)
        self.raw.put(self.tasks, self._scaled())
        own = self.raw.of(tasks)
        weights = own.detach().to(values.dtype)
        first = self.first[places].nan_to_num(nan=1.0).to(values.dtype)
        norms = _norms(losses.by_task.values(), self._looked_at(model)).to(values)
        slopes = gradnorm_slopes(norms, weights, values.detach() / first, self.asymmetry)
        # The second sum is there for its slopes alone.
        backward((weights * values).sum() + losses.penalty + (own * slopes).sum())
        return dict(zip(tasks, weights.tolist(), strict=True))

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return the weights of the next update.

        Args:
            tasks: Names of the tasks.

        Raises:
            KeyError: If a task is unknown.
        """
        tasks = list(tasks)
        self._check_known(tasks)
        return dict(zip(tasks, self._scaled()[self._places(tasks)].tolist(), strict=True))

    def _scaled(self) -> Tensor:
        """Return all weights ``[K]``, with sum K."""
        found = self.raw.of(self.tasks).detach().clamp(min=LEAST)
        return len(found) * found / found.sum()

    def _looked_at(self, model: torch_nn.Module) -> list[torch_nn.Parameter]:
        if self.measured is None:
            return trained_in_common(model)
        given: Any = self.measured(model)
        # A tensor can be gone through too: row by row, none of which the loss depends on.
        several = isinstance(given, Iterable) and not isinstance(given, Tensor)
        found = list(given) if several else [given]
        if not several or not all(isinstance(each, torch_nn.Parameter) for each in found):
            raise TypeError(
                "parameters must be a function from a model to a list of its parameters, such as "
                "lambda model: list(model.sharing.encoder.parameters()), got one that returns "
                f"{shown(given)}"
            )
        return [parameter for parameter in found if parameter.requires_grad]


def _norms(losses: Iterable[Tensor], parameters: Sequence[torch_nn.Parameter]) -> Tensor:
    """Return the length of the gradient of each loss ``[K]``; of several processes, of their mean.

    Losses of several processes come scaled so that the mean of their gradients is that of the whole
    batch.
    """
    return torch.stack([_norm(_gradients(loss, parameters), loss) for loss in losses])


def _gradients(loss: Tensor, parameters: Sequence[torch_nn.Parameter]) -> list[Tensor]:
    if not (parameters and loss.requires_grad):
        return [torch.zeros_like(parameter) for parameter in parameters]
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(parameters, found, strict=True)
    return [torch.zeros_like(p) if gradient is None else gradient for p, gradient in pairs]


def _norm(parts: Sequence[Tensor], loss: Tensor) -> Tensor:
    if not parts:
        return torch.zeros_like(loss.detach())
    whole = torch.cat([part.flatten() for part in parts])
    number = number_of_processes()
    if number > 1:
        torch.distributed.all_reduce(whole)
        whole /= number
    return torch.linalg.vector_norm(whole)
