"""Right answers of other types, and the words of the checks, of the exercises of chapter 14."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import data, exercises, training
from mtl_utils.training import AnnealedBatches, SampledBatches

BY_HAND: dict[str, Any] = {
    "shares": [1 / 8, 1 / 4, 5 / 8],
    "passes": [2.5, 1.25, 0.5],
    "factors": [4 / 15, 8 / 15, 4 / 3],
    "temperature": 5 / 3,
    "variances": [7.0, 3.0],
    "moved": 0.15,
}
KINDS = (list, tuple, np.array, torch.tensor)


LOADERS = [
    data.BatchLoader([data.Example([1], {"kind": 0})] * count, batch_size=1)
    for count in (16, 64, 400)
]


def test_shares_and_passes_worked_by_hand_are_those_of_the_package() -> None:
    sampler = SampledBatches(LOADERS, "sqrt", num_batches=320)
    assert np.allclose(sampler.probabilities, BY_HAND["shares"])
    assert np.allclose(sampler.passes, BY_HAND["passes"])


def test_factors_worked_by_hand_bring_the_mean_gradient_of_drawing_by_size_back() -> None:
    gradients = torch.randn(3, 7, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    by = {of: SampledBatches(LOADERS, of).probabilities for of in ("size", "sqrt")}
    shares = {of: torch.tensor(found, dtype=torch.double) for of, found in by.items()}
    factors = torch.tensor(BY_HAND["factors"], dtype=torch.double)
    torch.testing.assert_close((shares["sqrt"] * factors) @ gradients, shares["size"] @ gradients)


def test_the_temperature_worked_by_hand_is_that_of_the_third_of_five_epochs() -> None:
    annealed = AnnealedBatches(LOADERS, 5).shares(2)
    warm = SampledBatches(LOADERS, BY_HAND["temperature"]).probabilities
    assert np.allclose(annealed, warm)


def test_the_variances_worked_by_hand_are_those_of_all_batches_there_can_be() -> None:
    means, spreads = np.array([[3.0, 1.0], [-1.0, 1.0]]), np.array([8.0, 16.0])
    # Two rows that are equally likely, apart from their mean by the root of the variance.
    way = np.array([0.0, 1.0])
    rows = [
        [g + sign * s**0.5 * way for sign in (-1, 1)] for g, s in zip(means, spreads, strict=True)
    ]
    single = [np.mean(batch, axis=0) for of in rows for batch in product(of, repeat=4)]
    halves = [[np.mean(half, axis=0) for half in product(of, repeat=2)] for of in rows]
    mixed = [np.mean(pair, axis=0) for pair in product(*halves)]
    middle = means.mean(axis=0)
    found = [((np.array(part) - middle) ** 2).sum(1).mean() for part in (single, mixed)]
    assert np.allclose(found, BY_HAND["variances"])


def test_the_weight_worked_by_hand_is_where_the_bandit_moves_an_arm() -> None:
    scale = training.RewardScale()
    for reward in (-0.1, -0.1, -0.1, 0.3, 0.3, 0.3, 0.3):
        scale(reward)
    reward = scale(0.2)
    assert np.isclose(reward, 0.5)
    bandit = training.EXP3S(3, step_size=0.1)
    bandit.update(1, reward)
    mixed = np.exp([0.0, BY_HAND["moved"], 0.0])  # half of each arm comes from the others
    others = (mixed.sum() - mixed) / 2
    assert np.allclose(bandit.weights, np.log((mixed + others) / 2))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {k: kind(v) if isinstance(v, list) else v for k, v in BY_HAND.items()}
    assert exercises.check_sampling_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "temperature": Fraction(5, 3), "moved": torch.tensor(0.15)}
    given |= {"factors": [0.27, Fraction(8, 15), 1.33], "variances": (7, np.int64(3))}
    assert exercises.check_sampling_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_sampling_by_hand({**BY_HAND, "variances": [3, 7], "moved": 1}).message
    assert told.startswith("Number 1 of 'variances' is not 3.")
    told = exercises.check_sampling_by_hand({**BY_HAND, "temperature": 0.6}).message
    assert told.startswith("'temperature' is not 0.6.")
    assert "1.6" not in told
    assert "5/3" not in told


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_sampling_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


def _passes(sizes: Any, steps: int, temperature: float) -> Any:
    return steps * np.array(training.tempered_shares(sizes, temperature)) / np.asarray(sizes)


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float64, np.array])
def test_a_temperature_may_be_of_any_type_and_found_in_another_way(kind: Any) -> None:
    def within(sizes: Any, steps: int, most: float) -> Any:
        if _passes(sizes, steps, float("inf")).max() <= most:
            return kind(float("inf"))
        low, high = 0.0, 1.0  # of the exponent: Newton's or any other method would do
        for _ in range(60):
            middle = (low + high) / 2
            fits = _passes(sizes, steps, 1 / middle).max() <= most
            low, high = (low, middle) if fits else (middle, high)
        return kind(1 / high)

    assert exercises.check_temperature_within(within).passed


def test_a_temperature_that_forgets_the_smallest_is_told_so() -> None:
    told = exercises.check_temperature_within(lambda sizes, steps, most: 1.0).message
    assert "the smallest data set is read most" in told


@pytest.mark.parametrize("kind", [int, float, torch.tensor, np.int64])
def test_numbers_of_rows_may_be_of_any_type(kind: Any) -> None:
    def rows_of(step: int, steps: int, rows: int, first: float) -> Any:
        return kind(np.ceil(rows * training.competence(step, steps, first)).item())

    assert exercises.check_curriculum_rows(rows_of).passed


def _report(kind: Any, events: list[float], entities: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(events, entities)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"events": kind(events), "entities": kind(entities), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_neighbours_count_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [81.5, 80.25, 77.5], [39.5, 44.0, 47.25], shown)
    assert report["mean"] > 0
    assert exercises.check_neighbours(report).passed
    turned = exercises.check_neighbours(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_neighbours(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [71.0, 66.0, 70.0], [69.0, 68.5, 70.5], False)
    assert exercises.check_neighbours(report).passed
    assert "holds zero" in exercises.check_neighbours(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("events", "entities", "mean", "half_width", "shown"), ...)
    assert exercises.check_neighbours(empty).state == "unanswered"
