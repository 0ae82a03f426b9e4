"""One's own data in files of text: what is read, what is refused, and what is written back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conllu
import datasets
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import corpora
from mtl_utils.corpora import (
    AlignmentError,
    BrokenFileError,
    ConllFormat,
    ConlluFormat,
    CsvFormat,
    DataError,
    DataNotFoundError,
    EmptySplitError,
    LabelError,
    LayoutError,
    Schema,
    SchemaError,
    UnknownConfigError,
)

Put = Callable[[str, str | bytes], Path]

CONLL = "# id = 1\nAda\tB-PER\nmet\tO\n\nBob\tB-PER\n.\tO\n"
CONLLU = (
    "# newdoc\n# sent_id = s1\n# text = vámonos al mar  ya\n"
    "1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tvamos\tir\tVERB\t_\tMood=Imp|Number=Plur\t0\troot\t_\tRef=http://a?b=c\n"
    "2\tnos\tyo\tPRON\t_\t_\t1\tobj\t_\tGloss=us  all\n"
    "3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "3\ta\ta\tADP\t_\t_\t5\tcase\t_\t_\n"
    "4\tel\tel\tDET\tDA\tGender=Masc\t5\tdet\t_\t_\n"
    "5\tmar\tmar\tNOUN\t_\tNumber=Sing\t1\tobl\t_\tSpaceAfter=No\n"
    "5.1\tx\tx\tVERB\t_\t_\t_\t_\t1:dep\t_\n"
    "6\t_\t_\tPUNCT\t_\t_\t1\tpunct\t_\t_\n"
    "\n"
    "1\tNew York\tNew York\tPROPN\t_\t_\t0\troot\t_\t_\n\n"
)


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def rows(path: Any, **settings: Any) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = corpora.load(path, **settings)["train"].to_dict()
    return columns


# Which files are the data set.


def test_a_file_is_train_and_a_mapping_says_otherwise(put: Put) -> None:
    path = put("some.csv", "text,label\na,x\n")
    assert list(corpora.load(path)) == list(corpora.load(str(path))) == ["train"]
    loaded = corpora.load({"challenge": path, "test": str(path)})
    assert {split: part.to_dict() for split, part in loaded.items()} == {
        split: {"text": ["a"], "label": ["x"]} for split in ("challenge", "test")
    }


@pytest.mark.parametrize("dev", ["dev", "val", "valid", "Validation", "en_ewt-ud-dev", "my.valid"])
@pytest.mark.parametrize("end", ["csv", "tsv", "jsonl", "conll", "conllu", "parquet"])
def test_a_folder_of_one_file_a_split(dev: str, end: str, put: Put, tmp_path: Path) -> None:
    contents = {
        "csv": "text,label\na,x\n",
        "tsv": "text\tlabel\na\tx\n",
        "jsonl": '{"text": "a"}\n',
        "conll": CONLL,
        "conllu": CONLLU,
    }
    for split in ("test", dev, "train"):
        if end == "parquet":
            pd.DataFrame({"text": ["a"]}).to_parquet(tmp_path / f"{split}.parquet")
        else:
            put(f"{split}.{end}", contents[end])
    put("README.md", "about")
    put("dataset_infos.json" if end != "jsonl" else "statistics.csv", "{}")
    put("LICENSE.txt", "all yours")
    put("._train.csv", b"\x00\x05")
    assert list(corpora.load(tmp_path)) == ["train", "validation", "test"]


def test_configurations_may_be_of_any_format(put: Put, tmp_path: Path) -> None:
    for language in ("da", "sv"):
        put(f"{language}/train.conll", f"{language}\tO\n")
    assert rows(tmp_path, config="sv")["tokens"] == [["sv"]]
    with pytest.raises(UnknownConfigError, match="name one of: da, sv"):
        corpora.load(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("dev.csv", "valid.csv"), r"'dev.csv' and 'valid.csv', both of split 'validation'"),
        (("train.csv", "a-train.csv"), r"'a-train.csv' and 'train.csv', both of split 'train'"),
        (("train.csv", "test.jsonl"), r"several formats \(\.csv, \.jsonl\)"),
        (("train.csv", "notes.csv"), r"'notes.csv', whose name tells no split, beside 'train.csv'"),
        (("notes.csv",), r"no files such as train.csv"),
    ],
)
def test_folders_that_are_unclear(names: Any, message: str, put: Put, tmp_path: Path) -> None:
    for name in names:
        put(name, "text,label\na,x\n" if name.endswith("csv") else '{"text": "a"}\n')
    with pytest.raises(LayoutError, match=message):
        corpora.load(tmp_path)


def test_files_that_are_named_wrongly(put: Put) -> None:
    table, lines = put("a.csv", "text\na\n"), put("b.jsonl", '{"text": "a"}\n')
    with pytest.raises(LayoutError, match=r"a.csv and .*b.jsonl: found files of several formats"):
        corpora.load({"train": table, "test": lines})
    with pytest.raises(DataNotFoundError, match=r"nothing.csv, for split 'train', is not a file"):
        corpora.load({"train": table.with_name("nothing.csv")})
    with pytest.raises(LayoutError, match="named 'all'"):
        corpora.load({"all": table})
    with pytest.raises(LayoutError, match="named 'a-b', expected letters"):
        corpora.load({"a-b": table})
    with pytest.raises(UnknownConfigError, match="'de', expected None"):
        corpora.load(table, "de")
    with pytest.raises(LayoutError, match=r"found a file whose name .* format=ConllFormat"):
        corpora.load(put("c.txt", CONLL))
    assert rows(put("c.txt", CONLL), format=ConllFormat())["tokens"] == [
        ["Ada", "met"],
        ["Bob", "."],
    ]


def test_parquet_of_any_name_loads_as_a_file(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a"], "label": [1]}).to_parquet(tmp_path / "mine.parquet")
    assert rows(tmp_path / "mine.parquet") == {"text": ["a"], "label": [1]}


def test_a_link_is_what_it_points_to(put: Put, tmp_path: Path) -> None:
    put("blobs/0123", "text\na\n")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "train.csv").symlink_to(tmp_path / "blobs" / "0123")
    assert rows(tmp_path / "links") == {"text": ["a"]}


# What save_to_disk wrote.


def test_saved_data_sets(tmp_path: Path) -> None:
    names = datasets.ClassLabel(names=["no", "yes"])
    part = datasets.Dataset.from_dict(
        {"text": ["a", "b", "c"], "label": [1, 0, -1]},
        features=datasets.Features({"text": datasets.Value("string"), "label": names}),
    ).select([2, 0])
    part.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": part, "dev": part}).save_to_disk(tmp_path / "several")
    loaded = corpora.load(tmp_path / "one")
    assert loaded["train"].to_dict() == {"text": ["c", "a"], "label": [-1, 1]}
    assert loaded["train"].features["label"].names == ["no", "yes"]
    assert list(corpora.load(tmp_path / "several")) == ["train", "dev"]
    (tmp_path / "one" / "data-00000-of-00001.arrow").write_bytes(b"nothing")
    with pytest.raises(BrokenFileError, match="cannot be read as saved by save_to_disk"):
        corpora.load(tmp_path / "one")
    (tmp_path / "one" / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(BrokenFileError, match=r"found no data-00000-of-00001.arrow"):
        corpora.load(tmp_path / "one")


@pytest.mark.parametrize("outside", ["../several/x.arrow", "/etc/hostname", ".."])
def test_a_saved_data_set_reads_nothing_outside_its_folder(outside: str, tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": ["a"]}).save_to_disk(tmp_path / "one")
    state = tmp_path / "one" / "state.json"
    found = json.loads(state.read_text())
    found["_data_files"][0]["filename"] = outside
    state.write_text(json.dumps(found))
    with pytest.raises(BrokenFileError, match="not what save_to_disk writes"):
        corpora.load(tmp_path / "one")
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": [outside]}))
    with pytest.raises(BrokenFileError, match="not what save_to_disk writes"):
        corpora.load(tmp_path)


# Tables.


def test_cells_of_a_table_are_text_unless_they_are_numbers(put: Put) -> None:
    path = put(
        "a.csv",
        b"\xef\xbb\xbfid,text,label,score,count,version,stars\r\n"
        b"007,NA,1,0.5,3,1.1,5\r\n"
        b'008,"null, ""None""\nhere",2,-2e-05,,1.10,4.5\r\n,nan,,4,-7,2,\r\n',
    )
    assert rows(path) == {
        "id": ["007", "008", None],
        "text": ["NA", 'null, "None"\nhere', "nan"],
        "label": ["1", "2", None],
        "score": [0.5, -2e-05, 4.0],
        "count": [3, None, -7],
        "version": ["1.1", "1.10", "2"],
        "stars": [5.0, 4.5, None],
    }
    assert rows(path, format=CsvFormat(numbers=("id", "stars")))["id"] == [7, 8, None]
    assert rows(path, format=CsvFormat(numbers=()))["score"] == ["0.5", "-2e-05", "4"]
    with pytest.raises(
        BrokenFileError, match=r"a.csv, line 2: found 'NA' in 'text', expected a nu"
    ):
        corpora.load(path, format=CsvFormat(numbers=("text",)))


@pytest.mark.parametrize(
    "cell", ["+1", "1_000", "１", " 1", "0x1", "1e999", "inf", "-0", "01.5", "."]
)
def test_what_is_no_number_stays_as_it_is(cell: str, put: Put) -> None:
    assert rows(put("a.csv", f"a,b\n1,{cell}\n"))["b"] == [cell]


def test_a_column_has_one_type_in_all_splits(put: Put) -> None:
    files = {"train": put("a.csv", "x,y\n1,1\n"), "test": put("b.csv", "x,y\na,0.5\n")}
    loaded = corpora.load(files)
    assert [part.to_dict() for part in loaded.values()] == [
        {"x": ["1"], "y": [1.0]},
        {"x": ["a"], "y": [0.5]},
    ]


def test_a_split_may_lack_its_labels(put: Put) -> None:
    files = {"train": put("a.csv", "text,label\na,x\n"), "test": put("b.csv", "text\nb\n")}
    assert corpora.load(files)["test"].to_dict() == {"text": ["b"], "label": [None]}


def test_lists_and_names_of_labels(put: Put) -> None:
    path = put("a.csv", "tokens,tags,labels,kind\nAda ran,B-PER O,joy|awe,b\nNo one,O O,,a\n")
    form = CsvFormat(lists={"tokens": " ", "tags": " ", "labels": "|"})
    schema = Schema("tokens", ("tags",), {"tags": None, "kind": ["a", "b"], "labels": None})
    loaded = corpora.load(path, format=form, schema=schema)["train"]
    assert loaded["labels"][:] == [["joy", "awe"], []]
    assert loaded["kind"][:] == [1, 0]
    assert loaded["tags"][:] == [["B-PER", "O"], ["O", "O"]]
    with pytest.raises(LabelError, match=r"column 'kind': found the labels \['a'\]"):
        corpora.load(path, format=form, schema=Schema(labels={"kind": ["b"]}))
    ragged = put("b.csv", "tokens,tags\nAda ran,O O\n\nNo one,O\n")
    with pytest.raises(
        AlignmentError, match=r"b.csv.*row 1 \(line 4\): 'tokens' has 2.*'tags' has 1"
    ):
        corpora.load(
            ragged,
            format=CsvFormat(lists={"tokens": " ", "tags": " "}),
            schema=Schema("tokens", ("tags",)),
        )


def test_tables_without_quotes(put: Put) -> None:
    plain = 'text\tlabel\n"Yes" he said\t1\n"No\t0\nno"\t0\n'
    assert rows(put("a.tsv", plain))["text"] == ['"Yes" he said', '"No', 'no"']
    quoted = 'text\tlabel\n"He said ""no"""\t1\nyes\t0\n'
    assert rows(put("b.tsv", quoted))["text"] == ['He said "no"', "yes"]
    assert rows(put("b.tsv", quoted), format=CsvFormat(quotes=False))["text"][0][0] == '"'
    several = put("c.tsv", 'text\tlabel\n"a\nb"\tx\n')
    with pytest.raises(BrokenFileError, match=r"line 2: found 1 cells, expected 2.*without quotes"):
        corpora.load(several)
    assert rows(several, format=CsvFormat(quotes=True)) == {"text": ["a\nb"], "label": ["x"]}


