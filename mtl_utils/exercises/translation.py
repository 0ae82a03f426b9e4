"""Checks of the exercises of chapter 02."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_attention_weights",
    "check_clipped_precision",
    "check_greedy",
    "check_teacher_inputs",
]

Step = Callable[[Sequence[int]], list[float]]


@exercise(
    "attention_weights",
    wrong=[
        lambda scores, mask: scores.softmax(-1) * mask,
        lambda scores, mask: (scores * mask).softmax(-1),
        lambda scores, mask: scores.softmax(-1),
        lambda scores, mask: scores.masked_fill(~mask, float("-inf")).softmax(-1),
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
    mask = torch.tensor([[True, True, False], [False, False, False]])
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    hint = "A row without any token has only scores of minus infinity: think of what softmax gives."
    answer.gives(scores, mask, expected=expected, hint=hint)


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


def _clipped_words(candidate: Sequence[str], reference: Sequence[str], n: int) -> float:
    if n == 1:
        return (Counter(candidate) & Counter(reference)).total() / len(candidate)
    return _unclipped(candidate, reference, n)


@exercise("clipped_precision", wrong=[_unclipped, _recall, _clipped_words])
def check_clipped_precision(answer: Answer) -> None:
    """The n-gram precision of BLEU, for one sentence and one reference."""
    hint = "An n-gram counts at most as often as it stands in the reference."
    reference = ["the", "cat", "is", "on", "the", "mat"]
    answer.gives(["the", "the", "the", "the"], reference, 1, expected=0.5, hint=hint)
    answer.gives(["the", "cat", "is", "on", "the", "mat"], reference, 4, expected=1.0, hint=hint)
    answer.gives(["the", "cat", "sat", "on", "the", "mat"], reference, 2, expected=0.6, hint=hint)
    answer.gives(["the", "cat"], reference, 1, expected=1.0, hint=hint)
    answer.gives(["a", "b", "a", "b"], ["a", "b", "c"], 2, expected=1 / 3, hint=hint)


def _without_limit(step: Step, end: int, max_length: int) -> list[int]:
    tokens: list[int] = []
    while not tokens or (tokens[-1] != end and len(tokens) < 50):
        tokens.append(_most_probable(step(tokens)))
    return tokens


def _never_ending(step: Step, end: int, max_length: int) -> list[int]:
    tokens: list[int] = []
    for _ in range(max_length):
        tokens.append(_most_probable(step(tokens)))
    return tokens


def _without_its_beginning(step: Step, end: int, max_length: int) -> list[int]:
    tokens = [_most_probable(step([])) for _ in range(max_length)]
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens


def _most_probable(log_probabilities: list[float]) -> int:
    return max(range(len(log_probabilities)), key=log_probabilities.__getitem__)


@exercise("greedy", wrong=[_without_limit, _never_ending, _without_its_beginning])
def check_greedy(answer: Answer) -> None:
    """Greedy search over a model that is given as a function."""
    rows = {None: [0.6, 0.4, 0.0], 0: [0.3, 0.3, 0.4], 1: [0.05, 0.05, 0.9]}

    def toy(tokens: Sequence[int]) -> list[float]:
        return [math.log(p + 1e-12) for p in rows[tokens[-1] if tokens else None]]

    def endless(tokens: Sequence[int]) -> list[float]:
        return [-2.0, -0.5, -3.0] if len(tokens) % 2 else [-0.5, -2.0, -3.0]

    def silent(tokens: Sequence[int]) -> list[float]:
        return [-3.0, -3.0, -0.1]

    hint = "Feed what was written so far, and stop after the end or at the limit."
    answer.gives(toy, 2, 5, expected=[0, 2], hint=hint)
    answer.gives(endless, 2, 3, expected=[0, 1, 0], hint=hint)
    answer.gives(silent, 2, 5, expected=[2], hint=hint)
    answer.gives(lambda tokens: [-1.0, -1.0, -9.0], 2, 2, expected=[0, 0], hint=hint)
