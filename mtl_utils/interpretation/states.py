"""The hidden states of every layer, read in one pass over the data, one vector a word or a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_sizes, shown
from mtl_utils.data.batch import MISSING_LABEL, Batch, has_label
from mtl_utils.data.batching import predict_by_length
from mtl_utils.data.examples import Example
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import check_examples
from mtl_utils.nn.encoder import Encoder, EncoderLayers
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.sharing.hard import HardSharing
from mtl_utils.tasks.word_head import word_starts

Layers: TypeAlias = dict[str, Tensor]

EMBEDDINGS = "embeddings"


@dataclass(frozen=True)
class States:
    """States of texts, layer by layer, and the labels that the texts have.

    Args:
        words: By layer, from the bottom up, one vector a word ``[N, D]``: that of its first piece.
        texts: By layer the mean over the words of a text ``[R, D]``.
        word_labels: By task that labels words, ids ``[N]``, a missing one as in a batch.
        text_labels: By task that labels texts ``[R]``.
        text_of_word: Which text a word stands in ``[N]``.
    """

    words: Mapping[str, Tensor]
    texts: Mapping[str, Tensor]
    word_labels: Mapping[str, Tensor]
    text_labels: Mapping[str, Tensor]
    text_of_word: Tensor

    @property
    def layers(self) -> list[str]:
        """Names of the layers from the bottom up."""
        return list(self.words)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that there are labels of."""
        return [*self.word_labels, *self.text_labels]

    def of(self, task: str, layer: str) -> tuple[Tensor, Tensor]:
        """Return what a probe of a task on a layer learns from: what has a label.

        Args:
            task: Name of the task.
            layer: Name of the layer.

        Returns:
            States ``[M, D]`` of words or of texts, and their labels ``[M]``.

        Raises:
            KeyError: If there is no such task or layer.
        """
        if layer not in self.words:
            raise KeyError(f"layer must be one of {self.layers}, got {layer!r}")
        if task in self.word_labels:
            states, labels = self.words[layer], self.word_labels[task]
        elif task in self.text_labels:
            states, labels = self.texts[layer], self.text_labels[task]
        else:
            raise KeyError(f"task must be one of {self.tasks}, got {task!r}")
        known = has_label(labels)
        return states[known], labels[known]


def encoder_of(model: MultiTaskModel) -> Encoder:
    """Return the one encoder of a model.

    Args:
        model: The model.

    Raises:
        TypeError: If it is no multi-task model, or its way of sharing has no attribute ``encoder``.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    encoder = getattr(model.sharing, "encoder", None)
    if not isinstance(encoder, Encoder):
        raise TypeError(
            f"model must share one encoder, as sharing.HardSharing does, got "
            f"{type(model.sharing).__name__}, whose layers are not all tasks' own"
        )
    return encoder


@torch.no_grad()
def collect_states(
    model: MultiTaskModel | Encoder,
    examples: Sequence[Example],
    *,
    max_tokens: int = 4096,
) -> States:
    """Read texts once, and keep the states of every layer.

    Where all tasks read one encoder that can be taken apart (:meth:`mtl_utils.nn.Encoder.layers`),
    the layers are ``"embeddings"``, ``"layer 1"`` and so on; what stands after the last one, such
    as a normalisation, belongs to it. Of any other model the layers are what each task reads, under
    the names of the tasks. States are computed without dropout.

    Args:
        model: The model, or an encoder.
        examples: The texts and their labels, as ``model.examples`` makes them.
        max_tokens: How many tokens, padding included, are read at a time.

    Returns:
        The states, texts and words in the order of the examples.

    Raises:
        TypeError: If ``model`` is neither a multi-task model nor an encoder, or something is no
            example.
        ValueError: If there are no examples, or ``max_tokens`` is below 1.
    """
    check_kind("model", model, (MultiTaskModel, Encoder), "a MultiTaskModel or an Encoder")
    check_examples(examples)
    check_sizes(max_tokens=max_tokens)
    if not len(examples):
        raise ValueError(f"examples must be at least one, got {shown(examples)}")
    device = next(model.parameters()).device
    parts: list[_Part] = []

    def read(batch: Batch) -> list[int]:
        begin = sum(len(part.counts) for part in parts)
        parts.append(_part_of(layered(batch.to(device)), batch))
        return list(range(begin, begin + len(batch)))

    with evaluation_mode(model):
        layered = _layered(model)
        order = torch.tensor(predict_by_length(examples, read, max_tokens))
    return _in_order(parts, order)


def _layered(model: MultiTaskModel | Encoder) -> Callable[[Batch], Layers]:
    """Return a function from a batch to states ``[B, T, D]`` by layer."""
    parts = _taken_apart(model)

    def of_layers(batch: Batch) -> Layers:
        assert parts is not None
        hidden = parts[0](batch.inputs)
        found = {EMBEDDINGS: hidden}
        for number, layer in enumerate(parts[1], 1):
            hidden = found[f"layer {number}"] = layer(hidden, batch.inputs.mask)
        return found

    def of_tasks(batch: Batch) -> Layers:
        if isinstance(model, Encoder):
            return {"encoder": model(batch.inputs)}
        return dict(model.sharing(batch, list(model.tasks)).hidden)

    return of_tasks if parts is None else of_layers


def _taken_apart(model: MultiTaskModel | Encoder) -> tuple[Encoder, list[EncoderLayers]] | None:
    """Return copies of an encoder's parts, if all tasks read its states and it has parts."""
    if isinstance(model, Encoder):
        encoder = model
    elif isinstance(model.sharing, HardSharing):
        encoder = model.sharing.encoder
    else:
        return None
    try:
        lower, layers = encoder.layers()
    except TypeError:
        return None
    return lower.eval(), [layer.eval() for layer in layers]


