"""BLEU and chrF as sacreBLEU computes them: normal forms, languages, references, signatures."""

import importlib.util
import os
import unicodedata
import warnings
from pathlib import Path

import pytest
import sacrebleu
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mtl_utils import data
from mtl_utils.data import BytePairTokenizer, PretrainedTokenizer, Vocabulary, WordTokenizer
from mtl_utils.models import BiLSTMFramework, Seq2Seq
from mtl_utils.tasks import Translation, text_scores

GERMAN = [
    "Ein Mann übt für Köln.",
    "Zwei Hunde laufen über den Weg, während es schneit.",
    "Die Ärztin öffnet eine große Tür.",
    "Ein Kind in Grün hüpft über Pfützen!",
]
CHINESE = ["我该去睡觉了。", "你在干什么啊?", "今天天气很好。", "你好。", "他喜欢在家看书。"]
WRONG = ["我该去吃觉了。", "你在干什么呀?", "今天天空很好。", "您好。", "她喜欢在家看书。"]
PERFECT = pytest.approx({"bleu": 100, "chrf": 100})


def nfd(texts):
    return [unicodedata.normalize("NFD", text) for text in texts]


def word_pieces(texts):
    """A tokenizer as uncased BERT has it: lower case, no accents, spaces around punctuation."""
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    words = [
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    ]
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(words)]
    known.remove("schneit")
    backend = Tokenizer(models.WordPiece({w: i for i, w in enumerate(known)}, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizer, splitter
    roles = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    named = {f"{role}_token": token for role, token in roles.items()}
    return PretrainedTokenizer.of(PreTrainedTokenizerFast(tokenizer_object=backend, **named))


def words_of(texts, lowercase):
    lowered = [text.lower() if lowercase else text for text in texts]
    return WordTokenizer(Vocabulary.from_tokens(" ".join(lowered).split()), lowercase)


TOKENIZERS = {
    "byte pairs": BytePairTokenizer.train(GERMAN, 300),
    "byte pairs in lower case": BytePairTokenizer.train(GERMAN, 300, lowercase=True),
    "words": words_of(GERMAN, False),
    "words in lower case": words_of(GERMAN, True),
}
LOWER = TOKENIZERS["byte pairs in lower case"]


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("change", [list, nfd, lambda texts: [f" {t}  " for t in texts]])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_perfect_copy_scores_100_whatever_the_tokenizer_changes(name, change, as_text):
    tokenizer = TOKENIZERS[name]
    written = [tokenizer.encode(text) for text in GERMAN]
    if as_text:
        written = [tokenizer.decode(ids) for ids in written]
    task = Translation("de", tokenizer)
    assert task.metrics(written, change(GERMAN)) == PERFECT
    assert task.metrics(change(GERMAN), GERMAN) == PERFECT
    assert task.metrics([*written[1:], written[0]], GERMAN)["bleu"] < 60


def test_what_is_compared_of_word_pieces_never_takes_the_unknown_for_known():
    tokenizer = word_pieces(GERMAN)
    assert tokenizer.normalise(GERMAN[0]) == "ein mann ubt fur koln ."
    assert tokenizer.normalise(GERMAN[1]).endswith("wahrend es schneit .")
    task = Translation("de", tokenizer)
    known = [GERMAN[i] for i in (0, 2, 3)]
    assert task.metrics([tokenizer.encode(text) for text in known], known) == PERFECT
    written = tokenizer.encode(GERMAN[1])
    assert tokenizer.unk_id in written
    text = "zwei hunde laufen uber den weg , wahrend es [UNK] ."
    expected = sacrebleu.corpus_bleu([text], [["zwei hunde laufen uber den weg , wahrend es X ."]])
    assert task.metrics([written], [GERMAN[1]])["bleu"] == pytest.approx(expected.score)
    assert tokenizer.normalise("Schneit schneit es [UNK]") == "schneit schneit es [ unk ]"


def test_words_that_have_no_id_are_compared_as_they_are():
    tokenizer = WordTokenizer(Vocabulary.from_tokens(["a", "b", "c", "d"]), lowercase=True)
    task = Translation("x", tokenizer)
    found = task.metrics([tokenizer.encode("a b c d Z")], ["A b c d Z"])
    expected = sacrebleu.corpus_bleu(["a b c d <unk>"], [["a b c d z"]])
    assert found["bleu"] == pytest.approx(expected.score)
    assert found["bleu"] < 100


def test_the_normal_form_of_another_tokenizer_is_what_it_gives_back():
    class Own(WordTokenizer):
        normalise = data.Tokenizer.normalise

    own = Own(Vocabulary.from_tokens(["a", "b"]), lowercase=True)
    assert own.normalise(" A  b ") == "a b"
    assert own.normalise("A Z") == "A Z"  # never "a <unk>"


def test_raw_references_are_compared_where_asked():
    written = [LOWER.encode(text) for text in GERMAN]
    found = Translation("de", LOWER, normalise=False).metrics(written, nfd(GERMAN))
    lowered = [text.lower() for text in GERMAN]
    assert found == {
        "bleu": pytest.approx(sacrebleu.corpus_bleu(lowered, [nfd(GERMAN)]).score),
        "chrf": pytest.approx(sacrebleu.corpus_chrf(lowered, [nfd(GERMAN)]).score),
    }
    assert found["bleu"] < 30


def test_case_counts_where_the_model_can_write_it():
    tokenizer = TOKENIZERS["byte pairs"]
    written = [text.lower() for text in GERMAN]
    found = Translation("de", tokenizer).metrics(written, GERMAN)
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(written, [GERMAN]).score)
    assert found["bleu"] < 50
    assert Translation("de", tokenizer, lowercase=True).metrics(written, GERMAN) == PERFECT


# Languages


CHARACTERS = BytePairTokenizer.train([*CHINESE, *WRONG], 300)


@pytest.mark.parametrize(
    ("settings", "tokenization"),
    [
        ({"language": "zh"}, "zh"),
        ({"language": "zh-CN"}, "zh"),
        ({"language": "ZH_tw"}, "zh"),
        ({"language": "cmn"}, "zh"),
        ({"language": "zho_Hans"}, "zh"),
        ({"language": "th"}, "char"),
        ({"language": "km-KH"}, "char"),
        ({"tokenize": "char"}, "char"),
        ({"tokenize": "char", "language": "zh"}, "char"),
    ],
)
def test_words_are_those_of_the_language(settings, tokenization):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = Translation("zh", CHARACTERS, **settings)
        found = task.metrics([CHARACTERS.encode(text) for text in WRONG], CHINESE)
    expected = sacrebleu.corpus_bleu(WRONG, [CHINESE], tokenize=tokenization)
    assert found["bleu"] == pytest.approx(expected.score)
    assert found["bleu"] > 40 > sacrebleu.corpus_bleu(WRONG, [CHINESE]).score
    assert f"|tok:{tokenization}|" in task.signature()["bleu"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"language": "en"}, {"language": "de-AT"}, {"tokenize": "13a"}],
)
def test_other_languages_have_the_usual_words(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Translation("de", LOWER, **settings).metrics(GERMAN[:2], GERMAN[1:3])
        assert "|tok:13a|" in Translation("de", LOWER, **settings).signature()["bleu"]
    lowered = [text.lower() for text in GERMAN]
    expected = sacrebleu.corpus_bleu(lowered[:2], [lowered[1:3]])
    assert found["bleu"] == pytest.approx(expected.score)


@pytest.mark.parametrize(("language", "wanted"), [("ja", "ja-mecab"), ("kor", "ko-mecab")])
def test_what_is_not_installed_is_said(language, wanted, monkeypatch):
    monkeypatch.setattr(text_scores, "find_spec", lambda name: None)
    task = Translation("x", CHARACTERS, language=language)
    extra = language[:2]
    with pytest.warns(UserWarning, match=rf"{wanted}.*sacrebleu\[{extra}\].*characters") as caught:
        found = task.metrics(WRONG, CHINESE)
    assert caught[0].filename == __file__
    expected = sacrebleu.corpus_bleu(WRONG, [CHINESE], tokenize="char")
    assert found["bleu"] == pytest.approx(expected.score)
    with pytest.raises(ImportError, match=rf"{wanted}.*pip install \"sacrebleu\[{extra}\]"):
        Translation("x", CHARACTERS, tokenize=wanted).metrics(WRONG, CHINESE)


def test_what_is_installed_is_used(monkeypatch):
    monkeypatch.setattr(text_scores, "find_spec", importlib.util.find_spec)
    monkeypatch.setitem(text_scores.NEEDED, "ja-mecab", (("sacrebleu",), "ja"))
    assert text_scores.choose_tokenization(None, "ja") == "ja-mecab"


THAI = ["ฉันชอบอ่านหนังสือ", "วันนี้อากาศดี", "สวัสดี"]
SEGMENTED = ["我 该 去 睡觉 了 。", "今天 天气 很 好 。"]


@pytest.mark.parametrize("tokenize", [None, "13a", "intl", "none"])
@pytest.mark.parametrize("references", [CHINESE, ["你好。", "谢谢"], THAI, ["x" * 30, "y" * 40]])
def test_a_lack_of_spaces_is_noticed(tokenize, references):
    task = Translation("x", TOKENIZERS["byte pairs"], tokenize=tokenize)
    with pytest.warns(UserWarning, match='hardly any spaces.*language="zh"') as caught:
        task.metrics(references, references)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("settings", "references"),
    [
        ({}, GERMAN),
        ({}, ["Ja", "Nein", ""]),
        ({}, ["", ""]),
        ({}, SEGMENTED),
        ({}, ["나는 책을 읽는 것을 좋아한다 .", "오늘은 날씨가 좋다 ."]),
        ({}, ["Donaudampfschifffahrtsgesellschaft fährt ab"]),
        ({}, ["Das Zeichen 好 heißt gut"]),
        ({"tokenize": "zh"}, CHINESE),
        ({"tokenize": "char"}, THAI),
    ],
)
def test_spaces_or_words_of_another_kind_are_not_warned_of(settings, references):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Translation("x", TOKENIZERS["byte pairs"], **settings).metrics(references, references)


