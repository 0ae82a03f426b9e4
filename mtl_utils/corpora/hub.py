"""Real data sets under one roof: ``corpora.load(name, config)``.

A registered data set comes from a local copy below the folder that the environment variable
``MTL_DATA_DIR`` names, laid out as ``<name>/<config>/<split>-00000-of-00001.parquet``; where there
is none, from the Hub or the source repository that its entry pins. Whatever is loaded is checked
against the entry. One's own data load too, and are checked against their own schema.

    >>> entry("snips").licence
    'CC0 1.0'
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets

from mtl_utils.arguments import check_flag
from mtl_utils.corpora import folder, own_data, own_files, places, remote, rows_digest
from mtl_utils.corpora import schema as checks
from mtl_utils.corpora.carving import carve_validation
from mtl_utils.corpora.entry import Column, Config, Entry, Join, PartialCopy, SourceFiles
from mtl_utils.corpora.errors import (
    DownloadError,
    LayoutError,
    RowCountError,
    UnknownDatasetError,
)
from mtl_utils.corpora.forbidden import refuse_conll_name
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.overlaps import Overlap, overlap
from mtl_utils.corpora.own_files import OwnSplits
from mtl_utils.corpora.own_schema import Schema
from mtl_utils.corpora.places import DATA_DIRECTORY_VARIABLE
from mtl_utils.corpora.registry import REGISTRY as _REGISTRY

__all__ = [
    "Column",
    "Config",
    "Entry",
    "Join",
    "Overlap",
    "PartialCopy",
    "Schema",
    "SourceFiles",
    "DATA_DIRECTORY_VARIABLE",
    "REGISTRY",
    "carve_validation",
    "entry",
    "guess_schema",
    "has_copy",
    "load",
    "names",
    "overlap",
]

#: Every registered data set, by name.
REGISTRY: dict[str, Entry] = _REGISTRY


def names() -> list[str]:
    """Names of the registered data sets."""
    return list(REGISTRY)


def entry(name: str) -> Entry:
    """Look up a registered data set.

    Args:
        name: Registered name.

    Returns:
        Its entry: Hub id, revision, licence, citations, columns, label names, rows.

    Raises:
        TypeError: If the name is no text.
        ForbiddenDatasetError: If the name means CoNLL-2003.
        UnknownDatasetError: If the name is not registered; close ones are suggested.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be the name of a registered data set as text, got {name!r}")
    if name in REGISTRY:
        return REGISTRY[name]
    refuse_conll_name(name)
    raise UnknownDatasetError(_unknown_message(name))


def load(
    name_or_folder: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
    config: str | None = None,
    *,
    schema: Schema | None = None,
    format: TextFormat | None = None,
    verify: bool = True,
) -> datasets.DatasetDict:
    """Load a real data set, checked: a registered one, or one's own in any usual format.

    One's own is a folder, or a file, which becomes the split ``train``, or the file of each split
    by name. A folder holds one file a split (``train.csv``, ``dev.jsonl``, ``en-ud-test.conllu``:
    names may begin with more, and ``dev``, ``valid`` and ``val`` mean validation), or what
    ``save_to_disk`` wrote, or parquet as ``<split>-00000-of-00001.parquet``, or subfolders with
    one of these, its configurations. Formats go by the ends of names: ``.parquet``, and those of
    :class:`CsvFormat`, :class:`JsonLinesFormat`, :class:`ConllFormat` and :class:`ConlluFormat`.

    Args:
        name_or_folder: A registered name, a folder, a file, or ``{"train": file, ...}``. A
            registered name wins over a folder of the same name in the working directory; write
            ``./name`` for the folder. A name that is not registered but is a folder below
            ``MTL_DATA_DIR`` loads as that folder.
        config: Configuration; None takes the entry's default, or a folder's only one.
        schema: What the columns of one's own data are. None goes by the format, or guesses as
            :func:`guess_schema` does; ``Schema()`` takes the columns as they are.
        format: The format of files whose names do not tell it, or that needs to be said more of:
            ``ConllFormat(columns=("tokens", "upos", "tags"))``. None goes by the names.
        verify: Whether a local copy of a registered data set must hold the very rows that the
            registry knows, which notices files that are damaged and can still be read. A copy that
            is known to differ from what is published only warns. False takes other releases.

    Returns:
        The splits as published, held in memory when they come from files. Columns are those of
        :func:`columns_table`; label columns are ``ClassLabel``. Labels of one's own data may be
        missing: None, or -1 in a ``ClassLabel`` column; in files of text they are texts, unless a
        schema has their names (:func:`label_names_of` lists them). Floats that pandas makes of
        integers with missing ones are integers again, and a column of labels that a split lacks is
        there with None.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If a schema or a format is given for a registered data set, which has its own.
        ForbiddenDatasetError: If CoNLL-2003 is asked for, or is what files hold.
        UnknownDatasetError: If the name is neither registered nor a folder or file.
        UnknownConfigError: If there is no such configuration; the error lists those there are.
        DataNotFoundError: If ``MTL_DATA_DIR``, the folder or a file does not exist.
        DownloadError: If there is no copy and the source cannot be reached.
        LayoutError: If files are not named as above, are of several formats, or a split is there
            twice.
        BrokenFileError: If a file is not readable in its format; the error names the line.
        ContentError: If a local copy holds other rows than the registry knows.
        SchemaError: If columns, types or label names are not those declared.
        RowCountError: If splits or their rows are not those declared.
        EmptySplitError: If a split has no rows.
        LabelError: If a label is outside the declared set.
        AlignmentError: If tokens and their annotation differ in length.
    """
    _check_own_arguments(config, format)
    if schema is not None and not isinstance(schema, Schema):
        raise TypeError(f"schema must be a Schema, or None to guess one, got {schema!r}")
    check_flag("verify", verify)
    if not _is_registered(name_or_folder):
        return own_data.checked(_own(name_or_folder, config, format), schema)
    name = str(name_or_folder)
    for what, own in (("schema", schema), ("format", format)):
        if own is not None:
            raise ValueError(
                f"{name!r} is registered and has its own columns, so there is no {what} to give; "
                f"write './{name}' if a folder of that name is meant."
            )
    return _load_registered(REGISTRY[name], config, verify)


