"""The map of the book against what the notebooks say, and its arrows against its boxes."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import chapter_map  # noqa: E402
from chapter_map import NARROW, PLACES, WIDE, Layout  # noqa: E402

PATHS = chapter_map.chapters(ROOT / "chapters")
NEEDS = {number: chapter_map.needs_of(path) for number, path in PATHS.items()}
DRAWN = chapter_map.drawn_needs(NEEDS)
ADDRESSES = {number: f"{path.stem}.html" for number, path in PATHS.items()}
layouts = pytest.mark.parametrize("layout", [WIDE, NARROW], ids=lambda layout: layout.name)


@pytest.mark.parametrize("number", PATHS)
def test_what_a_chapter_needs_is_what_its_notebook_says(number: int) -> None:
    """Read another way: every number of a chapter in that paragraph, but for those not needed."""
    cells = nbformat.read(PATHS[number], as_version=4).cells
    opening = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    paragraph = opening.split("**Before you start**", 1)[1].split("\n\n")[0]
    sentences = [s for s in re.split(r"(?<=\.)\s", paragraph) if "do not need it" not in s]
    said = {int(n) for n in re.findall(r">(?:chapter )?(\d\d)</a>", " ".join(sentences))}
    assert NEEDS[number] == said
    assert said or number == 1
    assert all(one < number for one in said)


def test_every_chapter_has_a_place_of_its_own_in_its_part() -> None:
    assert list(PLACES) == sorted(PATHS)
    assert len({place[:2] for place in PLACES.values()}) == len(PLACES)
    contents = (ROOT / "_toc.yml").read_text("utf-8").split("caption: ")
    parts = [set(map(int, re.findall(r"chapters/(\d\d)_", part))) for part in contents]
    expected = [part for part in parts if part]
    found = [{n for n in PLACES if chapter_map.part_of(n) == k} for k in range(len(expected))]
    assert found == expected


def test_only_arrows_that_follow_are_left_out() -> None:
    for number in NEEDS:
        everything = chapter_map.everything_before(NEEDS, number)
        assert chapter_map.everything_before(DRAWN, number) == everything
        for one in DRAWN[number]:
            others = {**DRAWN, number: DRAWN[number] - {one}}
            assert chapter_map.everything_before(others, number) != everything
    assert DRAWN[4] == {3}
    assert DRAWN[15] == {11, 12, 13}


def _points(path: str) -> Iterator[tuple[float, float]]:
    """Walk along a path of lines and cubic curves."""
    here = (0.0, 0.0)
    for kind, written in re.findall(r"([MLC])([^MLC]+)", path):
        values = list(map(float, written.split()))
        pairs = list(zip(values[::2], values[1::2], strict=True))
        corners = [here, here, pairs[0], pairs[0]] if kind != "C" else [here, *pairs]
        if kind != "M":
            for step in range(101):
                t = step / 100
                b = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                yield tuple(sum(w * c[k] for w, c in zip(b, corners, strict=True)) for k in (0, 1))  # type: ignore[misc]
        here = pairs[-1]


@layouts
def test_arrows_end_at_their_boxes_and_cross_no_other(layout: Layout) -> None:
    drawn = chapter_map.svg(layout, DRAWN, ADDRESSES)
    paths = re.findall(r'data-from="(\d\d)" data-to="(\d\d)" d="([^"]+)"', drawn)
    assert {(int(a), int(b)) for a, b, _ in paths} == {(a, b) for b in DRAWN for a in DRAWN[b]}
    width, height = layout.box
    for start, end, path in paths:
        points = list(_points(path))
        for chapter, (x, y) in ((n, layout.corner(n)) for n in PLACES):
            inside = [
                p
                for p in points
                if x + 0.5 < p[0] < x + width - 0.5 and y + 0.5 < p[1] < y + height - 0.5
            ]
            assert not inside, f"{start} to {end} crosses {chapter:02}"
        for point, number in ((points[0], int(start)), (points[-1], int(end))):
            x, y = layout.corner(number)
            far = math.hypot(
                max(x - point[0], 0, point[0] - x - width),
                max(y - point[1], 0, point[1] - y - height),
            )
            assert far < 0.2
        assert all(0 <= p[0] <= layout.size[0] for p in points)


def test_titles_fit_and_can_be_read_on_a_phone() -> None:
    """At 360 pixels the picture has 328; a letter is nearly half as wide as the font is high."""
    assert NARROW.size[0] <= 334
    assert NARROW.font * 328 / NARROW.size[0] >= 11.5
    for _, _, title in PLACES.values():
        for line in chapter_map.lines_of(title):
            assert len(line) * 0.48 * NARROW.font <= NARROW.box[0], line
        plain = title.replace("\u00ad", "")
        assert len(f"00 {plain}") * 0.45 * WIDE.font <= WIDE.box[0], plain


@layouts
def test_every_box_is_a_link_that_says_what_it_needs(layout: Layout) -> None:
    drawn = chapter_map.svg(layout, DRAWN, ADDRESSES)
    assert re.findall(r'<a href="([^"]+)"', drawn) == list(ADDRESSES.values())
    assert 'aria-label="Chapter 15, Negative transfer. Needs 11, 12, 13."' in drawn
    assert 'aria-label="Chapter 21, Hyperparameters. Needs 14."' in drawn
    assert "03 builds on 02; " in drawn


def test_paths_of_readers_keep_to_the_map() -> None:
    """In order; and two of them leave out nothing that one of their chapters needs."""
    page = (ROOT / "book" / "index.md").read_text("utf-8")
    items = page.split("## Where to start")[1].split("###")[0].split("\n- ")[1:]
    assert [re.findall(r"\*\*To (.+?)\*\*", item)[0] for item in items] == [
        *("read", "learn by doing", "use it", "change it")
    ]
    for place, item in enumerate(items):
        path = [int(n) for n in re.findall(r"\{doc\}`(\d\d) </chapters/\1_", item)]
        assert path == sorted(set(path))
        assert len(path) >= 2
        if place < 2:
            assert all(chapter_map.everything_before(NEEDS, n) <= set(path) for n in path)
