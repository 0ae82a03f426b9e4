"""Bad inputs of what leaves one device: memory, processes, shards, and the cost of a step."""

from __future__ import annotations

from typing import Any

import torch
from bad_input_cases import NOT_FLAGS, NOT_POSITIVE, NOT_SIZES, EntryPoint

from mtl_utils import nn, training
from mtl_utils.data import Batch
from mtl_utils.multitask import MultiTaskModel

NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2), MultiTaskModel)
NOT_LOADERS = (None, 3, "data", [], {})
NOT_FUNCTIONS = (None, 3, "function")
NOT_LISTS = (None, 3, "12", {"a": 1})
NOT_STATES = (None, 3, "state", [1])
POINTS = [training.StepTime(1, rows, 100, 0.1 * rows) for rows in (1, 2, 3, 4)]


def _model() -> MultiTaskModel:
    return training.step_model(4)


def _batch() -> Batch:
    return training.step_batch(2, 3)


class _Batches:
    """One batch an epoch."""

    num_batches = 1

    def batches(self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1) -> Any:
        yield _batch()


def _in_processes(**given: Any) -> None:
    """Call it, as if the good arguments had been taken: to start processes takes long."""
    if given != _CALL:
        training.run_in_processes(**given)


def _fit_in_processes(trainer: Any, train: Any, num_processes: Any) -> None:
    good = isinstance(trainer, training.Trainer) and isinstance(train, _Batches)
    if not (good and type(num_processes) is int and num_processes == 2):
        training.fit_in_processes(trainer, train, num_processes=num_processes)


def _time_steps(**given: Any) -> None:
    if given != _STEPS or given["steps"] is True:
        training.time_steps(**given)


def _shard(**given: Any) -> None:
    """Call it where no processes were started, which alone may be what is wrong."""
    try:
        training.shard_model(**given)
    except RuntimeError as error:
        if "none have been started" not in str(error):
            raise


_CALL: dict[str, Any] = {"function": training.step_batch, "num_processes": 2}
_STEPS: dict[str, Any] = {"processes": [1], "rows": [2], "widths": [4], "steps": 1}

ENTRY_POINTS = [
    EntryPoint(
        "nn.recompute_layers",
        nn.recompute_layers,
        lambda: {"module": _model()},
        {"module": (None, 3, "model", torch.nn.Linear(2, 2)), "on": NOT_FLAGS},
    ),
    EntryPoint(
        "count_memory",
        training.count_memory,
        lambda: {"model": _model(), "batches": _batch()},
        {"model": NOT_MODELS},
    ),
    EntryPoint(
        "Memory.sharded",
        training.Memory(8, 8, 8, 8).sharded,
        lambda: {"num_processes": 2},
        {"num_processes": NOT_SIZES},
    ),
    *(
        EntryPoint(
            function.__name__,
            function,
            lambda: {"function": lambda: torch.ones(2)},
            {"function": NOT_FUNCTIONS},
        )
        for function in (training.saved_bytes, training.peak_bytes)
    ),
    EntryPoint(
        "run_in_processes",
        _in_processes,
        lambda: dict(_CALL),
        {"function": NOT_FUNCTIONS, "num_processes": NOT_SIZES},
        documented=training.run_in_processes,
    ),
    EntryPoint(
        "fit_in_processes",
        _fit_in_processes,
        lambda: {
            "trainer": training.Trainer(_model(), progress=False),
            "train": _Batches(),
            "num_processes": 2,
        },
        {"trainer": NOT_MODELS, "train": NOT_LOADERS, "num_processes": NOT_SIZES},
        documented=training.fit_in_processes,
    ),
    EntryPoint(
        "shard_model",
        _shard,
        lambda: {"model": _model()},
        {"model": NOT_MODELS},
        documented=training.shard_model,
    ),
    EntryPoint(
        "train_sharded",
        training.train_sharded,
        lambda: {"model": _model(), "train": _Batches()},
        {
            "model": NOT_MODELS,
            "train": NOT_LOADERS,
            "epochs": NOT_SIZES,
            "learning_rate": NOT_POSITIVE,
            "weight_decay": (-0.1, "0", None, True),
        },
    ),
    EntryPoint(
        "whole_state",
        training.whole_state,
        lambda: {"state": {"a": torch.ones(2)}},
        {"state": NOT_STATES},
    ),
    EntryPoint(
        "weighed_by_counts",
        training.weighed_by_counts,
        lambda: {"losses": _model()(_batch())},
        {"losses": (None, 3, {"topic": 1.0})},
    ),
    EntryPoint(
        "averaged_gradients",
        training.averaged_gradients,
        lambda: {"model": _model(), "batch": _batch()},
        {"model": NOT_MODELS, "batch": (None, 3, [1]), "by_counts": NOT_FLAGS},
    ),
    EntryPoint(
        "fit_step_cost",
        training.fit_step_cost,
        lambda: {"points": POINTS},
        {"points": (*NOT_LISTS, POINTS[:3], [3, 3, 3, 3])},
        called={"points": "points|point|steps"},
    ),
    EntryPoint(
        "StepTime",
        training.StepTime,
        lambda: {"processes": 1, "rows": 1, "parameters": 1, "seconds": 0.1},
        dict.fromkeys(("processes", "rows", "parameters"), NOT_SIZES) | {"seconds": NOT_POSITIVE},
    ),
    EntryPoint(
        "StepCost.seconds",
        training.StepCost(1.0, 1.0, 1.0, 1.0).seconds,
        lambda: {"processes": 1, "rows": 1, "parameters": 1},
        dict.fromkeys(("processes", "rows", "parameters"), NOT_SIZES),
    ),
    EntryPoint(
        "StepCost.errors",
        training.StepCost(1.0, 1.0, 1.0, 1.0).errors,
        lambda: {"points": POINTS},
        {"points": (*NOT_LISTS, [], [3])},
        called={"points": "points|point|steps"},
    ),
    EntryPoint("step_model", training.step_model, lambda: {"width": 4}, {"width": (*NOT_SIZES, 2)}),
    EntryPoint(
        "step_batch",
        training.step_batch,
        lambda: {"rows": 2},
        {"rows": NOT_SIZES, "length": NOT_SIZES},
    ),
    EntryPoint(
        "time_steps",
        _time_steps,
        lambda: dict(_STEPS),
        {
            "processes": NOT_LISTS,
            "rows": NOT_LISTS,
            "widths": NOT_LISTS,
            "steps": NOT_SIZES,
        },
        documented=training.time_steps,
    ),
]
