"""Nothing is cut on paper: what is wider than the space between the margins becomes smaller."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import yaml
from browsing import MISSING, chromium, served
from print_book import CUT, MARGIN, Page, laid_out, pages_of, printed
from pypdf import PdfReader
from visiting import ROOT

RIGHT = (210 - MARGIN) * 72 / 25.4  # points
SMALLEST = 0.6
"""Of the size of letters in tables: 7.5 points become 4.5."""
ZOOMED = "() => [...document.querySelectorAll('[style*=zoom]')].map(e => Number(e.style.zoom))"


@pytest.fixture(scope="module", autouse=True)
def _chromium() -> None:
    if chromium() is not None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{MISSING} to test the print")
    pytest.skip(f"{MISSING} to test the print")


def words_on(content: bytes) -> dict[str, float]:
    """Where each piece of text of a print begins, in points from the left of the paper."""
    places: dict[str, float] = {}

    def note(text: str, cm: list[float], tm: list[float], *_: object) -> None:
        if text.strip():
            places[text.strip()] = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]

    for page in PdfReader(io.BytesIO(content)).pages:
        page.extract_text(visitor_text=note)
    return places


@pytest.mark.parametrize("scrolls", ["overflow-x: auto", ""])
def test_the_last_column_of_a_wide_table_is_printed(tmp_path: Path, scrolls: str) -> None:
    cells = "".join(f"<td>column{number}</td>" for number in range(20))
    style = f"class='pst-scrollable-table-container' style='{scrolls}'"
    table = f"<div {style}><table><tr>{cells}<td>utmost</td></tr></table></div>"
    (tmp_path / "wide.html").write_text(f"<body><h1>Wide</h1>{table}</body>")
    with served(tmp_path) as address:
        for _, tab in laid_out(address, [Page("wide.html")]):
            assert tab.evaluate(CUT) == []
            assert len(tab.evaluate(ZOOMED)) == 1
            title, content = printed(tab)
    assert title == "Wide"
    (place,) = (x for text, x in words_on(content).items() if "utmost" in text)
    assert RIGHT / 2 < place < RIGHT


def test_what_is_cut_is_named(tmp_path: Path) -> None:
    line = f"<p style='white-space: nowrap'>{'endless ' * 60}</p>"
    (tmp_path / "long.html").write_text(f"<body><h1>Long</h1><p>Short.</p>{line}</body>")
    with served(tmp_path) as address:
        for _, tab in laid_out(address, [Page("long.html")]):
            (named,) = tab.evaluate(CUT)
    assert named.startswith("p: endless")


def test_nothing_is_cut_on_any_page(site: Path) -> None:
    pages = pages_of(yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8")))
    cut, smallest = {}, 1.0
    with served(site) as address:
        for page, tab in laid_out(address, pages):
            if found := tab.evaluate(CUT):
                cut[page.path] = found
            smallest = min(smallest, *tab.evaluate(ZOOMED), 1.0)
    assert cut == {}
    assert smallest >= SMALLEST
