"""The language of a text: from examples to batches, and what tokenizers make of languages."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.data import (
    BatchLoader,
    BytePairTokenizer,
    Example,
    Vocabulary,
    WordTokenizer,
    collate,
    fertility,
)
from mtl_utils.data.batching import shard
from mtl_utils.data.content import _batch_digest, examples_digest

TWO = [Example([4, 5], {"t": 1}, language_id=3), Example([6], {"t": 0}, language_id=0)]


def test_a_batch_has_the_language_of_each_text() -> None:
    assert collate(TWO).inputs.language_ids.tolist() == [3, 0]  # type: ignore[union-attr]
    assert collate([Example([4])]).inputs.language_ids is None


def test_every_process_has_the_languages_of_its_rows() -> None:
    batch = collate([*TWO, Example([7], {"t": 1}, language_id=2)])
    found = [shard(batch, rank, 2).inputs.language_ids for rank in range(2)]
    assert [ids.tolist() for ids in found] == [[3, 2], [0]]  # type: ignore[union-attr]


def test_a_batch_of_which_some_have_no_language_is_refused() -> None:
    with pytest.raises(ValueError, match="Only 1 of 2 examples have a language_id, and row 1"):
        collate([TWO[0], Example([4])])


def test_the_language_tells_data_apart() -> None:
    other = [TWO[0], Example([6], {"t": 0}, language_id=1)]
    assert examples_digest(TWO) != examples_digest(other)
    assert _batch_digest(collate(TWO)) != _batch_digest(collate(other))
    assert BatchLoader(TWO, batch_size=2).digest() != BatchLoader(other, batch_size=2).digest()


def test_without_languages_a_checkpoint_of_before_still_fits() -> None:
    examples = [Example([2, 4, 3], {"t": 1}), Example([2, 3], {"t": 0}, first_pieces=[1])]
    # As the version before languages wrote them.
    assert examples_digest(examples) == "a7921ac61a5de90d063d61bb1345a4db"
    assert _batch_digest(collate(examples)) == "e251c305a457d7002a371ba5cc562bf0"


TEXTS = ["the cat sat on the mat"] * 5


def test_fertility_counted_by_hand() -> None:
    tokenizer = BytePairTokenizer.train(TEXTS, 300)
    found = fertility(tokenizer, [["the", "cat"], ["中"], []])
    # Learnt whole: " the" and " cat". The character is three bytes and the space before it.
    assert (found.words, found.characters, found.pieces) == (3, 7, 2 + 4)
    assert (found.unknown, found.fragments) == (0, 3)
    assert found.per_word == 2
    assert math.isclose(found.per_character, 6 / 7)
    assert found.fragment_share == 0.5


def test_unknown_words_of_a_word_vocabulary_are_counted() -> None:
    tokenizer = WordTokenizer(Vocabulary.from_tokens(["the", "cat"]))
    found = fertility(tokenizer, [["the", "chat"]])
    assert (found.per_word, found.unknown_share, found.fragment_share) == (1, 0.5, 0)


def test_nothing_is_counted_of_nothing() -> None:
    found = fertility(BytePairTokenizer.train(TEXTS, 300), [])
    shares = (found.per_word, found.per_character, found.unknown_share, found.fragment_share)
    assert all(map(math.isnan, shares))


@given(st.lists(st.text("aé中ไ😀", min_size=1), max_size=5))
def test_no_byte_is_unknown_and_no_word_takes_more_pieces_than_bytes(words: list[str]) -> None:
    tokenizer = BytePairTokenizer.train(TEXTS, 300)
    found = fertility(tokenizer, [words])
    assert found.unknown == 0
    assert found.pieces == len(tokenizer.encode(" ".join(words)))
    assert len(words) <= found.pieces <= sum(1 + len(word.encode()) for word in words)


def test_moved_languages_stay_what_they_are() -> None:
    assert torch.equal(
        collate(TWO).to("cpu").inputs.language_ids,  # type: ignore[arg-type]
        torch.tensor([3, 0]),
    )
