"""The trainings of a diagnosis: copies of a model, each with one thing changed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader
from mtl_utils.diagnosis.agreement import row_agreement
from mtl_utils.diagnosis.rows import DiagnosedRows, Losses, Sets, block_losses
from mtl_utils.diagnosis.tempered import tempered_losses
from mtl_utils.models import fitting
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.base import Balancer
from mtl_utils.objectives.weighting import EqualWeights, FixedWeights
from mtl_utils.tasks.text_task import TextTask
from mtl_utils.training.callbacks import Callback, StepReport, StopTraining
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.shares import FaintTaskWarning

#: How often the shares of the gradient are measured in the joint training.
_SHARES = 8


@dataclass(frozen=True)
class Settings:
    """How the model is trained, as far as it is the reader's.

    Args:
        config: Its ``max_steps`` are those of the joint training.
        balancer: What turns losses into an update; copied for each training.
        batch_size: See :meth:`mtl_utils.models.TextModel.loader`.
        max_tokens: Likewise.
        head_learning_rate: See :meth:`mtl_utils.models.TextModel.fit`.
    """

    config: TrainerConfig
    balancer: Balancer
    batch_size: int | None
    max_tokens: int | None
    head_learning_rate: float | None

    @property
    def steps(self) -> int:
        """Steps of the joint training."""
        assert self.config.max_steps is not None
        return self.config.max_steps


@dataclass(frozen=True)
class Trained:
    """What one training gave.

    Attributes:
        model: The copy that was trained.
        losses: By step, the losses on the validation rows, by task in blocks.
        tempered: By step, those at the temperature that suits them (:func:`tempered_losses`).
        fitted: By step, the losses on training rows, likewise.
        trusted: By step, the losses on single validation rows, by task, where they were asked for.
        aside: By step, those on training rows that were put aside.
        agreements: What :func:`row_agreement` found, one look after the other.
        shares: By task its mean share of the gradient on shared parameters, where that was looked
            at and something is shared.
    """

    model: MultiTaskModel
    losses: Mapping[int, Losses]
    tempered: Mapping[int, Losses]
    fitted: Mapping[int, Losses]
    trusted: Mapping[int, Losses]
    aside: Mapping[int, Losses]
    agreements: Sequence[pd.DataFrame]
    shares: Mapping[str, float]


class _Watch(Callback):
    """Measures at some steps, and ends a training."""

    def __init__(
        self,
        model: MultiTaskModel,
        rows: DiagnosedRows,
        pad_id: int,
        marks: Collection[int],
        bar: tqdm,
        looks: Mapping[int, Sequence[Batch]] | None = None,
        row_by_row: int | None = None,
    ) -> None:
        self.row_by_row = row_by_row
        self.model, self.rows, self.pad_id, self.marks = model, rows, pad_id, marks
        self.bar, self.looks = bar, looks or {}
        self.losses: dict[int, Losses] = {}
        self.tempered: dict[int, Losses] = {}
        self.fitted: dict[int, Losses] = {}
        self.trusted: dict[int, Losses] = {}
        self.aside: dict[int, Losses] = {}
        self.agreements: list[pd.DataFrame] = []

    def on_step(self, report: StepReport) -> None:
        self.bar.update()
        if report.step in self.looks:
            self.agreements.append(row_agreement(self.model, self.looks[report.step]))
        if report.step in self.marks:
            rows = self.rows
            self.losses[report.step] = block_losses(self.model, rows.validation, self.pad_id)
            self.tempered[report.step] = tempered_losses(self.model, rows.validation, self.pad_id)
            self.fitted[report.step] = block_losses(self.model, rows.fitted, self.pad_id)
            if report.step == self.row_by_row:
                for found, of in ((self.trusted, rows.validation), (self.aside, rows.aside)):
                    found[report.step] = block_losses(self.model, of, self.pad_id, None)
        if report.step >= max(self.marks):
            raise StopTraining


@dataclass
class Trainings:
    """Runs trainings one after the other, and counts what they cost.

    Args:
        model: The reader's model, of which copies are trained.
        rows: The rows.
        settings: How to train.
        bar: What shows how far it all is.
    """

    model: MultiTaskModel
    rows: DiagnosedRows
    settings: Settings
    bar: tqdm
    spent: float = field(default=0.0, init=False)

    @property
    def pad_id(self) -> int:
        """Id that fills inputs."""
        tokenizer = getattr(self.model, "tokenizer", None)
        return 0 if tokenizer is None else int(tokenizer.pad_id)

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return self._loader(self.rows.train).num_batches

    def losses(self, model: MultiTaskModel, rows: Sets) -> Losses:
        """Return losses by task in blocks.

        Args:
            model: A model.
            rows: The rows.
        """
        return block_losses(model, rows, self.pad_id)

    def joint(self, marks: Collection[int], looks: Collection[int] = ()) -> Trained:
        """Train all tasks as they are.

        Args:
            marks: Steps at which losses are measured; it ends with the last.
            looks: Steps at which gradients are compared.
        """
        batches = self.rows.looked_at(self.pad_id)
        looked = dict.fromkeys(looks, batches) if len(batches) > 1 else {}
        copied = copy.deepcopy(self.model)
        return self._run(
            copied, self.rows.train, marks, looks=looked, joint=True, row_by_row=min(marks)
        )

    def equalised(
        self, shares: Mapping[str, float], weights: Mapping[str, float], end: int
    ) -> Trained:
        """Train all tasks with weights that make their shares of the gradient equal.

        Args:
            shares: By task its share under the weights.
            weights: By task what its loss was multiplied by.
            end: Step at which it ends and is measured.
        """
        equal = {task: weights[task] / (len(shares) * share) for task, share in shares.items()}
        balancer = FixedWeights(equal)
        return self._run(copy.deepcopy(self.model), self.rows.train, (end,), balancer=balancer)

    def longer(self, trained: Trained, steps: int) -> Trained:
        """Go on from where a training ended, under the same schedule made shorter.

        Args:
            trained: What was trained.
            steps: How many steps more.
        """
        config = replace(self.settings.config, max_steps=steps, epochs=steps, warmup_steps=0)
        copied = copy.deepcopy(trained.model)
        return self._run(copied, self.rows.train, (steps,), config=config)

    def other(self, model: MultiTaskModel, end: int) -> Trained:
        """Train another model on all tasks.

        Args:
            model: The model, which is trained itself.
            end: Step at which it ends and is measured.
        """
        return self._run(model, self.rows.train, (end,), row_by_row=end)

    def alone(self, task: str, end: int) -> Trained:
        """Train one task alone.

        Args:
            task: Its name.
            end: Step at which it ends and is measured.
        """
        copied = copy.deepcopy(self.model)
        return self._run(copied, self.rows.of_task(task), (end,), balancer=EqualWeights())

    def cost(self, steps: int, task: str | None = None) -> float:
        """Return what steps cost, in joint trainings.

        Args:
            steps: How many.
            task: The task that is trained alone; all if ``None``.
        """
        batches = len(self.rows.train)
        read = batches if task is None else sum(task in tasks for tasks in self.rows.tasks)
        return steps * read / (batches * self.settings.steps)

    def _run(
        self,
        model: MultiTaskModel,
        train: Sets,
        marks: Collection[int],
        *,
        looks: Mapping[int, Sequence[Batch]] | None = None,
        config: TrainerConfig | None = None,
        balancer: Balancer | None = None,
        joint: bool = False,
        row_by_row: int | None = None,
    ) -> Trained:
        end = max(marks)
        watch = _Watch(model, self.rows, self.pad_id, marks, self.bar, looks, row_by_row)
        trainer = fitting.trainer_of(
            model,
            None,
            config=config or self.settings.config,
            balancer=copy.deepcopy(balancer or self.settings.balancer),
            metric=None,
            head_learning_rate=self.settings.head_learning_rate,
            checkpoint=None,
            on_other_run="refuse",
            progress=False,
            callbacks=[watch],
            shares_every=max(1, end // _SHARES) if joint else None,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FaintTaskWarning)  # it is what is being looked for
            trainer.fit(self._loader(train))
        self.spent += end * len(train) / (len(self.rows.train) * self.settings.steps)
        means = trainer.shares.drop(columns="step").mean().dropna()
        shares = {str(task): float(share) for task, share in means.items()}
        found = (watch.losses, watch.tempered, watch.fitted, watch.trusted, watch.aside)
        return Trained(model, *found, watch.agreements, shares)

    def _loader(self, sets: Sets) -> Loader:
        tasks = {n: task for n, task in self.model.tasks.items() if isinstance(task, TextTask)}
        sizes: dict[str, Any] = {
            "batch_size": self.settings.batch_size,
            "max_tokens": self.settings.max_tokens,
        }
        order: dict[str, Any] = {"pad_id": self.pad_id, "shuffle": True}
        order["seed"] = self.settings.config.seed
        return fitting.loader_of(sets, "joint", tasks, **sizes, **order)
