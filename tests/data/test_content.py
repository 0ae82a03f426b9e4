"""Digests by content: equal where the batches are equal, different where one number is."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.data import BatchLoader, Example
from mtl_utils.data.content import examples_digest, rows_digest, tensor_digest, text_digest

ROWS: list[Any] = [
    [],
    [[]],
    [[], []],
    [[1]],
    [[1], []],
    [[], [1]],
    [[1, 2]],
    [[1], [2]],
    [[2], [1]],
    [1, 2],
    [12],
    [1.0, 2.0],
    [[1.0, 2.0]],
    [None, 1],
    [1, None],
    [0, 1],
    [[None, 1]],
    [True, False],
    ["1", "2"],
    ["12"],
    [["12"]],
    [["1", "2"]],
    ["1", ""],
    ["", "1"],
    [[[1], [2]]],
    [[[1, 2]]],
    [2**70],
    [1, 1.5],
    [1, "1"],
    ["\ud800"],
    [float("nan")],
]


def test_what_differs_has_another_digest() -> None:
    digests = [rows_digest(rows) for rows in ROWS]
    for (one, first), (other, second) in itertools.combinations(zip(ROWS, digests, strict=True), 2):
        assert first != second, (one, other)
    assert digests == [rows_digest(rows) for rows in ROWS]


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), max_size=5))
def test_it_does_not_matter_what_numbers_are_kept_in(rows: list[list[int]]) -> None:
    expected = rows_digest(rows)
    assert rows_digest([np.array(row, np.int64) for row in rows]) == expected
    assert rows_digest([torch.tensor(row, dtype=torch.int64) for row in rows]) == expected
    assert rows_digest(tuple(tuple(row) for row in rows)) == expected
    mixed = [row if place % 2 else np.array(row, np.int64) for place, row in enumerate(rows)]
    assert rows_digest(mixed) == expected


@given(st.data())
def test_one_number_changes_the_digest(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(st.integers(0, 3), min_size=1), min_size=1, max_size=5))
    before = rows_digest(rows)
    row = data.draw(st.integers(0, len(rows) - 1))
    rows[row][data.draw(st.integers(0, len(rows[row]) - 1))] += 1
    assert rows_digest(rows) != before


EXAMPLE = Example([1, 2], {"tags": [0, 1], "topic": 2}, [0, 1], [[1], [2, 3]])


@pytest.mark.parametrize(
    "change",
    [
        {"input_ids": [1, 3]},
        {"labels": {"tags": [0, 1], "topic": 1}},
        {"labels": {"tags": [0, -100], "topic": 2}},
        {"labels": {"tags": [0, 1]}},
        {"labels": {"topic": 2, "tags": [0, 1]}},  # the order in which losses are added
        {"labels": {"tags": [0, 1], "other": 2}},
        {"labels": {}},
        {"labels": {"tags": [0, 1], "topic": 2.0}},
        {"segment_ids": [0, 0]},
        {"segment_ids": None},
        {"character_ids": [[1, 2], [3]]},
        {"character_ids": None},
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_every_part_of_every_example_counts(change: dict[str, Any], place: int) -> None:
    examples = [EXAMPLE] * 3
    before = examples_digest(examples)
    examples[place] = replace(EXAMPLE, **change)
    assert examples_digest(examples) != before


def test_a_label_corrected_in_place_changes_the_digest_of_a_loader() -> None:
    loader = BatchLoader([Example([1, 2], {"tags": [0, 1]}) for _ in range(40)], batch_size=8)
    before = loader.digest()
    assert loader.digest() == before
    loader.examples[-1].labels["tags"][1] = 0
    assert loader.digest() != before


def test_a_tensor_counts_with_its_type_and_shape() -> None:
    ones = torch.ones(2, 3)
    others = [
        torch.ones(3, 2),
        torch.ones(6),
        ones.double(),
        ones.bfloat16(),
        ones.int(),
        ones.bool(),
        torch.ones(2, 3).index_fill(1, torch.tensor([2]), 0.5),
        torch.ones(()),
        torch.ones(0, 3),
    ]
    assert len({tensor_digest(tensor) for tensor in (ones, *others)}) == len(others) + 1
    strided = torch.ones(3, 4).t()[:2].contiguous().as_strided((2, 3), (3, 1))
    assert tensor_digest(strided) == tensor_digest(torch.ones(2, 3).t().contiguous().t())
    assert tensor_digest(ones.to_sparse()) == tensor_digest(ones)


def test_any_text_has_a_digest() -> None:
    assert text_digest("\ud800") != text_digest("\ud801")
    assert text_digest("") == text_digest("")
