"""Data sets outside the registry, checked against their own schema.

Nothing is declared for such a data set but what its files and its reader say of it, so the checks
are: all parts have the same types and label names; no split is empty; label ids lie within the
names; words are there; and what annotates words has one item for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.corpora import folder, own_schema, schema
from mtl_utils.corpora.errors import AlignmentError, LabelError, SchemaError
from mtl_utils.corpora.forbidden import refuse_conll_content
from mtl_utils.corpora.own_schema import Schema

__all__ = ["load_folder", "schema_of"]

_HINT = (
    " The column is taken for that by its name and content; if it is something else, say what the "
    "columns are: load(..., schema=Schema(...)), or Schema() for no such check."
)


class _Files:
    """Features and rows of every split of a folder, read once."""

    def __init__(self, path: Path, config: str | None) -> None:
        config_name = folder.choose_config(path, config)
        self.where = str(path / config_name)
        files = folder.split_files(path / config_name)
        schema.check_not_empty(folder.rows_of(files), self.where)
        self.features = {
            split: _common_features(parts, f"{self.where}, split {split!r}")
            for split, parts in files.items()
        }
        self.tables = {split: folder.table_of(parts) for split, parts in files.items()}
        for table in self.tables.values():
            refuse_conll_content(table, self.where)

    @property
    def all_features(self) -> dict[str, Any]:
        """Feature of each column, as the first split with it has it."""
        found: dict[str, Any] = {}
        for features in self.features.values():
            for name, feature in features.items():
                found.setdefault(name, feature)
        return found


def schema_of(path: Path, config: str | None) -> Schema:
    """Guess what the columns of a folder are.

    Args:
        path: The folder.
        config: Its configuration; None takes the only one, or ``default``.
    """
    files = _Files(path, config)
    return own_schema.guess(files.all_features, files.tables)


def load_folder(path: Path, config: str | None, declared: Schema | None) -> datasets.DatasetDict:
    """Read and check a folder.

    Args:
        path: The folder.
        config: Its configuration; None takes the only one, or ``default``.
        declared: What its columns are; None guesses.

    Raises:
        SchemaError: If columns or types differ between splits, are not those declared, or a word
            is missing.
        LabelError: If a label is outside its names.
        AlignmentError: If words and their annotation differ in length.
    """
    files = _Files(path, config)
    known = files.all_features
    says = own_schema.guess(known, files.tables) if declared is None else declared
    missing = [name for name in says.columns if name not in known]
    if missing:
        raise SchemaError(
            f"{files.where}: the schema names the columns {missing}, found {list(known)}."
        )
    hint = _HINT if declared is None else ""
    features = _agreed_features(files, says, known)
    tables = {}
    for split, table in files.tables.items():
        place = f"{files.where}, split {split!r}"
        tables[split] = _with_label_ids(_with_all_columns(table, features), says, features, place)
    _check_content(tables, says, features, files.where, hint)
    return folder.in_memory(tables, features)


def _common_features(parts: Sequence[Path], where: str) -> datasets.Features:
    first, *others = [folder.features_of(part) for part in parts]
    for features in others:
        schema.check_features(features, first, where)
    return first


def _agreed_features(files: _Files, says: Schema, known: Mapping[str, Any]) -> datasets.Features:
    """Features of the loaded splits: those of the files, which must agree, and declared names."""
    agreed = {name: _feature(files, says, name, feature) for name, feature in known.items()}
    first = next(iter(files.features))
    for split, found in files.features.items():
        # A split may lack a column of labels; columns that are converted are looked at then.
        expected = {
            name: feature if agreed[name] is feature else found.get(name, feature)
            for name, feature in known.items()
            if name in found or name not in says.labels
        }
        where = f"{files.where}, split {split!r} (compared with split {first!r})"
        schema.check_features(found, expected, where)
    return datasets.Features(agreed)


def _feature(files: _Files, says: Schema, name: str, found: Any) -> Any:
    names = says.labels.get(name)
    if names is None:
        return datasets.Value("int64") if _is_pandas_integer(files, says, name) else found
    declared = schema.label_names(found)
    if declared is not None and declared != tuple(names):
        raise SchemaError(
            f"{files.where}, column {name!r}: the file declares the label names {list(declared)}, "
            f"the schema {list(names)}."
        )
    item = datasets.ClassLabel(names=list(names))
    return item if getattr(found, "feature", None) is None else datasets.Sequence(item)


def _is_pandas_integer(files: _Files, says: Schema, name: str) -> bool:
    """Whether labels are integers that pandas turned into floats, for the sake of missing ones.

    They are whole wherever they are there, and some are missing, or another split has integers.
    """
    columns = [table[name] for table in files.tables.values() if name in table.column_names]
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
    where: str,
    hint: str,
) -> None:
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
                schema.check_aligned(table, [says.words, *says.per_word], place, partly=True)
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
