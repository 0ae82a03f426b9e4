"""Whether two models may be merged: the same architecture, tokenizer and starting weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtl_utils.arguments import shown
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.rebuilding import Recipe
from mtl_utils.saving.blueprint import Blueprint, class_name
from mtl_utils.sharing.changing import settings_of


def check_architecture(
    first: tuple[str, MultiTaskModel], other: tuple[str, MultiTaskModel]
) -> None:
    """Refuse models whose shared parts are made differently; dropout aside.

    Args:
        first: A model, with what to call it.
        other: Another.

    Raises:
        ValueError: If their architectures differ, saying where.
    """
    shapes = [_shapes(model) for _, model in (first, other)]
    made = [_made_of(model) for _, model in (first, other)]
    kinds = [type(model.sharing).__name__ for _, model in (first, other)]
    where = (
        _difference("way of sharing", *kinds)
        or _difference("shared parameters", *shapes)
        or _difference("settings", *made)
    )
    if where:
        raise ValueError(
            f"{first[0]} and {other[0]} cannot be merged: their architectures differ, {where}"
        )


def check_tokenizer(first: tuple[str, MultiTaskModel], other: tuple[str, MultiTaskModel]) -> None:
    """Refuse models whose ids stand for other pieces.

    Args:
        first: A model, with what to call it.
        other: Another.

    Raises:
        ValueError: If their tokenizers differ.
    """
    tokenizers = [getattr(model, "tokenizer", None) for _, model in (first, other)]
    if _written(tokenizers[0]) == _written(tokenizers[1]):
        return
    sizes = [getattr(tokenizer, "vocab_size", None) for tokenizer in tokenizers]
    raise ValueError(
        f"{first[0]} and {other[0]} cannot be merged: their tokenizers differ, with {sizes[0]} and "
        f"{sizes[1]} pieces, so that an id is another word in each"
    )


def common_start(models: Sequence[tuple[str, MultiTaskModel]], base: MultiTaskModel | None) -> str:
    """Return the digest of the weights that all trainings began with.

    Args:
        models: The models, with what to call each.
        base: The model as it was then; ``None`` if it is not known.

    Raises:
        ValueError: If there is no such beginning, or it is not that of ``base``.
    """
    of = {name: (*model.starts, model.shared_digest()) for name, model in models}
    for name, model in models:
        if not model.starts and (base is None or base.shared_digest() != of[name][-1]):
            raise ValueError(
                f"{name} cannot be merged: it has no record of the weights that it was trained "
                "from. Train with fit, or call note_start() before a loop of your own."
            )
    if base is not None:
        wanted = base.shared_digest()
        for name, found in of.items():
            if wanted not in found:
                raise ValueError(
                    f"{name} cannot be merged: its starting weights differ from those of base, "
                    f"{wanted}; it was trained from {' then '.join(found[:-1])}"
                )
        return wanted
    first, *others = of.items()
    common = [start for start in first[1] if all(start in found for _, found in others)]
    if not common:
        other = next(name for name, found in others if not set(found) & set(first[1]))
        raise ValueError(
            f"{first[0]} and {other} cannot be merged: their starting weights differ, "
            f"{shown(first[1][0])} and {shown(of[other][0])}. Fine-tune copies of one model."
        )
    return common[-1]


def _shapes(model: MultiTaskModel) -> dict[str, list[int]]:
    return {name: list(weight.shape) for name, weight in model.shared_weights().items()}


def _made_of(model: MultiTaskModel) -> Any:
    """Return what a way of sharing is made of, tasks aside, as far as it can be written."""
    recipe = model.sharing.recipe
    blueprint = Blueprint()
    try:
        settings = blueprint.of_recipe(Recipe(recipe.maker, settings_of(model.sharing)))
    except TypeError:  # with parts of one's own; names and shapes have to do
        return class_name(recipe.maker)
    return _undropped([settings, blueprint.parts])


def _written(part: Any) -> Any:
    if part is None:
        return None
    blueprint = Blueprint()
    try:
        return [blueprint.of(part), blueprint.parts]
    except TypeError:
        return part


def _undropped(value: Any) -> Any:
    """Leave out what changes training alone."""
    if isinstance(value, Mapping):
        return {k: _undropped(v) for k, v in value.items() if "dropout" not in k}
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and "dropout" in value[0]:
            return []  # a pair of a configuration
        return [_undropped(item) for item in value]
    return value


def _difference(name: str, one: Any, other: Any) -> str:
    """Say where two values first differ; empty where they do not."""
    if one == other:
        return ""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            if key not in one or key not in other:
                return f"{name}: only one has {key!r}"
            if one[key] != other[key]:
                return _difference(f"{name}, {key}", one[key], other[key])
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for first, second in zip(one, other, strict=True):
            if first != second and isinstance(first, Mapping | list):
                return _difference(name, first, second)
    return f"{name}: {one!r:.100} and {other!r:.100}"
