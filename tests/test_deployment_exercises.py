"""Right answers of other types, and the words of the checks, of the exercises of chapter 23."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from onnxruntime.quantization import quant_utils  # type: ignore[import-untyped]
from scipy import stats

from mtl_utils import exercises, nn, objectives, tasks

BY_HAND: dict[str, Any] = {
    "ratio": 7 / 3,
    "gradient": [-0.5, 0.5],
    "loss": 0.8,
    "quantised": [0.1, 50, 62, 1.2],
    "sure": [2 / 3, 16 / 17],
}
ROWS = [key for key, value in BY_HAND.items() if isinstance(value, list)]
KINDS = (list, tuple, np.array, torch.tensor)


def test_the_ratio_worked_by_hand_is_one_of_parameters() -> None:
    encoder, *heads = (torch.nn.Linear(size, 1, bias=False) for size in (16, 1, 3, 4))
    separate = sum(nn.count_parameters(torch.nn.ModuleList([encoder, head])) for head in heads)
    joint = nn.count_parameters(torch.nn.ModuleList([encoder, *heads]))
    assert separate / joint == BY_HAND["ratio"]


def test_the_gradient_worked_by_hand_is_that_of_the_package() -> None:
    student = torch.zeros(1, 2, requires_grad=True)
    teacher = torch.tensor([[2 * math.log(3), 0.0]])
    objectives.distillation_loss(student, teacher, temperature=2.0).backward()
    assert student.grad is not None
    assert np.allclose(student.grad[0], BY_HAND["gradient"])


def test_the_loss_worked_by_hand_has_the_share_of_the_package() -> None:
    share = objectives.annealed_share(1, 5)
    assert np.isclose(share * 2 + (1 - share) * 0.4, BY_HAND["loss"])


def test_the_weight_quantised_by_hand_is_quantised_so_by_the_runtime() -> None:
    least, most = np.float32(-5), np.float32(20.5)
    offset, scale = quant_utils.compute_scale_zp(least, most, np.uint8(0), np.uint8(255))
    whole = round(1.234 / float(scale)) + int(offset)
    found = [float(scale), int(offset), whole, float(scale) * (whole - int(offset))]
    assert np.allclose(found, BY_HAND["quantised"], rtol=1e-3)


def test_the_probabilities_worked_by_hand_are_those_of_a_head_with_a_temperature() -> None:
    head = tasks.Classification("kind", ("a", "b"), pooling="mean").head(2)
    scores = torch.tensor([[math.log(0.8), math.log(0.2)]])
    found = []
    for temperature in (2.0, 0.5):
        head.temperature = torch.tensor(temperature)
        found.append(float(head.tempered(scores).softmax(dim=-1)[0, 0]))
    assert np.allclose(found, BY_HAND["sure"])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {**BY_HAND, **{key: kind(BY_HAND[key]) for key in ROWS}}
    assert exercises.check_deployment_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "ratio": Fraction(7, 3), "sure": [0.67, torch.tensor(0.94)]}
    assert exercises.check_deployment_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    wrong = {**BY_HAND, "quantised": [0.1, 50, 12, 1.2], "sure": [0, 0]}
    told = exercises.check_deployment_by_hand(wrong).message
    assert told.startswith("Number 3 of 'quantised' is not 12.")
    assert "62" not in told


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    whole: Any = [...] * len(BY_HAND[missing]) if missing in ROWS else ...
    for stub in (..., whole):
        given = {**BY_HAND, missing: stub}
        assert exercises.check_deployment_by_hand(given).state == "unanswered"


@pytest.mark.parametrize("kind", KINDS)
def test_batches_may_be_of_any_kind(kind: Any) -> None:
    def shared(sizes: Any, most: int) -> Any:
        batches: list[list[int]] = []
        open_to = list(range(len(sizes)))
        while open_to:
            taken, room = [open_to[0]], most - sizes[open_to[0]]
            for place in open_to[1:]:
                if sizes[place] <= room:
                    taken.append(place)
                    room -= sizes[place]
            batches.append([sizes[place] for place in taken])
            open_to = [place for place in open_to if place not in taken]
        return tuple(kind(batch) for batch in batches)

    assert exercises.check_shared_batches(shared).passed


@pytest.mark.parametrize("kind", KINDS)
def test_adjusted_chances_are_those_of_another_library_in_any_form(kind: Any) -> None:
    def adjusted(chances: Any) -> Any:
        return kind(stats.false_discovery_control(chances, method="bh").tolist())

    assert exercises.check_adjusted_chances(adjusted).passed


def _report(kind: Any, taught: list[float], labels: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(taught, labels)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"taught": kind(taught), "labels": kind(labels), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_teachers_cost_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [71.0, 72.5, 70.0], [80.0, 81.0, 79.5], shown)
    assert report["mean"] < 0
    assert exercises.check_teachers_or_labels(report).passed
    turned = exercises.check_teachers_or_labels(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_teachers_or_labels(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [80.5, 79.0, 81.0], [80.0, 81.0, 79.5], False)
    assert exercises.check_teachers_or_labels(report).passed
    assert "holds zero" in exercises.check_teachers_or_labels(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("taught", "labels", "mean", "half_width", "shown"), ...)
    assert exercises.check_teachers_or_labels(empty).state == "unanswered"
