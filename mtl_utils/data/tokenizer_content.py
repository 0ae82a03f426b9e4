"""Tokenizers as plain data, to be stored with the model that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtl_utils.data.byte_pairs import BytePairTokenizer, holds_byte_pairs
from mtl_utils.data.tokenization import Tokenizer, WordTokenizer
from mtl_utils.data.vocabulary import Vocabulary, is_list_of_strings


def tokenizer_content(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return all that a tokenizer is made of.

    Args:
        tokenizer: A :class:`BytePairTokenizer` or a :class:`WordTokenizer`.

    Returns:
        Strings, truth values and lists, which JSON can hold.

    Raises:
        TypeError: If it is another tokenizer.
    """
    # What a class of one's own does differently would be lost.
    if type(tokenizer) not in (BytePairTokenizer, WordTokenizer):
        raise TypeError(
            f"A BytePairTokenizer or a WordTokenizer can be stored, not a "
            f"{type(tokenizer).__name__}. Store the weights alone: model.state_dict()."
        )
    assert isinstance(tokenizer, BytePairTokenizer | WordTokenizer)
    content: dict[str, Any] = {
        "tokens": list(tokenizer.vocabulary),
        "lowercase": tokenizer.lowercase,
    }
    if isinstance(tokenizer, BytePairTokenizer):
        content["merges"] = [list(merge) for merge in tokenizer.merges]
    return content


def tokenizer_of(content: Mapping[str, Any]) -> BytePairTokenizer | WordTokenizer:
    """Make a tokenizer of what :func:`tokenizer_content` returned.

    Args:
        content: The parts; with merges they are those of byte pairs.

    Raises:
        ValueError: If a part is missing or not what it should be.
    """
    if "merges" in content:
        if not holds_byte_pairs(content):
            raise ValueError("the parts of its tokenizer are not those of byte pairs")
        merges = tuple((left, right) for left, right in content["merges"])
        return BytePairTokenizer(Vocabulary(tuple(content["tokens"])), merges, content["lowercase"])
    if (
        content.keys() != {"tokens", "lowercase"}
        or not is_list_of_strings(content["tokens"])
        or not isinstance(content["lowercase"], bool)
    ):
        raise ValueError("the parts of its tokenizer are not those of a WordTokenizer")
    return WordTokenizer(Vocabulary(tuple(content["tokens"])), content["lowercase"])
