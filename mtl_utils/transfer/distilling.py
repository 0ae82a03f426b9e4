"""Several teachers, each of one task or more, and one student that learns all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_names, check_number, check_sizes, shown
from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.objectives.base import Losses
from mtl_utils.objectives.distillation import annealed_share, distillation_loss
from mtl_utils.tasks import Head
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.tasks.soft_heads import check_soft, counted_outputs

#: Under this name a student counts, while it is taught, how many passes it has had.
STEPS = "taught_steps"


@contextmanager
def taught(
    student: MultiTaskModel,
    teachers: Mapping[str, MultiTaskModel],
    *,
    temperature: float = 1.0,
    label_share: float | tuple[float, float] = 0.5,
    num_steps: int | None = None,
) -> Iterator[None]:
    r"""Have a model learn from others wherever it is trained meanwhile (Clark et al., 2019).

    ``with taught(student, {"topic": one, "names": other}): student.fit(...)``. The loss of a task
    with a teacher becomes

    .. math:: \lambda\, L_{\text{labels}} + (1 - \lambda)\, L_{\text{teacher}}

    with :func:`mtl_utils.objectives.distillation_loss` on the task's scale. That is over all texts
    of a batch that has a label of the task, or the words of these, whether they have one or not. A
    batch without any is not trained on, as always: give such texts what the teacher says
    (:func:`pseudo_labelled` with a confidence of 0). Where parts of a batch are weighed by their
    labels, in accumulation and in several processes, they are so here too. Any balancer may be
    used; where the student is measured, and so in evaluation mode, its losses are those of the
    labels.

    With ``label_share=(0, 1)`` and a number of steps the share rises evenly from teachers to
    labels (*teacher annealing*). How many passes there have been is part of the student's state,
    so that a checkpoint goes on where it was. One context is for one training.

    Args:
        student: The model that is trained.
        teachers: By task the model that knows it. They read the same ids: their tokenizer is the
            student's. The same model may teach several tasks.
        temperature: T.
        label_share: :math:`\lambda`, or its first and last value.
        num_steps: Over how many passes of the student in training mode, one a batch, the share
            moves from its first to its last value.

    Raises:
        KeyError: If student or teacher has no such task.
        TypeError: If something is not of its kind, or a head of the task has no softmax: a CRF has
            none for a word by itself.
        ValueError: If there is no teacher, one has other labels or another tokenizer than the
            student, a number is outside its range, or ``num_steps`` is missing or not used.
    """
    check_kind("student", student, MultiTaskModel, "a MultiTaskModel")
    shares = _shares(label_share, num_steps)
    check_number("temperature", temperature, above=0)
    check_names("teachers", teachers, "models by task")
    if not teachers:
        raise ValueError(f"teachers must name a model for one task at least, got {teachers!r}")
    for task, teacher in teachers.items():
        _check_teacher(student, task, teacher)
    teaching = _Teaching(dict(teachers), float(temperature), shares, num_steps)
    first = next(student.parameters())
    student.register_buffer(STEPS, torch.zeros((), dtype=torch.int64, device=first.device))
    hooks = [student.register_forward_hook(teaching)]
    hooks += [
        student.head(task).register_forward_hook(_Keeping(task, teaching.said)) for task in teachers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        del student._buffers[STEPS]


@dataclass(frozen=True)
class _Keeping:
    """Keeps what a head says, in the role of a hook."""

    task: str
    said: dict[str, tuple[Batch, Tensor]] = field(repr=False)

    def __call__(self, head: Any, given: tuple[Any, ...], outputs: Tensor) -> None:
        if head.training:
            self.said[self.task] = (given[1], outputs)


@dataclass(frozen=True)
class _Teaching:
    """Mixes the losses of labels and teachers, in the role of a hook."""

    teachers: dict[str, MultiTaskModel]
    temperature: float
    shares: tuple[float, float]
    num_steps: int | None
    said: dict[str, tuple[Batch, Tensor]] = field(default_factory=dict, repr=False)

    def __call__(self, student: Any, given: tuple[Any, ...], losses: Losses) -> Losses | None:
        said = dict(self.said)
        self.said.clear()
        if not student.training:
            return None
        count = getattr(student, STEPS)
        share = annealed_share(int(count), self.num_steps or 1, *self.shares)
        count += 1
        if share == 1.0:
            return None
        by_task = dict(losses.by_task)
        for task in [task for task in by_task if task in said]:
            soft = self._loss(student.head(task), task, *said[task])
            by_task[task] = share * by_task[task] + (1 - share) * soft
        return replace(losses, by_task=by_task)

    def _loss(self, head: Head, task: str, batch: Batch, outputs: Tensor) -> Tensor:
        teacher = self.teachers[task].to(outputs.device)
        with torch.no_grad(), evaluation_mode(teacher):
            hidden = teacher.sharing(batch, [task]).hidden[task]
            targets = teacher.head(task)(hidden, batch).to(outputs.dtype)
        counted = counted_outputs(head, batch)
        return distillation_loss(outputs, targets, self.temperature, counted, head.scale)


def _shares(given: Any, num_steps: int | None) -> tuple[float, float]:
    annealed = isinstance(given, tuple)
    if annealed and len(given) != 2:
        raise ValueError(f"label_share must be a number or its first and last value, got {given!r}")
    for share in given if annealed else (given,):
        check_number("label_share", share, least=0, most=1)
    if num_steps is not None:
        check_sizes(num_steps=num_steps)
    if annealed != (num_steps is not None):
        raise ValueError(
            "num_steps is over how many steps label_share moves from its first to its last value: "
            f"give both or one number, got label_share={given!r} and num_steps={num_steps!r}"
        )
    return (float(given[0]), float(given[1])) if annealed else (float(given), float(given))


def _check_teacher(student: MultiTaskModel, task: str, teacher: Any) -> None:
    check_kind(f"teachers[{task!r}]", teacher, MultiTaskModel, "a MultiTaskModel")
    heads = []
    for name, model in (("student", student), ("teachers", teacher)):
        head = model.head(task)
        check_soft(head, name, type(model).__name__)
        assert isinstance(head, LabelledHead)
        heads.append(head)
    if heads[0].labels != heads[1].labels:
        raise ValueError(
            f"teachers[{task!r}] has the labels {heads[1].labels!r:.80}, the student "
            f"{heads[0].labels!r:.80}: expected the same in the same order"
        )
    tokenizers = [getattr(model, "tokenizer", None) for model in (student, teacher)]
    if None not in tokenizers and tokenizers[0] != tokenizers[1]:
        raise ValueError(
            f"teachers[{task!r}] reads texts with another tokenizer than the student, so that the "
            f"ids of one say something else to the other: {shown(tokenizers[1])}"
        )
