"""What a model is made of as plain data: encoders, ways of sharing, tasks and tokenizers."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np
from torch import nn as torch_nn

from mtl_utils.arguments import check_several, shown
from mtl_utils.data import PretrainedTokenizer, Tokenizer, Vocabulary
from mtl_utils.data.tokenizer_content import tokenizer_content, tokenizer_of
from mtl_utils.nn.pretrained import PretrainedEncoder
from mtl_utils.nn.rebuilding import Rebuildable, Recipe
from mtl_utils.saving.stored_model import part
from mtl_utils.tasks.text_task import TextTask

#: Rooms whose classes and functions a stored model may name.
_ROOMS = ("nn", "sharing", "tasks")
_OWN = "own"
HOW = "Store its weights alone: torch.save(model.state_dict(), path)."
"""What is left to do with a model that cannot be stored whole."""


class Blueprint:
    """Writes down things that a model is made of; each once, however often it is used.

    Attributes:
        parts: What was written down so far, each part with its kind and what it was made with;
            parts refer to others by their numbers.
    """

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no other object gets the number of one that is gone

    def of(self, value: Any) -> Any:
        """Return a value as JSON can hold it.

        Args:
            value: A number, a text, nothing, a collection of such, a module that remembers how it
                was made, a task, a tokenizer, a vocabulary, a function of this package, or a class
                that remembers, alone or in a ``functools.partial``.

        Raises:
            TypeError: If it is something else.
        """
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, np.generic | np.ndarray):
            return self.of(value.tolist())
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, Mapping):
            pairs = [[self.of(key), self.of(content)] for key, content in value.items()]
            return {"mapping": pairs}
        if isinstance(value, tuple):
            return {"tuple": [self.of(item) for item in value]}
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if id(value) not in self._numbers:
            part = self._part(value)
            self._numbers[id(value)] = len(self.parts)
            self._kept.append(value)
            self.parts.append(part)
        return {"part": self._numbers[id(value)]}

    def _part(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Rebuildable):
            recipe = value.recipe
            made = {"class": class_name(recipe.maker), "with": self.of_recipe(recipe)}
            return made | ({"cuts": [list(cut) for cut in recipe.cuts]} if recipe.cuts else {})
        if is_task(value):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
            return {"class": class_name(type(value)), "with": self._arguments(fields)}
        if type(value) is PretrainedTokenizer:
            roles = dict(value.roles)
            return {"pretrained tokenizer": {"definition": value.definition, "roles": roles}}
        if isinstance(value, Tokenizer):
            return {"tokenizer": tokenizer_content(value)}
        if type(value) is Vocabulary:
            return {"vocabulary": list(value)}
        if type(value) is torch_nn.Embedding:
            size = {"num_embeddings": value.num_embeddings, "width": value.embedding_dim}
            return {"embedding": {**size, "padding_idx": value.padding_idx}}
        if isinstance(value, type | functools.partial):
            return self._maker(value)
        if callable(value) and not isinstance(value, torch_nn.Module):
            return {"function": _function_name(value)}
        raise TypeError(f"{shown(value)} cannot be stored with a model. {HOW}")

    def _maker(self, value: Any) -> dict[str, Any]:
        """Write down a class, with what it is to be given beside what it is called with."""
        made = value if isinstance(value, functools.partial) else functools.partial(value)
        kind = made.func
        # A pretrained encoder is more than what it is called with.
        if not isinstance(kind, type) or not issubclass(kind, Rebuildable) or _is_pretrained(kind):
            raise TypeError(f"{shown(kind)} cannot be stored as what makes a part. {HOW}")
        first, given = self.of(list(made.args)), self._arguments(made.keywords)
        return {"maker": class_name(kind), "positions": first, "with": given}

    def of_recipe(self, recipe: Recipe) -> dict[str, Any]:
        """Return what something was made with, as JSON can hold it.

        Args:
            recipe: How it was made.

        Raises:
            TypeError: If an argument cannot be stored, unless it is what is taken anyway.
        """
        parameters = inspect.signature(recipe.maker).parameters
        found: dict[str, Any] = {}
        for name, value in recipe.arguments.items():
            try:
                found |= self._arguments({name: value})
            except TypeError:
                if name not in parameters or parameters[name].default is not value:
                    raise
        return found

    def _arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in arguments.items():
            try:
                found[name] = self.of(value)
            except TypeError as error:
                error.add_note(f"It was given as {name}.")
                raise
        return found


class Builder:
    """Makes things again from what a :class:`Blueprint` wrote down.

    Args:
        parts: The parts.
        own: Classes that are not this package's.

    Raises:
        ValueError: If the parts are no list of parts.
    """

    def __init__(self, parts: Any, own: Iterable[type] = ()) -> None:
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise ValueError("the parts of the model are no list of objects")
        self._parts, self._made = parts, {}  # type: ignore[var-annotated]
        self._own = {kind.__qualname__: kind for kind in own}

    def of(self, value: Any) -> Any:
        """Return what a value of JSON stands for.

        Args:
            value: What :meth:`Blueprint.of` returned.

        Raises:
            ValueError: If it stands for nothing, or for a class that is not known here.
        """
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if not isinstance(value, dict):
            return value
        match value:
            case {"part": int(number)} if len(value) == 1:
                return self._part(number)
            case {"tuple": list(items)} if len(value) == 1:
                return tuple(self.of(item) for item in items)
            case {"mapping": list(pairs)} if len(value) == 1:
                return {self.of(key): self.of(content) for key, content in pairs}
            case {"float": "inf" | "-inf" | "nan" as text} if len(value) == 1:
                return float(text)
        raise ValueError(f"{value!r:.80} stands for nothing")

    def _part(self, number: int) -> Any:
        if not 0 <= number < len(self._parts):
            raise ValueError(f"there is no part {number} of {len(self._parts)}")
        if number not in self._made:
            self._made[number] = _UNDER_WAY
            self._made[number] = self._make(self._parts[number])
        if self._made[number] is _UNDER_WAY:
            raise ValueError(f"part {number} is a part of itself")
        return self._made[number]

    def _make(self, part: dict[str, Any]) -> Any:
        match part:
            case {"class": str(name), "with": dict(arguments)}:
                kind = self._class(name)
                given = {k: self.of(v) for k, v in arguments.items()}
                if _is_pretrained(kind) and not _is_configuration(given):
                    raise ValueError("a pretrained encoder has more than its configuration")
                made = kind(**given)
                for num_layers, above in part.get("cuts", ()):
                    made = made.cut(num_layers)[bool(above)]
                return made
            case {"pretrained tokenizer": dict(content)}:
                return PretrainedTokenizer(**content)
            case {"tokenizer": dict(content)}:
                return tokenizer_of(content)
            case {"vocabulary": list(tokens)}:
                return Vocabulary(tuple(tokens))
            case {"embedding": dict(content)}:
                size = content["num_embeddings"], content["width"]
                return torch_nn.Embedding(*size, padding_idx=content["padding_idx"])
            case {"maker": str(name), "positions": list(first), "with": dict(arguments)}:
                maker = self._class(name)
                if _is_pretrained(maker):  # it would be looked up elsewhere
                    raise ValueError(f"{name!r} is made of a configuration alone")
                given = {k: self.of(v) for k, v in arguments.items()}
                return functools.partial(maker, *map(self.of, first), **given)
            case {"function": str(name)}:
                return _checked(name, _found(name), isinstance(_found(name), FunctionType))
        raise ValueError(f"{part!r:.80} is no part of a model")

    def _class(self, name: str) -> Callable[..., Any]:
        room, _, inner = name.partition(".")
        if room != _OWN:
            kind = _found(name)
            made_of = isinstance(kind, type) and issubclass(kind, Rebuildable | TextTask)
            return _checked(name, kind, made_of)
        if inner not in self._own:
            raise ValueError(
                f"it was made with a class of your own, {inner}: give it, load(folder, "
                f"own=[{inner}])"
            )
        return self._own[inner]


_UNDER_WAY = object()


def is_task(value: Any) -> bool:
    """Tell a task whose fields say all that it is made of.

    Args:
        value: Anything.
    """
    parts = ("name", "causal", "head", "metrics")
    if isinstance(value, type) or not dataclasses.is_dataclass(value):
        return False
    return isinstance(value, TextTask) or all(hasattr(value, part) for part in parts)


def class_name(kind: type) -> str:
    """Return the name of a class in a stored model.

    Args:
        kind: The class.

    Returns:
        Room and name of a class of this package; ``"own."`` and the name of any other.
    """
    name = _exported(kind)
    return f"{_OWN}.{kind.__qualname__}" if name is None else name


def _function_name(function: Any) -> str:
    name = _exported(function)
    if name is None:
        raise TypeError(
            f"{shown(function)} is a function of your own, which cannot be stored with a model. "
            "Where a class of this package does the same, give functools.partial(nn.THE_CLASS, "
            f"...) instead. {HOW}"
        )
    return name


def _exported(value: Any) -> str | None:
    for room in _ROOMS:
        module = importlib.import_module(f"mtl_utils.{room}")
        name = getattr(value, "__name__", "")
        if name in module.__all__ and getattr(module, name) is value:
            return f"{room}.{name}"
    return None


def _found(name: str) -> Any:
    """Look up a class or a function of this package that a stored model names."""
    room, _, inner = name.partition(".")
    if room in _ROOMS:
        module = importlib.import_module(f"mtl_utils.{room}")
        if inner in module.__all__:
            return getattr(module, inner)
    raise ValueError(f"there is no {name!r} in this version of the package")


def _checked(name: str, value: Any, fits: bool) -> Any:
    if not fits:
        raise ValueError(f"{name!r} is nothing that a model is made of")
    return value


def _is_pretrained(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, PretrainedEncoder)


def _is_configuration(arguments: Mapping[str, Any]) -> bool:
    """Tell a configuration from a name or a path, which would be looked up elsewhere."""
    given = arguments.get("name_or_folder")
    return set(arguments) == {"name_or_folder"} and isinstance(given, Mapping)


def content_of(kind: str, recipe: Recipe) -> dict[str, Any]:
    """Return what a model is made of, as JSON can hold it.

    Args:
        kind: What it is to be known as.
        recipe: How it was made.

    Raises:
        TypeError: If a part of it cannot be stored.
    """
    blueprint = Blueprint()
    content = {"model": kind, "settings": blueprint.of_recipe(recipe)}
    if recipe.changes:
        content["changes"] = {name: blueprint.of(value) for name, value in recipe.changes.items()}
    return content | {"parts": blueprint.parts}


def settings_of(
    content: Mapping[str, Any], own: Sequence[type]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a model is to be made with, and what is to be changed then.

    Args:
        content: What :func:`content_of` returned.
        own: Classes that are not this package's.

    Raises:
        ValueError: If the content is damaged, or a class is not known.
    """
    builder = Builder(content["parts"], own)
    changes = part(content, "changes") if "changes" in content else {}
    return (
        {name: builder.of(value) for name, value in part(content, "settings").items()},
        {name: builder.of(value) for name, value in changes.items()},
    )


def own_names(content: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes that are needed to make what was written down.

    Args:
        content: What :func:`content_of` returned.
    """
    named = [content["model"], *(p.get("class", p.get("maker")) for p in content["parts"])]
    own = (name.removeprefix(f"{_OWN}.") for name in named if name and name.startswith(f"{_OWN}."))
    return list(dict.fromkeys(own))


def is_ours(kind: type) -> bool:
    """Tell classes of this package from others.

    Args:
        kind: The class.
    """
    return kind.__module__.split(".")[0] == "mtl_utils"


def checked_classes(own: Any) -> tuple[type, ...]:
    """Return classes of one's own, after a look at them.

    Args:
        own: The classes.

    Raises:
        TypeError: If they are no classes in a list.
    """
    check_several("own", own, "classes of your own", sized=False)
    classes = tuple(own)
    for kind in classes:
        if not isinstance(kind, type):
            raise TypeError(f"own must be a list of classes of your own, got {shown(kind)} in it")
    return classes
