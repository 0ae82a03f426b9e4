"""The label sets of Atlas and the IOB2 encoding of entity spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
        ValueError: If a span leaves the sentence, is empty, or overlaps another.
    """
    tags = ["O"] * length
    for start, end, kind in spans:
        if not 0 <= start < end <= length:
            raise ValueError(f"span ({start}, {end}) does not fit a sentence of {length} tokens")
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
        ValueError: If an ``I-`` tag does not continue an entity of its own type.
    """
    spans: list[Span] = []
    for position, tag in enumerate(tags):
        if tag == "O":
            continue
        prefix, _, kind = tag.partition("-")
        if prefix == "B":
            spans.append((position, position + 1, kind))
            continue
        if not spans or spans[-1][1] != position or spans[-1][2] != kind:
            raise ValueError(f"{tag} at token {position} continues no entity of type {kind}")
        spans[-1] = (spans[-1][0], position + 1, kind)
    return spans
