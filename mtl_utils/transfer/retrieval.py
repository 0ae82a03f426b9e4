"""Finding the translation of a sentence among others: what an encoder shares between languages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import (
    check_fits,
    check_flag,
    check_kind,
    check_several,
    check_sizes,
    check_tensor,
)
from mtl_utils.data import Example
from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import predict_by_length
from mtl_utils.nn.encoder import Encoder, check_encoder
from mtl_utils.nn.evaluation_mode import evaluation_mode


@torch.no_grad()
def sentence_vectors(
    encoder: Encoder, examples: Sequence[Example], *, max_tokens: int = 4096
) -> Tensor:
    """Return the mean state of each text, without dropout.

    Args:
        encoder: The encoder.
        examples: N texts; their labels do not matter.
        max_tokens: How many tokens, padding included, are read at a time.

    Returns:
        ``[N, D]``; 0 for a text without tokens.

    Raises:
        ValueError: If there are no examples, or ``max_tokens`` is below 1.
        TypeError: If it is no encoder, or these are no examples.
    """
    check_encoder("encoder", encoder)
    check_sizes(max_tokens=max_tokens)
    check_several("examples", examples, "Examples")
    for place, example in enumerate(examples):
        check_kind(f"examples[{place}]", example, Example, "an Example")
    if len(examples) == 0:
        raise ValueError(f"examples must be at least one, got {examples!r}")
    device = next(encoder.parameters()).device

    def read(batch: Batch) -> list[Tensor]:
        inputs = batch.to(device).inputs
        counted = inputs.mask.unsqueeze(-1)
        states = encoder(inputs).masked_fill(~counted, 0.0).sum(dim=1)
        return list(states / counted.sum(dim=1).clamp(min=1))

    with evaluation_mode(encoder):
        return torch.stack(predict_by_length(examples, read, max_tokens))


def retrieval_accuracy(queries: Tensor, candidates: Tensor, *, centred: bool = False) -> float:
    """Return how often the nearest candidate by cosine is the one of the same place.

    So is it measured how close translations lie (Artetxe & Schwenk, 2019; Hu et al., 2020, who
    take out no means). A guess is right once in N.

    Args:
        queries: Sentences in one language ``[N, D]``.
        candidates: Their translations, in the same order ``[N, D]``.
        centred: Whether to take from each side its own mean first, and with it whatever all
            sentences of a language have in common: an addition of ours to the measure. It reads
            all sentences of a side, no pairs.

    Returns:
        From 0 to 1. Of candidates at the same distance the first is taken.

    Raises:
        ValueError: If there are none, or the shapes differ.
        TypeError: If they are no tensors of numbers with a point, or ``centred`` no boolean.
    """
    check_flag("centred", centred)
    check_tensor("queries", queries, "[N, D]", "floating-point")
    check_tensor("candidates", candidates, "[N, D]", "floating-point")
    if len(queries) == 0:
        raise ValueError(f"queries must be at least one, got shape {list(queries.shape)}")
    for dimension in (0, 1):
        check_fits("candidates", candidates, dimension, queries.shape[dimension])
    sides = [queries, candidates]
    if centred:
        sides = [side - side.mean(dim=0) for side in sides]
    first, second = (torch.nn.functional.normalize(side, dim=1) for side in sides)
    nearest = (first @ second.T).argmax(dim=1)
    right = nearest == torch.arange(len(queries), device=queries.device)
    return float(right.double().mean())
