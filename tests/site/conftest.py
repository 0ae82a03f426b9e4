"""The built site, served from a local port and visited in a real browser, once for all tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import ARGUMENTS, MISSING, chromium, served
from hang_guard import HANG_SECONDS
from visiting import (
    DESKTOP_DARK,
    DESKTOP_LIGHT,
    EVERY_PAGE,
    PHONE_DARK,
    PHONE_LIGHT,
    ROOT,
    SAMPLE,
    Screen,
    Visit,
    visit_all,
)

SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site, built first where it is missing or ``MTL_BUILD_BOOK`` asks.

    All tests that use it run in one process: tests/scheduling.py.
    """
    if os.environ.get("MTL_BUILD_BOOK") or not (SITE / "searchindex.js").exists():
        tool = Path(sys.executable).with_name("jupyter-book")
        command = [tool, "build", ROOT, "--warningiserror", "--nitpick", "--keep-going"]
        built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if built.returncode:
            last = (built.stdout + built.stderr).splitlines()[-100:]
            pytest.fail("\n".join(["the book does not build:", *last]), pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def pages(site: Path) -> list[str]:
    """Every page of the site, by path: those that the search knows, and the generated indices."""
    index = (site / "searchindex.js").read_text("utf-8")
    names = json.loads(index[index.index("(") + 1 : index.rindex(")")])["docnames"]
    extra = [
        name for name in ("search", "genindex", "py-modindex") if (site / f"{name}.html").exists()
    ]
    return [f"{name}.html" for name in [*names, *extra]]


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with served(site) as where:
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Debian's Chromium, headless, closed after the last test that visits pages.

    Playwright keeps an event loop running as long as it is there, and tests that come later in the
    same process would find it: ``asyncio.run`` refuses to work beside one.
    """
    executable = chromium()
    if executable is None:
        reason = f"{MISSING} to test the site"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=executable, args=list(ARGUMENTS), timeout=1000 * HANG_SECONDS
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def visits(browser, address: str, pages: list[str]) -> dict[Screen, dict[str, Visit]]:
    """Every page at two screens, and the sample at the two others."""
    sample = [page for page in SAMPLE if page in pages]
    return {
        screen: visit_all(browser, address, pages if screen in EVERY_PAGE else sample, screen)
        for screen in (DESKTOP_LIGHT, DESKTOP_DARK, PHONE_LIGHT, PHONE_DARK)
    }
