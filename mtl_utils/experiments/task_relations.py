"""Chapter 11: which of six real tasks help each other, and what is seen of it in one training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pandas as pd
import torch

from mtl_utils.arguments import check_choice
from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.controls import own_runs
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.text_sets import load
from mtl_utils.experiments.tuning import RATE
from mtl_utils.experiments.unit_training import Prepared
from mtl_utils.models import MultiTaskModel
from mtl_utils.relations import (
    AffinityTracker,
    cosines,
    gradient_cosines,
    label_distribution,
    task_gradients,
)
from mtl_utils.training import JointBatches, Loader

SCORES = {
    "intent": "intent_accuracy",
    "slots": "slots_f1",
    "pos": "pos_accuracy",
    "entities": "entities_f1",
    "question": "question_accuracy",
    "inference": "inference_accuracy",
}
"""Tasks, and the score of each."""

TASKS = tuple(SCORES)
SETTING = "six tasks"


def whole_texts(weight: float) -> dict[str, float]:
    """Weigh the losses of tasks with one label per text, beside those with one for each token.

    Args:
        weight: Of each of them; the others weigh 1.
    """
    return dict.fromkeys(("intent", "question", "inference"), weight)


# SICK and TREC have all their rows: from a thousand, neither is learnt.
_SIX: dict[str, Any] = {
    "data": [["snips", 2000, 16], ["uner_ud", 2000, 16], ["trec", None, 16], ["sick", None, 16]],
    "tasks": list(TASKS),
    "encoder": {"kind": "bilstm", "width": 64, "num_layers": 1, "dropout": 0.2},
    "sharing": {"kind": "hard"},
    "vocab_size": 4000,
    "head_dropout": 0.1,
    "pair_pooling": "compare",  # trained with others, "align" came to have no gradient at all
    "crf": True,
    "scale": "text",
    "weights": whole_texts(4.0),
    "apart": True,  # a task of SNIPS or of the web has labels of a thousand texts of its own
    "max_validation": 500,
    "steps": 1600,
    "validations": 8,
    "training": {"learning_rate": 0.01, "warmup_steps": 50, "schedule": "linear"},
}


def rounds(tasks: Sequence[str]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Divide tasks into pairs in as many ways as it takes for each to meet each once.

    It is the circle method of tournaments: the first stays in its place, the others move by one.

    Args:
        tasks: An even number K of tasks.

    Returns:
        ``K - 1`` divisions into ``K / 2`` pairs.

    Raises:
        ValueError: If the number is odd.
    """
    if len(tasks) % 2:
        raise ValueError(f"tasks must be an even number, got {list(tasks)}")
    first, *others = tasks
    found = []
    for turn in range(len(others)):
        circle = [first, *others[turn:], *others[:turn]]
        half = len(circle) // 2
        found.append(tuple(zip(circle[:half], reversed(circle[half:]), strict=True)))
    return tuple(found)


def _round_name(number: int) -> str:
    return f"pairs, round {number + 1}"


WEIGHTS = tuple({"weights": whole_texts(weight)} for weight in (1.0, 12.0))
"""What every contender tries, beside the step size.

They change nothing where no task has one label per text: models of tags alone choose among step
sizes only.
"""

PAIRS = Comparison(
    name="task_pairs",
    description="Six tasks of real texts, each alone, all together, and in each pair.",
    settings={SETTING: _SIX},
    contenders=(
        Contender("separate", "apart", trials=WEIGHTS),
        Contender("together", trials=WEIGHTS),
        *(
            Contender(_round_name(number), trials=WEIGHTS, groups=pairs)
            for number, pairs in enumerate(rounds(TASKS))
        ),
    ),
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={
        SETTING: tuple(
            Contrast("together", "separate", SCORES[task]) for task in TASKS if task != "pos"
        )
    },
    ablations=tuple(
        Ablation(f"step size {rate} for each", "separate", {RATE: rate}) for rate in (0.01, 0.03)
    ),
    doubles=("separate", "together"),  # of single pairs nothing is claimed
    priority=6,
    minutes=0.9,
)


