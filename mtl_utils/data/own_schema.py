"""Checks of a data set outside the registry, against its own schema.

Nothing is declared for such a data set but what its files say of themselves, so the checks are:
all parts have the same columns, types and label names; no split is empty; label ids lie within the
names; and what annotates tokens has one item per token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
_ONE_ITEM_PER_TOKEN = re.compile(r"list of (string|integer|float|bool|ClassLabel).*")


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
        SchemaError: If a token or label is missing, or tokens or their annotation are not lists.
        LabelError: If a label id is outside the declared set.
        AlignmentError: If tokens and their annotation differ in length.
    """
    word_columns = _word_columns(features, where)
    for split, table in tables.items():
        place = f"{where}, split {split!r}"
        for name in features:
            if name in word_columns[:1] or _LABEL_NAME.fullmatch(name):
                _check_complete(table[name], f"{place}, column {name!r}")
        schema.check_aligned(table, word_columns, place)
        for name, feature in features.items():
            _check_names(feature, table[name], f"{place}, column {name!r}")
            if _LABEL_NAME.fullmatch(name):
                _check_without_names(tables, name, feature, split, f"{place}, column {name!r}")


def _word_columns(features: Mapping[str, Any], where: str) -> list[str]:
    """``tokens`` and the columns that annotate them."""
    if "tokens" not in features:
        return []
    kinds = {name: schema.describe(feature) for name, feature in features.items()}
    if kinds["tokens"] != "list of string":
        raise SchemaError(
            f"{where}, column 'tokens': found {kinds['tokens']}, expected list of string."
        )
    names = ["tokens"]
    for name, kind in kinds.items():
        annotates = _WORD_ANNOTATION.fullmatch(name)
        if annotates and not _ONE_ITEM_PER_TOKEN.fullmatch(kind):
            raise SchemaError(
                f"{where}, column {name!r}: found {kind}, expected a list with one item per token."
            )
        if annotates or kind.startswith("list of ClassLabel"):
            names.append(name)
    return names


def _check_complete(column: pa.ChunkedArray, where: str) -> None:
    """Check that no cell or item is missing; pandas writes a missing number as NaN."""
    schema.check_complete(column, where)
    values = schema.flat(column)
    missing = pc.sum(pc.is_nan(values)).as_py() if pa.types.is_floating(values.type) else 0
    if missing:
        raise SchemaError(f"{where}: found {missing} missing values (NaN), expected none.")


def _check_names(feature: Any, column: pa.ChunkedArray, where: str) -> None:
    """Check the ids of every ``ClassLabel`` in a column, however deep it lies."""
    for names, values, in_list in _labels_in(feature, schema.whole(column), in_list=False):
        if values.null_count:
            raise SchemaError(f"{where}: found {values.null_count} missing values, expected none.")
        schema.check_labels(values, names, not in_list, where)


def _labels_in(
    feature: Any, array: pa.Array, in_list: bool
) -> Iterator[tuple[tuple[str, ...], pa.Array, bool]]:
    """Label names, ids and whether they lie in a list, for each ``ClassLabel`` of a feature."""
    if isinstance(feature, datasets.ClassLabel):
        yield tuple(feature.names), array, in_list
    elif isinstance(feature, dict):
        for name, part in feature.items():
            yield from _labels_in(part, pc.struct_field(array, name), in_list)
    elif isinstance(feature, list):  # how datasets 3 writes a list of structures
        yield from _labels_in(feature[0], pc.list_flatten(array), in_list=True)
    elif getattr(feature, "feature", None) is not None:
        yield from _labels_in(feature.feature, pc.list_flatten(array), in_list=True)


def _check_without_names(
    tables: Mapping[str, pa.Table], name: str, feature: Any, split: str, where: str
) -> None:
    """Check integer labels for which no names are declared."""
    kind = schema.describe(feature)
    if kind not in ("integer", "list of integer"):
        return
    smallest = -1 if kind == "integer" else 0
    low, high = _extremes(tables[split][name])
    if low is not None and low < smallest:
        raise LabelError(f"{where}: found the label {low}, expected ids from {smallest} up.")
    largest = _extremes(tables["train"][name])[1] if "train" in tables else None
    if high is not None and largest is not None and high > largest:
        raise LabelError(
            f"{where}: found the label {high}, expected at most {largest}, the largest in train. "
            "Give the column ClassLabel names if train does not show every class."
        )


def _extremes(column: pa.ChunkedArray) -> tuple[int | None, int | None]:
    found = pc.min_max(schema.flat(column)).as_py()
    return found["min"], found["max"]
