"""A validation split carved out of train."""

from __future__ import annotations

from collections import Counter
from typing import Any

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import corpora


def rows_of(count: int) -> datasets.DatasetDict:
    train = datasets.Dataset.from_dict({"row": list(range(count))})
    return datasets.DatasetDict(train=train, test=datasets.Dataset.from_dict({"row": [-1]}))


@given(count=st.integers(2, 200), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 2**32 - 1))
def test_carving_partitions_the_training_rows(count: int, fraction: float, seed: int) -> None:
    if not 0 < round(count * fraction) < count:
        return
    carved = corpora.carve_validation(rows_of(count), fraction, seed)
    train, validation = carved["train"]["row"][:], carved["validation"]["row"][:]
    assert sorted(train + validation) == list(range(count))
    assert len(validation) == round(count * fraction)
    assert train == sorted(train)
    assert validation == sorted(validation)
    assert carved["test"]["row"][:] == [-1]


def test_carving_goes_by_the_seed_alone() -> None:
    draws = [
        corpora.carve_validation(rows_of(100), seed=seed)["validation"]["row"][:]
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, 0.001, 0.999, float("nan")])
def test_carving_refuses_fractions_that_empty_a_side(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"A fraction of {fraction} of 10 training rows"):
        corpora.carve_validation(rows_of(10), fraction)


def test_carving_refuses_where_there_is_a_validation_split_or_no_train() -> None:
    carved = corpora.carve_validation(rows_of(10))
    with pytest.raises(ValueError, match="expected 'train' and no 'validation' yet"):
        corpora.carve_validation(carved)
    with pytest.raises(ValueError, match=r"Found the splits \['test'\]"):
        corpora.carve_validation(datasets.DatasetDict(test=carved["test"]))


def train_of(**columns: list[Any]) -> datasets.DatasetDict:
    return datasets.DatasetDict(train=datasets.Dataset.from_dict(columns))


def sides(carved: datasets.DatasetDict, column: str) -> tuple[list[Any], list[Any]]:
    return carved["train"][column][:], carved["validation"][column][:]


def draw_row_by_row(rows: int, fraction: float, seed: int) -> list[int]:
    """The draw as it was before equal texts were kept together, written out again."""
    order = np.random.default_rng(seed).permutation(rows)
    return sorted(order[: round(rows * fraction)].tolist())


@given(count=st.integers(2, 200), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 2**32 - 1))
def test_different_texts_are_drawn_as_rows_are(count: int, fraction: float, seed: int) -> None:
    if not 0 < round(count * fraction) < count:
        return
    dataset = train_of(text=[f"text {row}" for row in range(count)], row=list(range(count)))
    expected = draw_row_by_row(count, fraction, seed)
    for texts in (None, (), "text"):
        carved = corpora.carve_validation(dataset, fraction, seed, texts=texts)
        assert carved["validation"]["row"][:] == expected


def test_texts_that_are_not_asked_for_may_stand_on_both_sides() -> None:
    dataset = train_of(text=["a"] * 10, row=list(range(10)))
    carved = corpora.carve_validation(dataset, 0.5, texts=())
    assert carved["validation"]["row"][:] == draw_row_by_row(10, 0.5, 0)


@given(
    texts=st.lists(st.sampled_from("abcdefghij"), min_size=10, max_size=60),
    seed=st.integers(0, 1000),
)
def test_equal_texts_stand_on_one_side(texts: list[str], seed: int) -> None:
    asked = round(0.4 * len(texts))
    if min(Counter(texts).values()) > asked or len(set(texts)) < 2:
        return
    train, validation = sides(corpora.carve_validation(train_of(text=texts), 0.4, seed), "text")
    assert sorted(train + validation) == sorted(texts)
    assert not set(train) & set(validation)
    assert asked - max(Counter(texts).values()) < len(validation) <= asked


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is a caf\u00e9 ?", "what is a  cafe\u0301 ?\n"),
        ("Stra\u00dfe", "STRASSE"),
        ("a\u00a0b", " a b"),
    ],
)
def test_equal_means_equal_after_case_space_and_composition(one: str, other: str) -> None:
    """With 30 rows in 15 pairs, a draw that told the two apart would split at least one pair."""
    texts = [f"{text} {number}" for number in range(15) for text in (one, other)]
    dataset = train_of(text=texts, number=[number for number in range(15) for _ in range(2)])
    for seed in range(3):
        train, validation = sides(corpora.carve_validation(dataset, 0.4, seed), "number")
        assert not set(train) & set(validation)
        assert len(validation) == 12


