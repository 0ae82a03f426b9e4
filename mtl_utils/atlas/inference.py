"""Premises and hypotheses whose relation follows from the facts they state.

The hypothesis is drawn first and the label second, so nothing in a hypothesis can tell its label;
the premise is then written to fit. The label is that of :func:`relation`, a comparison of facts
that knows nothing of how the pair was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtl_utils.atlas.derivation import Narrator
from mtl_utils.atlas.grammar import Template
from mtl_utils.atlas.labels import INFERENCE_LABELS
from mtl_utils.atlas.names import Name
from mtl_utils.atlas.realisation import Clause, Derivation


@dataclass(frozen=True)
class Fact:
    """What one clause asserts.

    Attributes:
        event: Type of event.
        outcome: How it ended, where its clauses say so.
        key: The roles that tell this event from others of its type, in order.
        symmetric: Whether the order of the key is without meaning.
        details: The other roles.
    """

    event: str
    outcome: str
    key: tuple[Name, ...]
    symmetric: bool
    details: dict[str, Name]


def fact(clause: Clause) -> Fact:
    """Return what a clause asserts."""
    event = clause.event
    details = {role: name for role, name in clause.names.items() if role not in event.key}
    key = tuple(clause.names[role] for role in event.key)
    return Fact(event.name, clause.template.outcome, key, event.symmetric, details)


def relation(premises: Sequence[Fact], hypothesis: Fact) -> str:
    """Return how a hypothesis relates to what a premise asserts.

    Two facts are about one event if type and participants are the same. Then a different outcome,
    swapped participants or an incompatible detail contradict, and a place contains its cities.

    Args:
        premises: All facts that the premise asserts.
        hypothesis: The fact that the hypothesis asserts.

    Returns:
        ``"entailment"``, ``"neutral"`` or ``"contradiction"``.
    """
    labels = {_compare(premise, hypothesis) for premise in premises}
    for label in ("contradiction", "entailment"):
        if label in labels:
            return label
    return "neutral"


def _compare(premise: Fact, hypothesis: Fact) -> str:
    if premise.event != hypothesis.event:
        return "neutral"
    if sorted(_identities(premise.key)) != sorted(_identities(hypothesis.key)):
        return "neutral"
    if premise.outcome != hypothesis.outcome:
        return "contradiction"
    swapped = _identities(premise.key) != _identities(hypothesis.key)
    if swapped and not hypothesis.symmetric:
        return "contradiction"
    answers = {
        _compare_detail(premise.details.get(role), name)
        for role, name in hypothesis.details.items()
    }
    for label in ("contradiction", "neutral"):
        if label in answers:
            return label
    return "entailment"


def _compare_detail(stated: Name | None, claimed: Name) -> str:
    if stated is None:
        return "neutral"
    if _identity(stated) == _identity(claimed) or stated.country == claimed.english:
        return "entailment"
    if claimed.country == stated.english:
        return "neutral"  # said to be in France: perhaps in Lyon, perhaps not
    return "contradiction"


def _identity(name: Name) -> str:
    return f"{name.kind}:{name.english}"


def _identities(names: Sequence[Name]) -> list[str]:
    return [_identity(name) for name in names]


@dataclass(frozen=True)
class Pair:
    """A premise and a hypothesis, both still to be written, and their label."""

    premise: Derivation
    hypothesis: Derivation
    label: str


class PairMaker:
    """Draws pairs of premise and hypothesis.

    Args:
        narrator: Where clauses come from.
        paraphrase: Share of premises, in [0, 1], that tell their event in other words than the
            hypothesis, and may be longer sentences. The others keep its words as far as the label
            allows.
    """

    def __init__(self, narrator: Narrator, paraphrase: float = 1.0) -> None:
        self.narrator = narrator
        self.paraphrase = paraphrase
        self._alike = False  # whether the pair that is being made keeps its words
        self.source = narrator.source
        self.frame = next(frame for frame in narrator.grammar.frames if frame.fact)
        self._makers: dict[str, Callable[[Clause], Clause | None]] = {
            "entailment": self._entailing,
            "neutral": self._leaving_open,
            "contradiction": self._contradicting,
        }

    def hypothesis(self) -> Clause:
        """Return a clause with one or two details that every label can be made for."""
        event = self.narrator.event()
        template = self.source.pick([t for t in event.clauses if set(t.kinds) <= set(event.key)])
        details = self.narrator.details(event, 2 if self.source.chance(0.4) else 1)
        names = self.narrator.names_for((template, *details))
        return self.narrator.tell(event, template, names, details)

    def pair(self, hypothesis: Clause) -> Pair:
        """Return a pair for this hypothesis, its label drawn with equal chances.

        Args:
            hypothesis: A clause from :meth:`hypothesis`, perhaps over held-out names.

        Returns:
            The pair; its label is what :func:`relation` says of its facts.
        """
        label = self.source.pick(INFERENCE_LABELS)
        target = fact(hypothesis)
        # What is certain draws nothing, so that the pairs are those that were written before.
        self._alike = self.paraphrase < 1 and not self.source.chance(self.paraphrase)
        while True:
            clause = self._makers[label](hypothesis)
            if clause is None:
                continue
            frame = self.frame if self._alike else self.narrator.factual_frame()
            premise = self.narrator.around(clause, frame)
            if relation(facts(premise), target) == label:
                return Pair(premise, self.alone(hypothesis), label)

    def alone(self, clause: Clause) -> Derivation:
        """Return this clause as a sentence of its own."""
        return Derivation(self.frame, clause, None, {}, {})

    def _entailing(self, hypothesis: Clause) -> Clause:
        names = self._key_names(hypothesis)
        for role, name in _details(hypothesis).items():
            names[role] = self._within(name) if self.source.chance(0.5) else name
        return self._told(hypothesis, names, hypothesis.template.outcome)

    def _leaving_open(self, hypothesis: Clause) -> Clause:
        names = self._key_names(hypothesis)
        details = _details(hypothesis)
        open_role = self.source.pick(list(details))
        for role, name in details.items():
            if role != open_role:
                names[role] = name
            elif name.country and self.source.chance(0.5):
                names[role] = self._country_of(name)
        return self._told(hypothesis, names, hypothesis.template.outcome, without=open_role)

    def _contradicting(self, hypothesis: Clause) -> Clause | None:
        names = self._key_names(hypothesis) | _details(hypothesis)
        event, outcome = hypothesis.event, hypothesis.template.outcome
        outcomes = sorted({clause.outcome for clause in event.clauses})
        way = self.source.pick(("detail", "detail", "outcome", "swap"))
        if way == "outcome" and len(outcomes) > 1:
            return self._told(hypothesis, names, next(o for o in outcomes if o != outcome))
        if way == "swap" and self._can_swap(hypothesis):
            first, second = event.key
            names[first], names[second] = names[second], names[first]
            return self._told(hypothesis, names, outcome)
        if way != "detail":
            return None
        role = self.source.pick(list(_details(hypothesis)))
        kind = _kinds(hypothesis)[role]
        names[role] = self.source.draw_unlike(kind, [names[role]])
        return self._told(hypothesis, names, outcome)

    def _can_swap(self, clause: Clause) -> bool:
        kinds = [clause.template.kinds[role] for role in clause.event.key]
        return len(kinds) == 2 and kinds[0] == kinds[1] and not clause.event.symmetric

    def _told(
        self, hypothesis: Clause, names: dict[str, Name], outcome: str, without: str = ""
    ) -> Clause:
        """Tell the event in another way, with the details in names and perhaps one more."""
        event = hypothesis.event
        templates = [t for t in event.clauses if t.outcome == outcome]
        same = [t for t in templates if t.number == hypothesis.template.number]
        others = [t for t in templates if t.number != hypothesis.template.number]
        template = self.source.pick((same if self._alike else others) or templates)
        details = self._adjuncts(hypothesis, names, without)
        return self.narrator.tell(
            event, template, self.narrator.names_for((template, *details), names), details
        )

    def _adjuncts(self, hypothesis: Clause, names: dict[str, Name], without: str) -> list[Template]:
        """Return the adjuncts of a premise: as many as the hypothesis has, or one more.

        Their number does not depend on the label, so that it cannot tell the label.
        """
        event, adjuncts = hypothesis.event, self.narrator.grammar.adjuncts
        wanted = {name for name in event.details if _role(adjuncts[name]) in names}
        number = len(hypothesis.details) + self.source.chance(0.5)
        spare = [
            name
            for name in event.details
            if name not in wanted and _role(adjuncts[name]) != without
        ]
        while spare and len(wanted) < number:
            wanted.add(spare.pop(int(self.source.random() * len(spare))))
        return [adjuncts[name] for name in event.details if name in wanted]

    def _key_names(self, clause: Clause) -> dict[str, Name]:
        return {role: clause.names[role] for role in clause.event.key}

    def _within(self, place: Name) -> Name:
        """Return a city of this country, or the name itself where it is none or has none."""
        if place.kind != "country":
            return place
        cities = [city for city in self.source.atoms.cities if city.country == place.english]
        return self.source.pick(cities) if cities else place

    def _country_of(self, city: Name) -> Name:
        return self.source.lexicon.country(city.country)


def facts(derivation: Derivation) -> list[Fact]:
    """Return all facts that a sentence in a factual frame asserts."""
    clauses = [derivation.clause] + ([derivation.other] if derivation.other else [])
    return [fact(clause) for clause in clauses]


def _details(clause: Clause) -> dict[str, Name]:
    return {role: name for role, name in clause.names.items() if role not in clause.event.key}


def _kinds(clause: Clause) -> dict[str, str]:
    kinds = dict(clause.template.kinds)
    for detail in clause.details:
        kinds |= detail.kinds
    return kinds


def _role(adjunct: Template) -> str:
    return next(iter(adjunct.kinds))
