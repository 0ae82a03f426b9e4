"""Widgets of the book: a pure function, the settings a reader may turn, a static start.

The website and a stored notebook show what the function gives at the start; a live kernel (Jupyter
or Colab) shows the same with controls. Every setting is called in the tests.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import ipywidgets
from IPython.display import display
from matplotlib import pyplot
from matplotlib.figure import Figure

from mtl_utils.arguments import check_callable, check_text, shown

__all__ = ["Widget"]

ALL_COMBINATIONS = 200
"""Up to so many settings, all combinations of the controls are called in the tests."""


@dataclass(frozen=True)
class Widget:
    """A function of a few settings that a reader can turn.

    Example:
        ``Widget(sample_table, {"temperature": [0.2, 0.5, 1.0], "top_k": [1, 5, 50]},
        start={"temperature": 1.0}).show()`` as the last line of a cell tagged ``widget``.

    Attributes:
        function: Takes the controls by name and returns a figure, a text, a table or anything
            that a notebook displays. It must not depend on the settings called before: whatever
            is random takes a seed inside.
        controls: Name of each control and the values it may take.
        start: Values shown first; a control that is not named starts at its first value.

    Raises:
        ValueError: If there is no control, a control has no value or is none of the function's
            arguments, or ``start`` is not among the values.
        TypeError: If ``function`` is no function, controls or start are not by name, or the values
            of a control are no list.
    """

    function: Callable[..., Any]
    controls: Mapping[str, Sequence[Any]]
    start: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_callable("function", self.function)
        for what, named in (("controls", self.controls), ("start", self.start)):
            if not isinstance(named, Mapping):
                raise TypeError(f"{what} must be values by name of a control, got {shown(named)}")
        for name, values in self.controls.items():
            check_text("A name among controls", name)
            # Of a set the first value would be another in another session.
            if isinstance(values, str | Mapping | Set) or not hasattr(values, "__getitem__"):
                raise TypeError(f"controls[{name!r}] must be a list of values, got {shown(values)}")
        empty = [name for name, values in self.controls.items() if not len(values)]
        if not self.controls or empty:
            raise ValueError(
                f"A widget needs controls with at least one value each, but was given "
                f"{dict(self.controls)!r}."
            )
        self._check_taken(self.controls)
        for name, value in self.start.items():
            if name not in self.controls or value not in self.controls[name]:
                raise ValueError(
                    f"A widget was asked to start with {name}={value!r} (start={self.start!r}), "
                    "but its controls take "
                    f"{ {key: list(values) for key, values in self.controls.items()}!r}."
                )

    def _check_taken(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that the function has no argument for."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):  # some that are built in have none
            return
        kinds = {parameter.kind for parameter in signature.parameters.values()}
        if inspect.Parameter.VAR_KEYWORD in kinds:
            return
        for name, value in settings.items():
            if name not in signature.parameters:
                raise ValueError(
                    f"A widget was given {name}={value!r} (among its controls or changes), but "
                    f"its function takes {list(signature.parameters)} only"
                )

    @property
    def initial(self) -> dict[str, Any]:
        """The settings shown first."""
        return {name: self.start.get(name, values[0]) for name, values in self.controls.items()}

    def settings(self) -> Iterator[dict[str, Any]]:
        """Iterate over the settings that the tests call, the initial one first.

        Yields:
            All combinations where there are at most 200; otherwise every
            value of every control, one control at a time from the initial settings.
        """
        first = self.initial
        yield first
        names = list(self.controls)
        if math.prod(map(len, self.controls.values())) <= ALL_COMBINATIONS:
            combinations = (
                dict(zip(names, c, strict=True)) for c in product(*self.controls.values())
            )
            yield from (settings for settings in combinations if settings != first)
            return
        for name, values in self.controls.items():
            yield from ({**first, name: value} for value in values if value != first[name])

    def __call__(self, **changes: Any) -> Any:
        """Call the function at the initial settings with some changed, without controls.

        Args:
            changes: Values of some controls.

        Returns:
            What the function returns.

        Raises:
            ValueError: If a name is none of the function's arguments.
        """
        self._check_taken(changes)
        return self.function(**{**self.initial, **changes})

    def show(self) -> None:
        """Display the controls and the result, which follows them in a live kernel.

        What a notebook stores of it is the initial result alone: controls without a kernel would
        be dead, and executing the book's notebooks takes them out.
        """
        boxes = {name: self._control(name) for name in self.controls}
        result = ipywidgets.interactive_output(self._present, boxes)
        display(ipywidgets.VBox([ipywidgets.HBox(list(boxes.values())), result]))

    def _control(self, name: str) -> Any:
        values = list(self.controls[name])
        numbers = all(isinstance(value, int | float) for value in values)
        kind = ipywidgets.SelectionSlider if numbers and len(values) > 1 else ipywidgets.Dropdown
        options = [(str(value), value) for value in values]
        # Without continuous updates a slow function is called once, when the slider is let go.
        extra = {"continuous_update": False} if kind is ipywidgets.SelectionSlider else {}
        return kind(
            options=options, value=self.initial[name], description=name.replace("_", " "), **extra
        )

    def _present(self, **settings: Any) -> None:
        result = self.function(**settings)
        if isinstance(result, str):
            print(result)
            return
        if isinstance(result, Figure):
            # Pyplot would draw the open figure a second time at the end of the cell.
            pyplot.close(result)
        if result is not None:
            display(result)
