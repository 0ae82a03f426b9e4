"""Digests of rows, and copies that hold other rows than the registry knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_data import Write, cells

from mtl_utils import corpora
from mtl_utils.corpora import BrokenFileError, ContentError, DataError
from mtl_utils.corpora.rows_digest import content_digest

ROWS = {
    "text": ["x", "é", None, ""],
    "ids": [[1, 2], [], None, [3]],
    "words": [["u", "v"], [None], [], ["w"]],
    "score": [1.5, None, 2.0, 3.0],
    "flag": [True, None, False, True],
}
CHANGES = [
    ("text", ["x", "e", None, ""]),
    ("text", ["xé", "", None, ""]),
    ("text", ["x", "é", "", ""]),
    ("text", ["x", "é", "", None]),
    ("ids", [[1], [2], None, [3]]),
    ("ids", [[1, 2], None, [], [3]]),
    ("ids", [[1, 2], [], None, [4]]),
    ("words", [["uv"], [None], [], ["w"]]),
    ("words", [["u", "v"], [""], [], ["w"]]),
    ("words", [["u", "v"], [], [None], ["w"]]),
    ("score", [1.5, None, 2.0, 3.0000001]),
    ("score", [1.5, 0.0, 2.0, 3.0]),
    ("flag", [True, False, False, True]),
]


@pytest.mark.parametrize(("name", "changed"), CHANGES)
def test_any_other_cell_is_another_digest(name: str, changed: list[Any]) -> None:
    assert content_digest(pa.table({**ROWS, name: changed})) != content_digest(pa.table(ROWS))


def test_order_and_names_count() -> None:
    table = pa.table(ROWS)
    others = [
        table.take([1, 0, 2, 3]),
        table.slice(1),
        table.rename_columns(["other", *table.column_names[1:]]),
        table.select(table.column_names[::-1]),
    ]
    assert content_digest(table) not in {content_digest(other) for other in others}


def test_the_way_of_storing_does_not_count(tmp_path: Path) -> None:
    table = pa.table(ROWS)
    wide = table.set_column(0, "text", table["text"].cast(pa.large_string()).dictionary_encode())
    wide = wide.set_column(1, "ids", table["ids"].cast(pa.large_list(pa.int32())))
    parts = pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3)])
    around = pa.concat_tables([table, table]).combine_chunks().slice(4, 4)
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, row_group_size=1, compression="zstd", use_dictionary=False)
    for other in (wide, parts, around, pq.read_table(path)):
        assert content_digest(other) == content_digest(table)


@given(st.lists(st.text(max_size=5), max_size=6), st.lists(st.text(max_size=5), max_size=6))
def test_equal_digests_mean_equal_texts(one: list[str], other: list[str]) -> None:
    first, second = (pa.table({"t": pa.array(texts, pa.string())}) for texts in (one, other))
    assert (content_digest(first) == content_digest(second)) == (one == other)


@pytest.fixture
def known(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny data set with its digest on record; the file of its training rows."""
    path = write("train", cells(3))
    write("test", cells(2))
    for split in ("train", "test"):
        file = path.with_name(f"{split}-00000-of-00001.parquet")
        digest = content_digest(pq.read_table(file))
        monkeypatch.setitem(corpora.rows_digest.DIGESTS, f"tiny/default/{split}", digest)
    return path


def test_a_copy_with_another_letter_is_noticed(known: Path, write: Write) -> None:
    assert corpora.load("tiny")["train"].num_rows == 3
    write("train", cells(3, tokens=[["Ada", "Lovelace", "wrote"]] * 2 + [["Ada", "Lovelace", "?"]]))
    with pytest.raises(ContentError, match=r"split 'train': .*copy it again.*verify=False"):
        corpora.load("tiny")
    loaded = corpora.load("tiny", verify=False)
    assert loaded["train"]["tokens"][2] == ["Ada", "Lovelace", "?"]


@pytest.mark.filterwarnings("error")
def test_a_known_copy_that_is_not_as_published_only_warns(
    known: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpora.rows_digest, "NOT_AS_PUBLISHED", frozenset({"tiny/default/train"}))
    assert corpora.load("tiny")["train"].num_rows == 3
    write("train", cells(3, score=[4.0, 1.0, 2.0]))
    with pytest.warns(UserWarning, match="not quite what is published"):
        assert corpora.load("tiny")["train"]["score"][0] == 4.0
    corpora.load("tiny", verify=False)


def test_no_flipped_bit_is_read_in_silence(known: Path) -> None:
    """Every bit of the file, one at a time: an error, or the very same rows."""
    content, expected = known.read_bytes(), corpora.load("tiny")["train"].to_dict()
    refused = 0
    for position in range(4, len(content) - 8, 7):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        known.write_bytes(damaged)
        try:
            assert corpora.load("tiny")["train"].to_dict() == expected
        except DataError:
            refused += 1
    assert refused > 50


def test_checksums_of_pages_are_checked_where_a_file_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    path = tmp_path / "default" / "train-00000-of-00001.parquet"
    path.parent.mkdir()
    table = pa.table({"text": [f"a plain sentence, number {number}" for number in range(50)]})
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = path.read_bytes()
    assert corpora.load(tmp_path)["train"].num_rows == 50
    path.write_bytes(content.replace(b"number 33", b"number 34", 1))
    with pytest.raises(BrokenFileError, match="cannot be read as parquet"):
        corpora.load(tmp_path)


def test_texts_that_are_no_utf8_are_noticed_on_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    path = tmp_path / "default" / "train-00000-of-00001.parquet"
    path.parent.mkdir()
    pq.write_table(
        pa.table({"text": ["a letter"]}),
        path,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    path.write_bytes(path.read_bytes().replace(b"a letter", b"a le\xffter", 1))
    with pytest.raises(BrokenFileError, match="cannot be read as parquet"):
        corpora.load(tmp_path)
