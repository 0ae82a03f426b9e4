"""Checks of the exercises of chapter 07."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.data import MISSING_LABEL
from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_answer_score",
    "check_corrupt",
    "check_layer_rates",
    "check_mixing_rates",
    "check_read_entities",
]


def _corrupted(
    ids: Tensor, chosen: Tensor, draws: Tensor, random_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    given = ids.masked_fill(chosen & (draws < 0.8), mask_id)
    given = torch.where(chosen & (draws >= 0.9), random_ids, given)
    return given, ids.masked_fill(~chosen, MISSING_LABEL)


def _always_masked(
    ids: Tensor, chosen: Tensor, draws: Tensor, random_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    return ids.masked_fill(chosen, mask_id), ids.masked_fill(~chosen, MISSING_LABEL)


def _unchanged_uncounted(
    ids: Tensor, chosen: Tensor, draws: Tensor, random_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    given, _ = _corrupted(ids, chosen, draws, random_ids, mask_id)
    return given, ids.masked_fill(given == ids, MISSING_LABEL)


def _all_counted(
    ids: Tensor, chosen: Tensor, draws: Tensor, random_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    return _corrupted(ids, chosen, draws, random_ids, mask_id)[0], ids


def _corrupted_labels(
    ids: Tensor, chosen: Tensor, draws: Tensor, random_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    given, _ = _corrupted(ids, chosen, draws, random_ids, mask_id)
    return given, given.masked_fill(~chosen, MISSING_LABEL)


def _masked_at_the_bound(
    ids: Tensor, chosen: Tensor, draws: Tensor, random_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    given, labels = _corrupted(ids, chosen, draws, random_ids, mask_id)
    return given.masked_fill(chosen & (draws == 0.8), mask_id), labels


def _kept_at_the_bound(
    ids: Tensor, chosen: Tensor, draws: Tensor, random_ids: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    given, labels = _corrupted(ids, chosen, draws, random_ids, mask_id)
    return torch.where(draws == 0.9, ids, given), labels


@exercise(
    "corrupt",
    wrong=[
        *(_always_masked, _unchanged_uncounted, _all_counted, _corrupted_labels),
        *(_masked_at_the_bound, _kept_at_the_bound),
    ],
)
def check_corrupt(answer: Answer) -> None:
    """The input of a masked language model, and its labels."""
    generator = torch.Generator().manual_seed(0)
    hint = (
        "Below 0.8 the mask, from 0.9 on the random id, between them the token itself; all three "
        "have the original token as label, and the others -100."
    )
    for length in (6, 40):
        ids, random_ids = torch.randint(5, 100, (2, length), generator=generator)
        # In double precision 0.8 and 0.9 are what Python takes them for: both bounds are drawn.
        draws = torch.linspace(0, 0.99, length, dtype=torch.float64)
        draws[-3:-1] = torch.tensor([0.8, 0.9], dtype=torch.float64)
        draws = draws[torch.randperm(length, generator=generator)]
        chosen = torch.rand(length, generator=generator) < 0.7
        chosen |= (draws == 0.8) | (draws == 0.9)
        inputs = (ids, chosen, draws, random_ids, 4)
        answer.gives(*inputs, expected=list(_corrupted(*inputs)), hint=hint)


def _rates(learning_rate: float, decay: float, num_layers: int) -> list[float]:
    return [learning_rate * decay ** (num_layers - layer) for layer in range(num_layers + 1)]


def _upside_down(learning_rate: float, decay: float, num_layers: int) -> list[float]:
    return _rates(learning_rate, decay, num_layers)[::-1]


def _without_embeddings(learning_rate: float, decay: float, num_layers: int) -> list[float]:
    return _rates(learning_rate, decay, num_layers)[1:]


def _one_too_low(learning_rate: float, decay: float, num_layers: int) -> list[float]:
    return _rates(learning_rate * decay, decay, num_layers)


@exercise("layer_rates", wrong=[_upside_down, _without_embeddings, _one_too_low])
def check_layer_rates(answer: Answer) -> None:
    """The step size of each layer, embeddings first."""
    hint = "The last layer has the rate itself; each layer below has that above times the decay."
    for inputs in ((1e-3, 0.5, 2), (2e-5, 1.0, 3), (0.1, 1 / 2.6, 6)):
        answer.gives(*inputs, expected=_rates(*inputs), tolerance=1e-9, hint=hint)


Entities = list[tuple[str, str]]


def _read(text: str) -> Entities:
    found = []
    for part in text.split(";"):
        kind, colon, name = part.partition(":")
        if colon and kind.strip() and name.strip():
            found.append((kind.strip(), name.strip()))
    return found


def _unstripped(text: str) -> Entities:
    parts = [part.split(":", 1) for part in text.split(";") if ":" in part]
    return [(kind, name) for kind, name in parts]


def _first_alone(text: str) -> Entities:
    return _read(text)[:1]


def _cut_at_every_colon(text: str) -> Entities:
    return [(kind, name.split(":")[0].strip()) for kind, name in _read(text)]


def _with_empty_names(text: str) -> Entities:
    parts = [part.partition(":") for part in text.split(";")]
    return [(kind.strip(), name.strip()) for kind, colon, name in parts if colon]


@exercise(
    "read_entities", wrong=[_unstripped, _first_alone, _cut_at_every_colon, _with_empty_names]
)
def check_read_entities(answer: Answer) -> None:
    """Entities from what a model has written, however badly."""
    hint = "Cut at the semicolons, each part at its first colon; skip what has no type or no name."
    cases = (
        "PER : Ada Lind ; GPE : London",
        "none",
        "",
        "MISC : Dark: a novel ; PER : ; : Rome ; GPE",
        "ORG:Orlando Bank;LOC :  the Rhine",
    )
    for text in cases:
        answer.gives(text, expected=_read(text), hint=hint)


def _score(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    scores = logits.log_softmax(dim=-1)[start - 1 : -1]
    return scores.gather(-1, ids[start:, None]).sum()


def _one_late(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return logits.log_softmax(dim=-1)[start:].gather(-1, ids[start:, None]).sum()


def _whole_text(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return _score(logits, ids, 1)


def _not_normalised(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return logits[start - 1 : -1].gather(-1, ids[start:, None]).sum()


@exercise("answer_score", wrong=[_one_late, _whole_text, _not_normalised])
def check_answer_score(answer: Answer) -> None:
    """The log-probability of an answer after its prompt."""
    generator = torch.Generator().manual_seed(0)
    hint = "The logits at position t are about the token at t + 1, so start one position early."
    for length, start in ((5, 3), (7, 2), (6, 5)):
        logits = torch.randn(length, 9, generator=generator)
        ids = torch.randint(9, (length,), generator=generator)
        expected = float(_score(logits, ids, start))
        answer.gives(logits, ids, start, expected=expected, hint=hint)


def _mixed(sizes: Sequence[int], limit: int, temperature: float) -> list[float]:
    weights = [min(size, limit) ** (1 / temperature) for size in sizes]
    return [weight / sum(weights) for weight in weights]


def _without_limit(sizes: Sequence[int], limit: int, temperature: float) -> list[float]:
    return _mixed(sizes, max(sizes), temperature)


def _temperature_as_power(sizes: Sequence[int], limit: int, temperature: float) -> list[float]:
    return _mixed(sizes, limit, 1 / temperature)


def _not_renormalised(sizes: Sequence[int], limit: int, temperature: float) -> list[float]:
    return [rate ** (1 / temperature) for rate in _mixed(sizes, limit, 1.0)]


@exercise("mixing_rates", wrong=[_without_limit, _temperature_as_power, _not_renormalised])
def check_mixing_rates(answer: Answer) -> None:
    """How often each data set is drawn from."""
    hint = "Cut sizes at the limit, take them to the power of 1 / temperature, divide by the sum."
    for inputs in (([100, 300], 1000, 1.0), ([10, 5000, 90], 100, 1.0), ([1, 16, 400], 64, 2.0)):
        answer.gives(*inputs, expected=_mixed(*inputs), hint=hint)
