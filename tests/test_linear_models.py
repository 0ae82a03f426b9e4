"""The linear models that networks are held to: what they see, and by what they are chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_utils.experiments import linear_models
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.text_set import Row, TextSet
from mtl_utils.tasks import Classification, PairClassification, Tagging

SPLITS = ("train", "validation", "test")


def measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: TextSet
) -> dict[str, float | str]:
    monkeypatch.setattr(linear_models, "load", lambda name, rows, seed: given)
    config = {"data": given.name, "rows": None}
    return linear_models.run(config, 0, Place(tmp_path, tmp_path))


def texts(rows: dict[str, list[tuple[str, int]]]) -> TextSet:
    splits = {s: [Row(text, {"kind": label}) for text, label in rows[s]] for s in SPLITS}
    return TextSet("made", {"kind": Classification}, {"kind": ("a", "b")}, splits)


def test_the_order_of_two_words_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [("Not good but bad", 0), ("not bad but good", 1)] * 10
    found = measured(monkeypatch, tmp_path, texts(dict.fromkeys(SPLITS, rows)))
    assert found["kind_accuracy"] == 100


def test_the_strength_is_that_which_is_best_on_validation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A rare word says more than a common one: whether it outweighs that depends on the strength.
    train = [("rare", 1), *[("common", 0)] * 9, *[("common", 1)] * 3]
    chosen = set()
    for label in (0, 1):
        rows = {"train": train, "validation": [("rare", label)], "test": [("rare", 1 - label)]}
        found = measured(monkeypatch, tmp_path, texts(rows))
        assert found["kind_accuracy"] == 0
        chosen.add(found["chosen"])
    assert len(chosen) == 2


def test_of_a_pair_what_stands_in_one_text_alone_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pairs = [("a man sleeps", "a man eats", 0), ("a man eats", "a man eats", 1)] * 5
    rows = [Row(first, {"kind": label}, second) for first, second, label in pairs]
    given = TextSet(
        "made", {"kind": PairClassification}, {"kind": ("a", "b")}, dict.fromkeys(SPLITS, rows)
    )
    assert measured(monkeypatch, tmp_path, given)["kind_accuracy"] == 100
    seen = linear_models._words_of(rows[0])
    assert sorted(seen) == [
        "1 only in the first",
        "1 only in the second",
        "first: sleeps",
        "second: eats",
    ]


def test_a_tagger_sees_two_words_on_either_side(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sentences = [("x near it here", [1, 0, 0, 0]), ("x far it there", [0, 0, 0, 0])] * 10
    rows = [Row(text.split(), {"names": tags}) for text, tags in sentences]
    given = TextSet(
        "made", {"names": Tagging}, {"names": ("O", "B-PER")}, dict.fromkeys(SPLITS, rows)
    )
    assert measured(monkeypatch, tmp_path, given)["names_f1"] == 100
