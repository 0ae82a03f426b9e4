"""Last touches that no directive gives: equations for MathJax, languages, code without scripts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

CHINESE = re.compile(r"<dt((?: [^>]*)?)>(?=[^<]*[\u4e00-\u9fff])")
ENVIRONMENT = re.compile(
    r"\\begin\{(align|alignat|equation|gather|multline)(\*?)\}.*\\end\{\1\2\}", re.DOTALL
)


def plain_equations(app: Sphinx, doctree: nodes.document) -> None:
    r"""Leave numbering and ``\tag`` to MathJax, as Colab and Jupyter do.

    Sphinx would wrap lines that end in ``\\`` in ``split``, where tags are errors, and number a
    bare ``align`` a second time. Equations with a Sphinx label keep Sphinx's number.
    """
    for node in list(doctree.findall(nodes.math_block)):
        bare = "amsmath" in node["classes"]
        text = node.astext().strip()
        if node.get("label") and not bare:
            continue
        if ENVIRONMENT.fullmatch(text):
            body = text
        elif r"\tag" in text:
            body = rf"\[{text}\]"
        else:
            continue
        if bare and node.get("label"):
            _forget_label(app, node)
        node.replace_self(nodes.math_block(body, body, nowrap=True, number=None))


def _forget_label(app: Sphinx, node: nodes.math_block) -> None:
    """Drop the random label, and its target, that the Markdown parser gives a bare ``align``."""
    app.env.get_domain("math").data["objects"].pop(node["label"], None)
    before = node.parent.index(node) - 1
    if before >= 0 and isinstance(node.parent[before], nodes.target):
        node.parent.pop(before)


def mark_chinese(body: str) -> str:
    """Say which terms are Chinese, for screen readers and for the choice of glyphs."""
    return CHINESE.sub(r'<dt\1 lang="zh-Hans">', body)


def finish(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Handle ``html-page-context``."""
    if page == "book/glossary" and "body" in context:
        context["body"] = mark_chinese(context["body"])


LIGHT, UNDECIDED = 'html[data-theme="light"]', 'html[data-theme="auto"]'


def with_undecided(style: str) -> str:
    """Give code its colours on a page whose theme no script has chosen.

    The theme colours code on light and on dark pages alone. Which a page is, a script decides.
    """
    rules = [line for line in style.splitlines() if line.startswith(LIGHT)]
    more = [line.replace(LIGHT, UNDECIDED) for line in rules]
    return style if UNDECIDED in style else "\n".join([style, *more, ""])


def colour_code(app: Sphinx, exception: Exception | None) -> None:
    """Handle ``build-finished``."""
    path = Path(app.outdir) / "_static" / "pygments.css"
    if exception is None and path.is_file():
        path.write_text(with_undecided(path.read_text("utf-8")), "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the handlers."""
    app.connect("doctree-read", plain_equations, priority=100)
    app.connect("html-page-context", finish)
    app.connect("build-finished", colour_code, priority=900)  # after the theme has written it
    return {"parallel_read_safe": True, "parallel_write_safe": True}
