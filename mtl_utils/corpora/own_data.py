"""Data sets outside the registry, checked against their own schema.

Nothing is declared for such a data set but what its files and its reader say of it, so the checks
are: all parts have the same types and label names; no split is empty; label ids lie within the
names; words are there; and what annotates words has one item for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.corpora import folder, own_schema, schema
from mtl_utils.corpora.errors import AlignmentError, LabelError, SchemaError
from mtl_utils.corpora.own_files import OwnSplits
from mtl_utils.corpora.own_schema import Schema

__all__ = ["checked", "schema_of"]

_HINT = (
    " The column is taken for that by its name and content; if it is something else, say what the "
    "columns are: load(..., schema=Schema(...)), or Schema() for no such check."
)


def schema_of(splits: OwnSplits) -> Schema:
    """Guess what the columns of a data set are, unless its format says it.

    Args:
        splits: What was read.
    """
    return splits.says or own_schema.guess(splits.all_features, splits.tables)


def checked(splits: OwnSplits, declared: Schema | None) -> datasets.DatasetDict:
    """Check a data set of one's own, and make it one.

    Args:
        splits: What was read.
        declared: What its columns are; None guesses.

    Raises:
        EmptySplitError: If a split has no rows.
        ForbiddenDatasetError: If it is CoNLL-2003.
        SchemaError: If columns or types differ between splits, are not those declared, or a word
            is missing.
        LabelError: If a label is outside its names.
        AlignmentError: If words and their annotation differ in length.
    """
    known = splits.all_features
    says = schema_of(splits) if declared is None else declared
    missing = [name for name in says.columns if name not in known]
    if missing:
        raise SchemaError(
            f"{splits.where}: the schema names the columns {missing}, found {list(known)}."
        )
    hint = _HINT if declared is None else ""
    features = _agreed_features(splits, says, known)
    tables = {}
    for split, table in splits.tables.items():
        place = f"{splits.where}, split {split!r}"
        tables[split] = _with_label_ids(_with_all_columns(table, features), says, features, place)
    _check_content(tables, says, features, splits, hint)
    return folder.in_memory(tables, features)


def _agreed_features(
    splits: OwnSplits, says: Schema, known: Mapping[str, Any]
) -> datasets.Features:
    """Features of the loaded splits: those of the files, which must agree, and declared names."""
    agreed = {name: _feature(splits, says, name, feature) for name, feature in known.items()}
    first = next(iter(splits.features))
    for split, found in splits.features.items():
        # A split may lack a column of labels; columns that are converted are looked at then.
        expected = {
            name: feature if agreed[name] is feature else found.get(name, feature)
            for name, feature in known.items()
            if name in found or name not in says.labels
        }
        where = f"{splits.where}, split {split!r} (compared with split {first!r})"
        schema.check_features(found, expected, where)
    return datasets.Features(agreed)


def _feature(splits: OwnSplits, says: Schema, name: str, found: Any) -> Any:
    names = says.labels.get(name)
    if names is None:
        return datasets.Value("int64") if _is_pandas_integer(splits, says, name) else found
    declared = schema.label_names(found)
    if declared is not None and declared != tuple(names):
        raise SchemaError(
            f"{splits.where}, column {name!r}: the file declares the label names {list(declared)}, "
            f"the schema {list(names)}."
        )
    item = datasets.ClassLabel(names=list(names))
    return item if getattr(found, "feature", None) is None else datasets.Sequence(item)


def _is_pandas_integer(splits: OwnSplits, says: Schema, name: str) -> bool:
    """Whether labels are integers that pandas turned into floats, for the sake of missing ones.

    They are whole wherever they are there, and some are missing, or another split has integers.
    """
    columns = [table[name] for table in splits.tables.values() if name in table.column_names]
    floats = [_without_nan(c) for c in columns if pa.types.is_floating(c.type)]
    integers = [column for column in columns if pa.types.is_integer(column.type)]
    if name not in says.labels or not floats or len(floats) + len(integers) < len(columns):
        return False
    if not integers and not any(column.null_count for column in floats):
        return False
    return all(pc.all(pc.equal(pc.floor(c), c), min_count=0).as_py() for c in floats)


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of floats with nulls in place of NaN: one way of missing."""
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _with_all_columns(table: pa.Table, features: datasets.Features) -> pa.Table:
    """Add missing labels where a split lacks the column, and put the columns in one order."""
    columns = []
    for name in features:
        if name in table.column_names:
            columns.append(table[name])
        else:
            storage = datasets.Features({name: features[name]}).arrow_schema.field(0).type
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, storage)]))
    return pa.table(dict(zip(features, columns, strict=True)))


