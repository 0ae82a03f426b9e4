"""Real data sets under one roof: ``hub.load(name, config)``.

A registered data set comes from a local copy below the folder that the environment variable
``MTL_DATA_DIR`` names, laid out as ``<name>/<config>/<split>-00000-of-00001.parquet``; where there
is none, from the Hub or the source repository that its entry pins. Whatever is loaded is checked
against the entry. A folder in the same layout loads too, and is checked against its own schema.

    >>> from mtl_utils.data import hub
    >>> hub.entry("snips").licence
    'CC0 1.0'
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import datasets
import numpy as np
import pandas as pd

from mtl_utils.data import folder, own_schema, remote, schema, tables
from mtl_utils.data.entry import Column, Config, Entry, Join, PartialCopy, SourceFiles
from mtl_utils.data.errors import (
    DataNotFoundError,
    DownloadError,
    ForbiddenDatasetError,
    LayoutError,
    RowCountError,
    UnknownDatasetError,
)
from mtl_utils.data.registry import REGISTRY as _REGISTRY

__all__ = [
    "Column",
    "Config",
    "Entry",
    "Join",
    "PartialCopy",
    "SourceFiles",
    "DATA_DIRECTORY_VARIABLE",
    "REGISTRY",
    "carve_validation",
    "columns_table",
    "entry",
    "has_copy",
    "load",
    "names",
    "table",
]

#: Environment variable that names a folder of local copies.
DATA_DIRECTORY_VARIABLE = "MTL_DATA_DIR"

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
        ForbiddenDatasetError: If the name means CoNLL-2003.
        UnknownDatasetError: If the name is not registered; close ones are suggested.
    """
    _refuse_conll(name)
    if name in REGISTRY:
        return REGISTRY[name]
    raise UnknownDatasetError(_unknown_message(name))


def load(name_or_folder: str | os.PathLike[str], config: str | None = None) -> datasets.DatasetDict:
    """Load a real data set, checked.

    Args:
        name_or_folder: A registered name, or a folder laid out as
            ``<config>/<split>-00000-of-00001.parquet``. A registered name wins over a folder of the
            same name in the working directory; write ``./name`` for the folder. A name that is not
            registered but is a folder below ``MTL_DATA_DIR`` loads as that folder.
        config: Configuration; None takes the entry's default, or a folder's only one.

    Returns:
        The splits as published, held in memory when they come from files. Columns are those of
        :func:`columns_table`; label columns are ``ClassLabel``.

    Raises:
        ForbiddenDatasetError: If CoNLL-2003 is asked for.
        UnknownDatasetError: If the name is neither registered nor a folder.
        UnknownConfigError: If there is no such configuration; the error lists those there are.
        DataNotFoundError: If ``MTL_DATA_DIR``, or the folder, does not exist.
        DownloadError: If there is no copy and the source cannot be reached.
        LayoutError: If a folder's files are not named as above.
        BrokenFileError: If a file is not readable as parquet.
        SchemaError: If columns, types or label names are not those declared.
        RowCountError: If splits or their rows are not those declared.
        EmptySplitError: If a split has no rows.
        LabelError: If a label is outside the declared set.
        AlignmentError: If tokens and their annotation differ in length.
    """
    name = os.fspath(name_or_folder)
    if config is not None and not isinstance(config, str):
        raise TypeError(f"Found the configuration {config!r}, expected its name as text, or None.")
    _refuse_conll(name, config)
    if isinstance(name_or_folder, str) and name in REGISTRY:
        return _load_registered(REGISTRY[name], config)
    return _load_folder(_find_folder(name), config)


def has_copy(name: str, config: str | None = None) -> bool:
    """Whether ``load(name, config)`` needs no network.

    Args:
        name: Registered name.
        config: Configuration, or None for the default one.
    """
    found = entry(name)
    config_name = config or found.default_config
    if _copy_of(found, config_name) is not None:
        return True
    source = found.config(config_name).source
    return isinstance(source, Join) and all(
        has_copy(part, config_name) for part in (source.entities, source.syntax)
    )


