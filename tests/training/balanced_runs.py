"""Some steps with every balancer of the package; as a script, one of several processes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from parallel_runs import penalised_model, run, shared_private
from tiny_training import DisjointLoader, TinyLoader

from mtl_utils import objectives
from mtl_utils.objectives import Balancer
from mtl_utils.training import TrainerConfig
from mtl_utils.training.processes import make_accelerator

TASKS = ["tags", "topic"]
#: Those that say what others have in common.
ABSTRACT = {
    *("Balancer", "Combiner", "GradientSurgery", "GramCombiner", "Scalarization"),
    "TaskScalarization",
}
#: What is drawn for features would depend on how texts are dealt out.
ON_FEATURES = ("MGDA", "GradVac", "UPGrad")
LONG = ("EqualWeights", "UncertaintyWeights", "UPGrad")
MADE: dict[str, Callable[[], Balancer]] = {
    "FixedWeights": lambda: objectives.FixedWeights({"tags": 0.3, "topic": 2.0}),
    "RandomWeights": lambda: objectives.RandomWeights(TASKS, 3),
    "FromTorchJD": lambda: objectives.FromTorchJD(_aggregator()),
}


def _aggregator() -> Any:
    from torchjd.aggregation import AlignedMTL

    return AlignedMTL()


def names() -> list[str]:
    """Name every balancer that the package exports and that can be made."""
    found = [name for name in objectives.__all__ if name not in ABSTRACT]
    classes = [name for name in found if inspect.isclass(getattr(objectives, name))]
    return [name for name in classes if issubclass(getattr(objectives, name), Balancer)]


def make(name: str) -> Balancer:
    """Make a balancer for the two tasks."""
    if name in MADE:
        return MADE[name]()
    kind = getattr(objectives, name)
    return kind(TASKS) if "tasks" in inspect.signature(kind).parameters else kind()


def trained(
    balancer: Balancer,
    loader: TinyLoader | None = None,
    dtype: Any = torch.float64,
    epochs: int = 2,
    **given: Any,
) -> dict[str, Any]:
    """Take some steps; some batches lack a task, and some processes a label."""
    config = TrainerConfig(epochs=epochs, learning_rate=0.01)
    loader = loader or TinyLoader()
    return run(config, loader, balancer=balancer, shares_every=None, dtype=dtype, **given)


def long_runs() -> dict[str, dict[str, Any]]:
    """Take fifty steps in single precision, as most models are trained."""
    return {
        f"{name}, fifty steps": trained(make(name), TinyLoader(10), torch.float32, 5)
        for name in LONG
    }


def runs() -> dict[str, dict[str, Any]]:
    """Do every run."""
    found = {name: trained(make(name)) for name in names()} | long_runs()
    for name in ON_FEATURES:
        found[f"{name}, on features"] = trained(getattr(objectives, name)(on="features"))
    for name in ("GradVac", "GradDrop", "GradNorm"):
        found[f"{name}, one batch a task"] = trained(make(name), DisjointLoader())
    for name in ("EqualWeights", "PCGrad"):
        model = shared_private(orthogonality_strength=1.0, adversary_strength=0.5)
        found[f"{name}, penalty on states"] = trained(make(name), model=model)
    found["UPGrad, penalty"] = trained(make("UPGrad"), model=penalised_model())
    return found


def main(folder: Path) -> None:
    """Do the runs as one of several processes; write what came out."""
    torch.set_num_threads(1)
    accelerator = make_accelerator("no")
    done = runs() if accelerator.num_processes == 2 else long_runs()
    results: dict[str, Any] = {"processes": accelerator.num_processes, **done}
    torch.save(results, folder / f"process{accelerator.process_index}.result")
    torch.distributed.destroy_process_group()
