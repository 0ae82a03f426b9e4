"""``tokenizer.json`` gives the ids of the tokenizer, and the tokenizer back."""

from __future__ import annotations

import json

import pytest
import tokenizers
from exported_models import SECOND, TEXTS, byte_pairs, whole_words, word_pieces

from mtl_utils.data import BytePairTokenizer, encode_pair, encode_text, split_words
from mtl_utils.deployment.export.tokenizer_files import (
    description,
    tokenizer_json,
    tokenizer_of,
    word_marks,
)


def lowered() -> BytePairTokenizer:
    return BytePairTokenizer.train(TEXTS, 300, lowercase=True)


MADE = pytest.mark.parametrize("make", [byte_pairs, lowered, whole_words, word_pieces])
ODD = ["<eos> <bos>", " two  spaces ", "e\u0301 İ ΑΣ", "\x00\x01 a\tb\nc", "🙂👩‍👩‍👧", "a" * 300]


@MADE
def test_the_file_gives_the_ids_of_the_tokenizer(make):
    tokenizer = make()
    read = tokenizers.Tokenizer.from_str(tokenizer_json(tokenizer))
    read.encode_special_tokens = True
    for text in [*TEXTS, *ODD]:
        if make is lowered and "İ" in text:
            continue  # Rust and Python lower-case it otherwise
        assert read.encode(text).ids == encode_text(tokenizer, text).input_ids, text
    for text, other in zip(TEXTS, SECOND, strict=True):
        expected = encode_pair(tokenizer, text, other)
        found = read.encode(text, other)
        assert (found.ids, found.type_ids) == (expected.input_ids, expected.segment_ids)
    word = "Lovelace"
    alone = read.encode(word, add_special_tokens=False).ids
    assert alone == tokenizer.encode_words([word]).ids


@MADE
def test_a_tokenizer_is_read_back(make):
    tokenizer = make()
    known = json.loads(json.dumps(description(tokenizer)))
    again = tokenizer_of(tokenizer_json(tokenizer), known)
    assert type(again) is type(tokenizer)
    for text in [*TEXTS, *ODD]:
        assert again.encode(text) == tokenizer.encode(text)
        assert again.encode_words(text.split()) == tokenizer.encode_words(text.split())


def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(ValueError, match="unknown kind"):
        tokenizer_of(tokenizer_json(byte_pairs()), {"kind": "Other"})
    with pytest.raises(ValueError, match="no tokenizer of an exported model"):
        tokenizer_of("{}", {"kind": "BytePairTokenizer"})

    class Own(BytePairTokenizer):
        pass

    own = byte_pairs()
    with pytest.raises(TypeError, match="kind Own cannot be exported"):
        tokenizer_json(Own(own.vocabulary, own.merges))


def test_marks_are_what_raw_text_is_split_at():
    ranges = word_marks()
    assert ranges == sorted(ranges)
    marks = {code for first, last in ranges for code in range(first, last + 1)}
    assert {ord(mark) for mark in ".,;:!?$+<=>^`|~()[]{}'\"-–—“”。、"} <= marks
    assert not {ord(letter) for letter in "aZ9éกか €°\u00a0"} & marks
    for text in TEXTS:
        alone = {word.text for word in split_words(text) if len(word.text) == 1}
        assert {m for m in text if ord(m) in marks} <= alone
