"""Data sets outside the registry, loaded by folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_data import TAGS, TOPICS, cells, features, write_table

from mtl_utils import corpora
from mtl_utils.corpora import (
    AlignmentError,
    BrokenFileError,
    EmptySplitError,
    LabelError,
    LayoutError,
    SchemaError,
    UnknownConfigError,
    UnknownDatasetError,
)

INTEGER = datasets.Value("int64")
TEXT = datasets.Value("string")


class Folder:
    """A data set folder in which a test writes splits."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(
        self, split: str, columns: dict[str, Any], declared: Any = None, config: str = "default"
    ) -> Path:
        return write_table(
            self.path / config / f"{split}-00000-of-00001.parquet", columns, declared
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    return Folder(tmp_path / "mine")


def test_labels_keep_their_names_and_splits_any_name(folder: Folder) -> None:
    for split in ("dev.matched", "train", "challenge_2", "test"):
        folder.write(split, cells(2), features())
    loaded = corpora.load(folder.path, "default")
    assert list(loaded) == ["train", "test", "challenge_2", "dev.matched"]
    assert loaded["test"].features["topic"].names == list(TOPICS)
    assert loaded["test"].features["ner_tags"].feature.names == list(TAGS)
    assert loaded["test"].to_dict() == cells(2)


def test_a_text_path_is_as_good(folder: Folder) -> None:
    folder.write("train", cells(1), features())
    assert corpora.load(str(folder.path))["train"].num_rows == 1


def test_files_without_metadata_keep_their_own_types(folder: Folder) -> None:
    folder.write("train", {"text": ["a", "b"], "label": [0, 1]})
    assert corpora.load(folder.path)["train"].features == {"text": TEXT, "label": INTEGER}


def test_the_only_config_or_default_is_taken(folder: Folder) -> None:
    folder.write("train", {"a": [1]}, config="sole")
    assert corpora.load(folder.path)["train"]["a"][:] == [1]
    folder.write("train", {"a": [2]}, config="default")
    assert corpora.load(folder.path)["train"]["a"][:] == [2]
    assert corpora.load(folder.path, "sole")["train"]["a"][:] == [1]


@pytest.mark.parametrize("config", [None, "fr"])
def test_missing_config_lists_those_there_are(config: str | None, folder: Folder) -> None:
    folder.write("train", {"a": [1]}, config="de")
    folder.write("train", {"a": [1]}, config="en")
    with pytest.raises(UnknownConfigError, match="de, en"):
        corpora.load(folder.path, config)


def test_an_unregistered_folder_below_the_data_directory_loads_by_name(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("train", {"a": [1]})
    monkeypatch.setenv("MTL_DATA_DIR", str(folder.path.parent))
    assert corpora.load("mine")["train"].num_rows == 1


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UnknownDatasetError, match="neither a registered data set nor a folder"):
        corpora.load(tmp_path / "nothing")


def test_folder_without_parquet(folder: Folder) -> None:
    folder.path.mkdir()
    with pytest.raises(LayoutError, match=r"laid out as <config>/<split>-00000-of-00001"):
        corpora.load(folder.path)


def test_the_config_folder_given_as_the_data_set(folder: Folder) -> None:
    folder.write("train", {"a": [1]})
    assert corpora.load(folder.path / "default")["train"]["a"][:] == [1]


@pytest.mark.parametrize("name", ["train.parquet", "dev-matched-00000-of-00001.parquet"])
def test_a_file_of_another_name_is_not_passed_over(name: str, folder: Folder) -> None:
    folder.write("train", {"a": [1]})
    write_table(folder.path / "default" / name, {"a": [1]}, None)
    with pytest.raises(LayoutError, match=name):
        corpora.load(folder.path)


def test_parts_of_a_split_are_read_in_order(folder: Folder) -> None:
    for part in (2, 0, 1):
        path = folder.path / "default" / f"train-{part:05d}-of-00003.parquet"
        write_table(path, cells(1, score=[float(part)]), features())
    assert corpora.load(folder.path)["train"]["score"][:] == [0.0, 1.0, 2.0]
    path.unlink()
    with pytest.raises(LayoutError, match="expected all parts of one split, 00000 to 00002"):
        corpora.load(folder.path)


def test_columns_that_differ_between_splits(folder: Folder) -> None:
    folder.write("train", {"text": ["a"], "label": [0]})
    folder.write("test", {"label": [0]})
    with pytest.raises(SchemaError, match=r"split 'test'.*missing: \['text'\]"):
        corpora.load(folder.path)


@pytest.mark.parametrize("values", [["0"], [0.5], [[0]]])
def test_types_that_differ_between_splits(values: list[Any], folder: Folder) -> None:
    folder.write("train", {"text": ["a"], "count": [0]})
    folder.write("test", {"text": ["a"], "count": values})
    with pytest.raises(SchemaError, match=r"split 'test'.*column 'count'.*expected integer"):
        corpora.load(folder.path)


def test_label_names_that_differ_between_splits(folder: Folder) -> None:
    folder.write("train", cells(1), features())
    swapped = datasets.ClassLabel(names=list(reversed(TOPICS)))
    folder.write("test", cells(1), features(topic=swapped))
    with pytest.raises(SchemaError, match=r"column 'topic'.*ClassLabel|label names"):
        corpora.load(folder.path)


@pytest.mark.parametrize("values", [["0", "1"], [0.0, 1.0]])
def test_metadata_that_declare_another_type(values: list[Any], folder: Folder) -> None:
    path = folder.write("train", cells(2), features())
    other = pa.table(cells(2, topic=values)).replace_schema_metadata(pq.read_schema(path).metadata)
    pq.write_table(other, path)
    with pytest.raises(SchemaError, match=r"'topic': found (string|float), expected ClassLabel"):
        corpora.load(folder.path)


def test_metadata_that_declare_a_column_the_file_lacks(folder: Folder) -> None:
    path = folder.write("train", cells(2), features())
    pq.write_table(pq.read_table(path).drop_columns(["topic"]), path)
    with pytest.raises(SchemaError, match=r"expected \['tokens', 'ner_tags', 'topic'"):
        corpora.load(folder.path)


@pytest.mark.parametrize(
    ("replaced", "found"),
    [
        ({"topic": [0, 2]}, "found the label 2 .* expected 0 to 1"),
        ({"topic": [0, -2]}, "found the label -2"),
        ({"ner_tags": [[0, 0, 3]] * 2}, "found the label 3 .* expected 0 to 2"),
        ({"ner_tags": [[0, 0, -2]] * 2}, "found the label -2"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_label_outside_the_names(
    split: str, replaced: dict[str, Any], found: str, folder: Folder
) -> None:
    folder.write("train", cells(2), features())
    folder.write("test", cells(2), features())
    folder.write(split, cells(2, **replaced), features())
    with pytest.raises(LabelError, match=f"split '{split}'.*{found}"):
        corpora.load(folder.path)


def test_a_hidden_label_is_the_hubs_convention(folder: Folder) -> None:
    folder.write("train", cells(2), features())
    folder.write("test", cells(2, topic=[-1, -1]), features())
    assert corpora.load(folder.path)["test"]["topic"][:] == [-1, -1]


def test_a_column_not_named_like_a_label_may_hold_any_number(folder: Folder) -> None:
    folder.write("train", {"text": ["a"], "year": [-500]})
    folder.write("test", {"text": ["a"], "year": [2024]})
    assert corpora.load(folder.path)["test"]["year"][:] == [2024]


@pytest.mark.parametrize("declared", [None, features()])
def test_tags_and_tokens_of_different_length(declared: Any, folder: Folder) -> None:
    folder.write("train", cells(2, ner_tags=[[1, 2, 0], [1, 2, 0, 0]]), declared)
    with pytest.raises(AlignmentError, match="row 1: 'tokens' has 3 items but 'ner_tags' has 4"):
        corpora.load(folder.path)


def test_lists_that_do_not_annotate_tokens_may_have_any_length(folder: Folder) -> None:
    folder.write("train", {"tokens": [["a", "b"]], "choices": [["x", "y", "z"]]})
    assert corpora.load(folder.path)["train"].num_rows == 1


def test_empty_split(folder: Folder) -> None:
    folder.write("train", cells(1), features())
    folder.write("test", cells(0), features())
    with pytest.raises(EmptySplitError, match="split 'test' has 0 rows"):
        corpora.load(folder.path)


def test_truncated_parquet(folder: Folder) -> None:
    path = folder.write("train", cells(50), features())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BrokenFileError, match="cannot be read as parquet"):
        corpora.load(folder.path)


def test_a_rewritten_file_is_read_anew_even_with_its_old_time_stamp(folder: Folder) -> None:
    path = folder.write("train", {"count": [1]})
    stamp = path.stat()
    assert corpora.load(folder.path)["train"]["count"][:] == [1]
    folder.write("train", {"count": [2]})
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert corpora.load(folder.path)["train"]["count"][:] == [2]


def test_loaded_rows_outlive_the_file(folder: Folder) -> None:
    path = folder.write("train", {"count": [1, 2]})
    loaded = corpora.load(folder.path)
    path.unlink()
    assert loaded["train"].map(lambda row: {"double": 2 * row["count"]})["double"][:] == [2, 4]


@pytest.mark.parametrize("bars", [True, False])
def test_loading_prints_nothing_and_leaves_the_settings_alone(
    bars: bool, folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.write("train", cells(2), features())
    before = datasets.are_progress_bars_disabled()
    (datasets.enable_progress_bars if bars else datasets.disable_progress_bars)()
    level = datasets.logging.get_verbosity()
    try:
        corpora.load(folder.path)
        assert datasets.are_progress_bars_disabled() is not bars
    finally:
        (datasets.disable_progress_bars if before else datasets.enable_progress_bars)()
    assert datasets.logging.get_verbosity() == level
    assert capfd.readouterr() == ("", "")


SIDES = datasets.ClassLabel(names=["left", "right"])


@pytest.mark.parametrize(
    ("feature", "cell"),
    [
        (datasets.Sequence(datasets.Sequence(SIDES)), [[0], [2]]),
        ({"side": SIDES}, {"side": 2}),
        ([{"side": SIDES}], [{"side": 0}, {"side": 2}]),
    ],
)
def test_labels_inside_lists_and_structures_are_checked(
    feature: Any, cell: Any, folder: Folder
) -> None:
    folder.write("train", {"x": [cell]}, {"x": feature})
    with pytest.raises(LabelError, match="found the label 2 in 1 places, expected 0 to 1"):
        corpora.load(folder.path)


def test_missing_token(folder: Folder) -> None:
    folder.write("train", {"tokens": [["a", None]], "ner_tags": [[0, 0]]})
    with pytest.raises(SchemaError, match="'tokens': found 1 missing values"):
        corpora.load(folder.path)


def test_a_column_name_twice(folder: Folder) -> None:
    path = folder.write("train", {"a": [1]})
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    with pytest.raises(SchemaError, match=r"\['a', 'a'\], expected each name once"):
        corpora.load(folder.path)


@pytest.mark.parametrize("metadata", ["{", "[1]", '{"info": {"features": {"a": "int64"}}}'])
def test_metadata_that_describe_nothing(metadata: str, folder: Folder) -> None:
    path = folder.write("train", {"a": [1]})
    pq.write_table(pq.read_table(path).replace_schema_metadata({"huggingface": metadata}), path)
    with pytest.raises(SchemaError, match="metadata that do not describe features"):
        corpora.load(folder.path)


def test_the_reserved_split_name(folder: Folder) -> None:
    folder.write("all", {"a": [1]})
    with pytest.raises(LayoutError, match="a split named 'all'"):
        corpora.load(folder.path)


def test_translations_and_categories_load(folder: Folder) -> None:
    pairs = {"translation": datasets.Translation(["en", "fr"])}
    folder.write("train", {"translation": [{"en": "a", "fr": "b"}]}, pairs)
    assert corpora.load(folder.path)["train"][0] == {"translation": {"en": "a", "fr": "b"}}
    folder.write("train", {"label": pa.array(["x", "y"]).dictionary_encode()})
    assert corpora.load(folder.path)["train"]["label"][:] == ["x", "y"]


@pytest.mark.parametrize("name", ["", "nothing/here"])
def test_empty_or_wrong_path(name: str) -> None:
    with pytest.raises(UnknownDatasetError):
        corpora.load(name)


def test_a_configuration_that_is_no_text(folder: Folder) -> None:
    with pytest.raises(TypeError, match="Found the configuration 5, expected its name"):
        corpora.load("snli", 5)  # type: ignore[arg-type]


def test_label_names_that_differ_only_late_in_a_long_list(folder: Folder) -> None:
    names = [str(number) for number in range(20)]
    folder.write("train", {"label": [0]}, {"label": datasets.ClassLabel(names=names)})
    names[15:17] = names[16], names[15]
    folder.write("test", {"label": [0]}, {"label": datasets.ClassLabel(names=names)})
    with pytest.raises(SchemaError, match=r"differ first at id 15 \('16', not '15'\)"):
        corpora.load(folder.path)
