"""Every citation on a page or in a notebook is in the bibliography."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pybtex.database import BibliographyData, parse_file

ROOT = Path(__file__).resolve().parents[1]
ROLE = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
ANCHOR = re.compile(r"references\.html#([^\"')\s]+)")
NEEDED = {
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"author", "title", "year"},
}


@pytest.fixture(scope="module")
def bibliography() -> BibliographyData:
    return parse_file(str(ROOT / "book" / "references.bib"))


def roles(text: str) -> list[str]:
    """The keys cited by ``{cite:p}`` and its like."""
    return [key.strip() for keys in ROLE.findall(text) for key in keys.split(",")]


def markdown(notebook: Path) -> Iterator[str]:
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            yield "".join(cell["source"])


def citations() -> Iterator[tuple[str, str]]:
    for page in sorted((ROOT / "book").glob("*.md")):
        text = page.read_text("utf-8")
        yield from ((page.name, key) for key in roles(text) + ANCHOR.findall(text))
    for notebook in sorted((ROOT / "chapters").glob("*.ipynb")):
        for text in markdown(notebook):
            yield from ((notebook.name, key) for key in roles(text) + ANCHOR.findall(text))


def test_every_citation_is_in_the_bibliography(bibliography: BibliographyData) -> None:
    found = list(citations())
    assert found, "no citation was found: the patterns are broken"
    assert [where for where in found if where[1] not in bibliography.entries] == []


def test_notebooks_cite_by_links_that_read_well_in_colab() -> None:
    for notebook in (ROOT / "chapters").glob("*.ipynb"):
        text = "\n".join(markdown(notebook))
        assert not roles(text), f'{notebook.name}: use <a href="../book/references.html#KEY">'
        for match in re.finditer(r".{0,30}references\.html#", text):
            assert '<a href="../book/references.html#' in match.group(), match.group()


def test_entries_are_complete(bibliography: BibliographyData) -> None:
    for key, entry in bibliography.entries.items():
        have = set(entry.fields) | set(entry.persons)
        assert NEEDED[entry.type] <= have, (key, NEEDED[entry.type] - have)
        assert re.fullmatch(r"\d{4}", entry.fields["year"]), key
        assert "doi.org" not in entry.fields.get("doi", ""), key


def test_a_key_says_first_author_and_year(bibliography: BibliographyData) -> None:
    for key, entry in bibliography.entries.items():
        assert re.fullmatch(rf"[a-z]+{entry.fields['year']}[a-z]*", key), key


def test_roles_and_anchors_are_found() -> None:
    assert roles("{cite:p}`a1999, b2000` and {cite}`c2001` and `d2002`") == [
        "a1999",
        "b2000",
        "c2001",
    ]
    assert ANCHOR.findall('<a href="../book/references.html#kneser1995">K</a>') == ["kneser1995"]