def test_words_and_pairs_are_compared_whole() -> None:
    words = [["a", str(number // 2)] for number in range(20)]
    train, validation = sides(corpora.carve_validation(train_of(tokens=words), 0.3), "tokens")
    assert not {tuple(w) for w in train} & {tuple(w) for w in validation}
    assert len(validation) == 6
    # The same premise may stand on both sides; the same pair, also the other way round, may not.
    first = ["p", "h0", "p", "h1", "p", "h2", "p", "h3", "p", "h4"]
    second = ["h0", "p", "h1", "p", "h2", "p", "h3", "p", "h4", "p"]
    dataset = train_of(premise=first, hypothesis=second, pair=[n // 2 for n in range(10)])
    train, validation = sides(corpora.carve_validation(dataset, 0.4), "pair")
    assert not set(train) & set(validation)
    assert len(validation) == 4
    by_premise = train_of(premise=["p", "p", "q", "q"], hypothesis=["a", "b", "c", "d"])
    train, validation = sides(corpora.carve_validation(by_premise, 0.5, texts="premise"), "premise")
    assert {*train, *validation} == {"p", "q"}
    assert len(set(validation)) == 1


@given(
    labels=st.lists(st.integers(0, 7), min_size=20, max_size=120),
    seed=st.integers(0, 1000),
    fraction=st.floats(0.05, 0.9),
)
def test_every_label_has_its_share(labels: list[int], seed: int, fraction: float) -> None:
    if not 0 < round(fraction * len(labels)) < len(labels):
        return
    carved = corpora.carve_validation(
        train_of(label=labels, text=[str(n) for n in range(len(labels))]),
        fraction,
        seed,
        stratify="label",
    )
    train, validation = (Counter(part) for part in sides(carved, "label"))
    for label, count in Counter(labels).items():
        assert train[label] + validation[label] == count
        assert train[label] > 0
        assert (validation[label] > 0) == (count > 1)
        share = round(fraction * len(labels)) * count / len(labels)
        assert abs(validation[label] - share) <= 1 or validation[label] in (1, count - 1)


def test_rare_labels_do_not_fall_out_whatever_the_seed() -> None:
    labels = ["common"] * 196 + ["rare"] * 4
    dataset = train_of(label=labels, text=[str(number) for number in range(200)])
    missing = 0
    for seed in range(20):
        plain = corpora.carve_validation(dataset, 0.1, seed)["validation"]["label"][:]
        missing += "rare" not in plain
        carved = corpora.carve_validation(dataset, 0.1, seed, stratify="label")
        assert Counter(carved["validation"]["label"][:]) == {"common": 19, "rare": 1}
    assert missing > 5  # and without stratify it does, so that the test can fail


def test_a_label_of_few_long_groups_has_its_smallest_one_in_validation() -> None:
    texts = ["x"] * 3 + ["y"] * 2 + [str(number) for number in range(15)]
    labels = ["rare"] * 5 + ["common"] * 15
    carved = corpora.carve_validation(train_of(text=texts, label=labels), 0.1, stratify="label")
    assert Counter(carved["validation"]["text"][:])["y"] == 2
    assert "x" not in carved["validation"]["text"][:]


def test_stratified_groups_stay_together() -> None:
    texts = [str(number % 25) for number in range(100)]
    labels = [number % 5 for number in range(100)]
    for seed in range(5):
        dataset = train_of(text=texts, label=labels)
        carved = corpora.carve_validation(dataset, 0.2, seed, stratify="label")
        train, validation = sides(carved, "text")
        assert not set(train) & set(validation)
        assert Counter(carved["validation"]["label"][:]) == dict.fromkeys(range(5), 4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fraction": "0.1"}, TypeError, "fraction must be a number between 0 and 1, got '0.1'"),
        ({"fraction": None}, TypeError, "fraction must be a number"),
        ({"fraction": True}, TypeError, "fraction must be a number"),
        ({"seed": None}, TypeError, "seed must be a whole number at least 0, got NoneType None"),
        ({"seed": 0.5}, TypeError, "seed must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"texts": "nope"}, KeyError, "nope"),
        ({"texts": ["text", "text"]}, ValueError, "names a column twice"),
        ({"texts": 5}, TypeError, "texts must be names of columns"),
        ({"stratify": "nope"}, KeyError, "nope"),
        ({"stratify": 5}, TypeError, "stratify must be the name of a column"),
        ({"stratify": "tags"}, ValueError, "must be a column of single labels"),
    ],
)
def test_arguments_that_mean_nothing(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    dataset = train_of(text=list("abcdefghij"), tags=[[0]] * 10)
    with pytest.raises(error, match=message):
        corpora.carve_validation(dataset, **arguments)


def test_what_is_no_set_of_splits() -> None:
    rows = rows_of(10)["train"]
    for dataset in (rows, None, [rows], {"train": [1, 2]}):
        with pytest.raises(TypeError, match=r"dataset must be a datasets\.DatasetDict"):
            corpora.carve_validation(dataset)  # type: ignore[arg-type]


def test_one_text_alone_cannot_be_split() -> None:
    with pytest.raises(ValueError, match=r"fewer than have the same text.*texts=\(\)"):
        corpora.carve_validation(train_of(text=["a"] * 10))


def test_several_texts_without_a_customary_name_are_asked_for() -> None:
    dataset = train_of(query=list("abcdef"), passage=list("uvwxyz"))
    with pytest.raises(ValueError, match=r"text columns \['query', 'passage'\].*texts="):
        corpora.carve_validation(dataset, 0.5)
    assert corpora.carve_validation(dataset, 0.5, texts=["query", "passage"])["train"].num_rows == 3
