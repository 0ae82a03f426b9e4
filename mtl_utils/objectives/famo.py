"""FAMO: weights by which all losses fall at one rate, from losses alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_number
from mtl_utils.objectives.base import Losses, check_step
from mtl_utils.objectives.loss_vectors import check_losses, check_same, counted, stacked
from mtl_utils.objectives.task_scalarization import TaskScalarization

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


def famo_weights(losses: Tensor, logits: Tensor) -> Tensor:
    r"""Return :math:`w_k \propto z_k / L_k` for :math:`z = \operatorname{softmax}(\xi)`.

    Liu et al. (2023). They sum to the number of losses here, to 1 in the paper. With equal logits
    the gradient is the direction of the sum of logarithms. A loss of exactly 0 would take the whole
    sum: it has the weight 0.

    Args:
        losses: ``[K]``, none below 0.
        logits: :math:`\xi` as ``[K]``.

    Returns:
        ``[K]``, without a gradient; zeros where all losses are 0.

    Raises:
        ValueError: If shapes do not fit, or a loss is negative.
        TypeError: If something is no tensor of floating-point numbers.
    """
    check_losses(losses, positive=True)
    check_same("logits", logits, losses)
    kept = counted(losses)
    if not bool(kept.any()):
        return torch.zeros_like(losses.detach())
    # By logarithms: a quotient may overflow where its share of the sum is a plain number.
    scores = logits.detach().to(losses.dtype) - torch.log(losses.detach())
    scores = scores.masked_fill(~kept, -torch.inf)
    return len(losses) * torch.softmax(scores, dim=0)


def famo_slopes(before: Tensor, after: Tensor, logits: Tensor) -> Tensor:
    r"""Return what the logits are to descend along, from what a step did to the losses.

    It is :math:`J^\top \delta` with :math:`\delta_k = \log L_k(t) - \log L_k(t+1)` and J the
    Jacobian of the softmax: the task whose loss fell by the least part gets a greater weight.

    Args:
        before: Losses before the step ``[K]``, all above 0.
        after: Losses of the same rows after it ``[K]``, all above 0.
        logits: :math:`\xi` as ``[K]``.

    Returns:
        ``[K]``, with sum 0.

    Raises:
        ValueError: If shapes do not fit, or a loss is negative.
        TypeError: If something is no tensor of floating-point numbers.
    """
    check_losses(before, positive=True, name="before")
    check_same("after", after, before)
    check_losses(after, positive=True, name="after")
    check_same("logits", logits, before)
    fallen = torch.log(before) - torch.log(after)
    shares = torch.softmax(logits.to(before.dtype), dim=0)
    return shares * (fallen - (shares * fallen).sum())


class FAMO(TaskScalarization):
    r"""Fast adaptive multitask optimization (Liu et al., 2023); :func:`famo_weights`.

    The logits :math:`\xi` start at 0. Their slopes (:func:`famo_slopes`) are known only after a
    step, when the next one has not begun: so they are no parameters of the trainer's, but FAMO's
    own, moved by Adam as in the authors' code, and kept with it: a resumed run goes on to the bit.
    For this the trainer reads each batch once more after its step, without gradients and with the
    same dropout. In a loop of one's own, call :meth:`after_step` with ``model(batch)`` after each
    step; without it the weights stay those of equal logits.

    Tasks at hand share out the weights among themselves; the logits of others stay as they are. A
    loss of exactly 0 before or after a step counts as an absent task. A loss near 0 is heard above
    all others, as the formula says.

    Args:
        tasks: Names of the model's tasks.
        learning_rate: Step size of the logits, the same at all steps.
        decay: :math:`\gamma`: how strongly the logits are pulled back to 0.

    Raises:
        ValueError: If ``tasks`` is empty, a name occurs twice or has a dot, or a number is outside
            its range.
        TypeError: If something is not of its kind.
    """

    looks_again = True
    needs_positive = True
    by_place = ("logits", "moments", "steps", "before")
    logits: Tensor
    moments: Tensor
    steps: Tensor
    before: Tensor

    def __init__(
        self, tasks: Sequence[str], *, learning_rate: float = 0.025, decay: float = 1e-3
    ) -> None:
        super().__init__(tasks)
        check_number("learning_rate", learning_rate, above=0)
        check_number("decay", decay, least=0)
        self.learning_rate: float = float(learning_rate)
        self.decay = float(decay)
        self.register_buffer("logits", torch.zeros(len(tasks)))
        self.register_buffer("moments", torch.zeros(2, len(tasks)))
        self.register_buffer("steps", torch.zeros(len(tasks)))
        self.register_buffer("before", self._unknown())

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return the weighted sum.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        places = self._places(tasks)
        self.before = self._unknown().to(losses)
        self.before[places] = losses.detach()
        return (famo_weights(losses, self.logits[places]) * losses).sum()

    @torch.no_grad()
    def after_step(self, losses: Losses) -> None:
        """Move the logits by what the step did to the losses.

        Args:
            losses: Those of the same rows, after the step.

        Raises:
            KeyError: If a task is unknown.
            ValueError: If a loss is negative.
            TypeError: If ``losses`` are none of a model.
        """
        check_step(losses)
        tasks = list(losses.by_task)
        self._check_known(tasks)
        if not tasks:
            return
        after = stacked(losses)
        self._check_positive(tasks, after.tolist())
        places = self._places(tasks)
        pair = torch.stack([self.before[places].to(after), after])
        self.before = self._unknown().to(self.logits)
        # What is not finite here was not there before the step, or is the next step's to judge.
        kept = (counted(pair) & pair.isfinite()).all(dim=0)
        places = [place for place, keep in zip(places, kept.tolist(), strict=True) if keep]
        if not places:
            return
        before, now = pair[:, kept].unbind()
        slopes = famo_slopes(before, now, self.logits[places]).to(self.logits.dtype)
        self._move(places, slopes + self.decay * self.logits[places])

    def _unknown(self) -> Tensor:
        return torch.zeros(len(self.tasks))  # a loss of 0 counts as an absent one

    def _move(self, places: list[int], slopes: Tensor) -> None:
        """Take one step of Adam for some of the tasks."""
        self.steps[places] += 1
        for moment, beta, value in zip(self.moments, _BETAS, (slopes, slopes**2), strict=True):
            moment[places] = beta * moment[places] + (1 - beta) * value
        mean, square = (
            moment[places] / (1 - beta ** self.steps[places])
            for moment, beta in zip(self.moments, _BETAS, strict=True)
        )
        self.logits[places] -= self.learning_rate * mean / (square.sqrt() + _EPSILON)
