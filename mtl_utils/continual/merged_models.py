"""One model of several that were fine-tuned apart, each task with the head it was trained with."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_names, shown
from mtl_utils.continual.architecture import check_architecture, check_tokenizer, common_start
from mtl_utils.continual.merging import Average, Merging
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import note_tasks
from mtl_utils.sharing.changing import part_of

Model = TypeVar("Model", bound=MultiTaskModel)


def merge_models(
    models: Mapping[str, Model], base: Model | None = None, how: Merging | None = None
) -> Model:
    """Merge what models share, without training; heads are kept, one for each task.

    Weights of models that were made apart stand for other things at the same place, and their mean
    for nothing. So all must have been trained from the same weights, which models remember
    (``model.starts``): copies of one model, or models over one pretrained encoder.

    Args:
        models: By task the model that was trained on it, whose head it keeps, and whatever else
            that model has for this task alone. A model of several tasks is counted once.
        base: The model that all were trained from, which task vectors are taken from.
        how: How weights are merged; :class:`Average` if ``None``.

    Returns:
        A new model in evaluation mode, with these tasks in this order. It can be trained further,
        saved and loaded.

    Raises:
        ValueError: If starting weights, architecture or tokenizer of two models differ, saying
            which; if nothing is shared, or something else once the tasks are together, as in a
            hierarchy; if there is no model, or the way of merging needs a ``base``.
        KeyError: If a model does not have its task.
        TypeError: If something is not of its kind.
    """
    how = Average() if how is None else how
    _check(models, base, how)
    named = _named(models)
    first = ("base", base) if base is not None else named[0]
    assert first[1] is not None
    for model in named:
        check_architecture(first, model)
        check_tokenizer(first, model)
    start = common_start(named, base)
    template = first[1]
    weights = torch.stack([_flat(model) for _, model in named])
    if not weights.shape[1]:
        raise ValueError(
            f"models share no weights between their tasks, got {type(template.sharing).__name__}; "
            "there is nothing to merge"
        )
    if base is None:
        merged_weights = how.combine(weights)
    else:
        origin = _flat(base)
        merged_weights = origin + how.combine(weights - origin)
    merged = copy.deepcopy(template)
    merged._starts = tuple(dict.fromkeys((*template.starts, start)))
    _take_tasks(merged, models)
    other = set(merged.shared_weights()) ^ set(template.shared_weights())
    if other:
        raise ValueError(
            f"models cannot be merged: a {type(template.sharing).__name__} for the tasks "
            f"{list(models)} shares other weights than {first[0]} does, such as {min(other)}"
        )
    _put(merged, merged_weights)
    return merged.eval()


def task_vector(model: MultiTaskModel, base: MultiTaskModel) -> dict[str, Tensor]:
    """Return what a training added to the shared weights that it began with.

    Args:
        model: The trained model.
        base: The model as it was before.

    Returns:
        By name of a shared parameter.

    Raises:
        ValueError: If architectures, tokenizers or starting weights differ.
        TypeError: If one is no multi-task model.
    """
    for name, given in (("model", model), ("base", base)):
        check_kind(name, given, MultiTaskModel, "a MultiTaskModel")
    check_architecture(("base", base), ("model", model))
    check_tokenizer(("base", base), ("model", model))
    common_start([("model", model)], base)
    first = base.shared_weights()
    return {
        name: weight.detach() - first[name].detach().to(weight.device)
        for name, weight in model.shared_weights().items()
    }


def _check(models: Any, base: Any, how: Any) -> None:
    check_names("models", models, "models by task")
    if not models:
        raise ValueError(f"models must be at least one, by task, got {models!r}")
    for task, model in models.items():
        check_kind(f"models[{task!r}]", model, MultiTaskModel, "a MultiTaskModel")
        if task not in model.tasks:
            raise KeyError(f"models[{task!r}] has the tasks {list(model.tasks)}, and not that one")
    if base is not None:
        check_kind("base", base, MultiTaskModel, "a MultiTaskModel")
    ways = callable(getattr(how, "combine", None)) and hasattr(how, "needs_base")
    if isinstance(how, type) or not ways:
        raise TypeError(f"how must be a way of merging such as TIES(), got {shown(how)}")
    if how.needs_base and base is None:
        raise ValueError(
            f"how={how!r} adds up what trainings changed, and needs the base that they began with; "
            "got base=None"
        )


def _named(models: Mapping[str, Model]) -> list[tuple[str, Model]]:
    """Return each model once, called by its first task."""
    found: dict[int, tuple[str, Model]] = {}
    for task, model in models.items():
        found.setdefault(id(model), (f"models[{task!r}]", model))
    return list(found.values())


def _flat(model: MultiTaskModel) -> Tensor:
    parts = [weight.detach().float().flatten().cpu() for weight in model.shared_weights().values()]
    return torch.cat(parts) if parts else torch.empty(0)


@torch.no_grad()
def _put(model: MultiTaskModel, flat: Tensor) -> None:
    start = 0
    for weight in model.shared_weights().values():
        weight.copy_(flat[start : start + weight.numel()].view(weight.shape))
        start += weight.numel()


@torch.no_grad()
def _take_tasks(merged: MultiTaskModel, models: Mapping[str, MultiTaskModel]) -> None:
    """Give a model the tasks of others, with their heads and whatever is theirs alone."""
    device = next(merged.parameters()).device
    for name, owner in models.items():
        if name not in merged.tasks:
            part = copy.deepcopy(part_of(owner.sharing, name))
            merged.add_task(owner.tasks[name], part)
        merged.tasks[name] = owner.tasks[name]
        merged.heads[name] = copy.deepcopy(owner.heads[name]).to(device)
    for name in [name for name in merged.tasks if name not in models]:
        merged.remove_task(name)
    merged.tasks = {name: merged.tasks[name] for name in models}
    heads = {name: merged.heads[name] for name in models}
    merged.heads.clear()
    merged.heads.update(heads)
    note_tasks(merged)
    for name, owner in models.items():
        theirs = dict(owner.sharing.named_parameters())
        own = {id(parameter) for parameter in merged.sharing.task_parameters(name)}
        for path, parameter in merged.sharing.named_parameters():
            if id(parameter) in own:
                parameter.copy_(theirs[path])
