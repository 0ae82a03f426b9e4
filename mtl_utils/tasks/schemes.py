"""Schemes that write entities as one tag a token: IOB1, IOB2 and their kin, read and converted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtl_utils.arguments import check_several
from mtl_utils.tasks.spans import OUTSIDE, Span, broken_iob2


@dataclass(frozen=True)
class _Scheme:
    """Which letters stand at which place of an entity.

    Args:
        single: At an entity of one token.
        begin: At the first token of a longer one.
        inside: Between the first token and the last.
        end: At the last token.
        starts: Letters that begin an entity whatever stands before.
        closes: Letters after which no entity goes on.
        lenient: Whether the other letters begin one where there is none of their type to continue.
        apart: Letter at the first token of an entity that follows one of its own type without a
            gap; the usual one if empty.
    """

    single: str
    begin: str
    inside: str
    end: str
    starts: str = ""
    closes: str = ""
    lenient: bool = False
    apart: str = ""

    @property
    def letters(self) -> str:
        """All letters of the scheme but the one outside."""
        used = (self.begin, self.inside, self.end, self.single, self.apart)
        return "".join(dict.fromkeys("".join(used)))


_SCHEMES = {
    "iob1": _Scheme("I", "I", "I", "I", starts="B", lenient=True, apart="B"),
    "iob2": _Scheme("B", "B", "I", "I", starts="B"),
    "ioe2": _Scheme("E", "I", "I", "E", closes="E", lenient=True),
    "iobes": _Scheme("S", "B", "I", "E", starts="BS", closes="ES"),
    "bilou": _Scheme("U", "B", "I", "L", starts="BU", closes="LU"),
}
_OTHER_NAMES = {"bio": "iob2", "bioes": "iobes", "iob": "iob1"}

#: Names of the schemes that tags can be converted between, and other names for some of them.
TAG_SCHEMES = (*_SCHEMES, *_OTHER_NAMES)


def convert_tags(tags: Sequence[str], source: str, target: str = "iob2") -> list[str]:
    """Write the entities of a sentence in another scheme.

    With one type of entity, two entities of one and of two words, one after the other:

    ======================================= === === === === ===
    scheme                                  Ann Bo  Lee was ill
    ======================================= === === === === ===
    ``"iob1"``, ``"iob"``                   I-P B-P I-P O   O
    ``"iob2"``, ``"bio"``                   B-P B-P I-P O   O
    ``"ioe2"``                              E-P I-P E-P O   O
    ``"iobes"``, ``"bioes"``                S-P B-P E-P O   O
    ``"bilou"``                             U-P B-P L-P O   O
    ======================================= === === === === ===

    Nothing is guessed: tags that the source does not write are refused. For IOB2 tags with errors
    in them see :func:`repair_iob2`.

    Args:
        tags: One tag a token: ``O``, or a letter, a hyphen and a type (Ramshaw and Marcus, 1995).
        source: The scheme that they are written in, one of :data:`TAG_SCHEMES`.
        target: The scheme to write them in.

    Returns:
        As many tags, with the same entities.

    Raises:
        KeyError: If there is no such scheme.
        ValueError: If a tag is none of the source, or stands where the source writes another.
        TypeError: If a tag is not a string, or a string was given for several.
    """
    name, written = _named("source", source), _named("target", target)
    tags = _strings(tags)
    spans = _read(tags, name)
    for position, (tag, expected) in enumerate(
        zip(tags, _written(spans, len(tags), _SCHEMES[name]), strict=True)
    ):
        if tag != expected:
            raise ValueError(
                f"Token {position} has the tag {tag!r}, where {name.upper()} writes {expected!r}: "
                f"{list(tags)!r:.200}. Name the scheme that the tags are in, one of "
                f"{list(TAG_SCHEMES)}; for IOB2 with errors in it use repair_iob2."
            )
    return _written(spans, len(tags), _SCHEMES[written])


def repair_iob2(rows: Iterable[Sequence[str | None]]) -> tuple[list[list[str | None]], int]:
    """Turn every ``I-`` tag that continues nothing into the ``B-`` tag of its type.

    Entities are then those that a lenient reading finds, that of ``conlleval`` (Tjong Kim Sang and
    De Meulder, 2003). What is IOB2 already stays as it is; so IOB1 can be repaired too.

    Args:
        rows: The tags of each sentence. ``None`` (or -100) stands where a word has none, and is
            left out: the tags before and after it follow one another.

    Returns:
        The tags of each sentence, all IOB2, and how many were changed.

    Raises:
        ValueError: If a tag is none of IOB2.
        TypeError: If a tag is not a string, or a string was given for a sentence.
    """
    check_several("rows", rows, "the tags of each sentence", sized=False)
    repaired: list[list[str | None]] = []
    count = 0
    for row in rows:
        _refuse_text(row)
        made = list(row)
        for position in broken_iob2(made):
            tag = made[position]
            assert isinstance(tag, str)
            made[position] = f"B-{tag[2:]}"
            count += 1
        repaired.append(made)
    return repaired, count


def _named(argument: str, scheme: str) -> str:
    name = scheme.lower() if isinstance(scheme, str) else ""
    name = _OTHER_NAMES.get(name, name)
    if name not in _SCHEMES:
        raise KeyError(
            f"There is no scheme {scheme!r}; there are {list(TAG_SCHEMES)} for {argument}"
        )
    return name


def _strings(tags: Sequence[str]) -> list[str]:
    _refuse_text(tags)
    return list(tags)


def _refuse_text(tags: object) -> None:
    if isinstance(tags, str):
        raise TypeError(f"Expected the tags of a sentence as a list, got the string {tags!r:.60}")
    check_several("tags", tags, "tags", sized=False)


def _split(tag: object, name: str) -> tuple[str, str]:
    """Return letter and type of a tag, ``("O", "")`` outside."""
    if not isinstance(tag, str):
        raise TypeError(f"Expected tags, which are strings, got {tag!r:.60}")
    if tag == OUTSIDE:
        return OUTSIDE, ""
    letter, hyphen, kind = tag.partition("-")
    letters = _SCHEMES[name].letters
    if not hyphen or not kind or len(letter) != 1 or letter not in letters:
        raise ValueError(
            f'Expected a tag of {name.upper()}, "O" or one of {list(letters)}, a hyphen and a '
            f"type, got {tag!r}"
        )
    return letter, kind


def _read(tags: Sequence[str], name: str) -> list[Span]:
    """Read entities, even where tags are not what the scheme would write."""
    scheme = _SCHEMES[name]
    spans: list[Span] = []
    inside = ""  # type of the entity that the next token may continue
    for position, tag in enumerate(tags):
        letter, kind = _split(tag, name)
        if kind and letter not in scheme.starts and kind == inside:
            spans[-1] = Span(kind, spans[-1].start, position + 1)
        elif letter in scheme.starts or (kind and scheme.lenient):
            spans.append(Span(kind, position, position + 1))
            inside = kind
        else:
            inside = ""
        if letter in scheme.closes:
            inside = ""
    return spans


def _written(spans: Sequence[Span], length: int, scheme: _Scheme) -> list[str]:
    tags = [OUTSIDE] * length
    for before, span in zip([None, *spans], spans, strict=False):
        last = span.end - 1
        letters = [scheme.inside] * (span.end - span.start)
        letters[0], letters[-1] = scheme.begin, scheme.end
        if span.start == last:
            letters = [scheme.single]
        touches = before is not None and (before.end, before.type) == (span.start, span.type)
        if scheme.apart and touches:
            letters[0] = scheme.apart
        tags[span.start : span.end] = [f"{letter}-{span.type}" for letter in letters]
    return tags
