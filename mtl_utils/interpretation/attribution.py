"""Integrated gradients: what each token contributes to what tasks say, all tasks on one path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import (
    check_choice,
    check_kind,
    check_several,
    check_sizes,
    check_whole,
)
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.interpretation.targets import (
    Chosen,
    Target,
    check_targets_of,
    choose,
    head_outputs,
)
from mtl_utils.interpretation.token_embeddings import (
    Vectors,
    replaced,
    token_embeddings,
    vectors_of,
)
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode

Rule = Callable[[int], tuple[np.ndarray, np.ndarray]]


@cache
def _gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    points, weights = np.polynomial.legendre.leggauss(steps)
    return (points + 1) / 2, weights / 2


def _midpoint(steps: int) -> tuple[np.ndarray, np.ndarray]:
    return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)


#: Rules that integrate from 0 to 1, by name: from a number of steps to points and their weights.
RULES: Mapping[str, Rule] = {"gauss-legendre": _gauss_legendre, "midpoint": _midpoint}


@dataclass(frozen=True)
class Attribution:
    r"""What each token contributed to one number a text.

    Args:
        target: What was explained.
        labels: Id of the label that was explained ``[B]``; ``None`` where a task predicts a number.
        scores: Contributions ``[B, T]``, 0 at padding: sums over the units of a token.
        output: The number at the text, :math:`F(x)`, ``[B]``.
        baseline_output: The number at the baseline, :math:`F(x')`, ``[B]``.
    """

    target: Target
    labels: Tensor | None
    scores: Tensor
    output: Tensor
    baseline_output: Tensor

    @property
    def error(self) -> Tensor:
        r"""By how much completeness is missed, :math:`\sum_t a_t - (F(x) - F(x'))`, ``[B]``.

        The integral misses nothing; a sum of few steps does.
        """
        return self.scores.sum(dim=1) - (self.output - self.baseline_output)


def integrated_gradients(
    model: MultiTaskModel,
    inputs: Inputs,
    targets: Sequence[Target],
    *,
    baseline: Inputs | None = None,
    steps: int = 32,
    rule: str = "gauss-legendre",
    max_tokens: int = 2048,
) -> list[Attribution]:
    r"""Attribute what tasks say to the tokens of a text (Sundararajan et al., 2017).

    .. math:: a_t = \sum_d (e_{td} - e'_{td}) \int_0^1
        \frac{\partial F(e' + \alpha (e - e'))}{\partial e_{td}}\, d\alpha

    over the embeddings :math:`e` of a text and :math:`e'` of a baseline. The contributions sum to
    :math:`F(e) - F(e')` (completeness). All targets share the path: at each point the encoder is
    run forward once, and back once a target. Where a model has several tables of embeddings, all of
    them go along the path together, and a token has the sum. Nothing but tokens moves: the mask,
    positions and segments are those of the text all the way.

    It is done without dropout, and leaves the model as it was.

    Args:
        model: The model.
        inputs: B texts of at most T tokens.
        targets: What is to be explained.
        baseline: Inputs of the same shape whose tokens the path starts from, such as
            :func:`without_words` makes; vectors of zeros if ``None``.
        steps: Number of points on the path, S.
        rule: One of :data:`RULES`. Gauss and Legendre's is exact for polynomials up to the degree
            2 S - 1, and on smooth paths needs the fewest points.
        max_tokens: How many tokens, padding included, are computed at a time; it does not change
            the result.

    Returns:
        One attribution a target.

    Raises:
        TypeError: If ``model`` is no multi-task model or has no embeddings, inputs are none, or a
            number is no whole one.
        KeyError: If a task or a label is unknown.
        ValueError: If a number is below 1, shapes differ, there is no such rule, or a target does
            not fit its task.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_kind("inputs", inputs, Inputs, "Inputs")
    wanted = check_targets_of(model, targets)
    check_sizes(steps=steps, max_tokens=max_tokens)
    check_choice("rule", rule, RULES)
    if baseline is not None:
        check_kind("baseline", baseline, Inputs, "Inputs or None")
        if baseline.input_ids.shape != inputs.input_ids.shape:
            raise ValueError(
                f"baseline must have the shape of inputs {list(inputs.input_ids.shape)}, got "
                f"{list(baseline.input_ids.shape)}"
            )
    device = next(model.parameters()).device
    inputs = inputs.to(device)
    start = baseline if baseline is None else baseline.to(device)
    with _explaining(model):
        path = _Path.between(model, inputs, start)
        chosen, ends = _at_the_ends(model, path, wanted)
        sums = _integrate(model, path, chosen, RULES[rule](steps), max_tokens)
    found = []
    for place, target in enumerate(wanted):
        baseline_output, output = ends[place]
        scores = sums[place].masked_fill(~inputs.mask, 0.0)
        found.append(Attribution(target, chosen[place].labels, scores, output, baseline_output))
    return found