@pytest.mark.real_data
def test_tatoeba_with_one_wrong_character_a_sentence():
    import pandas as pd

    folder = Path(os.environ["MTL_DATA_DIR"]) / "xtreme" / "tatoeba.cmn"
    (file,) = folder.glob("validation*.parquet")
    texts = [text.strip() for text in pd.read_parquet(file)["source_sentence"]]
    wrong = [f"{t[: len(t) // 2]}龘{t[len(t) // 2 + 1 :]}" for t in texts]
    tokenizer = BytePairTokenizer.train(texts, 1000)
    found = Translation("zh", tokenizer, language="cmn").metrics(wrong, texts)
    expected = sacrebleu.corpus_bleu(wrong, [texts], tokenize="zh").score
    assert found["bleu"] == pytest.approx(expected)
    assert found["bleu"] > 60 > 20 > sacrebleu.corpus_bleu(wrong, [texts]).score


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"tokenize": "moses"}, ValueError, "tokenize must be one of .*'13a'.*got 'moses'"),
        ({"tokenize": 13}, TypeError, "tokenize must be a string or None, got 13"),
        ({"language": "Chinese"}, ValueError, "code such as .*got 'Chinese'"),
        ({"language": ""}, ValueError, "code such as .*got ''"),
        ({"language": ["zh"]}, TypeError, "language must be a string or None"),
        ({"beam_size": 0}, ValueError, "beam_size must be"),
        ({"max_length": 2.5}, TypeError, "max_length must be a whole number"),
        ({"length_penalty": 1e6}, ValueError, "length_penalty=1000000.0 is too large"),
    ],
)
def test_settings_that_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        Translation("x", LOWER, **settings)