def test_tables_without_names_and_with_other_delimiters(put: Put) -> None:
    path = put("a.csv", "a;x\nb;y\n")
    with pytest.raises(BrokenFileError, match=r"line 1: .*say format=CsvFormat\(delimiter=';'\)"):
        corpora.load(path)
    form = CsvFormat(delimiter=";", columns=("text", "label"))
    assert rows(path, format=form) == {"text": ["a", "b"], "label": ["x", "y"]}


LONG = "word " * 50_000


def test_a_cell_may_be_long(put: Put) -> None:
    limit = csv.field_size_limit()
    assert rows(put("a.csv", f"text\n{LONG}\n")) == {"text": [LONG]}
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", r"line 3: found 3 cells, expected 2, as the first line has names"),
        ("a,b\n1\n", "line 2: found 1 cells, expected 2"),
        ("a,a\n1,2\n", r"line 1: found the columns \['a', 'a'\], expected each name once"),
        (",a\n0,x\n", "line 1: found no name for column 1 .*index=False"),
        ('a,b\n"x"y,1\n', "line 2: found cells that are no CSV"),
        ('a,b\n1,2\n"x,1\n3,4\n', "line 3: found cells that are no CSV"),
        (b"a,b\nx,\xe9\n", "line 2: found the byte 0xe9, which is no text in UTF-8"),
        ("a,b\nx,y\n".encode("utf-16"), "found UTF-16, expected UTF-8"),
    ],
)
def test_what_is_no_table(content: str | bytes, message: str, put: Put) -> None:
    with pytest.raises(BrokenFileError, match=rf"bad\.csv.*{message}"):
        corpora.load(put("bad.csv", content))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.conll", "a.conllu"])
