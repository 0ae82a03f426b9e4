"""Tokenizers of Hugging Face in the role of ours: held against what they give themselves."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from mtl_utils.data import (
    BytePairTokenizer,
    PretrainedTokenizer,
    Vocabulary,
    WordTokenizer,
    encode_pair,
    encode_text,
)

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


# Whatever stands in a text.


def unigrams():
    """A tokenizer as T5 and XLM-R have it: its special tokens are pieces like any other."""
    scores = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    scores += [(letter, -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyz<>/"]
    backend = Tokenizer(models.Unigram([*scores, ("▁the", -2.5)], unk_id=3))
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), spaces])
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    roles = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
    named = {f"{role}_token": token for role, token in roles.items()}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **named)


def whole_words():
    """A tokenizer that knows words alone, special tokens among them."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "banks"]
    vocabulary = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    roles = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, **{f"{role}_token": token for role, token in roles.items()}
    )


THEIRS = [PretrainedTokenizer.of(m()) for m in (wordpiece, byte_pairs, unigrams, whole_words)]
WORDS = WordTokenizer(Vocabulary.from_tokens(["the", "banks", "<eos>"]))
EVERY = [*THEIRS, BytePairTokenizer.train(["the banks <eos> <pad>"] * 9, 270), WORDS]
SPECIALS = ["<eos>", "<pad>", "</s>", "<s>a", "[SEP]", "[CLS]", "a[SEP]b", "<|endoftext|>", "<unk>"]
BLANK = ["", " ", "\t", "\n", "\u00a0", "\u3000", "\u2009", "\u200b", "\u200d", "\x00", "\u00ad"]
any_word = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from([*SPECIALS, *BLANK, "the", "banks", "e\u0301", "ﬁ", "㍿", "👩\u200d👩"]),
)


@given(st.sampled_from(EVERY), st.lists(any_word, max_size=6))
def test_every_word_has_pieces_and_none_is_a_special_token(tokenizer, words):
    pieces = tokenizer.encode_words(words)
    assert list(dict.fromkeys(pieces.word_ids)) == list(range(len(words)))
    roles = {tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id}
    if tokenizer is not THEIRS[1]:
        roles -= {tokenizer.unk_id}
    for ids in (pieces.ids, tokenizer.encode(" ".join(words))):
        assert not roles & set(ids)
        assert all(0 <= index < tokenizer.vocab_size for index in ids)


@given(st.lists(any_word, max_size=6))
def test_byte_pairs_of_words_are_those_of_the_text(words):
    """The tokenizer of GPT-2 has a piece for everything, so all words can be read back."""
    ours = THEIRS[1]
    pieces = ours.encode_words(words)
    empty = {index for index, word in enumerate(words) if not word}
    pairs = zip(pieces.word_ids, pieces.ids, strict=True)
    assert [index for word, index in pairs if word not in empty] == ours.encode(
        " ".join(word for word in words if word)
    )
    for number, word in enumerate(words):
        of_word = [i for w, i in zip(pieces.word_ids, pieces.ids, strict=True) if w == number]
        assert ours.decode(of_word).endswith(word)


@pytest.mark.parametrize("word", ["\u00a0", "\u3000", "\u2009", " ", "\n"])
def test_a_blank_word_of_gpt2_is_its_bytes(word):
    ours = PretrainedTokenizer.of(byte_pairs())
    pieces = ours.encode_words(["ab", word, "c"])
    alphabet = bytes_to_letters()
    expected = [alphabet[byte] for byte in f" {word}".encode()]
    found = [i for w, i in zip(pieces.word_ids, pieces.ids, strict=True) if w == 1]
    assert [ours.tokens[index] for index in found] == expected
    assert ours.encode_words([""]).ids == ours.encode(" ")


def bytes_to_letters():
    """The alphabet of GPT-2, by hand."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {b: chr(b) for b in visible} | {b: chr(256 + n) for n, b in enumerate(hidden)}


def test_special_tokens_that_are_pieces_are_spelled_in_text():
    ours = PretrainedTokenizer.of(unigrams())
    assert [ours.tokens[i] for i in ours.encode("a</s>b")] == ["▁", "a", "<", "/", "s", ">", "b"]
    ours = PretrainedTokenizer.of(whole_words())
    assert ours.encode("the [SEP] banks") == [4, ours.unk_id, 5]
    assert ours.encode_words(["the", "[SEP]", "banks"]).word_ids == [0, 1, 2]


@pytest.mark.parametrize("tokenizer", EVERY[:-1])
def test_half_a_character_is_refused_with_its_word(tokenizer):
    with pytest.raises(ValueError, match=r"surrogate U\+D83D at position 1 of word 2, 'a\\ud83d'"):
        tokenizer.encode_words(["the", "banks", "a\ud83d"])
    with pytest.raises(ValueError, match=r"surrogate U\+D83D at position 3 of the text"):
        tokenizer.encode("the\ud83d")


def test_a_word_that_nothing_can_stand_for_is_refused():
    backend = Tokenizer(models.BPE({"</s>": 0, "a": 1}, []))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ours = PretrainedTokenizer.of(
        PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    )
    assert ours.encode_words(["a"]).ids == [1]
    with pytest.raises(ValueError, match="neither an unknown token nor a space"):
        ours.encode_words(["a", ""])


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
