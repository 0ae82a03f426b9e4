"""Things that remember how they were made, so that a stored model can be made again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn as torch_nn


@dataclass(frozen=True)
class Recipe:
    """How something was made.

    Args:
        maker: Its class, or that of the whole it was cut from.
        arguments: What the class was called with, by name, its defaults too; modules among them are
            the very ones that became its parts.
        cuts: Where it was cut, in order: how many layers stayed below, and whether this is the part
            above.
        changes: What was changed after it was made, by name.
    """

    maker: type[RemembersArguments]
    arguments: Mapping[str, Any]
    cuts: tuple[tuple[int, bool], ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)


class RemembersArguments:
    """Something that remembers the arguments it was made with.

    A class that inherits from it has nothing to do: calls of its ``__init__`` are noted.
    """

    _recipe: Recipe

    def __init_subclass__(cls, **options: Any) -> None:
        """Have calls of ``__init__`` noted, where the class has one of its own."""
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = _noting(cls.__init__)  # type: ignore[method-assign]

    @property
    def recipe(self) -> Recipe:
        """How it was made."""
        return self._recipe


class Rebuildable(RemembersArguments, torch_nn.Module):
    """A module that remembers the arguments it was made with, as whatever inherits from it does."""


def note_cut(whole: Rebuildable, num_layers: int, *parts: Rebuildable) -> None:
    """Note of parts of a module how they were made.

    Args:
        whole: The module that was cut.
        num_layers: How many layers stayed below.
        *parts: What is below and what is above.
    """
    recipe = whole.recipe
    for part, above in zip(parts, (False, True), strict=True):
        cuts = (*recipe.cuts, (num_layers, above))
        object.__setattr__(part, "_recipe", replace(recipe, cuts=cuts))


def note_change(changed: RemembersArguments, **changes: Any) -> None:
    """Note what was changed after something was made.

    Args:
        changed: What was changed.
        **changes: What it has now.
    """
    recipe = changed.recipe
    noted = replace(recipe, changes={**recipe.changes, **changes})
    object.__setattr__(changed, "_recipe", noted)


def _noting(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def noting(self: RemembersArguments, *args: Any, **kwargs: Any) -> None:
        if "_recipe" in vars(self):  # the outermost call is noted, not that of an inherited class
            init(self, *args, **kwargs)
            return
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError:  # the call itself says how the arguments do not fit
            init(self, *args, **kwargs)
            return
        for name, value in bound.arguments.items():
            # The one can be gone through once, the other is no copy and can have none.
            if isinstance(value, Iterator | ItemsView | KeysView | ValuesView):
                bound.arguments[name] = tuple(value)
        object.__setattr__(self, "_recipe", Recipe(type(self), _by_name(bound)))
        init(*bound.args, **bound.kwargs)

    return noting


def _by_name(bound: inspect.BoundArguments) -> dict[str, Any]:
    """Return arguments by name, and defaults where none are given: those of today."""
    given = dict(bound.arguments)
    parameters = list(bound.signature.parameters.values())[1:]  # without self
    found: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found |= given.get(parameter.name, {})
        elif parameter.name in given:
            found[parameter.name] = given[parameter.name]
        elif parameter.default is not inspect.Parameter.empty:
            found[parameter.name] = parameter.default
    # A mapping or list that its owner changes later is not what was made with it.
    return {name: _copied(value) for name, value in found.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return list(value)
    return dict(value) if isinstance(value, dict) else value
