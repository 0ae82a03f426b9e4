"""Rows of one split that stand in another."""

from __future__ import annotations

import itertools
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import corpora


def split_of(**columns: list[Any]) -> datasets.Dataset:
    return datasets.Dataset.from_dict(columns)


def test_each_count_on_a_case_worked_by_hand() -> None:
    seen = split_of(premise=["A dog", "one", "Two"], hypothesis=["a cat", "two", "three"])
    rows = split_of(
        premise=["A dog", "a  DOG", "two", "one", "six", "six"],
        hypothesis=["a cat", "A cat", "one", "seven", "eight", "eight"],
    )
    found = corpora.overlap(seen, rows)
    # exact: row 0; normalised: and row 1; any order: and row 2; any text: and row 3.
    assert found == corpora.Overlap(6, exact=1, normalised=2, any_order=3, any_text=4, repeats=1)


def test_words_are_compared_one_by_one_where_it_is_to_be_exact() -> None:
    seen, rows = split_of(tokens=[["a b", "c"]]), split_of(tokens=[["a", "b c"], ["a b", "c"]])
    assert corpora.overlap(seen, rows) == corpora.Overlap(2, 1, 2, 2, 2, 0)


TEXTS = st.lists(st.tuples(*[st.sampled_from(["a", "A", "b", " b"])] * 2), min_size=1, max_size=8)


@given(TEXTS, TEXTS)
def test_counts_agree_with_comparing_all_pairs(
    seen: list[tuple[str, str]], rows: list[tuple[str, str]]
) -> None:
    def plain(pair: tuple[str, str]) -> list[str]:
        return [text.strip().lower() for text in pair]

    def count(equal: Any) -> int:
        return sum(any(equal(row, other) for other in seen) for row in rows)

    found = corpora.overlap(
        *(
            split_of(en=[pair[0] for pair in part], de=[pair[1] for pair in part])
            for part in (seen, rows)
        )
    )
    assert found.exact == count(lambda row, other: row == other)
    assert found.normalised == count(lambda row, other: plain(row) == plain(other))
    assert found.any_order == count(
        lambda row, other: plain(row) in map(list, itertools.permutations(plain(other)))
    )
    assert found.any_text == count(lambda row, other: bool(set(plain(row)) & set(plain(other))))
    assert found.repeats == sum(row in rows[:number] for number, row in enumerate(rows))


@pytest.mark.parametrize(
    ("seen", "rows", "texts", "error", "message"),
    [
        (None, split_of(text=["a"]), None, TypeError, "seen must be one split"),
        (split_of(text=["a"]), ["a"], None, TypeError, "rows must be one split"),
        (split_of(text=["a"]), split_of(text=["a"]), "nope", KeyError, "nope"),
        (split_of(other=["a"]), split_of(text=["a"]), None, KeyError, "text"),
        (split_of(id=[1]), split_of(id=[1]), None, ValueError, "no column of texts"),
    ],
)
def test_what_cannot_be_counted(
    seen: Any, rows: Any, texts: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        corpora.overlap(seen, rows, texts)