def without_words(inputs: Inputs, filler: int, kept: Sequence[int] = ()) -> Inputs:
    """Return inputs whose tokens are all the same: a baseline of the same length.

    Args:
        inputs: B texts.
        filler: Id that stands for no word in particular, such as that of unknown words or of a
            mask.
        kept: Ids that stay where they are, such as those of special tokens.

    Returns:
        Inputs of the same shape; characters are all 0, as at padding.

    Raises:
        TypeError: If the inputs are none, or an id is no whole number.
        ValueError: If an id is negative.
    """
    check_kind("inputs", inputs, Inputs, "Inputs")
    check_whole("filler", filler, least=0)
    check_several("kept", kept, "ids", ordered=False)
    for token in kept:
        check_whole("kept", token, least=0)
    stays = torch.isin(inputs.input_ids, inputs.input_ids.new_tensor(list(kept)))
    stays |= ~inputs.mask
    ids = torch.where(stays, inputs.input_ids, filler)
    characters = inputs.character_ids
    if characters is not None:
        characters = characters.masked_fill(~stays.unsqueeze(-1), 0)
    return replace(inputs, input_ids=ids, character_ids=characters)


@dataclass(frozen=True)
class _Path:
    """A straight line between the vectors of two texts, table by table."""

    inputs: Inputs
    start: Vectors
    end: Vectors

    @classmethod
    def between(cls, model: MultiTaskModel, inputs: Inputs, start: Inputs | None) -> _Path:
        tables = token_embeddings(model)
        with torch.no_grad():
            end = vectors_of(tables, inputs)
            if start is None:
                first = {table: torch.zeros_like(vectors) for table, vectors in end.items()}
            else:
                first = vectors_of(tables, start)
        return cls(inputs, first, end)

    def at(self, rows: Tensor, alphas: Tensor) -> Vectors:
        """Return points of the lines of some texts, as leaves that gradients are taken at."""
        alphas = alphas[:, None, None]
        return {
            table: torch.lerp(self.start[table][rows], self.end[table][rows], alphas)
            for table in self.end
        }

    def batch(self, rows: Tensor) -> Batch:
        return Batch(self.inputs.rows(rows))


@contextmanager
def _explaining(model: torch_nn.Module) -> Iterator[None]:
    """Without dropout, with gradients, none of them at parameters."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        # cuDNN has no backward pass of recurrent layers in evaluation mode.
        with (
            evaluation_mode(model) if _trains(model) else nullcontext(),
            torch.enable_grad(),
            torch.backends.cudnn.flags(enabled=False),
        ):
            yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _trains(model: torch_nn.Module) -> bool:
    return any(part.training for part in model.modules())


@torch.no_grad()
def _at_the_ends(
    model: MultiTaskModel, path: _Path, targets: Sequence[Target]
) -> tuple[list[Chosen], list[tuple[Tensor, Tensor]]]:
    """Say what is asked of each text, and the numbers at the beginning and end of its line."""
    size = len(path.inputs.input_ids)
    texts = torch.arange(size, device=path.inputs.input_ids.device)
    ends = {table: torch.cat([path.start[table], path.end[table]]) for table in path.end}
    with replaced(ends):
        tasks = [target.task for target in targets]
        outputs = head_outputs(model, path.batch(texts.repeat(2)), tasks)
    batch = path.batch(texts)
    chosen = [choose(model, one, outputs[one.task][size:], batch) for one in targets]
    numbers = [one.read(outputs[one.task], texts.repeat(2)) for one in chosen]
    return chosen, [(both[:size], both[size:]) for both in numbers]


def _integrate(
    model: MultiTaskModel,
    path: _Path,
    chosen: Sequence[Chosen],
    rule: tuple[np.ndarray, np.ndarray],
    max_tokens: int,
) -> list[Tensor]:
    """Return the contributions ``[B, T]`` of each target."""
    size, length = path.inputs.input_ids.shape
    dtype, device = next(iter(path.end.values())).dtype, path.inputs.input_ids.device
    alphas, weights = (torch.tensor(part, dtype=dtype, device=device) for part in rule)
    sums = [
        {table: torch.zeros_like(vectors) for table, vectors in path.end.items()} for _ in chosen
    ]
    tasks = [one.task for one in chosen]
    places = torch.arange(size * len(alphas), device=device)
    for part in places.split(max(1, max_tokens // max(1, length))):
        rows, points = part % size, part // size
        vectors = {t: v.requires_grad_() for t, v in path.at(rows, alphas[points]).items()}
        with replaced(vectors):
            outputs = head_outputs(model, path.batch(rows), tasks)
        for place, one in enumerate(chosen):
            again = place + 1 < len(chosen)  # what is kept of the pass goes with the last target
            number = (one.read(outputs[one.task], rows) * weights[points]).sum()
            gradients = torch.autograd.grad(
                number, list(vectors.values()), retain_graph=again, allow_unused=True
            )
            for table, gradient in zip(vectors, gradients, strict=True):
                if gradient is not None:
                    sums[place][table].index_add_(0, rows, gradient)
    totals = []
    for by_table in sums:
        parts = [
            ((path.end[table] - path.start[table]) * total).sum(dim=-1)
            for table, total in by_table.items()
        ]
        totals.append(torch.stack(parts).sum(dim=0))
    return totals
