"""Texts and pairs as an encoder reads them: nothing is lost between words, pieces and labels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.data import (
    BytePairTokenizer,
    Example,
    Vocabulary,
    WordTokenizer,
    collate,
    encode_pair,
    encode_text,
)
from mtl_utils.data.raw_inputs import inputs_of

TEXTS = [
    "The mayor of Łódź met the mayor of Lyon.",
    "里昂市长会见了罗兹市长。 🙂🙂",
    "They'd met in 1987.",
]
PIECES = BytePairTokenizer.train(TEXTS * 3, 320)
WORDS = WordTokenizer(Vocabulary.from_tokens(" ".join(TEXTS).split()))
TOKENIZERS = [PIECES, BytePairTokenizer.train(TEXTS * 3, 320, lowercase=True), WORDS]
PAD, UNK, BOS, EOS = range(4)
tokenizers = st.sampled_from(TOKENIZERS)
odd_words = st.one_of(
    st.text("Themayor'1987日🙂é<>_\u0301 ", max_size=6),
    st.sampled_from(["", " ", "<eos>", "<pad>", "<bos>", "Łódź", "👩\u200d👩\u200d👧", "a" * 40]),
)
sentences = st.lists(odd_words, max_size=6)
maybe_pair = st.one_of(st.none(), sentences)


def encode(tokenizer, first, second, **options):
    if second is None:
        return encode_text(tokenizer, first, **options)
    return encode_pair(tokenizer, first, second, **options)


def num_specials(second):
    return 2 if second is None else 3


@given(tokenizers, sentences, maybe_pair)
def test_ids_segments_and_words_by_hand(tokenizer, first, second):
    encoded = encode(tokenizer, first, second)
    pieces = tokenizer.encode_words(first)
    if second is None:
        assert encoded.input_ids == [BOS, *pieces.ids, EOS]
        assert encoded.segment_ids is None
    else:
        others = tokenizer.encode_words(second).ids
        assert encoded.input_ids == [BOS, *pieces.ids, EOS, *others, EOS]
        assert encoded.segment_ids == [0] * (len(pieces.ids) + 2) + [1] * (len(others) + 1)
    assert encoded.word_ids[1 : len(pieces.ids) + 1] == pieces.word_ids
    assert encoded.word_ids[0] is None
    assert set(encoded.word_ids[len(pieces.ids) + 1 :]) == {None}
    assert (encoded.num_words, encoded.num_cut) == (len(first), 0)


@given(tokenizers, sentences, maybe_pair, st.data())
def test_from_words_to_pieces_and_back(tokenizer, first, second, data):
    encoded = encode(tokenizer, first, second)
    # What a word was cut into spells it.
    for index, word in enumerate(first):
        places = [place for place, owner in enumerate(encoded.word_ids) if owner == index]
        assert encoded.first_pieces[index] == places[0]
        assert places == list(range(places[0], places[-1] + 1))
        ids = [encoded.input_ids[place] for place in places]
        if ids != [UNK]:
            written = tokenizer.normalise(word) if tokenizer is not WORDS else word
            assert tokenizer.decode(ids) == written
    # Labels arrive at first pieces alone, and come back.
    labels = data.draw(st.lists(st.integers(0, 9), min_size=len(first), max_size=len(first)))
    aligned = encoded.align(labels)
    assert encoded.of_words(aligned) == labels
    assert [place for place, label in enumerate(aligned) if label != -100] == encoded.first_pieces
    assert [encoded.word_ids[place] for place in encoded.first_pieces] == [*range(len(first))]


def cut_by_hand(first, second, room):
    """Take one piece after the other off the longer text, off the second if both are as long."""
    first, second = list(first), list(second)
    while len(first) + len(second) > room:
        (first if len(first) > len(second) else second).pop()
    return first, second


@given(tokenizers, sentences, maybe_pair, st.integers(0, 30))
def test_cutting_keeps_specials_and_the_labels_of_what_is_left(tokenizer, first, second, room):
    whole = encode(tokenizer, first, second)
    limit = room + num_specials(second)
    encoded = encode(tokenizer, first, second, max_length=limit)
    pieces = tokenizer.encode_words(first).ids
    others = [] if second is None else tokenizer.encode_words(second).ids
    kept, kept_others = cut_by_hand(pieces, others, room)
    end = [] if second is None else [*kept_others, EOS]
    assert encoded.input_ids == [BOS, *kept, EOS, *end]
    assert len(encoded.input_ids) == min(limit, len(whole.input_ids))
    assert encoded.num_cut == len(whole.input_ids) - len(encoded.input_ids)
    assert len(encoded.word_ids) == len(encoded.input_ids)
    labels = list(range(len(first)))
    left = encoded.of_words(encoded.align(labels))
    assert left == labels[: len(left)]
    assert len(left) == len({word for word in encoded.word_ids if word is not None})
    if encoded.segment_ids is not None:
        assert encoded.segment_ids == [0] * (len(kept) + 2) + [1] * (len(kept_others) + 1)


def test_nothing_is_cut_unless_asked():
    words = ["Lyon"] * 1000
    assert encode_text(PIECES, words).num_cut == 0
    assert encode_text(PIECES, words, max_length=10).num_cut > 990
    assert encode_pair(PIECES, [], [], max_length=3).input_ids == [BOS, EOS, EOS]


def test_a_string_has_no_words():
    for text in TEXTS:
        encoded = encode_pair(PIECES, text, "Lyon")
        assert encoded.input_ids[1:-1] == [*PIECES.encode(text), EOS, *PIECES.encode("Lyon")]
        assert encoded.num_words == 0
        assert set(encoded.align([])) == {-100}
    assert encode_text(PIECES, "").input_ids == [BOS, EOS]
    assert encode_text(PIECES, "They'd met").input_ids == (
        encode_text(PIECES, ["They'd", "met"]).input_ids
    )


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            "2 special tokens.*at least 2; got 1",
            lambda: encode_text(PIECES, "a", max_length=1),
        ),
        (
            ValueError,
            "3 special tokens.*at least 3; got 2",
            lambda: encode_pair(PIECES, "a", "b", max_length=2),
        ),
        (ValueError, "got 1 labels for 2 words", lambda: encode_text(WORDS, ["a", "b"]).align([0])),
        (ValueError, "got 2 labels for 0 words", lambda: encode_text(WORDS, "a b").align([0, 1])),
        (ValueError, "got 2 for 3", lambda: encode_text(WORDS, ["a"]).of_words([0, 0])),
        (TypeError, "Expected a text, or a list of words, got 3", lambda: encode_text(WORDS, 3)),
        (TypeError, "Expected a string, got int", lambda: encode_pair(PIECES, "a", ["b", 3])),
    ],
)
def test_what_is_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()


# Bare ids.


@given(tokenizers, st.lists(st.tuples(sentences, maybe_pair), min_size=1, max_size=4))
def test_mask_and_segments_can_be_read_off_the_ids(tokenizer, pairs):
    encoded = [encode(tokenizer, *pair) for pair in pairs]
    inputs = collate([Example(e.input_ids, {}, e.segment_ids) for e in encoded]).inputs
    found = inputs_of(inputs.input_ids)
    assert torch.equal(found.mask, inputs.mask)
    expected = (
        torch.zeros_like(inputs.input_ids) if inputs.segment_ids is None else inputs.segment_ids
    )
    assert torch.equal(found.segment_ids, expected)


def test_padding_is_what_ends_a_row():
    ids = torch.tensor([[BOS, PAD, 5, PAD, PAD], [PAD] * 5, [EOS, EOS, 5, EOS, 6]])
    found = inputs_of(ids)
    assert found.mask.tolist() == [[True] * 3 + [False] * 2, [False] * 5, [True] * 5]
    assert found.segment_ids.tolist() == [[0] * 5, [0] * 5, [0, 1, 1, 1, 1]]
    mask = torch.tensor([[True] * 5, [False] * 5, [True, True, False, False, False]])
    given_mask = inputs_of(ids, mask, segment_ids=torch.ones_like(ids))
    assert torch.equal(given_mask.mask, mask)
    assert torch.equal(given_mask.segment_ids, torch.ones_like(ids))


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"at least one token, got input_ids \[0, 3\]", [torch.zeros(0, 3).long()]),
        (ValueError, r"at least one token, got input_ids \[2, 0\]", [torch.zeros(2, 0).long()]),
        (ValueError, r"Expected input_ids \[B, T\], got shape \[3\]", [torch.zeros(3).long()]),
        (TypeError, "Expected integer input_ids, got torch.float32", [torch.zeros(1, 3)]),
        (TypeError, r"use mask\.bool\(\)", [torch.zeros(1, 3).long(), torch.ones(1, 3).long()]),
        (
            ValueError,
            r"mask \[1, 2\] and input_ids \[1, 3\]",
            [torch.zeros(1, 3).long(), torch.ones(1, 2).bool()],
        ),
    ],
)
def test_ids_that_are_refused(error, message, arguments):
    with pytest.raises(error, match=message):
        inputs_of(*arguments)