def guess_schema(
    name_or_folder: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
    config: str | None = None,
    *,
    format: TextFormat | None = None,
) -> Schema:
    """Guess what the columns of one's own data are, as :func:`load` does unless it is told.

    Args:
        name_or_folder: A folder, a file or files by split, as for :func:`load`.
        config: Configuration; None takes the only one.
        format: As for :func:`load`.

    Returns:
        The guess, which ``dataclasses.replace`` corrects where it is wrong.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the name is registered: its columns are known (:func:`columns_table`).
        DataError: As for :func:`load`.
    """
    _check_own_arguments(config, format)
    if _is_registered(name_or_folder):
        name = str(name_or_folder)
        raise ValueError(f"{name!r} is registered; columns_table({name!r}) has its columns.")
    return own_data.schema_of(_own(name_or_folder, config, format))


def has_copy(name: str, config: str | None = None) -> bool:
    """Whether ``load(name, config)`` needs no network.

    Args:
        name: Registered name.
        config: Configuration, or None for the default one.

    Raises:
        TypeError: If an argument is of another type.
        UnknownDatasetError: If the name is not registered.
        UnknownConfigError: If there is no such configuration.
        DataNotFoundError: If ``MTL_DATA_DIR`` is set to what is no folder.
    """
    found = entry(name)
    _check_config_type(config)
    config_name = found.default_config if config is None else config
    if _copy_of(found, config_name) is not None:
        return True
    source = found.config(config_name).source
    return isinstance(source, Join) and all(
        has_copy(part, config_name) for part in (source.entities, source.syntax)
    )


def _path_text(name_or_folder: Any) -> str:
    path = os.fspath(name_or_folder) if isinstance(name_or_folder, os.PathLike) else name_or_folder
    if isinstance(path, str):
        return path
    raise TypeError(
        f"name_or_folder must be a registered name or a folder or file, as text or path, or "
        f"files by split, got {name_or_folder!r}"
    )


def _is_registered(source: Any) -> bool:
    return isinstance(source, str) and source in REGISTRY


def _check_own_arguments(config: Any, given: Any) -> None:
    _check_config_type(config)
    if given is not None and not isinstance(given, TextFormat):
        raise TypeError(f"format must be a format such as CsvFormat(), or None, got {given!r}")


def _check_config_type(config: str | None) -> None:
    if config is not None and not isinstance(config, str):
        raise TypeError(f"Found the configuration {config!r}, expected its name as text, or None.")


def _unknown_message(name: str) -> str:
    ids = {found.hub_id: key for key, found in REGISTRY.items() if found.hub_id}
    close = [ids[name]] if name in ids else difflib.get_close_matches(name, REGISTRY, cutoff=0.5)
    suggestion = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return (
        f"{name!r} is neither a registered data set nor a folder or file.{suggestion} "
        f"Registered: {', '.join(REGISTRY)}."
    )


