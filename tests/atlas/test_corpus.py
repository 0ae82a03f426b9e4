"""Atlas as data sets: sizes, splits, determinism, knobs and errors."""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from itertools import combinations

import pytest

from mtl_utils import atlas
from mtl_utils.atlas.labels import from_iob2

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def corpus():
    return atlas.load(4000)


@pytest.fixture(scope="module")
def pairs():
    return atlas.load_inference(4000)


def spans_of(row):
    names = atlas.NER_TAGS
    return [
        (" ".join(row["tokens"][start:end]), kind)
        for start, end, kind in from_iob2([names[tag] for tag in row["ner_tags"]])
    ]


def entity_names(split):
    return {text for row in split for text, _ in spans_of(row)}


@pytest.mark.parametrize("size", [10, 11, 99, 1000])
def test_size_counts_all_splits(size):
    splits = atlas.load(size)
    assert sum(len(splits[name]) for name in SPLITS) == size
    assert len(splits["test"]) == len(splits["validation"]) == size // 10


def test_columns(corpus, pairs):
    labels = {"tokens", "ner_tags", "pos_tags", "topic", "event"}
    assert set(corpus["test"].column_names) == labels | {"text", "translation"}
    assert set(pairs["test"].column_names) == labels | {"premise", "hypothesis", "label"}


def test_every_token_has_both_tags(corpus):
    for row in corpus["train"]:
        assert len(row["tokens"]) == len(row["ner_tags"]) == len(row["pos_tags"])


def test_tokens_spell_the_text(corpus):
    for row in corpus["train"].select(range(500)):
        assert "".join(row["tokens"]) == row["text"].replace(" ", "")
        assert row["translation"]["en"] == row["text"]


def test_splits_share_no_sentence(corpus):
    texts = {name: set(corpus[name]["text"]) for name in SPLITS}
    assert all(len(texts[name]) == len(corpus[name]) for name in SPLITS)
    assert all(texts[a].isdisjoint(texts[b]) for a, b in combinations(SPLITS, 2))


def test_pairs_share_no_sentence_between_splits(pairs):
    texts = {n: set(pairs[n]["premise"]) | set(pairs[n]["hypothesis"]) for n in SPLITS}
    assert all(texts[a].isdisjoint(texts[b]) for a, b in combinations(SPLITS, 2))


@pytest.mark.parametrize("load", [atlas.load, atlas.load_inference])
def test_smaller_corpora_begin_larger_ones(load):
    small, large = load(300, seed=3), load(700, seed=3)
    for name in SPLITS:
        assert small[name][:] == large[name].select(range(len(small[name])))[:]


def test_no_training_sentence_of_any_size_is_tested():
    large = atlas.load(3000)
    small = atlas.load(200)
    assert set(large["train"]["text"]).isdisjoint(small["test"]["text"])
    assert set(small["train"]["text"]).isdisjoint(large["test"]["text"])


def test_test_split_has_names_that_training_never_has(corpus):
    large = atlas.load(20_000)
    known = {word for row in large["train"] for word in row["tokens"]}
    rows = [row for row in corpus["test"] if spans_of(row)]
    new = [row for row in rows if any(not set(t.split()) <= known for t, _ in spans_of(row))]
    assert 0.3 < len(new) / len(rows) < 0.9


def test_seeds_differ():
    first, second = atlas.load(100, seed=0)["test"]["text"], atlas.load(100, seed=1)["test"]["text"]
    assert not set(first) & set(second)


def digest() -> str:
    rows = [atlas.load(200, 7, noise=0.1)[name][:] for name in SPLITS]
    rows += [atlas.load_inference(200, 7)[name][:] for name in SPLITS]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def test_same_bytes_in_another_process():
    code = (
        "import sys; sys.path.insert(0, 'tests/atlas'); import test_corpus; "
        "print(test_corpus.digest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "123", "PATH": ""},
    )
    assert other.stdout.strip() == digest()


def test_topics_and_labels_are_balanced(corpus, pairs):
    topics = Counter(corpus["train"]["topic"])
    labels = Counter(pairs["train"]["label"])
    assert max(topics.values()) / min(topics.values()) < 1.3
    assert max(labels.values()) / min(labels.values()) < 1.15


def test_all_entity_types_and_events_occur(corpus):
    kinds = {kind for row in corpus["train"] for _, kind in spans_of(row)}
    assert kinds == set(atlas.ENTITY_TYPES)
    assert set(corpus["train"]["event"]) == set(range(24))


def test_noise_touches_the_labels_of_training_alone():
    clean, noisy = atlas.load(2000), atlas.load(2000, noise=0.2)
    for name in ("validation", "test"):
        assert clean[name][:] == noisy[name][:]
    assert clean["train"]["text"] == noisy["train"]["text"]
    assert clean["train"]["translation"] == noisy["train"]["translation"]
    for column in ("topic", "event"):
        before, after = clean["train"][column], noisy["train"][column]
        changed = sum(a != b for a, b in zip(before, after, strict=True)) / len(before)
        assert 0.16 < changed < 0.24
    pairs = [atlas.load_inference(2000, noise=noise)["train"]["label"] for noise in (0.0, 0.2)]
    changed = sum(a != b for a, b in zip(*pairs, strict=True)) / len(pairs[0])
    assert 0.16 < changed < 0.24


