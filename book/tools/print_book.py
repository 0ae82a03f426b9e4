"""Print the built website into one PDF: ``make pdf``.

Chromium prints the pages of ``_toc.yml`` one after another, without the pages of the package, and
they become one file with an outline. A link from page to page leads within the file. Solutions are
printed unfolded; cells whose code is folded on the website show what they made. Tables, code and
formulas that would be wider than the paper wrap, and become smaller where that is not enough:
nothing is cut. Tables of all numbers of the recorded runs stay on the website.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import yaml
from browsing import ARGUMENTS, MISSING, chromium, served
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.generic import ArrayObject, Fit, NameObject

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "pdf" / "book.pdf"
MARGIN = 18  # millimetres
PIXELS = 96 / 25.4  # of a browser, in a millimetre
BETWEEN_MARGINS = {
    "width": int((210 - 2 * MARGIN) * PIXELS),
    "height": int((297 - 2 * MARGIN) * PIXELS),
}
PATIENCE = 1_800_000  # milliseconds: more than any page takes on a machine however busy

STYLE = """
  .bd-header, .bd-header-article, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-footer,
  .bd-footer-content, .prev-next-footer, footer, .copybtn, .headerlink, .skip-link,
  .sbt-scroll-pixel-helper, details.hide > summary, details.numbers, .live-model {
    display: none !important }
  .bd-main, .bd-content, .bd-article-container, .bd-article {
    display: block !important; max-width: none !important;
    padding: 0 !important; margin: 0 !important }
  #jb-print-docs-body, h1 { margin-top: 0 !important; break-before: avoid !important }
  body { font-size: 10pt }
  pre { white-space: pre-wrap !important; overflow-wrap: anywhere; font-size: 8pt }
  h2, h3, summary { break-after: avoid }
  img, svg { max-width: 100% !important }
  img, svg, tr { break-inside: avoid }
  .pst-scrollable-table-container, .cell_output .output, div.math, dl, dt {
    overflow: visible !important }
  table:not(.dots) { font-size: 7.5pt !important }
  table:not(.dots) :is(td, th) { padding: 0.2em 0.4em !important; white-space: normal !important }
"""
UNFOLD = "document.querySelectorAll('details:not(.hide)').forEach(each => { each.open = true })"
WIDE = """
  const printed = document.querySelector('.bd-article') || document.body;
  const right = element => element.getBoundingClientRect().right;
  const margin = right(printed) - parseFloat(getComputedStyle(printed).paddingRight || 0);
  // A line of text may be wider than the box it stands in: its letters are what is printed.
  const letters = element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return Math.max(right(element), right(range));
  };
  // A formula is read aloud from a copy of it that is not seen.
  const hidden = element =>
    element.closest('mjx-assistive-mml') || !element.getClientRects().length;
  const found = [...printed.querySelectorAll('table, img, svg, pre, mjx-container, p, dt')]
    .filter(each => !hidden(each) && letters(each) > margin + 1);
"""
FIT = f"""() => {{ {WIDE}
  for (const each of found.filter(one => one.matches('table, img, svg, pre, mjx-container'))) {{
    if (found.some(other => other !== each && other.contains(each) && other.matches('table')))
      continue;
    const left = each.getBoundingClientRect().left;
    each.style.zoom = Math.floor(1000 * (margin - left) / (letters(each) - left)) / 1000;
  }}
}}"""
"""Makes what is wider than the paper smaller."""

CUT = f"""() => {{ {WIDE}
  const named = each => `${{each.tagName.toLowerCase()}}: ${{each.innerText || ''}}`;
  return found.map(each => named(each).slice(0, 80));
}}"""
"""Names what is wider than the paper."""

MATHS = (
    "() => (window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true)"
)
FONTS = "() => document.fonts.ready.then(() => true)"


@dataclass(frozen=True)
class Page:
    """A page of the book.

    Args:
        path: Of its file below the site, such as ``"book/index.html"``.
        part: Caption of the part it stands in; empty for the front page.
    """

    path: str
    part: str = ""


def pages_of(toc: Mapping[str, Any]) -> list[Page]:
    """Return the pages in reading order, without those of the package.

    Args:
        toc: What ``_toc.yml`` says.
    """
    pages = [Page(f"{toc['root']}.html")]
    for part in toc["parts"]:
        named = [entry["file"] for entry in part["chapters"]]
        pages += [Page(f"{name}.html", part["caption"]) for name in named if "/api/" not in name]
    return pages


def laid_out(address: str, pages: Sequence[Page]) -> Iterator[tuple[Page, Any]]:
    """Lay pages out for paper, and yield each with the tab of the browser that shows it.

    Args:
        address: Where the site is served.
        pages: The pages.

    Raises:
        SystemExit: If there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    executable = chromium()
    if executable is None:
        raise SystemExit(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(ARGUMENTS), timeout=PATIENCE
        )
        context = browser.new_context(color_scheme="light", viewport=BETWEEN_MARGINS)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.emulate_media(media="print", color_scheme="light")
        for page in pages:
            tab.goto(f"{address}/{page.path}", wait_until="load")
            tab.evaluate("document.documentElement.dataset.theme = 'light'")
            tab.add_style_tag(content=STYLE)
            tab.evaluate(UNFOLD)
            tab.evaluate(MATHS)
            tab.evaluate(FONTS)
            tab.evaluate(FIT)
            yield page, tab
        browser.close()


