"""What a page asks of a browser and a line: it is read without scripts, and it is light."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from hang_guard import HANG_SECONDS

pytestmark = pytest.mark.site
CHAPTER = "chapters/06_multitask_transformer.html"  # which has a box, folded cells and formulas
MOST_BYTES = 1_500_000
IMAGE = re.compile(r"""<img[^>]*\ssrc="([^"]+)\"""")


@pytest.fixture
def bare(browser, address: str):
    """A chapter in a browser that runs no script."""
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(1000 * HANG_SECONDS)
    tab = context.new_page()
    tab.goto(f"{address}/{CHAPTER}", wait_until="load")
    yield tab
    context.close()


def test_a_chapter_can_be_read_without_scripts(bare, site: Path) -> None:
    article = bare.locator(".bd-article")
    assert article.locator("h1").first.is_visible()
    for kind in ("h2", "p", ".cell_input pre", ".cell_output pre", ".cell_output img", ".math"):
        assert article.locator(f"{kind}:visible").count() > 1, kind
    # Formulas stay as they are written in LaTeX, which can be read.
    assert r"\frac{" in " ".join(article.locator(".math").all_inner_texts())
    ways = bare.locator(".prev-next-area a").all()
    assert len(ways) == 2
    for way in ways:
        target = (site / CHAPTER).parent / (way.get_attribute("href") or "nowhere")
        assert target.resolve().is_file()


def test_code_has_its_colours_without_scripts(bare) -> None:
    """The theme gives them to pages of which a script has said whether they are light or dark."""
    colours = set()
    for kind in (".k", ".kn", ".s2", ".mi", ".c1"):
        found = bare.locator(f".bd-article .cell_input pre {kind}:visible")
        if found.count():  # a kind may stand in folded cells alone
            colours.add(found.first.evaluate("part => getComputedStyle(part).color"))
    assert len(colours) >= 3


def test_folded_cells_open_without_scripts(bare) -> None:
    folded = bare.locator(".bd-article details:not([open])")
    assert folded.count() > 0
    first = folded.first.element_handle()
    assert first.query_selector("pre") is not None
    assert not first.query_selector("pre").is_visible()
    first.query_selector("summary").click()
    assert first.query_selector("pre").is_visible()


def test_a_box_says_without_scripts_what_it_needs(bare) -> None:
    box = bare.locator(".live-model")
    assert "It needs scripts" in box.locator("[data-role=cannot]").inner_text()
    assert box.locator("form").is_hidden()
    assert box.locator(".live-about").is_visible()
    shown = bare.locator(".tag_live-model .cell_output img")
    assert shown.count() == 1
    assert shown.is_visible()
    assert shown.bounding_box()["width"] > 200


def test_chapters_with_their_images_are_light(site: Path) -> None:
    heavy, pages = {}, sorted((site / "chapters").glob("*.html"))
    assert len(pages) >= 23
    for page in pages:
        size = compressed_bytes(page)
        if size > MOST_BYTES:
            heavy[page.name] = size
    assert heavy == {}


def test_images_count_once_and_compressed_where_that_helps(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("<svg>" + " " * 50_000 + "</svg>", "utf-8")
    (tmp_path / "b.png").write_bytes(bytes(range(256)) * 8)
    text = '<p><img alt="a" src="a.svg"><img src="b.png" alt="b"><img src="b.png" alt="again">'
    page = tmp_path / "page.html"
    page.write_text(f'{text}<img src="data:image/png;base64,AAAA" alt="within">', "utf-8")
    found = compressed_bytes(page)
    assert 2048 < found < 2048 + 400


def compressed_bytes(page: Path) -> int:
    """Return what a page weighs as a server sends it: text packed, pictures in pixels as they are.

    Each of its images is counted once, also those that are written into it.
    """
    text = page.read_text("utf-8")
    names = {name for name in IMAGE.findall(text) if not name.startswith(("data:", "http"))}
    total = len(gzip.compress(text.encode("utf-8")))
    for name in names:
        data = (page.parent / name).read_bytes()
        total += len(gzip.compress(data)) if name.endswith(".svg") else len(data)
    return total
