"""The synchronous grammar: clauses and sentence frames, English beside French, read from files.

A clause is written once in both languages over the same slots, so that everything said in English
is said in French, and every label is known because it was chosen, not because it was predicted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from mtl_utils.atlas import tables
from mtl_utils.atlas.labels import TOPICS

_SLOT = re.compile(r"\{(\w+)(?::(\w+))?(?:\.(\w+))?(?:~([^~}]*)~([^~}]*))?\}")
_CLASS = re.compile(r"<(\w+)(?:\.(\w+))?>")
_OUTCOME = re.compile(r"outcome=(\w+): (.*)")
_FRAME = re.compile(r"(\d+)( fact)?: (.*)")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a template, with its universal part-of-speech tag (empty in French)."""

    text: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a name; ``agreement`` holds a masculine and a feminine word to choose from."""

    role: str
    form: str = ""
    agreement: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class WordClass:
    """A place for one verb or noun of a class, the same one in both languages."""

    name: str
    form: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A place in a frame for a whole clause: ``CLAUSE`` or ``OTHER``."""

    name: str


Element = Word | Slot | WordClass | Part


@dataclass(frozen=True, slots=True)
class Template:
    """English and French over the same slots.

    Attributes:
        number: Position among all clauses, ``-1`` for adjuncts and frames.
        english: Elements in English order.
        french: Elements in French order.
        kinds: The kind of name that each role asks for.
        outcome: What the clause asserts where an event can end in two ways.
    """

    number: int
    english: tuple[Element, ...]
    french: tuple[Element, ...]
    kinds: dict[str, str]
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A type of event and the clauses that tell it.

    Attributes:
        name: Event label.
        topic: Topic label.
        key: Roles that say which event it is.
        symmetric: Whether the order of the key roles is without meaning.
        details: Names of the adjuncts it takes, in order.
        clauses: The ways to tell it.
    """

    name: str
    topic: str
    key: tuple[str, ...]
    symmetric: bool
    details: tuple[str, ...]
    clauses: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A sentence around a clause; ``fact`` where it asserts the clause."""

    template: Template
    weight: int
    fact: bool


@dataclass(frozen=True, slots=True)
class Inflected:
    """One row of a word class: English words with tags, and the French word."""

    english: tuple[Word, ...]
    french: str


@dataclass(frozen=True)
class Grammar:
    """All events, adjuncts, frames and word classes."""

    events: tuple[Event, ...]
    adjuncts: dict[str, Template]
    frames: tuple[Frame, ...]
    words: dict[str, tuple[Inflected, ...]]

    @property
    def event_names(self) -> list[str]:
        """Event labels, in the order of their ids."""
        return [event.name for event in self.events]

    def by_topic(self, topic: str) -> list[Event]:
        """Return the events of a topic."""
        return [event for event in self.events if event.topic == topic]


@cache
def grammar() -> Grammar:
    """Read the grammar from the lexicon files.

    Returns:
        The grammar.

    Raises:
        ValueError: If a file has a word without a part of speech, an unknown topic, or a role that
            only one of the two languages fills.
    """
    events: list[Event] = []
    adjuncts: dict[str, Template] = {}
    for header, body in _sections():
        if header == "adjuncts":
            adjuncts = {
                name: template_of(text) for name, text in (ln.split(": ", 1) for ln in body)
            }
        else:
            start = sum(len(event.clauses) for event in events)
            events.append(_event(header, body, start))
    return Grammar(tuple(events), adjuncts, _frames(), _word_classes())


def _sections() -> list[tuple[str, list[str]]]:
    sections: list[tuple[str, list[str]]] = []
    for line in tables.lines("events.txt"):
        if line.startswith("["):
            sections.append((line.strip("[]"), []))
        else:
            sections[-1][1].append(line)
    return sections


def _event(header: str, body: list[str], start: int) -> Event:
    topic, _, name = header.partition("/")
    if topic not in TOPICS:
        raise ValueError(f"events.txt: unknown topic {topic!r}; expected one of {TOPICS}")
    key = body[0].removeprefix("key: ").split()
    clauses = [template_of(line, start + offset) for offset, line in enumerate(body[2:])]
    return Event(
        name=name,
        topic=topic,
        key=tuple(role for role in key if role != "symmetric"),
        symmetric="symmetric" in key,
        details=tuple(body[1].removeprefix("details: ").split()),
        clauses=tuple(clauses),
    )


def _frames() -> tuple[Frame, ...]:
    frames = []
    for line in tables.lines("frames.txt"):
        match = _FRAME.fullmatch(line)
        if match is None:
            raise ValueError(
                f"frames.txt: expected 'weight [fact]: English | French', got {line!r}"
            )
        frames.append(Frame(template_of(match[3]), int(match[1]), match[2] is not None))
    return tuple(frames)


def _word_classes() -> dict[str, tuple[Inflected, ...]]:
    classes: dict[str, list[Inflected]] = {}
    for name, english, french in tables.rows("verbs.tsv"):
        words = []
        for word in english.split():
            text, slash, tag = word.partition("/")
            words.append(Word(text, tag if slash else "VERB"))
        classes.setdefault(name, []).append(Inflected(tuple(words), french))
    return {name: tuple(rows) for name, rows in classes.items()}


def template_of(line: str, number: int = -1) -> Template:
    """Read a template as the files write it.

    Args:
        line: ``English | French``.
        number: Position among all clauses.

    Returns:
        The template.

    Raises:
        ValueError: If a word has no part of speech, or a role is filled in one language only.
    """
    outcome = ""
    match = _OUTCOME.fullmatch(line)
    if match:
        outcome, line = match[1], match[2]
    english, _, french = line.partition(" | ")
    kinds = {slot[1]: slot[2] for slot in _SLOT.finditer(english) if slot[2]}
    template = Template(
        number=number,
        english=tuple(_element(word, tagged=True) for word in english.split()),
        french=tuple(_element(word, tagged=False) for word in _french_words(french)),
        kinds=kinds,
        outcome=outcome,
    )
    _check_roles(template, line)
    return template


def _french_words(french: str) -> list[str]:
    # Agreement may hold spaces, as in {player~l'attaquant~l'attaquante}; slots never do otherwise.
    return re.findall(r"\{[^}]*\}|\S+", french)


def _element(word: str, *, tagged: bool) -> Element:
    slot = _SLOT.fullmatch(word)
    if slot:
        agreement = (slot[4], slot[5]) if slot[4] is not None else None
        return Slot(slot[1], slot[3] or "", agreement)
    word_class = _CLASS.fullmatch(word)
    if word_class:
        return WordClass(word_class[1], word_class[2] or "")
    if word in ("CLAUSE", "OTHER"):
        return Part(word)
    return Word(word, _tag(word) if tagged else "")


@cache
def _tags() -> dict[str, str]:
    return dict(tables.rows("words.tsv"))


def _tag(word: str) -> str:
    tag = _tags().get(word)
    if tag is None:
        raise ValueError(f"words.tsv: no part of speech for {word!r}; add a line for it")
    return tag


def _check_roles(template: Template, line: str) -> None:
    roles = [
        {element.role for element in side if isinstance(element, Slot)}
        for side in (template.english, template.french)
    ]
    if roles[0] != roles[1] or roles[0] != set(template.kinds):
        raise ValueError(f"both languages must fill the same roles, once given a kind: {line!r}")
