"""Words of raw text: where they stand, and what parts them."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import normalizers

from mtl_utils.data import TextWord, split_words

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def by_hand(text: str) -> list[str]:
    """Split at white space as Unicode has it, then around each mark and each ideograph."""
    words, word = [], ""
    for character in text:
        if character.isspace() or is_punctuation(character) or character in "中文":
            words += [word, character.strip()]
            word = ""
        else:
            word += character
    return [word for word in [*words, word] if word]


@given(TEXTS)
@example("e\u0301t\u00e9 \U0001f468\u200d\U0001f469 \u4e2d\u6587\uff0c\u3000x\u00a0y\u2028z\u0085w")
def test_words_are_where_they_say_and_only_white_space_is_lost(text: str) -> None:
    words = split_words(text)
    assert all(text[word.start : word.end] == word.text != "" for word in words)
    ends = [0, *(word.end for word in words)]
    starts = [*(word.start for word in words), len(text)]
    assert all(text[end:start].strip() == "" for end, start in zip(ends, starts, strict=True))
    assert all(end <= start for end, start in zip(ends, starts, strict=True))


# Assigned letters, digits, marks and blanks of several scripts: a later Unicode knows more marks.
KNOWN = st.text(
    st.sampled_from("aZ9é ß\t\n\u00a0\u3000.,;:!?'\"-–—“”’«»¿()[]{}$+<=>^`|~#%&*@_/\\中文ไ٠،۔।")
)


@given(KNOWN)
@example("Don't pay $5.30 (U.S.) — “now”, a_b!")
def test_words_are_split_as_the_rule_says(text: str) -> None:
    assert [word.text for word in split_words(text)] == by_hand(text)


def test_a_text_worked_by_hand() -> None:
    assert split_words(" Ada  met, Bob") == [
        TextWord("Ada", 1, 4),
        TextWord("met", 6, 9),
        TextWord(",", 9, 10),
        TextWord("Bob", 11, 14),
    ]
    assert split_words(" \n\t") == split_words("") == []


def test_chinese_is_split_into_characters_as_bert_splits_it() -> None:
    normalizer = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    for text in ("习近平访问了巴黎。", "2018年，IBM在中国", "㐀豈𠀀 カナ", "中a文"):
        assert [word.text for word in split_words(text)] == [
            word.text for word in split_words(normalizer.normalize_str(text))
        ]
    assert split_words("在IBM。") == [
        TextWord("在", 0, 1),
        TextWord("IBM", 1, 4),
        TextWord("。", 4, 5),
    ]


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match=r"half of one .* at position 1: '\\ud83d'"):
        split_words("a\ud83d")
