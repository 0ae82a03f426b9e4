"""CoNLL-2003 is not loaded, by its names or by its content."""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.corpora import schema
from mtl_utils.corpora.errors import ForbiddenDatasetError

__all__ = ["refuse_conll_content", "refuse_conll_name"]

# The first sentences of its training, validation and test splits, as lengths in words and digests.
# A few examples of them are everywhere; a split of this many rows that has one is the corpus.
_FIRST_SENTENCES = {
    9: "431f066cb85627b99809a968636f5132",
    11: "1be515e2c05202bd35733514c2688dce",
    12: "925ea0c323e938b4c4b1867d73e5146d",
}
_ROWS = 1000


def refuse_conll_name(name: str, config: str | None = None) -> None:
    """Refuse what is called CoNLL-2003, whoever publishes it.

    Args:
        name: A name or Hub id that is no folder of the reader's.
        config: Configuration, or None.

    Raises:
        ForbiddenDatasetError: If the last part of the name, or the configuration, is a spelling of
            "CoNLL-2003" and nothing else.
    """
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    if any(_spells_conll(part) for part in (last, config or "")):
        raise ForbiddenDatasetError(
            _message(f"{name!r}, configuration {config!r}" if config else repr(name))
        )


def refuse_conll_content(table: pa.Table, where: str) -> None:
    """Refuse rows that are those of CoNLL-2003, whatever they are called.

    Args:
        table: Rows of one split.
        where: What was read, for the message.

    Raises:
        ForbiddenDatasetError: If they are.
    """
    if table.num_rows < _ROWS:
        return
    for name in table.column_names:
        column = table[name]
        if schema.physical_kind(column.type) != "list of string":
            continue
        lengths = pc.list_value_length(column)
        for length, digest in _FIRST_SENTENCES.items():
            for words in column.filter(pc.equal(lengths, length)).to_pylist():
                if _digest(words) == digest:
                    raise ForbiddenDatasetError(_message(f"{where}, column {name!r}"))


def _spells_conll(text: str) -> bool:
    return re.fullmatch(r"conll(20)?03", re.sub(r"[^a-z0-9]", "", text.lower())) is not None


def _digest(words: list[str]) -> str:
    return hashlib.sha256(" ".join(map(str, words)).encode()).hexdigest()[:32]


def _message(what: str) -> str:
    return (
        f"{what}: CoNLL-2003 is not used in this book, because its text "
        "(Reuters news) may not be redistributed. For entities use 'universal_ner' or 'cross_ner'."
    )
