"""The multi-task model: a way of sharing below, one head a task above."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_several, check_sizes, shown
from mtl_utils.data.batch import Batch, check_batch
from mtl_utils.data.batching import predict_by_length
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.multitask.parts import (
    changes_with_tasks,
    check_examples,
    checked_parts,
    described,
    grouped,
    loss_of,
    named_scores,
    note_tasks,
    refuse_decoder,
    remove_parts,
    together,
    with_lost,
)
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.rebuilding import Recipe
from mtl_utils.objectives.base import Losses
from mtl_utils.saving import RemembersStarts
from mtl_utils.saving.cards import task_table
from mtl_utils.sharing.base import Sharing
from mtl_utils.tasks.base import Head, Task, check_head
from mtl_utils.tasks.labelled_head import LabelledHead

T = TypeVar("T")


class MultiTaskModel(RemembersStarts):
    r"""Minimises :math:`\sum_k L_k(f_k(f_s(x)), y_k)`.

    Sharing is :math:`f_s`, the heads are :math:`f_k`.

    Args:
        sharing: How the encoder's parameters are shared.
        tasks: The tasks; each makes its own head.

    Raises:
        ValueError: If there is no task, two have the same name, a name is not fit for a module, a
            task that needs causal states would be given others, or a head that needs a decoder's
            states would be given an encoder's or the other way round.
        KeyError: If the way of sharing has parts for each task, and none for one of these.
        TypeError: If ``sharing`` is no way of sharing, something is no task, or a task makes no
            :class:`~mtl_utils.tasks.Head`.
    """

    _used_as = "model.predict(batch)"

    def __init__(self, sharing: Sharing, tasks: Iterable[Task]) -> None:
        super().__init__()
        given = checked_parts(sharing, tasks)
        self.sharing = sharing
        self.tasks: dict[str, Task] = {task.name: task for task in given}
        if not given or len(self.tasks) != len(given):
            raise ValueError(
                "A model needs at least one task, and tasks need different names; got "
                f"{[task.name for task in given]} as tasks"
            )
        for task in given:
            # Asked for every task: a way of sharing that was made for others refuses here.
            causal = sharing.causal(task.name)
            if task.causal and not causal:
                raise ValueError(
                    f"The task {task.name!r} predicts the next token, but the encoder's states "
                    "have seen it already: they read in both directions. Give it a causal "
                    "encoder, for example nn.LSTMEncoder, or name it in SharedDecoder's continued."
                )
        heads = {task.name: task.head(sharing.width) for task in given}
        for name, head in heads.items():
            check_head(head, self.tasks[name])
            refuse_decoder(name, head.reads_decoder, sharing.decodes(name))
        try:
            self.heads = torch_nn.ModuleDict(heads)
        except KeyError as error:  # with a dot, empty, or a word of PyTorch's own such as "type"
            raise ValueError(f"A task needs another name: PyTorch says {error}") from error

    def forward(self, batches: Batch | Mapping[str, Batch]) -> Losses:
        """Compute the losses.

        Args:
            batches: One batch for all tasks that it has labels for, or one batch a task. Tasks
                that are given the same batch object share one pass of the encoder.

        Returns:
            The losses of the tasks at hand.

        Raises:
            KeyError: If a task is unknown, or a batch lacks the labels of its task.
            ValueError: If there is no batch, or one without labels of any task, labels do not fit,
                or a loss is no scalar.
            TypeError: If something is no batch, or a loss is no tensor.
        """
        by_task, counts = {}, {}
        parts: dict[str, Tensor] = {}
        part_counts: dict[str, Tensor] = {}
        penalty: Tensor | None = None
        features: list[Tensor | None] = []
        for batch, names in grouped(batches, self):
            shared = self.sharing(batch, names)
            if penalty is None:
                penalty = shared.penalty
            elif self.sharing.penalty_on_states:
                # Another on parameters would be the same again, and is added once.
                penalty = penalty + shared.penalty
            parts |= shared.penalty_by_task
            part_counts |= shared.penalty_counts
            features.append(shared.features)
            for name in names:
                head = self.head(name)
                by_task[name] = loss_of(head, shared.hidden[name], batch)
                counts[name] = head.count(batch)
        if penalty is None:
            raise ValueError(
                "There is no batch, or a batch without labels of any task, in batches: "
                f"{batches!r:.60}"
            )
        of_all = features[0] if len(features) == 1 else None
        return Losses(by_task, penalty, of_all, counts, parts, part_counts)

    @torch.no_grad()
    def predict(self, batch: Batch, tasks: Sequence[str] | None = None) -> dict[str, list[Any]]:
        """Predict without dropout.

        Args:
            batch: The batch; labels are not looked at and may be absent.
            tasks: Names of the tasks. If ``None``, all that can read the batch: tasks of pairs are
                left out where texts are single.

        Returns:
            What each head predicts, one entry a row.

        Raises:
            KeyError: If a task is unknown.
            ValueError: If a task of pairs is asked for, or there is no other, and texts are single.
            TypeError: If ``batch`` is no batch, or ``tasks`` is a single text.
        """
        check_batch("batch", batch)
        if isinstance(tasks, str):
            raise TypeError(f"tasks must be a list of names, got {tasks!r}; use [{tasks!r}]")
        if tasks is not None:
            check_several("tasks", tasks, "names", sized=False)
        names = list(self.tasks) if tasks is None else list(tasks)
        heads = {name: self.head(name) for name in names}
        if tasks is None:
            readable = {name: head for name, head in heads.items() if head.reads(batch.inputs)}
            heads = readable or heads
        with evaluation_mode(self):
            return self.sharing.predict(batch, heads)

    @torch.no_grad()
    def compare(
        self, examples: Sequence[Example] | Loader, *, max_tokens: int = 4096
    ) -> dict[str, list[tuple[Any, Any] | None]]:
        """Predict what there are labels of, without dropout, beside these labels.

        Args:
            examples: The examples, or a loader, of which every row is read exactly once; of
                :class:`mtl_utils.training.JointBatches` one data set after the other.
            max_tokens: How many tokens, padding included, are read at a time, unless by a loader;
                it does not change the result.

        Returns:
            By task, in the order in which the examples were read: prediction and label, or ``None``
            where an example has no label of the task. A task without any label is absent. Where
            labels were cut off a text (``Example.lost``), the prediction is
            :data:`~mtl_utils.data.MISSING_LABEL`, which metrics count as missed.

        Raises:
            ValueError: If there are no examples, or a loader has another number of batches than it
                says.
            TypeError: If these are neither examples nor a loader.
            NotImplementedError: If there are labels of a task that writes text.
        """
        check_sizes(max_tokens=max_tokens)
        check_examples(examples)
        with evaluation_mode(self):
            if isinstance(examples, Sequence):
                rows = predict_by_length(examples, self._compared, max_tokens)
            else:
                rows = [row for batches in read_once(examples) for row in self._compared(batches)]
        if not rows:
            raise ValueError(f"There are no examples to predict for in {shown(examples)}")
        columns = zip(self.tasks, zip(*rows, strict=True), strict=True)
        return {task: list(column) for task, column in columns if any(column)}

    def _compared(
        self, batches: Batch | Mapping[str, Batch]
    ) -> list[tuple[tuple[Any, Any] | None, ...]]:
        """Return for each row what every task says and should say."""
        if isinstance(batches, Batch):
            known = [task for task in self.tasks if task in batches.labels]
            return self._compared_with(batches, known)
        return [
            row
            for batch, tasks in grouped(batches, self)
            for row in self._compared_with(batch, tasks)
        ]

    def _compared_with(
        self, batch: Batch, tasks: Sequence[str]
    ) -> list[tuple[tuple[Any, Any] | None, ...]]:
        batch = batch.to(self._device)
        hidden = self.sharing(batch, tasks).hidden if tasks else {}
        columns = [
            with_lost(self.head(task).compare(hidden[task], batch), batch.lost.get(task))
            if task in hidden
            else [None] * len(batch)
            for task in self.tasks
        ]
        return list(zip(*columns, strict=True))

    def evaluate(
        self, examples: Sequence[Example] | Loader, *, max_tokens: int = 4096
    ) -> dict[str, float]:
        """Measure each task where there are labels of it, without dropout.

        Args:
            examples: See :meth:`compare`.
            max_tokens: Likewise.

        Returns:
            The metrics of the tasks that have labels, each under the name of its task, such as
            ``tags_f1``: what :class:`mtl_utils.training.Trainer` expects of its ``evaluate``.

        Raises:
            ValueError: If there are no examples, none has a label, or metrics of two tasks have
                the same name.
            TypeError: As :meth:`compare`.
            NotImplementedError: As :meth:`compare`.
        """
        measured: dict[str, float] = {}
        for task, rows in self.compare(examples, max_tokens=max_tokens).items():
            predictions, references = zip(*(row for row in rows if row is not None), strict=True)
            scores = self.tasks[task].metrics(predictions, references)
            measured = together(measured, named_scores(task, scores))
        if not measured:
            raise ValueError(
                f"No example has a label of {list(self.tasks)}; there is nothing to measure"
            )
        return measured

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Put weights into the model, unless they are of other labels.

        Args:
            state_dict: See :meth:`torch.nn.Module.load_state_dict`.
            strict: Likewise.
            assign: Likewise.

        Raises:
            ValueError: If they belong to labels of other names or in another order; the model is
                left as it was. See :class:`~mtl_utils.tasks.LabelledHead`.
            RuntimeError: If names or shapes of weights do not fit.
        """
        for name, head in self.heads.items():
            if isinstance(head, LabelledHead):
                head.check_state(state_dict, f"heads.{name}.")
        return super().load_state_dict(state_dict, strict, assign)

    def head(self, task: str) -> Head:
        """Return the head of a task.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        if not isinstance(task, str) or task not in self.tasks:
            raise KeyError(f"No task named {task!r}; the model has {list(self.tasks)}")
        head = self.heads[task]
        assert isinstance(head, Head)
        return head

    def add_task(self, task: Task, part: Any = None) -> None:
        """Give the model one more task, with a new head; what it has learnt stays to the last bit.

        Args:
            task: The task.
            part: Where the way of sharing was given something for each task, what this one is to
                have: an encoder, layers of one, a depth; see :class:`mtl_utils.sharing.Sharing`.

        Raises:
            ValueError: If there is a task of that name, or as when a model is made; or if what is
                shared would change, or a part is not used.
            KeyError: If the way of sharing needs a part for each task, and none was given.
            TypeError: If it is no task, or makes no head.
        """
        checked_parts(self.sharing, [task])
        if task.name in self.tasks:
            raise ValueError(
                f"The model has a task {task.name!r} already; remove_task({task.name!r}) takes it "
                f"away. Got {shown(task)}"
            )
        grows = changes_with_tasks(self, task.name)
        if grows or part is not None:
            self.sharing.add_task(task.name, part)
        try:
            head = MultiTaskModel(self.sharing, [task]).head(task.name)
        except BaseException:
            if grows:
                self.sharing.remove_task(task.name)
            raise
        parameter = next(self.parameters())
        self.heads[task.name] = head.to(parameter.device, parameter.dtype).train(self.training)
        self.tasks[task.name] = task
        note_tasks(self)

    def remove_task(self, name: str) -> None:
        """Take a task from the model: its head, its labels, and what it alone has of the sharing.

        What the shared encoder learnt from it stays, and so do its words in the tokenizer. Where a
        way of sharing mixes tasks, as a cross-stitch network does, what it has for this one stays
        too, and a warning says so.

        Args:
            name: Name of the task.

        Raises:
            KeyError: If there is no such task.
            ValueError: If it is the only one.
        """
        self.head(name)
        if len(self.tasks) == 1:
            raise ValueError(f"{name!r} is the only task of the model, which needs one")
        remove_parts(self, name)
        del self.tasks[name], self.heads[name]
        note_tasks(self)

    def shared_parameters(self) -> list[torch_nn.Parameter]:
        """Return the parameters that more than one task may move."""
        return self.sharing.shared_parameters()

    def task_parameters(self, task: str) -> list[torch_nn.Parameter]:
        """Return the parameters that one task alone moves, its head included.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        return [*self.sharing.task_parameters(task), *self.head(task).parameters()]

    def _recipe_now(self) -> Recipe:
        recipe = self.recipe
        given = dict(recipe.arguments)
        if "sharing" in given:
            given["sharing"] = self.sharing
            if "tasks" in given:  # then it is made with the tasks that it has by now
                given["tasks"] = list(self.tasks.values())
                return Recipe(recipe.maker, given)
        return replace(recipe, arguments=given)

    @classmethod
    def _made(cls, settings: dict[str, Any], changes: dict[str, Any]) -> Self:
        made = super()._made(settings, {k: v for k, v in changes.items() if k != "tasks"})
        if "tasks" in changes:
            other = MultiTaskModel(made.sharing, changes["tasks"])
            made.tasks, made.heads = other.tasks, other.heads
            note_tasks(made)
        return made

    def _facts(self, data: Mapping[str, str]) -> list[str]:
        return [*described(self), "", *task_table(self.tasks, data)]

    @property
    def _asked(self) -> dict[str, Task]:
        return self.tasks

    def _predicted(
        self, examples: list[Example], predict: Callable[[Batch], list[T]], max_tokens: int
    ) -> list[T]:
        """Predict for examples with a function of a batch, without dropout."""
        check_sizes(max_tokens=max_tokens)
        with torch.no_grad(), evaluation_mode(self):
            return predict_by_length(
                examples, lambda batch: predict(batch.to(self._device)), max_tokens
            )

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device