def carve_validation(
    dataset: datasets.DatasetDict, fraction: float = 0.1, seed: int = 0
) -> datasets.DatasetDict:
    """Take a validation split out of ``train`` where none is published.

    Args:
        dataset: Splits with ``train`` and without ``validation``.
        fraction: Share of the training rows to take, between 0 and 1.
        seed: Seed of the draw. The same seed takes the same rows.

    Returns:
        The splits with ``train`` and ``validation`` in their old order of rows, and the others as
        they were.

    Raises:
        ValueError: If there is nothing to take from, a validation split already, or the fraction
            would leave either side empty.
    """
    if "validation" in dataset or "train" not in dataset:
        raise ValueError(
            f"Found the splits {list(dataset)}, expected 'train' and no 'validation' yet."
        )
    rows = dataset["train"].num_rows
    taken = round(rows * fraction) if 0 < fraction < 1 else 0
    if not 0 < taken < rows:
        raise ValueError(
            f"A fraction of {fraction} of {rows} training rows is {taken} rows; expected a "
            "fraction between 0 and 1 that leaves rows on both sides."
        )
    order = np.random.default_rng(seed).permutation(rows)
    carved = {
        "train": dataset["train"].select(np.sort(order[taken:]), keep_in_memory=True),
        "validation": dataset["train"].select(np.sort(order[:taken]), keep_in_memory=True),
    }
    others = {split: rows for split, rows in dataset.items() if split != "train"}
    return datasets.DatasetDict({**carved, **others})


def table(every_config: bool = False) -> pd.DataFrame:
    """The registry as a table.

    Args:
        every_config: Whether to list all configurations rather than the default ones.

    Returns:
        Columns ``name``, ``config``, ``task``, ``hub_id``, ``revision``, ``licence``, ``open``,
        ``rows``.
    """
    return tables.overview(REGISTRY, every_config)


def columns_table(name: str | None = None) -> pd.DataFrame:
    """The columns of one data set, or of all, with type and meaning.

    Args:
        name: Registered name, or None for all.

    Returns:
        Columns ``name``, ``config``, ``column``, ``type``, ``unlabelled``, ``meaning``.
    """
    return tables.columns_table(REGISTRY if name is None else {name: entry(name)})


def _refuse_conll(name: str, config: str | None = None) -> None:
    asked = (re.sub(r"[^a-z0-9]", "", part.lower()) for part in (Path(name).name, config or ""))
    if not any(re.search(r"conll(20)?03", part) for part in asked):
        return
    asked_for = f"{name!r}, configuration {config!r}" if config else repr(name)
    raise ForbiddenDatasetError(
        f"{asked_for}: CoNLL-2003 is not used in this book, because its text "
        "(Reuters news) may not be redistributed. For entities use 'universal_ner' or 'cross_ner'."
    )


def _unknown_message(name: str) -> str:
    ids = {found.hub_id: key for key, found in REGISTRY.items() if found.hub_id}
    close = [ids[name]] if name in ids else difflib.get_close_matches(name, REGISTRY, cutoff=0.5)
    suggestion = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return (
        f"{name!r} is neither a registered data set nor a folder.{suggestion} "
        f"Registered: {', '.join(REGISTRY)}."
    )


def _copies() -> Path | None:
    """The folder of local copies, None where the variable is not set."""
    value = os.environ.get(DATA_DIRECTORY_VARIABLE, "").strip()
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_dir():
        raise DataNotFoundError(
            f"{DATA_DIRECTORY_VARIABLE} is {value!r}, which is not a folder. Set it to the folder "
            "of local copies, or unset it to read from the network."
        )
    return path


def _find_folder(name: str) -> Path:
    path = Path(name).expanduser()
    if name and path.is_dir():
        return path
    copies = _copies()
    if copies is not None and name not in ("", ".", "..") and (copies / name).is_dir():
        return copies / name
    raise UnknownDatasetError(_unknown_message(name))


def _copy_of(found: Entry, config_name: str) -> Path | None:
    found.config(config_name)
    copies = _copies()
    if copies is None:
        return None
    path = copies / found.name / config_name
    return path if path.is_dir() else None


