"""What goes wrong with registered data sets, one clear error each."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_data import TAGS, TOPICS, Write, cells, features, write_table

from mtl_utils import corpora
from mtl_utils.corpora import (
    AlignmentError,
    BrokenFileError,
    DataError,
    DataNotFoundError,
    DownloadError,
    EmptySplitError,
    ForbiddenDatasetError,
    LabelError,
    LayoutError,
    RowCountError,
    SchemaError,
    UnknownConfigError,
    UnknownDatasetError,
    errors,
)

PLAIN_INTEGER = datasets.Value("int64")
TEXT = datasets.Value("string")


def test_a_whole_copy_loads_with_label_names(write: Write) -> None:
    write("train", cells(3))
    write("test", cells(2, topic=[-1, -1], score=[-1.0, 2.5]))
    loaded = corpora.load("tiny")
    assert list(loaded) == ["train", "test"]
    assert loaded["train"].features["topic"].names == list(TOPICS)
    assert loaded["train"].features["ner_tags"].feature.names == list(TAGS)
    assert loaded["train"]["tokens"][0] == ["Ada", "Lovelace", "wrote"]
    assert loaded["train"]["topic"][:] == [0, 1, 0]
    assert loaded["test"]["score"][:] == [-1.0, 2.5]


def test_the_known_partial_copy_is_accepted_and_no_other(write: Write) -> None:
    write("train", cells(1))
    assert corpora.load("tiny")["train"].num_rows == 1
    write("train", cells(2))
    with pytest.raises(RowCountError, match="found 2 rows, expected 3, or 1 as in the known copy"):
        corpora.load("tiny")


def test_every_error_is_a_data_error() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), DataError)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("snlii", "'snli'"), ("wiki_text", "'wikitext'"), ("stanfordnlp/snli", "'snli'")],
)
def test_unknown_name_suggests_close_ones(name: str, suggestion: str) -> None:
    with pytest.raises(UnknownDatasetError, match=f"Did you mean .*{suggestion}") as caught:
        corpora.load(name)
    assert "universal_ner" in str(caught.value)


def test_unknown_name_far_from_all_suggests_none() -> None:
    with pytest.raises(UnknownDatasetError) as caught:
        corpora.load("zzzzzz")
    assert "Did you mean" not in str(caught.value)


def test_unknown_config_lists_the_registered_ones(write: Write) -> None:
    with pytest.raises(UnknownConfigError, match=r"'missing'.*default, other"):
        corpora.load("tiny", "missing")


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("conll2003", None),
        ("CoNLL-2003", None),
        ("eriktks/conll2003", None),
        ("tner/conll03", None),
        ("cross_ner", "conll2003"),
        ("cross_ner", "CoNLL-03"),
        ("some/folder/conll_2003", "default"),
        ("some/folder/conll_2003/", "default"),
    ],
)
def test_conll_2003_is_refused_with_the_reason(name: str, config: str | None) -> None:
    with pytest.raises(ForbiddenDatasetError, match=r"CoNLL-2003.*redistributed.*universal_ner"):
        corpora.load(name, config)


@pytest.mark.parametrize(
    "name", ["conll2000", "conll2012", "conll", "my_conll03_style_company_data", "conll2003/mine"]
)
def test_other_conll_tasks_are_merely_unknown(name: str) -> None:
    with pytest.raises(UnknownDatasetError):
        corpora.load(name)


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_data_directory_that_is_no_folder(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "copies"
    if kind == "file":
        path.write_text("not a folder")
    monkeypatch.setenv("MTL_DATA_DIR", str(path))
    with pytest.raises(DataNotFoundError, match=r"MTL_DATA_DIR is .*copies.* not a folder"):
        corpora.load("snli")


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize("name", [name for name in corpora.names() if name != "uner_ud"])
def test_no_copy_and_no_network_names_all_one_needs(name: str) -> None:
    entry = corpora.entry(name)
    with pytest.raises(DownloadError) as caught:
        corpora.load(name)
    source = entry.hub_id or entry.config().source.repository  # type: ignore[union-attr]
    for needed in (name, entry.licence, source, "MTL_DATA_DIR", f"{name}/{entry.default_config}"):
        assert needed in str(caught.value)


@pytest.mark.usefixtures("without_network")
def test_joined_data_set_without_network_names_itself_and_its_parts() -> None:
    with pytest.raises(DownloadError) as caught:
        corpora.load("uner_ud")
    for needed in ("'uner_ud'", "CC BY-SA 4.0", "universalner/universal_ner", "MTL_DATA_DIR"):
        assert needed in str(caught.value)


def test_missing_copy_says_where_it_was_looked_for(
    write: Write, without_network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("train", cells(3), config="unrelated")
    monkeypatch.setenv("MTL_DATA_DIR", str(tmp_path))
    with pytest.raises(DownloadError, match=r"there is no .*tiny/default"):
        corpora.load("tiny")


@pytest.mark.parametrize(
    "setting", [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}]
)
def test_a_refused_connection_fails_at_once_and_in_silence(
    setting: dict[str, str], tmp_path: Path
) -> None:
    # The library's own retries sleep between their attempts, 23 s in all.
    code = "import time\ntime.sleep = lambda seconds: exit(f'slept {seconds} s')\n"
    code += "from mtl_utils import corpora\ncorpora.load('snli')"
    environment = {**os.environ, "HF_HOME": str(tmp_path), **setting}
    environment.pop("MTL_DATA_DIR", None)
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "DownloadError: Data set 'snli'" in run.stderr
    assert "Retrying" not in run.stderr


@pytest.mark.parametrize("damage", ["half", "no bytes", "text", "magic only", "pages"])
def test_broken_parquet(damage: str, write: Write) -> None:
    path = write("train", cells(3))
    write("test", cells(2))
    content = path.read_bytes()
    path.write_bytes(
        {
            "half": content[: len(content) // 2],
            "no bytes": b"",
            "text": b"tokens,ner_tags\n",
            "magic only": b"PAR1",
            "pages": content[:4] + b"\xff" * 60 + content[64:],
        }[damage]
    )
    with pytest.raises(BrokenFileError, match=r"train-00000-of-00001\.parquet cannot be read"):
        corpora.load("tiny")


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in features().items() if key != name}


def test_missing_column(write: Write) -> None:
    columns = cells(3)
    del columns["topic"]
    write("train", columns, without("topic"))
    with pytest.raises(SchemaError, match=r"expected \['tokens', .*missing: \['topic'\]"):
        corpora.load("tiny")


def test_surplus_column(write: Write) -> None:
    write("train", {**cells(3), "more": [1, 2, 3]}, {**features(), "more": PLAIN_INTEGER})
    with pytest.raises(SchemaError, match=r"not expected: \['more'\]"):
        corpora.load("tiny")


@pytest.mark.parametrize(
    ("column", "feature", "values", "found", "expected"),
    [
        ("topic", TEXT, ["sport"] * 3, "string", "ClassLabel of 2"),
        ("topic", PLAIN_INTEGER, [0, 1, 0], "integer", "ClassLabel of 2"),
        ("topic", datasets.Value("float64"), [0.0, 1.0, 0.0], "float", "ClassLabel of 2"),
        ("tokens", TEXT, ["Ada wrote"] * 3, "string", "list of string"),
        ("tokens", datasets.Sequence(PLAIN_INTEGER), [[1, 2, 3]] * 3, "list of int", "list of str"),
        ("ner_tags", datasets.Sequence(TEXT), [["O"] * 3] * 3, "list of string", "list of Class"),
        ("score", TEXT, ["1", "2", "3"], "string", "float"),
    ],
)
def test_wrong_column_type(
    column: str, feature: Any, values: list[Any], found: str, expected: str, write: Write
) -> None:
    write("train", cells(3, **{column: values}), features(**{column: feature}))
    with pytest.raises(SchemaError, match=f"column '{column}': found {found}.*expected {expected}"):
        corpora.load("tiny")


def test_file_that_holds_another_type_than_its_metadata_declare(
    write: Write, tmp_path: Path
) -> None:
    path = write("train", cells(3))
    table = pa.table(cells(3, topic=["sport"] * 3))
    pq.write_table(table.replace_schema_metadata(pq.read_schema(path).metadata), path)
    with pytest.raises(SchemaError, match="'topic': found string, expected ClassLabel of 2"):
        corpora.load("tiny")


@pytest.mark.parametrize("names", [["politics", "sport"], ["sport", "music"]])
def test_other_label_names_or_order(names: list[str], write: Write) -> None:
    write("train", cells(3), features(topic=datasets.ClassLabel(names=names)))
    with pytest.raises(SchemaError) as caught:
        corpora.load("tiny")
    assert str(names) in str(caught.value) or ", ".join(names) in str(caught.value)
    assert "sport" in str(caught.value)


def test_wider_integers_and_large_text_are_the_same_type(write: Write, tmp_path: Path) -> None:
    path = write("train", cells(1))
    table = pq.read_table(path)
    for name, wide in (("topic", pa.int32()), ("tokens", pa.large_list(pa.large_string()))):
        index = table.column_names.index(name)
        table = table.set_column(index, name, table[name].cast(wide))
    pq.write_table(table, path)
    loaded = corpora.load("tiny")["train"]
    assert loaded.features == corpora.entry("tiny").config().features
    assert loaded["topic"][:] == [0]


def test_empty_split(write: Write) -> None:
    write("train", cells(3))
    write("test", cells(0))
    with pytest.raises(EmptySplitError, match="split 'test' has 0 rows"):
        corpora.load("tiny")


def test_missing_split(write: Write) -> None:
    write("test", cells(2))
    with pytest.raises(RowCountError, match=r"found the splits \['test'\], expected \['train'"):
        corpora.load("tiny")


def test_surplus_split(write: Write) -> None:
    write("train", cells(3))
    write("dev", cells(2))
    with pytest.raises(RowCountError, match=r"found the splits \['train', 'dev'\]"):
        corpora.load("tiny")


def test_no_files_at_all(write: Write, tmp_path: Path) -> None:
    (tmp_path / "tiny" / "default").mkdir(parents=True)
    with pytest.raises(LayoutError, match="found no parquet files"):
        corpora.load("tiny")


@pytest.mark.parametrize(
    ("split", "replaced", "found"),
    [
        ("train", {"topic": [0, 1, 2]}, "found the label 2 in 1 places, expected 0 to 1"),
        ("train", {"topic": [0, 1, -1]}, "-1 is not declared to mean 'no label' here"),
        ("test", {"topic": [-2, 0]}, "found the label -2 .* or -1 for no label"),
        ("train", {"ner_tags": [[0, 0, 3]] * 3}, "column 'ner_tags': found the label 3 in 3"),
        ("train", {"ner_tags": [[0, -1, 0]] * 3}, "column 'ner_tags': found the label -1"),
        ("test", {"ner_tags": [[0, -1, 0]] * 2}, "column 'ner_tags': found the label -1"),
        ("train", {"score": [0.0, 5.5, 1.0]}, "found 5.5, expected a number from 0 to 5"),
        ("train", {"score": [0.0, -1.0, 1.0]}, "found -1.0, expected a number from 0 to 5"),
        ("train", {"score": [0.0, float("nan"), 1.0]}, "found nan"),
    ],
)
def test_label_outside_the_declared_set(
    split: str, replaced: dict[str, list[Any]], found: str, write: Write
) -> None:
    write("train", cells(3))
    write("test", cells(2))
    write(split, cells(3 if split == "train" else 2, **replaced))
    with pytest.raises(LabelError, match=found):
        corpora.load("tiny")


@pytest.mark.parametrize(
    "replaced",
    [{"topic": [0, None, 1]}, {"tokens": [["a", None, "c"]] * 3}, {"ner_tags": [None] * 3}],
)
def test_missing_values(replaced: dict[str, list[Any]], write: Write) -> None:
    write("train", cells(3, **replaced))
    write("test", cells(2))
    with pytest.raises(SchemaError, match=r"found \d missing values, expected none"):
        corpora.load("tiny")


def test_tags_and_tokens_of_different_length(write: Write) -> None:
    write("train", cells(3, ner_tags=[[1, 2, 0], [1, 2], [1, 2, 0]]))
    write("test", cells(2))
    with pytest.raises(AlignmentError, match="row 1: 'tokens' has 3 items but 'ner_tags' has 2"):
        corpora.load("tiny")


def test_a_registered_name_wins_over_a_folder_of_the_working_directory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("train", cells(1))
    write_table(
        tmp_path / "cwd" / "tiny" / "default" / "train-00000-of-00001.parquet", {"a": [1]}, None
    )
    monkeypatch.chdir(tmp_path / "cwd")
    assert "tokens" in corpora.load("tiny")["train"].features
    assert list(corpora.load("./tiny")["train"].features) == ["a"]
    assert list(corpora.load(Path("tiny"))["train"].features) == ["a"]


@pytest.mark.parametrize("name", [None, 5, 1.5, b"snli", ["snli"], True])
def test_a_name_that_is_no_text(name: Any) -> None:
    with pytest.raises(TypeError, match="name_or_folder must be a registered name or a folder"):
        corpora.load(name)
    with pytest.raises(TypeError, match="name_or_folder must be a registered name or a folder"):
        corpora.guess_schema(name)
    for call in (corpora.entry, corpora.has_copy):
        with pytest.raises(TypeError, match="name must be the name of a registered data set"):
            call(name)
    if name is not None:
        with pytest.raises(TypeError, match="name must be the name of a registered data set"):
            corpora.columns_table(name)


@pytest.mark.parametrize("config", [5, b"default", ["default"], True])
def test_a_configuration_that_is_no_text(config: Any) -> None:
    for call in (corpora.load, corpora.has_copy, corpora.guess_schema):
        with pytest.raises(TypeError, match="Found the configuration"):
            call("snli", config)
    with pytest.raises(TypeError, match="name must be that of a configuration"):
        corpora.entry("snli").config(config)


def test_an_empty_configuration_is_not_the_default_one(write: Write) -> None:
    write("train", cells(1))
    for call in (
        corpora.load,
        corpora.has_copy,
        lambda name, config: corpora.entry(name).config(config),
    ):
        with pytest.raises(UnknownConfigError, match="has no configuration ''"):
            call("tiny", "")


def test_a_registered_data_set_has_its_own_schema(write: Write) -> None:
    write("train", cells(1))
    with pytest.raises(ValueError, match=r"'tiny' is registered.*'\./tiny'"):
        corpora.load("tiny", schema=corpora.Schema())
    with pytest.raises(ValueError, match=r"columns_table\('tiny'\)"):
        corpora.guess_schema("tiny")
    with pytest.raises(TypeError, match="schema must be a Schema, or None"):
        corpora.load("tiny", schema={"label": None})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="verify must be True or False, got None"):
        corpora.load("tiny", verify=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["~no_such_user/data", "x" * 5000, "a\0b", "..", "."])
def test_a_path_that_no_system_can_name_or_that_is_no_data_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    with pytest.raises((UnknownDatasetError, LayoutError)):
        corpora.load(name)
    if "\0" not in name:
        monkeypatch.setenv("MTL_DATA_DIR", name)
        with pytest.raises((UnknownDatasetError, DataNotFoundError)):
            corpora.load("nothing")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: corpora.Column(5, "string", "x"), TypeError, "name must be the name of a column"),
        (lambda: corpora.Column("a", "text", "x"), ValueError, "kind must be one of"),
        (lambda: corpora.Column("a", "label", "x"), ValueError, "names are for kind='label'"),
        (
            lambda: corpora.Column("a", "string", "x", ("y",)),
            ValueError,
            "names are for kind='label'",
        ),
        (
            lambda: corpora.Column("a", "label", "x", ("y", "y")),
            ValueError,
            "different label names",
        ),
        (lambda: corpora.Column("a", "int32", "x", bounds=(2, 1)), ValueError, "bounds must be"),
        (
            lambda: corpora.Join("a", "b", "id"),
            ValueError,
            "key must be 'idx' or 'tokens', got 'id'",
        ),
        (
            lambda: corpora.Config((corpora.Column("a", "string", "x"),) * 2, {"train": 1}),
            ValueError,
            r"different names, got \['a', 'a'\]",
        ),
        (lambda: corpora.Config((), {"train": 0}), ValueError, "rows must be positive"),
        (
            lambda: dataclasses.replace(corpora.entry("trec"), default_config="x"),
            ValueError,
            r"default_config must be one of those of configs, \['default'\], got 'x'",
        ),
    ],
)
def test_an_entry_that_contradicts_itself(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()