def test_noise_on_entities_is_as_often_as_it_says():
    clean, noisy = atlas.load(2000)["train"], atlas.load(2000, noise=0.2)["train"]
    before = [span for row in clean for span in enumerate_spans(row)]
    after = [set(enumerate_spans(row)) for row in noisy]
    kept = sum(
        span in tags
        for row, tags in zip(clean, after, strict=True)
        for span in enumerate_spans(row)
    )
    assert 0.17 < 1 - kept / len(before) < 0.23


def enumerate_spans(row):
    return from_iob2([atlas.NER_TAGS[tag] for tag in row["ner_tags"]])


def test_ambiguity_is_a_dial():
    def share(ambiguity):
        rows = atlas.load(1000, ambiguity=ambiguity)["train"]
        surnames = {"Washington", "Jordan", "Lincoln", "Paris", "Turkey", "Amazon", "Hamilton"}
        return sum(bool(surnames & set(row["tokens"])) for row in rows) / len(rows)

    none, some, many = (share(ambiguity) for ambiguity in (0.0, 0.3, 1.0))
    assert none == 0
    assert 0 < some < many


def test_one_name_several_types():
    rows = atlas.load(10_000)["train"]
    kinds = {}
    for row in rows:
        for text, kind in spans_of(row):
            kinds.setdefault(text, set()).add(kind)
    assert {"GPE", "PER"} <= kinds["Washington"]
    assert {"LOC", "ORG"} <= kinds["Amazon"]
    assert {"GPE", "ORG"} <= kinds["Lincoln"]  # a city, and its team


def topic_follows_event(relatedness):
    rows = atlas.load(4000, relatedness=relatedness)["train"]
    topics = {}
    for topic, event in zip(rows["topic"], rows["event"], strict=True):
        topics.setdefault(event, Counter())[topic] += 1
    return sum(max(counts.values()) for counts in topics.values()) / len(rows)


def test_relatedness_is_a_dial():
    shares = [topic_follows_event(relatedness) for relatedness in (0.0, 0.5, 1.0)]
    assert shares[2] == 1.0
    assert shares[0] < shares[1] < shares[2]
    assert shares[0] < 0.65


def test_relatedness_leaves_texts_and_other_labels_alone():
    related, unrelated = atlas.load(500), atlas.load(500, relatedness=0.0)
    for column in ("text", "ner_tags", "pos_tags", "event", "translation"):
        assert related["train"][column] == unrelated["train"][column]


def shares_of_words(rows):
    """By label, the mean share of the hypothesis' words that its premise has too."""
    found = {}
    for row in rows:
        words = row["hypothesis"].lower().rstrip(".").split()
        known = {word.lower() for word in row["tokens"]}
        share = sum(word.strip(",") in known for word in words) / len(words)
        found.setdefault(row["label"], []).append(share)
    return {label: sum(shares) / len(shares) for label, shares in found.items()}


def test_paraphrase_dials_how_alike_the_texts_of_a_pair_are():
    plain, half, default = (
        atlas.load_inference(2000, paraphrase=share)["train"] for share in (0.0, 0.5, 1.0)
    )
    assert default[:] == atlas.load_inference(2000)["train"][:]
    lengths = [sum(map(len, rows["tokens"])) for rows in (plain, half, default)]
    assert lengths == sorted(lengths)
    for label in range(3):
        shares = [shares_of_words(rows)[label] for rows in (plain, half, default)]
        assert shares[0] > shares[1] + 0.05 > shares[2] + 0.1


@pytest.mark.parametrize("size", [0, 9, -1, 500_001, 10**12])
def test_sizes_out_of_range(size):
    with pytest.raises(ValueError, match=r"from 10 to 500,000; got"):
        atlas.load(size)
    with pytest.raises(ValueError, match=r"from 10 to 500,000; got"):
        atlas.load_inference(size)


@pytest.mark.parametrize("size", [10.0, "100", None, True])
def test_sizes_that_are_no_integers(size):
    with pytest.raises(TypeError, match="size must be a whole number, got"):
        atlas.load(size)


@pytest.mark.parametrize("knob", ["noise", "ambiguity", "relatedness"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_knobs_out_of_range(knob, value):
    with pytest.raises(ValueError, match=rf"{knob} must lie in \[0, 1\], got {value}"):
        atlas.load(100, **{knob: value})
    with pytest.raises(ValueError, match=rf"paraphrase must lie in \[0, 1\], got {value}"):
        atlas.load_inference(100, paraphrase=value)


@pytest.mark.parametrize("knob", ["noise", "ambiguity", "relatedness"])
@pytest.mark.parametrize("value", ["much", None, True])
def test_knobs_that_are_no_numbers(knob, value):
    with pytest.raises(TypeError, match=rf"{knob} must be a number in \[0, 1\], got"):
        atlas.load(100, **{knob: value})
