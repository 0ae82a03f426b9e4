"""Sentences about a name that may be several things, beside a picture of what is meant."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from mtl_utils.atlas import tables
from mtl_utils.atlas.derivation import Narrator
from mtl_utils.atlas.drawing import NameSource
from mtl_utils.atlas.grammar import Event, Frame, Template, grammar, template_of
from mtl_utils.atlas.names import Name, lexicon, proper
from mtl_utils.atlas.realisation import Clause, Derivation, Sentence, realise

MEANINGS = ("person", "company", "city", "country", "river")
"""What a name may be, each with a picture of its own."""

LARGEST_PICTURED_SIZE = 50_000
"""Up to here there are distinct sentences of every kind."""

_FILE = "pictured.txt"
_CLAUSE = re.compile(r"(\w+/\w+) ([a-z ]+): (.*)")
_FEATURES = {"m": {"gender": "m"}, "f": {"gender": "f"}}
_DETAILS = ("day", "month", "time")
_DETAIL_SHARES = (0.1, 0.45, 1.0)  # cumulative: none, one, two


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """A name with all that it may be.

    Attributes:
        english: The name.
        senses: By meaning the name as the grammar writes it.
    """

    english: str
    senses: dict[str, Name]


@dataclass(frozen=True, slots=True)
class Said:
    """A clause about a name.

    Attributes:
        template: How it is told.
        event: Of which type of event.
        of: Of what it may be said.
    """

    template: Template
    event: Event
    of: frozenset[str]

    def fits(self, name: Ambiguity, meaning: str | None) -> bool:
        """Tell whether a name can stand here, and say as much of it as it is to say.

        Args:
            name: The name.
            meaning: The only thing that it can be here; ``None`` if it can be all.
        """
        senses = name.senses.keys()
        return self.of >= senses if meaning is None else self.of & senses == {meaning}


@dataclass(frozen=True, slots=True)
class Pictured:
    """A sentence and what stands beside it.

    Attributes:
        derivation: What is said and how.
        sentence: The sentence with its labels.
        meaning: What the name is.
        shown: What the picture shows: something else where it errs.
        picture_seed: Of how it is drawn.
    """

    derivation: Derivation
    sentence: Sentence
    meaning: str
    shown: str
    picture_seed: int


@cache
def ambiguous_names() -> tuple[Ambiguity, ...]:
    """Return the names, all of which occur in every split."""
    found = []
    for line in tables.lines(_FILE):
        if line.startswith("who/"):
            english, _, senses = line.removeprefix("who/").partition(": ")
            made = (_sense(english, sense) for sense in senses.split())
            found.append(Ambiguity(english, {name.kind: name for name in made}))
    return tuple(found)


def _sense(english: str, sense: str) -> Name:
    kind, _, written = sense.partition("=")
    french, _, feature = written.partition("@")
    if kind not in MEANINGS:
        raise ValueError(f"{_FILE}: {english} may be one of {MEANINGS}, got {kind!r}")
    features = _FEATURES.get(feature, {"article": feature})
    # No name has an English article here: it would tell the Amazon from Amazon.
    return proper(kind, english, french, **features)


@cache
def clauses() -> tuple[Said, ...]:
    """Return what may be said of names."""
    events = {f"{event.topic}/{event.name}": event for event in grammar().events}
    found: list[Said] = []
    for line in tables.lines(_FILE):
        match = _CLAUSE.fullmatch(line)
        if match is None:
            continue
        of = frozenset(match[2].split())
        if of - set(MEANINGS) or match[1] not in events:
            raise ValueError(f"{_FILE}: unknown kind or event in {line!r}")
        found.append(Said(template_of(match[3], len(found)), events[match[1]], of))
    return tuple(found)


def topics_of_clauses() -> list[str]:
    """Return the topic of each clause."""
    return [said.event.topic for said in clauses()]


def pictured_sentences(
    seed: int, ambiguity: float, picture_error: float, split_of: Callable[[str], str]
) -> Iterator[tuple[str, Pictured]]:
    """Write sentences without end, each with its split.

    Which name, what it means and whether the words leave that open are drawn first, and then words
    until the sentence is new, so that shares are what they are said to be for any number of
    sentences. What the picture shows depends on the seed and the sentence alone.

    Args:
        seed: Of everything.
        ambiguity: Probability that the words leave open what the name means.
        picture_error: Probability that the picture shows something else.
        split_of: Says to which split a text belongs.
    """
    rng = random.Random(f"{seed}-pictured")
    narrator = Narrator(NameSource(lexicon(seed), "train", 0.0, rng))
    seen: set[str] = set()
    while True:
        name = rng.choice(ambiguous_names())
        meaning = rng.choice(list(name.senses))
        is_open = rng.random() < ambiguity
        may_be = [c for c in clauses() if c.fits(name, None if is_open else meaning)]
        sentence = None
        while sentence is None or sentence.text in seen:
            derivation = _derivation(narrator, rng.choice(may_be), name.senses[meaning])
            sentence = realise(derivation)
        seen.add(sentence.text)
        picture_seed = zlib.crc32(f"{seed}-picture-{sentence.text}".encode())
        shown = _shown(meaning, picture_error, picture_seed)
        pictured = Pictured(derivation, sentence, meaning, shown, picture_seed)
        yield split_of(sentence.text), pictured


def _shown(meaning: str, picture_error: float, picture_seed: int) -> str:
    """Return what a picture shows; with a greater error the same pictures err, and more."""
    rng = random.Random(picture_seed)
    errs, other = rng.random() < picture_error, rng.choice([m for m in MEANINGS if m != meaning])
    return other if errs else meaning


def _derivation(narrator: Narrator, said: Said, name: Name) -> Derivation:
    share = narrator.source.random()
    count = next(n for n, limit in enumerate(_DETAIL_SHARES) if share < limit)
    chosen: set[str] = set()
    while len(chosen) < count:
        chosen.add(narrator.source.pick(_DETAILS))
    details = [grammar().adjuncts[detail] for detail in _DETAILS if detail in chosen]
    names = narrator.names_for((said.template, *details), {"who": name})
    clause: Clause = narrator.tell(said.event, said.template, names, details)
    return Derivation(_plain_frame(), clause, None, {}, {})


@cache
def _plain_frame() -> Frame:
    return Frame(template_of("CLAUSE . | CLAUSE ."), 1, True)
