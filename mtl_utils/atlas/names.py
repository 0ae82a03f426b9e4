"""Names and other values that fill the slots of the grammar."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeVar

from mtl_utils.atlas import tables

POOLS = ("train", "validation", "test")
"""Where a name may occur: everywhere, or in one of the two held-out pools alone."""

T = TypeVar("T")

_SHARED_NAMES = 400

LABELS = {
    "person": "PER",
    "company": "ORG",
    "institution": "ORG",
    "museum": "ORG",
    "team": "ORG",
    "country": "GPE",
    "city": "GPE",
    "natural": "LOC",
    "river": "LOC",
    "nationality": "MISC",
    "competition": "MISC",
    "award": "MISC",
    "festival": "MISC",
    "law": "MISC",
    "product": "MISC",
    "work": "MISC",
}
"""Entity type by kind of name."""


@dataclass(frozen=True, slots=True)
class Name:
    """What fills a slot: an entity, or a value such as a day, in English and French.

    Attributes:
        kind: The kind of slot it fills, such as ``"city"``.
        tokens: Its English tokens, without an article.
        tags: One universal part-of-speech tag a token.
        french: Its French form without article; the masculine form of an adjective.
        article: The French article: ``le``, ``la``, ``l'``, ``les`` or none.
        the: Whether English writes *the* before it.
        gender: ``"m"``, ``"f"`` or ``"n"``.
        country: The country that a city lies in or that an adjective belongs to.
        feminine: The feminine form of a French adjective.
    """

    kind: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    french: str
    article: str = ""
    the: bool = False
    gender: str = "n"
    country: str = ""
    feminine: str = ""

    @property
    def label(self) -> str | None:
        """Entity type, ``None`` for a value that is no entity."""
        return LABELS.get(self.kind)

    @property
    def english(self) -> str:
        """English form without article."""
        return " ".join(self.tokens)


def proper(kind: str, english: str, french: str = "", **features: object) -> Name:
    """Return a name all of whose English words are proper nouns."""
    tokens = tuple(english.split())
    name = Name(kind, tokens, ("PROPN",) * len(tokens), french or english)
    return replace(name, **features)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Atoms:
    """The names that other names are built from, for one pool.

    A name belongs to exactly one pool, but countries, adjectives and ambiguous names are in all.
    """

    cities: Sequence[Name]
    natural: Sequence[Name]
    rivers: Sequence[Name]
    first_names: Sequence[tuple[str, str]]
    surnames: Sequence[str]
    companies: Sequence[str]
    title_nouns: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Ambiguous:
    """Names that can be several things, by what they can be.

    Some are real, as Washington is; the invented ones name people as well as companies.
    """

    by_kind: dict[str, list[Name]] = field(default_factory=dict)
    first_names: list[tuple[str, str]] = field(default_factory=list)
    surnames: list[str] = field(default_factory=list)
    companies: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Lexicon:
    """All names of the corpus: the closed lists, and the open ones split into pools."""

    countries: Sequence[Name]
    nationalities: Sequence[Name]
    values: dict[str, list[Name]]
    patterns: dict[str, list[list[str]]]
    company_suffixes: Sequence[str]
    adjectives: Sequence[tuple[str, str, str]]
    ambiguous: Ambiguous
    pools: dict[str, Atoms]

    def country(self, english: str) -> Name:
        """Return the country of this English name, written without *the*."""
        everywhere = (*self.countries, *self.ambiguous.by_kind["country"])
        return next(country for country in everywhere if country.english == english)


@cache
def lexicon(seed: int) -> Lexicon:
    """Read the lexicon and hold out a tenth of every open list for each of the held-out pools.

    Args:
        seed: Which names are held out.

    Returns:
        The lexicon.
    """
    ambiguous = _read_ambiguous(seed)
    taken = {name.english for names in ambiguous.by_kind.values() for name in names}
    taken |= {name for name, _ in ambiguous.first_names} | set(ambiguous.surnames)
    countries = [
        proper("country", english.removeprefix("the "), french, article=article, the=the == "1")
        for english, the, french, article, *_ in tables.rows("countries.tsv")
    ]
    nationalities = [_nationality(row) for row in tables.rows("countries.tsv")]
    titles = [row[1:] for row in tables.rows("titles.tsv") if row[0] == "adjective"]
    return Lexicon(
        countries=_shuffled(countries, f"{seed}-countries"),
        nationalities=_shuffled(nationalities, f"{seed}-nationalities"),
        values=_read_values(),
        patterns=_group(tables.rows("patterns.tsv")),
        company_suffixes=_parts()["suffix"],
        adjectives=[(english, m, f) for english, m, f in titles],
        ambiguous=ambiguous,
        pools=_split_pools(seed, taken),
    )


def _nationality(row: list[str]) -> Name:
    english, _, _, _, adjective, masculine, feminine = row
    tokens = tuple(adjective.split())
    tags = ("ADJ",) * len(tokens)
    country = english.removeprefix("the ")
    return Name("nationality", tokens, tags, masculine, country=country, feminine=feminine)


def _read_values() -> dict[str, list[Name]]:
    values: dict[str, list[Name]] = {}
    for kind, english, french, article in tables.rows("values.tsv"):
        tokens, tags = zip(*(word.split("/") for word in english.split()), strict=True)
        values.setdefault(kind, []).append(Name(kind, tokens, tags, french, article))
    return values


def _group(rows: list[list[str]]) -> dict[str, list[list[str]]]:
    grouped: dict[str, list[list[str]]] = {}
    for kind, *rest in rows:
        grouped.setdefault(kind, []).append(rest)
    return grouped


def _parts() -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in tables.rows("name_parts.tsv")}


def _invented(seed: int) -> dict[str, list[str]]:
    """Return invented names by what they name; nothing in a name's letters tells which."""
    parts = _parts()
    everything = [stem + ending for stem in parts["stem"] for ending in parts["ending"]]
    shuffled = _shuffled(everything, f"{seed}-invented")
    third = len(shuffled) // 3
    return {
        "shared": shuffled[:_SHARED_NAMES],
        "surname": shuffled[_SHARED_NAMES : _SHARED_NAMES + third],
        "company": shuffled[_SHARED_NAMES + third : _SHARED_NAMES + 2 * third],
    }


