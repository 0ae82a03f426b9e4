"""Data sets read from their source repositories: parsers on made-up text, and loading."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from mtl_utils import corpora
from mtl_utils.corpora import (
    AlignmentError,
    BrokenFileError,
    DownloadError,
    LabelError,
    RowCountError,
    SchemaError,
    sources,
)
from mtl_utils.corpora.entry import Config, SourceFiles
from mtl_utils.corpora.labels import CROSS_NER_TAGS, SNIPS_SLOT_TAGS
from mtl_utils.corpora.sources import parse_inference_tsv, parse_parallel_text, parse_snips


def test_snips_files_become_columns() -> None:
    parsed = parse_snips(
        ["play some jazz \nbook a table\n", "O O B-genre\nO O O\n", "PlayMusic\nBookRestaurant\n"]
    )
    assert parsed == {
        "tokens": [["play", "some", "jazz"], ["book", "a", "table"]],
        "slot_tags": [["O", "O", "B-genre"], ["O", "O", "O"]],
        "intent": ["PlayMusic", "BookRestaurant"],
    }


def test_snips_without_a_last_newline_or_with_windows_newlines() -> None:
    assert parse_snips(["a b\r\nc", "O O\r\nO", "X\r\nY"])["tokens"] == [["a", "b"], ["c"]]


def test_snips_line_with_fewer_tags_than_tokens() -> None:
    with pytest.raises(AlignmentError, match="line 2 has 2 tokens but 1 slot tags"):
        parse_snips(["a\na b\n", "O\nO\n", "X\nX\n"])


def test_snips_files_of_different_length() -> None:
    with pytest.raises(AlignmentError, match=r"2 lines, seq\.out 2 and label 1"):
        parse_snips(["a\nb\n", "O\nO\n", "X\n"])


HEADER = "sentence1\tsentence2\tgold_label\n"


def test_inference_tsv_becomes_columns_with_quotation_marks_as_they_stand() -> None:
    parsed = parse_inference_tsv(
        [HEADER + 'A dog.\t"A ""dog""."\tneutral\nB\u0085 \tC\tentailment\n']
    )
    assert parsed == {
        "premise": ["A dog.", "B\u0085 "],
        "hypothesis": ['"A ""dog""."', "C"],
        "label": ["neutral", "entailment"],
    }


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert parse_inference_tsv(["\ufeff" + HEADER + "a\tb\tneutral\n"])["premise"] == ["a"]


@pytest.mark.parametrize("text", ["", "premise\thypothesis\tlabel\n", "<html>not found</html>"])
def test_inference_tsv_with_another_header(text: str) -> None:
    with pytest.raises(SchemaError, match="Found the header"):
        parse_inference_tsv([text])


def test_inference_tsv_with_a_short_line() -> None:
    with pytest.raises(SchemaError, match="Line 3 has 2 tab-separated fields"):
        parse_inference_tsv([HEADER + "a\tb\tneutral\na\tb\n"])


def test_parallel_text() -> None:
    assert parse_parallel_text(["A cat.\nA dog.\n", "Un chat. \nUn chien.\n"]) == {
        "en": ["A cat.", "A dog."],
        "fr": ["Un chat.", "Un chien."],
    }
    with pytest.raises(AlignmentError, match="2 English and 1 French"):
        parse_parallel_text(["a\nb\n", "c\n"])


def serve(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> list[str]:
    """Replace the download; gives the addresses asked for."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return next(content for ending, content in files.items() if url.endswith(ending))

    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    monkeypatch.setattr(sources, "fetch", fetch)
    return asked


SNIPS_FILES = {
    "seq.in": b"play jazz\n",
    "seq.out": b"O B-genre\n",
    "label": b"PlayMusic\n",
}


def small(monkeypatch: pytest.MonkeyPatch, name: str, config: str, rows: int) -> None:
    """Let an entry expect few rows, so that made-up files of its format pass."""
    declared: Config = corpora.entry(name).config(config)
    for split in declared.rows:
        monkeypatch.setitem(declared.rows, split, rows)  # type: ignore[arg-type]


def test_snips_loads_from_its_pinned_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, SNIPS_FILES)
    small(monkeypatch, "snips", "default", rows=1)
    loaded = corpora.load("snips")
    assert list(loaded) == ["train", "validation", "test"]
    row = loaded["validation"][0]
    assert row["tokens"] == ["play", "jazz"]
    assert [SNIPS_SLOT_TAGS[tag] for tag in row["slot_tags"]] == ["O", "B-genre"]
    assert loaded["train"].features["intent"].int2str(row["intent"]) == "PlayMusic"
    commit = "61f0307c729b1fad479ef1de94aa5ac5dee601b0"
    start = f"https://raw.githubusercontent.com/MiuLab/SlotGated-SLU/{commit}/data/snips/"
    assert asked[3:6] == [start + "valid/" + file for file in ("seq.in", "seq.out", "label")]


def test_other_rows_than_published_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, SNIPS_FILES)
    with pytest.raises(RowCountError, match="'train': found 1 rows, expected 13,084"):
        corpora.load("snips")


def test_a_label_that_is_not_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, {**SNIPS_FILES, "label": b"DanceMusic\n"})
    with pytest.raises(
        LabelError, match="'intent': found the label 'DanceMusic', expected one of Add"
    ):
        corpora.load("snips")
    serve(monkeypatch, {**SNIPS_FILES, "seq.out": b"O B-dance\n"})
    with pytest.raises(LabelError, match="'slot_tags': found the label 'B-dance'"):
        corpora.load("snips")


def test_counterfactual_pairs_load(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, {".tsv": (HEADER + "a\tb\tcontradiction\n").encode()})
    small(monkeypatch, "snli_cad", "original", rows=1)
    loaded = corpora.load("snli_cad", "original")
    assert loaded["test"][0] == {"premise": "a", "hypothesis": "b", "label": 2}
    assert [url.rsplit("/", 2)[1:] for url in asked] == [
        ["original", f"{name}.tsv"] for name in ("train", "dev", "test")
    ]


def test_compressed_captions_load(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {".en.gz": gzip.compress(b"A cat.\n"), ".fr.gz": gzip.compress("Un été.\n".encode())}
    serve(monkeypatch, files)
    small(monkeypatch, "multi30k", "en-fr", rows=1)
    assert corpora.load("multi30k", "en-fr")["test"][0] == {"en": "A cat.", "fr": "Un été."}


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b"x" * 999)[:-9], gzip.compress(b"\xff")],
    ids=["no gzip", "cut short", "no text"],  # what gzip writes holds the time
)
def test_a_file_that_does_not_arrive_whole(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, {".gz": content})
    with pytest.raises(BrokenFileError, match="did not arrive whole"):
        corpora.load("multi30k", "en-fr")


def test_fetch_passes_on_why_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DownloadError, match=r"https://example\.org/a could not be read: timed out"):
        sources.fetch("https://example.org/a")


def test_source_addresses() -> None:
    source = SourceFiles("owner/name", "0" * 40, {}, parse_snips)
    assert source.url("a/b") == f"https://raw.githubusercontent.com/owner/name/{'0' * 40}/a/b"


def test_tag_sets_are_those_published() -> None:
    assert len(SNIPS_SLOT_TAGS) == 72
    assert len(CROSS_NER_TAGS) == 79
