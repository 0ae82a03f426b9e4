"""AdaTask: an Adam for each task over what tasks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_betas, check_number
from mtl_utils.objectives.base import Balancer, Losses, check_step
from mtl_utils.objectives.gradients.adam_states import AdamStates
from mtl_utils.objectives.gradients.backpropagation import CombinedBackward, Gradients
from mtl_utils.objectives.weighting import FixedWeights

#: A shared parameter, its name, its gradient by task, and that of the penalty.
_Part = tuple[torch_nn.Parameter, str, dict[str, Tensor], Tensor | None]


class AdaTask(Balancer):
    r"""Steps of shared parameters that each task makes with an Adam of its own (Yang et al., 2023).

    With the gradient :math:`g_k` of :math:`\lambda_k L_k` on shared parameters, and running means
    :math:`m_k` of it and :math:`v_k` of its square, corrected as Adam does for their first steps,

    .. math:: \theta \leftarrow (1 - \eta \omega) \theta
        - \eta \sum_k \frac{\hat m_k}{\sqrt{\hat v_k} + \epsilon}

    with rate :math:`\eta` and weight decay :math:`\omega` as the trainer has them. What one task
    alone moves is left to the trainer's optimizer. With one task it is AdamW. A constant factor of
    a loss is divided out of the step, up to :math:`\epsilon`: so weights hardly matter here, but
    for clipping and beside a penalty. As every task takes a whole step, K that agree move K times
    as far as one Adam would: a smaller rate may be needed than for a sum of losses.

    A task that is not in a step, or whose gradient is zero, as that of a loss of 0 is, makes none:
    its means and its count of steps stay, as if it were trained alone on the steps that it is in.
    The paper has all tasks in each step, and does not say. Were means to decay instead, a task
    would go on moving what is shared without a row, and further the rarer it is.

    The penalty belongs to no task: on each parameter its gradient is divided evenly among the tasks
    whose gradients reach it. Where none does, the parameter stays. Clipping is that of plain
    training: the norm of the sum of all gradients is bounded, and those of tasks are shortened by
    the same factor before the means see them. Steps themselves are not clipped.

    The trainer calls :meth:`before_step` between its clipping and its optimizer. In a loop of one's
    own, call it after :meth:`backward`, and move shared parameters by ``torch.optim.SGD``. What is
    remembered goes by names of tasks and parameters, belongs to ``state_dict``, and takes twice the
    memory of shared parameters for each task. Tasks and parameters may come later: their means
    begin when they do. Make a new one for each model.

    Args:
        betas: How much of :math:`m_k` and :math:`v_k` is kept at a step, in [0, 1).
        eps: :math:`\epsilon`, above 0.
        weights: :math:`\lambda_k` by task; ``None`` for 1.

    Raises:
        ValueError: If a number is outside its range, or there is no weight.
        TypeError: If something is not of its kind.
    """

    leaves_steps = True
    remembered = frozenset({"_states", "_parts"})

    def __init__(
        self,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        check_betas("betas", betas)
        check_number("eps", eps, above=0)
        self.betas = (float(betas[0]), float(betas[1]))
        self.eps = float(eps)
        self.weights = None if weights is None else FixedWeights(weights).weights
        self._states = AdamStates()
        self._parts: list[_Part] | None = None

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return the weights of tasks.

        Args:
            tasks: Names of the tasks.

        Raises:
            KeyError: If there are weights, and none of a task.
        """
        if self.weights is None:
            return super().loss_weights(tasks)
        return FixedWeights(self.weights).loss_weights(tasks)

    def backward(
        self,
        losses: Losses,
        model: torch_nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        """Add the gradient of the weighted sum, and keep what each task has of it.

        Args:
            losses: The losses of one batch.
            model: The model that they come from; it has ``shared_parameters()``.
            backward: How to back-propagate a scalar.

        Raises:
            KeyError: If there are weights, and none of a task.
            TypeError: If ``losses`` are none of a model, or the model does not say what is shared.
        """
        check_step(losses)
        weighted = losses.reweighted(self.loss_weights(losses.by_task))
        passes = CombinedBackward(model, backward)
        by_task, penalty = passes.apart(weighted)
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._parts = [
            (p, names.get(id(p), f"shared parameter {place}"), _at(by_task, place), penalty[place])
            for place, p in enumerate(passes.shared)
        ]

    @torch.no_grad()
    def before_step(self, clipped: float = 1.0) -> None:
        r"""Replace the gradient of each shared parameter by :math:`\sum_k \hat m_k / (...)`.

        A parameter that no task reaches has none afterwards.

        Args:
            clipped: What the gradients of :meth:`backward` were multiplied by since, as by
                clipping.

        Raises:
            RuntimeError: If there was no :meth:`backward` since the last step.
            ValueError: If ``clipped`` is outside [0, 1], or what is remembered is of a parameter of
                another shape.
            TypeError: If ``clipped`` is no number.
        """
        check_number("clipped", clipped, least=0, most=1)
        if self._parts is None:
            raise RuntimeError(
                "AdaTask has no gradients to make a step of: call backward(losses, model) before "
                "each before_step()"
            )
        parts, self._parts = self._parts, None
        directions: dict[str, Tensor] = {}
        gradients: dict[str, dict[str, Tensor]] = {}
        for parameter, name, by_task, penalty in parts:
            parameter.grad = None
            if by_task:
                parameter.grad = directions[name] = torch.zeros_like(parameter)
            for task, gradient in by_task.items():
                if penalty is not None:
                    gradient = gradient + penalty / len(by_task)
                gradients.setdefault(task, {})[name] = (
                    gradient if clipped == 1 else gradient * clipped
                )
        for task, found in gradients.items():
            self._states.add_step(task, found, directions, self.betas, self.eps)

    def get_extra_state(self) -> dict[str, Any]:
        """Return what ``state_dict`` holds besides tensors: the means and counts of each task."""
        return {"states": self._states.kept()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take means and counts from a ``state_dict``.

        Args:
            state: What :meth:`get_extra_state` returned.
        """
        self._states.restore(state["states"])


def _at(by_task: Mapping[str, Gradients], place: int) -> dict[str, Tensor]:
    rows = {task: gradients[place] for task, gradients in by_task.items()}
    return {task: gradient for task, gradient in rows.items() if gradient is not None}
