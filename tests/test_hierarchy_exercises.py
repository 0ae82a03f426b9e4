"""Right answers of other types, and the words of the checks, of the exercises of chapter 09."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl_utils import data, exercises, nn, sharing

BY_HAND: dict[str, Any] = {
    "moved": [4, 3, 3, 1],
    "labels": [1, 2],
    "stitched": [9, 2],
    "share": 2 / 11,
    "taken": [2, 3],
}
KINDS = (list, tuple, np.array, torch.tensor)


def _batch() -> data.Batch:
    return data.collate([data.Example([1, 2, 3], {})])


def _encoder(num_layers: int) -> nn.BiLSTMEncoder:
    return nn.BiLSTMEncoder(9, 2, num_layers, dropout=0.0)


def _says(network: Any, place: int, task: str, numbers: list[float]) -> None:
    """Let a layer make the same states at each word, whatever it reads."""
    made = torch.tensor(numbers)
    layer = network.layers[place][task]
    layer.register_forward_hook(lambda *call: made.expand_as(call[-1]))


def _first_word(hidden: Tensor) -> list[float]:
    return [round(number, 4) for number in hidden[0, 0].tolist()]


def test_the_layers_counted_by_hand_are_those_that_gradients_reach() -> None:
    depth = {"tags": 1, "entities": 3, "relations": 3, "event": 4}
    ladder = sharing.HierarchicalSharing(_encoder(4), depth)
    hidden = ladder(_batch(), list(depth)).hidden
    moved = [0, 0, 0, 0]
    for task in depth:
        loss = hidden[task].square().sum()
        for place, layer in enumerate(ladder.layers):
            weights = list(layer.parameters())
            settings = {"retain_graph": True, "materialize_grads": True}
            found = torch.autograd.grad(loss, weights, **settings)
            moved[place] += any(bool(g.abs().max() > 0) for g in found)
    assert moved == BY_HAND["moved"]


def test_the_mean_of_labels_worked_by_hand_is_that_under_a_softmax() -> None:
    logits = torch.tensor([2.0, 1.0, 1.0]).log()
    vectors = torch.tensor([[4.0, 0.0], [0.0, 4.0], [-4.0, 4.0]])
    assert np.allclose(logits.softmax(0) @ vectors, BY_HAND["labels"])


def test_the_mixture_and_the_share_worked_by_hand_are_those_of_the_package() -> None:
    stitches = sharing.CrossStitch({"a": _encoder(1), "b": _encoder(1)})
    _says(stitches.network, 0, "a", [10.0, 0.0])
    _says(stitches.network, 0, "b", [0.0, 20.0])
    with torch.no_grad():
        stitches.stitches.copy_(torch.tensor([[[0.9, 0.1], [0.3, 0.7]]]))
        assert _first_word(stitches(_batch(), ["a"]).hidden["a"]) == BY_HAND["stitched"]
        stitches.stitches.copy_(torch.tensor([[[0.9, 0.2], [0.3, 1.4]]]))
    _says(stitches.network, 0, "b", [0.0, 10.0])
    found = stitches(_batch(), ["a", "b"]).hidden
    assert _first_word(found["a"]) == BY_HAND["stitched"]
    assert _first_word(found["b"]) == [3, 14]  # the other reads what it read, too
    assert np.isclose(stitches.weight_on_others()[0, 0], BY_HAND["share"])


def test_the_layers_taken_by_hand_are_those_of_a_sluice_network() -> None:
    sluice = sharing.SluiceNetwork({"a": _encoder(2), "b": _encoder(2)}, own=1.0)
    _says(sluice.network, 0, "a", [1.0, 0.0])
    _says(sluice.network, 1, "a", [0.0, 6.0])
    sluice.mixtures["a"].data = torch.tensor([2.0, 0.5])
    assert _first_word(sluice(_batch(), ["a"]).hidden["a"]) == BY_HAND["taken"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    rows = {key: kind(row) for key, row in BY_HAND.items() if isinstance(row, list)}
    assert exercises.check_ladder_by_hand({**BY_HAND, **rows}).passed


@pytest.mark.parametrize("share", [Fraction(2, 11), 0.18, torch.tensor(0.1818), np.float32(0.18)])
def test_a_share_worked_by_hand_may_be_a_fraction_or_rounded(share: Any) -> None:
    assert exercises.check_ladder_by_hand({**BY_HAND, "share": share}).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_ladder_by_hand({**BY_HAND, "moved": [4, 3, 2, 1], "share": 1}).message
    assert told.startswith("Number 3 of 'moved' is not 2.")
    assert "[4, 3, 3" not in told
    told = exercises.check_ladder_by_hand({**BY_HAND, "share": 0.1}).message
    assert told.startswith("'share' is not 0.1.")
    assert "0.18" not in told


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_ladder_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [Tensor.tolist, Tensor.numpy, Tensor.double])
def test_a_held_minimum_may_be_of_any_kind(kind: Any) -> None:
    def held(optimum: Any, curvature: Any, before: Any, strength: float) -> Any:
        part = 2 * strength / (curvature + 2 * strength)
        return kind(optimum + part * (before - optimum))

    assert exercises.check_held_minimum(held).passed


@pytest.mark.parametrize("kind", [int, float, np.int64, torch.tensor])
def test_a_number_of_trees_may_be_of_any_type(kind: Any) -> None:
    def divisions(items: list[int]) -> list[list[list[int]]]:
        if not items:
            return [[]]
        first, found = items[0], []
        for parts in divisions(items[1:]):
            found.append([[first], *parts])
            for place, part in enumerate(parts):
                found.append([*parts[:place], [first, *part], *parts[place + 1 :]])
        return found

    def trees(group: list[int], layers: int) -> int:
        if layers == 0:
            return 1
        below = [[trees(part, layers - 1) for part in parts] for parts in divisions(group)]
        return int(sum(np.prod(counts) for counts in below))

    def count(num_tasks: int, num_layers: int) -> Any:
        return kind(trees(list(range(num_tasks)), num_layers))

    assert exercises.check_count_trees(count).passed
    assert count(5, 3) == 1304  # as the exercise says


def _report(kind: Any, words: list[float], layer: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(words, layer)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"words": kind(words), "layer": kind(layer), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [False, np.False_, torch.tensor(False)])
def test_a_report_that_shows_nothing_is_right(kind: Any, shown: Any) -> None:
    report = _report(kind, [87.5, 86.0, 88.0], [87.0, 87.0, 86.5], shown)
    assert exercises.check_event_from_words(report).passed
    assert "holds zero" in exercises.check_event_from_words(report | {"shown": True}).message


def test_a_report_in_which_the_layer_is_needed_keeps_its_sign() -> None:
    report = _report(list, [48.0, 47.0, 51.0], [57.0, 55.0, 60.5], True)
    assert report["mean"] < 0
    assert exercises.check_event_from_words(report).passed
    turned = exercises.check_event_from_words(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_event_from_words(report | {"shown": False}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("words", "layer", "mean", "half_width", "shown"), ...)
    assert exercises.check_event_from_words(empty).state == "unanswered"
