"""Parts of a way of sharing that each task has for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MappingView, Sequence, Set
from typing import Any, TypeVar

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.nn.encoder import Encoder, EncoderLayers

Holder = TypeVar("Holder", torch_nn.ModuleDict, torch_nn.ParameterDict)


class PerTask(torch_nn.ModuleDict):
    """One module a task, found by its name: an encoder, or some layers of one.

    Two of them may have parameters in common, for example their embeddings; these are shared.

    Args:
        parts: The modules by task, all of the same width.
        kind: What an error is to call one of them.

    Attributes:
        width: Size of the hidden states that each of them returns.

    Raises:
        ValueError: If there is no task, a name is not fit for a module, widths differ, or two tasks
            were given the same module.
        TypeError: If ``parts`` is not a mapping from names to encoders or their layers.
    """

    def __init__(
        self, parts: Mapping[str, Encoder] | Mapping[str, EncoderLayers], kind: str
    ) -> None:
        if not isinstance(parts, Mapping):
            raise TypeError(
                f"Expected one {kind} a task, as a mapping from names of tasks, got "
                f"{type(parts).__name__} {parts!r:.60}"
            )
        if not parts:
            raise ValueError(f"Expected one {kind} a task, got none: {parts!r}")
        for task, part in parts.items():
            if not isinstance(task, str) or not isinstance(part, Encoder | EncoderLayers):
                raise TypeError(
                    f"Expected one {kind} a task, an nn.Encoder or its layers by the name of the "
                    f"task, got {parts!r:.60}"
                )
        try:
            super().__init__(parts)
        except KeyError as error:  # with a dot, empty, or a word of PyTorch's own such as "type"
            raise ValueError(f"A task needs another name: PyTorch says {error}") from error
        if len(set(map(id, parts.values()))) != len(parts):
            raise ValueError(
                f"Some of the tasks {list(parts)} were given the same {kind}; give each its own, "
                "for example by copy.deepcopy"
            )
        widths = {task: part.width for task, part in parts.items()}
        if len(set(widths.values())) != 1:
            raise ValueError(f"Each {kind} must have the same width, got {widths}")
        self.width = next(iter(widths.values()))

    def __getitem__(self, task: str) -> torch_nn.Module:
        """Return the module of a task.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        check_known(task, self.task_names)
        return super().__getitem__(task)

    @property
    def task_names(self) -> list[str]:
        """Names of the tasks, in the order given."""
        return list(self.keys())

    def causal(self, task: str) -> bool:
        """Tell whether the module of a task reads from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        part = self[task]
        assert isinstance(part, Encoder | EncoderLayers)
        return part.causal


def check_known(task: str, names: Sequence[str]) -> None:
    """Refuse a task that a way of sharing was not made for.

    Args:
        task: Name of the task.
        names: Names of those that it was made for.

    Raises:
        KeyError: If it is none of them.
    """
    if task not in names:
        raise KeyError(f"No task named {task!r}; this way of sharing was made for {list(names)}")


def check_names(tasks: Sequence[str], argument: str = "tasks") -> list[str]:
    """Return names of tasks, after a look at what was given.

    Args:
        tasks: The names.
        argument: What the message is to call them.

    Raises:
        TypeError: If they are no strings, a single string was given for several names, or they
            have no order, as in a set.
        ValueError: If one occurs twice.
    """
    if isinstance(tasks, str):
        raise TypeError(
            f"Expected names of tasks as {argument}, got the string {tasks!r}; use [{tasks!r}]"
        )
    # Strings in a set come in another order in every process, and so would the weights.
    unordered = isinstance(tasks, Set) and not isinstance(tasks, MappingView)
    wrong = unordered or not isinstance(tasks, Iterable)
    names = [] if wrong else list(tasks)
    if wrong or not all(isinstance(task, str) for task in names):
        raise TypeError(
            f"Expected names of tasks as {argument}, strings in a list or tuple, got {tasks!r:.60}"
        )
    if len(set(names)) != len(names):
        raise ValueError(f"Tasks need different names, got {argument}={names}")
    return names


def named(tasks: Sequence[str]) -> list[str]:
    """Return names of tasks, of which there has to be one.

    Args:
        tasks: The names.

    Raises:
        ValueError: If there is none, or one occurs twice.
        TypeError: If they are no names.
    """
    names = check_names(tasks)
    if not names:
        raise ValueError(f"Expected at least one name of a task as tasks, got {tasks!r}")
    return names


def as_module_dict(parts: Mapping[str, torch_nn.Module]) -> torch_nn.ModuleDict:
    """Return modules of tasks as one module.

    Args:
        parts: The modules by name of the task.

    Raises:
        ValueError: If a name is not fit for a module.
    """
    return _held(parts, torch_nn.ModuleDict)


def as_parameter_dict(parts: Mapping[str, Tensor]) -> torch_nn.ParameterDict:
    """Return parameters of tasks as one module.

    Args:
        parts: Their first values by name of the task.

    Raises:
        ValueError: If a name is not fit for such a module, which takes fewer: not ``"copy"``.
    """
    return _held(parts, torch_nn.ParameterDict)


def _held(parts: Mapping[str, Any], holder: Callable[[Mapping[str, Any]], Holder]) -> Holder:
    try:
        return holder(parts)
    except KeyError as error:  # with a dot, empty, or a word of PyTorch's own such as "type"
        raise ValueError(
            f"A task of tasks={list(parts)} needs another name: PyTorch says {error}"
        ) from error
