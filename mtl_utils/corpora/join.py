"""Universal NER and Universal Dependencies joined on the same sentences."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mtl_utils.corpora.errors import SchemaError

__all__ = ["Joined", "join_annotations"]

_NO_HEAD = "None"
_WORD_COLUMNS = ("tokens", "lemmas", "upos", "xpos", "feats", "head", "deprel")


@dataclass(frozen=True)
class Joined:
    """Result of a join.

    Attributes:
        columns: The joined rows, column by column.
        unmatched: Sentence ids of the entity annotation that found no partner.
    """

    columns: dict[str, list[Any]]
    unmatched: tuple[str, ...]


def join_annotations(
    entities: Mapping[str, list[Any]],
    syntax: Mapping[str, list[Any]],
    key: Literal["idx", "tokens"],
) -> Joined:
    """Join entity tags and syntax on the same sentences (Mayhew et al., 2024; Nivre et al., 2020).

    Rows without a head are dropped from the syntax first, since entities are annotated on syntactic
    words: multiword tokens ("don't" before "do" and "n't") and words elided in the text ("reported"
    in "300 are reported dead and 500 wounded"). A sentence is kept only where both token lists are
    then equal.

    Args:
        entities: Columns ``idx``, ``tokens`` and ``ner_tags``.
        syntax: The columns of Universal Dependencies as the Hub has them.
        key: ``"idx"`` where both number the sentences alike (EWT), ``"tokens"`` where one of them
            renumbered and reordered them (PUD, in which every token list is unique).

    Returns:
        The joined columns in the order of ``entities``, and what was left out.

    Raises:
        SchemaError: If the key is not unique on one side.
    """
    words = [_syntactic_words(syntax, row) for row in range(len(syntax["idx"]))]
    syntax_keys = list(syntax["idx"]) if key == "idx" else [tuple(w["tokens"]) for w in words]
    entity_keys = list(entities["idx"]) if key == "idx" else [tuple(t) for t in entities["tokens"]]
    by_key = _index(syntax_keys, "syntax", key)
    _index(entity_keys, "entities", key)

    rows: list[dict[str, Any]] = []
    unmatched: list[str] = []
    for number, entity_key in enumerate(entity_keys):
        partner = by_key.get(entity_key)
        tokens = entities["tokens"][number]
        if partner is None or words[partner]["tokens"] != tokens:
            unmatched.append(entities["idx"][number])
            continue
        rows.append(
            {
                "idx": entities["idx"][number],
                "parallel_id": syntax["idx"][partner],
                "text": syntax["text"][partner],  # UNER spells contractions apart
                **words[partner],
                "ner_tags": entities["ner_tags"][number],
            }
        )
    names = ("idx", "parallel_id", "text", *_WORD_COLUMNS, "ner_tags")
    return Joined({name: [row[name] for row in rows] for name in names}, tuple(unmatched))


def _index(keys: list[Any], side: str, key: str) -> dict[Any, int]:
    index = {value: number for number, value in enumerate(keys)}
    if len(index) < len(keys):
        raise SchemaError(
            f"{side}: found {len(keys) - len(index)} sentences whose {key!r} is not their own; "
            "expected a unique one each, since the join goes by it."
        )
    return index


def _syntactic_words(syntax: Mapping[str, list[Any]], row: int) -> dict[str, list[Any]]:
    """Columns of one sentence without its headless rows, in CoNLL-U notation."""
    kept = [i for i, head in enumerate(syntax["head"][row]) if head != _NO_HEAD]
    words = {name: [syntax[name][row][i] for i in kept] for name in _WORD_COLUMNS}
    words["xpos"] = [str(tag) for tag in words["xpos"]]  # "None" where the treebank has no tag
    words["feats"] = [_features_in_conllu(text) for text in words["feats"]]
    words["head"] = [int(head) for head in words["head"]]
    return words


@functools.cache  # a treebank has few distinct feature sets
def _features_in_conllu(text: str) -> str:
    """``{'Number': 'Sing'}`` as ``Number=Sing``, and ``None`` as ``_``."""
    try:
        features = ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise SchemaError(
            f"feats: found {text!r}, expected a Python dictionary as text, or 'None'."
        ) from error
    if not features:
        return "_"
    return "|".join(f"{name}={value}" for name, value in features.items())
