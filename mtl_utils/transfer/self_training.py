"""Self-training: a model labels texts, and what it is sure of becomes training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from mtl_utils.arguments import check_kind, check_module, check_number, check_several
from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.data.batching import predict_by_length
from mtl_utils.data.examples import Example
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode


@dataclass(frozen=True)
class PseudoLabels:
    """What a teacher said of texts without labels.

    Attributes:
        examples: The texts it was sure of, each with its label of the one task.
        confidences: How sure it was of each of these, from 0 to 1.
        rejected: How many texts it was less sure of.
    """

    examples: tuple[Example, ...]
    confidences: tuple[float, ...]
    rejected: int


@torch.no_grad()
def pseudo_labelled(
    model: MultiTaskModel,
    task: str,
    examples: Sequence[Example],
    confidence: float = 0.9,
    *,
    max_tokens: int = 4096,
) -> PseudoLabels:
    """Label texts with a trained model, and keep those of which it is confident.

    The model is the teacher; the student is trained on its own labelled rows and on these, and may
    be the teacher of the next round (Scudder, 1965; Yarowsky, 1995). A class is as confident as
    its probability. The tags of a text are as confident as the least of their probabilities: a text
    is kept as a whole, or not at all.

    Args:
        model: The teacher.
        task: Name of a classification or tagging.
        examples: The texts. Their labels, if there are any, are not looked at and do not come out
            again.
        confidence: The least that is kept, from 0 to 1.
        max_tokens: How many tokens, padding included, are read at a time.

    Returns:
        Examples with labels, and what became of the others.

    Raises:
        KeyError: If there is no such task.
        ValueError: If ``confidence`` is outside [0, 1].
        TypeError: If these are no examples, or another argument is not of its kind.
        NotImplementedError: If the task has no probabilities.
    """
    check_module("model", model, MultiTaskModel)
    head = model.head(task)
    check_several("examples", examples, "Examples")
    for place, example in enumerate(examples):
        check_kind(f"examples[{place}]", example, Example, "an Example")
    check_number("confidence", confidence, least=0, most=1)
    device = next(model.parameters()).device
    bare = [replace(example, labels={}, lost={}) for example in examples]

    def read(batch: Batch) -> list[tuple[Any, float]]:
        batch = batch.to(device)
        hidden = model.sharing(batch, [task]).hidden[task]
        pairs = zip(head.predict(hidden, batch), head.probabilities(hidden, batch), strict=True)
        return [(label, _confidence(label, found)) for label, found in pairs]

    with evaluation_mode(model):
        said = predict_by_length(bare, read, max_tokens)
    kept = [
        (replace(example, labels={task: label}), sure)
        for example, (label, sure) in zip(bare, said, strict=True)
        if sure >= confidence
    ]
    return PseudoLabels(
        tuple(example for example, _ in kept),
        tuple(sure for _, sure in kept),
        len(bare) - len(kept),
    )


def _confidence(label: Any, probabilities: Any) -> float:
    """Return the probability of a label, or the least among those of a sequence of labels."""
    if isinstance(label, int):
        return float(probabilities[label])
    pairs = zip(label, probabilities, strict=True)
    return min((found[tag] for tag, found in pairs if tag != MISSING_LABEL), default=0.0)
