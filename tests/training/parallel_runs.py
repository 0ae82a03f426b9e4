"""Runs that one process and two must do alike; as a script, one of the two processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sampled_sets import classified, tagged
from tiny_training import (
    VOCABULARY,
    DisjointLoader,
    InterruptedLoader,
    PatternLoader,
    TinyEncoder,
    TinyLoader,
    TinyTask,
    tiny_model,
    weights_of,
)
from torch import Tensor

from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives import (
    FAMO,
    Balancer,
    DynamicWeightAverage,
    GeometricMean,
    GradNorm,
    Losses,
    RandomWeights,
    UncertaintyWeights,
)
from mtl_utils.sharing import SharedPrivate
from mtl_utils.tasks.base import Head
from mtl_utils.training import (
    Callback,
    LearningProgressBatches,
    StepReport,
    StopTraining,
    ToldBatches,
    Trainer,
    TrainerConfig,
    UncertaintyBatches,
)
from mtl_utils.training.processes import make_accelerator

NEVER = 10**9


class GeometricBalancer(Balancer):
    """Minimises the weighted geometric mean: its gradient depends on every loss's value."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.exponent = torch.nn.Parameter(torch.full((), start, dtype=torch.float64))

    def backward(
        self,
        losses: Losses,
        model: torch.nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        product = torch.ones(())
        for loss in losses.by_task.values():
            product = product * (loss + 1) ** self.exponent
        backward(product + losses.penalty)


class Penalised(MultiTaskModel):
    """Adds a penalty on its parameters."""

    def forward(self, batches: Any) -> Losses:
        losses = super().forward(batches)
        penalty = sum(p.square().sum() for p in self.sharing.parameters())
        return Losses(losses.by_task, 0.01 * penalty, losses.features, losses.counts)


def run(config: TrainerConfig, loader: Loader | None = None, **settings: Any) -> dict[str, Any]:
    """Train; return what came out."""
    dtype = settings.pop("dtype", torch.float64)
    model = settings.pop("model", None) or tiny_model(dropout=0.0, dtype=dtype)
    trainer = Trainer(model, config, progress=False, **settings)
    result: dict[str, Any] = {}
    try:
        history = trainer.fit(loader or TinyLoader(), TinyLoader(3, seed=9))
        result["history"] = history.drop(columns="seconds").to_dict("list")
        result["shares"] = trainer.shares.to_dict("list")
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"
    return {**result, "weights": weights_of(model), "balancer": weights_of(trainer.balancer)}


def penalised_model() -> MultiTaskModel:
    """A model whose penalty depends on its parameters alone."""
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    model.__class__ = Penalised
    return model


def penalised() -> dict[str, Any]:
    return run(TrainerConfig(epochs=2, learning_rate=0.01), model=penalised_model())


class RareToken(TinyLoader):
    """Has its last token in one row alone, which the first of two processes reads."""

    def batch(self, epoch: int, index: int) -> Batch:
        batch = super().batch(epoch, index)
        batch.inputs.input_ids.clamp_(max=VOCABULARY - 2)
        if (epoch, index) == (0, 3):
            batch.inputs.input_ids[0, 0] = VOCABULARY - 1
        return batch


def diverging() -> dict[str, Any]:
    """One process alone meets what is not a number."""
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    model.state_dict()["sharing.encoder.embedding.weight"][VOCABULARY - 1] = float("nan")
    return run(TrainerConfig(epochs=1), RareToken(), model=model)


class Ending(Callback):
    """Ends the training, in the process that is told."""

    def on_step(self, report: StepReport) -> None:
        if report.step == 8:
            raise StopTraining


def shared_private(**strengths: float | None) -> MultiTaskModel:
    """A model whose penalty depends on the texts at hand."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        private = {task: TinyEncoder(0.0) for task in ("topic", "tags")}
        sharing = SharedPrivate(TinyEncoder(0.0), private, **strengths)
        wide = Wide("tags", 4, a_text=False), Wide("topic", 3, a_text=True)
        return MultiTaskModel(sharing, wide).double()


class Wide(TinyTask):
    """Reads shared and private states side by side."""

    def head(self, width: int) -> Head:
        head = super().head(width)
        head.output = torch.nn.Linear(width, self.classes)
        return head


PATTERN = [{"tags", "topic"}, {"tags"}, set(), {"topic"}, {"tags", "topic"}, {"topic"}]


class Reordered(TinyLoader):
    """Gives the second process its tasks in another order."""

    def batches(self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1) -> Any:
        for batch in super().batches(epoch, start, rank, world_size):
            tasks = sorted(batch.labels, reverse=rank == 1)
            yield Batch(batch.inputs, {task: batch.labels[task] for task in tasks})


class Uneven(TinyLoader):
    """Does in the second process something else than in the first, from the third batch on."""

    def __init__(self, change: Callable[[Batch], Batch | None]) -> None:
        super().__init__()
        self.change = change

    def batches(self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1) -> Any:
        for index, batch in enumerate(super().batches(epoch, start, rank, world_size)):
            changed = self.change(batch) if index >= 1 and rank == 1 else batch
            if changed is None:
                return
            yield changed


def broken(batch: Batch) -> Batch:
    raise OSError("the disk is gone")


UNEVEN: dict[str, Callable[[Batch], Batch | None]] = {
    "fewer": lambda batch: None,
    "broken": broken,
    "other tasks": lambda batch: Batch(batch.inputs, {"tags": batch.labels["tags"]}),
    "unknown task": lambda batch: Batch(batch.inputs, {"nothing": batch.labels["topic"]}),
}


def early() -> dict[str, Any]:
    """Evaluation runs in the first process alone: its scores must stop both."""
    scores = iter([0.5, 0.7, 0.6, 0.1, 0.1, 0.1])
    return run(
        TrainerConfig(epochs=6, patience=2),
        evaluate=lambda model: {"score": next(scores)},
        metric="score",
        mode="max",
    )


def failing() -> dict[str, Any]:
    """Evaluation fails in the first process: the other must not wait for ever."""

    def evaluate(model: MultiTaskModel) -> dict[str, float]:
        raise RuntimeError("no such file")

    return run(TrainerConfig(epochs=1), evaluate=evaluate)


def weighing() -> list[Balancer]:
    """Return balancers that look at losses, at gradients, or at losses after a step."""
    tasks = ["tags", "topic"]
    learnt: list[Balancer] = [UncertaintyWeights(tasks), GradNorm(tasks), FAMO(tasks)]
    return [*learnt, DynamicWeightAverage(tasks), RandomWeights(tasks, 3), GeometricMean()]


def learning() -> dict[str, ToldBatches]:
    """Return samplers that draw by what losses told them, of data sets of different sizes."""

    def sets() -> list[Any]:
        return [tagged(), classified()]  # of some batches the second process has filler alone

    return {
        "uncertainty": UncertaintyBatches(sets(), num_batches=10),
        "prediction": LearningProgressBatches(sets(), "prediction", 0.2, num_batches=10),
        "self-prediction": LearningProgressBatches(sets(), step_size=0.2, num_batches=10),
    }


def drawn_by(sampler: ToldBatches) -> dict[str, Any]:
    """Train on what a sampler draws; return also how often it drew which, and will draw it."""
    result = run(TrainerConfig(epochs=3, learning_rate=0.02), sampler)
    return {**result, "taken": sampler.taken, "probabilities": sampler.probabilities}


def runs() -> dict[str, dict[str, Any]]:
    """Do every run that does not depend on files."""
    quick = {"epochs": 2, "learning_rate": 0.02}
    return {
        "adamw": run(TrainerConfig(**quick, weight_decay=0.1, clip_norm=0.3, warmup_steps=2)),
        "float32": run(TrainerConfig(**quick), dtype=torch.float32),
        "one batch a task": run(TrainerConfig(**quick), DisjointLoader()),
        "balancer": run(TrainerConfig(**quick), balancer=GeometricBalancer(0.5)),
        **{
            f"weighed by {type(balancer).__name__}": run(
                TrainerConfig(**quick), PatternLoader(PATTERN, absent=False), balancer=balancer
            )
            for balancer in weighing()
        },
        **{f"drawn by {name}": drawn_by(sampler) for name, sampler in learning().items()},
        "penalty": penalised(),
        "shared-private": run(TrainerConfig(**quick), model=shared_private()),
        "shared-private, a row a batch": run(
            TrainerConfig(**quick),
            TinyLoader(rows=1),
            model=shared_private(orthogonality_strength=1.0, adversary_strength=0.5),
        ),
        "shared-private, one batch a task": run(
            TrainerConfig(**quick), DisjointLoader(), model=shared_private(adversary_strength=None)
        ),
        "missing labels": run(
            TrainerConfig(**quick, weight_decay=0.3), PatternLoader(PATTERN, absent=False)
        ),
        "absent tasks": run(
            TrainerConfig(**quick, weight_decay=0.3), PatternLoader(PATTERN, absent=True)
        ),
        "shares": run(TrainerConfig(**quick), shares_every=1),
        "shares, one batch a task": run(TrainerConfig(**quick), DisjointLoader(), shares_every=1),
        "shares, missing labels": run(
            TrainerConfig(**quick), PatternLoader(PATTERN, absent=False), shares_every=1
        ),
        "accumulated": run(TrainerConfig(**quick, accumulate=4), shares_every=1),
        "accumulated, one batch a task": run(
            TrainerConfig(**quick, accumulate=4, weight_decay=0.3), DisjointLoader()
        ),
        "accumulated, missing labels": run(
            TrainerConfig(**quick, accumulate=2), PatternLoader(PATTERN, absent=False)
        ),
        "accumulated, shared-private": run(
            TrainerConfig(**quick, accumulate=4),
            TinyLoader(rows=2),
            model=shared_private(orthogonality_strength=1.0, adversary_strength=0.5),
        ),
        "stopped tasks": run(
            TrainerConfig(epochs=4, learning_rate=0.1, task_patience=1), DisjointLoader()
        ),
        "ended": run(TrainerConfig(**quick), callbacks=[Ending()]),
        "tasks in another order": run(TrainerConfig(**quick), Reordered()),
        "early": early(),
        "diverging": diverging(),
        "failing": failing(),
    }


def main(folder: Path) -> None:
    """Do the runs as one of two processes; write what came out."""
    torch.set_num_threads(1)
    accelerator = make_accelerator("no")
    rank = accelerator.process_index
    writes: list[Path] = []
    replace = os.replace
    os.replace = lambda temporary, path: (writes.append(path), replace(temporary, path))
    results: dict[str, Any] = {"processes": accelerator.num_processes, **runs()}
    # Start with weights that differ: all must go on with the first process's.
    results["different starts"] = run(
        TrainerConfig(epochs=1, learning_rate=0.02),
        model=tiny_model(seed=1 + rank, dropout=0.0, dtype=torch.float64),
        balancer=GeometricBalancer(0.5 + rank),
    )
    for name, change in UNEVEN.items():
        results[name] = run(TrainerConfig(epochs=1), Uneven(change))
    results["number of batches"] = run(TrainerConfig(epochs=1), TinyLoader(6 + rank))
    results["afterwards"] = run(TrainerConfig(epochs=1))
    config = TrainerConfig(epochs=3, learning_rate=0.02, checkpoint_every=4)

    def dropping(path: Path, die_at: int = NEVER) -> dict[str, Any]:
        return run(config, InterruptedLoader(die_at), model=tiny_model(), checkpoint=path)

    results["dropout"] = dropping(folder / "whole.pt")
    results["stopped"] = dropping(folder / "parts.pt", 10)
    results["resumed"] = dropping(folder / "parts.pt")
    results["writes"] = len(writes)
    torch.save(results, folder / f"process{rank}.result")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