@pytest.mark.parametrize("content", ["", " \n\n", "\ufeff"])
def test_empty_files(name: str, content: str, put: Put) -> None:
    with pytest.raises(EmptySplitError, match=f"{name}: found an empty file"):
        corpora.load(put(name, content))


def test_files_that_have_no_rows(put: Put) -> None:
    with pytest.raises(EmptySplitError, match="names of columns and no rows"):
        corpora.load(put("a.csv", "text,label\n"))
    with pytest.raises(EmptySplitError, match="found no words"):
        corpora.load(put("a.conll", "-DOCSTART- O\n\n"))


CELLS = st.text(st.sampled_from('a,"\t;é 7.\u2028'), max_size=4)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_pandas_and_we_read_the_same(cells: list[tuple[str, str]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        frame = pd.DataFrame(cells, columns=["a", "b"])
        frame.to_csv(path, index=False)
        expected = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=True)
        ours = rows(path, format=CsvFormat(numbers=()))
        assert {name: [cell or "" for cell in ours[name]] for name in ours} == expected.to_dict(
            "list"
        )


# JSON lines.


def test_json_lines(put: Put) -> None:
    path = put(
        "a.jsonl", '\ufeff{"text": "NA", "score": 1}\n\n{"score": 2.5, "tags": ["a"], "n": null}\n'
    )
    assert rows(path) == {
        "text": ["NA", None],
        "score": [1.0, 2.5],
        "tags": [None, ["a"]],
        "n": [None, None],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": 1\n', "line 2: found no JSON"),
        ('{"a": 1}\n\n[1]\n', r"line 3: found list \[1\], expected an object"),
        ('[{"a": 1}]', "line 1: found a JSON list, expected an object a line"),
        (
            '{"a": "x"}\n{"a": 5}\n',
            r"line 2: found the value 5 in 'a', .*kind of 'x' \(a.json, line 1\)",
        ),
        ('{"a": 1, "a": 2}\n', "line 1: .*'a' stands twice"),
        ('{"a": NaN}\n', "line 1: .*NaN is no number"),
        ('{"a": "\\ud800"}\n', r"line 1: found the value '\\ud800' in 'a'"),
        ('{"a": 99999999999999999999}\n', "line 1: found the value 99999999999999999999"),
    ],
)
def test_what_are_no_json_lines(content: str, message: str, put: Put) -> None:
    with pytest.raises(BrokenFileError, match=message):
        corpora.load(put("a.json", content))


