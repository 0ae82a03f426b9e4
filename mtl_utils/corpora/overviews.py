"""The registry as tables."""

from __future__ import annotations

import pandas as pd

from mtl_utils.arguments import check_flag
from mtl_utils.corpora import tables
from mtl_utils.corpora.hub import REGISTRY, entry

__all__ = ["caveats_table", "columns_table", "table"]


def table(every_config: bool = False) -> pd.DataFrame:
    """The registry as a table.

    Args:
        every_config: Whether to list all configurations rather than the default ones.

    Returns:
        Columns ``name``, ``config``, ``task``, ``hub_id``, ``revision``, ``licence``, ``open``,
        ``rows``.

    Raises:
        TypeError: If ``every_config`` is no boolean.
    """
    check_flag("every_config", every_config)
    return tables.overview(REGISTRY, every_config)


def columns_table(name: str | None = None) -> pd.DataFrame:
    """The columns of one data set, or of all, with type and meaning.

    Args:
        name: Registered name, or None for all.

    Returns:
        Columns ``name``, ``config``, ``column``, ``type``, ``unlabelled``, ``meaning``.

    Raises:
        TypeError: If the name is no text.
        UnknownDatasetError: If the name is not registered.
    """
    return tables.columns_table(REGISTRY if name is None else {name: entry(name)})


def caveats_table(name: str | None = None) -> pd.DataFrame:
    """What to know of one data set, or of all, before drawing conclusions from it.

    Args:
        name: Registered name, or None for all.

    Returns:
        Columns ``name`` and ``caveat``.

    Raises:
        TypeError: If the name is no text.
        UnknownDatasetError: If the name is not registered.
    """
    return tables.caveats_table(REGISTRY if name is None else {name: entry(name)})
