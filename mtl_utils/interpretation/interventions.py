"""Changing what a model computes, for a while: states between layers, a head, a whole layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pandas as pd
import torch
from torch import Tensor

from mtl_utils.arguments import check_callable, check_kind, check_sizes, check_whole
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.data.batching import predict_by_length
from mtl_utils.data.examples import Example
from mtl_utils.interpretation.states import encoder_of
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import check_examples
from mtl_utils.nn.encoder import Encoder, EncoderLayers, number_of_layers
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.transformer import TransformerEncoder
from mtl_utils.nn.transformer_layer import TransformerLayer

Change = Callable[[Tensor], Tensor]


class _ChangedEncoder(Encoder):
    """An encoder in the middle of which something is done to the states."""

    def __init__(self, lower: Encoder, upper: EncoderLayers, change: Change) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper
        self.width, self.causal, self.max_length = lower.width, lower.causal, lower.max_length
        self._change = change

    def forward(self, inputs: Inputs) -> Tensor:
        return self.upper(self._change(self.lower(inputs)), inputs.mask)


@contextmanager
def changed_states(
    model: MultiTaskModel, change: Callable[[Tensor], Tensor], layer: int | None = None
) -> Iterator[None]:
    """Do something to the states above some layer, within a block.

    .. code-block:: python

        with changed_states(model, fit_eraser(states, labels)):
            model.evaluate(examples)  # amnesic probing: what does each task lose?

    Within the block the model computes with copies of its layers, so do not train it there.

    Args:
        model: A model whose tasks share one encoder.
        change: From states ``[B, T, D]`` to states, such as an :class:`Eraser`.
        layer: Above which layer, 0 for the embeddings; the last one if ``None``.

    Raises:
        TypeError: If the model shares no one encoder, that one cannot be cut, ``change`` cannot be
            called, or ``layer`` is no whole number.
        ValueError: If there is no such layer.
    """
    encoder = encoder_of(model)
    check_callable("change", change)
    number = number_of_layers(encoder)
    if layer is not None:
        check_whole("layer", layer, least=0, most=number)
    lower, upper = encoder.cut(number if layer is None else layer)
    changed = _ChangedEncoder(lower, upper, change).train(encoder.training)
    model.sharing.encoder = changed
    try:
        yield
    finally:
        model.sharing.encoder = encoder


@contextmanager
def without_head(model: MultiTaskModel, layer: int, head: int) -> Iterator[None]:
    """Silence a head of the attention within a block: what it found counts as zero.

    Args:
        model: A model whose tasks share one :class:`mtl_utils.nn.TransformerEncoder`.
        layer: Number of the layer, from 1.
        head: Number of the head, from 0.

    Raises:
        TypeError: If the model shares no such encoder, or a number is no whole one.
        ValueError: If there is no such layer or head.
    """
    attention = _layer(model, layer).attention
    check_whole("head", head, least=0, most=attention.num_heads - 1)
    columns = slice(head * attention.head_width, (head + 1) * attention.head_width)
    weight = attention.output.weight.data
    kept = weight[:, columns].clone()
    weight[:, columns] = 0.0
    try:
        yield
    finally:
        weight[:, columns] = kept


@contextmanager
def without_layer(model: MultiTaskModel, layer: int) -> Iterator[None]:
    """Leave out a layer within a block: states go past it.

    Args:
        model: A model whose tasks share one :class:`mtl_utils.nn.TransformerEncoder`.
        layer: Number of the layer, from 1.

    Raises:
        TypeError: If the model shares no such encoder, or ``layer`` is no whole number.
        ValueError: If there is no such layer.
    """
    left_out = _layer(model, layer)
    layers = _transformer(model).stack.layers
    others = torch.nn.ModuleList(each for each in layers if each is not left_out)
    others.training = layers.training
    _transformer(model).stack.layers = others
    try:
        yield
    finally:
        _transformer(model).stack.layers = layers


def task_losses(
    model: MultiTaskModel, examples: Sequence[Example], *, max_tokens: int = 4096
) -> dict[str, float]:
    """Return the loss of each task on some texts, without dropout.

    Args:
        model: The model.
        examples: The texts with their labels.
        max_tokens: How many tokens, padding included, are computed at a time.

    Returns:
        By task the mean over what its loss counts.

    Raises:
        TypeError: If ``model`` is no multi-task model, or something is no example.
        ValueError: If there is none, or ``max_tokens`` is below 1.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_examples(examples)
    check_sizes(max_tokens=max_tokens)
    if not len(examples):
        raise ValueError(f"examples must be at least one, got {examples!r}")
    sums, counts = dict.fromkeys(model.tasks, 0.0), dict.fromkeys(model.tasks, 0.0)
    device = next(model.parameters()).device

    def add(batch: Batch) -> list[None]:
        here = batch.to(device)  # which may have labels of what is no task of the model
        losses = model({task: here for task in model.tasks if task in here.labels})
        for task, loss in losses.by_task.items():
            sums[task] += float(loss) * float(losses.counts[task])
            counts[task] += float(losses.counts[task])
        return [None] * len(batch)

    with torch.no_grad(), evaluation_mode(model):
        predict_by_length(examples, add, max_tokens)
    return {task: sums[task] / counts[task] for task in sums if counts[task]}


