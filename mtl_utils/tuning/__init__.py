"""Search for settings: what is drawn, trials on disk, fronts, and what the best of n is worth.

Drawing a :class:`Space` at random, :func:`expected_best` and fronts need nothing else;
:class:`Search` needs Optuna: ``pip install "mtl_utils[tuning]"``.
"""

from mtl_utils.tuning.attempts import Attempt, Pruning, Relative, Value
from mtl_utils.tuning.best_of import chance_of_winning, expected_best, expected_chosen
from mtl_utils.tuning.drawing import draw_front, draw_history, draw_importances, draw_slices
from mtl_utils.tuning.fronts import hypervolume, pareto_front
from mtl_utils.tuning.samplers import PRUNERS, SAMPLERS, Pruner, Sampler
from mtl_utils.tuning.search import Found, Objective, Search
from mtl_utils.tuning.space import (
    Asked,
    Choice,
    Dimension,
    Number,
    RandomDraws,
    Ratios,
    Simplex,
    Space,
    Whole,
    suggest,
)

__all__ = [
    "Asked",
    "Attempt",
    "Choice",
    "Dimension",
    "Found",
    "Number",
    "Objective",
    "PRUNERS",
    "Pruner",
    "Pruning",
    "RandomDraws",
    "Ratios",
    "Relative",
    "SAMPLERS",
    "Sampler",
    "Search",
    "Simplex",
    "Space",
    "Value",
    "Whole",
    "chance_of_winning",
    "draw_front",
    "draw_history",
    "draw_importances",
    "draw_slices",
    "expected_best",
    "expected_chosen",
    "hypervolume",
    "pareto_front",
    "suggest",
]
