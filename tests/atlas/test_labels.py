"""IOB2 encoding, against hand-written tags, as an inverse, and against seqeval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.scheme import IOB2, Entities

from mtl_utils.atlas import ENTITY_TYPES, from_iob2, to_iob2


@st.composite
def spans_and_length(draw):
    spans, position = [], 0
    for _ in range(draw(st.integers(0, 5))):
        start = position + draw(st.integers(0, 3))
        end = start + draw(st.integers(1, 4))
        spans.append((start, end, draw(st.sampled_from(ENTITY_TYPES))))
        position = end
    return spans, position + draw(st.integers(0, 3))


def test_by_hand():
    tags = to_iob2([(0, 2, "PER"), (2, 3, "PER"), (4, 5, "LOC")], 6)
    assert tags == ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "O"]


@given(spans_and_length())
def test_inverse(case):
    spans, length = case
    assert from_iob2(to_iob2(spans, length)) == spans


@given(spans_and_length())
def test_agrees_with_seqeval(case):
    spans, length = case
    read = Entities([to_iob2(spans, length)], IOB2).entities[0]
    assert [(e.start, e.end, e.tag) for e in read] == spans


@pytest.mark.parametrize("span", [(-1, 1, "PER"), (2, 2, "PER"), (3, 5, "PER")])
def test_span_outside(span):
    with pytest.raises(ValueError, match="does not fit a sentence of 4 tokens"):
        to_iob2([span], 4)


def test_overlap():
    with pytest.raises(ValueError, match="overlaps another entity"):
        to_iob2([(0, 2, "PER"), (1, 3, "ORG")], 4)


@pytest.mark.parametrize("tags", [["I-PER"], ["B-PER", "I-ORG"], ["B-PER", "O", "I-PER"]])
def test_invalid_tags(tags):
    with pytest.raises(ValueError, match="continues no entity"):
        from_iob2(tags)
