"""Tokenizers as the file ``tokenizer.json`` that other languages read, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from typing import Any

import tokenizers
from tokenizers import decoders, normalizers, pre_tokenizers, processors
from tokenizers import models as tokenizer_models

from mtl_utils.data import BytePairTokenizer, PretrainedTokenizer, Vocabulary, WordTokenizer
from mtl_utils.data.splitting import split_words
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.data.vocabulary import BOS, EOS, SPECIALS, UNK

FILE = "tokenizer.json"


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """Write a tokenizer as the library ``tokenizers`` and its kin in other languages read it.

    Special tokens are entries like any other and never looked for in text; what stands around a
    text and between those of a pair is a template.

    Args:
        tokenizer: The tokenizer.

    Returns:
        JSON. What it makes of a word alone is what ``encode_words`` makes of it.

    Raises:
        TypeError: If it is of another kind, or of a class of one's own.
    """
    if type(tokenizer) is PretrainedTokenizer:
        return tokenizer.definition
    if type(tokenizer) is BytePairTokenizer:
        found = _byte_pairs(tokenizer)
    elif type(tokenizer) is WordTokenizer:
        found = _words(tokenizer)
    else:
        raise TypeError(
            f"A tokenizer of the kind {type(tokenizer).__name__} cannot be exported; expected a "
            "BytePairTokenizer, a WordTokenizer or a PretrainedTokenizer"
        )
    around = [(token, SPECIALS.index(token)) for token in (BOS, EOS)]
    found.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} $B:1 {EOS}:1",
        special_tokens=around,
    )
    text: str = found.to_str()
    return text


def _byte_pairs(tokenizer: BytePairTokenizer) -> Any:
    ids = {piece: index for index, piece in enumerate(tokenizer.vocabulary)}
    found = tokenizers.Tokenizer(tokenizer_models.BPE(ids, list(tokenizer.merges)))
    lowering = [normalizers.Lowercase(), normalizers.NFC()] if tokenizer.lowercase else []
    steps = [normalizers.NFC(), *lowering, normalizers.Prepend(" ")]
    found.normalizer = normalizers.Sequence(steps)
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    return found


def _words(tokenizer: WordTokenizer) -> Any:
    # With a space before it no word that a text spells out is a special token.
    ids = {
        word if index >= len(SPECIALS) else f" {word}": index
        for index, word in enumerate(tokenizer.vocabulary)
    }
    found = tokenizers.Tokenizer(tokenizer_models.WordLevel(ids, unk_token=f" {UNK}"))
    if tokenizer.lowercase:
        found.normalizer = normalizers.Lowercase()
    found.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return found


def description(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return what ``tokenizer.json`` does not say: kind, roles, and the ids around texts.

    Args:
        tokenizer: The tokenizer.
    """
    around = tokenizer.special_tokens
    return {
        "kind": type(tokenizer).__name__,
        "roles": dict(getattr(tokenizer, "roles", {})),
        "lowercase": bool(getattr(tokenizer, "lowercase", False)),
        "pad": tokenizer.pad_id,
        "start": list(around.start),
        "between": list(around.between),
        "end": list(around.end),
    }


def tokenizer_of(text: str, known: Mapping[str, Any]) -> Tokenizer:
    """Make a tokenizer of what was written.

    Args:
        text: What :func:`tokenizer_json` returned.
        known: What :func:`description` returned.

    Raises:
        ValueError: If they are not what these return.
    """
    kind = known.get("kind")
    if kind == "PretrainedTokenizer":
        return PretrainedTokenizer(text, known["roles"])
    try:
        model = json.loads(text)["model"]
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        if kind == "WordTokenizer":
            words = (*SPECIALS, *pieces[len(SPECIALS) :])
            return WordTokenizer(Vocabulary(words), known["lowercase"])
        if kind == "BytePairTokenizer":
            merges = tuple((left, right) for left, right in model["merges"])
            return BytePairTokenizer(Vocabulary(tuple(pieces)), merges, known["lowercase"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{FILE} is no tokenizer of an exported model: {error!r}") from error
    raise ValueError(f"{FILE} is of an unknown kind, {kind!r:.60}")


def word_marks() -> list[list[int]]:
    """Return which characters are words of their own where raw text is split.

    They are those of :func:`mtl_utils.data.split_words`, whose tables of Unicode are not those of
    every browser; white space parts words beside them.

    Returns:
        Ranges of code points, the first and the last of each.
    """
    return [[first, last] for first, last in _mark_ranges()]


@cache  # a million characters are looked at, which takes seconds
def _mark_ranges() -> list[tuple[int, int]]:
    letters = (chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    # Between two letters a mark stands alone, and nothing else does.
    alone = (word.text for word in split_words("a" + "a".join(letters) + "a"))
    marks = sorted(ord(text) for text in alone if len(text) == 1 and text != "a")
    runs = groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0])
    ranges = [[code for _, code in run] for _, run in runs]
    return [(run[0], run[-1]) for run in ranges]
