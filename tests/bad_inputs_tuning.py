"""Bad inputs of spaces, searches, fronts and what the best of n is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_SIZES,
    NOT_TEXTS,
    NOT_WORDS,
    EntryPoint,
    Within,
)

from mtl_utils import tuning

NOT_NUMBERS = (NAN, INF, "1", None, True, [1.0])
NOT_SCORES = (None, "scores", 3, [], [NAN], ["a"], [[1.0]])
NOT_POINTS = (None, "points", 3, [], [[NAN]], [["a"]], [[1.0], [1.0, 2.0]], [1.0])
NOT_TASKS = (["a"], ["a", "a"], *(value for value in NOT_WORDS if value != [["a"]]))
NOT_SPACES = (None, 3, [1], {}, {"a": 3}, Within({1: tuning.Number(0, 1)}, 1))


class _Trial:
    number = 0

    def report(self, value: float, step: int) -> None:
        """Take it."""

    def should_prune(self) -> bool:
        return False

    def set_user_attr(self, name: str, value: Any) -> None:
        """Take it."""


def _no_sampler(seed: int) -> int:
    return seed


def _attempt() -> tuning.Attempt:
    return tuning.Attempt(_Trial(), single=True)


def _space() -> dict[str, tuning.Dimension]:
    return {"a": tuning.Number(0.0, 1.0)}


def _search() -> tuning.Search:
    search = tuning.Search(_space(), {"score": "max", "size": "min"}, sampler="random")
    return search.run(lambda settings, attempt: {"score": settings["a"], "size": 1.0}, 3)


_SEARCH = _search()

ENTRY_POINTS = (
    EntryPoint(
        "Number",
        tuning.Number,
        lambda: {"low": 0.1, "high": 1.0, "log": True},
        {"low": (0, *NOT_NUMBERS), "high": (0.1, 0.0, *NOT_NUMBERS), "log": NOT_FLAGS},
    ),
    EntryPoint(
        "Whole",
        tuning.Whole,
        lambda: {"low": 1, "high": 9, "step": 2},
        {"low": (1.5, "3", None, True), "high": (1, 0, "3", None), "step": NOT_SIZES},
    ),
    EntryPoint(
        "Choice",
        tuning.Choice,
        lambda: {"options": ["a", "b"]},
        {"options": (None, 3, "ab", ["a"], ["a", "a"], [])},
    ),
    EntryPoint(
        "Simplex",
        tuning.Simplex,
        lambda: {"tasks": ["a", "b"], "least": 0.1},
        {"tasks": NOT_TASKS, "least": (-0.1, 0.5, *NOT_NUMBERS)},
    ),
    EntryPoint(
        "Ratios",
        tuning.Ratios,
        lambda: {"tasks": ["a", "b"], "low": 0.5, "high": 2.0},
        {"tasks": NOT_TASKS, "low": (0, *NOT_NUMBERS), "high": (0.5, *NOT_NUMBERS)},
    ),
    EntryPoint(
        "RandomDraws",
        tuning.RandomDraws,
        lambda: {"generator": np.random.default_rng(0)},
        {"generator": (None, 0, "seed", np.random)},
    ),
    EntryPoint(
        "suggest",
        tuning.suggest,
        lambda: {"space": _space(), "asked": tuning.RandomDraws(np.random.default_rng(0))},
        {"space": NOT_SPACES},
    ),
    EntryPoint(
        "expected_best",
        tuning.expected_best,
        lambda: {"scores": [1.0, 2.0, 3.0], "n": 2, "replace": False},
        {"scores": NOT_SCORES, "n": (4, *NOT_SIZES), "replace": NOT_FLAGS},
    ),
    EntryPoint(
        "expected_chosen",
        tuning.expected_chosen,
        lambda: {"validation": [1.0, 2.0, 3.0], "test": [3.0, 1.0, 2.0], "n": 2},
        {
            "validation": NOT_SCORES,
            "test": (*NOT_SCORES, [1.0, 2.0]),
            "n": NOT_SIZES,
            "replace": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "chance_of_winning",
        tuning.chance_of_winning,
        lambda: {"first": [1.0, 2.0], "second": [3.0, 1.0], "n": 2, "replace": False},
        {"first": NOT_SCORES, "second": NOT_SCORES, "n": (3, *NOT_SIZES), "replace": NOT_FLAGS},
    ),
    EntryPoint(
        "pareto_front",
        tuning.pareto_front,
        lambda: {"points": [[1.0, 2.0], [2.0, 1.0]], "directions": ["min", "max"]},
        {"points": NOT_POINTS, "directions": ("max", ["max"], ["max", "up"], ["min"] * 3)},
    ),
    EntryPoint(
        "hypervolume",
        tuning.hypervolume,
        lambda: {"points": [[1.0, 2.0], [2.0, 1.0]], "reference": [0.0, 0.0]},
        {
            "points": NOT_POINTS,
            "reference": (None, 3, [0.0], [0.0, NAN], ["a", "b"]),
            "directions": ("max", ["max"], ["max", "up"]),
        },
    ),
    EntryPoint(
        "Relative",
        tuning.Relative,
        lambda: {"reference": {"a_accuracy": 0.5}},
        {
            "reference": (None, 3, {}, {"a_accuracy": 0.0}, {"a_accuracy": NAN}, {"a_gap": 1.0}),
            "modes": ({"a_accuracy": "up"}, {"b": "max"}, 3, {"a_accuracy": "min"}),
        },
    ),
    EntryPoint(
        "Attempt.report",
        lambda **given: _attempt().report(**given),
        lambda: {"step": 1, "value": 1.0},
        {"step": NOT_COUNTS},
        documented=tuning.Attempt.report,
    ),
    EntryPoint(
        "Attempt.note",
        lambda **given: _attempt().note(**given),
        lambda: {"name": "test", "value": 1.0},
        {"name": NOT_TEXTS},
        documented=tuning.Attempt.note,
    ),
    EntryPoint(
        "Attempt.pruning",
        lambda **given: _attempt().pruning(**given),
        lambda: {"value": "validation_loss"},
        {"value": (None, 3, ["loss"])},
        documented=tuning.Attempt.pruning,
    ),
    EntryPoint(
        "Search",
        tuning.Search,
        lambda: {"space": _space(), "objectives": {"score": "max"}},
        {
            "space": NOT_SPACES,
            "objectives": (None, 3, [], {}, {"score": "up"}, {"score": 1}, {1: "max"}),
            "folder": (3, "", True),
            "sampler": (*NOT_CHOICES, _no_sampler),
            "pruner": ("nothing of the kind", "", 3, True, ["median"]),
            "seed": (-1, 1.5, "3", None, True),
        },
    ),
    EntryPoint(
        "Search.run",
        lambda **given: tuning.Search(_space(), {"score": "max"}).run(**given),
        lambda: {"objective": lambda settings, attempt: 1.0, "trials": 1},
        {"objective": (None, 3, "score"), "trials": NOT_SIZES},
        documented=tuning.Search.run,
    ),
    EntryPoint(
        "Search.run_one",
        lambda **given: tuning.Search(_space(), {"score": "max"}).run_one(**given),
        lambda: {"objective": lambda settings, attempt: 1.0, "trials": 1},
        {"objective": (None, 3, "score"), "trials": NOT_SIZES},
        documented=tuning.Search.run_one,
    ),
    EntryPoint(
        "Search.settings",
        _SEARCH.settings,
        lambda: {"number": 0},
        {"number": (-1, 3, 1.5, "3", None, True)},
    ),
    EntryPoint(
        "Search.best", _SEARCH.best, lambda: {"objective": "size"}, {"objective": ("no", 3, True)}
    ),
    EntryPoint(
        "Search.importances",
        _SEARCH.importances,
        lambda: {"objective": "score"},
        {"objective": ("no", 3, True)},
    ),
    *(
        EntryPoint(
            draw.__name__,
            draw,
            lambda: {"search": _SEARCH},
            {"search": (None, 3, "search"), "objective": ("no", 3)},
        )
        for draw in (tuning.draw_history, tuning.draw_importances, tuning.draw_slices)
    ),
    EntryPoint(
        "draw_front",
        tuning.draw_front,
        lambda: {"search": _SEARCH},
        {"search": (None, 3), "first": ("no", 3), "second": ("no", 3)},
        called={"first": "objective", "second": "objective"},
    ),
)
