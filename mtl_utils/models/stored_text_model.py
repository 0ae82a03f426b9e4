"""A text model as plain data, and its card for people."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from mtl_utils.arguments import check_kind, check_names, check_several, shown
from mtl_utils.files import whole_file
from mtl_utils.models.blueprint import Blueprint, Builder, same_names
from mtl_utils.models.stored_model import part

if TYPE_CHECKING:
    from mtl_utils.models.text_model import TextModel

CARD = "README.md"


def content_of(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model is made of, as JSON can hold it.

    Args:
        kind: What it is to be known as.
        settings: What it is made with.

    Raises:
        TypeError: If a part of it cannot be stored.
    """
    blueprint = Blueprint()
    described = {name: blueprint.of(value) for name, value in settings.items()}
    return {"model": kind, "settings": described, "parts": blueprint.parts}


def settings_of(content: Mapping[str, Any], own: Sequence[type]) -> dict[str, Any]:
    """Return what a model is to be made with.

    Args:
        content: What :func:`content_of` returned.
        own: Classes that are not this package's.

    Raises:
        ValueError: If the content is damaged, or a class is not known.
    """
    builder = Builder(content["parts"], own)
    return {name: builder.of(value) for name, value in part(content, "settings").items()}


def own_classes(model: TextModel) -> list[type]:
    """Return the classes of a model's parts that are not this package's.

    Args:
        model: The model.
    """
    kinds = {type(module) for module in model.modules()} | set(map(type, model.tasks.values()))
    return [kind for kind in kinds if not kind.__module__.startswith("mtl_utils.")]


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


def check_rebuilt(made: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Refuse to store what could not be read again.

    Args:
        made: The tensors by name of a model that was made of what would be stored.
        weights: Those of the model.

    Raises:
        ValueError: If names or shapes differ.
    """
    difference = same_names(list(weights), list(made))
    shapes = {
        name: (list(tensor.shape), list(made[name].shape))
        for name, tensor in weights.items()
        if name in made and tensor.shape != made[name].shape
    }
    if difference or shapes:
        raise ValueError(
            "The model cannot be stored: made of the same parts it has other weights. "
            f"{difference or shapes!s:.300}. Parts that were changed after they were made are not "
            "known; make them as they are to be."
        )


def write_card(folder: str | os.PathLike[str], card: str) -> None:
    """Write what a model is for people.

    Args:
        folder: Where to.
        card: What :func:`card_of` returned.

    Raises:
        OSError: If it cannot be written.
    """
    with whole_file(Path(folder) / CARD) as file:
        file.write(card.encode("utf-8"))


def card_of(
    model: TextModel, data: Mapping[str, str] | None, scores: Mapping[str, float] | None
) -> str:
    """Return what a model is for people.

    Args:
        model: The model.
        data: What each task was trained on, if it is to be said.
        scores: What it was measured at, likewise.

    Raises:
        TypeError: If data or scores are not given by name, or a score is no number.
    """
    data = {} if data is None else data
    scores = {} if scores is None else scores
    check_names("data", data, "what each task was trained on")
    check_names("scores", scores, "scores by the names of metrics")
    for name, value in scores.items():
        check_kind(f"scores[{name!r}]", value, Real, "a number")
    shared = sum(p.numel() for p in model.shared_parameters())
    total = sum(p.numel() for p in model.parameters())
    lines = [
        "# A multi-task model",
        "",
        f"{len(model.tasks)} tasks over {type(model.sharing).__name__}, {total:,} parameters, of "
        f"which tasks share {shared:,}. It reads texts of at most "
        f"{model.max_length or 'any number of'} tokens.",
        "",
        "```python",
        "from mtl_utils.models import TextModel",
        "",
        'model = TextModel.load("this folder")',
        'model.predict(["A text."])',
        "```",
        "",
        "| task | kind | reads | labels | trained on |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, task in model.text_tasks.items():
        labels = [_cell(label) for label in getattr(task, "labels", ())]
        shown = ", ".join(labels[:20]) + (f", … ({len(labels)})" if len(labels) > 20 else "")
        columns = " and ".join(map(_cell, task.inputs))
        kind = type(task).__name__
        trained = _cell(data.get(name, ""))
        lines.append(f"| {_cell(name)} | {kind} | {columns} | {shown} | {trained} |")
    if scores:
        lines += ["", "| score | value |", "| --- | --- |"]
        lines += [f"| {_cell(name)} | {value:.4g} |" for name, value in scores.items()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return text as the cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")
