"""Tables of the registry, for the data page."""

from __future__ import annotations

import pandas as pd

from mtl_utils.corpora import schema
from mtl_utils.corpora.entry import Column, Config, Entry

__all__ = ["caveats_table", "columns_table", "overview"]


def overview(entries: dict[str, Entry], every_config: bool = False) -> pd.DataFrame:
    """One row for each data set, or for each configuration.

    Args:
        entries: Registry.
        every_config: Whether to list all configurations rather than the default one.

    Returns:
        Columns ``name``, ``config``, ``task``, ``hub_id``, ``revision``, ``licence``, ``open`` and
        ``rows`` (published, in the order of the splits).
    """
    records = []
    for entry in entries.values():
        for config_name in entry.configs if every_config else (entry.default_config,):
            config = entry.config(config_name)
            records.append(
                {
                    "name": entry.name,
                    "config": config_name,
                    "task": entry.task,
                    "hub_id": entry.origin(config_name) if config.source else entry.hub_id,
                    "revision": "" if config.source else entry.revision,
                    "licence": entry.licence,
                    "open": entry.is_open,
                    "rows": _rows(config),
                }
            )
    return pd.DataFrame.from_records(records)


def _rows(config: Config) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in config.rows.items())


def columns_table(entries: dict[str, Entry]) -> pd.DataFrame:
    """One row for each column of each data set.

    Configurations that share their columns share the rows; ``config`` then names the default one,
    or the first that has them.

    Args:
        entries: Registry.

    Returns:
        Columns ``name``, ``config``, ``column``, ``type``, ``unlabelled`` (splits in which -1 means
        "no label") and ``meaning``.
    """
    records = []
    for entry in entries.values():
        shown: list[tuple[Column, ...]] = []
        for config_name in _default_first(entry):
            columns = entry.config(config_name).columns
            if columns in shown:
                continue
            shown.append(columns)
            records += [_column_record(entry, config_name, column) for column in columns]
    return pd.DataFrame.from_records(records)


def caveats_table(entries: dict[str, Entry]) -> pd.DataFrame:
    """One row for each thing to know before drawing conclusions from a data set.

    Args:
        entries: Registry.

    Returns:
        Columns ``name`` and ``caveat``; how a known local copy differs is one as well.
    """
    records = []
    for entry in entries.values():
        copies = {
            f"the known local copy{_of(entry, config_name)}: {config.partial_copy.reason}"
            for config_name, config in entry.configs.items()
            if config.partial_copy
        }
        records += [
            {"name": entry.name, "caveat": caveat} for caveat in (*entry.caveats, *sorted(copies))
        ]
    return pd.DataFrame.from_records(records, columns=["name", "caveat"])


def _of(entry: Entry, config_name: str) -> str:
    """Of which configuration, where they have different known copies."""
    copies = {
        config.partial_copy and config.partial_copy.reason for config in entry.configs.values()
    }
    return f" of {config_name}" if len(copies) > 1 else ""


def _default_first(entry: Entry) -> list[str]:
    return [
        entry.default_config,
        *(name for name in entry.configs if name != entry.default_config),
    ]


def _column_record(entry: Entry, config_name: str, column: Column) -> dict[str, str]:
    kind = schema.describe(column.feature)
    if column.bounds:
        kind += f" from {column.bounds[0]:g} to {column.bounds[1]:g}"
    return {
        "name": entry.name,
        "config": config_name,
        "column": column.name,
        "type": kind,
        "unlabelled": ", ".join(column.unlabelled),
        "meaning": column.meaning,
    }