def _with_label_ids(
    table: pa.Table, says: Schema, features: datasets.Features, where: str
) -> pa.Table:
    """Turn names into ids where the schema has names, and NaN into missing labels."""
    for name, names in says.labels.items():
        column = table[name]
        place = f"{where}, column {name!r}"
        if names is not None:
            ids = _ids(schema.whole(column), names, place)
            column = pa.chunked_array([ids])
        elif pa.types.is_floating(column.type):
            column = _without_nan(column)
            if schema.describe(features[name]) == "integer":
                column = column.cast(pa.int64())
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _ids(array: pa.Array, names: Sequence[str], where: str) -> pa.Array:
    """Ids of labels that are given as names, as ids, or as ids that pandas turned into floats."""
    if schema.is_list(array.type):
        inner = _ids(schema.flat(pa.chunked_array([array])), names, where)
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        offsets = pa.concat_arrays(
            [pa.array([0], pa.int64()), pc.cumulative_sum(lengths.cast(pa.int64()))]
        ).cast(pa.int32())
        return pa.ListArray.from_arrays(offsets, inner, mask=pc.is_null(array))
    if schema.physical_kind(array.type) == "string":
        ids = pc.index_in(array, value_set=pa.array(names, array.type), skip_nulls=True)
        unknown = pc.unique(array.filter(pc.and_(pc.is_valid(array), pc.is_null(ids)))).to_pylist()
        if unknown:
            raise LabelError(
                f"{where}: found the labels {unknown[:5]}, expected some of {list(names)}, or None."
            )
        return ids.cast(pa.int64())
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
        if not pc.all(pc.equal(pc.floor(array), array), min_count=0).as_py():
            raise LabelError(f"{where}: found numbers that are not whole, expected label ids.")
    elif not pa.types.is_integer(array.type) and not pa.types.is_null(array.type):
        raise SchemaError(
            f"{where}: found {schema.physical_kind(array.type)}, expected labels by name or id."
        )
    return array.cast(pa.int64())


def _check_content(
    tables: Mapping[str, pa.Table],
    says: Schema,
    features: datasets.Features,
    splits: OwnSplits,
    hint: str,
) -> None:
    where = splits.where
    for name in (says.words, *says.per_word):
        kind = "list of string" if name is None else schema.describe(features[name])
        if not own_schema.is_flat_list(kind) or (name == says.words and kind != "list of string"):
            expected = "a list of words" if name == says.words else "a list with an item per word"
            raise SchemaError(f"{where}, column {name!r}: found {kind}, expected {expected}.{hint}")
    for split, table in tables.items():
        place = f"{where}, split {split!r}"
        if says.words is not None:
            schema.check_complete(table[says.words], f"{place}, column {says.words!r}")
            try:
                schema.check_aligned(
                    table, [says.words, *says.per_word], place, True, splits.lines.get(split)
                )
            except AlignmentError as error:
                raise AlignmentError(f"{error}{hint}") from None
        for name, feature in features.items():
            for names, values in _labels_in(feature, schema.whole(table[name])):
                schema.check_labels(values, names, True, f"{place}, column {name!r}")


def _labels_in(feature: Any, array: pa.Array) -> Iterator[tuple[tuple[str, ...], pa.Array]]:
    """Label names and ids for each ``ClassLabel`` of a feature, however deep it lies."""
    if isinstance(feature, datasets.ClassLabel):
        yield tuple(feature.names), array
    elif isinstance(feature, dict):
        for name, part in feature.items():
            yield from _labels_in(part, pc.struct_field(array, name))
    elif isinstance(feature, list):  # how datasets 3 writes a list of structures
        yield from _labels_in(feature[0], pc.list_flatten(array))
    elif getattr(feature, "feature", None) is not None:
        yield from _labels_in(feature.feature, pc.list_flatten(array))