def pair_runs(
    folder: str | Path | None = None, *, on: Literal["test", "validation"] = "test"
) -> pd.DataFrame:
    """Read the scores of each task alone and with each partner.

    Args:
        folder: Where the records are; see :func:`load_results`.
        on: The split whose scores are read: who chooses groups by them, and judges the groups on
            test data, reads those on validation.

    Returns:
        One row a score, in percent, as :func:`mtl_utils.relations.transfer_matrix` takes them:
        ``task``, ``partner`` (missing for a task alone), ``seed``, ``score``.

    Raises:
        FileNotFoundError: If they are not on record.
        ValueError: If a record is of other settings, or ``on`` is something else.
    """
    check_choice("on", on, ("test", "validation"))
    frame = own_runs(PAIRS, "", folder)
    partners: dict[str, dict[str, str | None]] = {"separate": dict.fromkeys(TASKS)}
    for number, pairs in enumerate(rounds(TASKS)):
        both = [pair for one, other in pairs for pair in ((one, other), (other, one))]
        partners[_round_name(number)] = dict(both)
    rows = [
        (task, partner, record["seed"], record[SCORES[task] if on == "test" else f"{task}_{on}"])
        for name, of in partners.items()
        for record in frame[frame["contender"] == name].to_dict("records")
        for task, partner in of.items()
    ]
    return pd.DataFrame(rows, columns=["task", "partner", "seed", "score"])


EVERY = 10
"""Steps from one measurement of affinities to the next."""

OTHER_BATCHES = 50
"""What is added to a seed for the order of the batches that affinities are measured on."""

COSINE_BATCHES = 20


def run_signs(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train all tasks together, and note what it says about their relations.

    Args:
        config: The settings of the comparison, as the record has them.
        seed: Of everything.
        place: Of the records that tuned the model of all tasks.

    Returns:
        ``affinity`` by giver and receiver, averaged over the training without its first eighth;
        ``cosines`` of the gradients of the weights that are kept, on training batches, ``None``
        with a task that has no gradient in any of them; ``with_itself``, by task the mean cosine of
        its gradients on one such batch and the next, which is what noise leaves of 1; by task the
        ``entropy`` of its labels in nats; ``loss`` by epoch; ``seconds`` of the training, those
        that were spent on affinities included.
    """
    torch.set_num_threads(1)
    settings = PAIRS.settings[SETTING]
    steps, epochs = settings["steps"], settings["validations"]
    seen: list[tuple[MultiTaskModel, AffinityTracker]] = []

    def watch(made: Prepared) -> list[AffinityTracker]:
        loaders = made.loaders("train", seed + OTHER_BATCHES)
        other = JointBatches(loaders, num_batches=steps // epochs)
        seen.append((made.model, AffinityTracker(made.model, other, every=EVERY)))
        return [seen[0][1]]

    trained = PAIRS.train_watched(SETTING, "together", seed, place, watch)
    ((model, tracker),) = seen
    cosine = gradient_cosines(model, tracker.data, max_batches=COSINE_BATCHES)
    return {
        "affinity": _cells(tracker.matrix(after=steps // 8)),
        "cosines": _cells(cosine),
        "with_itself": _with_itself(model, tracker.data),
        "entropy": {task: _entropy(settings, task, seed) for task in settings["tasks"]},
        "loss": trained.history["train_loss"].round(6).tolist(),
        "seconds": round(float(trained.history["seconds"].iloc[-1]), 1),
    }


def _with_itself(model: MultiTaskModel, data: Loader) -> dict[str, float | None]:
    seen = [task_gradients(model, each) for each in islice(data.batches(0), COSINE_BATCHES)]
    found: dict[str, list[float]] = {task: [] for task in model.tasks}
    for one, following in pairwise(seen):
        for task in one.keys() & following.keys():
            both = torch.stack([one[task], following[task]])
            found[task].append(float(cosines(both)[0, 1]))
    return {task: _known(fmean(values)) if values else None for task, values in found.items()}


def _cells(table: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    return {
        str(giver): {str(receiver): _known(value) for receiver, value in cells.items()}
        for giver, cells in table.iterrows()
    }


def _known(value: float) -> float | None:
    """Return what a record may hold of a number: ``None`` for one that is not known, not nan."""
    return round(value, 6) if math.isfinite(value) else None


def _entropy(settings: Config, task: str, seed: int) -> float:
    for name, size, _ in settings["data"]:
        found = load(name, size, seed)
        if task in found.kinds:
            labels = [row.labels[task] for row in found.splits["train"] if task in row.labels]
            return round(label_distribution(labels).entropy, 4)
    raise KeyError(f"No data set of {settings['data']} has {task!r}")


SIGNS = Experiment(
    name="task_signs",
    description="Affinities, cosines and entropies of six tasks, from one joint training.",
    configs=({"settings": _SIX},),
    seeds=PAIRS.seeds,
    run=run_signs,
    needs=("task_pairs_rates", "task_pairs_trials"),
    priority=6,
    minutes=3,
)

COMPARISONS = (PAIRS,)
EXPERIMENTS = (*PAIRS.experiments(), SIGNS)
