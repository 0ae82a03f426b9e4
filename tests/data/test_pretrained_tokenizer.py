"""Tokenizers of Hugging Face in the role of ours: held against what they give themselves."""

import pickle

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from mtl_utils.data import PretrainedTokenizer, encode_pair, encode_text

TEXTS = ["the danube burst its banks", "Paris!", "", "unaffable  banks", "a [SEP] b"]


def wordpiece():
    """A tokenizer as BERT has it."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "danube", "burst", "its", "bank", "##s"]
    words += ["paris", "!", "un", "##aff", "##able", "a", "b", "[", "]", "sep"]
    vocabulary = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    roles = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    named = {f"{role}_token": token for role, token in roles.items()}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **named)


def byte_pairs():
    """A tokenizer as GPT-2 has it: bytes alone, nothing around texts."""
    alphabet = sorted(ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, "<|endoftext|>"])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    ends = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **ends)


@pytest.mark.parametrize("first", TEXTS)
@pytest.mark.parametrize("second", TEXTS)
def test_texts_and_pairs_are_those_of_hugging_face(first, second):
    theirs = wordpiece()
    ours = PretrainedTokenizer.of(theirs)
    read = {"split_special_tokens": True, "return_token_type_ids": True}
    assert encode_text(ours, first).input_ids == theirs(first, **read)["input_ids"]
    pair, expected = encode_pair(ours, first, second), theirs([[first, second]], **read)
    expected = {name: rows[0] for name, rows in expected.items()}
    assert pair.input_ids == expected["input_ids"]
    assert pair.segment_ids == expected["token_type_ids"]


def test_the_template_of_gpt2_gets_ends_of_texts_around():
    ours = PretrainedTokenizer.of(byte_pairs())
    end = ours.eos_id
    assert ours.tokens[end] == "<|endoftext|>"
    one, two = ours.encode("ab"), ours.encode("c")
    assert encode_pair(ours, "ab", "c").input_ids == [end, *one, end, *two, end]
    assert encode_text(ours, "").input_ids == [end, end]
    assert ours.pad_id == ours.unk_id == end


@pytest.mark.parametrize("make", [wordpiece, byte_pairs])
def test_words_keep_their_pieces(make):
    ours = PretrainedTokenizer.of(make())
    words = ["the", "unaffable", "", "banks", " ", "!"]
    pieces = ours.encode_words(words)
    kept = [
        index
        for index, word in zip(pieces.ids, pieces.word_ids, strict=True)
        if words[word].strip()
    ]
    assert kept == ours.encode("the unaffable banks !")
    assert sorted(set(pieces.word_ids)) == list(range(len(words)))
    assert pieces.word_ids == sorted(pieces.word_ids)
    if make is wordpiece:
        assert pieces.word_ids == [0, 1, 1, 1, 2, 3, 3, 4, 5]
        assert [pieces.ids[4], pieces.ids[7]] == [ours.unk_id] * 2


@pytest.mark.parametrize("make", [wordpiece, byte_pairs])
def test_a_tokenizer_survives_a_copy_and_reads_ids_back(make):
    ours = PretrainedTokenizer.of(make())
    copied = pickle.loads(pickle.dumps(ours))
    assert copied == ours
    assert hash(copied) == hash(ours)
    encoded = encode_pair(copied, "the danube", "burst").input_ids
    assert ours.decode([*encoded, ours.pad_id]).replace(" ", "") == "thedanubeburst"
    with pytest.raises(IndexError, match="outside the vocabulary"):
        ours.decode([ours.vocab_size])


def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(TypeError, match="fast tokenizer"):
        PretrainedTokenizer.of("bert-base-uncased")
    with pytest.raises(ValueError, match="library tokenizers"):
        PretrainedTokenizer("{}", {"sep_token": "[SEP]"})
    good = PretrainedTokenizer.of(wordpiece())
    with pytest.raises(ValueError, match="No token can end a text"):
        PretrainedTokenizer(good.definition, {"cls_token": "[CLS]"})
    with pytest.raises(ValueError, match="not in the vocabulary"):
        PretrainedTokenizer(good.definition, {"sep_token": "</s>"})
    with pytest.raises(OSError, match="No tokenizer could be read"):
        PretrainedTokenizer.from_pretrained("/no/such/folder", local_files_only=True)
