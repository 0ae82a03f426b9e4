import copy
import json
import pickle
import random
import unicodedata
from collections import Counter
from itertools import pairwise

import another_process
import pytest
import regex
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mtl_utils.data import MISSING_LABEL, BytePairTokenizer, Pieces, Tokenizer, WordTokenizer
from mtl_utils.data.vocabulary import SPECIALS, Vocabulary

TEXTS = [
    "The mayor of Łódź met the mayor of Lyon.",
    "The mayors weren't there: they'd met in 1987, in 1988 and in 1989.",
    "Le maire de Lyon a rencontré la mairesse de Besançon.",
    "Мэр Лиона встретил мэра Лодзи.",
    "里昂市长会见了罗兹市长。 🙂🙂",
    "the lower the newest the widest, the lowest",
] * 3
SIZE = 400
TOKENIZER = BytePairTokenizer.train(TEXTS, SIZE)
LOWERCASE = BytePairTokenizer.train(TEXTS, SIZE, lowercase=True)

# Scripts, spaces and signs on whose classes every version of Unicode agrees.
LETTERS = "theloweryns'dmT.19é日ЛИ🙂<>_\u0301 \n\t"
text_of_letters = st.text(LETTERS, max_size=40)
words = st.lists(st.text(LETTERS.replace(" ", "").replace("\n", "").replace("\t", ""), min_size=1))


# An independent reference: Sennrich et al. (2016) over bytes, as Radford et al. (2019) split text.

SPLIT = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


