"""Checks of the exercises of chapter 02."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, as_number, exercise

__all__ = [
    "check_attention_weights",
    "check_last_states",
    "check_searches_by_hand",
    "check_teacher_inputs",
]


@exercise(
    "searches_by_hand",
    wrong=[
        [0.18, 0.225, 0.225],  # a beam of 2 that never dropped C
        [0.45, 0.45, 0.45],  # of the first token alone
        [0.18, 0.21, 0.21],
        [math.log(0.18), math.log(0.21), math.log(0.225)],
        [0.18, 0.21],
    ],
)
def check_searches_by_hand(answer: Answer) -> None:
    """Probabilities of what three searches find, worked by hand."""
    found = answer.value
    expected = {"greedy search": 0.18, "a beam of 2": 0.21, "a beam of 3": 0.225}
    hints = {
        "greedy search": "A is the best first token; what is best after A? Multiply.",
        "a beam of 2": "It keeps two of three first tokens. What is lost cannot come back.",
        "a beam of 3": "Nothing is dropped after the first token, so compare all that end there.",
    }
    if not hasattr(found, "__len__") or len(found) != 3:
        answer.fail(f"expected three probabilities, got {found!r:.80}")
    for (name, right), given in zip(expected.items(), found, strict=True):
        answer.require(
            math.isclose(as_number(given), right, abs_tol=5e-4),
            f"The probability that {name} finds is not {given!r:.40}.",
            hints[name],
        )


def _overflowing(scores: Tensor, mask: Tensor) -> Tensor:
    weights = scores.exp() * mask
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-30)


def _largest_of_all(scores: Tensor, mask: Tensor) -> Tensor:
    weights = (scores - scores.amax(-1, keepdim=True)).exp() * mask
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-30)


def _low_enough(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -100.0).softmax(-1) * mask


def _scores_in_place(scores: Tensor, mask: Tensor) -> Tensor:
    scores[~mask] = torch.finfo(scores.dtype).min
    return scores.softmax(-1) * mask


@exercise(
    "attention_weights",
    wrong=[
        lambda scores, mask: scores.softmax(-1) * mask,
        lambda scores, mask: (scores * mask).softmax(-1),
        lambda scores, mask: scores.softmax(-1),
        lambda scores, mask: scores.masked_fill(~mask, float("-inf")).softmax(-1),
        _overflowing,
        _largest_of_all,
        _low_enough,
        _scores_in_place,
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
    large = torch.tensor([[1000.0, 1000.0, 0.0]])
    hint = "exp(1000) is infinite. Subtract the largest score first, or let softmax do it."
    answer.gives(large, everything[:1], expected=torch.tensor([[0.5, 0.5, 0.0]]), hint=hint)
    hint = "A score of padding counts for nothing, however large it or however low the others are."
    extreme = torch.tensor([[0.0, 0.0, 1000.0], [-1000.0, -1000.0, 0.0]])
    given = extreme.clone()
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    padded = torch.tensor([[True, True, False], [True, True, False]])
    answer.gives(given, padded, expected=expected, hint=hint)
    answer.require(
        torch.equal(given, extreme),
        "The scores that were given are changed.",
        "Make a new tensor: masked_fill instead of masked_fill_ or an assignment.",
    )


def _not_shifted(labels: Tensor, bos: int, pad: int) -> Tensor:
    return torch.where(labels == -100, pad, labels)


def _without_padding(labels: Tensor, bos: int, pad: int) -> Tensor:
    return torch.cat([torch.full_like(labels[:, :1], bos), labels[:, :-1]], dim=1)


def _in_place(labels: Tensor, bos: int, pad: int) -> Tensor:
    labels[labels == -100] = pad
    return _without_padding(labels, bos, pad)


@exercise("teacher_inputs", wrong=[_not_shifted, _without_padding, _in_place])
def check_teacher_inputs(answer: Answer) -> None:
    """What a decoder reads under teacher forcing."""
    labels = torch.tensor([[7, 8, 9, 3], [5, 3, -100, -100]])
    expected = torch.tensor([[2, 7, 8, 9], [2, 5, 3, 0]])
    hint = "Each position reads the label before it; a label of -100 is no token."
    given = labels.clone()
    answer.gives(given, 2, 0, expected=expected, hint=hint)
    answer.require(
        torch.equal(given, labels),
        "The labels that were given are changed, and the loss still needs them.",
        "Make a new tensor: masked_fill instead of masked_fill_, torch.cat, clone.",
    )
    answer.gives(torch.tensor([[4]]), 2, 0, expected=torch.tensor([[2]]), hint=hint)


def _last_of_both(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]


def _last_position(hidden: Tensor, mask: Tensor) -> Tensor:
    half = hidden.shape[-1] // 2
    return torch.cat([hidden[:, -1, :half], hidden[:, 0, half:]], dim=-1)


def _largest_forward(hidden: Tensor, mask: Tensor) -> Tensor:
    half = hidden.shape[-1] // 2
    forward = hidden.masked_fill(~mask.unsqueeze(-1), float("-inf")).amax(1)[:, :half]
    return torch.cat([forward, hidden[:, 0, half:]], dim=-1)


@exercise(
    "last_states",
    wrong=[_last_of_both, _last_position, _largest_forward, lambda hidden, mask: hidden[:, -1]],
)
def check_last_states(answer: Answer) -> None:
    """The state of each direction after it has read the whole sentence."""
    hidden = torch.tensor([9.0, 2, 7, 4, 1, 6, 3, 8, 5, 10, 11, 12, 24, 23, 15, 16, 17, 18, 13, 14])
    hidden = torch.cat([hidden, torch.arange(19.0, 23.0)]).view(2, 3, 4)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    hidden = hidden * mask.unsqueeze(-1)
    expected = torch.tensor([[5.0, 10.0, 7.0, 4.0], [17.0, 18.0, 15.0, 16.0]])
    hint = (
        "The forward half has read all at the last token, which is not the last position of a "
        "padded row; the backward half has read all at the first."
    )
    answer.gives(hidden, mask, expected=expected, hint=hint)
    answer.gives(hidden[:1, :1], mask[:1, :1], expected=hidden[:1, 0], hint=hint)
