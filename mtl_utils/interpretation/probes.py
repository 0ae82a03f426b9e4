"""Linear probes: what a straight line can read off hidden states, at its optimum."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_number, check_several, check_tensor, check_whole
from mtl_utils.interpretation.states import States


@dataclass(frozen=True)
class LinearProbe:
    r"""A multinomial logistic regression on standardised states.

    .. math:: p(y \mid h) = \operatorname{softmax}(W z + b)_y, \qquad z = (h - m) / s

    Args:
        mean: :math:`m`, ``[D]``.
        scale: :math:`s`, ``[D]``.
        weight: :math:`W`, ``[C, D]``.
        bias: :math:`b`, ``[C]``; minus infinity for labels that were not seen.
        gradient_norm: Greatest entry of the gradient of the objective where the fit ended.
        count: Number of labels that it was fitted to, N.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    gradient_norm: float
    count: int

    def log_probabilities(self, states: Tensor) -> Tensor:
        """Say how likely each label is.

        Args:
            states: ``[N, D]``.

        Returns:
            ``[N, C]`` in nats, in double precision.

        Raises:
            TypeError: If they are no tensor of floating-point numbers.
            ValueError: If they have another width.
        """
        check_tensor("states", states, "[N, D]", "floating-point")
        if states.shape[1] != len(self.mean):
            raise ValueError(
                f"states must be [N, {len(self.mean)}] as those of the fit, got "
                f"{list(states.shape)}"
            )
        standard = (states.double() - self.mean) / self.scale
        return (standard @ self.weight.T + self.bias).log_softmax(dim=1)

    def accuracy(self, states: Tensor, labels: Tensor) -> float:
        """Return the share of labels that are the most likely one.

        Args:
            states: ``[N, D]``.
            labels: Ids ``[N]``.

        Raises:
            TypeError: If something is no tensor of its kind.
            ValueError: If shapes do not fit, or there is nothing to measure.
        """
        check_pairs(states, labels)
        return float((self.log_probabilities(states).argmax(dim=1) == labels).double().mean())

    def loss(self, states: Tensor, labels: Tensor) -> float:
        """Return the mean negative log-likelihood in nats, infinite for a label never seen.

        Args:
            states: ``[N, D]``.
            labels: Ids ``[N]``.

        Raises:
            TypeError: If something is no tensor of its kind.
            ValueError: If shapes do not fit, or there is nothing to measure.
        """
        check_pairs(states, labels)
        return -float(self.log_probabilities(states).gather(1, labels[:, None]).mean())


def fit_probe(
    states: Tensor,
    labels: Tensor,
    *,
    num_labels: int | None = None,
    strength: float = 1e-3,
    tolerance: float = 1e-5,
    max_iterations: int = 500,
) -> LinearProbe:
    r"""Fit a linear probe to its optimum (Alain & Bengio, 2017).

    .. math:: \min_{W, b}\ \frac{1}{N} \sum_n -\log p(y_n \mid h_n)
        + \frac{\lambda}{2} \lVert W \rVert^2

    The objective is convex, and with a penalty above 0 one :math:`W` is best, so that neither a
    seed nor a step size has a say in what a probe finds. It is minimised by L-BFGS in double
    precision.

    Args:
        states: ``[N, D]``.
        labels: Ids ``[N]``.
        num_labels: Number of labels, C; one more than the greatest id if ``None``.
        strength: The penalty :math:`\lambda`, on weights of standardised states. Biases are free.
        tolerance: The fit ends where no entry of the gradient is greater.
        max_iterations: The most iterations.

    Raises:
        TypeError: If something is no tensor of its kind, or a setting of another type.
        ValueError: If shapes do not fit, there are no labels, an id does not exist, or a setting is
            outside its range.
    """
    check_pairs(states, labels)
    check_number("strength", strength, least=0)
    check_number("tolerance", tolerance, above=0)
    check_whole("max_iterations", max_iterations, least=1)
    size = number_of_labels(labels, num_labels)
    states = states.detach().double()
    mean = states.mean(dim=0)
    # A unit that does not vary is 0 after the mean is taken, whatever it is divided by.
    scale = states.std(dim=0, correction=0)
    scale = torch.where(scale > 1e-12 * mean.abs() + 1e-300, scale, torch.ones_like(scale))
    standard = (states - mean) / scale
    seen = labels.unique()  # sorted
    weight, bias, norm = _minimise(
        standard, torch.searchsorted(seen, labels), len(seen), strength, tolerance, max_iterations
    )
    all_weights = weight.new_zeros(size, weight.shape[1])
    all_biases = weight.new_full((size,), -math.inf)
    all_weights[seen], all_biases[seen] = weight, bias
    return LinearProbe(mean, scale, all_weights, all_biases, norm, len(labels))