def _read_ambiguous(seed: int) -> Ambiguous:
    found = Ambiguous(invented=_invented(seed)["shared"])
    for english, *senses in tables.rows("ambiguous.tsv"):
        for sense in senses:
            kind, _, french = sense.partition("=")
            if kind == "first_name":
                found.first_names.append((english, french.partition("@")[2]))
            elif kind == "surname":
                found.surnames.append(english)
            elif kind == "company":
                found.companies.append(english)
            else:
                found.by_kind.setdefault(kind, []).append(_ambiguous_place(kind, english, french))
    return found


def _ambiguous_place(kind: str, english: str, french: str) -> Name:
    french, _, feature = french.partition("@")
    article = ""
    for candidate in ("les ", "le ", "la ", "l'"):
        if french.startswith(candidate):
            article, french = candidate.strip(), french.removeprefix(candidate)
    country = feature.removeprefix("the ") if kind == "city" else ""
    the = kind == "natural" and feature == "the"
    return proper(kind, english, french, article=article, country=country, the=the)


def _split_pools(seed: int, taken: set[str]) -> dict[str, Atoms]:
    cities = [
        proper("city", english, french, country=country.removeprefix("the "))
        for english, french, country in tables.rows("cities.tsv")
        if english not in taken
    ]
    natural = [
        proper(
            "river" if kind == "river" else "natural",
            english,
            french,
            article=article,
            the=the == "1",
            gender=gender[0] if gender else "n",
        )
        for english, the, french, article, kind, *gender in tables.rows("natural.tsv")
        if english not in taken
    ]
    rivers = [name for name in natural if name.kind == "river"]
    others = [name for name in natural if name.kind != "river"]
    people = [(name, gender) for name, gender in tables.rows("first_names.tsv")]
    invented = _invented(seed)
    nouns = [
        (english, french, gender)
        for kind, english, french, gender in tables.rows("titles.tsv")
        if kind == "noun"
    ]
    split_cities = _partition(cities, f"{seed}-cities")
    split_natural = _partition(others, f"{seed}-natural")
    split_rivers = _partition(rivers, f"{seed}-rivers")
    split_people = _partition(people, f"{seed}-people")
    split_surnames = _partition(invented["surname"], f"{seed}-surnames")
    split_companies = _partition(invented["company"], f"{seed}-companies")
    split_nouns = _partition(nouns, f"{seed}-nouns")
    return {
        pool: Atoms(
            split_cities[pool],
            split_natural[pool],
            split_rivers[pool],
            split_people[pool],
            split_surnames[pool],
            split_companies[pool],
            split_nouns[pool],
        )
        for pool in POOLS
    }


def _shuffled(items: Sequence[T], seed: str) -> list[T]:
    shuffled = list(items)
    random.Random(seed).shuffle(shuffled)
    return shuffled


def _partition(items: Sequence[T], seed: str) -> dict[str, Sequence[T]]:
    shuffled = _shuffled(items, seed)
    tenth = max(1, len(shuffled) // 10)
    return {
        "validation": shuffled[:tenth],
        "test": shuffled[tenth : 2 * tenth],
        "train": shuffled[2 * tenth :],
    }
