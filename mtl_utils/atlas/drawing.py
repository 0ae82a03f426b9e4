"""Drawing names at random: which name fills a slot, and how compound names are built."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from mtl_utils.atlas import french
from mtl_utils.atlas.names import Lexicon, Name, proper

T = TypeVar("T")

OPEN_KINDS = frozenset(
    {
        *("person", "company", "institution", "museum", "team", "city", "spot", "natural"),
        *("river", "competition", "award", "festival", "product", "work", "actor"),
    }
)
"""Kinds of names of which some are held out for validation and test."""

_BARE = frozenset({"museum", "festival", "competition", "award"})
"""Kinds that may go by a bare name, as in *at the Halvorsen*."""

_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_ACTORS = ("person", "person", "company", "company", "country", "city", "team")
_SURNAME_ALONE = 0.45
_COMPANY_BARE = 0.65
_INVENTED = 0.6
"""Share of the invented among ambiguous surnames and companies; the rest are real names."""


class NameSource:
    """Draws names from one pool of the lexicon.

    Args:
        lexicon: All names.
        pool: ``"train"``, ``"validation"`` or ``"test"``.
        ambiguity: Probability, in [0, 1], that a name which may be ambiguous is.
        rng: Source of randomness.
    """

    def __init__(self, lexicon: Lexicon, pool: str, ambiguity: float, rng: random.Random) -> None:
        self.lexicon = lexicon
        self.atoms = lexicon.pools[pool]
        self.ambiguity = ambiguity
        self.random = rng.random
        self._makers: dict[str, Callable[[], Name]] = {
            "person": self._person,
            "company": self._company,
            "team": self._team,
            "country": lambda: self._place("country", lexicon.countries),
            "city": lambda: self._place("city", self.atoms.cities),
            "spot": lambda: self.draw("country" if self.random() < 0.3 else "city"),
            "natural": self._natural,
            "river": lambda: self._skewed(self.atoms.rivers),
            "nationality": lambda: self._skewed(lexicon.nationalities),
            "product": self._product,
            "work": self._work,
            "actor": self._actor,
            "money": self._money,
            "percent": lambda: self._percent(2, 40),
            "share": lambda: self._percent(51, 90),
            "number": lambda: self._number("number", self._between(2, 90)),
            "thousands": lambda: self._thousands(self._between(2, 90)),
            "score": self._score,
        }

    def draw(self, kind: str) -> Name:
        """Return a name that can fill a slot of this kind.

        Args:
            kind: Kind of slot, as the grammar writes it.

        Returns:
            The name.

        Raises:
            KeyError: If the lexicon knows no such kind.
        """
        maker = self._makers.get(kind)
        if maker is not None:
            return maker()
        if kind in ("weekday", "month"):
            return self.pick(self.lexicon.values[kind])
        if kind in self.lexicon.values:
            return self._skewed(self.lexicon.values[kind])
        return self._from_pattern(kind)

    def draw_unlike(self, kind: str, others: Sequence[Name]) -> Name:
        """Return a name of this kind whose English differs from that of the others."""
        used = {other.english for other in others}
        while True:
            name = self.draw(kind)
            if name.english not in used:
                return name

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, all equally likely."""
        return items[int(self.random() * len(items))]

    def _skewed(self, items: Sequence[T]) -> T:
        """Return an item with probability falling along the list, as names in news do."""
        return items[int(self.random() ** 2 * len(items))]

    def _between(self, low: int, high: int) -> int:
        return low + int(self.random() * (high - low + 1))

    def _is_ambiguous(self) -> bool:
        return self.random() < self.ambiguity

    def _ambiguous(self, real: Sequence[str]) -> str:
        invented = self.lexicon.ambiguous.invented
        return self._skewed(invented) if self.random() < _INVENTED else self.pick(real)

    def _surname(self) -> str:
        if self._is_ambiguous():
            return self._ambiguous(self.lexicon.ambiguous.surnames)
        return self._skewed(self.atoms.surnames)

    def _person(self) -> Name:
        if self._is_ambiguous():
            first, gender = self.pick(self.lexicon.ambiguous.first_names)
        else:
            first, gender = self._skewed(self.atoms.first_names)
        surname = self._surname()
        if self.random() < _SURNAME_ALONE:
            return proper("person", surname, gender=gender)
        return proper("person", f"{first} {surname}", gender=gender)

    def _company(self) -> Name:
        if self._is_ambiguous():
            return proper("company", self._ambiguous(self.lexicon.ambiguous.companies))
        share = self.random()
        if share < _COMPANY_BARE:
            return proper("company", self._skewed(self.atoms.companies))
        if share < 0.8:
            stem = self._skewed(self.atoms.companies)
        elif share < 0.92:
            stem = self._skewed(self.atoms.surnames)
        else:
            stem = self._skewed(self.atoms.cities).english
        return proper("company", f"{stem} {self.pick(self.lexicon.company_suffixes)}")

    def _team(self) -> Name:
        if self._is_ambiguous():
            city = self.draw("city")
            return proper("team", city.english, city.french)
        return self._from_pattern("team")

    def _place(self, kind: str, regular: Sequence[Name]) -> Name:
        if self._is_ambiguous():
            return self.pick(self.lexicon.ambiguous.by_kind[kind])
        return self._skewed(regular)

    def _natural(self) -> Name:
        if self._is_ambiguous():
            return self.pick(self.lexicon.ambiguous.by_kind["natural"])
        return self._skewed(self.atoms.rivers if self.random() < 0.3 else self.atoms.natural)

    def _actor(self) -> Name:
        kind = self.pick(_ACTORS)
        if kind == "person":  # in short, so that only the context tells it from a company
            return self._surname_of(self.pick(("m", "f")))
        return self.draw(kind)

    def _surname_of(self, gender: str) -> Name:
        return proper("person", self._surname(), gender=gender)

    def _product(self) -> Name:
        stem = self._invented_name()
        number = str(self._between(2, 9))
        article = "l'" if french.starts_with_vowel(stem) else "le"
        if self._is_ambiguous():
            return proper("product", stem, article=article)
        return Name("product", (stem, number), ("PROPN", "NUM"), f"{stem} {number}", article)

    def _work(self) -> Name:
        if self._is_ambiguous():
            city = self.draw("city")
            return proper("work", city.english, city.french)
        noun, french_noun, gender = self.pick(self.atoms.title_nouns)
        if self.random() < 0.3:
            city = self.draw("city")
            tokens = (noun, "in", *city.tokens)
            tags = ("NOUN", "ADP", *city.tags)
            return Name(
                "work", tokens, tags, f"{french_noun.capitalize()} {french.render(city, 'in')}"
            )
        adjective, masculine, feminine = self.pick(self.lexicon.adjectives)
        agreed = feminine if gender == "f" else masculine
        return Name(
            "work", (adjective, noun), ("ADJ", "NOUN"), f"{french_noun.capitalize()} {agreed}"
        )

    def _money(self) -> Name:
        amount = str(self._between(2, 90))
        tokens = ("$", amount, "million")
        return Name("money", tokens, ("SYM", "NUM", "NUM"), f"{amount} millions de dollars")

    def _percent(self, low: int, high: int) -> Name:
        share = str(self._between(low, high))
        return Name("percent", (share, "percent"), ("NUM", "NOUN"), f"{share} pour cent")

    def _number(self, kind: str, value: int) -> Name:
        return Name(kind, (str(value),), ("NUM",), str(value))

    def _thousands(self, value: int) -> Name:
        return Name("thousands", (f"{value},000",), ("NUM",), f"{value} 000")

    def _score(self) -> Name:
        low = self._between(0, 3)
        score = f"{low + self._between(1, 3)}-{low}"
        return Name("score", (score,), ("NUM",), score)

    def _invented_name(self) -> str:
        return self._skewed(self.atoms.companies if self.chance(0.5) else self.atoms.surnames)

    def _from_pattern(self, kind: str) -> Name:
        if kind in _BARE and self._is_ambiguous():
            bare = self._invented_name()
            article = "l'" if french.starts_with_vowel(bare) else "le"
            return proper(kind, bare, article=article, the=kind == "museum", gender="m")
        english, french_pattern, article, the = self._skewed(self.lexicon.patterns[kind])
        parts: dict[str, Name] = {}
        tokens: list[str] = []
        tags: list[str] = []
        for word in english.split():
            slot = _SLOT.fullmatch(word)
            if slot is None:
                token, _, tag = word.rpartition("/")
                tokens.append(token)
                tags.append(tag)
                continue
            part = parts.setdefault(slot[1], self._part(slot[1]))
            tokens.extend(["the", *part.tokens] if part.the else part.tokens)
            tags.extend(["DET", *part.tags] if part.the else part.tags)
        written = _SLOT.sub(lambda m: french.render(parts[m[1]], m[2] or ""), french_pattern)
        gender = {"la": "f"}.get(article, "m")
        return Name(kind, tuple(tokens), tuple(tags), written, article, the == "1", gender)

    def _part(self, kind: str) -> Name:
        return proper("surname", self._surname()) if kind == "surname" else self.draw(kind)