def printed(tab: Any) -> tuple[str, bytes]:
    """Print a page that is laid out, and return its title and its PDF.

    Args:
        tab: Of the browser that shows it.
    """
    margin = dict.fromkeys(("top", "bottom", "left", "right"), f"{MARGIN}mm")
    title = tab.locator("h1").first.inner_text().removesuffix("#").strip()
    return title, tab.pdf(format="A4", margin=margin, print_background=True)


def joined(address: str, prints: Sequence[tuple[Page, str, bytes]]) -> PdfWriter:
    """Make one document of pages that were printed, with an outline and links that stay in it.

    Args:
        address: Where the pages were served when they were printed.
        prints: Each page with its title and its PDF.
    """
    writer = PdfWriter()
    begins: dict[str, int] = {}
    parts: dict[str, Any] = {}
    for page, title, content in prints:
        begins[page.path] = len(writer.pages)
        writer.append(io.BytesIO(content), import_outline=False)
        if page.part and page.part not in parts:
            parts[page.part] = writer.add_outline_item(
                title=page.part, page_number=begins[page.path]
            )
        writer.add_outline_item(
            title=title, page_number=begins[page.path], parent=parts.get(page.part)
        )
    for number in range(len(writer.pages)):
        _keep_links_inside(writer, number, address, begins)
    return writer


def _keep_links_inside(
    writer: PdfWriter, number: int, address: str, begins: Mapping[str, int]
) -> None:
    page = writer.pages[number]
    kept, inside = ArrayObject(), []
    for each in page.get("/Annots") or ():
        found = each.get_object()
        target, _ = urldefrag(str(found.get("/A", {}).get("/URI", "")))
        if not target.startswith(f"{address}/"):
            kept.append(each)
        elif (path := target.removeprefix(f"{address}/")) in begins:
            inside.append((found["/Rect"], begins[path]))
    page[NameObject("/Annots")] = kept
    for rectangle, begin in inside:
        link = Link(rect=rectangle, target_page_index=begin, fit=Fit.fit(), border=[0, 0, 0])
        writer.add_annotation(number, link)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the book.

    Args:
        arguments: Of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--site", type=Path, default=SITE, help="the built website")
    parser.add_argument("--out", type=Path, default=PDF, help="the file to write")
    parser.add_argument("names", nargs="*", help="pages alone whose path contains one of these")
    given = parser.parse_args(arguments)
    pages = pages_of(yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8")))
    if given.names:
        pages = [page for page in pages if any(name in page.path for name in given.names)]
    missing = [page.path for page in pages if not (given.site / page.path).exists()]
    if missing or not pages:
        raise SystemExit(f"{given.site} lacks {missing or 'such pages'}: run `make book` first")
    prints = []
    with served(given.site) as address:
        for page, tab in laid_out(address, pages):
            print(page.path, *tab.evaluate(CUT), sep="\n  wider than the paper: ", flush=True)
            prints.append((page, *printed(tab)))
        writer = joined(address, prints)
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
    given.out.parent.mkdir(parents=True, exist_ok=True)
    writer.write(given.out)
    print(f"{len(PdfReader(given.out).pages)} pages: {given.out}")


if __name__ == "__main__":
    main(sys.argv[1:])
