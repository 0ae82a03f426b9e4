"""Tiny parquet files of a tiny data set, so that the tests of errors run everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from mtl_utils.corpora.entry import Column, Config, Entry, PartialCopy

TAGS = ("O", "B-PER", "I-PER")
TOPICS = ("sport", "politics")

COLUMNS = (
    Column("tokens", "string", "words", sequence=True),
    Column("ner_tags", "label", "entities", names=TAGS, sequence=True),
    Column("topic", "label", "topic", names=TOPICS, unlabelled=("test",)),
    Column("score", "float32", "score", bounds=(0.0, 5.0), unlabelled=("test",)),
)

TINY = Entry(
    name="tiny",
    task="testing",
    hub_id="nobody/tiny",
    revision="main",
    licence="CC0 1.0",
    is_open="yes",
    citations=("karpathy2015char",),
    default_config="default",
    configs={
        "default": Config(
            COLUMNS,
            {"train": 3, "test": 2},
            partial_copy=PartialCopy("cut for the test", rows={"train": 1}, absent=("test",)),
        ),
        "other": Config(COLUMNS, {"validation": 2}),
    },
)

Cells = dict[str, list[Any]]
Write = Callable[..., Path]


def cells(rows: int, **replaced: list[Any]) -> Cells:
    """Valid cells of the tiny data set, or with some columns replaced."""
    return {
        "tokens": [["Ada", "Lovelace", "wrote"]] * rows,
        "ner_tags": [[1, 2, 0]] * rows,
        "topic": [row % 2 for row in range(rows)],
        "score": [float(row) for row in range(rows)],
        **replaced,
    }


def features(**replaced: Any) -> dict[str, Any]:
    return {**{column.name: column.feature for column in COLUMNS}, **replaced}


def write_table(path: Path, columns: Cells, declared: Mapping[str, Any] | None) -> Path:
    """Write a parquet file, with the features in its metadata where they are given.

    Arrow, unlike ``datasets``, also writes labels outside the declared names.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = datasets.Features(declared).arrow_schema if declared is not None else None
    pq.write_table(pa.table(columns, schema=schema), path)
    return path
