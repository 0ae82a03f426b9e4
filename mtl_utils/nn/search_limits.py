"""What a search or a sampler is asked for, checked before it starts."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from mtl_utils.arguments import check_number, check_tensor, check_whole


def check_length_penalty(length_penalty: Any, max_length: int) -> float:
    """Return a penalty that sequences can be divided by.

    Args:
        length_penalty: The exponent of the length.
        max_length: The greatest length.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is negative, or a power of ``max_length`` that is no number.
    """
    check_number("length_penalty", length_penalty, least=0)
    penalty = float(length_penalty)
    try:
        largest = float(max_length) ** penalty
    except OverflowError:
        largest = math.inf
    if not math.isfinite(largest):
        raise ValueError(
            f"length_penalty={length_penalty} is too large: scores are divided by the length to "
            f"this power, and {max_length} ** {length_penalty} is not a finite number. 0 ranks by "
            "probability, 1 by the mean over tokens; more than 2 is unusual."
        )
    return penalty


def check_rows(name: str, ids: Any) -> None:
    """Refuse what are no tokens to start from.

    Args:
        name: What the message is to call them.
        ids: The tokens.

    Raises:
        TypeError: If they are no tensor of integers.
    """
    check_tensor(name, ids, "[...]", "integer")


def check_forbidden(forbidden_ids: Iterable[int]) -> list[int]:
    """Return the ids that are never to be written.

    Args:
        forbidden_ids: The ids.

    Raises:
        TypeError: If they are no whole numbers.
        ValueError: If one is negative.
    """
    if isinstance(forbidden_ids, str) or not isinstance(forbidden_ids, Iterable):
        raise TypeError(f"forbidden_ids must be a sequence of ids, got {forbidden_ids!r:.60}")
    ids = list(forbidden_ids)
    for token in ids:
        check_whole(f"Every id in forbidden_ids={ids!r:.60}", token, least=0)
    return sorted({operator.index(token) for token in ids})


def check_scores(
    logits: Tensor, num_rows: int, forbidden: list[int], end: int | None = None
) -> None:
    """Refuse scores of another shape, and forbidden ids that leave nothing or do not exist.

    Args:
        logits: What the model returned for the first tokens.
        num_rows: Number of rows, N.
        forbidden: Ids that are never to be written.
        end: Id that ends a text, if there is one.

    Raises:
        ValueError: If so, or if the model never scores the end.
    """
    if logits.dim() != 3 or len(logits) != num_rows:
        raise ValueError(
            f"Expected the step to return logits [{num_rows}, T, V], got {list(logits.shape)}"
        )
    vocab_size = logits.shape[-1]
    if end is not None and end >= vocab_size:
        raise ValueError(
            f"eos_id or stop_id {end} would never be written: the model scores {vocab_size} "
            f"tokens, 0 to {vocab_size - 1}"
        )
    if forbidden and forbidden[-1] >= vocab_size:
        raise ValueError(
            f"forbidden_ids={forbidden!r:.60} holds {forbidden[-1]}, but the model scores "
            f"{vocab_size} tokens, 0 to {vocab_size - 1}"
        )
    if len(forbidden) >= vocab_size:
        raise ValueError(
            f"forbidden_ids holds all {vocab_size} tokens that the model scores, so that none is "
            "left to write"
        )


def check_room(step: Any, state: Any, max_length: int) -> None:
    """Refuse to write more tokens than a decoder has positions for.

    Args:
        step: A decoder; anything that does not say how many positions it has is not asked.
        state: The state before the first token.
        max_length: How many tokens may be written.

    Raises:
        ValueError: If there are fewer positions.
    """
    asked = getattr(step, "positions_left", None)
    left = None if asked is None else asked(state)
    if left is not None and left < max_length:
        raise ValueError(
            f"max_length={max_length} tokens cannot be written by a decoder with {left} positions "
            f"left. Search with max_length={left} or less, or make the decoder with max_length="
            f"{max_length} or more."
        )
