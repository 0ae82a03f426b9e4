"""What a browser sees on a page of the built site."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hang_guard import HANG_SECONDS

ROOT = Path(__file__).parents[2]
#: What a visit reads from a page when its maths is done.
FACTS = """() => {
  // Numbers that are folded must fit as well; opened and closed within one call, nobody sees it.
  const folds = [...document.querySelectorAll('details.numbers')];
  folds.forEach(each => { each.open = true });
  const style = element => element && getComputedStyle(element);
  const paragraph = document.querySelector('.bd-article p, .bd-article td, .bd-article dt');
  return {
    ids: [...document.querySelectorAll('[id]')].map(e => e.id),
    // Those of a drawing have their address as it is written.
    links: [...document.querySelectorAll('a[href]')].map(
      e => new URL(e.getAttribute('href'), document.baseURI).href),
    images: [...document.images].map(e => ({alt: e.getAttribute('alt'), src: e.src})),
    figures: [...document.querySelectorAll('.cell_output img')].map(e => ({
      background: style(e).backgroundColor, filter: style(e).filter})),
    maths: document.querySelectorAll('.math').length,
    rendered: document.querySelectorAll('mjx-container').length,
    maths_errors: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')]
      .map(e => e.getAttribute('data-mjx-error') || e.textContent),
    tables: document.querySelectorAll('.bd-article table').length,
    plots: document.querySelectorAll('table.dots').length,
    folded: document.querySelectorAll('details.numbers').length,
    wide_tables: [...document.querySelectorAll('.bd-article table')]
      .filter(e => e.scrollWidth > e.parentElement.clientWidth + 1)
      .map(e => e.innerText.slice(0, 60)),
    width: document.documentElement.scrollWidth,
    viewport: window.innerWidth,
    theme: document.documentElement.dataset.theme,
    colours: paragraph && [style(paragraph).color, style(document.body).backgroundColor],
  };
}"""


@dataclass(frozen=True)
class Screen:
    """A viewport and a colour scheme."""

    scheme: str
    width: int
    height: int


DESKTOP_LIGHT = Screen("light", 1280, 900)
DESKTOP_DARK = Screen("dark", 1280, 900)
PHONE_LIGHT = Screen("light", 390, 844)
PHONE_DARK = Screen("dark", 390, 844)
#: The first and the last see every page; the others see the pages of ``SAMPLE``.
EVERY_PAGE = (DESKTOP_LIGHT, PHONE_DARK)
SAMPLE = ("book/index.html", "book/notation.html", "chapters/01_language_models.html")


@dataclass
class Visit:
    """What a browser saw on one page."""

    page: str
    screen: Screen
    facts: dict
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def visit_all(browser, address: str, pages: list[str], screen: Screen) -> dict[str, Visit]:
    context = browser.new_context(
        color_scheme=screen.scheme, viewport={"width": screen.width, "height": screen.height}
    )
    context.set_default_timeout(1000 * HANG_SECONDS)
    try:
        return {page: _visit(context, address, page, screen) for page in pages}
    finally:
        context.close()


def _visit(context, address: str, page: str, screen: Screen) -> Visit:
    tab = context.new_page()
    visit = Visit(page, screen, {})
    tab.on("console", lambda m: visit.console.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: visit.console.append(str(error)))
    tab.on("request", lambda request: visit.requests.append(request.url))
    tab.on("requestfailed", lambda request: visit.failures.append(request.url))
    tab.on("response", lambda r: visit.failures.append(r.url) if r.status >= 400 else None)
    tab.goto(f"{address}/{page}", wait_until="load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    tab.evaluate("() => document.fonts.ready.then(() => true)")
    visit.facts = tab.evaluate(FACTS)
    tab.close()
    return visit
