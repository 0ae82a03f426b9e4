"""Functions of the losses that keep something for each task, which has to be named beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number, check_strings, nearest
from mtl_utils.objectives.scalarization import Scalarization


class TaskScalarization(Scalarization):
    """A function of the losses that keeps something for each task of a model.

    Args:
        tasks: Names of the model's tasks.

    Attributes:
        tasks: The same.
        by_place: Names of buffers ``[..., K]`` that have a place for each task, in that order. A
            state of the same tasks in another order is put into this one.

    Raises:
        ValueError: If ``tasks`` is empty, or a name occurs twice or has a dot.
        TypeError: If ``tasks`` is no list of names.
    """

    by_place: tuple[str, ...] = ()

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = checked_tasks(tasks)

    def get_extra_state(self) -> Tensor:
        """Return the names of the tasks as the bytes ``[N]`` of JSON, for ``state_dict``."""
        text = json.dumps(self.tasks, ensure_ascii=False)
        return torch.tensor(list(text.encode("utf-8")), dtype=torch.uint8)

    @torch.no_grad()
    def set_extra_state(self, state: Tensor) -> None:
        """Give to each task what is its own, after the numbers of a state were copied.

        Args:
            state: What :meth:`get_extra_state` returned.

        Raises:
            ValueError: If it is of other tasks.
        """
        stored = json.loads(bytes(state.tolist()).decode("utf-8"))
        if sorted(stored) != sorted(self.tasks):
            raise ValueError(
                f"The state is of a {type(self).__name__} that was made for tasks={stored}, and "
                f"this one was made for tasks={list(self.tasks)}. Make it for the same tasks."
            )
        order = [stored.index(task) for task in self.tasks]
        for name in self.by_place:
            buffer = self.get_buffer(name)
            buffer.copy_(buffer[..., order])

    def _check_model(self, tasks: Sequence[str], model: torch_nn.Module) -> None:
        there = list(getattr(model, "tasks", self.tasks))
        for name in (*there, *tasks):
            if name not in self.tasks:
                raise KeyError(
                    f"{type(self).__name__} was made for tasks={list(self.tasks)}, and the model "
                    f"has {name!r}{nearest(name, self.tasks)}"
                )
        for name in self.tasks:
            if name not in there:
                raise KeyError(
                    f"{type(self).__name__} was made for tasks={list(self.tasks)}, and the model "
                    f"has no {name!r}{nearest(name, there)}"
                )

    def _check_known(self, tasks: Iterable[str], name: str = "tasks") -> None:
        for task in tasks:
            if task not in self.tasks:
                raise KeyError(
                    f"There is no task {task!r}, which is in {name}={tasks!r:.60}; there are "
                    f"{list(self.tasks)}{nearest(task, self.tasks)}"
                )

    def _places(self, tasks: Iterable[str]) -> list[int]:
        return [self.tasks.index(name) for name in tasks]


class TaskNumbers(torch_nn.Module):
    """A parameter for each task, each with its own state in the optimizer.

    As one vector, a task that is missing from a batch would have a gradient of zero there, and
    momentum would go on moving it.

    Args:
        tasks: Names of the tasks.
        start: What each is in the beginning.
    """

    def __init__(self, tasks: Iterable[str], start: float) -> None:
        super().__init__()
        for task in tasks:
            # What precedes the name keeps tasks from being called like a method of a module.
            self.register_parameter(f"of {task}", torch_nn.Parameter(torch.tensor(float(start))))

    def of(self, tasks: Iterable[str]) -> Tensor:
        """Return the numbers of tasks ``[K]``.

        Args:
            tasks: Their names.
        """
        return torch.stack([self.get_parameter(f"of {task}") for task in tasks])

    @torch.no_grad()
    def put(self, tasks: Iterable[str], numbers: Tensor) -> None:
        """Set the numbers of tasks.

        Args:
            tasks: Their names.
            numbers: ``[K]``.
        """
        for task, number in zip(tasks, numbers, strict=True):
            self.get_parameter(f"of {task}").copy_(number)


def checked_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return names of tasks, safe from changes.

    Args:
        tasks: The names.

    Raises:
        ValueError: If there is none, one occurs twice or has a dot.
        TypeError: If they are no list of names.
    """
    check_strings("tasks", tasks, distinct=True)
    if not tasks:
        raise ValueError(f"tasks must name at least one task, got {tasks}")
    for task in tasks:
        if not task or "." in task:
            raise ValueError(f"tasks must have names without a dot, got {task!r}")
    return tuple(tasks)


def check_rate(learning_rate: float | None) -> None:
    """Refuse what is no step size.

    Args:
        learning_rate: The step size; ``None`` is the trainer's.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not above 0.
    """
    if learning_rate is not None:
        check_number("learning_rate", learning_rate, above=0)


def by_name(
    name: str, given: Mapping[str, float] | None, tasks: Sequence[str], default: float
) -> list[float]:
    """Return numbers in the order of tasks.

    Args:
        name: What the message is to call them.
        given: Numbers by task; those that are left out have the default.
        tasks: Names of the tasks.
        default: What is not given.

    Raises:
        TypeError: If it is no mapping, or something is no number.
        KeyError: If a task is unknown.
        ValueError: If a number is below 0 or not finite.
    """
    if given is None:
        return [default] * len(tasks)
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{name} must be a mapping from names of tasks to numbers, got "
            f"{type(given).__name__} {given!r:.60}"
        )
    for task, value in given.items():
        if task not in tasks:
            raise KeyError(
                f"{name}={given!r:.60} have {task!r}, which is none of the tasks {list(tasks)}"
            )
        check_number(f"That of {task!r} in {name}={given!r:.60}", value, least=0)
    return [float(given.get(task, default)) for task in tasks]