def test_models_hand_the_settings_on():
    model = Seq2Seq(LOWER, LOWER, width=8, language="zh")
    assert "tok:zh" in model.translation.signature()["bleu"]
    model = Seq2Seq(LOWER, LOWER, width=8, tokenize="char")
    assert "tok:char" in model.translation.signature()["bleu"]
    framework = BiLSTMFramework(LOWER, ["O"], width=8, target_language="zh")
    assert "tok:zh" in framework.translation.signature()["bleu"]


# Several references


def test_several_references_are_those_of_sacrebleu():
    written = ["ein mann übt", "zwei hunde laufen den weg entlang", "eine ärztin steht da"]
    first = ["ein mann übt für köln", "zwei hunde laufen über den weg", "die ärztin steht da"]
    second = ["ein mann trainiert", "hunde laufen den weg entlang", "eine frau steht da"]
    task = Translation("de", LOWER)
    found = task.metrics(written, list(zip(first, second, strict=True)))
    assert found == {
        "bleu": pytest.approx(sacrebleu.corpus_bleu(written, [first, second]).score),
        "chrf": pytest.approx(sacrebleu.corpus_chrf(written, [first, second]).score),
    }
    assert found["bleu"] > task.metrics(written, first)["bleu"] > 0
    turned = task.metrics(written, list(zip(second, first, strict=True)))
    assert turned == pytest.approx(found)

    ragged = [first[0], [first[1], second[1]], [first[2], second[2], "eine ärztin steht da"]]
    streams = [first, [None, *second[1:]], [None, None, "eine ärztin steht da"]]
    found = task.metrics(written, ragged)
    assert found == {
        "bleu": pytest.approx(sacrebleu.corpus_bleu(written, streams).score),
        "chrf": pytest.approx(sacrebleu.corpus_chrf(written, streams).score),
    }
    assert task.metrics(written, [[text] for text in first]) == task.metrics(written, first)
    upper = [[text.upper() for text in row] for row in zip(first, second, strict=True)]
    assert task.metrics([f"{text.upper()}" for text in second], upper) == PERFECT


