"""Entity spans: read from IOB2 tags, and compared, to see which errors a tagger makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from mtl_utils.arguments import check_kind, check_several, check_text, check_whole
from mtl_utils.data.batch import MISSING_LABEL

OUTSIDE = "O"


@dataclass(frozen=True, order=True)
class Span:
    """An entity.

    Args:
        type: What kind of entity it is.
        start: Its first token.
        end: One past its last token.

    Raises:
        TypeError: If the type is no string, or a place no whole number.
        ValueError: If the type is empty, or there is no token in it.
    """

    type: str
    start: int
    end: int

    def __post_init__(self) -> None:
        # Spans are many, and nearly all are right.
        places = type(self.start) is int and type(self.end) is int and 0 <= self.start < self.end
        if places and type(self.type) is str and self.type:
            return
        check_text("type", self.type)
        if not self.type:
            raise ValueError(f"type must name the kind of an entity, got {self.type!r}")
        check_whole("start", self.start, least=0)
        check_whole("end", self.end, least=self.start + 1)


@dataclass(frozen=True)
class SpanErrors:
    """How many spans were found, and what is wrong with the others.

    Every predicted and every reference span counts once: alone where it is spurious or missed, and
    otherwise as one half of a pair.

    Args:
        correct: Pairs that are equal.
        wrong_type: Pairs with the same tokens and different types.
        wrong_boundary: Pairs of the same type that overlap and have different tokens.
        wrong_both: Pairs of different types that overlap and have different tokens.
        missed: Reference spans without a partner.
        spurious: Predicted spans without a partner.

    Raises:
        TypeError: If a count is no whole number.
        ValueError: If it is negative.
    """

    correct: int = 0
    wrong_type: int = 0
    wrong_boundary: int = 0
    wrong_both: int = 0
    missed: int = 0
    spurious: int = 0

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            check_whole(name, count, least=0)

    @property
    def num_pairs(self) -> int:
        """Number of predicted spans that have a partner among the references."""
        return self.correct + self.wrong_type + self.wrong_boundary + self.wrong_both

    @property
    def num_predicted(self) -> int:
        """Number of predicted spans."""
        return self.num_pairs + self.spurious

    @property
    def num_references(self) -> int:
        """Number of reference spans."""
        return self.num_pairs + self.missed


def to_spans(tags: Sequence[str]) -> list[Span]:
    """Read spans from IOB2 tags as strictly as seqeval: only ``B-`` starts one.

    An ``I-`` tag that continues no span of its type is part of none, as if it were ``O``. To hear
    of such a tag instead use :func:`mtl_utils.atlas.from_iob2`.

    Args:
        tags: One tag a token: ``O``, ``B-`` or ``I-`` and a type.

    Returns:
        The spans from left to right, none overlapping.

    Raises:
        ValueError: If a tag is none of IOB2.
        TypeError: If a tag is no string, or they are not several.
    """
    check_several("tags", tags, "tags")
    spans: list[Span] = []
    inside = ""  # type of the span that the next token may continue
    for position, tag in enumerate(tags):
        prefix, kind = split_tag(tag)
        if prefix == "B":
            spans.append(Span(kind, position, position + 1))
            inside = kind
        elif prefix == "I" and kind == inside:
            spans[-1] = Span(kind, spans[-1].start, position + 1)
        else:
            inside = ""
    return spans


def split_tag(tag: str) -> tuple[str, str]:
    """Split an IOB2 tag into prefix and type.

    Args:
        tag: ``O``, or ``B-`` or ``I-`` and a type.

    Returns:
        ``("O", "")``, or ``B`` or ``I`` and the type.

    Raises:
        ValueError: If it is anything else.
        TypeError: If it is no string.
    """
    try:
        prefix, dash, kind = tag.partition("-")
    except (AttributeError, TypeError):
        raise TypeError(f"Expected tags, which are strings, got {tag!r:.60}") from None
    if tag == OUTSIDE or (prefix in ("B", "I") and dash and kind):
        return prefix, kind
    raise ValueError(f'Expected an IOB2 tag, "O" or "B-" or "I-" and a type, got {tag!r}')


def broken_iob2(tags: Sequence[str | int | None]) -> list[int]:
    """Say where ``I-`` tags continue nothing.

    Args:
        tags: One tag a token; ``None`` or -100 where there is none.

    Returns:
        Their positions.

    Raises:
        ValueError: If a tag is none of IOB2.
        TypeError: If a tag is not a string.
    """
    broken, inside = [], ""  # type of the span that the next token may continue
    for position, tag in enumerate(tags):
        if tag is None or tag == MISSING_LABEL:
            continue
        if not isinstance(tag, str):
            raise TypeError(f"Expected tags, which are strings, got {tag!r:.60}")
        prefix, kind = split_tag(tag)
        if prefix == "I" and kind != inside:
            broken.append(position)
        inside = kind
    return broken


def match_spans(
    predicted: Sequence[Span], references: Sequence[Span]
) -> list[tuple[Span | None, Span | None]]:
    """Pair the spans of one sentence, each with one other at most.

    Equal spans come together first, then those with the same tokens, then those of the same type
    that overlap, then those of different types that do; where a span has a choice, the pair that
    shares most tokens wins, and among equals the one further to the left.

    Args:
        predicted: Predicted spans, none overlapping another.
        references: Reference spans, none overlapping another.

    Returns:
        Pairs of a reference and a prediction, in the order of the text by the first of the two;
        ``None`` stands where a span has no partner.

    Raises:
        TypeError: If something is no span, or they are not several.
        ValueError: If two spans of one side overlap.
    """
    _check_spans("predicted", predicted)
    _check_spans("references", references)
    return _matched(predicted, references)


def _check_spans(name: str, spans: Sequence[Span]) -> None:
    check_several(name, spans, "Spans")
    for span in spans:
        check_kind(f"each of {name}", span, Span, "a Span")
    in_order = sorted(spans, key=lambda span: (span.start, span.end))
    for left, right in pairwise(in_order):
        if right.start < left.end:
            raise ValueError(f"{name} must not overlap, got {left} and {right}")


def _matched(
    predicted: Sequence[Span], references: Sequence[Span]
) -> list[tuple[Span | None, Span | None]]:
    """Pair spans that are known to be some, none overlapping another."""
    partners: dict[Span, Span] = {}
    taken: set[Span] = set()
    candidates = sorted(
        (_closeness(reference, found), reference, found)
        for reference in references
        for found in predicted
        if _overlap(reference, found)
    )
    for _, reference, found in candidates:
        if reference not in partners and found not in taken:
            partners[reference] = found
            taken.add(found)
    pairs: list[tuple[Span | None, Span | None]] = []
    pairs += [(reference, partners.get(reference)) for reference in references]
    pairs += [(None, found) for found in predicted if found not in taken]
    return sorted(pairs, key=_position)


def span_errors(
    predictions: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> SpanErrors:
    """Count the errors that token accuracy hides.

    Args:
        predictions: Predicted IOB2 tags, sentence by sentence.
        references: The tags that were expected.

    Returns:
        Counts over all sentences, in which every predicted and every reference span is counted
        once; see :func:`match_spans` for what is compared with what.

    Raises:
        ValueError: If there are more sentences, or tags in a sentence, of one than of the other,
            a tag is none of IOB2, or the references break the scheme, whose entities would be lost.
        TypeError: If a tag is no string, or the tags of a sentence are not several.
    """
    check_rows(predictions, references)
    check_iob2(references, "The references")
    counts = dict.fromkeys((field.name for field in fields(SpanErrors)), 0)
    for predicted, expected in zip(predictions, references, strict=True):
        for pair in _matched(to_spans(predicted), to_spans(expected)):
            counts[_verdict(*pair)] += 1
    return SpanErrors(**counts)


def check_rows(predictions: Sequence[Sequence], references: Sequence[Sequence]) -> None:
    """Refuse predictions that do not go with the references.

    Args:
        predictions: One sequence a sentence.
        references: One sequence a sentence.

    Raises:
        ValueError: If their numbers or lengths differ.
        TypeError: If they, or the items of a sentence, are not several.
    """
    check_several("predictions", predictions, "sentences")
    check_several("references", references, "sentences")
    if len(predictions) != len(references):
        raise ValueError(
            f"Expected one prediction a sentence, got {len(predictions)} for {len(references)}: "
            f"predictions {predictions!r:.60}, references {references!r:.60}"
        )
    for row, (found, expected) in enumerate(zip(predictions, references, strict=True)):
        check_several("each of predictions", found, "tags")
        check_several("each of references", expected, "tags")
        if len(found) != len(expected):
            raise ValueError(
                f"Sentence {row} has {len(found)} predicted tags and {len(expected)} references; "
                f"expected as many of one as of the other: predictions {found!r:.60}, references "
                f"{expected!r:.60}"
            )


def check_iob2(rows: Sequence[Sequence[str]], what: str) -> None:
    """Refuse tags that break IOB2, since a strict reading loses their entities.

    Args:
        rows: The tags of each sentence.
        what: What the message is to call them.

    Raises:
        ValueError: If an ``I-`` tag continues nothing, or a tag is none of IOB2.
    """
    for number, row in enumerate(rows):
        for position in broken_iob2(row)[:1]:
            after = f"after {row[position - 1]!r}" if position else "first"
            raise ValueError(
                f"{what} break IOB2: in row {number} the tag {row[position]!r} comes {after} "
                f"(token {position} of those that have a tag), and a strict reading loses its "
                'entity. Convert them before: tasks.convert_tags(tags, "iob1") if they are IOB1, '
                "tasks.repair_iob2(rows) if there are errors in them; or measure with "
                'Tagging(..., invalid="convert").'
            )


def _overlap(left: Span, right: Span) -> int:
    return max(0, min(left.end, right.end) - max(left.start, right.start))


def _closeness(reference: Span, found: Span) -> tuple[int, int, int, int]:
    """A key that sorts the closest pairs first."""
    same_tokens = (reference.start, reference.end) == (found.start, found.end)
    rank = 0 if same_tokens else 1 if reference.type == found.type else 2
    return rank, -_overlap(reference, found), reference.start, found.start


def _position(pair: tuple[Span | None, Span | None]) -> int:
    span = pair[0] or pair[1]
    return 0 if span is None else span.start


def _verdict(reference: Span | None, found: Span | None) -> str:
    if found is None:
        return "missed"
    if reference is None:
        return "spurious"
    if reference == found:
        return "correct"
    if (reference.start, reference.end) == (found.start, found.end):
        return "wrong_type"
    return "wrong_boundary" if reference.type == found.type else "wrong_both"
