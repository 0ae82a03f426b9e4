import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.data import WordTokenizer
from mtl_utils.data.vocabulary import SPECIALS, Vocabulary

TEXT = ["the", "cat", "saw", "the", "dog", "and", "the", "cow", "saw", "a", "cat"]


def test_tokens_are_ordered_by_count_and_then_by_code_point():
    vocabulary = Vocabulary.from_tokens(TEXT)
    assert vocabulary.tokens == (*SPECIALS, "the", "cat", "saw", "a", "and", "cow", "dog")


@given(st.permutations(TEXT))
def test_ids_do_not_depend_on_the_order_of_the_text(text):
    assert Vocabulary.from_tokens(text) == Vocabulary.from_tokens(TEXT)


def test_min_count_and_max_size():
    assert Vocabulary.from_tokens(TEXT, min_count=2).tokens[4:] == ("the", "cat", "saw")
    assert Vocabulary.from_tokens(TEXT, max_size=6).tokens[4:] == ("the", "cat")
    assert len(Vocabulary.from_tokens(TEXT, max_size=4)) == 4


def test_special_tokens_in_the_text_are_not_counted():
    vocabulary = Vocabulary.from_tokens(["<unk>", "<unk>", "a", "<eos>"])
    assert vocabulary.tokens == (*SPECIALS, "a")
    assert (vocabulary.pad_id, vocabulary.unk_id, vocabulary.bos_id, vocabulary.eos_id) == (
        0,
        1,
        2,
        3,
    )


def test_encode_and_decode():
    vocabulary = Vocabulary.from_tokens(TEXT)
    assert vocabulary.encode(["the", "yak", "saw"]) == [4, 1, 6]
    assert vocabulary.decode([4, 1, 6]) == ["the", "<unk>", "saw"]
    assert vocabulary.decode([2, 4, 1, 3, 0], skip_special=True) == ["the", "<unk>"]
    assert vocabulary.id("cow") == vocabulary.tokens.index("cow")
    assert "cow" in vocabulary
    assert "yak" not in vocabulary


@given(st.lists(st.text(max_size=3)))
def test_known_tokens_survive_a_round_trip(tokens):
    vocabulary = Vocabulary.from_tokens(tokens)
    assert vocabulary.decode(vocabulary.encode(tokens)) == tokens


def test_a_string_is_read_as_characters():
    assert Vocabulary.from_tokens("hello").tokens[4] == "l"


def test_save_and_load(tmp_path):
    vocabulary = Vocabulary.from_tokens([*TEXT, "café", "日本", "\n", '"'])
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


def test_a_vocabulary_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Vocabulary.from_tokens(TEXT).tokens = ()


def test_errors_of_construction():
    with pytest.raises(ValueError, match="min_count must be at least 1, got 0"):
        Vocabulary.from_tokens(TEXT, min_count=0)
    with pytest.raises(ValueError, match="at least 4; got 3"):
        Vocabulary.from_tokens(TEXT, max_size=3)
    with pytest.raises(ValueError, match=r"from_tokens"):
        Vocabulary(("a", "b", "c", "d", "e"))
    with pytest.raises(ValueError, match=r"repeat: \['a'\]"):
        Vocabulary((*SPECIALS, "a", "a"))
    with pytest.raises(TypeError, match="Sentences are flattened first"):
        Vocabulary.from_tokens([["a", "b"]])
    with pytest.raises(TypeError, match="got int"):
        Vocabulary.from_tokens(TEXT).encode([1])


@pytest.mark.parametrize("index", [-1, 11])
def test_an_id_outside_the_vocabulary(index):
    with pytest.raises(IndexError, match="ids are 0 to 10"):
        Vocabulary.from_tokens(TEXT).decode([index])


def test_errors_of_loading(tmp_path):
    path = tmp_path / "vocabulary.json"
    with pytest.raises(FileNotFoundError, match=r"Vocabulary\.save"):
        Vocabulary.load(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        Vocabulary.load(path)
    for content in ([1], {"words": []}, {"tokens": [1]}, {"tokens": "abc"}, {"tokens": [], "x": 1}):
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="holds no vocabulary"):
            Vocabulary.load(path)
    path.write_text(json.dumps({"tokens": ["a", "b"]}))
    with pytest.raises(ValueError, match=r"vocabulary\.json holds no usable vocabulary: A voc"):
        Vocabulary.load(path)


def test_a_damaged_file_is_refused_and_one_without_a_digest_is_read(tmp_path):
    path, vocabulary = tmp_path / "vocabulary.json", Vocabulary.from_tokens(["é", "\ud800", "a\n"])
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    whole = path.read_bytes()
    for position in range(8 * len(whole)):
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"vocabulary\.json"):
            Vocabulary.load(path)
    path.write_text(json.dumps({"tokens": vocabulary.tokens}))  # as the last release wrote it
    assert Vocabulary.load(path) == vocabulary


@pytest.mark.parametrize("skip_special", [False, True])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([5, 4.7], r"whole numbers, got float at position 1: 4\.7"),
        ([5.0], "got float at position 0"),
        (["5"], "got str at position 0: '5'"),
        ([None], "got NoneType"),
        ([True], "got bool"),
        ([[4, 5]], "got list at position 0.*one by one"),
        (torch.tensor([4.0]), "got float"),
        (torch.tensor([[4, 5]]), "got list.*one by one"),
        (torch.tensor([True]), "got bool"),
        (list(torch.tensor([True])), "got bool"),
        (np.array([4.5]), "got float"),
        ("45", "a sequence of whole numbers, got '45'"),
        (4, "a sequence of whole numbers, got 4"),
        (torch.tensor(4), "a sequence of whole numbers"),
    ],
)
def test_ids_are_whole_numbers(ids, message, skip_special):
    vocabulary = Vocabulary.from_tokens(TEXT)
    with pytest.raises(TypeError, match=message):
        vocabulary.decode(ids, skip_special)
    with pytest.raises(TypeError, match=message):
        WordTokenizer(vocabulary).decode(ids)


@pytest.mark.parametrize(
    "ids",
    [
        [4, 5, 3],
        (np.int64(4), np.int8(5), 3),
        np.array([4, 5, 3], dtype=np.uint8),
        torch.tensor([4, 5, 3]),
        list(torch.tensor([4, 5, 3])),
        range(4, 6),
    ],
)
def test_ids_of_any_whole_type_are_decoded(ids):
    vocabulary = Vocabulary.from_tokens(TEXT)
    assert vocabulary.decode(ids, skip_special=True) == list(vocabulary.tokens[4:6])
