"""The registry itself, its tables, the carved validation split, and downloads."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from typing import Any

import datasets
import pytest
from huggingface_hub.errors import HfHubHTTPError
from tiny_data import TINY, Write, cells, features

from mtl_utils import corpora
from mtl_utils.corpora import (
    DownloadError,
    ForbiddenDatasetError,
    LabelError,
    RowCountError,
    SchemaError,
    UnknownDatasetError,
)
from mtl_utils.corpora.entry import Entry, Join, SourceFiles

ALL_CONFIGS = [(name, config) for name in corpora.names() for config in corpora.entry(name).configs]


def test_loading_data_sets_needs_no_torch() -> None:
    """Batches hold tensors; the registry, what it reads with and what it checks with do not."""
    seen, waiting = set(), {"mtl_utils.corpora"}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
            else:
                continue
            assert not any(module.split(".")[0] == "torch" for module in found), name
            ours = {module for module in found if str(module).startswith("mtl_utils.corpora.")}
            waiting |= {m for m in ours if _is_module(m)} - seen
    assert len(seen) > 10


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is a module and not a package: a name in it
        return False


@pytest.mark.parametrize("name", corpora.names())
def test_entries_are_complete(name: str) -> None:
    entry = corpora.entry(name)
    assert entry.default_config in entry.configs
    assert entry.licence
    assert entry.task
    for key in entry.citations:
        assert re.search(rf"@\w+{{{re.escape(key)},", entry.bibtex)
    assert len(entry.citations) >= 1


@pytest.mark.parametrize(("name", "config"), ALL_CONFIGS)
def test_configurations_have_one_source_pinned(name: str, config: str) -> None:
    entry, source = corpora.entry(name), corpora.entry(name).config(config).source
    if isinstance(source, SourceFiles):
        assert re.fullmatch(r"[0-9a-f]{40}", source.commit)
        assert set(source.files) == set(entry.config(config).rows)
    elif isinstance(source, Join):
        assert config in corpora.entry(source.entities).configs
        assert config in corpora.entry(source.syntax).configs
    else:
        assert entry.hub_id
        assert entry.revision in ("main", "refs/convert/parquet")


@pytest.mark.parametrize(("name", "config"), ALL_CONFIGS)
def test_declared_columns_are_consistent(name: str, config: str) -> None:
    declared = corpora.entry(name).config(config)
    assert all(count > 0 for count in declared.rows.values())
    for column in declared.columns:
        assert column.meaning
        assert (column.kind == "label") == bool(column.names)
        assert len(set(column.names)) == len(column.names)
        assert set(column.unlabelled) <= set(declared.rows)
    if declared.partial_copy:
        assert set(declared.partial_copy.rows) | set(declared.partial_copy.absent) <= set(
            declared.rows
        )


def test_entry_refuses_like_load() -> None:
    with pytest.raises(ForbiddenDatasetError):
        corpora.entry("conll2003")
    with pytest.raises(UnknownDatasetError, match="Did you mean 'trec'"):
        corpora.entry("trek")


def test_tables_list_every_data_set_and_column() -> None:
    overview = corpora.table()
    assert list(overview["name"]) == corpora.names()
    assert overview.set_index("name").loc["snli", "rows"] == (
        "train 550,152, validation 10,000, test 10,000"
    )
    assert len(corpora.table(every_config=True)) == len(ALL_CONFIGS)
    columns = corpora.columns_table()
    assert set(columns["name"]) == set(corpora.names())
    assert list(corpora.columns_table("snips")["column"]) == ["tokens", "slot_tags", "intent"]
    hidden = columns[(columns["name"] == "sst2") & (columns["column"] == "label")]
    assert list(hidden["unlabelled"]) == ["test"]


def test_caveats_list_what_the_entries_say_and_how_known_copies_differ() -> None:
    caveats = corpora.caveats_table()
    said = [(entry.name, caveat) for entry in corpora.REGISTRY.values() for caveat in entry.caveats]
    assert set(said) <= set(caveats.itertuples(index=False, name=None))
    copies = {
        (entry.name, config.partial_copy.reason)
        for entry in corpora.REGISTRY.values()
        for config in entry.configs.values()
        if config.partial_copy
    }
    assert len(caveats) == len(said) + len(copies)
    for name, reason in copies:
        assert sum(reason in caveat for caveat in caveats["caveat"][caveats["name"] == name]) == 1
    assert list(corpora.caveats_table("xnli")["caveat"])[-1] == (
        "the known local copy: machine-translated training data left out for size"
    )
    assert "copy of mnli_matched: test" in list(corpora.caveats_table("glue")["caveat"])[-1]
    assert corpora.caveats_table("rotten_tomatoes").empty
    with pytest.raises(UnknownDatasetError):
        corpora.caveats_table("nope")


def test_has_copy(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not corpora.has_copy("tiny")
    write("train", cells(1))
    assert corpora.has_copy("tiny")
    assert not corpora.has_copy("tiny", "other")
    write("test", cells(1), name="universal_ner", config="en_pud")
    assert not corpora.has_copy("uner_ud", "en_pud")
    write("test", cells(1), name="universal_dependencies", config="en_pud")
    assert corpora.has_copy("uner_ud", "en_pud")
    monkeypatch.delenv("MTL_DATA_DIR")
    assert not corpora.has_copy("tiny")


# Downloads, with the Hub replaced by a function


class FakeHub:
    """Stands in for the Hub; keeps what it was asked for."""

    def __init__(self, splits: dict[str, datasets.Dataset]) -> None:
        self.splits = splits
        self.asked: dict[str, Any] = {}

    def load_dataset(self, path: str, **wanted: Any) -> datasets.DatasetDict:
        self.asked = {"path": path, **wanted}
        return datasets.DatasetDict(self.splits)


def published(**replaced: Any) -> dict[str, datasets.Dataset]:
    typed = datasets.Features(features())
    return {
        "train": datasets.Dataset.from_dict(cells(3), features=typed),
        "test": datasets.Dataset.from_dict(cells(2), features=typed),
        **replaced,
    }


@pytest.fixture
def fake_hub(registered: Entry, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(published())
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    monkeypatch.setattr("mtl_utils.corpora.remote.HfApi.dataset_info", lambda *_, **__: None)
    monkeypatch.setattr("datasets.load_dataset", fake.load_dataset)
    return fake


def test_a_download_asks_for_the_pinned_revision(fake_hub: FakeHub) -> None:
    loaded = corpora.load("tiny")
    assert fake_hub.asked == {"path": "nobody/tiny", "name": "default", "revision": "main"}
    assert loaded["train"].to_dict() == cells(3)


def test_a_converted_branch_is_asked_for_explicit_files(fake_hub: FakeHub) -> None:
    with pytest.raises(SchemaError):  # the fake answers with other columns, which is noticed
        corpora.load("trec")
    assert fake_hub.asked == {
        "path": "CogComp/trec",
        "revision": "refs/convert/parquet",
        "data_files": {
            "train": "default/train/*.parquet",
            "test": "default/test/*.parquet",
        },
    }


def test_a_download_must_have_the_published_rows(fake_hub: FakeHub) -> None:
    fake_hub.splits["train"] = fake_hub.splits["train"].select([0])  # as the known partial copy has
    with pytest.raises(
        RowCountError, match=r"revision main, split 'train': found 1 rows, expected 3\."
    ):
        corpora.load("tiny")


def test_a_download_must_have_the_published_splits(fake_hub: FakeHub) -> None:
    del fake_hub.splits["test"]
    with pytest.raises(
        RowCountError, match=r"found the splits \['train'\], expected \['train', 'test'"
    ):
        corpora.load("tiny")


def test_a_downloads_order_of_columns_and_integer_width_do_not_matter(fake_hub: FakeHub) -> None:
    train = fake_hub.splits["train"].cast_column("score", datasets.Value("float64"))
    fake_hub.splits["train"] = train.select_columns(["topic", "score", "ner_tags", "tokens"])
    loaded = corpora.load("tiny")
    assert loaded["train"].features == TINY.config().features
    assert list(loaded["train"].features) == ["tokens", "ner_tags", "topic", "score"]
    assert loaded["train"].to_dict() == cells(3)


def test_a_downloads_labels_are_checked(fake_hub: FakeHub) -> None:
    typed = datasets.Features(features())
    rows = datasets.Dataset.from_dict(cells(3, topic=[0, -1, 1]), features=typed)
    fake_hub.splits["train"] = rows
    with pytest.raises(LabelError, match="found the label -1"):
        corpora.load("tiny")


def test_splits_beyond_the_entry_are_left_out(fake_hub: FakeHub) -> None:
    fake_hub.splits["extra"] = fake_hub.splits["train"]
    assert list(corpora.load("tiny")) == ["train", "test"]


def test_the_hubs_refusal_is_passed_on(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusal(HfHubHTTPError):
        def __init__(self) -> None:
            Exception.__init__(self, "404 Client Error: revision not found")

    def refuse(*_: Any, **__: Any) -> None:
        raise Refusal

    monkeypatch.setattr("mtl_utils.corpora.remote.HfApi.dataset_info", refuse)
    with pytest.raises(DownloadError, match="the Hub answered: 404 Client Error"):
        corpora.load("tiny")
