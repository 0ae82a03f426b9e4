"""Dots along a line, a row for each thing compared, as HTML that needs no script and no picture.

A plot is a table of three columns: what was measured, its dots, and the number that sums them up.
Screen readers, phones, a dark page and paper get the same text; places are in percent, so that the
letters keep their size however wide the page is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from docutils import nodes
from matplotlib.ticker import MaxNLocator

HEIGHT = 20  # pixels of a row
EDGE = 3.0  # percent left free at both ends, for the dots and the numbers of the axis


@dataclass(frozen=True)
class Row:
    """A line of a plot.

    Args:
        label: What was measured.
        values: A dot each.
        told: The number in words, such as ``"77.8 ± 3.5"``.
        interval: Lowest, middle and highest value of a bar beneath the dots; none without one.
        group: Heading of the rows that it stands among; empty for none.
    """

    label: str
    values: tuple[float, ...]
    told: str
    interval: tuple[float, float, float] | None = None
    group: str = ""


class Axis:
    """From values to places, in percent.

    Args:
        values: All that must have a place.
    """

    def __init__(self, values: Sequence[float]) -> None:
        """Find round ends and ticks."""
        ticks = MaxNLocator(4).tick_values(min(values), max(values))
        self.low, self.high = min(*ticks, *values), max(*ticks, *values)
        self.ticks = [float(tick) for tick in ticks]

    def place(self, value: float) -> float:
        """Return where a value stands, in percent of the width."""
        share = (value - self.low) / (self.high - self.low)
        return EDGE + (100 - 2 * EDGE) * share


def dot_plot(title: str, rows: Sequence[Row]) -> nodes.raw:
    """Draw a plot.

    Args:
        title: What its axis shows.
        rows: At least one, with at least one value each.
    """
    ends = [end for row in rows for end in row.interval or ()]
    axis = Axis([*(value for row in rows for value in row.values), *ends])
    body, group = [], ""
    for row in rows:
        if row.group != group:
            group = row.group
            body.append(f'<tr><th colspan="3" scope="rowgroup">{escape(group)}</th></tr>')
        body.append(
            f'<tr><th scope="row">{escape(row.label)}</th><td>{_strip(axis, row)}</td>'
            f"<td>{escape(row.told)}</td></tr>"
        )
    last = f'<tr class="axis"><td></td><td>{_numbers(axis)}</td><td></td></tr>'
    html = (
        f'<table class="dots"><caption>{escape(title)}</caption>'
        f"<tbody>{''.join(body)}{last}</tbody></table>"
    )
    return nodes.raw("", html, format="html")


def _strip(axis: Axis, row: Row) -> str:
    middle = HEIGHT // 2
    drawn = [_line("tick", axis.place(tick), 0, axis.place(tick), HEIGHT) for tick in axis.ticks]
    if row.interval:
        low, mean, high = map(axis.place, row.interval)
        drawn.append(_line("interval", low, middle, high, middle))
        drawn.append(_line("mean", mean, 3, mean, HEIGHT - 3))
    drawn += [f'<circle cx="{axis.place(v):.1f}%" cy="{middle}" r="3"/>' for v in row.values]
    return _svg(HEIGHT, drawn)


def _numbers(axis: Axis) -> str:
    return _svg(
        HEIGHT,
        [
            f'<text x="{axis.place(tick):.1f}%" y="14" text-anchor="middle">{tick:,.10g}</text>'
            for tick in axis.ticks
        ],
    )


def _line(kind: str, x1: float, y1: int, x2: float, y2: int) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}%" y1="{y1}" x2="{x2:.1f}%" y2="{y2}"/>'


def _svg(height: int, drawn: Sequence[str]) -> str:
    return f'<svg width="100%" height="{height}" aria-hidden="true">{"".join(drawn)}</svg>'
