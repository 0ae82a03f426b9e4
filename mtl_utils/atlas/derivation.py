"""Choosing what to say: which event, which words and names, which frame around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from mtl_utils.atlas.actors import sort_of
from mtl_utils.atlas.drawing import OPEN_KINDS, NameSource
from mtl_utils.atlas.grammar import (
    Element,
    Event,
    Frame,
    Grammar,
    Inflected,
    Part,
    Template,
    WordClass,
    grammar,
)
from mtl_utils.atlas.labels import TOPICS
from mtl_utils.atlas.names import Name
from mtl_utils.atlas.realisation import Clause, Derivation

_DETAIL_SHARES = (0.2, 0.75, 1.0)
"""Cumulative probabilities of no, one and two details."""

_FRONTED = 0.25
_FRONTABLE = frozenset({"day", "month", "place"})


class Narrator:
    """Draws derivations at random.

    Args:
        source: Where names, and all randomness, come from.
    """

    def __init__(self, source: NameSource) -> None:
        self.source = source
        self.grammar: Grammar = grammar()
        self._events = {topic: self.grammar.by_topic(topic) for topic in TOPICS}
        self._frames = self.grammar.frames
        self._weights = list(accumulate(frame.weight for frame in self._frames))

    def derivation(self) -> Derivation:
        """Return a sentence to say, drawn from the whole grammar."""
        return self.around(self.clause(self.event()), self._frame())

    def event(self) -> Event:
        """Return an event: a topic first, so that topics are balanced, then one of its events."""
        return self.source.pick(self._events[self.source.pick(TOPICS)])

    def clause(self, event: Event) -> Clause:
        """Return a clause that tells this event, with none to two details."""
        template = self.source.pick(event.clauses)
        share = self.source.random()
        count = next(n for n, limit in enumerate(_DETAIL_SHARES) if share < limit)
        details = self.details(event, count)
        names = self.names_for((template, *details))
        return self.tell(event, template, names, details)

    def tell(
        self, event: Event, template: Template, names: dict[str, Name], details: Sequence[Template]
    ) -> Clause:
        """Return a clause over given names, its verbs drawn."""
        first = next(iter(details[0].kinds)) if details else ""
        fronted = first in _FRONTABLE and self.source.chance(_FRONTED)
        words = self.words_for((template, *details))
        return Clause(event, template, names, words, tuple(details), fronted)

    def details(self, event: Event, count: int) -> tuple[Template, ...]:
        """Return this many of the adjuncts that an event takes, in the event's order."""
        chosen: set[str] = set()
        while len(chosen) < min(count, len(event.details)):
            chosen.add(self.source.pick(event.details))
        return tuple(self.grammar.adjuncts[name] for name in event.details if name in chosen)

    def names_for(
        self, templates: Sequence[Template], given: dict[str, Name] | None = None
    ) -> dict[str, Name]:
        """Return a name for each role of these templates, all different.

        Args:
            templates: Clause and adjuncts.
            given: Names already chosen, which are kept.

        Returns:
            Role to name.
        """
        names = dict(given or {})
        for template in templates:
            for role, kind in template.kinds.items():
                if role not in names:
                    names[role] = self.source.draw_unlike(kind, list(names.values()))
        return names

    def words_for(self, templates: Sequence[Template]) -> dict[str, Inflected]:
        """Return a row for each word class of these templates; early rows are likelier."""
        return {
            element.name: self._word(element.name)
            for template in templates
            for element in template.english
            if isinstance(element, WordClass)
        }

    def around(self, clause: Clause, frame: Frame) -> Derivation:
        """Return a derivation of this frame around a clause; a second clause is drawn if needed."""
        other = None
        if needs_other(frame):
            event = self.event()
            while event.name == clause.event.name:
                event = self.event()
            other = replace(self.clause(event), fronted=False)
        if frame.template.english[0] != Part("CLAUSE"):
            clause = replace(clause, fronted=False)  # "while on Monday, ..." is no English
        names = self._actors_of(frame)
        return Derivation(frame, clause, other, names, self.words_for((frame.template,)))

    def _actors_of(self, frame: Frame) -> dict[str, Name]:
        """Return names for a frame; two actors are of two sorts, so that nouns tell them apart."""
        while True:
            names = self.names_for((frame.template,))
            sorts = [
                sort_of(names[role])
                for role, kind in frame.template.kinds.items()
                if kind == "actor"
            ]
            if len(set(sorts)) == len(sorts):
                return names

    def factual_frame(self) -> Frame:
        """Return a frame that asserts its clause."""
        frame = self._frame()
        while not frame.fact:
            frame = self._frame()
        return frame

    def _frame(self) -> Frame:
        point = self.source.random() * self._weights[-1]
        return next(
            f for f, limit in zip(self._frames, self._weights, strict=True) if point < limit
        )

    def _word(self, name: str) -> Inflected:
        rows = self.grammar.words[name]
        return rows[int(self.source.random() ** 2 * len(rows))]


def needs_other(frame: Frame) -> bool:
    """Tell whether a frame joins its clause to another one."""
    return any(_is_other(element) for element in frame.template.english)


def _is_other(element: Element) -> bool:
    return isinstance(element, Part) and element.name == "OTHER"


def hold_out(derivation: Derivation, source: NameSource, share: float) -> Derivation:
    """Replace names of a derivation by names that a held-out pool keeps to itself.

    Args:
        derivation: A sentence over names of the training pool.
        source: The held-out pool.
        share: Probability, in [0, 1], that a name is replaced.

    Returns:
        The same sentence about others.
    """
    other = derivation.other
    return replace(
        derivation,
        clause=replace_names(derivation.clause, source, share),
        other=None if other is None else replace_names(other, source, share),
        names=_replaced(derivation.names, derivation.frame.template.kinds, source, share),
    )


def replace_names(clause: Clause, source: NameSource, share: float) -> Clause:
    """Replace names of a clause by names of a held-out pool, as :func:`hold_out` does."""
    kinds = dict(clause.template.kinds)
    for detail in clause.details:
        kinds |= detail.kinds
    return replace(clause, names=_replaced(clause.names, kinds, source, share))


def _replaced(
    names: dict[str, Name], kinds: dict[str, str], source: NameSource, share: float
) -> dict[str, Name]:
    replaced = dict(names)
    for role, kind in kinds.items():
        if kind in OPEN_KINDS and source.chance(share):
            replaced[role] = source.draw_unlike(kind, list(replaced.values()))
    return replaced