@pytest.mark.parametrize("tags", ["ner_tags", "tags"])
def test_words_and_labels_of_unequal_length(tags: str, put: Put) -> None:
    content = '{"tokens": ["a"], "TAGS": ["O"]}\n\n{"tokens": ["a", "b"], "TAGS": ["O"]}\n'
    content = content.replace("TAGS", tags)
    with pytest.raises(AlignmentError, match=r"row 1 \(line 3\): 'tokens' has 2 .* has 1"):
        corpora.load(put("a.jsonl", content))


# CoNLL.


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_conll(separator: str, end: str, put: Put) -> None:
    content = "-DOCSTART- -X- O\n\nAda NN B-PER\nmet VB O\n\n \n# NN O\n\u00a0 NN O"
    content = content.replace(" ", separator).replace("\n", end)
    expected = {"tokens": [["Ada", "met"], ["#", "\u00a0"]], "tags": [["B-PER", "O"], ["O", "O"]]}
    form = ConllFormat(comments=False)
    assert rows(put("a.conll", content), format=form) == expected
    named = ConllFormat(("tokens", "upos", None), comments=False, documents=True)
    assert rows(put("a.bio", content), format=named) == {
        "tokens": [["-DOCSTART-"], ["Ada", "met"], ["#", "\u00a0"]],
        "upos": [["-X-"], ["NN", "VB"], ["NN", "NN"]],
    }