@pytest.mark.parametrize(
    ("predictions", "references", "error", "message"),
    [
        (["a"], [[]], ValueError, "Prediction 0 has no reference"),
        (["a", "b"], ["a", 3], TypeError, "as reference 1, got int: 3"),
        (["a", "b"], ["a", None], TypeError, "as reference 1, got NoneType"),
        (["a"], [["a", None]], TypeError, "got NoneType in entry 0"),
        (["a"], [b"a"], TypeError, "got bytes"),
        (["a", "b"], "ab", TypeError, "got a single string: 'ab'"),
        ("ab", ["a", "b"], TypeError, "Expected predictions, got a single string"),
        (["a", "b"], [["a", "b"]], ValueError, "got 2 and 1. Several references"),
    ],
)
def test_references_that_are_refused(predictions, references, error, message):
    with pytest.raises(error, match=message):
        Translation("x", LOWER).metrics(predictions, references)


# Signatures


def plain(metric, **settings):
    """Return the signature that sacreBLEU itself gives."""
    metric = {"bleu": sacrebleu.BLEU, "chrf": sacrebleu.CHRF}[metric](**settings)
    metric.corpus_score(["a"], [["a"]])
    return str(metric.get_signature())


def test_signatures_are_those_of_sacrebleu():
    for lowercase in (False, True):
        task = Translation("x", TOKENIZERS["byte pairs"], lowercase=lowercase)
        expected = {name: plain(name, lowercase=lowercase) for name in ("bleu", "chrf")}
        assert task.signature() == task.signature(GERMAN) == expected
    assert "case:mixed" in Translation("x", TOKENIZERS["byte pairs"]).signature()["bleu"]
    lower = Translation("x", LOWER).signature(GERMAN)
    assert lower == {name: plain(name, lowercase=True) for name in ("bleu", "chrf")}
    raw = Translation("x", LOWER, normalise=False).signature(nfd(GERMAN))
    assert raw == {name: plain(name) for name in ("bleu", "chrf")}


def test_signatures_count_references():
    task = Translation("x", LOWER)
    assert task.signature([["a", "b"], ["c", "d"]])["bleu"].startswith("nrefs:2|")
    assert task.signature(["a", ["c", "d"]])["chrf"].startswith("nrefs:var|")


def test_signatures_say_where_references_were_changed():
    assert "text:normalised" in Translation("x", LOWER).signature(nfd(GERMAN))["bleu"]
    assert "text:normalised" in Translation("x", word_pieces(GERMAN)).signature(GERMAN)["chrf"]
    spaced = [f" {text}  " for text in GERMAN]
    assert "text" not in Translation("x", TOKENIZERS["words"]).signature(spaced)["bleu"]
