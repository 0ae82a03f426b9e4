"""What may be drawn: numbers, choices, and weights of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mtl_utils.arguments import (
    check_flag,
    check_kind,
    check_number,
    check_several,
    check_strings,
    check_whole,
    shown,
)


class Asked(Protocol):
    """Whoever is asked for values: a trial of Optuna, or :class:`RandomDraws`."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number from low to high.

        Args:
            name: What it is called.
            low: The smallest.
            high: The greatest.
            log: Whether its logarithm is what is drawn evenly.
        """

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return a whole number from low to high.

        Args:
            name: What it is called.
            low: The smallest.
            high: The greatest.
            step: Distance of one from the next.
            log: Whether its logarithm is what is drawn evenly.
        """

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of several values.

        Args:
            name: What it is called.
            choices: The values.
        """


class Dimension(ABC):
    """One setting that a search draws."""

    @abstractmethod
    def suggest(self, asked: Asked, name: str) -> Any:
        """Return a value.

        Args:
            asked: Whoever is asked for it.
            name: Name of the setting, which what is asked for begins with.
        """


@dataclass(frozen=True)
class Number(Dimension):
    """A number, drawn evenly, or evenly on a logarithmic scale.

    Args:
        low: The smallest.
        high: The greatest.
        log: Whether its logarithm is drawn: for step sizes, strengths and temperatures.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If the greatest is not above the smallest, or that is not above 0 for a
            logarithm.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        check_flag("log", self.log)
        check_number("low", self.low, above=0 if self.log else None)
        check_number("high", self.high, above=self.low)

    def suggest(self, asked: Asked, name: str) -> float:
        """Return a number; see :meth:`Dimension.suggest`.

        Args:
            asked: Whoever is asked.
            name: Name of the setting.
        """
        return float(asked.suggest_float(name, self.low, self.high, log=self.log))


@dataclass(frozen=True)
class Whole(Dimension):
    """A whole number, such as a width or a number of layers.

    Args:
        low: The smallest.
        high: The greatest.
        step: Distance of one from the next; 1 on a logarithmic scale.
        log: Whether its logarithm is drawn.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If the greatest is not above the smallest, the smallest not above 0 for a
            logarithm, or a step is given for one.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        check_flag("log", self.log)
        check_whole("low", self.low, least=1 if self.log else None)
        check_whole("high", self.high, least=self.low + 1)
        check_whole("step", self.step, least=1)
        if self.log and self.step != 1:
            raise ValueError(f"step must be 1 on a logarithmic scale, got {self.step}")

    def suggest(self, asked: Asked, name: str) -> int:
        """Return a whole number; see :meth:`Dimension.suggest`.

        Args:
            asked: Whoever is asked.
            name: Name of the setting.
        """
        high = self.low + (self.high - self.low) // self.step * self.step
        return int(asked.suggest_int(name, self.low, high, step=self.step, log=self.log))


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several values: ways of sharing, encoders, widths.

    Args:
        options: The values, of any kind. Those that are no text, number or truth value go by how
            they are printed.

    Raises:
        TypeError: If they are not several.
        ValueError: If there are fewer than two, or two that look alike.
    """

    options: Sequence[Any]

    def __post_init__(self) -> None:
        check_several("options", self.options, "values")
        if len(self.options) < 2 or len(set(self._labels())) < len(self.options):
            raise ValueError(f"options must be two different values at least, got {self.options!r}")

    def suggest(self, asked: Asked, name: str) -> Any:
        """Return one of the values; see :meth:`Dimension.suggest`.

        Args:
            asked: Whoever is asked.
            name: Name of the setting.
        """
        labels = self._labels()
        return self.options[labels.index(asked.suggest_categorical(name, labels))]

    def _labels(self) -> list[Any]:
        plain = str | int | float | bool
        return [option if isinstance(option, plain) else repr(option) for option in self.options]


@dataclass(frozen=True)
class Simplex(Dimension):
    r"""Weights of tasks that sum to their number, drawn evenly among all such weights.

    Of :math:`K` weights :math:`K - 1` are free. Sticks are broken: of what is left, the weight of
    the next task is the part :math:`1 - (1 - u)^{1 / (K - k)}` with an even :math:`u`, which makes
    the shares those of a flat Dirichlet distribution.

    Args:
        tasks: Names of the tasks, at least two.
        least: The smallest share of the sum that a task may have, below :math:`1 / K`.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If there are fewer than two tasks, or two of a name; or ``least`` is outside its
            range.
    """

    tasks: Sequence[str]
    least: float = 0.0

    def __post_init__(self) -> None:
        _check_tasks(self.tasks)
        check_number("least", self.least, least=0, below=1 / len(self.tasks))

    def suggest(self, asked: Asked, name: str) -> dict[str, float]:
        """Return the weight of each task; see :meth:`Dimension.suggest`.

        Args:
            asked: Whoever is asked.
            name: Name of the setting.
        """
        count, left, shares = len(self.tasks), 1.0, {}
        for place, task in enumerate(self.tasks[:-1], start=1):
            even = asked.suggest_float(f"{name}.{task}", 0.0, 1.0)
            shares[task] = left * (1 - (1 - even) ** (1 / (count - place)))
            left -= shares[task]
        shares[self.tasks[-1]] = left
        free = 1 - count * self.least
        return {task: count * (self.least + free * share) for task, share in shares.items()}


