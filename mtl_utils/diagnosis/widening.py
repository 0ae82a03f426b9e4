"""The same model with an encoder of twice the width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn as torch_nn

from mtl_utils.arguments import check_kind, check_seed
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.encoder import Encoder
from mtl_utils.nn.rebuilding import RemembersArguments

#: Arguments of encoders that are sizes of a state, or of what is computed from one.
_SIZES = ("width", "feedforward_width")


def widened(model: MultiTaskModel, seed: int = 0) -> MultiTaskModel:
    """Make a model of the same tasks and way of sharing, with twice the width.

    Every module is made again with the arguments that it was made with, and an encoder with twice
    its ``width``. The weights are new ones.

    Args:
        model: The model, which stays as it is.
        seed: Of the new weights.

    Returns:
        Another model, with what every multi-task model has: losses and predictions of batches.

    Raises:
        ValueError: If an encoder has no width that could be doubled, as a pretrained one, or a part
            was not made by its arguments alone; the message says which.
        TypeError: If something is not of its kind.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_seed("seed", seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sharing = _Again().made(model.sharing)
        if sharing.width != 2 * model.sharing.width:
            raise ValueError(
                "model must have an encoder whose width can be doubled; "
                f"{type(model.sharing).__name__} has states of {model.sharing.width} numbers, and "
                f"{sharing.width} when made anew"
            )
        made = MultiTaskModel(sharing, list(model.tasks.values()))
    return made.to(next(model.parameters()).device)


class _Again:
    """Makes modules anew, each once however often it is used."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}

    def made(self, thing: Any) -> Any:
        if isinstance(thing, RemembersArguments):
            if id(thing) not in self._made:
                self._made[id(thing)] = self._rebuilt(thing)
            return self._made[id(thing)]
        if isinstance(thing, torch_nn.Module):
            raise ValueError(
                f"model must have parts that know their arguments, as nn.Rebuildable does; got "
                f"{type(thing).__name__}, which cannot be made anew with twice the width"
            )
        if isinstance(thing, Mapping):
            return {key: self.made(value) for key, value in thing.items()}
        if isinstance(thing, list | tuple) and not hasattr(thing, "_fields"):
            return type(thing)(self.made(value) for value in thing)
        return thing

    def _rebuilt(self, thing: RemembersArguments) -> Any:
        recipe = thing.recipe
        if recipe.cuts or recipe.changes:
            raise ValueError(
                f"model must have parts as they were made, got a {type(thing).__name__} that was "
                "cut or changed, which cannot be made anew with twice the width"
            )
        given = {name: self.made(value) for name, value in recipe.arguments.items()}
        if isinstance(thing, Encoder):
            for name in _SIZES:
                if isinstance(given.get(name), int):
                    given[name] *= 2
        return recipe.maker(**given)