def test_comments_of_conll(put: Put) -> None:
    path = put("a.iob2", "# id = 1\nAda\tO\n#tag\tB-X\n#\tO\n")
    assert rows(path)["tokens"] == [["Ada", "#tag", "#"]]
    assert rows(path, format=ConllFormat(comments=True))["tokens"] == [["Ada"]]
    unclear = put("b.iob2", "Ada O\n# O\n")
    with pytest.raises(BrokenFileError, match=r"line 2: .*comment or the word '#'"):
        corpora.load(unclear)
    assert rows(unclear, format=ConllFormat(comments=False))["tokens"] == [["Ada", "#"]]


def test_conll_of_words_alone_and_with_missing_labels(put: Put) -> None:
    assert rows(put("a.conll", "Ada\nmet\n")) == {"tokens": [["Ada", "met"]]}
    assert rows(put("b.conll", "New York\tO\nx\t\n")) == {
        "tokens": [["New York", "x"]],
        "tags": [["O", None]],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "Ada\tO\nmet\n",
            r"line 2: found 1 cells parted by tabs \(\['met'\]\), expected 2 like the f",
        ),
        ("Ada O\n\nmet x O\n", "line 3: found 3 cells parted by blanks"),
        ("Ada\tO\n\tO\n", r"line 2: found no word in \['', 'O'\]"),
    ],
)
def test_what_is_no_conll(content: str, message: str, put: Put) -> None:
    with pytest.raises(BrokenFileError, match=rf"bad\.conll, {message}"):
        corpora.load(put("bad.conll", content))


