"""Chapter 11: six tasks in three groups, by what pairs measured, by affinities, and by lot."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.analysis import load_results
from mtl_utils.experiments.balancers import RELATIVE, Weighed
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.task_relations import (
    PAIRS,
    SCORES,
    SETTING,
    SIGNS,
    TASKS,
    WEIGHTS,
    pair_runs,
    whole_texts,
)
from mtl_utils.experiments.tuning import RATE
from mtl_utils.relations import best_groups, pairwise_scores, transfer_matrix

Groups = tuple[tuple[str, ...], ...]

MODELS = 3
"""How many models there is room for."""

CHOSEN, BY_LOT, WORST = "by transfer or affinity", "by lot", "least by transfer"

GROUPS: Mapping[str, Groups] = {
    CHOSEN: (("intent", "slots"), ("pos", "entities"), ("question", "inference")),
    BY_LOT: (("intent", "slots", "entities", "inference"), ("pos",), ("question",)),
    WORST: (("intent", "entities", "question"), ("slots", "pos"), ("inference",)),
}
"""What :func:`proposed` says, written down, since settings of records may not depend on records.

Transfer and affinity proposed the same groups, so that one contender stands for both.
"""


def proposed(folder: str | Path | None = None) -> dict[str, Groups]:
    """Choose three groups by what is on record of pairs and of joint trainings, and draw three.

    Nothing but validation scores and training losses is read, of other seeds than groups are
    compared with.

    Args:
        folder: Where the records are; see :func:`mtl_utils.experiments.load_results`.

    Returns:
        Groups by equation 11.7 of chapter 11: the best from the relative gains of pairs on
        validation (``"transfer"``) and from the mean affinity of five joint trainings
        (``"affinity"``), and the worst by the gains, :data:`WORST`; and :data:`BY_LOT`, one of all
        divisions into three groups, drawn by a seed.

    Raises:
        FileNotFoundError: If pairs or signs are not on record.
        ValueError: If a pair is missing.
    """
    transfer = pairwise_scores(transfer_matrix(pair_runs(folder, on="validation"), relative=True))
    losses = {group: {t: -gain for t, gain in of.items()} for group, of in transfer.items()}
    tables = {
        "transfer": transfer,
        "affinity": pairwise_scores(mean_sign("affinity", folder)),
        WORST: losses,
    }
    made = {name: best_groups(of, MODELS, disjoint=True).groups for name, of in tables.items()}
    return {**made, BY_LOT: drawn(TASKS, MODELS, seed=0)}


def mean_sign(sign: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Average what joint trainings said about pairs of tasks.

    Args:
        sign: ``"affinity"`` or ``"cosines"``.
        folder: Where the records are; see :func:`mtl_utils.experiments.load_results`.

    Returns:
        ``[K, K]``, a row a giver; the mean over seeds, nan where none has a number.

    Raises:
        FileNotFoundError: If they are not on record.
        KeyError: If there is no such sign.
    """
    tables = [pd.DataFrame(cells).T for cells in load_results(SIGNS.name, folder)[sign]]
    stacked = pd.concat([table.astype(float) for table in tables])
    mean = stacked.groupby(level=0).mean()
    return mean.loc[list(TASKS), list(TASKS)]


def drawn(tasks: Sequence[str], groups: int, seed: int) -> Groups:
    """Draw one of the ways to divide tasks into so many groups, each as likely as any other.

    Args:
        tasks: The tasks.
        groups: How many groups, none of them empty; at most as many as tasks.
        seed: Of the draw.
    """
    source = random.Random(seed)
    while True:
        numbers = [source.randrange(groups) for _ in tasks]
        if len(set(numbers)) == groups:  # a division has as many numberings as any other
            parts = [[t for t, n in zip(tasks, numbers, strict=True) if n == g] for g in numbers]
            return tuple(dict.fromkeys(map(tuple, parts)))


COMPARISON = Weighed(
    name="task_groups",
    description=(
        "Six tasks of real texts in three models, grouped by what pairs measured, by affinities "
        "or by lot; with seeds that chose nothing."
    ),
    settings=PAIRS.settings,
    contenders=(
        Contender("separate", "apart", trials=WEIGHTS),
        Contender("together", trials=WEIGHTS),
        *(Contender(name, trials=WEIGHTS, groups=groups) for name, groups in GROUPS.items()),
    ),
    rates=PAIRS.rates,
    seeds=(10, 11, 12, 13, 14),
    contrasts={
        SETTING: tuple(
            Contrast(CHOSEN, other, RELATIVE) for other in (BY_LOT, WORST, "together", "separate")
        )
    },
    ablations=(
        Ablation("step size 0.01", WORST, {RATE: 0.01}),
        Ablation("weights of 4", WORST, {"weights": whole_texts(4.0)}),
        Ablation("both", WORST, {RATE: 0.01, "weights": whole_texts(4.0)}),
    ),
    metrics=SCORES,
    priority=6,
    minutes=1,
)

COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
