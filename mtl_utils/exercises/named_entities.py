"""Checks of the exercises of chapter 03."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_backward_step",
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


def _one_continuation(tags: list[str]) -> Spans:
    following = [*tags[1:], "O"]
    return [
        (i, i + 1 + (after == "I-" + tag[2:]), tag[2:])
        for i, (tag, after) in enumerate(zip(tags, following, strict=True))
        if tag.startswith("B-")
    ]


@exercise("read_spans", wrong=[_by_type_alone, _ends_included, _one_continuation])
def check_read_spans(answer: Answer) -> None:
    """Spans from IOB2 tags, read strictly."""
    hint = "B- opens a span; I- continues the one that ends here, if it has the same type."
    tags = ["B-PER", "I-PER", "O", "B-GPE", "B-GPE", "I-GPE"]
    expected = [(0, 2, "PER"), (3, 4, "GPE"), (4, 6, "GPE")]
    answer.gives(tags, expected=expected, hint=hint)
    answer.gives(["O", "I-PER", "B-ORG", "I-PER"], expected=[(2, 3, "ORG")], hint=hint)
    answer.gives(["B-LOC", "O", "I-LOC"], expected=[(0, 1, "LOC")], hint=hint)
    answer.gives(["B-ORG", "I-ORG", "I-ORG"], expected=[(0, 3, "ORG")], hint=hint)
    answer.gives(["B-LOC", "I-ORG", "I-LOC"], expected=[(0, 1, "LOC")], hint=hint)
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
    answer.gives(true, [], expected=0.0, hint="Mind the division by zero.")
    answer.gives([], [], expected=0.0, hint="Mind the division by zero.")


def _forward(beta: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + torch.logsumexp(beta[:, None] + transitions, dim=0)


def _without_emissions(beta: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return torch.logsumexp(transitions + beta, dim=1)


def _emission_of_this_tag(beta: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + torch.logsumexp(transitions + beta, dim=1)


def _overflowing(beta: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return (transitions + emissions + beta).exp().sum(1).log()


def _best_only(beta: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return (transitions + emissions + beta).amax(1)


@exercise(
    "backward_step",
    wrong=[_forward, _without_emissions, _emission_of_this_tag, _overflowing, _best_only],
)
def check_backward_step(answer: Answer) -> None:
    """One step of the backward recursion of a CRF, in log space."""
    beta = torch.tensor([0.5, -1.0, 2.0])
    transitions = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 0.5], [-0.5, 0.3, 0.0]])
    emissions = torch.tensor([0.1, 0.2, 0.3])
    expected = (transitions + emissions + beta).exp().sum(1).log()
    hint = "transitions[i, j] goes from i to j: sum over j, the tag of the next position."
    answer.gives(beta, transitions, emissions, expected=expected, hint=hint)
    for shift in (1000.0, -1000.0):
        hint = f"exp({shift:.0f}) is no number to work with: use torch.logsumexp."
        moved = expected + shift
        answer.gives(beta + shift, transitions, emissions, expected=moved, hint=hint)
        answer.gives(beta, transitions + shift, emissions, expected=moved, hint=hint)
    transitions[0] = -torch.inf
    expected[0] = -torch.inf
    hint = "A tag that nothing may follow has no continuation: minus infinity."
    answer.gives(beta, transitions, emissions, expected=expected, hint=hint)


@exercise(
    "is_valid",
    wrong=[
        lambda tags: not tags or not tags[0].startswith("I-"),
        lambda tags: all(
            not tag.startswith("I-") or before != "O"
            for before, tag in zip(["O", *tags], tags, strict=False)
        ),
        lambda tags: all(
            not tag.startswith("I-") or before == "B-" + tag[2:]
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
    answer.gives(["B-PER", "I-PER", "I-PER"], expected=True, hint=hint)
    answer.gives(["B-PER", "I-PER", "I-ORG"], expected=False, hint=hint)
    answer.gives(["B-PER", "O", "I-PER"], expected=False, hint=hint)
    answer.gives([], expected=True, hint=hint)
