"""Searching for a probable sequence: greedy search and beam search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_tensor, check_whole
from mtl_utils.nn.decoding import Step
from mtl_utils.nn.search_limits import (
    check_forbidden,
    check_length_penalty,
    check_room,
    check_rows,
    check_scores,
)

NO_NUMBERS = (
    "The scores of the next token are not numbers, so there is nothing to search. Look for nan or "
    "infinity in the weights of the model."
)
NO_TOKEN = (
    "Every token that the model gives a probability is forbidden, so there is none to write next. "
    "Look at its logits, and at forbidden_ids."
)


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that a search found.

    Args:
        ids: Its tokens, without ``<bos>`` and ``<eos>``.
        log_probability: Of all its tokens, ``<eos>`` included, in nats.
        score: What the search ranks by: the log-probability, normalised for length.
        finished: Whether it ended in ``<eos>`` rather than at the limit.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float
    finished: bool


def select_rows(state: Any, rows: Tensor) -> Any:
    """Pick rows of a decoder's state.

    Args:
        state: A tensor whose first dimension is the row, a (named) tuple of such, or ``None``.
        rows: Indices ``[N]``, repetitions allowed.

    Returns:
        A state of the same form with N rows.

    Raises:
        TypeError: If ``rows`` is no tensor of integers, or the state holds something else.
        ValueError: If ``rows`` is not ``[N]``.
    """
    check_tensor("rows", rows, "[N]", "integer")
    if isinstance(state, Tensor):
        return state.index_select(0, rows)
    if isinstance(state, tuple):
        parts = [select_rows(part, rows) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    if state is None:
        return None
    raise TypeError(f"Expected a state of tensors and tuples, got {type(state).__name__}")


@torch.no_grad()
def greedy_search(
    step: Step,
    state: Any,
    bos_ids: Tensor,
    *,
    eos_id: int,
    max_length: int,
    forbidden_ids: Sequence[int] = (),
) -> list[Hypothesis]:
    """Append the most probable token until it is ``<eos>``.

    Args:
        step: ``step(input_ids [B, 1], state) -> (logits [B, 1, V], state)``.
        state: The state before the first token.
        bos_ids: The first token of each row ``[B]``, on the device to decode on.
        eos_id: Ends a sequence.
        max_length: Upper bound on tokens, ``<eos>`` included.
        forbidden_ids: Ids never written, such as that of padding.

    Returns:
        One hypothesis a row; its score is its log-probability.

    Raises:
        ValueError: If ``max_length`` is below 1 or more than the positions that a decoder has left,
            ``bos_ids`` is not ``[B]``, or a forbidden id does not exist or none is left.
        TypeError: If an id or ``max_length`` is no whole number.
        FloatingPointError: If the model's scores are nan, or leave no token to write.
    """
    max_length, forbidden = _checked(step, state, bos_ids, eos_id, max_length, forbidden_ids)
    prepare = getattr(step, "prepared", None)
    faster = None if prepare is None else prepare(state, max_length)
    if faster is not None:
        step, state = faster, None
    banned = torch.tensor(forbidden, dtype=torch.long, device=bos_ids.device)
    fed = bos_ids.unsqueeze(1)  # [B, 1]
    finished = torch.zeros_like(bos_ids, dtype=torch.bool)
    total = torch.zeros(len(bos_ids), device=bos_ids.device)
    written: list[Tensor] = []
    for _ in range(max_length):
        logits, state = step(fed, state)
        if not written:
            check_scores(logits, len(bos_ids), forbidden, eos_id)
        best, token = _log_probabilities(logits, banned).max(dim=-1)  # [B]
        _check_best(best)
        total = torch.where(finished, total, total + best)
        token = token.masked_fill(finished, eos_id)
        finished = finished | (token == eos_id)
        written.append(token)
        fed = token.unsqueeze(1)
        if bool(finished.all()):
            break
    rows = torch.stack(written, dim=1).tolist() if len(bos_ids) else []
    return [
        Hypothesis(tuple(_until(row, eos_id)), score, score, ended)
        for row, score, ended in zip(rows, total.tolist(), finished.tolist(), strict=True)
    ]


@torch.no_grad()
def beam_search(
    step: Step,
    state: Any,
    bos_ids: Tensor,
    *,
    eos_id: int,
    max_length: int,
    beam_size: int = 5,
    length_penalty: float = 1.0,
    forbidden_ids: Sequence[int] = (),
    select: Callable[[Any, Tensor], Any] = select_rows,
) -> list[list[Hypothesis]]:
    r"""Keep the ``beam_size`` best beginnings of each row instead of one.

    A finished sequence of n tokens, ``<eos>`` included, is ranked by
    :math:`\log p(y) / n^\alpha` (Wu et al., 2016, in the simpler form). The search of a row ends
    when no beginning can still overtake the finished ones, so a beam as wide as the number of
    sequences finds the best of all.

    Args:
        step: ``step(input_ids [N, 1], state) -> (logits [N, 1, V], state)``.
        state: The state before the first token, one row a sequence to be written.
        bos_ids: The first token of each row ``[B]``, on the device to decode on.
        eos_id: Ends a sequence.
        max_length: Upper bound on tokens, ``<eos>`` included. What is unfinished there is ranked
            as it is.
        beam_size: Beginnings kept for each row.
        length_penalty: :math:`\alpha \ge 0`; 0 ranks by probability, which prefers short sequences,
            1 by the mean over tokens.
        forbidden_ids: Ids never written, such as that of padding.
        select: How to pick rows of the state.

    Returns:
        For each row at most ``beam_size`` hypotheses, best first.

    Raises:
        ValueError: If a limit is below 1, ``length_penalty`` is negative or too large for
            ``max_length``, ``max_length`` is more than the positions that a decoder has left,
            ``bos_ids`` is not ``[B]``, or a forbidden id does not exist or none is left.
        TypeError: If an id or a limit is no whole number, or ``length_penalty`` no number.
        FloatingPointError: If the model's scores are nan, or leave no token to write.
    """
    check_whole("beam_size", beam_size, least=1)
    max_length, forbidden = _checked(step, state, bos_ids, eos_id, max_length, forbidden_ids)
    length_penalty = check_length_penalty(length_penalty, max_length)
    device, batch_size = bos_ids.device, len(bos_ids)
    rows = torch.arange(batch_size, device=device).repeat_interleave(beam_size)
    state, fed = select(state, rows), bos_ids[rows].unsqueeze(1)
    # Beginnings of a row start as copies; all but one are ruled out, or the beam would hold copies.
    scores = torch.full((batch_size, beam_size), float("-inf"), device=device)
    scores[:, 0] = 0.0
    banned = torch.tensor(forbidden, dtype=torch.long, device=device)
    prefixes = torch.empty(batch_size, beam_size, 0, dtype=torch.long, device=device)
    active = list(range(batch_size))  # rows that are still searched
    found: list[list[Hypothesis]] = [[] for _ in range(batch_size)]

    for length in range(1, max_length + 1):
        if not active:
            break
        logits, state = step(fed, state)
        if length == 1:
            check_scores(logits, len(fed), forbidden, eos_id)
        log_probabilities = _log_probabilities(logits, banned)
        if bool(log_probabilities.amax(dim=-1).isnan().any()):
            raise FloatingPointError(NO_NUMBERS)
        total = scores.unsqueeze(-1) + log_probabilities.view(
            len(active), beam_size, -1
        )  # [A, beam, V]
        vocab_size = total.shape[-1]
        # Of twice as many candidates at least beam_size go on: one a beginning can be <eos>.
        count = min(2 * beam_size, beam_size * vocab_size)
        values, flat = total.flatten(1).topk(count, dim=-1)  # [A, 2 beam]
        origin, token = flat // vocab_size, flat % vocab_size
        ends = token == eos_id
        longer = torch.cat(
            [prefixes.gather(1, origin.unsqueeze(-1).expand(-1, -1, length - 1)), token[..., None]],
            dim=-1,
        )  # [A, 2 beam, length]
        _collect(found, active, longer, values, ends[:, :beam_size], length, length_penalty)

        order = ends.long().argsort(dim=-1, stable=True)[:, :beam_size]  # those that go on, first
        scores = values.gather(1, order).masked_fill(ends.gather(1, order), float("-inf"))
        prefixes = longer.gather(1, order.unsqueeze(-1).expand(-1, -1, length))
        if length == max_length:
            unfinished = torch.isfinite(scores)
            _collect(
                found, active, prefixes, scores, unfinished, length, length_penalty, ended=False
            )
            break
        best_possible = scores[:, 0] / max_length**length_penalty
        going_on = [
            place
            for place, row in enumerate(active)
            if not _decided(_best(found[row], beam_size), beam_size, float(best_possible[place]))
        ]
        kept = torch.tensor(going_on, dtype=torch.long, device=device)
        origin_rows = (
            kept.unsqueeze(1) * beam_size + origin.gather(1, order).index_select(0, kept)
        ).flatten()
        state = select(state, origin_rows)
        scores, prefixes = scores.index_select(0, kept), prefixes.index_select(0, kept)
        fed = prefixes[:, :, -1].reshape(-1, 1)
        active = [active[place] for place in going_on]
    if not all(found):
        raise FloatingPointError(NO_TOKEN)
    return [_best(hypotheses, beam_size) for hypotheses in found]


def _collect(
    found: list[list[Hypothesis]],
    active: Sequence[int],
    sequences: Tensor,
    log_probabilities: Tensor,
    chosen: Tensor,
    length: int,
    length_penalty: float,
    ended: bool = True,
) -> None:
    """Add the chosen sequences ``[A, N, length]`` to what was found for their rows."""
    for place, candidate in chosen.nonzero().tolist():
        log_probability = float(log_probabilities[place, candidate])
        if log_probability == float("-inf"):
            continue
        ids = sequences[place, candidate].tolist()
        score = log_probability / length**length_penalty
        found[active[place]].append(
            Hypothesis(tuple(ids[:-1] if ended else ids), log_probability, score, ended)
        )


def _best(hypotheses: list[Hypothesis], beam_size: int) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda found: -found.score)[:beam_size]


def _decided(best: list[Hypothesis], beam_size: int, best_possible: float) -> bool:
    """Tell whether no beginning can overtake the finished hypotheses of a row."""
    if best_possible == float("-inf"):
        return True
    return len(best) == beam_size and best[-1].score >= best_possible


def _log_probabilities(logits: Tensor, forbidden: Tensor) -> Tensor:
    last = logits[:, -1]
    dtype = torch.promote_types(last.dtype, torch.float32)  # half precision is too coarse to sum
    log_probabilities = last.log_softmax(dim=-1, dtype=dtype)  # [N, V]
    return log_probabilities.index_fill_(-1, forbidden, float("-inf"))


def _check_best(best: Tensor) -> None:
    """Refuse to go on where the best of a row is not a number, or impossible."""
    if not bool(best.isfinite().all()):
        raise FloatingPointError(NO_NUMBERS if bool(best.isnan().any()) else NO_TOKEN)


def _until(ids: list[int], eos_id: int) -> list[int]:
    return ids[: ids.index(eos_id)] if eos_id in ids else ids


def _checked(
    step: Step,
    state: Any,
    bos_ids: Tensor,
    eos_id: int,
    max_length: int,
    forbidden_ids: Sequence[int],
) -> tuple[int, list[int]]:
    """Return the greatest length and the forbidden ids, after a look at all."""
    if not callable(step):
        raise TypeError(
            "step must be a decoder, or a function of ids and a state, got "
            f"{type(step).__name__} {step!r:.60}"
        )
    check_whole("max_length", max_length, least=1)
    check_whole("eos_id", eos_id, least=0)
    check_rows("bos_ids", bos_ids)
    if bos_ids.dim() != 1:
        raise ValueError(f"Expected bos_ids [B], one a row, got shape {list(bos_ids.shape)}")
    check_room(step, state, max_length)
    return max_length, check_forbidden(forbidden_ids)
