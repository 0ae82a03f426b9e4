"""Checks of the exercises of chapter 02."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_attention_weights",
    "check_best_candidate",
    "check_clipped_precision",
    "check_teacher_inputs",
]


@exercise(
    "attention_weights",
    wrong=[
        lambda scores, mask: scores.softmax(-1) * mask,
        lambda scores, mask: (scores * mask).softmax(-1),
        lambda scores, mask: scores.softmax(-1),
    ],
)
def check_attention_weights(answer: Answer) -> None:
    """Attention weights over the positions of a memory that hold a token."""
    scores = torch.tensor([[1.0, 1.0, 5.0], [0.0, math.log(3), 2.0]])
    mask = torch.tensor([[True, True, False], [True, True, False]])
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    hint = "Each row sums to one over its tokens; give padding the score minus infinity."
    answer.gives(scores, mask, expected=expected, hint=hint)
    everything = torch.ones(2, 3, dtype=torch.bool)
    answer.gives(scores, everything, expected=scores.softmax(-1), hint=hint)


def _not_shifted(labels: Tensor, bos: int, pad: int) -> Tensor:
    return torch.where(labels == -100, pad, labels)


def _without_padding(labels: Tensor, bos: int, pad: int) -> Tensor:
    return torch.cat([torch.full_like(labels[:, :1], bos), labels[:, :-1]], dim=1)


@exercise("teacher_inputs", wrong=[_not_shifted, _without_padding])
def check_teacher_inputs(answer: Answer) -> None:
    """What a decoder reads under teacher forcing."""
    labels = torch.tensor([[7, 8, 9, 3], [5, 3, -100, -100]])
    expected = torch.tensor([[2, 7, 8, 9], [2, 5, 3, 0]])
    hint = "Each position reads the label before it; a label of -100 is no token."
    answer.gives(labels, 2, 0, expected=expected, hint=hint)
    answer.gives(torch.tensor([[4]]), 2, 0, expected=torch.tensor([[2]]), hint=hint)


def _unclipped(candidate: Sequence[str], reference: Sequence[str], n: int) -> float:
    known = {tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)}
    grams = [tuple(candidate[i : i + n]) for i in range(len(candidate) - n + 1)]
    return sum(gram in known for gram in grams) / len(grams)


def _recall(candidate: Sequence[str], reference: Sequence[str], n: int) -> float:
    ours, theirs = (
        Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
        for words in (candidate, reference)
    )
    return (ours & theirs).total() / theirs.total()


@exercise("clipped_precision", wrong=[_unclipped, _recall])
def check_clipped_precision(answer: Answer) -> None:
    """The n-gram precision of BLEU, for one sentence and one reference."""
    hint = "An n-gram counts at most as often as it stands in the reference."
    reference = ["the", "cat", "is", "on", "the", "mat"]
    answer.gives(["the", "the", "the", "the"], reference, 1, expected=0.5, hint=hint)
    answer.gives(["the", "cat", "is", "on", "the", "mat"], reference, 4, expected=1.0, hint=hint)
    answer.gives(["the", "cat", "sat", "on", "the", "mat"], reference, 2, expected=0.6, hint=hint)
    answer.gives(["the", "cat"], reference, 1, expected=1.0, hint=hint)


@exercise(
    "best_candidate",
    wrong=[
        lambda candidates, alpha: max(candidates, key=lambda c: sum(candidates[c])),
        lambda candidates, alpha: max(
            candidates, key=lambda c: sum(candidates[c]) * len(candidates[c]) ** alpha
        ),
        lambda candidates, alpha: max(
            candidates, key=lambda c: sum(candidates[c]) / len(candidates[c])
        ),
    ],
)
def check_best_candidate(answer: Answer) -> None:
    """The candidate that a beam search with length normalisation returns."""
    candidates = {"oui": [-1.0, -1.0], "oui bien sûr": [-1.0, -0.5, -0.5, -0.4]}
    hint = "Divide the sum of the log-probabilities by the number of tokens to the power alpha."
    answer.gives(candidates, 0.0, expected="oui", hint=hint)
    answer.gives(candidates, 1.0, expected="oui bien sûr", hint=hint)
    candidates = {"a": [-0.9], "b": [-0.8, -0.8]}
    answer.gives(candidates, 0.5, expected="a", hint=hint)
    answer.gives(candidates, 1.0, expected="b", hint=hint)
