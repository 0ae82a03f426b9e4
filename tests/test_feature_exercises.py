"""Right answers of other types, and the words of the checks, of the exercises of chapter 19."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises, interpretation

BY_HAND: dict[str, Any] = {
    "selectivity": 14,
    "bits": 7,
    "compression": 8 / 7,
    "alike": 0.75,
    "contributions": [4, 8],
    "fall": 1.5 * math.log(2),
    "erased": [1, -1],
}
KINDS = (list, tuple, np.array, torch.tensor)


def test_the_selectivity_and_the_compression_worked_by_hand_are_those_of_the_package() -> None:
    found = interpretation.Selectivity(accuracy=36 / 50, control=29 / 50, known=0.7)
    assert math.isclose(100 * found.value, BY_HAND["selectivity"])
    code = interpretation.DescriptionLength(BY_HAND["bits"], 4 * math.log2(4), (4.0, 3.0))
    assert math.isclose(code.compression, BY_HAND["compression"])


def test_the_bits_worked_by_hand_are_a_pass_over_the_labels() -> None:
    sent, bits = 0, 0.0
    for portion in ([None, None], [1.0, 0.25]):
        for likely in portion:
            smoothed = 1 / 4 if likely is None else (sent * likely + 1) / (sent + 4)
            bits -= math.log2(smoothed)
        sent += len(portion)
    assert bits == BY_HAND["bits"]


def test_the_alignment_worked_by_hand_is_that_of_the_package() -> None:
    x, y = torch.tensor([[0.0], [2.0], [4.0]]), torch.tensor([[1.0], [1.0], [4.0]])
    assert math.isclose(interpretation.linear_cka(x, y), BY_HAND["alike"], rel_tol=1e-6)


def test_the_contributions_worked_by_hand_are_an_integral_along_the_path() -> None:
    start, end = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 4.0])
    total = torch.zeros(2)
    for step in range(100):
        at = (start + (step + 0.5) / 100 * (end - start)).requires_grad_()
        total += torch.autograd.grad(at.prod(), at)[0] / 100
    assert torch.allclose((end - start) * total, torch.tensor([4.0, 8.0]), atol=1e-4)
    assert sum(BY_HAND["contributions"]) == 3 * 4 - 1 * 0  # complete


def test_the_fall_worked_by_hand_is_that_of_the_package() -> None:
    curve = torch.tensor([[0.8, 0.4, 0.2]], dtype=torch.double).log()
    assert math.isclose(interpretation.mean_drop(curve).item(), BY_HAND["fall"])


def test_the_state_worked_by_hand_has_no_product_with_the_direction() -> None:
    erased, state = np.array(BY_HAND["erased"]), np.array([3, 1])
    assert erased @ [2, 2] == 0
    moved = state - erased
    assert moved[0] * 2 - moved[1] * 2 == 0  # it has moved along the direction alone


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {**BY_HAND, "contributions": kind([4.0, 8.0]), "erased": kind([1.0, -1.0])}
    assert exercises.check_features_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "compression": Fraction(8, 7), "alike": torch.tensor(0.75)}
    assert exercises.check_features_by_hand(given).passed
    assert exercises.check_features_by_hand({**given, "fall": 1.04, "bits": np.int64(7)}).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_features_by_hand({**BY_HAND, "alike": 0.9, "fall": 2}).message
    assert told.startswith("'alike' is not 0.9.")
    assert "0.75" not in told
    told = exercises.check_features_by_hand({**BY_HAND, "erased": [1, 1]}).message
    assert told.startswith("Number 2 of 'erased' is not 1.")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_features_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_a_number_of_bits_may_be_of_any_type(kind: Any) -> None:
    def bits(first: int, labels: int, portions: Any) -> Any:
        ends = list(itertools.accumulate(map(len, portions), initial=first))
        found = [-np.log2(np.full(first, 1 / labels)).sum()]
        for sent, portion in zip(ends, portions, strict=False):
            likely = np.asarray(portion, dtype=float)
            found.append(-np.log2((sent * likely + 1) / (sent + labels)).sum())
        return kind(sum(found))

    assert exercises.check_online_bits(bits).passed


def test_the_bits_that_are_asked_for_are_those_of_the_package() -> None:
    """States that say nothing but the label: the probes of the package, smoothed by hand."""
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 0, 1])
    states = torch.nn.functional.one_hot(labels, 2).double()
    code = interpretation.online_code(states, labels, shares=(0.25, 0.5, 1.0), strength=0.1)
    portions = []
    for begin, end in ((2, 4), (4, 8)):
        probe = interpretation.fit_probe(states[:begin], labels[:begin], strength=0.1)
        likely = probe.log_probabilities(states[begin:end]).exp()
        portions.append(likely.gather(1, labels[begin:end, None])[:, 0].tolist())
    total = 2 * math.log2(2)
    for sent, portion in zip((2, 4), portions, strict=True):
        total -= sum(math.log2((sent * p + 1) / (sent + 2)) for p in portion)
    assert math.isclose(total, code.online, rel_tol=1e-6)


@pytest.mark.parametrize("kind", [torch.Tensor.float, torch.Tensor.numpy, torch.Tensor.tolist])
def test_states_without_directions_may_be_of_any_kind(kind: Any) -> None:
    def without(states: torch.Tensor, directions: torch.Tensor) -> Any:
        return kind(states - states @ torch.linalg.pinv(directions) @ directions)

    assert exercises.check_without_directions(without).passed


def _report(kind: Any, free: list[float], uniform: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(free, uniform)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"free": kind(free), "uniform": kind(uniform), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_a_choice_costs_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [82.0, 84.5, 81.0], [87.0, 89.0, 86.5], shown)
    assert report["mean"] < 0
    assert exercises.check_uniform_attention(report).passed
    turned = exercises.check_uniform_attention(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_uniform_attention(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [86.0, 88.5, 87.0], [87.0, 86.0, 86.5], False)
    assert exercises.check_uniform_attention(report).passed
    assert "holds zero" in exercises.check_uniform_attention(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("free", "uniform", "mean", "half_width", "shown"), ...)
    assert exercises.check_uniform_attention(empty).state == "unanswered"
