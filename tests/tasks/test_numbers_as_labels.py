"""Whole numbers in a row, where the labels of a task are whole numbers too: they are names."""

from __future__ import annotations

import datasets
import numpy as np
import pytest

from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.tasks import Classification, MultiLabel, Tagging, balanced_weights

STARS = ("1", "2", "3", "4", "5")
READ = EncodedText([7, 8], [0, 1], None, 2, 0)


@pytest.mark.parametrize(
    ("labels", "cell", "position"),
    [
        (STARS, 5, 4),  # the name of the last label, no id
        (STARS, 1, 0),
        (STARS, np.int64(2), 1),
        (("-1", "0", "1"), -1, 0),
        (("-1", "0", "1"), 0, 1),
        (("2", "1", "0"), 2, 0),
        (("0", "1", "2"), 2, 2),
        (("bad", "good"), 1, 1),  # names are no numbers, so a number is an id
        (("1", "good"), 1, 1),
        (("01", "02"), 1, 1),
    ],
)
def test_a_number_is_the_name_that_it_is_written_as(
    labels: tuple[str, ...], cell: int, position: int
) -> None:
    task = Classification("stars", labels, label="stars")
    assert task.target({"stars": cell}, READ) == position
    assert task.target({"stars": labels[position]}, READ) == position


def test_a_number_that_is_no_label_is_refused() -> None:
    task = Classification("stars", STARS, label="stars")
    with pytest.raises(KeyError, match="'0' is not a label of 'stars'"):
        task.target({"stars": 0}, READ)
    with pytest.raises(ValueError, match="-1 stands for that only in a column of datasets"):
        task.target({"stars": -1}, READ)
    with pytest.raises(TypeError, match="Numbers must be integers"):
        task.target({"stars": 1.0}, READ)


def test_what_a_head_predicts_are_ids() -> None:
    task = Classification("stars", STARS)
    assert task.named([4, 0]) == ["5", "1"]
    assert task.metrics([4, 0], [4, 1])["accuracy"] == 0.5


def test_several_numbers_a_row() -> None:
    several = MultiLabel("stars", STARS, labels_column="stars")
    assert several.target({"stars": [1, 5]}, READ) == [1, 0, 0, 0, 1]
    assert several.target({"stars": np.array([2])}, READ) == [0, 1, 0, 0, 0]
    truths = MultiLabel("stars", STARS, labels_column="stars", vector=True)
    assert truths.target({"stars": [0, 1, 0, 0, 1]}, READ) == [0, 1, 0, 0, 1]
    tags = Tagging("depth", STARS, tags="depth")
    assert tags.target({"depth": [2, None]}, READ) == [1, -100]


def test_weights_count_the_same_labels() -> None:
    assert balanced_weights(STARS, [5, 5, 5, 4]) == {"4": 2.0, "5": 2 / 3}


def test_a_class_label_column_is_read_by_its_names() -> None:
    feature = datasets.Features({"stars": datasets.ClassLabel(names=list(STARS))})
    column = datasets.Dataset.from_dict({"stars": [4, 0]}, features=feature)["stars"]
    assert balanced_weights(STARS, column) == {"1": 1.0, "5": 1.0}