def head_importance(model: MultiTaskModel, examples: Sequence[Example]) -> pd.DataFrame:
    """Say by how much the loss of each task grows without each head (Michel et al., 2019).

    Args:
        model: A model whose tasks share one :class:`mtl_utils.nn.TransformerEncoder`.
        examples: The texts with their labels.

    Returns:
        A row for each ``(layer, head)``, layers from 1 and heads from 0, a column a task; below 0
        where a task does better without.

    Raises:
        TypeError: If the model shares no such encoder, or something is no example.
        ValueError: If there are no examples.
    """
    layers = enumerate(_transformer(model).stack.layers, 1)
    places = [
        (number, head)
        for number, layer in layers
        if isinstance(layer, TransformerLayer)
        for head in range(layer.attention.num_heads)
    ]
    found = _growth(model, examples, [without_head(model, *place) for place in places])
    return found.set_index(pd.MultiIndex.from_tuples(places, names=["layer", "head"]))


def layer_importance(model: MultiTaskModel, examples: Sequence[Example]) -> pd.DataFrame:
    """Say by how much the loss of each task grows without each layer.

    Args:
        model: A model whose tasks share one :class:`mtl_utils.nn.TransformerEncoder`.
        examples: The texts with their labels.

    Returns:
        A row a layer, from 1, a column a task.

    Raises:
        TypeError: If the model shares no such encoder, or something is no example.
        ValueError: If there are no examples.
    """
    places = range(1, _transformer(model).num_layers + 1)
    found = _growth(model, examples, [without_layer(model, place) for place in places])
    return found.set_index(pd.Index(places, name="layer"))


def _growth(
    model: MultiTaskModel,
    examples: Sequence[Example],
    blocks: Sequence[AbstractContextManager[None]],
) -> pd.DataFrame:
    whole = task_losses(model, examples)
    rows = []
    for block in blocks:
        with block:
            losses = task_losses(model, examples)
        rows.append({task: losses[task] - whole[task] for task in whole})
    return pd.DataFrame(rows)


def _transformer(model: MultiTaskModel) -> TransformerEncoder:
    encoder = encoder_of(model)
    if not isinstance(encoder, TransformerEncoder):
        raise TypeError(
            "model must share an nn.TransformerEncoder, whose layers have heads, got "
            f"{type(encoder).__name__}"
        )
    return encoder


def _layer(model: MultiTaskModel, number: int) -> TransformerLayer:
    layers = _transformer(model).stack.layers
    check_whole("layer", number, least=1, most=len(layers))
    layer = layers[number - 1]
    assert isinstance(layer, TransformerLayer)
    return layer
