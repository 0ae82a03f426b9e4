"""Tagging schemes: against seqeval's own classes, brute force, and tags written by hand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, IOE2, Entities

from mtl_utils.tasks import TAG_SCHEMES, Span, Tagging, convert_tags, repair_iob2, to_spans

THEIRS = {"iob1": IOB1, "iob2": IOB2, "ioe2": IOE2, "iobes": IOBES, "bilou": BILOU}
schemes = st.sampled_from(sorted(THEIRS))
lengths = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["PER", "LOC", "a-b"])),
    max_size=5,
)
any_tags = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=9)


def written(parts, scheme):
    """Entities and their tags, from gaps, lengths and types: by hand for IOB2, else converted."""
    tags, spans = [], []
    for gap, length, kind in parts:
        tags += ["O"] * gap
        spans.append(Span(kind, len(tags), len(tags) + length))
        tags += [f"B-{kind}"] + [f"I-{kind}"] * (length - 1)
    return spans, convert_tags([*tags, "O"], "iob2", scheme)


def read_by_seqeval(tags, scheme):
    (entities,) = Entities([tags], THEIRS[scheme]).entities
    return [Span(entity.tag, entity.start, entity.end) for entity in entities]


@given(lengths, schemes)
def test_the_entities_are_those_that_seqeval_reads(parts, scheme):
    spans, tags = written(parts, scheme)
    assert read_by_seqeval(tags, scheme) == spans


@given(lengths, schemes, schemes)
def test_there_and_back_and_twice(parts, source, target):
    tags = written(parts, source)[1]
    there = convert_tags(tags, source, target)
    assert there == written(parts, target)[1]
    assert convert_tags(there, target, source) == tags
    assert convert_tags(there, target, target) == there


@pytest.mark.parametrize("scheme", sorted(THEIRS))
def test_exactly_what_the_scheme_writes_is_read(scheme):
    """All sequences of three tags of two types; those that are written are those that are read."""
    tags = ["O", *(f"{letter}-{kind}" for letter in "BIESLU" for kind in "XY")]
    iob2 = itertools.product(["O", "B-X", "I-X", "B-Y", "I-Y"], repeat=3)
    valid = {
        tuple(convert_tags(row, "iob2", scheme))
        for row in iob2
        if sum(s.end - s.start for s in to_spans(row)) == 3 - row.count("O")
    }
    # After O three tags may come, in an entity four: 1 + 2, then 3 + 8, then 11 + 30 sequences.
    assert len(valid) == 41
    for row in itertools.product(tags, repeat=3):
        if row in valid:
            assert tuple(convert_tags(row, scheme, scheme)) == row
            continue
        with pytest.raises(ValueError, match=r"Expected a tag of|where \w+ writes"):
            convert_tags(row, scheme)


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("iob1", "I-P B-P I-P O I-L"),
        ("iob", "I-P B-P I-P O I-L"),
        ("iob2", "B-P B-P I-P O B-L"),
        ("BIO", "B-P B-P I-P O B-L"),
        ("ioe2", "E-P I-P E-P O E-L"),
        ("iobes", "S-P B-P E-P O S-L"),
        ("bioes", "S-P B-P E-P O S-L"),
        ("bilou", "U-P B-P L-P O U-L"),
    ],
)
def test_by_hand(scheme, tags):
    assert convert_tags(tags.split(), scheme) == ["B-P", "B-P", "I-P", "O", "B-L"]
    assert convert_tags(["B-P", "B-P", "I-P", "O", "B-L"], "iob2", scheme) == tags.split()
    assert scheme.lower() in TAG_SCHEMES


@given(any_tags)
def test_repairs_are_a_lenient_reading(tags):
    (repaired,), count = repair_iob2([tags])
    lenient = [Span(kind, start, end + 1) for kind, start, end in get_entities(tags)]
    assert to_spans(repaired) == lenient
    assert count == sum(a != b for a, b in zip(tags, repaired, strict=True))
    assert convert_tags(repaired, "iob2") == repaired
    assert repair_iob2([repaired]) == ([repaired], 0)
    if count == 0:
        assert to_spans(tags) == lenient


@given(lengths)
def test_iob1_is_repaired_to_the_same_as_converted(parts):
    tags = written(parts, "iob1")[1]
    assert repair_iob2([tags])[0] == [convert_tags(tags, "iob1")]


def test_words_without_a_tag_stay_so():
    rows = [["B-X", None, "I-X"], [None, "I-X"], [-100, "I-X"]]
    expected = [["B-X", None, "I-X"], [None, "B-X"], [-100, "B-X"]]
    assert repair_iob2(rows) == (expected, 2)
    assert rows[1] == [None, "I-X"]  # what was given stays as it is


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (KeyError, "There is no scheme 'iob3'; there are", lambda: convert_tags(["O"], "iob3")),
        (KeyError, "There is no scheme 2", lambda: convert_tags(["O"], "iob1", 2)),
        (TypeError, "got the string 'O O'", lambda: convert_tags("O O", "iob1")),
        (TypeError, "got the string 'B-X'", lambda: repair_iob2(["B-X"])),
        (TypeError, "Expected tags, which are strings, got 0", lambda: convert_tags([0], "iob2")),
        (TypeError, "Expected tags, which are strings, got 0", lambda: repair_iob2([[0]])),
        (ValueError, "Expected an IOB2 tag", lambda: repair_iob2([["S-X"]])),
        (
            ValueError,
            "Token 1 has the tag 'I-X', where IOB2 writes 'O'",
            lambda: convert_tags(["O", "I-X"], "iob2", "iobes"),
        ),
        (
            ValueError,
            "Token 0 has the tag 'B-X', where IOB1 writes 'I-X'",
            lambda: convert_tags(["B-X", "I-X"], "iob1"),
        ),
    ],
)
def test_what_is_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()


# Where it matters: the metrics of a tagger.

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
IN_IOB1 = [["I-PER", "I-PER", "O"], ["I-LOC", "I-PER", "B-PER"]]


def test_perfect_predictions_on_iob1_are_refused_or_perfect():
    """Before, they had an accuracy of 1.0 and an F1 of 0.0."""
    in_iob2 = [convert_tags(row, "iob1") for row in IN_IOB1]
    with pytest.raises(ValueError, match="break IOB2: in row 0 the tag 'I-PER' comes first"):
        Tagging("ner", TAGS).metrics(in_iob2, IN_IOB1)
    measured = Tagging("ner", TAGS).metrics(in_iob2, in_iob2)
    assert measured["f1"] == measured["accuracy"] == 1
    assert "converted" not in measured
    lenient = Tagging("ner", TAGS, invalid="convert")
    assert lenient.metrics(in_iob2, IN_IOB1) == measured | {"converted": 3}
    assert lenient.metrics(in_iob2, in_iob2) == measured | {"converted": 0}


def test_predictions_stay_strict():
    """One of two entities is found; the other is not begun, and is no entity."""
    reference = [["B-PER", "O", "B-LOC", "I-LOC"]]
    prediction = [["B-PER", "O", "I-LOC", "I-LOC"]]
    for invalid in ("refuse", "convert"):
        measured = Tagging("ner", TAGS, invalid=invalid).metrics(prediction, reference)
        assert (measured["precision"], measured["recall"]) == (1, 0.5)
        assert measured["accuracy"] == 0.75


@pytest.mark.parametrize("after", [["B-LOC"], ["I-LOC"], ["O"]])
def test_the_message_says_where(after):
    row = ["B-LOC", *after, "I-PER"]
    with pytest.raises(
        ValueError, match=f"in row 1 the tag 'I-PER' comes after {after[0]!r} .token 2"
    ):
        Tagging("ner", TAGS).metrics([["O"], row], [["O"], row])