@dataclass(frozen=True)
class _Part:
    """States and labels of a batch: words one after the other, and how many each text has."""

    words: Layers
    texts: Layers
    word_labels: Layers
    text_labels: Layers
    counts: Tensor


def _part_of(layers: Layers, batch: Batch) -> _Part:
    """Pick the words of a batch, and average those of each text."""
    positions = word_starts(batch).to(next(iter(layers.values())).device)
    counts = positions.sum(dim=1)
    rows = torch.arange(len(batch), device=positions.device).repeat_interleave(counts)
    words = {name: states[positions] for name, states in layers.items()}
    texts = {
        name: states.new_zeros(len(batch), states.shape[1]).index_add_(0, rows, states)
        / counts.clamp(min=1).unsqueeze(1)
        for name, states in words.items()
    }
    shape = batch.inputs.mask.shape
    return _Part(
        {name: states.cpu() for name, states in words.items()},
        {name: states.cpu() for name, states in texts.items()},
        {task: y[positions.cpu()] for task, y in batch.labels.items() if y.shape == shape},
        {task: y for task, y in batch.labels.items() if y.dim() == 1},
        counts.cpu(),
    )


def _in_order(parts: Sequence[_Part], order: Tensor) -> States:
    """Put parts together, text ``order[0]`` first."""
    counts = torch.cat([part.counts for part in parts])
    begins = counts.cumsum(0) - counts
    lengths = counts[order]
    text_of_word = torch.arange(len(order)).repeat_interleave(lengths)
    within = torch.arange(len(text_of_word)) - (lengths.cumsum(0) - lengths)[text_of_word]
    places = begins[order][text_of_word] + within
    sizes = [len(part.counts) for part in parts], [int(part.counts.sum()) for part in parts]
    return States(
        {name: torch.cat([p.words[name] for p in parts])[places] for name in parts[0].words},
        {name: torch.cat([p.texts[name] for p in parts])[order] for name in parts[0].texts},
        _joined([part.word_labels for part in parts], sizes[1], places),
        _joined([part.text_labels for part in parts], sizes[0], order),
        text_of_word,
    )


def _joined(parts: Sequence[Layers], sizes: Sequence[int], places: Tensor) -> Layers:
    """Put labels of parts together; where a part knows nothing of a task, they are missing."""
    found = {}
    for task in dict.fromkeys(task for part in parts for task in part):
        known = [
            part[task] if task in part else torch.full((size,), MISSING_LABEL)
            for part, size in zip(parts, sizes, strict=True)
        ]
        found[task] = torch.cat(known)[places]
    return found