def test_conll_2003_is_known_in_any_format(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtl_utils.corpora import forbidden

    words = [f"w{n}" for n in range(9)]
    monkeypatch.setitem(forbidden._FIRST_SENTENCES, 9, forbidden._digest(words))
    monkeypatch.setattr(forbidden, "_ROWS", 1)
    with pytest.raises(corpora.ForbiddenDatasetError):
        corpora.load(put("a.conll", "".join(f"{word}\tO\n" for word in words)))


# CoNLL-U.


def test_conllu(put: Put) -> None:
    found = rows(put("a.conllu", CONLLU))
    assert found["tokens"] == [["vamos", "nos", "a", "el", "mar", "_"], ["New York"]]
    assert found["lemmas"][0][-1] == "_"
    assert found["upos"][0] == ["VERB", "PRON", "ADP", "DET", "NOUN", "PUNCT"]
    assert found["xpos"][0] == [None, None, None, "DA", None, None]
    assert found["feats"][0][:2] == ["Mood=Imp|Number=Plur", "_"]
    assert found["heads"][0] == [0, 1, 5, 5, 1, 1]
    assert found["misc"][0][:2] == ["Ref=http://a?b=c", "Gloss=us  all"]
    assert found["text"] == ["vámonos al mar  ya", None]
    assert found["sent_id"] == ["s1", None]
    assert found["comments"][0] == ["newdoc", "sent_id = s1", "text = vámonos al mar  ya"]
    kept = rows(put("a.conllu", CONLLU), format=ConlluFormat("keep", empty_nodes=True))
    assert kept["tokens"][0] == ["vámonos", "vamos", "nos", "al", "a", "el", "mar", "x", "_"]
    assert kept["upos"][0][0] is None
    written = rows(put("a.conllu", CONLLU), format=ConlluFormat("instead"))
    assert written["tokens"][0] == ["vámonos", "al", "mar", "_"]


def test_conllu_agrees_with_the_package_on_a_plain_treebank(put: Put) -> None:
    lines = [
        f"{n + 1}\tw{n}\tl{n}\tNOUN\tNN\tCase=Nom\t{n}\tdep\t_\tSpaceAfter=No" for n in range(7)
    ]
    content = "".join(f"# sent_id = {k}\n" + "\n".join(lines[: k + 1]) + "\n\n" for k in range(7))
    found = rows(put("a.conllu", content))
    parsed = conllu.parse(content)
    assert found["tokens"] == [[token["form"] for token in sentence] for sentence in parsed]
    assert found["heads"] == [[token["head"] for token in sentence] for sentence in parsed]
    assert found["sent_id"] == [sentence.metadata["sent_id"] for sentence in parsed]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\ta\n", "line 1: found 2 cells parted by tabs .*expected the 10 of CoNLL-U"),
        ("1\ta" + "\t_" * 7 + "\t\n", "line 1: found 10 cells parted by tabs and an empty one"),
        (
            "1\ta" + "\t_" * 8 + "\nx\tb" + "\t_" * 8 + "\n",
            r"line 2: found \['x', 'b'.*not a valid ID",
        ),
        ("# a\n_\ta" + "\t_" * 8 + "\n", r"line 2: found \['_', 'a'"),
        ("# a = b\n\n", "line 1: found comments without a sentence"),
        ("1-2\ta" + "\t_" * 8 + "\n", "line 1: found a sentence without words"),
    ],
)
def test_what_is_no_conllu(content: str, message: str, put: Put) -> None:
    with pytest.raises(BrokenFileError, match=message):
        corpora.load(put("a.conllu", content))


# Label names.


def test_label_names(put: Put) -> None:
    files = {"train": put("a.conll", "a\tB-X\nb\tO\n"), "test": put("b.conll", "a\tI-X\nb\t\n")}
    loaded = corpora.load(files)
    assert corpora.label_names_of(loaded, "tags") == ("O", "B-X", "I-X")
    assert corpora.label_names_of(loaded["train"], "tags") == ("O", "B-X")
    numbers = corpora.load(put("a.csv", "text,label\n" + "".join(f"t,{n}\n" for n in (10, 9, 1))))
    assert corpora.label_names_of(numbers, "label") == ("1", "9", "10")
    named = corpora.load(put("c.csv", "label\nb\na\n"), schema=Schema(labels={"label": ["b", "a"]}))
    assert corpora.label_names_of(named, "label") == ("b", "a")
    with pytest.raises(SchemaError, match="'score' has float, expected labels by name"):
        corpora.label_names_of(corpora.load(put("d.csv", "score\n1.5\n")), "score")
    with pytest.raises(SchemaError, match=r"column must be one of \['label'\], got 'nothing'"):
        corpora.label_names_of(named, "nothing")


