"""The book's figure style."""

from collections.abc import Iterator
from itertools import combinations

import matplotlib as mpl
import matplotlib.colors as colors
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from mtl_utils import plots


@pytest.fixture(autouse=True)
def _restore_rcparams() -> Iterator[None]:
    with mpl.rc_context():
        yield


def _luminance(color: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(color: str) -> tuple[float, float, float]:
    return colors.to_rgb(color)


def _contrast(first: str, second: str) -> float:
    brighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_text_and_lines_stand_out_from_the_paper() -> None:
    plots.use_style()
    paper = mpl.rcParams["figure.facecolor"]
    for key in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"):
        assert _contrast(mpl.rcParams[key], paper) >= 7, key
    for color in plots.PALETTE:
        assert _contrast(color, paper) >= 2, color


def test_colours_differ_from_one_another() -> None:
    for first, second in combinations(plots.PALETTE, 2):
        distance = sum((a - b) ** 2 for a, b in zip(_rgb(first), _rgb(second), strict=True)) ** 0.5
        assert distance > 0.2, (first, second)


def test_figures_follow_the_style_whatever_was_set_before() -> None:
    mpl.rcParams["lines.linewidth"] = 9
    mpl.rcParams["xtick.major.size"] = 77
    plots.use_style()
    assert mpl.rcParams["lines.linewidth"] == 1.8
    assert mpl.rcParams["xtick.major.size"] == mpl.rcParamsDefault["xtick.major.size"]
    assert mpl.rcParams["figure.facecolor"] == "white"
    assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.PALETTE)


def test_the_back_end_stays() -> None:
    before = mpl.get_backend()
    interactive = mpl.is_interactive()
    plots.use_style()
    assert mpl.get_backend() == before
    assert mpl.is_interactive() == interactive


def test_panels_show_the_numbers_of_their_tables_in_one_colour_a_column() -> None:
    first = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]}, index=[10, 20])
    second = pd.DataFrame({"b": [7.0]}, index=[30])
    panels = plots.draw_panels({"one": first, "two": second}, "steps", "score", marker="o")
    assert list(panels) == ["one", "two"]
    lines = {
        (title, line.get_label()): line for title, axes in panels.items() for line in axes.lines
    }
    assert list(lines) == [("one", "a"), ("one", "b"), ("two", "b")]
    np.testing.assert_array_equal(lines["one", "b"].get_xydata(), [[10, 3], [20, 5]])
    np.testing.assert_array_equal(lines["two", "b"].get_xydata(), [[30, 7]])
    assert lines["one", "b"].get_color() == lines["two", "b"].get_color()
    assert lines["one", "b"].get_color() != lines["one", "a"].get_color()
    assert {line.get_marker() for line in lines.values()} == {"o"}
    assert [axes.get_xlabel() for axes in panels.values()] == ["steps", "steps"]
    assert [axes.get_ylabel() for axes in panels.values()] == ["score", ""]
    assert all(axes.get_legend() for axes in panels.values())  # their lines differ
    pyplot.close()


def test_panels_with_the_same_lines_have_one_legend() -> None:
    table = pd.DataFrame({"a": [1.0], "b": [2.0]})
    panels = plots.draw_panels({"one": table, "two": table[["b", "a"]]}, "x", "y")
    assert [bool(axes.get_legend()) for axes in panels.values()] == [False, True]
    pyplot.close()
