"""Fixtures around the tiny data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny_data import TINY, Cells, Write, features, write_table

from mtl_utils import corpora
from mtl_utils.corpora.entry import Entry


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The tiny data set, registered for one test."""
    monkeypatch.setitem(corpora.REGISTRY, TINY.name, TINY)
    return TINY


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: Entry) -> Write:
    """Write one split of the tiny data set's local copy, which MTL_DATA_DIR then names."""
    monkeypatch.setenv("MTL_DATA_DIR", str(tmp_path))

    def write_split(
        split: str,
        columns: Cells,
        declared: Mapping[str, Any] | None = None,
        name: str = "tiny",
        config: str = "default",
        part: str = "00000-of-00001",
    ) -> Path:
        path = tmp_path / name / config / f"{split}-{part}.parquet"
        return write_table(path, columns, features() if declared is None else declared)

    return write_split


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No copies and no network: every request fails as it does when a name cannot be resolved."""
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr("mtl_utils.corpora.remote.HfApi.dataset_info", refuse)
    monkeypatch.setattr("datasets.load_dataset", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
