"""The book on paper: pages of the site in one file, with an outline and links that stay in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader
from visiting import ROOT

TOOL = ROOT / "book" / "tools" / "print_book.py"


@pytest.fixture(scope="module")
def pdf(site: Path, browser, tmp_path_factory: pytest.TempPathFactory) -> PdfReader:
    """Two pages of the site, printed; ``browser`` says where there is none."""
    out = tmp_path_factory.mktemp("print") / "book.pdf"
    command = [sys.executable, TOOL, "--site", site, "--out", out, "notation", "06_multitask"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return PdfReader(out)


def test_pages_stand_in_an_outline_by_their_parts(pdf: PdfReader) -> None:
    titles = [
        [inner.title for inner in item] if isinstance(item, list) else item.title
        for item in pdf.outline
    ]
    assert titles[1::2] == [["Notation"], ["6 · The multi-task Transformer"]]


def test_no_page_is_empty_and_maths_is_written(pdf: PdfReader) -> None:
    texts = [page.extract_text() for page in pdf.pages]
    drawn = ["/XObject" in page["/Resources"] for page in pdf.pages]
    pairs = zip(texts, drawn, strict=True)
    assert all(len(text.strip()) > 20 or picture for text, picture in pairs)
    whole = "\n".join(texts)
    assert "min" in whole
    assert "\\mathbb" not in whole
    assert "def soft_alignment" in whole  # a solution, folded on the site


def test_links_between_pages_stay_in_the_file(pdf: PdfReader) -> None:
    links = [each.get_object() for page in pdf.pages for each in page.get("/Annots") or ()]
    addresses = [str(link["/A"]["/URI"]) for link in links if "/URI" in link.get("/A", {})]
    assert not [address for address in addresses if "127.0.0.1" in address]
    assert len(links) > len(addresses)
