"""Elastic weight consolidation: weights that old tasks need are held more firmly than others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_names, check_number, check_several, shown
from mtl_utils.continual.fisher import fisher_diagonal
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.base import Losses


@dataclass(frozen=True)
class Anchor:
    r"""Where shared weights were when a task had been learnt, and how much each matters to it.

    .. math:: \Omega(\theta) = \frac{1}{2} \sum_i F_i\, (\theta_i - \theta^*_i)^2

    Args:
        weights: :math:`\theta^*` by name of a parameter.
        importance: :math:`F`, of the same names and shapes.

    Raises:
        ValueError: If names or shapes differ.
        TypeError: If they are no tensors by name.
    """

    weights: Mapping[str, Tensor]
    importance: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        for argument in ("weights", "importance"):
            given = getattr(self, argument)
            check_names(argument, given, "tensors by the names of parameters")
            for name, tensor in given.items():
                check_kind(f"{argument}[{name!r}]", tensor, Tensor, "a tensor")
        shapes = {name: list(weight.shape) for name, weight in self.weights.items()}
        others = {name: list(weight.shape) for name, weight in self.importance.items()}
        if shapes != others:
            raise ValueError(
                "importance must have the names and shapes of weights, got "
                f"{shown(others)} for {shown(shapes)}"
            )

    @classmethod
    def even(cls, model: MultiTaskModel) -> Anchor:
        """Hold every shared weight alike: the control that elastic weights have to beat.

        As a penalty on the distance from where a fine-tuning began it is that of Li et al. (2018).

        Args:
            model: The model, after the task was learnt.

        Raises:
            TypeError: If it is no multi-task model.
        """
        check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
        weights = _copied(model)
        return cls(weights, {name: torch.ones_like(weight) for name, weight in weights.items()})

    def penalty(self, parameters: Mapping[str, Tensor]) -> Tensor:
        r"""Return :math:`\Omega`, a scalar.

        Args:
            parameters: The weights as they are by now, by name; others among them do not count.

        Raises:
            KeyError: If one is missing.
            TypeError: If they are not given by name.
        """
        check_names("parameters", parameters, "tensors by name")
        missing = [name for name in self.weights if name not in parameters]
        if missing:
            raise KeyError(
                f"parameters must have {missing[0]!r}, which the anchor holds, got "
                f"{shown(list(parameters))}"
            )
        parts = []
        for name, weight in self.weights.items():
            now = parameters[name]
            moved = now - weight.to(now.device, now.dtype)
            parts.append((self.importance[name].to(now.device, now.dtype) * moved**2).sum())
        return 0.5 * torch.stack(parts).sum()


@dataclass(frozen=True)
class Elastic:
    r"""Holds shared weights where old tasks need them (Kirkpatrick et al., 2017).

    .. math:: L(\theta) = L_{\text{new}}(\theta) + \lambda \sum_{k} \Omega_k(\theta)

    with an :class:`Anchor` for each old task. Where losses are quadratic and their curvature is
    diagonal, F times the number of old rows is that curvature, and the minimum is that of the sum
    over all rows, old and new: then :math:`\lambda` is the number of old rows divided by that of
    new ones. Elsewhere it is a strength to be tuned.

    Args:
        anchors: One for each old task, as :func:`anchored` returns it.
        strength: :math:`\lambda`.

    Raises:
        ValueError: If there is no anchor, or the strength is negative.
        TypeError: If something is not of its kind.
    """

    anchors: Sequence[Anchor]
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_several("anchors", self.anchors, "anchors")
        for place, anchor in enumerate(self.anchors):
            check_kind(f"anchors[{place}]", anchor, Anchor, "an Anchor")
        if not self.anchors:
            raise ValueError(f"anchors must be at least one, got {self.anchors!r}")
        check_number("strength", self.strength, least=0)

    def __call__(
        self, model: MultiTaskModel, batches: Batch | Mapping[str, Batch], losses: Losses
    ) -> Tensor:
        """Return the penalty; see :class:`Term`.

        Args:
            model: The model that is trained.
            batches: Not looked at.
            losses: Not looked at.

        Raises:
            KeyError: If the model lacks a weight that is held.
        """
        named = dict(model.sharing.named_parameters())
        total = torch.stack([anchor.penalty(named) for anchor in self.anchors]).sum()
        return self.strength * total


def anchored(
    model: MultiTaskModel,
    data: Loader,
    tasks: Iterable[str] | None = None,
    *,
    labels: Literal["sampled", "given"] = "sampled",
    max_rows: int | None = None,
    seed: int = 0,
) -> Anchor:
    """Note where shared weights are, and how much each matters to tasks that were just learnt.

    Args:
        model: The model.
        data: Rows of the tasks.
        tasks: This and what follows: see :func:`fisher_diagonal`.
        labels: Whether labels are drawn from the model, or those of the data.
        max_rows: The most rows to read.
        seed: Of what is drawn.

    Raises:
        ValueError: As :func:`fisher_diagonal`.
        KeyError: As :func:`fisher_diagonal`.
        TypeError: As :func:`fisher_diagonal`.
    """
    importance = fisher_diagonal(model, data, tasks, labels=labels, max_rows=max_rows, seed=seed)
    return Anchor(_copied(model), importance)


def _copied(model: MultiTaskModel) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.shared_weights().items()}
