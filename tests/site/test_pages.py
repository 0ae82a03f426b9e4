"""Every page of the built site in a real browser: errors, maths, links, images, layout."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from visiting import (
    DESKTOP_DARK,
    DESKTOP_LIGHT,
    PHONE_DARK,
    PHONE_LIGHT,
    ROOT,
    Screen,
    Visit,
)

pytestmark = pytest.mark.site
Visits = dict[Screen, dict[str, Visit]]
PDF = "one-model-many-tasks.pdf"
"""Printed from the site when that is built: `make pdf`, which publishing it calls."""
FILE_NAME = re.compile(r"(?i)^[\w./-]*\.(png|jpe?g|svg|gif|webp)$")


def every(visits: Visits) -> list[Visit]:
    return [visit for by_page in visits.values() for visit in by_page.values()]


def local(address: str, url: str) -> bool:
    return url.startswith((f"{address}/", "data:", "blob:"))


def test_the_book_builds_without_a_warning(site: Path) -> None:
    """Needs no browser; the fixture fails where the strict build does."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    assert (site / f"{contents['root']}.html").exists()


def test_every_page_was_visited(visits: Visits, pages: list[str]) -> None:
    assert set(visits[DESKTOP_LIGHT]) == set(visits[PHONE_DARK]) == set(pages)
    assert {"book/index.html", "book/glossary.html", "book/api/index.html", "search.html"} <= set(
        pages
    )


def test_no_console_error(visits: Visits) -> None:
    assert {v.page: v.console for v in every(visits) if v.console} == {}


def test_no_failed_request(visits: Visits) -> None:
    assert {v.page: v.failures for v in every(visits) if v.failures} == {}


def test_no_request_to_another_host(visits: Visits, address: str) -> None:
    strangers = {v.page: [u for u in v.requests if not local(address, u)] for v in every(visits)}
    assert {page: urls for page, urls in strangers.items() if urls} == {}
    assert all(v.requests for v in every(visits)), "no request was recorded: the listener is broken"


def test_maths_is_rendered(visits: Visits) -> None:
    unrendered = [
        v.page for v in every(visits) if v.facts["maths"] and v.facts["rendered"] < v.facts["maths"]
    ]
    assert unrendered == []
    assert visits[DESKTOP_LIGHT]["book/notation.html"].facts["rendered"] > 20
    assert {v.page: v.facts["maths_errors"] for v in every(visits) if v.facts["maths_errors"]} == {}


def test_every_image_has_an_alternative_text(visits: Visits) -> None:
    poor = {
        v.page: [
            i
            for i in v.facts["images"]
            if not (i["alt"] or "").strip() or FILE_NAME.match(i["alt"])
        ]
        for v in visits[DESKTOP_LIGHT].values()
    }
    assert {page: images for page, images in poor.items() if images} == {}
    assert any(v.facts["images"] for v in visits[DESKTOP_LIGHT].values())


@pytest.mark.parametrize("screen", [PHONE_DARK, PHONE_LIGHT, DESKTOP_LIGHT], ids=str)
def test_no_page_scrolls_sideways(visits: Visits, screen: Screen) -> None:
    wide = {
        v.page: (v.facts["width"], v.facts["viewport"])
        for v in visits[screen].values()
        if v.facts["width"] > v.facts["viewport"] + 1
    }
    assert wide == {}


@pytest.mark.parametrize("screen", [DESKTOP_LIGHT, DESKTOP_DARK, PHONE_LIGHT, PHONE_DARK], ids=str)
def test_text_stands_out_from_its_background(visits: Visits, screen: Screen) -> None:
    for visit in visits[screen].values():
        assert visit.facts["theme"] == screen.scheme, visit.page
        if visit.facts["colours"]:
            assert contrast(*visit.facts["colours"]) >= 7, (visit.page, visit.facts["colours"])


def test_figures_keep_their_colours_in_the_dark(visits: Visits) -> None:
    for visit in visits[PHONE_DARK].values():
        for figure in visit.facts["figures"]:
            assert figure == {"background": "rgb(255, 255, 255)", "filter": "none"}, visit.page