def _minimise(
    states: Tensor, labels: Tensor, size: int, strength: float, tolerance: float, iterations: int
) -> tuple[Tensor, Tensor, float]:
    """Return weights ``[C, D]``, biases ``[C]`` and the greatest entry of the gradient."""
    count, width = states.shape
    rows = torch.arange(count, device=states.device)
    parameters = states.new_zeros(size, width + 1)
    parameters[:, width] = (torch.bincount(labels, minlength=size) / count).log()
    # The gradient is written out: that takes half of the time of having it derived.
    parameters.grad = torch.zeros_like(parameters)

    def closure() -> Tensor:
        weight, bias = parameters[:, :width], parameters[:, width]
        log_p = torch.addmm(bias, states, weight.T).log_softmax(dim=1)
        loss = -log_p[rows, labels].mean() + strength / 2 * weight.square().sum()
        excess = log_p.exp_()
        excess[rows, labels] -= 1
        assert parameters.grad is not None
        torch.mm(excess.T, states, out=parameters.grad[:, :width])
        parameters.grad[:, width] = excess.sum(dim=0)
        parameters.grad /= count
        parameters.grad[:, :width] += strength * weight
        return loss

    optimizer = torch.optim.LBFGS(
        [parameters],
        max_iter=iterations,
        max_eval=2 * iterations,
        history_size=20,
        tolerance_grad=tolerance,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    optimizer.step(closure)
    closure()
    norm = float(parameters.grad.abs().max())
    return parameters[:, :width], parameters[:, width], norm


def probe_scores(
    train: States,
    test: States,
    *,
    tasks: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    strength: float = 1e-3,
) -> pd.DataFrame:
    """Fit a probe for every task on every layer, from states that were read once.

    Args:
        train: States to fit to.
        test: States of other texts, on which is measured.
        tasks: Names of the tasks; all if ``None``.
        layers: Names of the layers; all if ``None``.
        strength: See :func:`fit_probe`.

    Returns:
        One row for each pair: ``task``, ``layer``, ``accuracy``, ``majority`` (the accuracy of
        always saying the label that is most frequent in training) and ``loss`` in nats (infinite
        where a label of the test was never seen in training).

    Raises:
        TypeError: If these are no states, or names no list of names.
        KeyError: If a task or layer is unknown.
        ValueError: As :func:`fit_probe`.
    """
    check_kind("train", train, States, "States")
    check_kind("test", test, States, "States")
    rows = []
    for task in _names("tasks", tasks, train.tasks):
        for layer in _names("layers", layers, train.layers):
            states, labels = train.of(task, layer)
            others, wanted = test.of(task, layer)
            size = 1 + int(max(labels.max(), wanted.max()))
            probe = fit_probe(states, labels, num_labels=size, strength=strength)
            majority = labels.bincount().argmax()
            log_p = probe.log_probabilities(others)
            rows.append(
                {
                    "task": task,
                    "layer": layer,
                    "accuracy": float((log_p.argmax(dim=1) == wanted).double().mean()),
                    "majority": float((wanted == majority).double().mean()),
                    "loss": -float(log_p.gather(1, wanted[:, None]).mean()),
                }
            )
    return pd.DataFrame(rows)


def _names(name: str, given: Sequence[str] | None, there: Sequence[str]) -> Iterable[str]:
    if given is None:
        return there
    check_several(name, given, "names")
    for each in given:
        if each not in there:
            raise KeyError(f"{name} must be some of {list(there)}, got {each!r}")
    return given


def check_pairs(states: Tensor, labels: Tensor) -> None:
    """Refuse what are not states and as many labels.

    Args:
        states: ``[N, D]``.
        labels: ``[N]``.

    Raises:
        TypeError: If something is no tensor of its kind.
        ValueError: If shapes do not fit, there is nothing, or a label is negative.
    """
    check_tensor("states", states, "[N, D]", "floating-point")
    check_tensor("labels", labels, "[N]", "integer")
    if len(states) != len(labels) or not len(labels):
        raise ValueError(
            f"Expected states [N, D] and labels [N] of at least one, got states "
            f"{list(states.shape)} and labels {list(labels.shape)}"
        )
    if not bool(states.isfinite().all()):
        raise ValueError(f"states must be finite, got nan or infinity in {list(states.shape)}")
    if int(labels.min()) < 0:
        raise ValueError(
            f"labels must be ids from 0, got {int(labels.min())} in {list(labels.shape)}; "
            "States.of leaves out what is missing"
        )


def number_of_labels(labels: Tensor, num_labels: int | None) -> int:
    """Return how many labels there are.

    Args:
        labels: Ids ``[N]``.
        num_labels: The number, or ``None`` for one more than the greatest id.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If an id is not below it.
    """
    least = int(labels.max()) + 1
    if num_labels is None:
        return least
    check_whole("num_labels", num_labels, least=least)
    return num_labels
