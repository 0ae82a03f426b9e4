"""The table ``[languages]``: which column says the language of a text, and what reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import datasets

from mtl_utils.arguments import check_strings, nearest
from mtl_utils.commands.keys import Key, choice, keys_of, read_table
from mtl_utils.commands.messages import Refused, located
from mtl_utils.commands.sharings import WHOLE
from mtl_utils.data.missing import is_missing
from mtl_utils.models.rows import rows_of
from mtl_utils.nn import LanguageEmbedding
from mtl_utils.nn.encoder import Encoder
from mtl_utils.sharing import LanguageAdapters
from mtl_utils.tasks.text_task import NO_CELL, cell_of

LANGUAGES = "[languages]"
"""The table, as messages name it."""

KINDS: dict[str, dict[str, Key]] = {
    "embedding": {},
    "adapters": {"freeze": Key(bool, False)} | keys_of(LanguageAdapters, ("encoder", "languages")),
}
"""Keys of the table beside those of every kind."""

_ANY = {"column": Key(str), "names": Key(tuple[str, ...] | None, None)}
Splits = Mapping[str, datasets.Dataset]


def read_languages(table: Any, encoder: str, sharing: str) -> dict[str, Any] | None:
    """Check the table.

    Args:
        table: What stands in the file; ``None`` where nothing does.
        encoder: Kind of the encoder.
        sharing: Kind of the sharing.

    Returns:
        The table, complete but for names that come from the data.

    Raises:
        Refused: If encoder or sharing cannot have it, or names are none.
        KeyError: If a key or the kind is not known, or the column is missing.
        TypeError: If a value is of another type.
    """
    if table is None:
        return None
    kind = choice(table.get("kind", "embedding"), KINDS, f"{LANGUAGES}: kind")
    found = read_table(table, {**_ANY, "kind": Key(str, kind), **KINDS[kind]}, LANGUAGES)
    if found["names"] is not None:
        with located(LANGUAGES):
            check_strings("names", found["names"], distinct=True)
    if kind == "embedding" and encoder == "pretrained":
        raise Refused(
            f'{LANGUAGES}: kind = "embedding" adds to vectors of tokens that are learnt, and those '
            'of [encoder] kind = "pretrained" are there already; give kind = "adapters"'
        )
    if kind == "adapters" and sharing not in WHOLE:
        raise Refused(
            f'{LANGUAGES}: kind = "adapters" stands between the layers of the encoder, where '
            f'[sharing] kind = {sharing!r} cannot cut it then; give kind = "embedding", or a '
            f"sharing of {', '.join(WHOLE)}"
        )
    return found


def with_names(table: Mapping[str, Any] | None, data: Mapping[str, Splits]) -> Any:
    """Return the table with the names of the languages, by which all rows are checked.

    Args:
        table: The table; ``None`` where there is none.
        data: The splits of each task that are read.

    Raises:
        Refused: If a row has no language, or one that is not among the names.
    """
    if table is None:
        return None
    names = table["names"]
    if names is None:
        training = {task: {"train": splits["train"]} for task, splits in data.items()}
        names = tuple(sorted({name for _, name in _languages(table["column"], training)}))
    for where, name in _languages(table["column"], data):
        if name not in names:
            raise Refused(
                f"{LANGUAGES}: {where} has the language {name!r}{nearest(name, names)}. What no "
                "training row has is not learnt: leave such rows out, call it one that is, or "
                f"name all in the table: names = {[*names, name]!r}"
            )
    return {**table, "names": names}


def _languages(column: str, data: Mapping[str, Splits]) -> Iterator[tuple[str, str]]:
    """Yield where a language stands first in a data set, and its name."""
    seen: set[int] = set()
    for task, splits in data.items():
        if id(splits["train"]) in seen:  # tasks with the same data
            continue
        seen.add(id(splits["train"]))
        for split, rows in splits.items():
            known: set[str] = set()
            for place, row in enumerate(rows_of(rows, {}, [column])):
                cell = cell_of(row, column)
                if isinstance(cell, str) and cell in known:
                    continue
                where = f"[tasks.{task}], split {split!r}, row {place} (counted from 0)"
                _check_named(cell, column, where)
                known.add(cell)
                yield where, cell


def _check_named(cell: Any, column: str, where: str) -> None:
    if cell is NO_CELL or is_missing(cell) or cell == "":
        raise Refused(f"{LANGUAGES}: {where} has no language in {column!r}")
    if not isinstance(cell, str):
        raise Refused(
            f"{LANGUAGES}: {where} has {cell!r:.60} in {column!r}, expected the name of a language"
        )


def language_embedding(
    table: Mapping[str, Any] | None, vocab_size: int, width: int
) -> LanguageEmbedding | None:
    """Make the vectors of tokens that know their language, where the table asks for them.

    Args:
        table: The table with its names; ``None`` where there is none.
        vocab_size: Number of tokens, V.
        width: Size of a vector, D.

    Raises:
        Refused: If a size is refused.
    """
    if table is None or table["kind"] != "embedding":
        return None
    with located(LANGUAGES):
        return LanguageEmbedding(vocab_size, width, len(table["names"]))


def with_adapters(table: Mapping[str, Any] | None, encoder: Encoder) -> Encoder:
    """Return an encoder with adapters by language, where the table asks for them.

    Args:
        table: The table with its names; ``None`` where there is none.
        encoder: The encoder of texts.

    Raises:
        Refused: If a name or a setting is refused, or the encoder has no layers.
    """
    if table is None or table["kind"] != "adapters":
        return encoder
    settings = {name: table[name] for name in KINDS["adapters"] if name != "freeze"}
    if table["freeze"]:
        encoder.freeze()
    with located(LANGUAGES):
        return LanguageAdapters(encoder, table["names"], **settings)
