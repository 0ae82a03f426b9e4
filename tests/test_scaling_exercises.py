"""Right answers of other types, and the words of the checks, of the exercises of chapter 22."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mtl_utils import exercises, objectives, training

BY_HAND: dict[str, Any] = {
    "losses": [1.5, 2],
    "factors": [9 / 4, 3 / 4, 0],
    "megabytes": [160, 72],
    "alive": [88, 528],
    "sent": 7 / 4,
}
ROWS = [key for key, value in BY_HAND.items() if isinstance(value, list)]
KINDS = (list, tuple, np.array, torch.tensor)


def _logits(count: int, seed: int = 0) -> Tensor:
    made = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return made.double().requires_grad_()


def test_the_factors_worked_by_hand_give_the_gradient_of_the_whole_batch() -> None:
    logits, targets = _logits(8), torch.arange(8) % 3
    whole = objectives.scaled_loss(logits, targets, "token")
    (wanted,) = torch.autograd.grad(whole, logits)
    total = torch.zeros(())
    for rows, factor in zip((slice(0, 6), slice(6, 8)), BY_HAND["factors"], strict=False):
        total = total + factor * objectives.scaled_loss(logits[rows], targets[rows], "token")
    (found,) = torch.autograd.grad(total / len(BY_HAND["factors"]), logits)
    torch.testing.assert_close(found, wanted)


def test_the_losses_worked_by_hand_are_a_mean_of_all_labels_and_a_mean_of_means() -> None:
    paid, counted = torch.tensor([1.0, 1.0, 1.0, 3.0]), torch.ones(4, dtype=torch.bool)
    whole = objectives.scaled_mean(paid.sum(), counted, "token")
    parts = [
        objectives.scaled_mean(paid[rows].sum(), counted[rows], "token")
        for rows in (slice(0, 3), slice(3, 4))
    ]
    assert [float(whole), float(sum(parts) / 2)] == BY_HAND["losses"]


def test_the_megabytes_worked_by_hand_are_those_of_the_package() -> None:
    weights, layer, rest = 10, 1, 3  # in millions
    memory = training.Memory(4 * weights, 4 * weights, 8 * weights, 0)
    whole = memory.sharded(4).total + 8 * (layer + rest)
    assert [memory.total, whole] == BY_HAND["megabytes"]


def test_what_is_alive_by_hand_is_what_autograd_keeps() -> None:
    def layer(given: Tensor) -> Tensor:
        for _ in range(11):  # each keeps what it reads: the boundary, and ten tensors inside
            given = given.sin()
        return given

    def kept(again: bool, layers: int = 12) -> float:
        def forward() -> Tensor:
            hidden = torch.ones(1000, requires_grad=True)  # 4,000 bytes
            for _ in range(layers):
                hidden = checkpoint(layer, hidden, use_reentrant=True) if again else layer(hidden)
            return hidden

        return training.saved_bytes(forward) / 1000

    inside = kept(False, layers=1) - 4
    assert inside == 40
    assert [kept(True) + inside, kept(False)] == BY_HAND["alive"]


def test_what_a_ring_sends_by_hand_is_what_the_package_charges() -> None:
    cost = training.StepCost(constant=0.0, per_parameter=0.0, per_row=0.0, per_message=1.0)
    assert cost.seconds(8, 64, 1) == BY_HAND["sent"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {**BY_HAND, **{key: kind(BY_HAND[key]) for key in ROWS}}
    assert exercises.check_scaling_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_or_tensors() -> None:
    given = {**BY_HAND, "sent": Fraction(7, 4), "losses": [Fraction(3, 2), torch.tensor(2)]}
    assert exercises.check_scaling_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_scaling_by_hand({**BY_HAND, "factors": [9 / 4, 1 / 4, 0]}).message
    assert told.startswith("Number 2 of 'factors' is not 0.25.")
    assert "0.75" not in told
    told = exercises.check_scaling_by_hand({**BY_HAND, "sent": 2}).message
    assert told.startswith("'sent' is not 2.")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    whole: Any = [...] * len(BY_HAND[missing]) if missing in ROWS else ...
    for stub in (..., whole):
        given = {**BY_HAND, missing: stub}
        assert exercises.check_scaling_by_hand(given).state == "unanswered"


@pytest.mark.parametrize("kind", KINDS)
def test_factors_may_be_rows_of_any_kind(kind: Any) -> None:
    def factors(counts: Any) -> Any:
        found = {}
        for task, row in counts.items():
            if any(row):
                found[task] = kind((np.array(row) / np.mean(row)).tolist())
        return found

    assert exercises.check_step_factors(factors).passed


def test_feedback_on_factors_says_which_tasks_take_part() -> None:
    def everywhere(counts: Any) -> Any:
        return {t: [len(row) * c / max(1, sum(row)) for c in row] for t, row in counts.items()}

    told = exercises.check_step_factors(everywhere).message
    assert "'entities': [0, 0]" in told
    assert "takes no part" in told


@pytest.mark.parametrize("kind", KINDS)
def test_a_ring_may_be_found_in_another_way_and_given_in_any_form(kind: Any) -> None:
    def ring(rows: Any, steps: int) -> Any:
        given = np.array(rows)
        n = len(given)
        for process in range(n):
            for part in range(n):
                hops = (process - part) % n  # the part sets out at the process of its number
                if hops <= steps:
                    on_the_way = [(process - back) % n for back in range(hops + 1)]
                    given[process, part] = sum(rows[at][part] for at in on_the_way)
        return kind(given.tolist())

    assert exercises.check_ring_table(ring).passed


def test_a_ring_that_changes_what_it_is_given_is_no_worse() -> None:
    def ring(rows: Any, steps: int) -> Any:
        for step in range(steps):
            for process in range(len(rows)):
                part = (process - step) % len(rows)
                rows[(process + 1) % len(rows)][part] += rows[process][part]
        return rows

    assert exercises.check_ring_table(ring).passed
    assert exercises.check_ring_table(ring).passed


def _report(kind: Any, halved: list[float], weighed: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(halved, weighed)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"halved": kind(halved), "weighed": kind(weighed), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_half_volume_costs_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [30.0, 29.0, 32.0], [40.0, 38.0, 42.5], shown)
    assert report["mean"] < 0
    assert exercises.check_half_volume(report).passed
    turned = exercises.check_half_volume(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_half_volume(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [40.0, 38.5, 41.0], [40.5, 37.5, 43.0], False)
    assert report["mean"] < 0
    assert exercises.check_half_volume(report).passed
    assert "holds zero" in exercises.check_half_volume(report | {"shown": True}).message


@pytest.mark.parametrize("scores", [[40.0, 38.0, 42.5], [30.0, 28.0, 33.0]])
def test_half_volume_that_does_not_cost_is_named(scores: list[float]) -> None:
    report = _report(list, scores, [30.0, 29.0, 32.0], scores[0] == 40)
    assert report["mean"] >= 0
    told = exercises.check_half_volume(report).message
    assert "'halved' is above" in told or "'halved' is level" in told
    assert "swapped" in told


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("halved", "weighed", "mean", "half_width", "shown"), ...)
    assert exercises.check_half_volume(empty).state == "unanswered"