def test_internal_links_and_anchors_resolve(visits: Visits, address: str, site: Path) -> None:
    seen = visits[DESKTOP_LIGHT]
    broken = []
    for visit in seen.values():
        for link in set(visit.facts["links"]):
            if not link.startswith(f"{address}/"):
                continue
            target = urlsplit(link)
            path = unquote(target.path).lstrip("/")
            known = seen.get(path)
            anchor = unquote(target.fragment)
            lost_page = known is None and path != PDF and not (site / path).is_file()
            lost_anchor = known is not None and anchor and anchor not in known.facts["ids"]
            if lost_page or lost_anchor:
                broken.append((visit.page, link))
    assert broken == []


def test_the_front_page_links_to_the_book_on_paper(visits: Visits, address: str) -> None:
    made = (ROOT / "Makefile").read_text("utf-8")
    assert f"cp _build/pdf/book.pdf $(SITE)/{PDF}" in made
    assert f"{address}/{PDF}" in visits[DESKTOP_LIGHT]["book/index.html"].facts["links"]


def test_no_table_of_the_book_is_wider_than_its_box(visits: Visits) -> None:
    """A table that scrolls hides its last columns; those of chapters are outputs of their cells."""
    wide = {
        visit.page: visit.facts["wide_tables"]
        for visit in visits[DESKTOP_LIGHT].values()
        if visit.page.startswith("book/") and visit.facts["wide_tables"]
    }
    assert wide == {}
    assert visits[DESKTOP_LIGHT]["book/claims.html"].facts["tables"] > 1


def test_numbers_of_recorded_runs_are_folded_beneath_plots(visits: Visits) -> None:
    facts = visits[DESKTOP_LIGHT]["book/recorded.html"].facts
    assert facts["plots"] >= facts["folded"] > 1


def test_root_leads_to_the_front_page(browser, address: str) -> None:
    tab = browser.new_page()
    tab.goto(f"{address}/")
    tab.wait_for_url(f"{address}/book/index.html")
    assert tab.locator("h1").first.inner_text().startswith("One Model, Many Tasks")
    tab.close()


def test_each_notebook_page_has_a_colab_link(visits: Visits) -> None:
    repository = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"]
    owner_and_name = repository["url"].removeprefix("https://github.com/")
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", owner_and_name)
    notebooks = [page for page in visits[DESKTOP_LIGHT] if page.startswith("chapters/")]
    assert notebooks
    for page in notebooks:
        notebook = page.replace(".html", ".ipynb")
        assert (ROOT / notebook).is_file()
        start = "https://colab.research.google.com/github"
        expected = f"{start}/{owner_and_name}/blob/{repository['branch']}/{notebook}"
        assert expected in visits[DESKTOP_LIGHT][page].facts["links"]


def test_search_finds_kneser(browser, address: str, visits: Visits) -> None:
    tab = browser.new_page()
    tab.goto(f"{address}/book/index.html")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("Kneser")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=Kneser**")
    tab.wait_for_function(
        "() => document.querySelector('#search-results')?.textContent.includes('Search finished')"
    )
    found = tab.eval_on_selector_all(
        "#search-results li a", "links => links.map(link => link.href)"
    )
    tab.close()
    pages = {urlsplit(link).path.lstrip("/") for link in found}
    assert {
        "book/references.html",
        "book/glossary.html",
        "chapters/01_language_models.html",
    } <= pages


def test_api_pages_and_chapters_link_to_each_other(visits: Visits, address: str) -> None:
    seen = visits[DESKTOP_LIGHT]
    api = {page for page in seen if page.startswith("book/api/mtl_utils.")}
    assert api
    back = {link for page in api for link in seen[page].facts["links"]}
    for page in (page for page in seen if page.startswith("chapters/")):
        assert f"{address}/{page}" in {link.partition("#")[0] for link in back}, page


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two CSS colours as WCAG 2 defines it, between 1 and 21."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_agrees_with_wcag() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)
