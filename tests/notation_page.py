r"""The tables of the notation page, and what is wrong between them and the formulas of a chapter.

A table counts if its columns are ``symbol | meaning | chapters``. In the first stand formulas, each
of which names its first letter, as :mod:`symbols` reads it; ``$c$, $c_k$`` names both the letter
alone and the family. A table whose first column is ``name`` lists names that are read in one piece,
such as ``\theta_s``. The last column has numbers of chapters: ``01, 03 to 06``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from formulas import formulas
from symbols import Symbol, name_of, named, symbols, written

_ROW = re.compile(r"^\|(?P<first>[^|]*)\|(?P<meaning>[^|]*)\|(?P<chapters>[^|]*)\|$")


@dataclass(frozen=True)
class Row:
    """One row: what it names, what that means, and in which chapters."""

    names: tuple[Symbol, ...]
    meaning: str
    chapters: frozenset[int]

    def __str__(self) -> str:
        """Say which row it is, in a message."""
        return f"{', '.join(written(name) for name in self.names)} ({self.meaning})"


@dataclass(frozen=True)
class Page:
    """The rows of a page, and the names that are read in one piece."""

    rows: tuple[Row, ...]
    whole: frozenset[str]


def read_page(markdown: str) -> Page:
    """Read the tables of a page.

    Raises:
        ValueError: A row cannot be read, or there is none.
    """
    lines = [*_lines(markdown)]
    whole = frozenset(
        name_of(formula)
        for kind, first, _, _ in lines
        if kind == "name"
        for formula in formulas(first)
    )
    rows = tuple(
        Row(
            tuple(named(formula, whole) for formula in formulas(first)),
            meaning,
            chapter_numbers(chapters),
        )
        for _, first, meaning, chapters in lines
    )
    if not rows:
        raise ValueError("the page has no table with the columns symbol, meaning and chapters")
    return Page(rows, whole)


def _lines(markdown: str) -> Iterator[tuple[str, str, str, str]]:
    kind = ""
    for line in markdown.splitlines():
        match = _ROW.match(line)
        if not match:
            if kind and line.startswith("|"):
                raise ValueError(f"the row {line!r} has not three cells")
            kind = ""
            continue
        first, meaning, chapters = (part.strip() for part in match.groups())
        if (meaning, chapters) == ("meaning", "chapters"):
            kind = first
        elif kind and not first.startswith("---"):
            yield kind, first, meaning, chapters


def chapter_numbers(written_numbers: str) -> frozenset[int]:
    """Read ``01, 03 to 06``.

    Raises:
        ValueError: Something else stands there, or a range does not rise.
    """
    numbers: set[int] = set()
    for part in written_numbers.split(","):
        match = re.fullmatch(r"\s*(\d\d)(?: to (\d\d))?\s*", part)
        if not match:
            raise ValueError(f"{written_numbers!r} does not name chapters as in '01, 03 to 06'")
        first, last = int(match[1]), int(match[2] or match[1])
        if match[2] and last <= first:
            raise ValueError(f"the range {part.strip()!r} does not rise")
        numbers |= set(range(first, last + 1))
    return frozenset(numbers)


def uses(texts: Iterable[str], page: Page) -> dict[Symbol, str]:
    """Return the symbols in the formulas of some texts, each with a formula that has it."""
    found: dict[Symbol, str] = {}
    for text in texts:
        for formula in formulas(text):
            for symbol in symbols(formula, page.whole):
                found.setdefault(symbol, " ".join(formula.split()))
    return found


def chapter_problems(chapter: int, used: Mapping[Symbol, str], page: Page) -> list[str]:
    """Return a sentence for each symbol of a chapter that has no meaning, or two."""
    problems = []
    for symbol, formula in sorted(used.items()):
        rows = [row for row in page.rows if symbol in row.names and chapter in row.chapters]
        where = f"chapter {chapter:02}: {written(symbol)} in ${formula[:60]}$"
        if not rows:
            problems.append(f"{where} has no row of book/notation.md that names this chapter")
        if len(rows) > 1:
            problems.append(f"{where} has {len(rows)} meanings: {'; '.join(map(str, rows))}")
    return problems


def stale_problems(used: Mapping[int, Mapping[Symbol, str]], page: Page) -> list[str]:
    """Return a sentence for each row that names a chapter which does not use it."""
    return [
        f"the row {row} names chapter {chapter:02}, which does not use it"
        for row in page.rows
        for chapter in sorted(row.chapters)
        if not set(row.names) & set(used.get(chapter, ()))
    ]


def page_problems(used: Mapping[Symbol, str], page: Page) -> list[str]:
    """Return a sentence for each symbol of a page that no row names."""
    known = {name for row in page.rows for name in row.names}
    return [
        f"{written(symbol)} in ${formula[:60]}$ has no row in book/notation.md"
        for symbol, formula in sorted(used.items())
        if symbol not in known
    ]


def entries_unused(used: Mapping[int, Mapping[Symbol, str]], page: Page) -> list[str]:
    """Return a sentence for each name in a row that none of its chapters uses."""
    return [
        f"the row {row} names {written(name)}, which none of its chapters uses"
        for row in page.rows
        for name in row.names
        if not any(name in used.get(chapter, ()) for chapter in row.chapters)
    ]
