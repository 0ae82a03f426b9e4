"""Spans against seqeval; errors as a partition of all spans, and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.scheme import IOB2, Entities

from mtl_utils import atlas
from mtl_utils.tasks import (
    Span,
    SpanErrors,
    match_spans,
    repair_iob2,
    span_errors,
    to_spans,
)

tags_of = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-a-b", "I-a-b"]))
pairs_of_tags = st.integers(0, 8).flatmap(
    lambda n: st.tuples(*[tags_of.map(lambda tags, n=n: (tags + ["O"] * n)[:n])] * 2)
)


@given(tags_of)
def test_spans_are_those_of_seqeval_in_strict_mode(tags):
    (entities,) = Entities([tags], IOB2).entities
    assert to_spans(tags) == [Span(e.tag, e.start, e.end) for e in entities]


@given(st.sets(st.sampled_from([(0, 2, "PER"), (2, 3, "PER"), (3, 6, "LOC"), (7, 8, "ORG")])))
def test_valid_tags_give_the_spans_they_were_made_of(spans):
    found = to_spans(atlas.to_iob2(spans, 8))
    assert [(span.start, span.end, span.type) for span in found] == sorted(spans)


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("", []),
        ("I-PER I-PER O", []),
        ("B-PER I-LOC I-PER", [Span("PER", 0, 1)]),
        ("B-PER B-PER I-PER", [Span("PER", 0, 1), Span("PER", 1, 3)]),
        ("O B-LOC I-LOC", [Span("LOC", 1, 3)]),
    ],
)
def test_by_hand(tags, spans):
    assert to_spans(tags.split()) == spans


@pytest.mark.parametrize("tag", ["E-PER", "B", "I-", "B-", "o", "", "-PER", "PER", "O-PER"])
def test_tags_of_another_scheme(tag):
    with pytest.raises(ValueError, match='Expected an IOB2 tag, "O" or "B-"'):
        to_spans(["O", tag])


@given(st.lists(pairs_of_tags))
def test_every_span_counts_once(sentences):
    predictions, references = [p for p, _ in sentences], repair_iob2(r for _, r in sentences)[0]
    errors = span_errors(predictions, references)
    predicted, expected = (
        {(row, span) for row, tags in enumerate(rows) for span in to_spans(tags)}
        for rows in (predictions, references)
    )
    assert errors.num_predicted == len(predicted)
    assert errors.num_references == len(expected)
    assert errors.correct == len(predicted & expected)


@given(pairs_of_tags)
def test_pairs_hold_every_span_once_and_overlap(sentence):
    predicted, expected = map(to_spans, sentence)
    pairs = match_spans(predicted, expected)
    assert sorted(found for _, found in pairs if found) == sorted(predicted)
    assert sorted(reference for reference, _ in pairs if reference) == sorted(expected)
    lonely = [pair for pair in pairs if None in pair]
    for reference, found in pairs:
        if reference and found:
            assert max(reference.start, found.start) < min(reference.end, found.end)
    # None is left over that could have been paired.
    for reference, _ in lonely:
        for _, found in lonely:
            if reference and found:
                assert max(reference.start, found.start) >= min(reference.end, found.end)


@given(pairs_of_tags)
def test_exchanging_predictions_and_references(sentence):
    predicted, expected = repair_iob2(sentence)[0]
    there = span_errors([predicted], [expected])
    back = span_errors([expected], [predicted])
    assert (there.correct, there.wrong_type) == (back.correct, back.wrong_type)
    assert there.num_pairs == back.num_pairs
    assert (there.missed, there.spurious) == (back.spurious, back.missed)


@pytest.mark.parametrize(
    ("predicted", "expected", "kind"),
    [
        ("B-PER I-PER", "B-PER I-PER", {"correct": 1}),
        ("B-LOC I-LOC", "B-PER I-PER", {"wrong_type": 1}),
        ("B-PER O", "B-PER I-PER", {"wrong_boundary": 1}),
        ("B-LOC O", "B-PER I-PER", {"wrong_both": 1}),
        ("O O", "B-PER I-PER", {"missed": 1}),
        ("B-PER I-PER", "O O", {"spurious": 1}),
        ("I-PER I-PER", "B-PER I-PER", {"missed": 1}),
        ("O O", "O O", {}),
        # One prediction over two entities finds one of them, the one of its own type if it can.
        ("B-PER I-PER I-PER", "B-LOC I-LOC B-PER", {"wrong_boundary": 1, "missed": 1}),
        ("B-PER I-PER I-PER", "B-PER B-PER I-PER", {"wrong_boundary": 1, "missed": 1}),
        ("B-PER B-LOC I-LOC", "B-PER I-PER I-PER", {"wrong_boundary": 1, "spurious": 1}),
        (
            "B-PER I-PER B-LOC",
            "B-LOC B-PER B-LOC",
            {"correct": 1, "wrong_boundary": 1, "missed": 1},
        ),
    ],
)
def test_errors_by_hand(predicted, expected, kind):
    assert span_errors([predicted.split()], [expected.split()]) == SpanErrors(**kind)


def test_references_that_break_the_scheme_are_refused():
    broken, kept = [["O"], ["B-PER", "I-LOC"]], [["O"], ["B-PER", "O"]]
    assert span_errors(broken, kept) == SpanErrors(correct=1)  # a prediction is read strictly
    with pytest.raises(ValueError, match="references break IOB2: in row 1 the tag 'I-LOC' comes"):
        span_errors(kept, broken)


def test_a_pair_prefers_the_greater_overlap_then_the_left():
    wide, left, right = Span("PER", 0, 5), Span("PER", 0, 2), Span("PER", 2, 5)
    assert match_spans([wide], [left, right]) == [(left, None), (right, wide)]
    equal = Span("PER", 2, 4)
    four = Span("PER", 0, 4)
    assert match_spans([four], [left, equal]) == [(left, four), (equal, None)]


@pytest.mark.parametrize(
    ("message", "predictions", "references"),
    [
        ("got 1 for 0", [["O"]], []),
        ("Sentence 1 has 2 predicted tags and 1 references", [["O"], ["O", "O"]], [["O"], ["O"]]),
    ],
)
def test_predictions_that_do_not_go_with_the_references(message, predictions, references):
    with pytest.raises(ValueError, match=message):
        span_errors(predictions, references)
