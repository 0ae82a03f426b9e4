"""Boxes of live models alone on pages, and a tab that reaches nothing but their server."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import browsing
import live_models
from hang_guard import HANG_SECONDS
from visiting import ROOT

PAGE = """<!DOCTYPE html><html lang="en" data-theme="{theme}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>box</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="theme.css"><link rel="stylesheet" href="_static/book.css">
<link rel="stylesheet" href="_static/live/live.css">
<style>main {{ max-width: 46rem; margin: 1rem auto; padding: 0 1rem }}</style>
<body><main class="bd-article">{box}</main>
<script type="module" src="_static/live/live.mjs"></script>"""


SCRIPTS = (
    *((0x20, 0x7F), (0xA0, 0x24F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F)),
    *((0x1100, 0x11FF), (0x2000, 0x2BFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)),
    *((0xFB00, 0xFFEF), (0x1F300, 0x1FAFF)),
)
"""The first and the last character of what texts are drawn from; Thai, Hangul and Arabic's forms
of presentation among them."""
ODD = (
    *(" ", "  ", "\t", "\u3000", "\u0085", "\u00ad", "\u200b", "\ufeff", "\u0301"),
    *("’s", "n't", "<eos>", "1,000"),
)
"""What is put among the characters of any script."""


def texts_of_many_scripts(known: Sequence[str], number: int = 10_000) -> list[str]:
    """Return texts of many scripts, some without spaces, with odd characters among them.

    Args:
        known: Sentences; every fourth text is one of them with some characters behind it.
        number: How many.
    """
    draw = random.Random(7)
    found = []
    for place in range(number):
        first, last = SCRIPTS[place % len(SCRIPTS)]
        letters = [chr(draw.randint(first, last)) for _ in range(draw.randint(1, 30))]
        for _ in range(draw.randint(0, 3)):
            letters.insert(draw.randint(0, len(letters)), draw.choice(ODD))
        found.append("".join(letters) if place % 4 else draw.choice(known) + "".join(letters[:5]))
    return found


@contextmanager
def boxes_served(place: Path, boxes: Mapping[str, str]) -> Iterator[SimpleNamespace]:
    """Serve each box on a page of its own, ``NAME-light.html`` and ``-dark``."""
    import pydata_sphinx_theme

    (place / "_static").symlink_to(ROOT / "book/_static")
    styles = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/styles"
    (place / "theme.css").symlink_to(styles / "pydata-sphinx-theme.css")
    for name, box in boxes.items():
        for theme in ("light", "dark"):
            page = PAGE.format(theme=theme, box=box)
            (place / f"{name}-{theme}.html").write_text(page, "utf-8")
    with browsing.served(place) as address:
        yield SimpleNamespace(address=address, place=place)


def boxes_of(names: Sequence[str]) -> dict[str, str]:
    """Return the box of each model."""
    return {name: live_models.box(name, live_models.facts_of(ROOT, name)) for name in names}


def failing_once(tab: Any, pattern: str) -> list[str]:
    """Let what matches a pattern not come the first time; it is noted in what is returned."""
    failed: list[str] = []

    def once(route: Any) -> None:
        if failed:
            route.continue_()
            return
        failed.append(route.request.url)
        route.abort()

    tab.route(pattern, once)
    return failed


@contextmanager
def lone_tab(browser: Any, address: str, width: int = 1100, height: int = 900) -> Iterator[Any]:
    """Open a tab that reaches the server and nothing else, and remembers what it asked for."""
    made = browser.new_page(viewport={"width": width, "height": height})
    made.set_default_timeout(1000 * HANG_SECONDS)
    made.asked, made.said = [], []
    made.on("request", lambda request: made.asked.append(request.url))
    made.on("pageerror", lambda error: made.said.append(str(error)))
    here = (address, "data:", "blob:")
    made.route(
        "**/*",
        lambda route: route.continue_() if route.request.url.startswith(here) else route.abort(),
    )
    yield made
    made.close()
