"""Checks of what was loaded: columns and types, rows, labels, aligned lengths.

Every check takes plain values (features, row counts, Arrow tables) and raises on the first thing
that is wrong, naming what was found and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.corpora.entry import Column, Config
from mtl_utils.corpora.errors import (
    AlignmentError,
    EmptySplitError,
    LabelError,
    RowCountError,
    SchemaError,
)

__all__ = [
    "check_content",
    "check_features",
    "check_not_empty",
    "check_rows",
    "describe",
    "is_list",
    "label_names",
    "physical_kind",
]

_SHOWN_NAMES = 6


def physical_kind(arrow_type: pa.DataType) -> str:
    """Name an Arrow type by its family, so that int32 and int64, or two kinds of text, agree."""
    if pa.types.is_dictionary(arrow_type):
        return physical_kind(arrow_type.value_type)
    if is_list(arrow_type):
        return f"list of {physical_kind(arrow_type.value_type)}"
    if pa.types.is_struct(arrow_type):
        return f"struct({', '.join(f'{f.name}: {physical_kind(f.type)}' for f in arrow_type)})"
    if pa.types.is_integer(arrow_type):
        return "integer"
    if pa.types.is_floating(arrow_type):
        return "float"
    if _is_text(arrow_type):
        return "string"
    return str(arrow_type)


def is_list(arrow_type: pa.DataType) -> bool:
    """Whether an Arrow type is one of the kinds of list."""
    return bool(
        pa.types.is_list(arrow_type)
        or pa.types.is_large_list(arrow_type)
        or pa.types.is_fixed_size_list(arrow_type)
    )


def _is_text(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or str(arrow_type) == "string_view"  # pyarrow 15 has no test of its own for it
    )


def describe(feature: Any) -> str:
    """Name a feature in words: its family, and the label names where it has some."""
    item = getattr(feature, "feature", None)
    if item is not None:
        return f"list of {describe(item)}"
    if isinstance(feature, datasets.ClassLabel):
        names = list(feature.names or [])
        shown = ", ".join(names[:_SHOWN_NAMES]) + (", ..." if len(names) > _SHOWN_NAMES else "")
        return f"ClassLabel of {len(names)} ({shown})"
    try:
        return physical_kind(datasets.Features({"column": feature}).arrow_schema.field(0).type)
    except (TypeError, ValueError, AttributeError):
        return str(feature)


def label_names(feature: Any) -> tuple[str, ...] | None:
    """Label names of a feature or of its items, None where it has none."""
    item = getattr(feature, "feature", None)
    if item is not None:
        return label_names(item)
    return tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None


def check_features(found: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    """Check columns, types and label names.

    Integers of any width, and texts of any Arrow kind, count as the same type.

    Args:
        found: Feature of each column found.
        expected: Feature of each column declared.
        where: What was read, for the message.

    Raises:
        SchemaError: If columns, a type or label names differ.
    """
    if set(found) != set(expected):
        missing = [name for name in expected if name not in found]
        surplus = [name for name in found if name not in expected]
        raise SchemaError(
            f"{where}: found the columns {list(found)}, expected {list(expected)}"
            + (f"; missing: {missing}" if missing else "")
            + (f"; not expected: {surplus}" if surplus else "")
            + "."
        )
    for name, feature in expected.items():
        _check_feature(found[name], feature, f"{where}, column {name!r}")


def _check_feature(found: Any, expected: Any, where: str) -> None:
    names, expected_names = label_names(found), label_names(expected)
    if describe(found) != describe(expected):
        raise SchemaError(f"{where}: found {describe(found)}, expected {describe(expected)}.")
    if names == expected_names or names is None or expected_names is None:
        return
    pairs = enumerate(zip(names, expected_names, strict=True))
    index = next(i for i, (name, expected_name) in pairs if name != expected_name)
    raise SchemaError(
        f"{where}: found the label names {list(names)}, expected {list(expected_names)}; "
        f"they differ first at id {index} ({names[index]!r}, not {expected_names[index]!r})."
    )


def check_not_empty(rows: Mapping[str, int], where: str) -> None:
    """Check that there are splits and that none is empty.

    Raises:
        EmptySplitError: If there is no split, or one without rows.
    """
    if not rows:
        raise EmptySplitError(f"{where}: found no split, expected at least one.")
    for split, count in rows.items():
        if count == 0:
            raise EmptySplitError(
                f"{where}: split {split!r} has 0 rows, expected at least 1. "
                "Remove its file or restore its rows."
            )


def check_rows(rows: Mapping[str, int], config: Config, is_copy: bool, where: str) -> None:
    """Check the splits and their rows against the registry.

    Args:
        rows: Rows of each split found.
        config: The declared rows, and those of a known partial copy.
        is_copy: Whether a local copy was read, so that the known partial copy is accepted.
        where: What was read, for the message.

    Raises:
        RowCountError: If splits or rows are neither the published nor the known partial ones.
    """
    partial = config.partial_copy if is_copy else None
    absent = set(partial.absent) if partial else set()
    missing = [split for split in config.rows if split not in rows and split not in absent]
    surplus = [split for split in rows if split not in config.rows]
    if missing or surplus:
        raise RowCountError(
            f"{where}: found the splits {list(rows)}, expected {list(config.rows)}"
            + (f" (the known copy lacks {sorted(absent)})" if absent else "")
            + "."
        )
    for split, count in rows.items():
        allowed = {config.rows[split]} | ({partial.rows.get(split, -1)} if partial else set())
        if count in allowed:
            continue
        expected = f"expected {config.rows[split]:,}"
        if partial and split in partial.rows:
            expected += f", or {partial.rows[split]:,} as in the known copy ({partial.reason})"
        raise RowCountError(f"{where}, split {split!r}: found {count:,} rows, {expected}.")


def check_content(table: pa.Table, columns: tuple[Column, ...], split: str, where: str) -> None:
    """Check the cells of one split against the declared columns.

    Args:
        table: The rows.
        columns: The declared columns.
        split: Name of the split, which decides whether -1 may stand for "no label".
        where: What was read, for the message.

    Raises:
        SchemaError: If a cell is missing or a number out of bounds.
        LabelError: If a label is outside the declared set.
        AlignmentError: If the lists of one row differ in length.
    """
    for column in columns:
        if not column.nullable:
            check_complete(table[column.name], f"{where}, column {column.name!r}")
    check_aligned(table, [column.name for column in columns if column.sequence], where)
    for column in columns:
        values = flat(table[column.name])
        place = f"{where}, column {column.name!r}"
        hidden = split in column.unlabelled
        if column.kind == "label":
            check_labels(values, column.names, hidden, place)
        elif column.bounds:
            _check_bounds(values, column.bounds, hidden, place)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, without dictionary encoding."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def flat(column: pa.ChunkedArray) -> pa.Array:
    """The cells of a column, or the items of its lists, as one array."""
    array = whole(column)
    return pc.list_flatten(array) if is_list(array.type) else array


def check_complete(column: pa.ChunkedArray, where: str) -> None:
    """Check that no cell and no list item is missing.

    Raises:
        SchemaError: If one is.
    """
    missing = column.null_count or flat(column).null_count
    if missing:
        raise SchemaError(f"{where}: found {missing} missing values, expected none.")


def check_labels(values: pa.Array, names: tuple[str, ...], unlabelled: bool, where: str) -> None:
    """Check that every label id lies in the declared set.

    Args:
        values: Label ids.
        names: Label names in id order.
        unlabelled: Whether -1 is declared to mean "no label" here.
        where: What was read, for the message.

    Raises:
        LabelError: If an id is outside.
    """
    lowest = -1 if unlabelled else 0
    outside = pc.or_(pc.less(values, lowest), pc.greater_equal(values, len(names)))
    wrong = pc.unique(values.filter(outside)).to_pylist()
    if not wrong:
        return
    expected = f"0 to {len(names) - 1} ({', '.join(names[:_SHOWN_NAMES])}"
    expected += ", ...)" if len(names) > _SHOWN_NAMES else ")"
    hint = " -1 is not declared to mean 'no label' here." if -1 in wrong else ""
    raise LabelError(
        f"{where}: found the label {', '.join(map(str, sorted(wrong)[:5]))} in "
        f"{pc.sum(outside).as_py():,} places, expected {expected}"
        f"{', or -1 for no label' if unlabelled else ''}.{hint}"
    )


def _check_bounds(
    values: pa.Array, bounds: tuple[float, float], unlabelled: bool, where: str
) -> None:
    low, high = bounds
    inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
    if unlabelled:
        inside = pc.or_(inside, pc.equal(values, -1.0))
    # NaN compares as false, so it counts as outside.
    wrong = pc.unique(values.filter(pc.invert(inside))).to_pylist()
    if wrong:
        raise LabelError(
            f"{where}: found {wrong[0]}, expected a number from {low:g} to {high:g}"
            f"{', or -1 for no label' if unlabelled else ''}."
        )


def check_aligned(
    table: pa.Table,
    names: list[str],
    where: str,
    partly: bool = False,
    lines: Sequence[int] | None = None,
) -> None:
    """Check that list columns have the same length in every row.

    Args:
        table: The rows.
        names: The columns.
        where: What was read, for the message.
        partly: Whether a row may lack an annotation altogether.
        lines: On which line of a file each row stands, if they are from one.

    Raises:
        AlignmentError: If they differ, naming the first row.
    """
    if len(names) < 2:
        return
    reference = "tokens" if "tokens" in names else names[0]
    lengths = pc.fill_null(pc.list_value_length(table[reference]), -1)
    for name in names:
        other = pc.list_value_length(table[name])
        differs = pc.not_equal(lengths, other if partly else pc.fill_null(other, -1))
        row = pc.index(differs, True).as_py()
        if row < 0:
            continue
        place = f" (line {lines[row]})" if lines else ""
        raise AlignmentError(
            f"{where}, row {row}{place}: {reference!r} has {lengths[row].as_py()} items but "
            f"{name!r} has {pc.fill_null(other, -1)[row].as_py()}; expected one each."
        )
