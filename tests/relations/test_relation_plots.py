"""The picture of a table of relations: every number at its place, and readable where it stands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt

from mtl_utils.relations import plot_relations
from mtl_utils.relations.square import square

TASKS = ["a", "b", "c"]
TABLE = square([[9.0, 1.25, -2.0], [0.0, 9.0, math.nan], [0.5, 1.0, 9.0]], TASKS)


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    plt.close("all")


def texts(figure: plt.Figure) -> dict[tuple[str, str], str]:
    (axes,) = figure.axes
    return {
        (TASKS[round(t.get_position()[1])], TASKS[round(t.get_position()[0])]): t.get_text()
        for t in axes.texts
    }


def test_each_number_stands_in_the_row_of_its_giver() -> None:
    assert texts(plot_relations(TABLE)) == {
        ("a", "b"): "+1.2",
        ("a", "c"): "-2.0",
        ("b", "a"): "+0.0",
        ("b", "c"): "·",
        ("c", "a"): "+0.5",
        ("c", "b"): "+1.0",
    }


def test_half_of_the_interval_stands_below() -> None:
    half = square(np.full((3, 3), 0.123), TASKS)
    found = texts(plot_relations(TABLE, half, digits=2))
    assert found["a", "b"] == "+1.25\n± 0.12"
    assert found["b", "c"] == "·\n± 0.12"


def test_colours_are_even_around_zero_and_leave_out_the_diagonal() -> None:
    (axes,) = plot_relations(TABLE).axes
    (image,) = axes.images
    assert image.get_clim() == (-2.0, 2.0)
    assert np.isnan(np.diag(np.ma.filled(image.get_array(), np.nan))).all()


def _luminance(colour: object) -> float:
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colors.to_rgb(colour)
    ]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_every_number_can_be_read() -> None:
    """The contrast of WCAG, of text and cell, for numbers from the least to the greatest."""
    values = np.linspace(-1, 1, 64).reshape(8, 8)
    tasks = [f"t{place}" for place in range(8)]
    (axes,) = plot_relations(square(values, tasks)).axes
    (image,) = axes.images
    for text in axes.texts:
        column, row = (round(place) for place in text.get_position())
        cell = _luminance(image.cmap(image.norm(values[row, column])))
        ink = _luminance(text.get_color())
        assert (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05) > 4.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_seen(value: float) -> None:
    """By its pixels: there is ink in a cell that has no colour."""
    half = square(np.full((2, 2), 0.5), ["a", "b"])
    figure = plot_relations(square([[0.0, value], [1.0, 0.0]], ["a", "b"]), half)
    figure.canvas.draw()
    (axes,) = figure.axes
    (text,) = (text for text in axes.texts if text.get_text().startswith("·"))
    box = text.get_window_extent()
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1]  # rows from below, as boxes count
    inside = pixels[int(box.y0) : int(box.y1) + 1, int(box.x0) : int(box.x1) + 1, :3]
    assert inside.min() < 100 < 200 < inside.max()


def test_names_of_tasks_are_inside_of_the_picture() -> None:
    tasks = [f"a rather long name of a task, number {place}" for place in range(4)]
    figure = plot_relations(square(np.eye(4), tasks))
    figure.canvas.draw()
    (axes,) = figure.axes
    labels = [*axes.get_yticklabels(), axes.yaxis.label, axes.xaxis.label]
    boxes = [label.get_window_extent() for label in labels]
    assert min(min(box.x0, box.y0) for box in boxes) >= 0


def test_a_small_loss_is_no_negative_zero() -> None:
    assert "+0.0" in texts(plot_relations(TABLE * 0 - 0.04)).values()
    assert "-0.0" not in texts(plot_relations(TABLE * 0 - 0.04)).values()


@pytest.mark.parametrize("values", [np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_a_table_without_a_size_is_drawn_too(values: np.ndarray) -> None:
    figure = plot_relations(square(values, TASKS))
    figure.canvas.draw()
    assert figure.axes[0].images[0].get_clim() == (-1.0, 1.0)


def test_it_draws_where_it_is_told() -> None:
    figure, panels = plt.subplots(1, 2)
    assert plot_relations(TABLE, axes=panels[1]) is figure
    assert not panels[0].images
    assert panels[1].get_xlabel() == "receiver"


def test_tables_of_other_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="half_width must be of the tasks of table"):
        plot_relations(TABLE, square(np.zeros((2, 2)), ["a", "b"]))
    with pytest.raises(ValueError, match="same tasks as rows and as columns"):
        plot_relations(TABLE.iloc[:2])
    with pytest.raises(ValueError, match="half_width must not be negative"):
        plot_relations(TABLE, TABLE)
    for kind in (bool, complex):
        with pytest.raises(TypeError, match="table must hold real numbers"):
            plot_relations(TABLE.astype(kind))
    with pytest.raises(TypeError, match="DataFrame"):
        plot_relations(np.zeros((2, 2)))  # type: ignore[arg-type]
