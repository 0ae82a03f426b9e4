"""From the outputs of a graph to labels, in NumPy: what stays outside the graph.

The best sequence of tags is searched here and not in the graph. A search is a loop over tokens,
which every runtime spells otherwise and quantisation would touch; the graph ends at emissions, and
the scores of the search, a few hundred numbers, stand beside it. A page, a server and a phone can
each do it in twenty lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def labels_of(task: Mapping[str, Any], outputs: Array) -> Any:
    """Return what a task says of one text.

    Args:
        task: What is known of it; see :func:`mtl_utils.deployment.export.kinds.description`.
        outputs: Logits ``[C]``, emissions ``[W, C]`` of words, or a number.

    Returns:
        A label, a list of labels, or a number.
    """
    kind = task["kind"]
    if kind == "regression":
        return float(outputs)
    names = task["labels"]
    if kind == "classification":
        return names[int(outputs.argmax())]
    if kind == "multi_label":
        likely = _sigmoid(_tempered(task, outputs)) >= task["threshold"]
        return [name for name, chosen in zip(names, likely, strict=True) if chosen]
    if task["search"] is None:
        return [names[best] for best in outputs.argmax(axis=1)]
    return [names[tag] for tag in best_tags(outputs, **scores_of(task["search"]))]


def probabilities_of(task: Mapping[str, Any], outputs: Array) -> Any:
    """Return how likely each label is; of a regression, which has none, the number.

    Args:
        task: As for :func:`labels_of`.
        outputs: Likewise.

    Returns:
        A mapping from labels to probabilities, or one a word.
    """
    kind = task["kind"]
    if kind == "regression":
        return float(outputs)
    names, scores = task["labels"], _tempered(task, outputs)
    if kind == "multi_label":
        return dict(zip(names, _sigmoid(scores).tolist(), strict=True))
    if kind == "classification":
        return dict(zip(names, _softmax(scores).tolist(), strict=True))
    if task["search"] is None:
        found = _softmax(scores)
    else:
        search = scores_of(task["search"])
        if task["temperature"] is not None:
            search = {name: part / task["temperature"] for name, part in search.items()}
        found = marginals(scores, **search)
    return [dict(zip(names, word.tolist(), strict=True)) for word in found]


def scores_of(search: Mapping[str, Any]) -> dict[str, Array]:
    """Return the scores of a search as arrays.

    Args:
        search: As JSON holds them: ``None`` stands for minus infinity.
    """
    return {name: np.array(part, np.float64).astype(np.float32) for name, part in _filled(search)}


def _filled(search: Mapping[str, Any]) -> list[tuple[str, Any]]:
    def number(value: Any) -> Any:
        if isinstance(value, list):
            return [number(part) for part in value]
        return -np.inf if value is None else value

    return [(name, number(search[name])) for name in ("start", "transitions", "end")]


def best_tags(emissions: Array, start: Array, transitions: Array, end: Array) -> list[int]:
    """Find the sequence of tags with the greatest score (Viterbi, 1967).

    Args:
        emissions: ``[W, C]``.
        start: ``[C]``.
        transitions: ``[C, C]`` (from, to).
        end: ``[C]``.

    Returns:
        A tag a word, of equally good ones the one with the lowest number.
    """
    if len(emissions) == 0:
        return []
    # The same rounding as mtl_utils.nn.tag_search: the greatest score is always zero.
    scores = [_best_zero(start + emissions[0])]
    for step in emissions[1:]:
        scores.append(_best_zero((scores[-1][:, None] + transitions).max(axis=0) + step))
    path = [int((scores[-1] + end).argmax())]
    for before in reversed(scores[:-1]):
        path.append(int((before + transitions[:, path[-1]]).argmax()))
    return path[::-1]


def marginals(emissions: Array, start: Array, transitions: Array, end: Array) -> Array:
    """Return how likely each tag of each word is, over all sequences.

    Args:
        emissions: ``[W, C]``.
        start: ``[C]``.
        transitions: ``[C, C]`` (from, to).
        end: ``[C]``.

    Returns:
        ``[W, C]``; rows sum to 1.
    """
    if len(emissions) == 0:
        return emissions
    precise = emissions.astype(np.float64)
    forward = [start + precise[0]]
    for step in precise[1:]:
        forward.append(_log_sum(forward[-1][:, None] + transitions, 0) + step)
    backward = [end.astype(np.float64)]
    for step in precise[:0:-1]:
        backward.append(_log_sum(transitions + (step + backward[-1])[None, :], 1))
    found: Array = _softmax(np.stack(forward) + np.stack(backward[::-1])).astype(np.float32)
    return found


def _log_sum(scores: NDArray[Any], axis: int) -> NDArray[Any]:
    greatest = scores.max(axis=axis, keepdims=True)
    shift = np.where(np.isfinite(greatest), greatest, 0.0)
    with np.errstate(divide="ignore"):
        summed: NDArray[Any] = np.log(np.exp(scores - shift).sum(axis=axis))
    return summed + shift.squeeze(axis)


def _best_zero(scores: Array) -> Array:
    greatest = max(scores.max(), np.finfo(scores.dtype).min)
    found: Array = scores - greatest
    return found


def _tempered(task: Mapping[str, Any], scores: Array) -> Array:
    temperature = task["temperature"]
    return scores if temperature is None else scores / np.float32(temperature)


def _softmax(scores: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: NDArray[Any] = powers / powers.sum(axis=-1, keepdims=True)
    return found


def _sigmoid(scores: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        found: NDArray[Any] = 1 / (1 + np.exp(-scores))
    return found
