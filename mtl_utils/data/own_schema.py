"""Checks of a data set outside the registry, against its own schema.

Nothing is declared for such a data set but what its files say of themselves, so the checks are:
all parts have the same columns, types and label names; no split is empty; label ids lie within the
names; and what annotates tokens has one item per token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.data import schema
from mtl_utils.data.errors import LabelError, SchemaError

__all__ = ["check_own_content", "common_features"]

_LABEL_NAME = re.compile(r"(.*_)?(labels?|tags?|intent|upos)", re.IGNORECASE)
_WORD_ANNOTATION = re.compile(
    r"(.*_)?(tags|upos|xpos|lemmas|feats|heads?|deprels?|deps|misc)", re.IGNORECASE
)


def common_features(found: Mapping[str, list[datasets.Features]], where: str) -> datasets.Features:
    """Features that all files of a data set share.

    Args:
        found: Features of each file of each split.
        where: What was read, for the message.

    Raises:
        SchemaError: If two files differ.
    """
    first_split, (first, *_) = next(iter(found.items()))
    for split, parts in found.items():
        for features in parts:
            schema.check_features(
                features, first, f"{where}, split {split!r} (compared with split {first_split!r})"
            )
    return first


def check_own_content(
    tables: Mapping[str, pa.Table], features: datasets.Features, where: str
) -> None:
    """Check the cells of all splits.

    In a single label, -1 is the Hub's convention for a hidden or missing one and allowed; in a list
    of labels it is not. An integer column without names, but named like a label, may hold in other
    splits no id above the largest in ``train``.

    Args:
        tables: Rows of each split.
        features: Features of all of them.
        where: What was read, for the message.

    Raises:
        SchemaError: If a label is missing, or tokens or their annotation are not lists.
        LabelError: If a label id is outside the declared set.
        AlignmentError: If tokens and their annotation differ in length.
    """
    annotations = _word_annotations(features, where)
    for split, table in tables.items():
        place = f"{where}, split {split!r}"
        schema.check_aligned(table, annotations, place)
        for name, feature in features.items():
            _check_column(tables, name, feature, split, f"{place}, column {name!r}")


def _word_annotations(features: Mapping[str, Any], where: str) -> list[str]:
    """``tokens`` and the columns that annotate them."""
    if "tokens" not in features:
        return []
    if schema.describe(features["tokens"]) != "list of string":
        raise SchemaError(
            f"{where}, column 'tokens': found {schema.describe(features['tokens'])}, "
            "expected list of string."
        )
    names = ["tokens"]
    for name, feature in features.items():
        is_list = schema.describe(feature).startswith("list of ")
        if _WORD_ANNOTATION.fullmatch(name) and not is_list:
            raise SchemaError(
                f"{where}, column {name!r}: found {schema.describe(feature)}, expected a list with "
                "one item per token."
            )
        if _WORD_ANNOTATION.fullmatch(name) or (is_list and schema.label_names(feature)):
            names.append(name)
    return names


def _check_column(
    tables: Mapping[str, pa.Table], name: str, feature: Any, split: str, where: str
) -> None:
    names = schema.label_names(feature)
    column = tables[split][name]
    is_list = schema.describe(feature).startswith("list of ")
    if names is not None:
        schema.check_complete(column, where)
        schema.check_labels(schema.flat(column), names, not is_list, where)
        return
    is_integer = schema.describe(feature) in ("integer", "list of integer")
    if is_integer and _LABEL_NAME.fullmatch(name):
        schema.check_complete(column, where)
        largest = _largest(tables["train"][name]) if "train" in tables else None
        _check_unnamed_labels(schema.flat(column), 0 if is_list else -1, largest, where)


def _largest(column: pa.ChunkedArray) -> int | None:
    value: int | None = pc.max(schema.flat(column)).as_py()
    return value


def _check_unnamed_labels(values: pa.Array, smallest: int, largest: int | None, where: str) -> None:
    extremes = pc.min_max(values).as_py()
    low, high = extremes["min"], extremes["max"]
    if low is None:
        return
    if low < smallest:
        raise LabelError(f"{where}: found the label {low}, expected ids from {smallest} up.")
    if largest is not None and high > largest:
        raise LabelError(
            f"{where}: found the label {high}, expected at most {largest}, the largest in train. "
            "Give the column ClassLabel names if train does not show every class."
        )
