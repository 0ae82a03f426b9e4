"""The join of entity tags and syntax, on made-up sentences."""

from __future__ import annotations

import ast
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import corpora
from mtl_utils.corpora import DownloadError, SchemaError
from mtl_utils.corpora.join import join_annotations
from mtl_utils.corpora.labels import UNIVERSAL_POS_TAGS
from mtl_utils.corpora.remote import join_splits

POS = UNIVERSAL_POS_TAGS.index


def syntax_of(*sentences: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [sentence[name] for sentence in sentences] for name in sentences[0]}


def syntax(idx: str, tokens: list[str], **replaced: list[Any]) -> dict[str, Any]:
    size = len(tokens)
    return {
        "idx": idx,
        "text": " ".join(tokens),
        "tokens": tokens,
        "lemmas": [token.lower() for token in tokens],
        "upos": [POS("X")] * size,
        "xpos": ["FW"] * size,
        "feats": ["None"] * size,
        "head": [str(position) for position in range(size)],
        "deprel": ["dep"] * size,
        "deps": ["None"] * size,
        "misc": ["None"] * size,
        **replaced,
    }


def entities_of(*sentences: tuple[str, list[str]]) -> dict[str, list[Any]]:
    return {
        "idx": [idx for idx, _ in sentences],
        "text": ["spelt apart"] * len(sentences),
        "tokens": [tokens for _, tokens in sentences],
        "ner_tags": [[1] + [0] * (len(tokens) - 1) for _, tokens in sentences],
        "annotator": [["-"] * len(tokens) for _, tokens in sentences],
    }


DONT = syntax(
    "s1",
    ["Ada", "don't", "do", "n't", "report", "reported"],
    upos=[POS(tag) for tag in ("PROPN", "_", "AUX", "PART", "VERB", "VERB")],
    xpos=["NNP", None, "VBP", "RB", None, "VBN"],
    feats=["{'Number': 'Sing', 'Case': 'Acc,Dat'}", *["None"] * 5],
    head=["4", "None", "4", "4", "0", "None"],
)


def test_headless_rows_are_dropped_and_notation_is_conllu() -> None:
    words = ["Ada", "do", "n't", "report"]
    joined = join_annotations(entities_of(("s1", words)), syntax_of(DONT), "idx")
    assert joined.unmatched == ()
    assert {name: cells[0] for name, cells in joined.columns.items()} == {
        "idx": "s1",
        "parallel_id": "s1",
        "text": "Ada don't do n't report reported",
        "tokens": words,
        "lemmas": ["ada", "do", "n't", "report"],
        "upos": [POS(tag) for tag in ("PROPN", "AUX", "PART", "VERB")],
        "xpos": ["NNP", "VBP", "RB", "None"],
        "feats": ["Number=Sing|Case=Acc,Dat", "_", "_", "_"],
        "head": [4, 4, 4, 0],
        "deprel": ["dep"] * 4,
        "ner_tags": [1, 0, 0, 0],
    }


def test_token_lists_join_renumbered_and_reordered_sentences() -> None:
    source = syntax_of(syntax("n1", ["a", "b"]), syntax("n2", ["c"]))
    joined = join_annotations(entities_of(("u1", ["c"]), ("u2", ["a", "b"])), source, "tokens")
    assert joined.columns["idx"] == ["u1", "u2"]
    assert joined.columns["parallel_id"] == ["n2", "n1"]
    assert joined.columns["tokens"] == [["c"], ["a", "b"]]


def test_sentences_split_otherwise_or_absent_are_left_out() -> None:
    source = syntax_of(syntax("s1", ["can", "not"]), syntax("s2", ["b"]))
    found = entities_of(("s1", ["cannot"]), ("s2", ["b"]), ("s3", ["c"]))
    for key in ("idx", "tokens"):
        joined = join_annotations(found, source, key)  # type: ignore[arg-type]
        assert joined.unmatched == ("s1", "s3")
        assert joined.columns["idx"] == ["s2"]


def test_a_key_that_is_not_unique_is_refused() -> None:
    twice = syntax_of(syntax("s1", ["a"]), syntax("s1", ["b"]))
    with pytest.raises(SchemaError, match="syntax: found 1 sentences whose 'idx' is not their own"):
        join_annotations(entities_of(("s1", ["a"])), twice, "idx")
    same = entities_of(("u1", ["a"]), ("u2", ["a"]))
    with pytest.raises(SchemaError, match="entities: found 1 sentences whose 'tokens'"):
        join_annotations(same, syntax_of(syntax("s1", ["a"])), "tokens")


def test_features_that_are_no_dictionary_are_refused() -> None:
    source = syntax_of(syntax("s1", ["a"], feats=["Number=Sing"]))
    with pytest.raises(SchemaError, match="feats: found 'Number=Sing', expected a Python dict"):
        join_annotations(entities_of(("s1", ["a"])), source, "idx")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][a-z]{1,8}", fullmatch=True),
        st.from_regex(r"[A-Z][a-z]{1,8}(,[A-Z][a-z]{1,8})?", fullmatch=True),
        max_size=5,
    )
)
def test_features_survive_the_change_of_notation(features: dict[str, str]) -> None:
    text = str(features) if features else "None"
    source = syntax_of(syntax("s1", ["a"], feats=[text]))
    [[conllu]] = join_annotations(entities_of(("s1", ["a"])), source, "idx").columns["feats"]
    read_back = dict(pair.split("=") for pair in conllu.split("|")) if conllu != "_" else None
    assert read_back == ast.literal_eval(text)


def parts(size: int, strangers: int) -> tuple[datasets.DatasetDict, datasets.DatasetDict]:
    """A test split of ``size`` sentences, of which ``strangers`` have no partner."""
    entities = entities_of(*((f"u{i}", [f"w{i}"]) for i in range(size)))
    source = syntax_of(
        *(syntax(f"n{i}", [f"w{i}" if i >= strangers else "?" * (i + 1)]) for i in range(size))
    )
    loaded = []
    for name, columns in (("universal_ner", entities), ("universal_dependencies", source)):
        typed = corpora.entry(name).config("en_pud").features
        rows = datasets.Dataset.from_dict(columns, features=typed)
        loaded.append(datasets.DatasetDict(test=rows))
    return loaded[0], loaded[1]


def test_joined_splits_have_the_declared_features(recwarn: pytest.WarningsRecorder) -> None:
    joined = join_splits(corpora.entry("uner_ud"), "en_pud", *parts(20, strangers=0))
    assert joined["test"].num_rows == 20
    assert joined["test"].features == corpora.entry("uner_ud").config("en_pud").features
    assert len(recwarn) == 0


def test_a_few_sentences_without_partner_are_reported() -> None:
    with pytest.warns(UserWarning, match="en_pud, split test: 1 of 20 sentences"):
        joined = join_splits(corpora.entry("uner_ud"), "en_pud", *parts(20, strangers=1))
    assert joined["test"].num_rows == 19


def test_many_sentences_without_partner_are_an_error() -> None:
    with pytest.raises(DownloadError, match=r"2 of 20 sentences .*expected at most 5%"):
        join_splits(corpora.entry("uner_ud"), "en_pud", *parts(20, strangers=2))


def test_only_a_join_can_be_joined() -> None:
    with pytest.raises(TypeError, match="'snips' 'default' is not a join"):
        join_splits(corpora.entry("snips"), "default", *parts(1, strangers=0))
