"""Bad inputs of methods of weighing losses."""

from __future__ import annotations

from typing import Any

import torch
from bad_input_cases import INF, NAN, NOT_FLAGS, NOT_POSITIVE, NOT_TENSORS, EntryPoint

from mtl_utils import objectives

TASKS = ["a", "b"]
LOSSES = torch.tensor([1.0, 2.0])
NOT_TASKS = (None, 3, "a", [], [3], ["a", "a"], ["a.b"], [""], {"a": 1.0}, {"a"})
NOT_RATES = tuple(value for value in NOT_POSITIVE if value is not None)
NOT_STRENGTHS = (-1.0, NAN, INF, "1", None, True, [1.0])
NOT_VECTORS = (*NOT_TENSORS, torch.ones(2, 2), torch.ones(()), torch.ones(2).long())
NOT_PAIRS = (*NOT_VECTORS, torch.ones(3))
NOT_LOSSES = (*NOT_VECTORS, torch.ones(0))
NOT_POSITIVE_LOSSES = (*NOT_LOSSES, torch.tensor([-1.0, 2.0]))
NOT_WEIGHTS = (3, "a", [1.0], {"a": -1.0}, {"a": NAN}, {"a": "1"}, {"a": True}, {"nothing": 1.0})


def _vectors(*names: str, **others: Any) -> Any:
    return lambda: dict.fromkeys(names, LOSSES) | others


def _tasks() -> dict[str, Any]:
    return {"tasks": TASKS}


class _OneWeight(torch.nn.Module):
    """A model of one task."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        return [self.weight]


def _step_of_adatask(**given: Any) -> None:
    model, balancer = _OneWeight(), objectives.AdaTask()
    losses = objectives.Losses({"a": model.weight.sum()}, torch.zeros(()), None, {})
    balancer.backward(losses, model)
    balancer.before_step(**given)


ENTRY_POINTS = [
    EntryPoint(
        "UncertaintyWeights",
        objectives.UncertaintyWeights,
        _tasks,
        {
            "tasks": NOT_TASKS,
            "regression": (None, 3, "a", [3], ["nothing"], ["a", "a"]),
            "max_weight": NOT_POSITIVE,
            "learning_rate": NOT_RATES,
        },
    ),
    EntryPoint(
        "uncertainty_loss",
        objectives.uncertainty_loss,
        _vectors("losses", "log_variances"),
        {
            "losses": NOT_LOSSES,
            "log_variances": NOT_PAIRS,
            "regression": (3, "a", [True], torch.ones(2), torch.ones(3).bool()),
        },
    ),
    EntryPoint(
        "ImpartialLosses",
        objectives.ImpartialLosses,
        _tasks,
        {"tasks": NOT_TASKS, "max_weight": NOT_POSITIVE, "learning_rate": NOT_RATES},
    ),
    EntryPoint(
        "impartial_loss",
        objectives.impartial_loss,
        _vectors("losses", "log_scales"),
        {"losses": NOT_LOSSES, "log_scales": NOT_PAIRS},
    ),
    EntryPoint(
        "DynamicWeightAverage",
        objectives.DynamicWeightAverage,
        _tasks,
        {"tasks": NOT_TASKS, "temperature": NOT_POSITIVE},
    ),
    EntryPoint(
        "dynamic_weights",
        objectives.dynamic_weights,
        _vectors("last", "before"),
        {
            "last": NOT_POSITIVE_LOSSES,
            "before": (*NOT_PAIRS, torch.tensor([-1.0, 2.0])),
            "temperature": NOT_POSITIVE,
        },
    ),
    EntryPoint(
        "DynamicWeightAverage.epoch_ended",
        lambda **given: objectives.DynamicWeightAverage(TASKS).epoch_ended(**given),
        lambda: {"epoch": 1, "losses": {"a": 1.0}},
        {
            "epoch": (0, -1, 1.5, "1", None, True),
            "losses": (None, 3, "a", [1.0], {"nothing": 1.0}, {"a": -1.0}, {"a": "1"}, {"a": NAN}),
        },
        documented=objectives.DynamicWeightAverage.epoch_ended,
    ),
    EntryPoint(
        "GradNorm",
        objectives.GradNorm,
        _tasks,
        {
            "tasks": NOT_TASKS,
            "asymmetry": NOT_STRENGTHS,
            "learning_rate": NOT_RATES,
            "parameters": (3, "last", [torch.ones(2)]),
        },
    ),
    EntryPoint(
        "gradnorm_slopes",
        objectives.gradnorm_slopes,
        _vectors("norms", "weights", "ratios"),
        {
            "norms": NOT_PAIRS,
            "weights": NOT_PAIRS,
            "ratios": NOT_POSITIVE_LOSSES,
            "asymmetry": NOT_STRENGTHS,
        },
    ),
    EntryPoint(
        "RandomWeights",
        objectives.RandomWeights,
        _tasks,
        {"tasks": NOT_TASKS, "seed": (-1, 2**63, 1.5, "0", None, True, NAN)},
    ),
    EntryPoint(
        "draw_weights",
        objectives.draw_weights,
        lambda: {"num_tasks": 2, "generator": torch.Generator()},
        {"num_tasks": (0, -1, 1.5, "2", None, True), "generator": (None, 3, "generator")},
    ),
    EntryPoint(
        "geometric_mean",
        objectives.geometric_mean,
        _vectors("losses"),
        {"losses": NOT_POSITIVE_LOSSES},
    ),
    EntryPoint("log_sum", objectives.log_sum, _vectors("losses"), {"losses": NOT_POSITIVE_LOSSES}),
    EntryPoint(
        "FAMO",
        objectives.FAMO,
        _tasks,
        {"tasks": NOT_TASKS, "learning_rate": NOT_POSITIVE, "decay": NOT_STRENGTHS},
    ),
    EntryPoint(
        "AdaTask",
        objectives.AdaTask,
        dict,
        {
            "betas": (None, 0.9, "ab", (0.9,), (0.9, 1.0), (-0.1, 0.9), (NAN, 0.9), ("a", 0.9)),
            "eps": NOT_POSITIVE,
            "weights": tuple(value for value in NOT_WEIGHTS if value != {"nothing": 1.0}),
        },
    ),
    EntryPoint(
        "AdaTask.before_step",
        _step_of_adatask,
        lambda: {"clipped": 1.0},
        {"clipped": (-0.1, 1.5, NAN, INF, "1", None, True)},
        documented=objectives.AdaTask.before_step,
    ),
    EntryPoint(
        "famo_weights",
        objectives.famo_weights,
        _vectors("losses", "logits"),
        {"losses": NOT_POSITIVE_LOSSES, "logits": NOT_PAIRS},
    ),
    EntryPoint(
        "famo_slopes",
        objectives.famo_slopes,
        _vectors("before", "after", "logits"),
        {
            "before": NOT_POSITIVE_LOSSES,
            "after": (*NOT_PAIRS, torch.tensor([-1.0, 2.0])),
            "logits": NOT_PAIRS,
        },
    ),
    EntryPoint(
        "SmoothChebyshev",
        objectives.SmoothChebyshev,
        _tasks,
        {
            "tasks": NOT_TASKS,
            "weights": NOT_WEIGHTS,
            "smoothing": NOT_POSITIVE,
            "ideal": NOT_WEIGHTS,
            "relative": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "smooth_chebyshev",
        objectives.smooth_chebyshev,
        _vectors("losses", "weights", "ideal"),
        {
            "losses": NOT_LOSSES,
            "weights": NOT_PAIRS,
            "ideal": NOT_PAIRS,
            "smoothing": NOT_POSITIVE,
        },
    ),
]
