"""Generated data sets that are kept on disk are those that would be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_utils.experiments import kept_sets, text_sets
from mtl_utils.experiments.kept_sets import KEPT_VARIABLE, kept
from mtl_utils.experiments.processes import Children
from mtl_utils.experiments.text_set import TextSet
from mtl_utils.experiments.workspaces import workspaces_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(KEPT_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def never() -> TextSet:
    raise AssertionError("made again")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sentences", lambda: text_sets._sentences_of_atlas(60, 1, 0.5)),
        ("pairs", lambda: text_sets._atlas_pairs(60, 1)),
    ],
)
def test_what_is_read_is_what_was_made(folder: Path, name: str, make: object) -> None:
    assert callable(make)
    made = kept(name, 1, make)
    assert len(list(folder.iterdir())) == 1
    assert kept(name, 1, never) == made == make()


def test_another_seed_name_or_source_is_another_data_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (text_sets._sentences_of_atlas(60, seed) for seed in (1, 2))
    assert kept("a", 1, lambda: first) == first
    assert kept("a", 2, lambda: second) == second
    assert kept("b", 1, lambda: second) == second
    monkeypatch.setattr(kept_sets, "_sources", lambda: "changed")
    assert kept("a", 1, lambda: second) == second
    assert len(list(folder.iterdir())) == 4


def test_a_damaged_file_is_made_again(folder: Path) -> None:
    made = text_sets._sentences_of_atlas(60, 1)
    kept("a", 1, lambda: made)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes().replace(b"PairClass", b"").replace(b'"topic"', b'"other"'))
    assert kept("a", 1, lambda: made) == made
    assert kept("a", 1, never) == made


def test_nothing_is_kept_unless_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEPT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    made = text_sets._sentences_of_atlas(60, 1)
    assert kept("a", 1, lambda: made) is made
    assert list(tmp_path.iterdir()) == []


def test_the_digest_is_of_all_that_generates(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or original(path))
    kept_sets._sources.__wrapped__()
    assert {"grammar.py", "build.py", "frames.txt", "text_set.py", "text_sets.py"} <= set(read)


def test_workers_name_the_folder_beside_their_workspaces(tmp_path: Path) -> None:
    folder = Children(tmp_path, "module:name", threads=1)._environment()[KEPT_VARIABLE]
    assert Path(folder) == workspaces_folder(tmp_path).parent / "kept_sets"
