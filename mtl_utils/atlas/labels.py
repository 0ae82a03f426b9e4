"""The label sets of Atlas and the IOB2 encoding of entity spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mtl_utils.arguments import check_several, check_whole, shown

ENTITY_TYPES = ("PER", "ORG", "GPE", "LOC", "MISC")
"""Entity types: people, organisations, places with a government, other places, the rest."""

NER_TAGS = ("O", *(f"{prefix}-{kind}" for kind in ENTITY_TYPES for prefix in "BI"))
"""The eleven IOB2 tags, ``O`` first."""

POS_TAGS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM"),
    *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
"""The seventeen universal part-of-speech tags."""

TOPICS = ("politics", "business", "sport", "science", "disaster", "culture")
"""The six topics, equally frequent."""

INFERENCE_LABELS = ("entailment", "neutral", "contradiction")
"""In the order of SNLI, so that models trained on one can be tested on the other."""

Span = tuple[int, int, str]
"""An entity: first token, one past its last token, entity type."""


def to_iob2(spans: Iterable[Span], length: int) -> list[str]:
    """Write entity spans as one IOB2 tag a token.

    Args:
        spans: Entities as ``(start, end, type)``, ``end`` exclusive, none overlapping.
        length: Number of tokens in the sentence.

    Returns:
        ``length`` tags: ``B-`` on the first token of an entity, ``I-`` on the rest, ``O`` outside.

    Raises:
        ValueError: If a span leaves the sentence, is empty, or overlaps another, a type is empty,
            or ``length`` is negative.
        TypeError: If a span is none, or ``length`` no whole number.
    """
    check_whole("length", length, least=0)
    check_several("spans", spans, "(start, end, type)", sized=False, ordered=False)
    tags = ["O"] * length
    for start, end, kind in map(_checked_span, spans):
        if not 0 <= start < end <= length:
            raise ValueError(
                f"span ({start}, {end}, {kind!r}) does not fit a sentence of {length} tokens, the "
                "length"
            )
        if any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"span ({start}, {end}, {kind}) overlaps another entity")
        tags[start] = f"B-{kind}"
        tags[start + 1 : end] = [f"I-{kind}"] * (end - start - 1)
    return tags


def from_iob2(tags: Sequence[str]) -> list[Span]:
    """Read entity spans from IOB2 tags; the inverse of :func:`to_iob2`.

    Args:
        tags: One tag a token.

    Returns:
        Entities as ``(start, end, type)``, in order.

    Raises:
        ValueError: If an ``I-`` tag does not continue an entity of its own type, or a tag is none
            of IOB2.
        TypeError: If a tag is no string, or they are not several.
    """
    check_several("tags", tags, "tags")
    spans: list[Span] = []
    for position, tag in enumerate(tags):
        if not isinstance(tag, str):
            raise TypeError(f"tags must be strings, got {shown(tag)} at token {position}")
        if tag == "O":
            continue
        prefix, _, kind = tag.partition("-")
        if prefix == "B" and kind:
            spans.append((position, position + 1, kind))
            continue
        if not spans or spans[-1][1] != position or spans[-1][2] != kind:
            raise ValueError(
                f"{tag!r} at token {position} continues no entity of type {kind!r}; expected O, or "
                "B- or I- and a type"
            )
        spans[-1] = (spans[-1][0], position + 1, kind)
    return spans


def _checked_span(span: Span) -> Span:
    """Return a span, or say what is wrong with its parts."""
    if not isinstance(span, list | tuple) or len(span) != 3:
        raise TypeError(f"spans must be (start, end, type), got {shown(span)}")
    start, end, kind = span
    if not isinstance(kind, str):
        raise TypeError(f"each type in spans must be a string, got {shown(kind)} in {span!r:.60}")
    for place in (start, end):
        check_whole(f"each place in spans, as in {span!r:.60},", place)
    if not kind:
        raise ValueError(f"each type in spans must name a kind of entity, got {span!r:.60}")
    return start, end, kind
