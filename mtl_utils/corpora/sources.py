"""Reading data sets that have no canonical Hub id from their source repositories."""

from __future__ import annotations

import gzip
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from typing import Any

import datasets

from mtl_utils.corpora.entry import Column, Config, SourceFiles
from mtl_utils.corpora.errors import (
    AlignmentError,
    BrokenFileError,
    DownloadError,
    LabelError,
    SchemaError,
)

__all__ = ["load_source_files", "parse_inference_tsv", "parse_parallel_text", "parse_snips"]

TIMEOUT_SECONDS = 30.0


def _lines(text: str) -> list[str]:
    """Lines of a file. ``str.splitlines`` would also split at characters inside a sentence."""
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    return lines[:-1] if lines and not lines[-1] else lines


def parse_snips(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Parse the three files of one SNIPS split (Goo et al., 2018).

    Args:
        texts: Contents of ``seq.in`` (tokens), ``seq.out`` (slot tags) and ``label`` (intents),
            one utterance a line, items separated by spaces.

    Returns:
        Columns ``tokens``, ``slot_tags`` and ``intent``, labels as names.

    Raises:
        AlignmentError: If the files differ in lines, or an utterance in tokens and tags.
    """
    token_lines, tag_lines, intents = (_lines(text) for text in texts)
    if not len(token_lines) == len(tag_lines) == len(intents):
        raise AlignmentError(
            f"SNIPS: seq.in has {len(token_lines)} lines, seq.out {len(tag_lines)} and label "
            f"{len(intents)}; the three must have one line an utterance."
        )
    tokens = [line.split() for line in token_lines]
    slot_tags = [line.split() for line in tag_lines]
    for number, (words, tags) in enumerate(zip(tokens, slot_tags, strict=True), start=1):
        if len(words) != len(tags):
            raise AlignmentError(
                f"SNIPS: line {number} has {len(words)} tokens but {len(tags)} slot tags."
            )
    return {"tokens": tokens, "slot_tags": slot_tags, "intent": [line.strip() for line in intents]}


def parse_inference_tsv(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Parse one file of counterfactually augmented SNLI (Kaushik et al., 2020).

    Quotation marks are kept as they stand in the file, where a sentence that contains one is
    wrapped in quotation marks and its own are doubled.

    Args:
        texts: One text: a header ``sentence1, sentence2, gold_label``, then one pair a line,
            tab-separated.

    Returns:
        Columns ``premise``, ``hypothesis`` and ``label``, labels as names.

    Raises:
        SchemaError: If the header or a line does not have these three fields.
    """
    header, *lines = _lines(texts[0]) or [""]
    expected = ["sentence1", "sentence2", "gold_label"]
    if header.split("\t") != expected:
        raise SchemaError(f"Found the header {header.split(chr(9))}, expected {expected}.")
    rows = [line.split("\t") for line in lines]
    for number, row in enumerate(rows, start=2):
        if len(row) != 3:
            raise SchemaError(f"Line {number} has {len(row)} tab-separated fields, expected 3.")
    return {
        "premise": [row[0] for row in rows],
        "hypothesis": [row[1] for row in rows],
        "label": [row[2] for row in rows],
    }


def parse_parallel_text(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Parse the English and the French file of one Multi30k split.

    Args:
        texts: English text and French text, one sentence a line.

    Returns:
        Columns ``en`` and ``fr``.

    Raises:
        AlignmentError: If the two files differ in lines.
    """
    english, french = (_lines(text) for text in texts)
    if len(english) != len(french):
        raise AlignmentError(
            f"Found {len(english)} English and {len(french)} French lines; expected one each."
        )
    return {"en": [line.strip() for line in english], "fr": [line.strip() for line in french]}


def fetch(url: str) -> bytes:
    """Download one file.

    Raises:
        DownloadError: If the address cannot be reached or does not deliver.
    """
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            return bytes(response.read())
    except (urllib.error.URLError, OSError) as error:
        raise DownloadError(f"{url} could not be read: {error}.") from error


def load_source_files(source: SourceFiles, config: Config) -> datasets.DatasetDict:
    """Download and parse every split of a data set kept in a source repository.

    Args:
        source: Where the files are and how they are parsed.
        config: The declared columns; label names become ids by it.

    Raises:
        DownloadError: If a file cannot be had.
        LabelError: If a label name is not declared.
    """
    splits = {}
    for split, paths in source.files.items():
        columns = source.parse([_text(source, path) for path in paths])
        encoded = {
            column.name: _encode(columns[column.name], column, split) for column in config.columns
        }
        splits[split] = datasets.Dataset.from_dict(encoded, features=config.features)
    return datasets.DatasetDict(splits)


def _text(source: SourceFiles, path: str) -> str:
    content = fetch(source.url(path))
    try:
        return (gzip.decompress(content) if path.endswith(".gz") else content).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BrokenFileError(f"{source.url(path)} did not arrive whole: {error}.") from error


def _encode(cells: list[Any], column: Column, split: str) -> list[Any]:
    """Turn label names into ids; other columns stay as they are."""
    if column.kind != "label":
        return cells
    ids = {name: index for index, name in enumerate(column.names)}
    try:
        if column.sequence:
            return [[ids[name] for name in cell] for cell in cells]
        return [ids[name] for name in cells]
    except KeyError as error:
        raise LabelError(
            f"Split {split!r}, column {column.name!r}: found the label {error.args[0]!r}, "
            f"expected one of {', '.join(column.names)}."
        ) from error
