"""What the columns of a data set of one's own are: as its reader says, or as guessed."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tiny_data import cells, features, write_table

from mtl_utils import corpora
from mtl_utils.corpora import AlignmentError, ForbiddenDatasetError, LabelError, Schema, SchemaError

NAMES = ["neg", "pos"]
INTEGER = datasets.Value("int64")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    return tmp_path / "mine"


def write(path: Path, declared: Any = None, **splits: dict[str, Any]) -> None:
    for split, columns in splits.items():
        write_table(path / "default" / f"{split}-00000-of-00001.parquet", columns, declared)


# Valid data that a name alone must not refuse


WORDS = [["a", "b", "c"], ["d", "e"]]


@pytest.mark.parametrize(
    "columns",
    [
        {"text": ["a", "b"], "label": [0.25, -3.5]},
        {"text": ["a", "b"], "label": [-2, 7]},
        {"text": ["a", "b"], "label": [True, False]},
        {"text": ["a", "b"], "num_labels": [-1, 12]},
        {"tokens": WORDS, "tags": [["politics"], ["sport", "economy", "x"]]},
        {"tokens": WORDS, "tags": ["politics", "sport"]},
        {"tokens": WORDS, "tags": [3, -7]},
        {"tokens": WORDS, "misc": ["from the web", "from a book"]},
        {"tokens": WORDS, "misc": [["x"], []]},
        {"tokens": WORDS, "heads": [[1, 2, 3, 4, 5, 6], [1]]},
        {"tokens": WORDS, "ner_tags": ["PER", "LOC"]},
        {"tokens": WORDS, "ner_tags": [[[0], [1], [0, 1]], [[0], [0]]]},
        {"tokens": [3, 2], "text": ["a b c", "d e"]},
        {"tokens": ["a b c", "d e"], "ner_tags": ["O O O", "O O"]},
        {"tokens": WORDS, "choices": [["x"], ["y", "z"]]},
    ],
)
def test_a_name_alone_refuses_nothing(columns: dict[str, Any], path: Path) -> None:
    write(path, train=columns)
    loaded = corpora.load(path)["train"]
    assert loaded.to_dict() == columns
    assert corpora.load(path, schema=Schema())["train"].to_dict() == columns


@pytest.mark.parametrize("name", ["label", "fine_label", "intent", "num_labels"])
def test_a_class_may_be_absent_from_train(name: str, path: Path) -> None:
    write(
        path,
        train={"text": ["a", "b"], name: [0, 1]},
        validation={"text": ["a", "b"], name: [1, -1]},
        test={"text": ["a"], name: [9]},
    )
    assert corpora.load(path)["test"][name][:] == [9]
    assert corpora.load(path)["validation"][name][:] == [1, -1]


# Missing labels


def test_missing_labels_load(path: Path) -> None:
    columns = cells(3, topic=[0, None, -1], ner_tags=[[1, None, 0], None, [-1, 2, 0]])
    write(path, features(), train=columns)
    loaded = corpora.load(path)["train"]
    assert loaded["topic"][:] == [0, None, -1]
    assert loaded["ner_tags"][:] == [[1, None, 0], None, [-1, 2, 0]]


@pytest.mark.parametrize("values", [["x", None], [True, None]])
def test_missing_labels_without_names_load(values: list[Any], path: Path) -> None:
    write(path, train={"text": ["a", "b"], "label": values})
    assert corpora.load(path)["train"]["label"][:] == values


def test_what_pandas_makes_of_missing_labels(path: Path) -> None:
    """pandas turns integers into floats as soon as one is missing."""
    (path / "default").mkdir(parents=True)
    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": [0, None, 2]})
    assert frame["label"].dtype == np.float64
    frame.to_parquet(path / "default" / "train-00000-of-00001.parquet")
    nan = pa.table({"text": ["d", "e"], "label": [1.0, float("nan")]})
    test = path / "default" / "test-00000-of-00001.parquet"
    write_table(test, {name: nan[name] for name in nan.column_names}, None)
    write(path, validation={"text": ["f"], "label": [1]})
    loaded = corpora.load(path)
    assert {split: rows["label"][:] for split, rows in loaded.items()} == {
        "train": [0, None, 2],
        "validation": [1],
        "test": [1, None],
    }
    assert loaded["train"].features["label"] == INTEGER
    assert all(isinstance(label, int) for label in loaded["train"]["label"][:2:2])


def test_scores_stay_scores_and_lose_their_nan(path: Path) -> None:
    write(path, train={"text": ["a", "b"], "label": [0.5, float("nan")]})
    assert corpora.load(path)["train"]["label"][:] == [0.5, None]
    write(path, train={"text": ["a", "b"], "label": [1.0, 2.0]})
    assert corpora.load(path)["train"].features["label"].dtype == "float64"
    write(path, train={"text": ["a", "b"], "other": [1.0, float("nan")]})
    assert np.isnan(corpora.load(path)["train"]["other"][1])


@pytest.mark.parametrize("declared", [None, features()])
def test_a_split_without_a_column_of_labels_has_missing_ones(declared: Any, path: Path) -> None:
    write(path, declared, train=cells(2))
    test = cells_without("topic", "ner_tags")
    kept = declared and {name: declared[name] for name in test}
    write(path, kept, test=test)
    loaded = corpora.load(path, schema=TINY_SCHEMA)
    assert loaded["test"]["topic"][:] == [None, None]
    assert loaded["test"]["ner_tags"][:] == [None, None]
    assert loaded["test"].features == loaded["train"].features
    if declared:  # without names, `topic` is not known for a label
        assert corpora.load(path)["test"].to_dict() == loaded["test"].to_dict()
    else:
        with pytest.raises(SchemaError, match=r"split 'test'.*missing: \['topic'\]"):
            corpora.load(path)


TINY_SCHEMA = Schema("tokens", ("ner_tags",), {"topic": None, "ner_tags": None})


def cells_without(*names: str) -> dict[str, Any]:
    return {name: column for name, column in cells(2).items() if name not in names}


# What annotates words


@pytest.mark.parametrize(
    ("columns", "row", "lengths"),
    [
        ({"tokens": [["a", "b"]], "ner_tags": [["O"]]}, 0, ("'tokens' has 2", "'ner_tags' has 1")),
        (
            {"words": [["a"], ["b"], ["c", "d"]], "labels": [[0], [1], [1]]},
            2,
            ("'words' has 2", "'labels' has 1"),
        ),
        (
            {"tokens": [["a"], ["b"], ["c", "d"]], "topic_tags": [["x"], ["y"], ["z"]]},
            2,
            ("'tokens' has 2", "'topic_tags' has 1"),
        ),
        (
            {"tokens": [["a", "b"]] * 20, "whatever": [["x", "y"]] * 19 + [["x"]]},
            19,
            ("'tokens' has 2", "'whatever' has 1"),
        ),
    ],
)
def test_unequal_lengths_are_noticed_with_their_row(
    columns: dict[str, Any], row: int, lengths: tuple[str, str], path: Path
) -> None:
    write(path, train=columns)
    with pytest.raises(AlignmentError) as caught:
        corpora.load(path)
    for part in (f"row {row}:", *lengths, "schema=Schema(...)"):
        assert part in str(caught.value)
    assert corpora.load(path, schema=Schema())["train"].to_dict() == columns


def test_a_declared_annotation_is_held_to_without_a_guess(path: Path) -> None:
    columns = {"tokens": WORDS, "tags": [["politics"], ["sport", "economy", "x"]]}
    write(path, train=columns)
    with pytest.raises(
        AlignmentError, match=r"row 0: 'tokens' has 3 items but 'tags' has 1; expected one each\.$"
    ):
        corpora.load(path, schema=Schema("tokens", ("tags",)))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (Schema("text"), "'text': found string, expected a list of words"),
        (Schema("tokens", ("label",)), "'label': found integer, expected a list with an item"),
        (Schema("tokens", ("nested",)), "'nested': found list of list of integer"),
        (Schema(labels={"nope": None}), r"names the columns \['nope'\], found \['text', 'tokens'"),
    ],
)
def test_a_schema_that_the_columns_do_not_fit(schema: Schema, message: str, path: Path) -> None:
    columns = {"text": ["a"], "tokens": [["a"]], "nested": [[[0]]], "label": [0]}
    write(path, train=columns)
    with pytest.raises(SchemaError, match=message):
        corpora.load(path, schema=schema)


def test_a_missing_word(path: Path) -> None:
    write(path, train={"tokens": [["a", None]], "ner_tags": [[0, 0]]})
    with pytest.raises(SchemaError, match="'tokens': found 1 missing values"):
        corpora.load(path)


# Names that the reader gives


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["pos", "neg", None], [1, 0, None]),
        ([1, 0, None], [1, 0, None]),
        ([1.0, 0.0, float("nan")], [1, 0, None]),
        ([-1, 0, 1], [-1, 0, 1]),
        (pa.array(["pos", "neg", None]).dictionary_encode(), [1, 0, None]),
    ],
)
def test_label_names_of_the_reader(values: Any, expected: list[Any], path: Path) -> None:
    write(path, train={"text": ["a", "b", "c"], "label": values})
    loaded = corpora.load(path, schema=Schema(labels={"label": NAMES}))["train"]
    assert loaded.features["label"] == datasets.ClassLabel(names=NAMES)
    assert loaded["label"][:] == expected


@pytest.mark.parametrize("values", [[["A", "O"], None, ["O"]], [[1, 0], None, [0]]])
def test_tag_names_of_the_reader(values: Any, path: Path) -> None:
    write(path, train={"words": [["a", "b"], ["c"], ["d"]], "labels": values})
    schema = Schema("words", ("labels",), {"labels": ("O", "A")})
    loaded = corpora.load(path, schema=schema)["train"]
    assert loaded.features["labels"].feature.names == ["O", "A"]
    assert loaded["labels"][:] == [[1, 0], None, [0]]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (["pos", "good"], LabelError, r"found the labels \['good'\], expected some of"),
        ([0, 2], LabelError, "found the label 2 in 1 places, expected 0 to 1"),
        ([0, -2], LabelError, "found the label -2"),
        ([0.5, 1.0], LabelError, "numbers that are not whole"),
        ([True, False], SchemaError, "found bool, expected labels by name or id"),
    ],
)
def test_labels_outside_the_names_of_the_reader(
    values: list[Any], error: type[Exception], message: str, path: Path
) -> None:
    write(path, train={"text": ["a", "b"], "label": values})
    with pytest.raises(error, match=f"split 'train', column 'label': .*{message}"):
        corpora.load(path, schema=Schema(labels={"label": NAMES}))


def test_names_of_the_reader_against_those_of_the_file(path: Path) -> None:
    write(path, {"label": datasets.ClassLabel(names=NAMES)}, train={"label": [0]})
    assert corpora.load(path, schema=Schema(labels={"label": NAMES}))["train"]["label"][:] == [0]
    with pytest.raises(SchemaError, match=r"declares the label names \['neg', 'pos'\], the schema"):
        corpora.load(path, schema=Schema(labels={"label": NAMES[::-1]}))


# The guess and its parts


def test_a_guess_is_offered_and_can_be_corrected(path: Path) -> None:
    write(
        path,
        train={
            "id": ["1", "2"],
            "words": [["a", "b"], ["c"]],
            "upos": [["X", "X"], ["X"]],
            "labels": [[0, 1], [0]],
            "topics": [["x"], []],
            "intent": ["u", "v"],
        },
    )
    guessed = corpora.guess_schema(path)
    assert guessed == Schema(
        "words", ("upos", "labels"), {"upos": None, "labels": None, "intent": None}
    )
    write(path, train={"words": [["a", "b"], ["c"]], "upos": [["X"], ["X"]]})
    corrected = dataclasses.replace(corpora.guess_schema(path), per_word=())
    assert corpora.load(path, schema=corrected)["train"].num_rows == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"words": 5}, TypeError, "words must be the name of a column"),
        ({"per_word": "tags"}, TypeError, "per_word must be a list or tuple of names, got 'tags'"),
        ({"per_word": ("tags",)}, ValueError, "there is no column of words"),
        ({"words": "a", "per_word": ("a",)}, ValueError, "cannot annotate itself"),
        ({"words": "a", "per_word": ("b", "b")}, ValueError, "more than once"),
        ({"labels": ("label",)}, TypeError, "labels must map each column"),
        ({"labels": {"label": "neg"}}, TypeError, "must be a list or tuple of names, got 'neg'"),
        ({"labels": {"label": ["a", "a"]}}, ValueError, r"\['a'\] more than once"),
        ({"labels": {5: None}}, TypeError, "labels must be a list or tuple of names"),
    ],
)
def test_a_schema_that_means_nothing(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Schema(**arguments)


# CoNLL-2003 goes by content


def test_a_folder_of_any_name_loads(path: Path) -> None:
    for name in ("conll2003", "my_conll03_style_company_data", "CoNLL-03"):
        folder = path.parent / name
        write(folder, train={"tokens": [["ours"]], "ner_tags": [["O"]]})
        assert corpora.load(folder)["train"].num_rows == 1


def test_the_corpus_itself_is_refused_under_any_name(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by a sentence of ours, since that of the corpus does not stand in these files."""
    sentence = ["a", "sentence", "of", "ours"]
    digest = hashlib.sha256(" ".join(sentence).encode()).hexdigest()[:32]
    monkeypatch.setattr("mtl_utils.corpora.forbidden._FIRST_SENTENCES", {4: digest})
    write(path, train={"tokens": [["x"]] * 998 + [sentence]})
    assert corpora.load(path)["train"].num_rows == 999  # an example in a small file is no corpus
    for name in ("tokens", "whatever"):
        write(path, train={name: [["x"]] * 999 + [sentence]})
        with pytest.raises(ForbiddenDatasetError, match=f"'{name}': CoNLL-2003 is not used"):
            corpora.load(path)
