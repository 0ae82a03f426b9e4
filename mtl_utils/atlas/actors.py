"""How an actor is mentioned again: by a pronoun, or by a noun that tells what it is."""

from __future__ import annotations

from mtl_utils.atlas.grammar import Word
from mtl_utils.atlas.names import Name

_THE = Word("the", "DET")

ENGLISH: dict[str, dict[str, tuple[Word, ...]]] = {
    "he": {
        "man": (Word("he", "PRON"),),
        "woman": (Word("she", "PRON"),),
        "company": (Word("it", "PRON"),),
        "city": (Word("it", "PRON"),),
        "country": (Word("it", "PRON"),),
        "team": (Word("it", "PRON"),),
    },
    "noun": {
        "man": (_THE, Word("man", "NOUN")),
        "woman": (_THE, Word("woman", "NOUN")),
        "company": (_THE, Word("company", "NOUN")),
        "city": (_THE, Word("city", "NOUN")),
        "country": (_THE, Word("country", "NOUN")),
        "team": (_THE, Word("club", "NOUN")),
    },
}
"""English second mentions: form of the slot, then sort of actor."""

FRENCH = {
    "man": "l'homme",
    "woman": "la femme",
    "company": "la société",
    "city": "la ville",
    "country": "le pays",
    "team": "le club",
}
"""French second mentions by a noun, by sort of actor."""


def sort_of(name: Name) -> str:
    """Return what an actor is: its kind, or for a person, man or woman."""
    if name.kind != "person":
        return name.kind
    return "woman" if name.gender == "f" else "man"
