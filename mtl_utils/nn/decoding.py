"""Turning next-token logits into text: temperature, top-k, nucleus, and the sampling loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_number, check_tensor, check_whole
from mtl_utils.nn.search_limits import check_forbidden, check_rows, check_scores

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""``step(input_ids [B, T], state) -> (logits [B, T, V], state)``; the state starts as ``None``."""


def filter_logits(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    r"""Sharpen logits and remove unlikely tokens, in the order temperature, top-k, nucleus.

    Temperature divides the logits. Top-k (Fan et al., 2018) keeps the ``top_k`` largest, and any
    that tie with the last of them. The nucleus (Holtzman et al., 2020) is the smallest set of most
    probable tokens whose mass reaches ``top_p``, so the token that crosses the line belongs to it.

    Args:
        logits: Unnormalised log-probabilities ``[..., V]``; ``-inf`` marks an impossible token.
        temperature: Positive; below 1 sharpens, above 1 flattens. 0 keeps the most probable token
            alone (greedy decoding).
        top_k: How many tokens to keep, at least 1; ``None`` keeps all.
        top_p: Mass of the nucleus in (0, 1]; ``None`` keeps all.

    Returns:
        Logits ``[..., V]``, ``-inf`` at the removed tokens. At least one token is always kept.

    Raises:
        ValueError: If a setting is outside its range.
        TypeError: If logits are no floating-point tensor, or a setting is no number.
    """
    check_tensor("logits", logits, "[..., V]", "floating-point")
    check_number("temperature", temperature, least=0)
    if top_k is not None:
        check_whole("top_k", top_k, least=1)
    if top_p is not None:
        check_number("top_p", top_p, above=0, most=1)
    if temperature == 0:
        return _keep_best(logits)
    logits = logits / temperature
    if top_k is not None:
        logits = _keep_top_k(logits, top_k)
    if top_p is not None and top_p < 1:
        logits = _keep_nucleus(logits, top_p)
    return logits


def _keep_best(logits: Tensor) -> Tensor:
    best = logits.argmax(dim=-1, keepdim=True)
    return torch.full_like(logits, float("-inf")).scatter(-1, best, logits.gather(-1, best))


def _keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    threshold = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < threshold, float("-inf"))


def _keep_nucleus(logits: Tensor, top_p: float) -> Tensor:
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    probabilities = ordered.softmax(dim=-1)
    mass_before = probabilities.cumsum(dim=-1) - probabilities
    outside = mass_before >= top_p
    outside[..., 0] = False  # rounding must not empty the set
    return logits.masked_fill(outside.scatter(-1, order, outside), float("-inf"))


def next_token_distribution(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Return the distribution that :func:`sample` draws the next token from.

    Args:
        logits: Unnormalised log-probabilities ``[..., V]``.
        temperature: See :func:`filter_logits`.
        top_k: See :func:`filter_logits`.
        top_p: See :func:`filter_logits`.

    Returns:
        Probabilities ``[..., V]`` that sum to 1.

    Raises:
        ValueError: If a setting is outside its range.
        TypeError: If logits are no floating-point tensor, or a setting is no number.
    """
    return filter_logits(logits, temperature, top_k, top_p).softmax(dim=-1)


@torch.no_grad()
def sample(
    step: Step,
    input_ids: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_id: int | None = None,
    forbidden_ids: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue each row of a prompt by sampling one token after another.

    The model reads the whole prompt once, and from then on only the token just drawn; what came
    before is in its state.

    Args:
        step: The model as a function ``(input_ids [B, T], state) -> (logits [B, T, V], state)``,
            called first with the state ``None``. A language model of this package fits as it is.
        input_ids: The prompt ``[B, T]``, at least one token.
        max_new_tokens: Upper bound on the number of tokens drawn per row.
        temperature: See :func:`filter_logits`.
        top_k: See :func:`filter_logits`.
        top_p: See :func:`filter_logits`.
        stop_id: A row is finished once it has drawn this id; the rest of it repeats the id.
        forbidden_ids: Ids that are never drawn, such as that of padding.
        generator: Source of randomness, on the device of ``input_ids``; torch's own if ``None``.

    Returns:
        Prompt and continuation ``[B, T + N]`` with ``N <= max_new_tokens``.

    Raises:
        ValueError: If the prompt is not ``[B, T]`` with at least one token, a setting is outside
            its range, or a forbidden id does not exist or none is left.
        TypeError: If an id or a number of tokens is no whole number, or ``generator`` is none.
    """
    check_rows("The prompt", input_ids)
    if input_ids.dim() != 2 or input_ids.numel() == 0:
        raise ValueError(
            f"Expected a prompt [B, T] of at least one token, got {list(input_ids.shape)}. "
            "Start from the id of <bos> or <eos> where there is no prompt."
        )
    check_whole("max_new_tokens", max_new_tokens, least=0)
    forbidden = check_forbidden(forbidden_ids)
    if stop_id is not None:
        check_whole("stop_id", stop_id, least=0)
    check_kind("generator", generator, (torch.Generator, NoneType), "a torch.Generator")
    output, fed, state = input_ids, input_ids, None
    finished = torch.zeros(len(input_ids), 1, dtype=torch.bool, device=input_ids.device)
    for _ in range(max_new_tokens):
        logits, state = step(fed, state)
        if output is input_ids:
            check_scores(logits, len(input_ids), forbidden, stop_id)
        last = logits[:, -1].clone()
        if forbidden:
            last[:, forbidden] = float("-inf")
        weights = next_token_distribution(last, temperature, top_k, top_p)
        fed = torch.multinomial(weights, 1, generator=generator)
        if stop_id is not None:
            fed = fed.masked_fill(finished, stop_id)
            finished |= fed == stop_id
        output = torch.cat([output, fed], dim=1)
        if bool(finished.all()):
            break
    return output
