"""Data sets drawn by how far the model is from knowing them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_kind, check_number
from mtl_utils.data.content import Plain, parts_content
from mtl_utils.data.loading import Loader
from mtl_utils.training.sampling.told import ToldBatches
from mtl_utils.training.sampling.told_loader import Measure


class UncertaintyBatches(ToldBatches):
    """Every step takes a batch of one data set, drawn by how high its loss is beside a guess.

    The uncertainty uₖ of a data set is the running mean of its losses, each over that of a guess
    that knows nothing: 1 before anything is learnt, 0 where nothing is left to learn. It is drawn
    with the probability pₖ = (1 - ε) uₖ^(1/T) / Σⱼ uⱼ^(1/T) + ε / K. Of a data set of several tasks
    uₖ is their mean.

    Pilault et al. (2021) draw by the entropy of what the model predicts over the greatest that it
    can have, row by row; here the cross-entropy of the labels stands in its place, which is at hand
    in training and costs nothing, and whole batches are drawn. Gottumukkala et al. (2020) draw by
    the distance to the score of a model of that task alone, which has to be trained first. A data
    set that cannot be learnt, because its labels are noise, stays at 1 and is drawn for ever.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        scales: By task the loss of a guess that knows nothing: ln C nats for C classes. A task that
            is left out has its first loss, which is near that with weights that are not trained.
        decay: What a loss counts for when the next one of its data set comes, in [0, 1).
        temperature: T, greater than 0: a high one draws all alike.
        exploration: ε, the share of steps that are drawn from all alike, in [0, 1].
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.
        seed: What the draws depend on, beside the losses.
        drops_stopped: Whether data sets of which all tasks have been stopped are drawn no more; see
            :class:`DrawnBatches`.

    Raises:
        ValueError: If there is no data set, one is empty, or a number is outside its range.
        TypeError: If something is no loader, no mapping, no flag, or a number no number.
    """

    def __init__(
        self,
        loaders: Sequence[Loader],
        scales: Mapping[str, float] | None = None,
        decay: float = 0.9,
        temperature: float = 1.0,
        exploration: float = 0.05,
        num_batches: int | None = None,
        seed: int = 0,
        drops_stopped: bool = False,
    ) -> None:
        scales = {} if scales is None else scales
        check_kind("scales", scales, Mapping, "losses by task")
        for task, scale in scales.items():
            check_number(f"scales[{task!r}]", scale, above=0)
        check_number("decay", decay, least=0, below=1)
        check_number("temperature", temperature, above=0)
        check_number("exploration", exploration, least=0, most=1)
        self.scales = {task: float(scale) for task, scale in scales.items()}
        self.decay, self.temperature = float(decay), float(temperature)
        self.exploration = float(exploration)
        super().__init__(loaders, num_batches, seed, drops_stopped)

    def begin(self) -> None:
        """Forget what was learnt; see :meth:`ToldBatches.begin`."""
        self.uncertainties: list[float | None] = [None] * len(self.loaders)
        self._first: dict[str, float] = {}

    def shares(self) -> NDArray[np.float64]:
        """Return with which probability the next step takes each data set, ``[K]``."""
        known = np.asarray([1.0 if u is None else u for u in self.uncertainties])
        powers = np.maximum(known, np.finfo(float).tiny) ** (1 / self.temperature)
        return (1 - self.exploration) * powers / powers.sum() + self.exploration / len(powers)

    def learn(
        self,
        place: int,
        probability: float,
        losses: Mapping[str, float],
        measure: Measure | None = None,
    ) -> None:
        """Learn from a step; see :meth:`ToldBatches.learn`.

        Args:
            place: Which data set was drawn.
            probability: Of no account.
            losses: By task of it, the losses.
            measure: Of no account.
        """
        now = fmean(loss / self._scale(task, loss) for task, loss in losses.items())
        before = self.uncertainties[place]
        mean = now if before is None else self.decay * before + (1 - self.decay) * now
        self.uncertainties[place] = mean

    def learnt(self) -> dict[str, Any]:
        """Return what was learnt; see :meth:`ToldBatches.learnt`."""
        return {"uncertainties": list(self.uncertainties), "first": dict(self._first)}

    def recall(self, learnt: dict[str, Any]) -> None:
        """Put back what was learnt; see :meth:`ToldBatches.recall`.

        Args:
            learnt: What :meth:`learnt` returned.
        """
        self.uncertainties, self._first = list(learnt["uncertainties"]), dict(learnt["first"])

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the settings, and what each part says."""
        return {
            "kind": type(self).__qualname__,
            "num_batches": self.num_batches,
            "scales": str(sorted(self.scales.items())),
            "decay": self.decay,
            "temperature": self.temperature,
            "exploration": self.exploration,
            "seed": self.seed,
            "drops_stopped": self.drops_stopped,
            **parts_content(self.loaders),
        }

    def _scale(self, task: str, loss: float) -> float:
        if task in self.scales:
            return self.scales[task]
        # A first loss of exactly 0 is no scale; with 1 it stays what it is.
        return self._first.setdefault(task, loss if loss > 0 and math.isfinite(loss) else 1.0)