def gpt2_letters():
    """The table of GPT-2's encoder.py, byte to letter."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters, extra = {byte: chr(byte) for byte in visible}, 0
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(256 + extra)
            extra += 1
    return letters


GPT2 = gpt2_letters()


def spelled(text):
    chunks = SPLIT.findall(" " + unicodedata.normalize("NFC", text)) if text else []
    return [[GPT2[byte] for byte in chunk.encode()] for chunk in chunks]


def reference_encode(tokenizer, text):
    ranks = {merge: rank for rank, merge in enumerate(tokenizer.merges)}
    ids = []
    for pieces in spelled(text):
        while found := [pair for pair in pairwise(pieces) if pair in ranks]:
            pieces = merge(pieces, *min(found, key=ranks.__getitem__))
        ids += [tokenizer.vocabulary.tokens.index(piece) for piece in pieces]
    return ids


def merge(pieces, left, right):
    merged = []
    for piece in pieces:
        if merged and merged[-1] == left and piece == right:
            merged[-1] = left + right
        else:
            merged.append(piece)
    return merged


@given(text_of_letters)
def test_pieces_are_those_of_merging_by_rank(text):
    assert TOKENIZER.encode(text) == reference_encode(TOKENIZER, text)


@pytest.mark.parametrize("text", TEXTS[:6])
def test_pieces_of_the_training_text_are_those_of_merging_by_rank(text):
    assert TOKENIZER.encode(text) == reference_encode(TOKENIZER, text)


def test_every_merge_was_a_most_frequent_pair_when_it_was_learned():
    chunks = [pieces for text in TEXTS for pieces in spelled(text)]
    for learned in TOKENIZER.merges:
        counts = Counter(pair for pieces in chunks for pair in pairwise(pieces))
        assert counts[learned] == max(counts.values()) >= 2
        chunks = [merge(pieces, *learned) for pieces in chunks]
    made = {left + right for left, right in TOKENIZER.merges}
    assert set(TOKENIZER.vocabulary.tokens[260:]) == made


def test_the_example_of_sennrich_et_al():
    # Algorithm 1 of the paper, which learns e s and es t first.
    texts = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3
    tokenizer = BytePairTokenizer.train(texts, 260 + 2)
    assert tokenizer.merges == (("e", "s"), ("es", "t"))
    assert tokenizer.tokens[260:] == ("es", "est")
    assert [tokenizer.tokens[i] for i in tokenizer.encode("lowest")] == ["▁", "l", "o", "w", "est"]


def test_bytes_are_written_as_gpt2_writes_them():
    assert TOKENIZER.vocabulary.tokens[:4] == SPECIALS
    assert set(TOKENIZER.vocabulary.tokens[4:260]) == set(GPT2.values())
    assert set(GPT2.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    for byte, letter in GPT2.items():
        ids = [TOKENIZER.vocabulary.id(letter)]
        text = bytes([byte]).decode("utf-8", "replace")
        assert TOKENIZER.decode([TOKENIZER.vocabulary.id("a"), *ids]) == "a" + text


@given(st.text())
def test_hugging_face_gives_the_same_ids_and_text(text):
    wrapped = PreTrainedTokenizerFast(tokenizer_object=TOKENIZER._encoder)
    normalised = TOKENIZER.normalise(text)
    ids = wrapped(" " + normalised if text else "")["input_ids"]
    assert TOKENIZER.encode(text) == ids
    pieces = wrapped.convert_ids_to_tokens(ids)
    assert bytes(b for p in pieces for b in map(_byte, p)).decode().removeprefix(" ") == normalised


def _byte(letter):
    return next(byte for byte, other in GPT2.items() if other == letter)


# Round trips.


@given(st.text())
def test_every_text_survives_a_round_trip(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == unicodedata.normalize("NFC", text)
    lowered = LOWERCASE.decode(LOWERCASE.encode(text))
    assert lowered == LOWERCASE.normalise(text)
    assert LOWERCASE.normalise(lowered) == lowered


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "  two  spaces  ",
        "\n",
        "\0",
        "a\0b",
        "👩\u200d👩\u200d👧",
        "\ufeffBOM",
        "ﬁ",
        "\U0010ffff",
        "a" * 9999,
        "日本語 のテキスト",
        "العربية",
        "\u200e",
        "<unk>",
        "▁",
        "Ġ",
        "�",
    ],
)
def test_texts_that_break_tokenizers(text):
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert all(index > 3 for index in ids)
    assert bool(ids) == bool(text)


def test_ten_thousand_words():
    text = "mayor Lyon " * 5000
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert ids[:-1] == TOKENIZER.encode("mayor Lyon") * 5000
    pieces = TOKENIZER.encode_words(text.split())
    assert pieces.ids == ids[:-1]
    assert pieces.num_words == 10_000


def test_normalisation():
    assert TOKENIZER.encode("e\u0301") == TOKENIZER.encode("é")
    assert TOKENIZER.encode("LYON") != TOKENIZER.encode("lyon")
    assert LOWERCASE.encode("LYON E\u0301") == LOWERCASE.encode("lyon é")
    assert LOWERCASE.normalise("J\u030c") == "\u01f0"  # only the lower-case one is one character
    assert LOWERCASE.decode(LOWERCASE.encode("ŁÓDŹ ΟΔΟΣ")) == "łódź οδος"
    assert not any(token != token.lower() for token in LOWERCASE.tokens[260:])


@given(st.lists(st.text(max_size=20), max_size=8))
def test_alone_and_in_a_batch_ids_are_the_same(texts):
    assert TOKENIZER.encode_batch(texts) == [TOKENIZER.encode(text) for text in texts]
    assert TOKENIZER.encode_batch(iter(texts)) == TOKENIZER.encode_batch(texts)


@pytest.mark.parametrize("special", SPECIALS)
def test_a_special_token_in_the_text_is_spelled_out(special):
    tokenizer = BytePairTokenizer.train([f"{special} {special}{special} a{special}"] * 9, 300)
    for text in (special, f"a{special}b", f"{special}{special}", f" {special}\n"):
        ids = tokenizer.encode(text)
        assert not set(ids) & {0, 1, 2, 3}
        assert tokenizer.decode(ids) == text
        assert not set(tokenizer.encode_words([text]).ids) & {0, 1, 2, 3}
        assert tokenizer.encode_batch([text]) == [ids]
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id) == (0, 1, 2, 3)


# Decoding.


def test_decode_leaves_out_what_only_marks():
    ids = TOKENIZER.encode("the mayor")
    assert TOKENIZER.decode([2, *ids, 3, 0, 0]) == "the mayor"
    assert TOKENIZER.decode([*ids, 1]) == "the mayor<unk>"
    assert TOKENIZER.decode(torch.tensor([2, *ids, 3, 0])) == "the mayor"
    assert TOKENIZER.decode([]) == ""


def test_decode_of_half_a_character():
    smile = [TOKENIZER.vocabulary.id(GPT2[byte]) for byte in "🙂".encode()]
    assert TOKENIZER.decode(smile) == "🙂"
    assert TOKENIZER.decode([*smile[:2], *TOKENIZER.encode("Lyon")]) == "� Lyon"


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1)))
def test_any_ids_are_some_text(ids):
    assert isinstance(TOKENIZER.decode(ids), str)


@pytest.mark.parametrize("index", [-1, SIZE])
def test_an_id_outside_the_vocabulary(index):
    with pytest.raises(IndexError, match="ids are 0 to 399"):
        TOKENIZER.decode([index])


def test_tokens_can_be_read():
    assert len(TOKENIZER.tokens) == TOKENIZER.vocab_size == SIZE
    assert TOKENIZER.tokens[:4] == SPECIALS
    assert [TOKENIZER.tokens[i] for i in TOKENIZER.encode("the mayor")] == ["▁the", "▁mayor"]
    assert "\\xf0" in TOKENIZER.tokens
    assert "▁🙂🙂" in TOKENIZER.tokens


# Words.


@given(words)
def test_words_have_the_pieces_of_their_text(sentence):
    pieces = TOKENIZER.encode_words(sentence)
    assert pieces.ids == TOKENIZER.encode(" ".join(sentence))
    assert pieces.num_words == len(sentence)


@given(st.lists(st.text(max_size=6)), st.data())
def test_every_word_carries_its_label_once(sentence, data):
    pieces = TOKENIZER.encode_words(sentence)
    labels = data.draw(st.lists(st.integers(0, 9), min_size=len(sentence), max_size=len(sentence)))
    aligned = pieces.align(labels)
    assert [label for label in aligned if label != MISSING_LABEL] == labels
    assert [aligned[piece] for piece in pieces.first_pieces] == labels
    assert [pieces.word_ids[piece] for piece in pieces.first_pieces] == list(range(len(sentence)))
    for word, text in enumerate(sentence):
        ids = [i for i, owner in zip(pieces.ids, pieces.word_ids, strict=True) if owner == word]
        assert ids == (TOKENIZER.encode(text) or [TOKENIZER.unk_id])


def test_words_in_pieces():
    pieces = TOKENIZER.encode_words(["the", "mayorx", "", "Lyon"])
    assert [TOKENIZER.tokens[i] for i in pieces.ids] == ["▁the", "▁mayor", "x", "<unk>", "▁Lyon"]
    assert pieces.word_ids == [0, 1, 1, 2, 3]
    assert pieces.first_pieces == [0, 1, 3, 4]
    assert pieces.align([7, 8, 9, 6]) == [7, 8, -100, 9, 6]
    assert TOKENIZER.encode_words([]) == Pieces([], [])
    assert Pieces([], []).align([]) == Pieces([], []).first_pieces == []


def test_errors_of_pieces():
    with pytest.raises(ValueError, match="got 3 labels for 2 words"):
        Pieces([5, 6, 7], [0, 1, 1]).align([1, 2, 3])
    with pytest.raises(ValueError, match="got 1 for 2 pieces"):
        Pieces([5, 6], [0])
    for wrong in ([1, 2], [0, 2], [0, -1], [0, 1, 0], [-1, 0]):
        with pytest.raises(ValueError, match=r"in order and leaves none out; piece . has word"):
            Pieces([5] * len(wrong), wrong)


# Training.


@given(st.permutations(range(len(TEXTS))))
def test_training_does_not_depend_on_the_order_of_the_texts(order):
    assert BytePairTokenizer.train((TEXTS[i] for i in order), SIZE) == TOKENIZER


def test_training_in_another_process_gives_the_same():
    code = (
        "import json, sys; from mtl_utils.data import BytePairTokenizer;"
        f"t = BytePairTokenizer.train(json.load(sys.stdin), {SIZE});"
        "print(json.dumps([t.vocabulary.tokens, t.merges]))"
    )
    done = another_process.run(code, input=json.dumps(TEXTS))
    assert done.returncode == 0, done.stderr
    tokens, merges = json.loads(done.stdout)
    assert tuple(tokens) == TOKENIZER.vocabulary.tokens
    assert tuple(map(tuple, merges)) == TOKENIZER.merges


def test_min_count_and_a_text_too_short_for_its_vocabulary():
    assert BytePairTokenizer.train(["ab cd"], 5000).vocab_size == 260
    assert BytePairTokenizer.train(["ab ab cd"], 5000).tokens[260:] == ("ab", "▁ab")
    assert BytePairTokenizer.train(["ab ab cd"], 5000, min_count=3).vocab_size == 260
    assert "▁cd" in BytePairTokenizer.train(["ab ab cd"], 5000, min_count=1).tokens
    assert BytePairTokenizer.train(["ab ab"], 260).vocab_size == 260


def test_errors_of_training():
    with pytest.raises(ValueError, match=r"4 special tokens and 256 bytes.* at least 260; got 259"):
        BytePairTokenizer.train(TEXTS, 259)
    with pytest.raises(ValueError, match="min_count must be at least 1, got 0"):
        BytePairTokenizer.train(TEXTS, SIZE, min_count=0)
    for nothing in ([], [""], ["", ""]):
        with pytest.raises(ValueError, match="no text to learn pieces from"):
            BytePairTokenizer.train(nothing, SIZE)
    with pytest.raises(TypeError, match="Expected texts, a list of strings, got a single string"):
        BytePairTokenizer.train("a text", SIZE)
    with pytest.raises(TypeError, match=r"got list: \['a'\].*encode_words"):
        BytePairTokenizer.train([["a"]], SIZE)
    with pytest.raises(ValueError, match=r"surrogate U\+DC00 at position 2"):
        BytePairTokenizer.train(["fine", "no\udc00"], SIZE)


def test_errors_of_encoding():
    for encode in (TOKENIZER.encode, lambda t: TOKENIZER.encode_batch([t]), TOKENIZER.normalise):
        with pytest.raises(ValueError, match=r"surrogate U\+D83D at position 3.*surrogatepass"):
            encode("smi\ud83d")
        with pytest.raises(TypeError, match="got NoneType"):
            encode(None)
        with pytest.raises(TypeError, match="got bytes"):
            encode(b"text")
    with pytest.raises(ValueError, match=r"surrogate"):
        TOKENIZER.encode_words(["a", "\ud83d"])
    with pytest.raises(TypeError, match="got int: 1"):
        TOKENIZER.encode_words([1])
    with pytest.raises(TypeError, match="Expected words, a list of strings"):
        TOKENIZER.encode_words("a sentence")
    with pytest.raises(TypeError, match="Expected texts, a list of strings"):
        TOKENIZER.encode_batch("a sentence")


def test_the_advice_on_surrogates_works():
    halves = "\ud83d\ude42 \ud83d"
    assert halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == "🙂 �"


# Saving and copying.


@pytest.mark.parametrize("tokenizer", [TOKENIZER, LOWERCASE])
def test_save_and_load(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = BytePairTokenizer.load(str(tmp_path / "tokenizer.json"))
    assert loaded == tokenizer
    assert loaded.lowercase == tokenizer.lowercase
    assert loaded.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)


def test_a_damaged_file_is_refused_and_one_without_a_digest_is_read(tmp_path):
    path, generator = tmp_path / "tokenizer.json", random.Random(1)
    TOKENIZER.save(path)
    whole = path.read_bytes()
    for position in [*range(8 * 90), *(generator.randrange(8 * len(whole)) for _ in range(200))]:
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"tokenizer\.json"):
            BytePairTokenizer.load(path)
    content = json.loads(whole)
    del content["digest"]
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")  # the last release
    assert BytePairTokenizer.load(path) == TOKENIZER


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies(copied):
    assert copied(LOWERCASE) == LOWERCASE
    assert copied(LOWERCASE).encode("The MAYOR") == LOWERCASE.encode("The MAYOR")
    assert LOWERCASE != TOKENIZER


def test_errors_of_loading(tmp_path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(FileNotFoundError, match=r"No tokenizer at .* Write one with save"):
        BytePairTokenizer.load(path)
    for raw in (b"{", b"\xff\xfe"):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match="is not JSON"):
            BytePairTokenizer.load(path)
    good = {"lowercase": False, "tokens": list(TOKENIZER.vocabulary), "merges": []}
    for change in ({"lowercase": 1}, {"tokens": "abc"}, {"merges": [["a"]]}, {"merges": ["ab"]}):
        path.write_text(json.dumps(good | change))
        with pytest.raises(ValueError, match="holds no byte pair tokenizer; expected what"):
            BytePairTokenizer.load(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="holds no byte pair tokenizer"):
        BytePairTokenizer.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": [*SPECIALS, "a"]}, "255 of the 256 bytes are not in the vocabulary"),
        ({"tokens": ["a", "b", "c", "d"]}, "A vocabulary starts with"),
        ({"tokens": [*TOKENIZER.vocabulary, "a b"]}, r"not: \['a b'\]"),
        ({"merges": [["e", "zzz"]]}, "The merge of 'e' and 'zzz' needs all of"),
        ({"merges": [["\0", "a"]]}, "needs all of"),
    ],
)
def test_a_file_with_a_tokenizer_that_cannot_work(change, message, tmp_path):
    path = tmp_path / "tokenizer.json"
    good = {"lowercase": False, "tokens": list(TOKENIZER.vocabulary), "merges": []}
    path.write_text(json.dumps(good | change))
    with pytest.raises(ValueError, match=f"holds no usable tokenizer: .*{message}"):
        BytePairTokenizer.load(path)


# Words of a vocabulary.

WORDS = WordTokenizer(Vocabulary.from_tokens(["the", "mayor", "of", "Lyon", "the", "mayor", "the"]))


def test_a_word_tokenizer():
    assert WORDS.vocabulary.tokens[4:] == ("the", "mayor", "Lyon", "of")
    assert WORDS.tokens == WORDS.vocabulary.tokens
    assert WORDS.vocab_size == 8
    assert WORDS.encode("  the mayor\n of\tParis ") == [4, 5, 7, 1]
    assert WORDS.decode([2, 4, 5, 7, 1, 3, 0]) == "the mayor of <unk>"
    assert WORDS.encode_batch(["the", "", "Lyon"]) == [[4], [], [6]]
    assert WORDS.encode_words(["the", "", "New York", "mayor"]) == Pieces(
        [4, 1, 1, 5], [0, 1, 2, 3]
    )
    assert WORDS.encode("") == []
    assert WORDS.decode(torch.tensor([4, 6])) == "the Lyon"


def test_a_word_tokenizer_in_lower_case():
    lowercase = WordTokenizer(Vocabulary.from_tokens(["lyon"]), lowercase=True)
    assert lowercase.encode("Lyon LYON lyon") == [4, 4, 4]
    assert lowercase.encode_words(["Lyon"]).ids == [4]
    assert WORDS.encode("lyon") == [1]


@pytest.mark.parametrize("special", SPECIALS)
def test_a_word_that_is_spelled_like_a_special_token_is_unknown(special):
    assert WORDS.encode(f"the {special}") == [4, 1]
    assert WORDS.encode_words([special]).ids == [1]


def test_errors_of_a_word_tokenizer():
    with pytest.raises(TypeError, match="got list"):
        WORDS.encode(["the"])
    with pytest.raises(TypeError, match="got NoneType"):
        WORDS.encode_words(["the", None])
    with pytest.raises(TypeError, match="Expected words, a list of strings"):
        WORDS.encode_words("the mayor")
    with pytest.raises(IndexError, match="ids are 0 to 7"):
        WORDS.decode([8])


@given(st.lists(st.sampled_from(["the", "mayor", "of", "Lyon"])))
def test_known_words_survive_a_round_trip(sentence):
    assert WORDS.decode(WORDS.encode(" ".join(sentence))) == " ".join(sentence)
    assert WORDS.encode_words(sentence).ids == WORDS.encode(" ".join(sentence))


def test_both_are_tokenizers():
    for tokenizer in (WORDS, TOKENIZER):
        assert isinstance(tokenizer, Tokenizer)
        assert len(tokenizer.tokens) == tokenizer.vocab_size
        ids = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id)
        assert ids == (0, 1, 2, 3) == tuple(map(tokenizer.vocabulary.tokens.index, SPECIALS))
        assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer
