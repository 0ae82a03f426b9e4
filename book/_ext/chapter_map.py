"""The map of the book: which chapter needs which, as the notebooks say it, drawn as SVG.

What a chapter needs are the chapters that its paragraph **Before you start** links to; nothing else
says it. Arrows that follow from others are left out. The picture is drawn twice, for a page and for
a phone, and CSS shows the one that fits; its colours are those of the page, light or dark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

Needs = Mapping[int, frozenset[int]]
Point = tuple[float, float]

CHAPTERS = "chapters"
COLUMNS = 4
#: Row and column of each chapter, and its title; a soft hyphen says where a word may be broken.
PLACES: dict[int, tuple[int, int, str]] = {
    1: (0, 0, "Language models"),
    2: (0, 1, "Sequence to sequence"),
    3: (0, 2, "Named entities"),
    4: (0, 3, "Three tasks"),
    5: (1, 1, "The Transformer"),
    6: (2, 1, "Multi-task Transformer"),
    7: (2, 0, "Pretrained encoders"),
    8: (1, 3, "Hard and soft"),
    9: (3, 3, "Hierarchies"),
    10: (3, 0, "Dynamic sharing"),
    11: (3, 1, "Task relations"),
    12: (2, 2, "Weighing losses"),
    13: (2, 3, "Conflicting gradients"),
    14: (3, 2, "What to train next"),
    15: (4, 2, "Negative transfer"),
    16: (4, 1, "Little data"),
    17: (5, 1, "Many languages"),
    18: (1, 0, "Text and pictures"),
    19: (1, 2, "Shared features"),
    20: (5, 0, "Tasks come and go"),
    21: (5, 3, "Hyper\u00adparameters"),
    22: (4, 3, "Scaling out"),
    23: (4, 0, "Deployment"),
}
#: The last chapter of each part, which decides the colour.
PART_ENDS = (4, 7, 11, 15, 23)

_BEFORE = re.compile(r"\*\*Before you start\*\*(.*?)(?:\n\n|\Z)", re.S)
_LINK = re.compile(r'href="(\d\d)_\w+\.html"')


# --- what needs what ------------------------------------------------------------------------------


def chapters(folder: Path) -> dict[int, Path]:
    """Return the notebooks of a folder by number."""
    return {int(path.name[:2]): path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}


def needs_of(notebook: Path) -> frozenset[int]:
    """Return the numbers of the chapters that one links to before it starts."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    found = next((match[1] for match in map(_BEFORE.search, texts) if match), "")
    return frozenset(map(int, _LINK.findall(found)))


def everything_before(needs: Needs, chapter: int) -> set[int]:
    """Return all chapters that one builds on, at whatever distance."""
    found: set[int] = set()
    waiting = list(needs[chapter])
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += needs[one]
    return found


def drawn_needs(needs: Needs) -> dict[int, frozenset[int]]:
    """Leave out what follows: a chapter that another one needed here builds on already."""
    return {
        chapter: frozenset(
            one
            for one in wanted
            if not any(one in everything_before(needs, other) for other in wanted)
        )
        for chapter, wanted in needs.items()
    }


# --- where it stands ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Sizes of a map, in pixels.

    Attributes:
        name: The class of its SVG.
        box: Width and height of a box.
        gap: What is between two boxes, beside and below.
        font: Size of letters.
        broken: Whether titles are in two lines below the number, or in one beside it.
    """

    name: str
    box: Point
    gap: Point
    font: float
    broken: bool

    @property
    def size(self) -> Point:
        """Width and height of the picture."""
        rows = 1 + max(row for row, _, _ in PLACES.values())
        width = COLUMNS * (self.box[0] + self.gap[0])
        return width, rows * self.box[1] + (rows - 1) * self.gap[1] + 4

    def corner(self, chapter: int) -> Point:
        """Where the box of a chapter begins, above and to the left."""
        row, column, _ = PLACES[chapter]
        across = self.gap[0] / 2 + column * (self.box[0] + self.gap[0])
        return across, 2 + row * (self.box[1] + self.gap[1])


WIDE = Layout("wide", (148, 34), (28, 30), 13, broken=False)
NARROW = Layout("narrow", (66, 48), (17, 28), 12, broken=True)


def route(layout: Layout, start: int, end: int, ports: tuple[float, float]) -> list[Point]:
    """Return the points of an arrow, which passes between boxes.

    Args:
        layout: Sizes.
        start: The chapter that is needed.
        end: The one that needs it.
        ports: Where it arrives along the upper side of a box, and where it runs in the gap between
            two columns, both from -1 to 1.
    """
    (width, height), (beside, below) = layout.box, layout.gap
    (x0, y0), (x1, y1) = layout.corner(start), layout.corner(end)
    if y0 == y1:
        right = x1 > x0
        middle = y0 + height / 2
        return [(x0 + width * right, middle), (x1 + width * (not right), middle)]
    first, last = (x0 + width / 2, y0 + height), (x1 + width / 2 + ports[0] * width * 0.3, y1)
    points = [first]
    rows = range(PLACES[start][0] + 1, PLACES[end][0])
    for row in rows:
        share = (row - PLACES[start][0]) / (PLACES[end][0] - PLACES[start][0])
        wanted = first[0] + share * (last[0] - first[0])
        lanes = [column * (width + beside) for column in range(COLUMNS + 1)]
        lane = min(lanes, key=lambda x: abs(x - wanted)) + ports[1] * beside * 0.3
        lane = min(max(lane, 1.5), layout.size[0] - 1.5)
        top = 2 + row * (height + below)
        points += [(lane, top), (lane, top + height)]
    return [*points, last]


def arrows(layout: Layout, needs: Needs) -> Iterator[tuple[int, int, list[Point]]]:
    """Yield every arrow: from, to, points."""
    sources = sorted({one for wanted in needs.values() for one in wanted})
    for end, wanted in needs.items():
        above = sorted(
            (one for one in wanted if PLACES[one][0] < PLACES[end][0]),
            key=lambda one: (PLACES[one][1], PLACES[one][0]),
        )
        for one in wanted:
            place = above.index(one) if one in above else 0
            port = 2 * (place + 0.5) / max(len(above), 1) - 1
            lane = (sources.index(one) % 3) - 1
            yield one, end, route(layout, one, end, (port, float(lane)))


# --- how it looks ---------------------------------------------------------------------------------


def part_of(chapter: int) -> int:
    """Return the part of the book that a chapter is in, from 0."""
    return next(part for part, last in enumerate(PART_ENDS) if chapter <= last)


def _path(points: list[Point]) -> str:
    """Draw straight within a row and in curves between rows."""
    (x, y), *rest = points
    written = [f"M{x:.1f} {y:.1f}"]
    for place, (next_x, next_y) in enumerate(rest):
        if (len(points) == 2 and y == next_y) or place % 2:
            written.append(f"L{next_x:.1f} {next_y:.1f}")
        else:
            middle = (y + next_y) / 2
            written.append(
                f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}"
            )
        x, y = next_x, next_y
    return "".join(written)


def lines_of(title: str) -> list[str]:
    """Break a title into two lines of about the same length, where it has two words."""
    if "\u00ad" in title:
        first, second = title.split("\u00ad")
        return [f"{first}-", second]
    words = title.split()
    breaks = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(1, len(words))]
    return list(min(breaks, key=lambda pair: max(map(len, pair)), default=(title,)))


def _box(layout: Layout, chapter: int, address: str, needs: Needs) -> str:
    (x, y), (width, height) = layout.corner(chapter), layout.box
    title = PLACES[chapter][2]
    plain = title.replace("\u00ad", "")
    wanted = ", ".join(f"{one:02}" for one in sorted(needs[chapter])) or "no other chapter"
    shape = f'x="{x:.1f}" y="{y:.1f}" width="{width}" height="{height}" rx="5"'
    if layout.broken:
        lines = lines_of(title)
        step = layout.font + 1
        first = y + height / 2 - step * len(lines) / 2 + 1
        words = f'<text class="number" x="{x + width / 2:.1f}" y="{first:.1f}">{chapter:02}</text>'
        for place, line in enumerate(lines, start=1):
            at = first + place * step
            words += f'<text x="{x + width / 2:.1f}" y="{at:.1f}">{escape(line)}</text>'
    else:
        words = (
            f'<text x="{x + width / 2:.1f}" y="{y + height / 2:.1f}">'
            f'<tspan class="number">{chapter:02}</tspan> {escape(plain)}</text>'
        )
    label = escape(f"Chapter {chapter:02}, {plain}. Needs {wanted}.")
    return (
        f'<a href="{escape(address)}" aria-label="{label}" class="part-{part_of(chapter)}">'
        f'<rect class="ground" {shape}/><rect class="tint" {shape}/>{words}</a>'
    )


def svg(layout: Layout, needs: Needs, addresses: Mapping[int, str]) -> str:
    """Draw the map.

    Args:
        layout: Sizes.
        needs: What each chapter needs, as far as it is to be drawn.
        addresses: Where each chapter is.
    """
    width, height = layout.size
    lines = "".join(
        f'<path class="part-{part_of(start)}" data-from="{start:02}" data-to="{end:02}" '
        f'd="{_path(points)}" marker-end="url(#{layout.name}-{part_of(start)})"/>'
        for start, end, points in arrows(layout, needs)
    )
    heads = "".join(
        f'<marker id="{layout.name}-{part}" class="part-{part}" viewBox="0 0 8 8" refX="7.5" '
        'refY="4" markerWidth="7" markerHeight="7" orient="auto" markerUnits="userSpaceOnUse">'
        '<path d="M0 0.5 8 4 0 7.5z"/></marker>'
        for part in range(len(PART_ENDS))
    )
    boxes = "".join(_box(layout, chapter, addresses[chapter], needs) for chapter in needs)
    return (
        f'<svg class="{layout.name}" viewBox="0 0 {width:g} {height:g}" role="group" '
        f'font-size="{layout.font:g}" style="max-width: {1.25 * width:.0f}px" '
        f'aria-label="Map of the book. {escape(in_words(needs))}">'
        f"<defs>{heads}</defs>{lines}{boxes}</svg>"
    )


def in_words(needs: Needs) -> str:
    """Say what the map shows."""
    said = (
        f"{chapter:02} builds on {' and '.join(f'{one:02}' for one in sorted(wanted))}"
        for chapter, wanted in needs.items()
        if wanted
    )
    return f"Arrows lead from a chapter to those that build on it: {'; '.join(said)}."


class ChapterMap(SphinxDirective):
    """``chapter-map``: the map, each chapter a link."""

    def run(self) -> list[nodes.Node]:
        """Draw it from the notebooks."""
        found = chapters(Path(self.env.srcdir) / CHAPTERS)
        if missing := sorted(set(found) ^ set(PLACES)):
            raise ExtensionError(
                f"Chapters {missing} are notebooks or have a place on the map, and not both: see "
                "PLACES in book/_ext/chapter_map.py"
            )
        for path in found.values():
            self.env.note_dependency(str(path))
        drawn = drawn_needs({number: needs_of(path) for number, path in found.items()})
        builder, page = self.env.app.builder, self.env.docname
        addresses = {
            number: builder.get_relative_uri(page, f"{CHAPTERS}/{path.stem}")
            for number, path in found.items()
        }
        pictures = "".join(svg(layout, drawn, addresses) for layout in (WIDE, NARROW))
        return [nodes.raw("", f'<div class="chapter-map">{pictures}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("chapter-map", ChapterMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
