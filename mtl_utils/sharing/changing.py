"""A way of sharing for one task more or less: made again, with the weights that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn as torch_nn

from mtl_utils.arguments import shown
from mtl_utils.nn.rebuilding import Recipe


def with_task(sharing: Any, task: str, part: Any) -> None:
    """Give a way of sharing that has parts for each task those of one more, in place.

    Args:
        sharing: The way of sharing.
        task: Name of the task.
        part: What it is to have, where each task was given something; ``None`` otherwise.

    Raises:
        KeyError: If there are parts for each task, and none for this one, or no way to make some.
        ValueError: If a part was given where none is used, there are parts of that name, or the
            weights of other tasks would change.
    """
    names = list(sharing.task_names)
    if task in names:
        raise ValueError(f"task {task!r} has its parts already; the others are those of {names}")
    given = dict(sharing.recipe.arguments)
    mappings, lists = _by_task(given, names)
    if not mappings and not lists:
        raise KeyError(
            f"{type(sharing).__name__} was made for {names} and cannot be made for {task!r} too"
        )
    if mappings and part is None:
        raise KeyError(
            f"{type(sharing).__name__} was made for {names}, with {' and '.join(mappings)} for "
            f"each; give add_task what {task!r} is to have there, as part"
        )
    if not mappings and part is not None:
        raise ValueError(
            f"{type(sharing).__name__} makes what each task has by itself; leave part out, got "
            f"{shown(part)}"
        )
    changed: dict[str, Any] = {name: {**given[name], task: part} for name in mappings}
    changed |= {name: [*given[name], task] for name in lists}
    made = _made(sharing.recipe, changed)
    _check_kept(sharing, made, f"for {task!r} too")
    _become(sharing, made)


def without_task(sharing: Any, task: str) -> None:
    """Take the parts of a task from a way of sharing, in place.

    Args:
        sharing: The way of sharing.
        task: Name of the task.

    Raises:
        KeyError: If it was not made for that task.
        ValueError: If it is the only one, or its parts cannot be told from those of others.
    """
    names = list(sharing.task_names)
    if task not in names:
        raise KeyError(f"No task named {task!r}; this way of sharing was made for {names}")
    if len(names) == 1:
        raise ValueError(f"task {task!r} is the only one that this way of sharing was made for")
    given = dict(sharing.recipe.arguments)
    mappings, lists = _by_task(given, names)
    if not mappings and not lists:
        raise ValueError(f"What {task!r} has of a {type(sharing).__name__} cannot be told")
    changed: dict[str, Any] = {
        name: {key: value for key, value in given[name].items() if key != task} for name in mappings
    }
    changed |= {name: [key for key in given[name] if key != task] for name in lists}
    with torch.random.fork_rng(devices=[]):  # what is drawn is overwritten
        made = _made(sharing.recipe, changed)
    own = {id(parameter) for parameter in sharing.task_parameters(task)}
    _check_kept(sharing, made, f"without {task!r}", own)
    _become(sharing, made)


def settings_of(sharing: Any) -> dict[str, Any]:
    """Return what a way of sharing was made with, but for what each of its tasks was given.

    Args:
        sharing: The way of sharing.
    """
    given = dict(sharing.recipe.arguments)
    mappings, lists = _by_task(given, list(sharing.task_names or ()))
    return {name: value for name, value in given.items() if name not in (*mappings, *lists)}


def part_of(sharing: Any, task: str) -> Any:
    """Return what a task was given when a way of sharing was made; ``None`` where nothing was.

    Args:
        sharing: The way of sharing.
        task: Name of the task.
    """
    given = dict(sharing.recipe.arguments)
    mappings, _ = _by_task(given, list(sharing.task_names or ()))
    return given[mappings[0]][task] if mappings else None


def _by_task(given: Mapping[str, Any], names: list[str]) -> tuple[list[str], list[str]]:
    """Return names of arguments that have something for each task, and of those that list them."""
    mappings = [k for k, value in given.items() if isinstance(value, Mapping) and value]
    mappings = [k for k in mappings if list(given[k]) == names]
    several = [k for k, value in given.items() if isinstance(value, list | tuple)]
    return mappings, [k for k in several if names and list(given[k]) == names]


def _made(recipe: Recipe, changed: Mapping[str, Any]) -> torch_nn.Module:
    made = recipe.maker(**{**recipe.arguments, **changed})
    assert isinstance(made, torch_nn.Module)
    return made


def _check_kept(
    sharing: torch_nn.Module,
    made: torch_nn.Module,
    how: str,
    own: frozenset[int] | set[int] = frozenset(),
) -> None:
    """Refuse what would change weights that are not one task's own."""
    found = dict(made.named_parameters(remove_duplicate=False))
    for name, parameter in sharing.named_parameters(remove_duplicate=False):
        if id(parameter) in own:
            continue
        if name not in found or found[name].shape != parameter.shape:
            raise ValueError(
                f"{type(sharing).__name__} cannot be made {how} and leave other tasks as they are: "
                f"its {name} {list(parameter.shape)} is of all tasks together. Make a new model."
            )


def _become(sharing: Any, made: Any) -> None:
    """Give a module the parts of another, and these the weights and modes that it has."""
    old = dict(sharing.named_modules())
    like = next(sharing.parameters())
    weights = dict(sharing.named_parameters(remove_duplicate=False))
    buffers = dict(sharing.named_buffers(remove_duplicate=False))
    with torch.no_grad():
        for name, parameter in made.named_parameters(remove_duplicate=False):
            source = weights.get(name)
            if source is None:
                parameter.data = parameter.data.to(like.device, like.dtype)
            elif source is not parameter:
                parameter.data = source.detach().clone()
                parameter.requires_grad_(source.requires_grad)
        for name, buffer in made.named_buffers(remove_duplicate=False):
            if name in buffers and buffers[name].shape == buffer.shape:
                buffer.data = buffers[name].detach().clone()
            else:
                buffer.data = buffer.data.to(like.device)
    sharing.hand_on(made)
    for name, module in made.named_modules():
        known = old.get(name)
        module.training = sharing.training if known is None else known.training
        if known is not None and "_held" in vars(known):
            module._held = known._held
    vars(sharing).clear()
    vars(sharing).update(vars(made))
