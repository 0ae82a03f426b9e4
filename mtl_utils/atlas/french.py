"""What French does to a name: articles, prepositions, agreement, elision."""

from __future__ import annotations

import re

from mtl_utils.atlas.names import Name

_VOWELS = "aeiouàâäéèêëîïôöûüœAEIOUÀÂÄÉÈÊËÎÏÔÖÛÜŒ"
_ELISION = re.compile(rf"\b([Qq])ue (?=[{_VOWELS}])")


def starts_with_vowel(text: str) -> bool:
    """Tell whether ``de`` and ``que`` are elided before this text (``h`` counts as a consonant)."""
    return text[:1] in _VOWELS and text != ""


def render(name: Name, form: str = "") -> str:
    """Return a name in one of its French forms.

    Args:
        name: The name.
        form: ``""`` with its article (*la France*), ``"de"`` (*de la France*, *du Japon*), ``"a"``
            (*à la France*), ``"in"`` (*en France*, *à Lyon*), ``"m"``, ``"f"`` and ``"mp"`` for
            adjectives.

    Returns:
        The form, in lower case but for the name.

    Raises:
        ValueError: If there is no such form.
    """
    if form == "":
        return _with_article(name)
    if form == "de":
        return _contracted(name, "de")
    if form == "a":
        return _contracted(name, "à")
    if form == "in":
        return _located(name)
    if form == "m":
        return name.french
    if form == "f":
        return name.feminine
    if form == "mp":
        return plural(name.french)
    raise ValueError(f"no French form {form!r}; expected one of '', de, a, in, m, f, mp")


def plural(word: str) -> str:
    """Return the regular plural of a French adjective or participle."""
    return word if word.endswith(("s", "x")) else word + "s"


def _with_article(name: Name) -> str:
    if name.article == "":
        return name.french
    if name.article == "l'":
        return "l'" + name.french
    return f"{name.article} {name.french}"


def _contracted(name: Name, preposition: str) -> str:
    contractions = {
        ("de", "le"): "du",
        ("de", "les"): "des",
        ("à", "le"): "au",
        ("à", "les"): "aux",
    }
    contracted = contractions.get((preposition, name.article))
    if contracted:
        return f"{contracted} {name.french}"
    whole = _with_article(name)
    if preposition == "de" and starts_with_vowel(whole):
        return "d'" + whole
    return f"{preposition} {whole}"


def _located(name: Name) -> str:
    if name.kind != "country":
        return _contracted(name, "à")
    if name.article in ("le", "les") and not starts_with_vowel(name.french):
        return _contracted(name, "à")
    if name.article == "les":
        return f"aux {name.french}"
    if name.article == "" and not starts_with_vowel(name.french):
        return f"à {name.french}"
    return f"en {name.french}"


def join(words: list[str]) -> str:
    """Join French words into a sentence: elision, punctuation, first letter in upper case."""
    text = _ELISION.sub(r"\1u'", " ".join(words))
    text = text.replace(" ,", ",").replace(" .", ".")
    return text[:1].upper() + text[1:]
