"""Learning without forgetting: old heads go on saying of new texts what they said before."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_number
from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import grouped
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.objectives.base import Losses
from mtl_utils.objectives.distillation import softened_rows
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Head
from mtl_utils.tasks.soft_heads import check_soft, counted_outputs, is_soft


def softened_divergence(
    logits: Tensor, targets: Tensor, temperature: float = 2.0, counted: Tensor | None = None
) -> Tensor:
    r"""Return how far softened predictions are from those of a teacher (Hinton et al., 2015).

    .. math:: \frac{1}{N} \sum_n \sum_c q_{nc} \log \frac{q_{nc}}{p_{nc}},
        \qquad p = \operatorname{softmax}(z / T), \quad q = \operatorname{softmax}(z^* / T)

    It differs from the cross-entropy of Li and Hoiem (2018) by the entropy of the targets, which
    does not depend on what is trained, and is 0 where both say the same. No factor :math:`T^2`
    stands before it, as there; :func:`mtl_utils.objectives.distillation_loss` has it.

    Args:
        logits: :math:`z`, ``[..., C]``.
        targets: :math:`z^*`, those of the teacher, of the same shape.
        temperature: T.
        counted: ``[...]``, True at what counts; all if ``None``.

    Returns:
        A scalar in nats; 0 where nothing counts.

    Raises:
        ValueError: If shapes differ, or the temperature is not above 0.
        TypeError: If something is not of its kind.
    """
    apart = softened_rows(logits, targets, temperature)
    if counted is None:
        return apart.mean() if apart.numel() else apart.sum()
    return apart.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)


@dataclass(frozen=True)
class Distilled:
    r"""Keeps old heads where they were on the texts of a new task (Li & Hoiem, 2018).

    It needs no old rows: what the model said of the *new* texts before it learnt from them are the
    labels. To the losses of a step it adds :func:`softened_divergence` of each old task that has no
    label in the batch, times a strength. How well that holds an old task depends on how much the
    new texts are like its own.

    Args:
        teacher: The model as it was; :func:`taught_by` copies one.
        temperature: T.
        strength: What the divergences are multiplied by.

    Raises:
        ValueError: If the temperature is not above 0, or the strength negative.
        TypeError: If something is not of its kind, or no task of the teacher has a softmax.
    """

    teacher: MultiTaskModel
    temperature: float = 2.0
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_kind("teacher", self.teacher, MultiTaskModel, "a MultiTaskModel")
        check_number("temperature", self.temperature, above=0)
        check_number("strength", self.strength, least=0)
        heads = [self.teacher.head(task) for task in self.teacher.tasks]
        if not any(map(is_soft, heads)):
            check_soft(heads[0], "teacher", type(self.teacher).__name__)

    def __call__(
        self, model: MultiTaskModel, batches: Batch | Mapping[str, Batch], losses: Losses
    ) -> Tensor:
        """Return the divergences; see :class:`Term`.

        Args:
            model: The model that is trained; it has the tasks of the teacher.
            batches: What to compare it with its teacher on.
            losses: Their ``features`` are used where all tasks read the same states.

        Raises:
            KeyError: If the model lacks a task of the teacher.
        """
        total = losses.penalty.new_zeros(())
        groups = grouped(batches, model)
        for batch, known in groups:
            old = [task for task in self._tasks(model) if task not in known]
            old = [task for task in old if model.head(task).reads(batch.inputs)]
            if not old:
                continue
            with torch.no_grad(), evaluation_mode(self.teacher):
                taught = self.teacher.sharing(batch, old).hidden
                targets = {task: self.teacher.head(task)(taught[task], batch) for task in old}
            one = len(groups) == 1 and isinstance(model.sharing, HardSharing)
            hidden = (
                dict.fromkeys(old, losses.features)
                if one and losses.features is not None
                else model.sharing(batch, old).hidden
            )
            for task in old:
                head: Head = model.head(task)
                states = hidden[task]
                assert states is not None
                total = total + softened_divergence(
                    head(states, batch),
                    targets[task],
                    self.temperature,
                    counted_outputs(head, batch),
                )
        return self.strength * total

    def _tasks(self, model: MultiTaskModel) -> list[str]:
        return [task for task in self.teacher.tasks if is_soft(model.head(task))]


def taught_by(
    model: MultiTaskModel, *, temperature: float = 2.0, strength: float = 1.0
) -> Distilled:
    """Have a model as it is now teach what it becomes.

    Args:
        model: Copied and frozen; add the new task afterwards, or before and it has no say.
        temperature: See :class:`Distilled`.
        strength: See :class:`Distilled`.

    Raises:
        ValueError: As :class:`Distilled`.
        TypeError: As :class:`Distilled`.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    teacher = copy.deepcopy(model).eval()
    teacher._forward_hooks.clear()
    teacher.requires_grad_(False)
    return Distilled(teacher, temperature, strength)
