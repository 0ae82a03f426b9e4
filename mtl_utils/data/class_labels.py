"""Label columns of ``datasets``, read by the names of their features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtl_utils.corpora.schema import label_names
from mtl_utils.data.missing import is_missing

__all__ = ["labels_by_name", "named_labels"]


def named_labels(column: Iterable[Any]) -> list[Any]:
    """Return labels by name, where a column of ``datasets`` knows what its ids mean.

    An id means something within one data set alone: 1 is ``neutral`` in SNLI and
    ``not_entailment`` in RTE. The column ``dataset["label"]`` carries the names in its feature
    (:class:`datasets.ClassLabel`, or a list of it for tags), which a slice such as
    ``dataset[:8]["label"]`` does not: select rows with ``dataset.select(range(8))["label"]``.

    Args:
        column: Labels, or sequences of them, or mappings that hold them: a column of a
            :class:`datasets.Dataset`, or anything else to go through, which is left as it is.

    Returns:
        The names, ``None`` where one is missing. ``datasets`` writes that as -1 or ``None``.

    Raises:
        ValueError: If an id has no name.
        TypeError: If a single string was given for many labels, or what is not several.
    """
    return labels_by_name("column", column)


def labels_by_name(name: str, column: Iterable[Any]) -> list[Any]:
    """Return what :func:`named_labels` returns.

    Args:
        name: What a message is to call the labels.
        column: The labels.

    Raises:
        ValueError: If an id has no name.
        TypeError: If a single string was given for many labels, or what is not several.
    """
    if isinstance(column, str | bytes | Mapping) or not hasattr(column, "__iter__"):
        raise TypeError(f"Expected a list of labels, got {column!r:.60} as {name}")
    feature = getattr(column, "features", None)
    cells = cells_of(column)
    return [_by_feature(cell, feature) for cell in cells] if _has_names(feature) else cells


def cells_of(column: Iterable[Any]) -> list[Any]:
    """Return what stands in a column.

    Args:
        column: A column of a :class:`datasets.Dataset`, which is read as a whole: going through it
            row by row takes twenty times as long. Or anything else to go through.
    """
    if hasattr(column, "features") and isinstance(column, Sequence):
        return list(column[:])
    return list(column)


def _has_names(feature: Any) -> bool:
    if isinstance(feature, Mapping):
        return any(map(_has_names, feature.values()))
    return label_names(feature) is not None


def _by_feature(cell: Any, feature: Any) -> Any:
    """Return labels by name wherever they stand in a cell, which may be a mapping."""
    if isinstance(feature, Mapping) and isinstance(cell, Mapping):
        return {name: _by_feature(inner, feature.get(name)) for name, inner in cell.items()}
    names = None if isinstance(feature, Mapping) else label_names(feature)
    return cell if names is None else _named(cell, names)


def _named(cell: Any, names: tuple[str, ...]) -> Any:
    if is_missing(cell) or isinstance(cell, str):
        return None if is_missing(cell) else cell
    if getattr(cell, "ndim", 0) or isinstance(cell, list | tuple):
        return [_named(label, names) for label in cell]
    if cell == -1:
        return None
    if not 0 <= cell < len(names):
        raise ValueError(
            f"The column has the label {int(cell)}, but its feature names {len(names)}: "
            f"{list(names)!r:.200}"
        )
    return names[int(cell)]
