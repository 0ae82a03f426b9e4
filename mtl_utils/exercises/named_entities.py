"""Checks of the exercises of chapter 03."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_forward_step",
    "check_is_valid",
    "check_read_spans",
    "check_span_f1",
]

Spans = list[tuple[int, int, str]]


def _by_type_alone(tags: list[str]) -> Spans:
    spans: Spans = []
    for position, tag in enumerate(tags):
        kind = tag[2:]
        if tag != "O" and spans and spans[-1][1:] == (position, kind):
            spans[-1] = (spans[-1][0], position + 1, kind)
        elif tag != "O":
            spans.append((position, position + 1, kind))
    return spans


def _ends_included(tags: list[str]) -> Spans:
    return [(i, i, tag[2:]) for i, tag in enumerate(tags) if tag.startswith("B-")]


@exercise("read_spans", wrong=[_by_type_alone, _ends_included])
def check_read_spans(answer: Answer) -> None:
    """Spans from IOB2 tags, read strictly."""
    hint = "B- opens a span; I- continues the one that ends here, if it has the same type."
    tags = ["B-PER", "I-PER", "O", "B-GPE", "B-GPE", "I-GPE"]
    expected = [(0, 2, "PER"), (3, 4, "GPE"), (4, 6, "GPE")]
    answer.gives(tags, expected=expected, hint=hint)
    answer.gives(["O", "I-PER", "B-ORG", "I-PER"], expected=[(2, 3, "ORG")], hint=hint)
    answer.gives(["B-LOC", "O", "I-LOC"], expected=[(0, 1, "LOC")], hint=hint)
    answer.gives([], expected=[], hint=hint)


@exercise(
    "span_f1",
    wrong=[
        lambda predicted, true: len(set(predicted) & set(true)) / max(1, len(true)),
        lambda predicted, true: (
            (
                (len(set(predicted) & set(true)) / max(1, len(predicted)))
                + (len(set(predicted) & set(true)) / max(1, len(true)))
            )
            / 2
        ),
        lambda predicted, true: (
            2
            * len({s[:2] for s in predicted} & {s[:2] for s in true})
            / max(1, len(predicted) + len(true))
        ),
    ],
)
def check_span_f1(answer: Answer) -> None:
    """Entity F1 of one sentence."""
    hint = "A span is correct only if start, end and type agree; F1 is the harmonic mean."
    true = [(0, 2, "PER"), (3, 4, "GPE"), (6, 8, "ORG")]
    answer.gives([(0, 2, "PER")], true, expected=0.5, hint=hint)
    answer.gives([(0, 2, "PER"), (3, 4, "LOC")], true, expected=0.4, hint=hint)
    answer.gives(true, true, expected=1.0, hint=hint)
    answer.gives([(0, 1, "PER")], true, expected=0.0, hint="Mind the division by zero.")
    answer.gives([], true, expected=0.0, hint="Mind the division by zero.")


def _other_way(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + torch.logsumexp(alpha[None] + transitions, dim=1)


def _overflowing(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + (alpha[:, None] + transitions).exp().sum(0).log()


def _best_only(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + (alpha[:, None] + transitions).amax(0)


@exercise("forward_step", wrong=[_other_way, _overflowing, _best_only])
def check_forward_step(answer: Answer) -> None:
    """One step of the forward algorithm, in log space."""
    alpha = torch.tensor([0.5, -1.0, 2.0])
    transitions = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 0.5], [-0.5, 0.3, 0.0]])
    emissions = torch.tensor([0.1, 0.2, 0.3])
    sums = (alpha[:, None] + transitions).exp().sum(0).log()
    hint = "transitions[i, j] goes from i to j: sum over i."
    answer.gives(alpha, transitions, emissions, expected=emissions + sums, hint=hint)
    answer.gives(
        alpha + 1000,
        transitions,
        emissions,
        expected=emissions + sums + 1000,
        hint="exp of a thousand overflows: use torch.logsumexp.",
    )


@exercise(
    "is_valid",
    wrong=[
        lambda tags: not tags or not tags[0].startswith("I-"),
        lambda tags: all(
            not tag.startswith("I-") or before != "O"
            for before, tag in zip(["O", *tags], tags, strict=False)
        ),
    ],
)
def check_is_valid(answer: Answer) -> None:
    """Whether tags obey IOB2."""
    hint = "I-X may follow only B-X or I-X, and nothing comes before the first tag."
    answer.gives(["B-PER", "I-PER", "O", "B-PER"], expected=True, hint=hint)
    answer.gives(["B-PER", "B-PER", "I-PER"], expected=True, hint=hint)
    answer.gives(["I-PER", "O"], expected=False, hint=hint)
    answer.gives(["O", "O", "I-PER"], expected=False, hint=hint)
    answer.gives(["B-PER", "I-ORG"], expected=False, hint=hint)
    answer.gives([], expected=True, hint=hint)
