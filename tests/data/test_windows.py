"""Windows over long sentences: each word in one of them, where it sees most, by brute force."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.data import (
    BytePairTokenizer,
    Vocabulary,
    WordTokenizer,
    encode_pair,
    encode_text,
    encode_windows,
)

PIECES = BytePairTokenizer.train(["the mayor of Lyon met the mayor of Paris"] * 3, 290)
WORDS = WordTokenizer(Vocabulary.from_tokens(["the", "mayor", "of", "Lyon"]))
sentences = st.lists(
    st.sampled_from(["the", "mayor", "Lyon", "abcdefgh", "", "x" * 25]), max_size=40
)
BOS, EOS = 2, 3


@given(st.sampled_from([PIECES, WORDS]), sentences, st.integers(3, 30), st.data())
def test_every_word_is_in_the_window_where_it_has_most_context(tokenizer, words, longest, data):
    room = longest - 2
    stride = data.draw(st.one_of(st.none(), st.integers(1, room)))
    windows = encode_windows(tokenizer, words, max_length=longest, stride=stride)
    whole = tokenizer.encode_words(words)
    total = len(whole.ids)
    if total <= room:
        (only,) = windows
        assert only.input_ids == encode_text(tokenizer, words).input_ids
        assert only.positions == [1 + piece for piece in whole.first_pieces]
        return
    # Where each window lies in the whole: it begins with a word, so there are few candidates.
    starts, at = [], -1
    for window in windows:
        assert (window.input_ids[0], window.input_ids[-1]) == (BOS, EOS)
        part = window.input_ids[1:-1]
        assert 1 <= len(part) <= room
        at = next(s for s in whole.first_pieces if s > at and whole.ids[s : s + room] == part)
        starts.append(at)
    assert starts[0] == 0
    # Repeated words may lie in several places, so the step is checked where it is known.
    found = []
    for window, start in zip(windows, starts, strict=True):
        found += [(start + position - 1, start) for position in window.positions]
    assert [piece for piece, _ in found] == whole.first_pieces  # every word once, in order


@given(st.integers(1, 60), st.integers(3, 20), st.data())
def test_words_of_one_piece_by_brute_force(total, longest, data):
    """All words differ, so a window can be found by what it holds."""
    words = [f"w{number}" for number in range(total)]
    tokenizer = WordTokenizer(Vocabulary.from_tokens(words))
    room = longest - 2
    stride = data.draw(st.integers(1, room))
    windows = encode_windows(tokenizer, words, max_length=longest, stride=stride)
    held = [tokenizer.decode(window.input_ids).split() for window in windows]
    spans = [(words.index(part[0]), words.index(part[-1])) for part in held]
    for (start, _), (following, _) in pairwise(spans):
        assert 1 <= following - start <= stride
    assert spans[0][0] == 0
    assert spans[-1][1] == total - 1
    expected = [[] for _ in windows]
    for word in range(total):
        contexts = [
            min(
                word - first if first else total,
                last - word if last < total - 1 else total,
            )
            if first <= word <= last
            else -1
            for first, last in spans
        ]
        expected[contexts.index(max(contexts))].append(word)
    chosen = [
        [words.index(part[position - 1]) for position in window.positions]
        for part, window in zip(held, windows, strict=True)
    ]
    assert chosen == expected


@given(sentences, sentences, st.integers(9, 30))
def test_the_second_text_stands_after_every_window(words, second, longest):
    windows = encode_windows(PIECES, words, second, max_length=longest)
    others = PIECES.encode_words(second).ids
    total = len(PIECES.encode_words(words).ids)
    whole = encode_pair(PIECES, words, second)
    if len(whole.input_ids) <= longest:
        (only,) = windows
        assert (only.input_ids, only.segment_ids) == (whole.input_ids, whole.segment_ids)
        assert only.positions == whole.first_pieces
    kept = others[: max(longest - 3 - total, (longest - 3) // 2)]
    for window in windows:
        assert len(window.input_ids) <= longest
        assert window.segment_ids.count(1) == len(kept) + 1
        assert window.input_ids[len(window.input_ids) - len(kept) - 1 :] == [*kept, EOS]
    assert sum(len(window.positions) for window in windows) == len(words)


def test_what_leaves_no_room_is_refused():
    with pytest.raises(ValueError, match="2 ids, and must leave room for a piece; got 2"):
        encode_windows(WORDS, ["the"], max_length=2)
    with pytest.raises(ValueError, match="stride must lie between 1 and the room of 3 pieces"):
        encode_windows(WORDS, ["the"] * 9, max_length=5, stride=4)
    assert len(encode_windows(WORDS, [], max_length=2)) == 1
    assert len(encode_windows(WORDS, ["the"] * 900, max_length=None)) == 1
