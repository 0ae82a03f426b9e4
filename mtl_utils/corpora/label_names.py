"""The labels that occur in a column, as a task wants them."""

from __future__ import annotations

from collections.abc import Mapping

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.arguments import check_text, shown
from mtl_utils.corpora import schema
from mtl_utils.corpora.errors import LabelError, SchemaError

__all__ = ["label_names_of"]


def label_names_of(
    dataset: datasets.Dataset | Mapping[str, datasets.Dataset], column: str
) -> tuple[str, ...]:
    """List the labels of a column, for a task.

    Args:
        dataset: Rows, or several splits of them, of which all are looked at: a class may occur in
            the test split alone.
        column: A column of labels by name, or of lists of them.

    Returns:
        The names of a ``ClassLabel`` column in the order of its ids. Otherwise all texts that
        occur, each once, sorted, whole numbers by size (``"9"`` before ``"10"``), and ``"O"``,
        the tag of a word outside every entity, first.

    Raises:
        TypeError: If an argument is of another type.
        SchemaError: If there is no such column, it is neither of labels nor of texts, or splits
            have other names.
        LabelError: If no label occurs in it.

    Examples:
        >>> rows = datasets.Dataset.from_dict({"tags": [["B-PER", "O"], ["O", "B-LOC"]]})
        >>> label_names_of(rows, "tags")
        ('O', 'B-LOC', 'B-PER')
    """
    check_text("column", column)
    parts = dataset if isinstance(dataset, Mapping) else {"dataset": dataset}
    for part in parts.values():
        if not isinstance(part, datasets.Dataset):
            raise TypeError(f"dataset must be a Dataset, or a DatasetDict, got {shown(part)}")
        if column not in part.features:
            raise SchemaError(f"column must be one of {list(part.features)}, got {column!r}")
    declared = {schema.label_names(part.features[column]) for part in parts.values()}
    if len(declared) > 1:
        raise SchemaError(f"column {column!r} has other label names in other splits: {declared}")
    names = next(iter(declared), None)
    if names is not None:
        return names
    found = {name for part in parts.values() for name in _texts(part, column)}
    if not found:
        raise LabelError(f"column {column!r} has no labels, expected at least one")
    return tuple(sorted(found, key=_place))


def _texts(part: datasets.Dataset, column: str) -> list[str]:
    values = schema.flat(part.with_format("arrow").select_columns([column])[:][column])
    if pa.types.is_null(values.type):
        return []
    if schema.physical_kind(values.type) != "string":
        raise SchemaError(
            f"column {column!r} has {schema.physical_kind(values.type)}, expected labels by name: "
            "texts, or a ClassLabel, as load(..., schema=Schema(labels={...})) makes it of ids"
        )
    found: list[str] = pc.unique(values.drop_null()).to_pylist()
    return found


def _place(name: str) -> tuple[bool, bool, int, str]:
    is_number = name.isascii() and name.isdigit()
    return name != "O", not is_number, int(name) if is_number else 0, name