def _load_registered(found: Entry, config: str | None) -> datasets.DatasetDict:
    config_name = config or found.default_config
    declared = found.config(config_name)
    copy = _copy_of(found, config_name)
    if copy is not None:
        return _read_copy(copy, declared, f"{found.name} {config_name} in {copy}")
    if isinstance(declared.source, Join):
        return _load_joined(found, config_name, declared.source)
    loaded = remote.download(found, config_name, _where_looked(found, config_name))
    return _checked_download(
        loaded, declared, f"{found.name} {config_name}, {found.origin(config_name)}"
    )


def _load_joined(found: Entry, config_name: str, source: Join) -> datasets.DatasetDict:
    """Make a joined data set from its parts, which are checked, and which bound what is lost."""
    try:
        entities = _load_registered(REGISTRY[source.entities], config_name)
        syntax = _load_registered(REGISTRY[source.syntax], config_name)
    except DownloadError as error:
        raise DownloadError(
            f"Data set {found.name!r}, configuration {config_name!r} (licence: {found.licence}) "
            f"has no local copy ({_where_looked(found, config_name)}) and could not be "
            f"{found.origin(config_name)}: {error}"
        ) from error
    return remote.join_splits(found, config_name, entities, syntax)


def _where_looked(found: Entry, config_name: str) -> str:
    copies = _copies()
    if copies is None:
        return f"{DATA_DIRECTORY_VARIABLE} is not set"
    return f"there is no {copies / found.name / config_name}"


def _read_copy(path: Path, declared: Config, where: str) -> datasets.DatasetDict:
    files = folder.split_files(path)
    if not files:
        raise LayoutError(
            f"{where}: found no parquet files, expected <split>-00000-of-00001.parquet."
        )
    for split, paths in files.items():
        for part in paths:
            features = folder.features_of(part)
            schema.check_features(features, declared.features, f"{where}, split {split!r}")
    rows = folder.rows_of(files)
    schema.check_not_empty(rows, where)
    schema.check_rows(rows, declared, is_copy=True, where=where)
    for split, paths in files.items():
        content = folder.table_of(paths)
        schema.check_content(content, declared.columns, split, f"{where}, split {split!r}")
    return folder.read(files, declared.features, where)


def _checked_download(
    loaded: datasets.DatasetDict, declared: Config, where: str
) -> datasets.DatasetDict:
    """Check what was downloaded, and give its columns the declared order and types."""
    rows = {split: part.num_rows for split, part in loaded.items()}
    schema.check_not_empty(rows, where)
    missing = [split for split in declared.rows if split not in loaded]
    if missing:
        raise RowCountError(
            f"{where}: found the splits {list(rows)}, expected {list(declared.rows)}."
        )
    # Further splits that a source publishes (test_2017, ...) are not part of the entry.
    kept = {split: loaded[split] for split in declared.rows}
    for split, part in kept.items():
        schema.check_features(part.features, declared.features, f"{where}, split {split!r}")
    schema.check_rows({s: rows[s] for s in kept}, declared, is_copy=False, where=where)
    for split, part in kept.items():
        content = part.with_format("arrow")[:]
        schema.check_content(content, declared.columns, split, f"{where}, split {split!r}")
        ordered = part.select_columns([column.name for column in declared.columns])
        if ordered.features != declared.features:
            ordered = ordered.cast(declared.features)
        kept[split] = ordered
    return datasets.DatasetDict(kept)


def _load_folder(path: Path, config: str | None) -> datasets.DatasetDict:
    config_name = folder.choose_config(path, config)
    where = str(path / config_name)
    files = folder.split_files(path / config_name)
    found = {split: [folder.features_of(part) for part in parts] for split, parts in files.items()}
    features = own_schema.common_features(found, where)
    schema.check_not_empty(folder.rows_of(files), where)
    contents = {split: folder.table_of(paths) for split, paths in files.items()}
    own_schema.check_own_content(contents, features, where)
    return folder.read(files, features, where)