@dataclass(frozen=True)
class Ratios(Dimension):
    """Weights of tasks as ratios to the first, whose weight is 1, evenly on a logarithmic scale.

    Args:
        tasks: Names of the tasks, at least two.
        low: The smallest ratio.
        high: The greatest.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If there are fewer than two tasks, or two of a name; or the ratios are no range
            above 0.
    """

    tasks: Sequence[str]
    low: float = 0.1
    high: float = 10.0

    def __post_init__(self) -> None:
        _check_tasks(self.tasks)
        check_number("low", self.low, above=0)
        check_number("high", self.high, above=self.low)

    def suggest(self, asked: Asked, name: str) -> dict[str, float]:
        """Return the weight of each task; see :meth:`Dimension.suggest`.

        Args:
            asked: Whoever is asked.
            name: Name of the setting.
        """
        first, *others = self.tasks
        drawn = {
            task: float(asked.suggest_float(f"{name}.{task}", self.low, self.high, log=True))
            for task in others
        }
        return {first: 1.0, **drawn}


class RandomDraws:
    """Answers a space at random, without Optuna: a random search (Bergstra and Bengio, 2012).

    Args:
        generator: Draws.

    Attributes:
        params: What was asked for and given so far.

    Raises:
        TypeError: If it is no generator of NumPy.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        check_kind("generator", generator, np.random.Generator, "a numpy.random.Generator")
        self.generator = generator
        self.params: dict[str, Any] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number; see :meth:`Asked.suggest_float`.

        Args:
            name: What it is called.
            low: The smallest.
            high: The greatest.
            log: Whether its logarithm is what is drawn evenly.
        """
        low_end, high_end = (np.log(low), np.log(high)) if log else (low, high)
        drawn = self.generator.uniform(low_end, high_end)
        self.params[name] = float(np.clip(np.exp(drawn), low, high) if log else drawn)
        return self.params[name]

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return a whole number; see :meth:`Asked.suggest_int`.

        Args:
            name: What it is called.
            low: The smallest.
            high: The greatest.
            step: Distance of one from the next.
            log: Whether its logarithm is what is drawn evenly.
        """
        if log:
            drawn = np.exp(self.generator.uniform(np.log(low - 0.5), np.log(high + 0.5)))
            self.params[name] = int(np.clip(round(drawn), low, high))
        else:
            self.params[name] = low + step * int(self.generator.integers((high - low) // step + 1))
        return self.params[name]

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of several values; see :meth:`Asked.suggest_categorical`.

        Args:
            name: What it is called.
            choices: The values.
        """
        self.params[name] = choices[int(self.generator.integers(len(choices)))]
        return self.params[name]


class Recorded:
    """Answers a space with what was drawn before.

    Args:
        params: What was drawn, by name.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return what was drawn."""
        return float(self.params[name])

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return what was drawn."""
        return int(self.params[name])

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return what was drawn."""
        return self.params[name]


#: What a search draws, by name.
Space = Mapping[str, Dimension]


def suggest(space: Space, asked: Asked) -> dict[str, Any]:
    """Draw a value for each setting.

    Args:
        space: The settings by name.
        asked: A trial of Optuna, or :class:`RandomDraws`.

    Raises:
        TypeError: If the space is no mapping of names to dimensions.
        ValueError: If it is empty.
    """
    check_space(space)
    return {name: dimension.suggest(asked, name) for name, dimension in space.items()}


def check_space(space: Any) -> None:
    """Refuse what is no space.

    Args:
        space: What was given.

    Raises:
        TypeError: If it is no mapping of names to dimensions.
        ValueError: If it is empty.
    """
    if not isinstance(space, Mapping):
        raise TypeError(f"space must map names to dimensions, got {shown(space)}")
    if not space:
        raise ValueError(f"space must have one setting at least, got {dict(space)!r}")
    for name, dimension in space.items():
        if not isinstance(name, str) or not isinstance(dimension, Dimension):
            raise TypeError(
                f"space must map names to dimensions such as Number(1e-4, 1e-1, log=True), got "
                f"{name!r}: {shown(dimension)}"
            )


def _check_tasks(tasks: Any) -> None:
    check_strings("tasks", tasks, distinct=True)
    if len(tasks) < 2:
        raise ValueError(f"tasks must be two at least to have a ratio, got {tasks!r}")
