"""Widgets: every setting reachable, a static start, controls in a live kernel."""

from collections.abc import Callable
from typing import Any

import ipywidgets
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from mtl_utils import widgets
from mtl_utils.widgets import Widget


def _describe(**settings: Any) -> str:
    return repr(sorted(settings.items()))


def test_all_combinations_come_once_the_initial_one_first() -> None:
    widget = Widget(_describe, {"a": [1, 2, 3], "b": ["x", "y"]}, start={"a": 2})
    found = list(widget.settings())
    assert found[0] == widget.initial == {"a": 2, "b": "x"}
    assert len(found) == 6
    assert len({repr(settings) for settings in found}) == 6


def test_a_large_grid_turns_one_control_at_a_time() -> None:
    widget = Widget(_describe, {"a": range(20), "b": range(20)}, start={"a": 7})
    found = list(widget.settings())
    assert len(found) == 1 + 19 + 19
    assert {settings["a"] for settings in found} == set(range(20))
    assert {settings["b"] for settings in found} == set(range(20))
    assert all(settings["a"] == 7 or settings["b"] == 0 for settings in found)


def test_a_call_changes_the_initial_settings() -> None:
    widget = Widget(_describe, {"a": [1, 2], "b": ["x", "y"]}, start={"b": "y"})
    assert widget() == "[('a', 1), ('b', 'y')]"
    assert widget(a=2) == "[('a', 2), ('b', 'y')]"


@pytest.mark.parametrize(
    ("controls", "start", "message"),
    [
        ({}, {}, "at least one value each"),
        ({"a": []}, {}, "at least one value each"),
        ({"a": [1]}, {"a": 2}, "start with a=2"),
        ({"a": [1]}, {"b": 1}, "start with b=1"),
    ],
)
def test_controls_without_values_are_refused(
    controls: dict[str, list[int]], start: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Widget(_describe, controls, start)


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    shown: list[Any] = []
    monkeypatch.setattr(widgets, "display", shown.append)
    return shown


def _turn(box: ipywidgets.VBox, position: int, value: Any) -> None:
    box.children[0].children[position].value = value


def test_controls_start_where_asked_and_call_the_function(displayed: list[Any]) -> None:
    calls: list[dict[str, Any]] = []
    record: Callable[..., None] = lambda **settings: calls.append(settings)  # noqa: E731
    Widget(record, {"temperature": [0.5, 1.0], "name": ["x", "y"]}, {"temperature": 1.0}).show()
    (box,) = displayed
    kinds = [type(control) for control in box.children[0].children]
    assert kinds == [ipywidgets.SelectionSlider, ipywidgets.Dropdown]
    assert calls == [{"temperature": 1.0, "name": "x"}]
    _turn(box, 1, "y")
    assert calls[-1] == {"temperature": 1.0, "name": "y"}
    _turn(box, 0, 0.5)
    assert calls[-1] == {"temperature": 0.5, "name": "y"}


def test_a_figure_is_shown_once_and_closed(displayed: list[Any]) -> None:
    def draw(size: int) -> Figure:
        figure, axes = pyplot.subplots()
        axes.plot(range(size))
        return figure

    before = pyplot.get_fignums()
    Widget(draw, {"size": [2, 3]}).show()
    figures = [item for item in displayed if isinstance(item, Figure)]
    assert len(figures) == 1
    assert pyplot.get_fignums() == before


def test_text_is_printed(displayed: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    Widget(_describe, {"a": [1]}).show()
    # Outside a kernel, ipywidgets clears the output with control characters first.
    assert capsys.readouterr().out.endswith("[('a', 1)]\n")
    assert len(displayed) == 1
