"""The boxes of the built pages, by keyboard: each answers, with nothing from elsewhere."""

from __future__ import annotations

import json

import pytest
from live_boxes import lone_tab
from visiting import PHONE_DARK, ROOT

pytestmark = pytest.mark.site
SENTENCE = "On Thursday, an earthquake shook Santiago."
#: What a model of each kind says of it, whatever it takes the city for.
ANSWERS = {"atlas": "Topic: ", "names": "Santiago: LOC", "translator": "In French: "}
ANSWERS["framework"] = "In French: "
PAGES = {
    "book/index.html": "atlas",
    "chapters/02_seq2seq_bilstm.html": "translator",
    "chapters/03_named_entities.html": "names",
    "chapters/04_three_tasks.html": "framework",
    "chapters/06_multitask_transformer.html": "atlas",
    "chapters/23_deployment.html": "atlas",
}
#: Focuses the last element before the box that can have the focus.
BEFORE = """() => {
  const box = document.querySelector('.live-model');
  const all = [...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')];
  const before = all.filter(
    one => box.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING);
  for (const one of before.reverse()) {
    one.focus();
    if (document.activeElement === one) return;
  }
}"""
ROLE = "document.activeElement.dataset.role"
MOST_STOPS = 5  # code and formulas that scroll lie between


def test_these_are_all_pages_with_a_box() -> None:
    """By the sources, so that a page that gets a box is typed into as well."""
    found = {}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if "live-model" in cell["metadata"].get("tags", []):
                found[f"chapters/{path.stem}.html"] = cell["metadata"]["live"]
    for path in sorted((ROOT / "book").glob("*.md")):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("```{live-model} "):
                found[f"book/{path.stem}.html"] = line.split()[1]
    assert found == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_built_page_answers_by_keyboard(page: str, browser, address: str) -> None:
    with lone_tab(browser, address, PHONE_DARK.width, PHONE_DARK.height) as tab:
        tab.goto(f"{address}/{page}", wait_until="load")
        box = tab.locator(".live-model")
        assert box.get_attribute("data-model") == PAGES[page]
        box.locator("form").wait_for()
        tab.evaluate("() => window.MathJax?.startup?.promise")
        assert not [url for url in tab.asked if "runtime/" in url or ".onnx" in url]
        tab.evaluate(BEFORE)
        for _ in range(MOST_STOPS):
            tab.keyboard.press("Tab")
            if tab.evaluate(ROLE) == "first":
                break
        assert tab.evaluate(ROLE) == "first"
        tab.keyboard.type(SENTENCE)
        tab.keyboard.press("Enter")
        status = box.locator("[data-role=status]")
        status.filter(has_text=ANSWERS[PAGES[page]]).wait_for()
        assert "Santiago" in box.locator("[data-role=result]").inner_text()
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE_DARK.width + 1
        assert all(url.startswith((address, "data:", "blob:")) for url in tab.asked)
        assert tab.said == []