# The way back.


def written(put: Put, name: str, content: str | bytes, predictions: Any, **settings: Any) -> bytes:
    source = put(name, content)
    target = source.with_name("out" + source.suffix)
    corpora.write(target, source, predictions, **settings)
    return target.read_bytes()


CSV = '\ufefftext,label,score\r\n"a, ""b""",x,1.50\r\n\r\n  c ,"y",2\n"d\ne",,3'
JSONL = '\ufeff{"text" : "a\\u00e9" , "label":"x"}\r\n\n {"label": null, "more": ["a"]}'
BLANKS = "-DOCSTART- O\n\n# id: a b c\nAda   X  B-PER  \nmet Y O\n\n\n. Z O"


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.csv", CSV, "label"),
        ("a.csv", CSV, "text"),
        ("a.jsonl", JSONL, "label"),
        ("a.jsonl", JSONL, "more"),
        ("a.conll", "\ufeff" + CONLL.replace("\n", "\r\n"), "tags"),
        ("a.conll", BLANKS, "tags"),
        ("a.conll", CONLL.rstrip("\n"), "tags"),
        ("a.conllu", CONLLU, "upos"),
        ("a.conllu", CONLLU, "xpos"),
        ("a.conllu", CONLLU.replace("\n", "\r\n"), "feats"),
        ("a.conllu", CONLLU, "misc"),
    ],
)
def test_what_a_file_has_already_leaves_it_as_it_was(
    name: str, content: str, column: str, put: Put
) -> None:
    path = put(name, content)
    gold = corpora.load(path)["train"][column][:]
    assert written(put, name, content, {column: gold}) == content.encode()


def test_predictions_in_a_table(put: Put) -> None:
    out = written(put, "a.csv", CSV, {"label": ["x", 'z"', "q"], "p": [0.5, None, "u,v"]})
    assert out.decode() == (
        '\ufefftext,label,score,p\r\n"a, ""b""",x,1.50,0.5\r\n\r\n  c ,"z""",2,\n"d\ne",q,3,"u,v"'
    )
    form = CsvFormat(lists={"tags": " "}, columns=("tags",))
    assert (
        written(put, "b.csv", "O O\nO\n", {"tags": [["O", "B"], ["O"]]}, format=form) == b"O B\nO\n"
    )
    with pytest.raises(ValueError, match=r"predictions\['p'\]\[0\]: 'a\\tb' has a delimiter"):
        written(put, "c.tsv", 'text\n"a\n', {"p": ["a\tb"]})


def test_predictions_in_json_lines(put: Put) -> None:
    out = written(put, "a.jsonl", JSONL, {"label": ["é", "y"], "p": [[1, 2], None]})
    assert out.decode() == (
        '\ufeff{"text" : "a\\u00e9" , "label":"é", "p": [1, 2]}\r\n\n'
        ' {"label": "y", "more": ["a"], "p": null}'
    )
    assert written(put, "b.jsonl", "{ }\n{}\n", {"p": [1, 2]}) == b'{"p": 1 }\n{"p": 2}\n'


def test_predictions_in_conll(put: Put) -> None:
    out = written(
        put, "a.conll", BLANKS, {"tags": [["O", "O"], ["B-X"]], "more": [["a", "b"], ["c"]]}
    )
    assert out.decode() == (
        "-DOCSTART- O\n\n# id: a b c\nAda   X  O  a  \nmet Y O b\n\n\n. Z B-X c"
    )
    words = written(put, "b.conll", "Ada\nmet\n\n.\n", {"tags": [["B-PER", "O"], ["O"]]})
    assert words == b"Ada B-PER\nmet O\n\n. O\n"
    assert written(put, "c.conll", "a b\tO\nc\tO\n", {"tags": [["X", None]]}) == b"a b\tX\nc\t\n"


