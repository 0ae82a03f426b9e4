"""Contenders of a comparison: which models there are, and what each of them trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mtl_utils.arguments import check_choice, check_kind, check_several, check_strings, check_text
from mtl_utils.experiments.experiment import Config

Grouping = Literal["together", "apart"]


@dataclass(frozen=True)
class Unit:
    """Tasks that one model learns, with one trainer and one stored set of weights.

    Args:
        tasks: Names of the tasks that are trained.
        judged: Those that count when the weights of the best validation are chosen, and that are
            measured; all if left out. The others are there to help.

    Raises:
        ValueError: If there is no task, one twice, or a judged one is not among those trained.
        TypeError: If names are no strings.
    """

    tasks: tuple[str, ...]
    judged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for argument, names in (("tasks", self.tasks), ("judged", self.judged)):
            check_several(argument, names, "names of tasks")
            for place, name in enumerate(names):
                check_text(f"{argument}[{place}]", name)
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks must be at least one, none twice, got {self.tasks!r}")
        strangers = [name for name in self.judged if name not in self.tasks]
        if strangers:
            raise ValueError(f"judged must be among the tasks {self.tasks!r}, got {strangers!r}")
        object.__setattr__(self, "judged", tuple(self.judged) or tuple(self.tasks))

    @property
    def name(self) -> str:
        """The judged tasks, joined by ``+``: each is judged in one unit of a contender."""
        return "+".join(self.judged)

    def part(self, tasks: Sequence[str]) -> Unit:
        """Return a unit with those of its tasks that are named.

        Args:
            tasks: Names of tasks.

        Raises:
            ValueError: If none of them is among its own, or among those that it judges.
        """
        kept, judged = (
            tuple(name for name in names if name in tasks) for names in (self.tasks, self.judged)
        )
        if not judged:
            raise ValueError(f"tasks must name some of {self.judged!r}, got {tasks!r}")
        return Unit(kept, judged)


@dataclass(frozen=True)
class Contender:
    """One way of having a model for every task.

    Args:
        name: What tables call it.
        grouping: ``"together"``: one model for all tasks. ``"apart"``: one for each, with a
            trainer, clipping, step size and stopping of its own.
        settings: What it has beside or instead of the settings that all share; dotted names reach
            into mappings, as in ``{"sharing.kind": "soft"}``.
        trials: What is tried after the step size, the best of which is taken: each the settings
            that it changes. As many for every contender of a comparison.
        helpers: Tasks that are trained beside the judged ones and do not count.
        groups: The tasks of each model, in place of ``grouping``: each task in one of them.
        only: Those of the tasks that it has models for, where a table asks for no others; all if
            left out. It has no ``groups`` then.

    Raises:
        ValueError: If ``grouping`` is something else, the name is empty, a group is empty or has
            a task that is there already, or there are both ``groups`` and ``only``.
        TypeError: If something is not of its kind.
    """

    name: str
    grouping: Grouping = "together"
    settings: Config = field(default_factory=dict)
    trials: tuple[Config, ...] = ()
    helpers: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_text("name", self.name)
        if not self.name:
            raise ValueError(f"name must not be empty, got {self.name!r}")
        check_choice("grouping", self.grouping, ("together", "apart"))
        check_kind("settings", self.settings, Mapping, "a mapping")
        check_several("trials", self.trials, "settings")
        for place, trial in enumerate(self.trials):
            check_kind(f"trials[{place}]", trial, Mapping, "a mapping")
        check_several("helpers", self.helpers, "names of tasks")
        check_several("groups", self.groups, "groups of tasks")
        for place, group in enumerate(self.groups):
            check_strings(f"groups[{place}]", group)
            if not group:
                raise ValueError(f"groups[{place}] must have at least one task, got {group!r}")
        grouped = [task for group in self.groups for task in group]
        if len(set(grouped)) < len(grouped):
            raise ValueError(f"groups must have each task once, got {self.groups!r}")
        check_strings("only", self.only, distinct=True)
        if self.only and self.groups:
            raise ValueError(f"only must be left out where there are groups, got {self.only!r}")

    def units(self, tasks: Sequence[str]) -> tuple[Unit, ...]:
        """Say which models there are.

        Args:
            tasks: Names of the tasks that are compared.

        Returns:
            One unit a model.

        Raises:
            ValueError: If groups leave out a task, or have one that is not compared; or if
                ``only`` names one that is not.
        """
        strangers = [task for task in self.only if task not in tasks]
        if strangers:
            raise ValueError(f"only must name tasks of {list(tasks)}, got {strangers}")
        tasks = [task for task in tasks if task in self.only] if self.only else tasks
        if self.groups:
            grouped = {task for group in self.groups for task in group}
            if grouped != set(tasks):
                raise ValueError(f"groups must have the tasks {list(tasks)}, got {self.groups!r}")
            return tuple(Unit((*group, *self.helpers), tuple(group)) for group in self.groups)
        if self.grouping == "together":
            return (Unit((*tasks, *self.helpers), tuple(tasks)),)
        return tuple(Unit((task, *self.helpers), (task,)) for task in tasks)


def overlaid(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change settings without touching the ones given.

    Args:
        settings: The settings.
        changes: What to change; a dotted name reaches into a mapping.

    Returns:
        Other settings.

    Raises:
        KeyError: If a dotted name leads through something that is not there.
        TypeError: If it leads through something that is no mapping.

    Example:
        >>> overlaid({"training": {"epochs": 2}, "width": 8}, {"training.epochs": 4})
        {'training': {'epochs': 4}, 'width': 8}
    """
    result = dict(settings)
    for name, value in changes.items():
        first, _, rest = name.partition(".")
        if not rest:
            result[first] = value
            continue
        if first not in result:
            raise KeyError(f"{name!r} leads into {first!r}, and the settings have {list(result)}")
        check_kind(first, result[first], Mapping, "a mapping")
        result[first] = overlaid(result[first], {rest: value})
    return result
