"""From a choice of clause, names and words to a sentence in both languages with all its labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtl_utils.atlas import actors, french
from mtl_utils.atlas.grammar import (
    Element,
    Event,
    Frame,
    Inflected,
    Part,
    Slot,
    Template,
    Word,
    WordClass,
)
from mtl_utils.atlas.labels import Span
from mtl_utils.atlas.names import Name


@dataclass(frozen=True, slots=True)
class Clause:
    """One event, told in one way.

    Attributes:
        event: The type of event.
        template: How it is told.
        names: Role to name, for the roles of the template and of its details.
        words: Word class to the row of it that was chosen.
        details: Adjuncts, in order.
        fronted: Whether the first detail opens the clause.
    """

    event: Event
    template: Template
    names: dict[str, Name]
    words: dict[str, Inflected]
    details: tuple[Template, ...] = ()
    fronted: bool = False


@dataclass(frozen=True, slots=True)
class Derivation:
    """A whole sentence before it is written: frame, main clause and, in some frames, another."""

    frame: Frame
    clause: Clause
    other: Clause | None
    names: dict[str, Name]
    words: dict[str, Inflected]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of Atlas with the labels that its derivation gives it.

    Attributes:
        text: English text.
        french: French text.
        tokens: English tokens.
        pos_tags: One universal part-of-speech tag a token.
        spans: Entities as ``(start, end, type)``.
        names: The names behind the spans, in order.
    """

    text: str
    french: str
    tokens: list[str]
    pos_tags: list[str]
    spans: list[Span]
    names: list[Name]


@dataclass(slots=True)
class _Writer:
    """Collects the words of both languages while a derivation is walked."""

    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    french: list[str] = field(default_factory=list)

    def english_name(self, name: Name) -> None:
        if name.the:
            self.tokens.append("the")
            self.tags.append("DET")
        elif self.tokens and self.tokens[-1] == "a" and name.tokens[0][0] in "AEIOU":
            self.tokens[-1] = "an"
        start = len(self.tokens)
        self.tokens.extend(name.tokens)
        self.tags.extend(name.tags)
        if name.label is not None:
            self.spans.append((start, len(self.tokens), name.label))
            self.names.append(name)


def realise(derivation: Derivation) -> Sentence:
    """Write a derivation in English and in French.

    Args:
        derivation: What is said and how.

    Returns:
        The sentence and its labels.
    """
    writer = _Writer()
    frame = derivation.frame.template
    for element in frame.english:
        if isinstance(element, Part):
            _english_clause(_part(derivation, element), writer)
        else:
            _english(element, derivation.names, derivation.words, writer)
    for element in frame.french:
        if isinstance(element, Part):
            _french_clause(_part(derivation, element), writer)
        else:
            writer.french.append(_french(element, derivation.names, derivation.words))
    writer.tokens[0] = writer.tokens[0][:1].upper() + writer.tokens[0][1:]
    return Sentence(
        text=join_english(writer.tokens),
        french=french.join(writer.french),
        tokens=writer.tokens,
        pos_tags=writer.tags,
        spans=writer.spans,
        names=writer.names,
    )


def join_english(tokens: list[str]) -> str:
    """Write English tokens as running text."""
    text = " ".join(tokens)
    for spaced, joined in ((" ,", ","), (" .", "."), (" :", ":"), ("$ ", "$")):
        text = text.replace(spaced, joined)
    return text


def _part(derivation: Derivation, part: Part) -> Clause:
    if part.name == "CLAUSE":
        return derivation.clause
    assert derivation.other is not None, "a frame with OTHER is only drawn with another clause"
    return derivation.other


def _english_clause(clause: Clause, writer: _Writer) -> None:
    details = list(clause.details)
    if clause.fronted:
        for element in details.pop(0).english:
            _english(element, clause.names, clause.words, writer)
        writer.tokens.append(",")
        writer.tags.append("PUNCT")
    for template in (clause.template, *details):
        for element in template.english:
            _english(element, clause.names, clause.words, writer)


def _english(
    element: Element, names: dict[str, Name], words: dict[str, Inflected], writer: _Writer
) -> None:
    if isinstance(element, Word):
        writer.tokens.append(element.text)
        writer.tags.append(element.tag)
    elif isinstance(element, WordClass):
        for word in words[element.name].english:
            writer.tokens.append(word.text)
            writer.tags.append(word.tag)
    elif isinstance(element, Slot):
        anaphor = actors.ENGLISH.get(element.form)
        if anaphor is None:
            writer.english_name(names[element.role])
            return
        for word in anaphor[actors.sort_of(names[element.role])]:
            writer.tokens.append(word.text)
            writer.tags.append(word.tag)


def _french_clause(clause: Clause, writer: _Writer) -> None:
    details = list(clause.details)
    if clause.fronted:
        first = details.pop(0)
        writer.french.extend(
            _french(element, clause.names, clause.words) for element in first.french
        )
        writer.french.append(",")
    for template in (clause.template, *details):
        writer.french.extend(
            _french(element, clause.names, clause.words) for element in template.french
        )


def _french(element: Element, names: dict[str, Name], words: dict[str, Inflected]) -> str:
    if isinstance(element, Word):
        return element.text
    if isinstance(element, WordClass):
        return _inflect(words[element.name].french, element.form, names)
    assert isinstance(element, Slot)
    name = names[element.role]
    if element.agreement is not None:
        return element.agreement[_is_feminine(name)]
    if element.form in names:  # an adjective that agrees with the name in another role
        return french.render(name, "f" if _is_feminine(names[element.form]) else "m")
    if element.form == "noun":
        return actors.FRENCH[actors.sort_of(name)]
    return french.render(name, element.form)


def _inflect(word: str, form: str, names: dict[str, Name]) -> str:
    if form == "f" or (form in names and _is_feminine(names[form])):
        return word + "e"
    if form == "mp":
        return french.plural(word)
    if form == "fp":
        return word + "es"
    return word


def _is_feminine(name: Name) -> bool:
    return name.gender == "f" or name.article == "la"
