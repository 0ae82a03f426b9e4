"""The boxes of the book in which models answer, by the name of their folder."""

from __future__ import annotations

from typing import Any

from mtl_utils.deployment.live import atlas_page, framework_page, names_page, translator_page
from mtl_utils.deployment.live.page import Page

PAGES: dict[str, Page[Any]] = {
    "atlas": atlas_page.PAGE,
    "names": names_page.PAGE,
    "translator": translator_page.PAGE,
    "framework": framework_page.PAGE,
}
"""The boxes; folders of these names are below ``book/_static/live``."""
