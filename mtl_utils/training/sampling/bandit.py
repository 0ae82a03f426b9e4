"""A bandit whose best arm may change, and rewards brought to one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_utils.arguments import check_number, check_seed, check_sizes, check_whole
from mtl_utils.data.batching import epoch_generator


class EXP3S:
    r"""The bandit EXP3.S (Auer et al., 2002) as Graves et al. (2017) use it to draw tasks.

    Each of K arms has a log weight :math:`w_k`, 0 at first, and is drawn with the probability
    :math:`\pi_k = (1 - \epsilon) \operatorname{softmax}(w)_k + \epsilon / K`. Round t draws an arm
    a and gets its reward r; then :math:`v_k = w_k + \eta r [k = a] / \pi_k`, and each arm gets a
    little of the weights of the others, so that one that was poor can come back:

    .. math:: w_k \leftarrow \log\Bigl((1 - \alpha) e^{v_k}
        + \frac{\alpha}{K - 1} \sum_{j \ne k} e^{v_j}\Bigr), \quad \alpha = \frac{1}{t + 1}.

    Args:
        num_arms: K.
        step_size: η, greater than 0. The default is that of the paper, for some hundred thousand
            rounds; a thousand rounds need a greater one, such as 0.05.
        exploration: ε, the share of draws from all alike, in (0, 1].

    Raises:
        ValueError: If a number is outside its range.
        TypeError: If one is no number.
    """

    def __init__(self, num_arms: int, step_size: float = 0.001, exploration: float = 0.05) -> None:
        check_sizes(num_arms=num_arms)
        check_number("step_size", step_size, above=0)
        check_number("exploration", exploration, above=0, most=1)
        self.step_size, self.exploration = float(step_size), float(exploration)
        self.weights = np.zeros(num_arms)
        self.rounds = 0

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """With which probability each arm is drawn, ``[K]``."""
        powers = np.exp(self.weights - self.weights.max())
        drawn: NDArray[np.float64] = (1 - self.exploration) * powers / powers.sum()
        return drawn + self.exploration / len(powers)

    def update(self, arm: int, reward: float, probability: float | None = None) -> None:
        """Take note of a reward.

        Args:
            arm: Which was drawn, from 0.
            reward: What it gave, in [-1, 1].
            probability: With which probability it was drawn; that of :attr:`probabilities` if
                ``None``.

        Raises:
            ValueError: If there is no such arm, or a number is outside its range.
            TypeError: If one is no number.
        """
        count = len(self.weights)
        check_whole("arm", arm, least=0, most=count - 1)
        check_number("reward", reward, least=-1, most=1)
        share = float(self.probabilities[arm]) if probability is None else probability
        check_number("probability", share, above=0, most=1)
        moved = self.weights.copy()
        moved[arm] += self.step_size * reward / share
        self.rounds += 1
        if count == 1:
            self.weights = moved
            return
        kept = 1 / (self.rounds + 1)
        powers = np.exp(moved - moved.max())
        others = (powers.sum() - powers) / (count - 1)
        self.weights = np.log((1 - kept) * powers + kept * others) + moved.max()

    def state_dict(self) -> dict[str, Any]:
        """Return its state: the weights, and how many rounds there were."""
        return {"weights": self.weights.tolist(), "rounds": self.rounds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put its state back.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        self.weights = np.asarray(state_dict["weights"], dtype=np.float64)
        self.rounds = state_dict["rounds"]


class RewardScale:
    """Brings rewards of an unknown and changing size into [-1, 1] (Graves et al., 2017).

    What is below the 20th percentile of the rewards so far becomes -1, what is above the 80th
    becomes 1, and what lies between is placed in proportion. Of more than ``size`` rewards a sample
    is kept in which each is as likely as any other.

    Args:
        size: How many rewards are kept at most.
        seed: Of the choice of those.

    Raises:
        ValueError: If a number is outside its range.
        TypeError: If one is no number.
    """

    def __init__(self, size: int = 1000, seed: int = 0) -> None:
        check_sizes(size=size)
        check_seed("seed", seed)
        self.size, self.seed = size, seed
        self.kept: list[float] = []
        self.seen = 0

    def __call__(self, reward: float) -> float:
        """Take note of a reward and return it in [-1, 1]; 0 as long as all have been alike.

        Args:
            reward: A finite number.

        Raises:
            ValueError: If it is not finite.
            TypeError: If it is no number.
        """
        check_number("reward", reward)
        self._keep(float(reward))
        low, high = np.quantile(self.kept, [0.2, 0.8])
        if low == high:
            return float(np.sign(reward - low))
        return float(np.clip(2 * (reward - low) / (high - low) - 1, -1, 1))

    def state_dict(self) -> dict[str, Any]:
        """Return its state: the rewards that are kept, and how many were seen."""
        return {"kept": list(self.kept), "seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put its state back.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        self.kept, self.seen = list(state_dict["kept"]), state_dict["seen"]

    def _keep(self, reward: float) -> None:
        """Keep a sample of all that was seen (Vitter, 1985)."""
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append(reward)
            return
        generator = epoch_generator(self.seed, self.seen, "rewards ")
        place = int(torch.randint(self.seen, (1,), generator=generator))
        if place < self.size:
            self.kept[place] = reward
