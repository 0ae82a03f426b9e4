"""Right answers of other types, and the words of the checks, of the exercises of chapter 21."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises, tuning

BY_HAND: dict[str, Any] = {
    "runs": 4096,
    "gain": -0.075,
    "best": 680 / 9,
    "chosen": 71,
    "different": 80,
    "weights": [1.5, 0.75, 0.75],
    "luck": 1.792,
}
KINDS = (list, tuple, np.array, torch.tensor)


class _Given(tuning.RandomDraws):
    """A draw whose even numbers are those that the exercise gives."""

    def __init__(self, *numbers: float) -> None:
        super().__init__(np.random.default_rng(0))
        self.numbers = list(numbers)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return self.numbers.pop(0)


def test_what_the_best_of_two_is_worth_by_hand_is_what_the_package_says() -> None:
    validation, test = [50, 60, 90], [45, 63, 81]
    assert math.isclose(tuning.expected_best(validation, 2), BY_HAND["best"])
    assert math.isclose(tuning.expected_chosen(validation, test, 2), BY_HAND["chosen"])
    assert tuning.expected_best(validation, 2, replace=False) == BY_HAND["different"]


def test_the_gain_and_the_weights_worked_by_hand_are_those_of_the_package() -> None:
    judge = tuning.Relative({"a_accuracy": 80.0, "b_accuracy": 50.0})
    assert math.isclose(judge({"a_accuracy": 60.0, "b_accuracy": 55.0}), BY_HAND["gain"])
    weights = tuning.Simplex(["a", "b", "c"]).suggest(_Given(0.75, 0.5), "weights")
    assert np.allclose(list(weights.values()), BY_HAND["weights"])


def test_the_grid_counted_by_hand_has_as_many_runs() -> None:
    settings = {"rate", "width", "second weight", "third weight", "temperature", "sharing"}
    assert len(list(itertools.product(range(4), repeat=len(settings)))) == BY_HAND["runs"]


def test_the_luck_worked_by_hand_is_that_of_a_simulation() -> None:
    generator = np.random.default_rng(0)
    truth = 80 + 3 * generator.normal(size=(400_000, 2))
    right = generator.binomial(100, 0.8, size=truth.shape) - 80.0  # the noise, in points
    seen = truth + right
    at = seen.argmax(1)[:, None]
    surplus = (np.take_along_axis(seen, at, 1) - np.take_along_axis(truth, at, 1)).mean()
    assert abs(surplus - BY_HAND["luck"]) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_weights_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {**BY_HAND, "weights": kind([1.5, 0.75, 0.75]), "best": Fraction(680, 9)}
    assert exercises.check_search_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_rounded_or_tensors() -> None:
    given = {**BY_HAND, "best": 75.56, "luck": torch.tensor(1.79), "runs": np.int64(4096)}
    assert exercises.check_search_by_hand(given).passed
    assert exercises.check_search_by_hand({**given, "luck": 16 / 5 / math.sqrt(math.pi)}).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_search_by_hand({**BY_HAND, "gain": 0.075, "luck": 3.2}).message
    assert told.startswith("'gain' is not 0.075.")
    assert "-0.075" not in told
    told = exercises.check_search_by_hand({**BY_HAND, "weights": [1.5, 1, 0.5]}).message
    assert told.startswith("Number 2 of 'weights' is not 1.")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_search_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [int, float, torch.tensor, np.float32, np.array])
def test_a_number_of_trials_may_be_of_any_type(kind: Any) -> None:
    def needed(share: float, chance: float) -> Any:
        return kind(math.ceil(math.log1p(-chance) / math.log1p(-share)))

    assert exercises.check_trials_needed(needed).passed


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_the_best_of_different_trials_may_be_of_any_type(kind: Any) -> None:
    def best(scores: Any, n: int) -> Any:
        return kind(np.mean([max(drawn) for drawn in itertools.combinations(scores, n)]))

    assert exercises.check_unbiased_best(best).passed


def _report(kind: Any, first: list[float], last: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(first, last)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"first": kind(first), "last": kind(last), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_a_lead_falls_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [4.0, 7.5, 6.0], [-12.0, -10.0, -9.5], shown)
    assert report["mean"] > 0
    assert exercises.check_slow_starters(report).passed
    turned = exercises.check_slow_starters(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_slow_starters(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [5.0, -3.0, 2.0], [1.0, 2.0, -1.0], False)
    assert exercises.check_slow_starters(report).passed
    assert "holds zero" in exercises.check_slow_starters(report | {"shown": True}).message


def test_a_lead_that_grows_is_named() -> None:
    report = _report(list, [-4.0, -7.5, -6.0], [12.0, 10.0, 9.5], True)
    told = exercises.check_slow_starters(report).message
    assert "'first' is below 'last'" in told
    assert "swapped" in told


def test_leads_in_fractions_are_refused() -> None:
    report = _report(list, [0.11, 0.12, 0.09], [-0.1, -0.02, -0.03], True)
    assert exercises.check_slow_starters(report).message.startswith("Leads must be in points.")


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("first", "last", "mean", "half_width", "shown"), ...)
    assert exercises.check_slow_starters(empty).state == "unanswered"
