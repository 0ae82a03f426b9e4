"""Deletion curves: do the tokens that are said to matter move what the model says?"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_sizes, check_tensor, check_whole
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.interpretation.targets import Target, check_targets_of, choose, head_outputs
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode


@torch.no_grad()
def deletion_curve(
    model: MultiTaskModel,
    inputs: Inputs,
    target: Target,
    scores: Tensor,
    filler: int,
    *,
    most: int | None = None,
    max_tokens: int = 4096,
) -> Tensor:
    """Replace tokens one after the other, the highest score first, and ask the model each time.

    Args:
        model: The model.
        inputs: B texts.
        target: What is asked; the label that is predicted for the whole text stays the one asked
            for.
        scores: ``[B, T]``, such as those of an :class:`Attribution`; tokens at minus infinity are
            replaced last.
        filler: Id that stands in the place of a token, such as that of unknown words.
        most: The most tokens of a text to replace; all if ``None``.
        max_tokens: How many tokens, padding included, are computed at a time.

    Returns:
        ``[B, K + 1]``, the number after 0 to K tokens were replaced; a text with fewer tokens keeps
        its last number.

    Raises:
        TypeError: If something is not of its kind.
        KeyError: If a task or label is unknown.
        ValueError: If shapes differ, or a number is outside its range.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_kind("inputs", inputs, Inputs, "Inputs")
    check_targets_of(model, [target], "target")
    check_tensor("scores", scores, "[B, T]", "floating-point")
    check_whole("filler", filler, least=0)
    check_sizes(max_tokens=max_tokens)
    if scores.shape != inputs.input_ids.shape:
        raise ValueError(
            f"scores must be {list(inputs.input_ids.shape)} as inputs, got {list(scores.shape)}"
        )
    size, length = inputs.input_ids.shape
    if most is not None:
        check_sizes(most=most)
    steps = min(length, length if most is None else most)
    device = next(model.parameters()).device
    inputs, scores = inputs.to(device), scores.to(device)
    # Padding comes last: it is below minus infinity here.
    order = torch.where(inputs.mask, 0.0, 1.0).argsort(dim=1, stable=True)
    by_score = scores.masked_fill(~inputs.mask, -torch.inf).gather(1, order)
    order = order.gather(1, by_score.argsort(dim=1, descending=True, stable=True))
    rank = order.argsort(dim=1)  # [B, T], 0 for what is replaced first
    rank = rank.masked_fill(~inputs.mask, length)
    places = torch.arange(size * (steps + 1), device=device)
    with evaluation_mode(model):
        whole = Batch(inputs)
        chosen = choose(
            model, target, head_outputs(model, whole, [target.task])[target.task], whole
        )
        numbers = []
        for part in places.split(max(1, max_tokens // max(1, length))):
            rows, replaced = part // (steps + 1), part % (steps + 1)
            batch = Batch(_without(inputs.rows(rows), rank[rows] < replaced[:, None], filler))
            outputs = head_outputs(model, batch, [target.task])[target.task]
            numbers.append(chosen.read(outputs, rows))
    return torch.cat(numbers).view(size, steps + 1)


def _without(inputs: Inputs, gone: Tensor, filler: int) -> Inputs:
    characters = inputs.character_ids
    if characters is not None:
        characters = characters.masked_fill(gone.unsqueeze(-1), 0)
    ids = inputs.input_ids.masked_fill(gone, filler)
    return replace(inputs, input_ids=ids, character_ids=characters)


def mean_drop(curve: Tensor) -> Tensor:
    """Return how far the number falls, on average over how many tokens were replaced.

    The higher, the sooner the replaced tokens mattered: the area over the curve of Samek et al.
    (2017).

    Args:
        curve: ``[B, K + 1]`` of :func:`deletion_curve`, K at least 1.

    Returns:
        ``[B]``.

    Raises:
        TypeError: If it is no tensor of floating-point numbers.
        ValueError: If it has another shape.
    """
    check_tensor("curve", curve, "[B, K + 1]", "floating-point")
    if curve.shape[1] < 2:
        raise ValueError(
            f"curve must be [B, K + 1] with K at least 1, got shape {list(curve.shape)}"
        )
    return (curve[:, :1] - curve[:, 1:]).mean(dim=1)
