"""Boxes in which a model of the book answers: beside a cell tagged ``live-model``, or a directive.

The cell makes the static figure, which Colab and a page without scripts show; its metadata say
which model: ``{"tags": ["live-model"], "live": "atlas"}``. The box is HTML, with everything that
can be said without a script; ``book/_static/live/live.mjs`` makes it answer.
"""

from __future__ import annotations

import json
import shutil
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

FOLDER = "book/_static/live"
TAG = "tag_live-model"
RUNTIME = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm.gz",
    "tokenizers.min.mjs",
)
"""What is loaded for any model."""


def facts_of(source: Path, name: str) -> dict[str, Any]:
    """Read what is known of a model.

    Raises:
        ExtensionError: If there is no such model.
    """
    path = source / FOLDER / name / "live.json"
    if not path.is_file():
        raise ExtensionError(f"There is no live model {name!r}: no file {path}")
    facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    facts["download"] = sum((path.parent / file).stat().st_size for file in facts["loads"])
    if separate := facts.get("separate"):
        separate["download"] = sum(
            (path.parent / folder / file).stat().st_size
            for folder in separate["folders"].values()
            for file in separate["loads"]
        )
    facts["runtime"] = sum((source / FOLDER / "runtime" / file).stat().st_size for file in RUNTIME)
    return facts


def box(name: str, facts: dict[str, Any], number: int = 0, figure: bool = True) -> str:
    """Write the box of a model as HTML, below a figure of what it does or alone."""
    without = " Without them, the figure above shows what it does." if figure else ""
    key = f"live-{name}-{number}"
    titles = "".join(
        f' data-title-{escape(task)}="{escape(title)}"' for task, title in facts["titles"].items()
    )
    second = ""
    if facts.get("second"):
        second = (
            f'<label for="{key}-second">A second sentence, if you like: does it follow from the '
            "first?</label>"
            f'<input type="text" id="{key}-second" data-role="second" '
            'autocomplete="off" spellcheck="false">'
        )
    kind = f' data-kind="{escape(facts["kind"])}"' if "kind" in facts else ""
    separate, switch, scores = facts.get("separate"), "", ""
    if separate:
        titles += f' data-separate="{escape(json.dumps(separate["folders"]))}"'
        titles += f' data-separate-bytes="{separate["download"]}"'
        switch = _switch(separate)
        scores = _both(facts)
    total = facts["download"] + facts["runtime"]
    return f"""
<div class="live-model" data-model="{escape(name)}" data-bytes="{total}"{kind}{titles}
     role="group" aria-labelledby="{key}-title">
<p class="live-title" id="{key}-title">{escape(facts["title"])}</p>
<p data-role="cannot">Here the model answers what you type, in the page itself. It needs scripts,
WebAssembly, and a page that comes from a server: opened as a file it does not run
(<code>python -m http.server</code> in the folder of the site is enough).{without}</p>
<form data-role="form" hidden>
<label for="{key}-first">{escape(facts.get("ask", "A sentence"))}</label>
<input type="text" id="{key}-first" data-role="first" autocomplete="off"
 spellcheck="false">
{second}
{switch}
<button type="submit">{escape(facts.get("button", "Answer"))}</button>
<div role="group" aria-label="Examples">{_examples(facts["examples"])}</div>
<progress data-role="progress" max="1" value="0" hidden aria-label="Loading the model"></progress>
<p data-role="status" role="status" aria-live="polite">Nothing is loaded until you type or choose
an example: {total / 1e6:.1f} MB, once.</p>
<div data-role="result"></div>
</form>
{scores}
<p class="live-about">{_about(facts)}</p>
</div>
"""


def _switch(separate: dict[str, Any]) -> str:
    return (
        '<label class="live-switch"><input type="checkbox" data-role="separate"> Ask one model per '
        f"task as well ({separate['download'] / 1e6:.1f} MB more, once)</label>"
    )


