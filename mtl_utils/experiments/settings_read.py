"""What a training reads of its settings: a name that nothing reads would change nothing, unseen."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from mtl_utils.arguments import nearest
from mtl_utils.experiments.experiment import Config

_Train = TypeVar("_Train", bound=Callable[..., Any])

Within = Callable[[Mapping[str, Any]], Collection[str] | None]
"""Names what a setting that is a mapping may have; ``None`` where whoever takes it refuses."""


@dataclass(frozen=True)
class Reading:
    """The settings that a training reads.

    Args:
        names: Their names.
        within: By name of a setting that is a mapping what it may have.
        beside: Tasks that may be trained beside those of the settings.
    """

    names: frozenset[str]
    within: Mapping[str, Within] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()

    def and_others(self, *names: str, beside: Iterable[str] = (), **within: Within) -> Reading:
        """Return what a training reads that is built upon this one.

        Args:
            *names: Further settings.
            beside: Further tasks.
            **within: What further settings that are mappings may have.
        """
        return Reading(
            self.names | {*names, *within}, {**self.within, **within}, self.beside | {*beside}
        )

    def check(self, where: str, settings: Config, tasks: Iterable[str]) -> None:
        """Refuse settings that are not read, and weights of tasks that are not trained.

        Args:
            where: What the message is to call the settings.
            settings: The settings.
            tasks: Those that are trained, beside those of the settings.

        Raises:
            ValueError: If there are such.
        """
        _check(where, settings, self.names)
        for name, known_in in self.within.items():
            value = settings.get(name)
            known = known_in(value) if isinstance(value, Mapping) else None
            if isinstance(value, Mapping) and known is not None:
                _check(f"{name} of {where}", value, known)
        weights = settings.get("weights")
        if isinstance(weights, Mapping):
            trained = {*settings.get("tasks", ()), *tasks, *self.beside}
            _check(f"weights of {where}", weights, trained)


def reads(reading: Reading) -> Callable[[_Train], _Train]:
    """Make a training say what settings it reads, and refuse others.

    Args:
        reading: What it reads.

    Returns:
        A decorator of ``train(settings, unit, ...)``; see :func:`reading_of`.
    """

    def refusing(train: _Train) -> _Train:
        @functools.wraps(train)
        def checked(settings: Config, unit: Any, *rest: Any, **named: Any) -> Any:
            reading.check("settings", settings, unit.tasks)
            return train(settings, unit, *rest, **named)

        vars(checked)["reads"] = reading
        return cast(_Train, checked)

    return refusing


def reading_of(train: Callable[..., Any]) -> Reading | None:
    """Return what a training reads; ``None`` if it does not say.

    Args:
        train: The training.
    """
    found: Reading | None = getattr(train, "reads", None)
    return found


def arguments_of(made: Callable[..., Any], *given: str) -> set[str]:
    """Name the arguments of a class or a function that settings may give.

    Args:
        made: The class or the function.
        *given: Arguments that come from elsewhere.
    """
    return {*inspect.signature(made).parameters} - {*given}


def _check(where: str, settings: Mapping[str, Any], known: Collection[str]) -> None:
    for name in settings:
        if name not in known:
            raise ValueError(f"Nothing reads {name!r} in {where}{nearest(name, sorted(known))}")
