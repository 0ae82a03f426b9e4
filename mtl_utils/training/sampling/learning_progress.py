"""Data sets drawn by how much is being learnt from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_choice
from mtl_utils.data.content import Plain, parts_content
from mtl_utils.data.loading import Loader
from mtl_utils.training.sampling.bandit import EXP3S, RewardScale
from mtl_utils.training.sampling.told import ToldBatches
from mtl_utils.training.sampling.told_loader import Measure

Gain = Literal["prediction", "self_prediction"]


class LearningProgressBatches(ToldBatches):
    """Every step takes a batch of one data set, drawn by a bandit (Graves et al., 2017).

    The reward of a step is what its loss fell by, brought into [-1, 1] by :class:`RewardScale`, and
    :class:`EXP3S` draws. The fall is measured on the very batch of the step (``"prediction"``, one
    more forward pass a step) or on the next batch of the same data set, which the step has not seen
    (``"self_prediction"``, two more). The former also rewards what is learnt by heart: the loss of
    a batch of noise falls when one trains on it. The latter is just in the mean, and noisier.

    Both losses of a difference have the same dropout. Theirs are divided by the time that a batch
    takes; here every step counts alike. Of a data set of several tasks the falls are added.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        gain: On what the fall is measured.
        step_size: η of :class:`EXP3S`. The paper has 0.001, for runs of some hundred thousand
            steps.
        exploration: ε of :class:`EXP3S`.
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.
        seed: What the draws depend on, beside the losses.
        drops_stopped: Whether data sets of which all tasks have been stopped are drawn no more; see
            :class:`DrawnBatches`.

    Raises:
        ValueError: If there is no data set, one is empty, there is no such gain, or a number is
            outside its range.
        TypeError: If something is no loader, no flag, or a number no number.
    """

    measures = True

    def __init__(
        self,
        loaders: Sequence[Loader],
        gain: Gain = "self_prediction",
        step_size: float = 0.05,
        exploration: float = 0.05,
        num_batches: int | None = None,
        seed: int = 0,
        drops_stopped: bool = False,
    ) -> None:
        check_choice("gain", gain, get_args(Gain))
        EXP3S(1, step_size, exploration)  # refuses what it cannot do with
        self.gain, self.step_size, self.exploration = gain, float(step_size), float(exploration)
        super().__init__(loaders, num_batches, seed, drops_stopped)

    def begin(self) -> None:
        """Forget what was learnt; see :meth:`ToldBatches.begin`."""
        self.bandit = EXP3S(len(self.loaders), self.step_size, self.exploration)
        self.scale = RewardScale(seed=self.seed)
        self._before: dict[str, float] = {}

    def shares(self) -> NDArray[np.float64]:
        """Return with which probability the next step takes each data set, ``[K]``."""
        return self.bandit.probabilities

    def before_step(self, measure: Measure | None = None) -> None:
        """Measure the batch that comes next, if that is what the fall is measured on.

        Args:
            measure: What measures losses; needed.

        Raises:
            ValueError: If there is nothing to measure with, or the step has several batches.
        """
        if measure is None or len(self._waiting) != 1:
            raise ValueError(
                "LearningProgressBatches needs a function that measures losses, and steps of one "
                f"batch each; got {measure!r:.40} and {len(self._waiting)} batches. Use a Trainer "
                "with accumulate=1, or give before_step and after_step such a function."
            )
        place = self._waiting[0][0]
        self._before = measure(self._peek(place)) if self.gain == "self_prediction" else {}

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
            probability: With which probability.
            losses: By task of it, the losses before the weights changed.
            measure: What measures losses with the new weights; needed.

        Raises:
            ValueError: If there is nothing to measure with.
        """
        if measure is None:
            raise ValueError("LearningProgressBatches needs a function that measures losses")
        alike = self.gain == "prediction"
        before = losses if alike else self._before
        after = measure(self._waiting[0][2] if alike else self._peek(place))
        fall = sum(before[task] - after[task] for task in losses if task in before)
        self.bandit.update(place, self.scale(fall), probability)

    def learnt(self) -> dict[str, Any]:
        """Return what was learnt; see :meth:`ToldBatches.learnt`."""
        return {"bandit": self.bandit.state_dict(), "scale": self.scale.state_dict()}

    def recall(self, learnt: dict[str, Any]) -> None:
        """Put back what was learnt; see :meth:`ToldBatches.recall`.

        Args:
            learnt: What :meth:`learnt` returned.
        """
        self.bandit.load_state_dict(learnt["bandit"])
        self.scale.load_state_dict(learnt["scale"])

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the settings, and what each part says."""
        return {
            "kind": type(self).__qualname__,
            "num_batches": self.num_batches,
            "gain": self.gain,
            "step_size": self.step_size,
            "exploration": self.exploration,
            "seed": self.seed,
            "drops_stopped": self.drops_stopped,
            **parts_content(self.loaders),
        }