def _both(facts: dict[str, Any]) -> str:
    """Write the scores of one model for all and of one per task on fresh sentences as a table."""
    fresh = facts["fresh"]
    rows = "".join(
        f'<tr><th scope="row">{escape(said)}</th>'
        + "".join(
            f"<td>{100 * scores[key]:.0f}</td>"
            for scores, key in (
                (fresh["scores"], f"{name} int8"),
                (facts["separate"]["scores"], f"{name} int8"),
                (fresh["without_looking"], name),
            )
        )
        + "</tr>"
        for name, said in facts["measures"].items()
    )
    heads = ("one model for all", "one per task", "most frequent answer")
    named = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<table class="live-scores"><caption>On {fresh["sentences"]} fresh sentences, of one '
        f"training each</caption><thead><tr><td></td>{named}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _examples(examples: list[list[str]]) -> str:
    return "".join(
        f'<button type="button" data-first="{escape(first)}" data-second="{escape(second)}">'
        f"{escape(first)}{f' – {escape(second)}' if second else ''}</button>"
        for first, second in examples
    )


def _about(facts: dict[str, Any]) -> str:
    note = f" {escape(facts['note'])}" if facts.get("note") else ""
    data = ", ".join(dict.fromkeys(facts["data"].values()))
    written = "sentences written by hand</a>, which are not of that corpus"
    first = f'<a data-file="{escape(facts.get("sentences_file", "sentences.txt"))}">{written}'
    if fresh := facts.get("fresh"):
        first = (
            f'<a data-file="fresh.txt">fresh {written} and were never used for a decision: '
            f"{_scores(facts, fresh)}. On {facts['sentences']} "
            '<a data-file="sentences.txt">others</a>, which were measured first'
        )
    return (
        f"Trained on {escape(data)}. On {(fresh or facts)['sentences']} "
        f"{first}: {_scores(facts, facts)}.{note} Weights of eight bits; licence: "
        f'{escape(facts["licence"])}. <a data-file="card.txt">Card</a>.'
    )


def _scores(facts: dict[str, Any], measured: dict[str, Any]) -> str:
    """Write what was measured on some sentences, beside the score of not looking at them."""
    if "scored" in measured:
        return escape(measured["scored"]) + _weakest(measured["scores"])
    blind = measured["without_looking"]
    scores = ", ".join(
        f"{escape(said)} {100 * measured['scores'][f'{name} int8']:.0f}"
        + (f" (the most frequent answer alone: {100 * blind[name]:.0f})" if name in blind else "")
        for name, said in facts["measures"].items()
    )
    return scores + _weakest(measured["scores"])


def _weakest(scores: dict[str, float]) -> str:
    """Say which type of entity is found worst: a mean alone would hide it."""
    start, end = "tags_f1_", " int8"
    types = {
        name.removeprefix(start).removesuffix(end): value
        for name, value in scores.items()
        if name.startswith(start) and name.endswith(end)
    }
    if not types:
        return ""
    worst = min(types, key=types.__getitem__)
    return f" (of the types {escape(worst)} is worst: {100 * types[worst]:.0f})"


class LiveModel(SphinxDirective):
    """``live-model`` and a name: the box alone."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the box."""
        number = self.env.new_serialno("live-model")
        return [_node(self.env.app, self.arguments[0], number, figure=False)]


def _node(app: Sphinx, name: str, number: int, figure: bool = True) -> nodes.Node:
    source = Path(app.srcdir)
    app.env.note_dependency(str(source / FOLDER / name / "live.json"))
    html = box(name, facts_of(source, name), number, figure)
    return nodes.raw("", html, format="html", live=True)


def enliven_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Put the box after the output of a tagged cell."""
    for cell in list(doctree.findall(nodes.container)):
        if TAG not in cell.get("classes", ()):
            continue
        name = dict(cell.get("cell_metadata", {})).get("live")
        if not isinstance(name, str):
            raise ExtensionError(
                f'{app.env.docname}: a cell tagged live-model must say which, "live": "NAME"'
            )
        place = cell.parent.index(cell) + 1
        cell.parent.insert(place, _node(app, name, app.env.new_serialno("live-model")))


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Load the script on pages with a box, and on no others."""
    if doctree is None or not any(node.get("live") for node in doctree.findall(nodes.raw)):
        return
    app.add_css_file("live/live.css")
    app.add_js_file("live/live.mjs", type="module")


def copy_cards(app: Sphinx, exception: Exception | None) -> None:
    """Put the card of each model beside it: Markdown among static files is left out."""
    if exception is not None or app.builder.format != "html":
        return
    for card in (Path(app.srcdir) / FOLDER).glob("*/README.md"):
        place = Path(app.outdir) / "_static" / "live" / card.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(card, place / "card.txt")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the handlers."""
    app.add_directive("live-model", LiveModel)
    app.connect("doctree-read", enliven_cells)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", copy_cards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