def test_predictions_in_conllu(put: Put) -> None:
    predictions = {
        "upos": [["X"] * 6, [None]],
        "ner": [[*"abcdef"], ["B"]],
        "topic": ["sea", "place"],
        "sent_id": ["s1", "s2"],
    }
    out = written(put, "a.conllu", CONLLU, predictions).decode()
    assert rows(put("b.conllu", out))["upos"] == [["X"] * 6, [None]]
    assert [sorted(found) for found in rows(put("b.conllu", out))["comments"]] == [
        ["newdoc", "sent_id = s1", "text = vámonos al mar  ya", "topic = sea"],
        ["sent_id = s2", "topic = place"],
    ]
    kept = [line for line in CONLLU.split("\n") if line[:1] in ("#", "") or line[1] in "-."]
    assert [line for line in out.split("\n") if line in kept] == kept
    assert "SpaceAfter=No|ner=e" in out
    assert "\tner=b" not in out
    assert "Gloss=us  all|ner=b" in out
    again = written(put, "b.conllu", out, {"ner": [[*"zbcdef"], ["B"]]}).decode()
    assert again == out.replace("ner=a", "ner=z")


@pytest.mark.parametrize(
    ("name", "content", "predictions", "message"),
    [
        (
            "a.csv",
            CSV,
            {"p": ["a"]},
            r"predictions\['p'\] must have an entry for each of the 3 rows",
        ),
        ("a.jsonl", JSONL, {"p": [1, 2, 3]}, "for each of the 2 rows .* got 3"),
        ("a.conll", CONLL, {"tags": [["O", "O"]]}, "for each of the 2 rows .* got 1"),
        ("a.conll", CONLL, {"tags": [["O"], ["O", "O"]]}, r"\[0\] \(line 2 of .*expected 2 labels"),
        (
            "a.conllu",
            CONLLU,
            {"upos": [["X"] * 5, ["X"]]},
            r"\[0\] \(line 5 of .*expected 6 labels",
        ),
    ],
)
def test_predictions_that_do_not_fit(
    name: str, content: str, predictions: Any, message: str, put: Put
) -> None:
    with pytest.raises(AlignmentError, match=message):
        written(put, name, content, predictions)
    assert not put(name, content).with_name("out" + Path(name).suffix).exists()


def test_labels_that_cannot_be_written(put: Put) -> None:
    with pytest.raises(ValueError, match=r"predictions\['tags'\]\[0\].*found the label 'a b'"):
        written(put, "a.conll", "Ada O\n", {"tags": [["a b"]]})
    with pytest.raises(ValueError, match=r"'x\|y'.*part the items of the last column"):
        written(put, "a.conllu", CONLLU, {"ner": [["x|y"] * 6, ["x"]]})
    path = put("a.parquet", b"")
    with pytest.raises(LayoutError, match="found parquet"):
        corpora.write(path.with_name("b"), path, {"a": [1]})
    with pytest.raises(DataError):
        corpora.write("out.csv", "nothing.csv", {"a": [1]})


LABELS = st.text(st.sampled_from("OBI-|=\"'é#"), min_size=1, max_size=4)


@given(st.lists(st.lists(LABELS, min_size=1, max_size=3), min_size=1, max_size=3), st.booleans())
def test_labels_that_are_written_are_read(labels: list[list[str]], by_tabs: bool) -> None:
    import tempfile

    mark = "\t" if by_tabs else " "
    content = "\n\n".join("\n".join(f"w{mark}O" for _ in tags) for tags in labels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.conll"
        path.write_text(content, encoding="utf-8")
        corpora.write(path, path, {"tags": labels})
        assert rows(path)["tags"] == labels
