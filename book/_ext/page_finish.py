"""Last touches that no directive gives: equations as MathJax likes them, languages marked."""

from __future__ import annotations

import re
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


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the handlers."""
    app.connect("doctree-read", plain_equations, priority=100)
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