def _own(source: Any, config: str | None, given: TextFormat | None) -> OwnSplits:
    """Read what is not registered: files by split, a folder or a file."""
    if isinstance(source, Mapping):
        own_files.refuse_config(config)
        return own_files.read_files(places.files_by_split(source), given)
    name = _path_text(source)
    found = places.existing(name)
    if found is None and name not in ("", ".", "..") and (copies := places.copies()) is not None:
        found = places.existing(str(copies / name))
    if found is None:
        refuse_conll_name(name, config)
        raise UnknownDatasetError(_unknown_message(name))
    if found.is_dir():
        return own_files.read_folder(found, config, given)
    own_files.refuse_config(config)
    return own_files.read_files({"train": found}, given)


def _copy_of(found: Entry, config_name: str) -> Path | None:
    found.config(config_name)
    copies = places.copies()
    if copies is None:
        return None
    path = copies / found.name / config_name
    return path if path.is_dir() else None


def _load_registered(found: Entry, config: str | None, verify: bool) -> datasets.DatasetDict:
    config_name = found.default_config if config is None else config
    if config_name not in found.configs:
        refuse_conll_name("", config_name)
    declared = found.config(config_name)
    copy = _copy_of(found, config_name)
    if copy is not None:
        return _read_copy(copy, found, config_name, verify)
    if isinstance(declared.source, Join):
        return _load_joined(found, config_name, declared.source, verify)
    loaded = remote.download(found, config_name, _where_looked(found, config_name))
    return _checked_download(
        loaded, declared, f"{found.name} {config_name}, {found.origin(config_name)}"
    )


def _load_joined(
    found: Entry, config_name: str, source: Join, verify: bool
) -> datasets.DatasetDict:
    """Make a joined data set from its parts, which are checked, and which bound what is lost."""
    try:
        entities = _load_registered(REGISTRY[source.entities], config_name, verify)
        syntax = _load_registered(REGISTRY[source.syntax], config_name, verify)
    except DownloadError as error:
        raise DownloadError(
            f"Data set {found.name!r}, configuration {config_name!r} (licence: {found.licence}) "
            f"has no local copy ({_where_looked(found, config_name)}) and could not be "
            f"{found.origin(config_name)}: {error}"
        ) from error
    return remote.join_splits(found, config_name, entities, syntax)


def _where_looked(found: Entry, config_name: str) -> str:
    copies = places.copies()
    if copies is None:
        return f"{DATA_DIRECTORY_VARIABLE} is not set"
    return f"there is no {copies / found.name / config_name}"


def _read_copy(path: Path, found: Entry, config_name: str, verify: bool) -> datasets.DatasetDict:
    declared, where = found.config(config_name), f"{found.name} {config_name} in {path}"
    files = folder.split_files(path)
    if not files:
        raise LayoutError(
            f"{where}: found no parquet files, expected <split>-00000-of-00001.parquet."
        )
    for split, paths in files.items():
        for part in paths:
            features = folder.features_of(part)
            checks.check_features(features, declared.features, f"{where}, split {split!r}")
    rows = folder.rows_of(files)
    checks.check_not_empty(rows, where)
    checks.check_rows(rows, declared, is_copy=True, where=where)
    read = {split: folder.table_of(paths) for split, paths in files.items()}
    for split, rows_read in read.items():
        checks.check_content(rows_read, declared.columns, split, f"{where}, split {split!r}")
    if verify:
        rows_digest.check_digests(read, found.name, config_name, list(declared.features), where)
    return folder.in_memory(read, declared.features)


def _checked_download(
    loaded: datasets.DatasetDict, declared: Config, where: str
) -> datasets.DatasetDict:
    """Check what was downloaded, and give its columns the declared order and types."""
    rows = {split: part.num_rows for split, part in loaded.items()}
    checks.check_not_empty(rows, where)
    missing = [split for split in declared.rows if split not in loaded]
    if missing:
        raise RowCountError(
            f"{where}: found the splits {list(rows)}, expected {list(declared.rows)}."
        )
    # Further splits that a source publishes (test_2017, ...) are not part of the entry.
    kept = {split: loaded[split] for split in declared.rows}
    for split, part in kept.items():
        checks.check_features(part.features, declared.features, f"{where}, split {split!r}")
    checks.check_rows({s: rows[s] for s in kept}, declared, is_copy=False, where=where)
    for split, part in kept.items():
        rows_read = part.with_format("arrow")[:]
        checks.check_content(rows_read, declared.columns, split, f"{where}, split {split!r}")
        ordered = part.select_columns([column.name for column in declared.columns])
        if ordered.features != declared.features:
            ordered = ordered.cast(declared.features)
        kept[split] = ordered
    return datasets.DatasetDict(kept)
