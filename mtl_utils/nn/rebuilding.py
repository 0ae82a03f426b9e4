"""Modules that remember how they were made, so that a stored model can be made again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn as torch_nn


@dataclass(frozen=True)
class Recipe:
    """How a module was made.

    Args:
        maker: Its class, or that of the whole it was cut from.
        arguments: What the class was called with, by name; modules among them are the very ones
            that became its parts.
        cuts: Where it was cut, in order: how many layers stayed below, and whether this is the part
            above.
    """

    maker: type[Rebuildable]
    arguments: Mapping[str, Any]
    cuts: tuple[tuple[int, bool], ...] = ()


class Rebuildable(torch_nn.Module):
    """A module that remembers the arguments it was made with.

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


def _noting(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def noting(self: Rebuildable, *args: Any, **kwargs: Any) -> None:
        if "_recipe" not in vars(self):  # the outermost call, not that of a class it inherits from
            arguments = _bound(signature, self, args, kwargs)
            object.__setattr__(self, "_recipe", Recipe(type(self), arguments))
        init(self, *args, **kwargs)

    return noting


def _bound(
    signature: inspect.Signature, self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return arguments by name; none where they do not fit, which the call itself will say."""
    try:
        bound = dict(signature.bind(self, *args, **kwargs).arguments)
    except TypeError:
        return {}
    bound.pop(next(iter(signature.parameters)))
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            bound |= bound.pop(name, {})
    # A mapping or list that its owner changes later is not what the module was made with.
    return {name: _copied(value) for name, value in bound.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return list(value)
    return dict(value) if isinstance(value, dict) else value
