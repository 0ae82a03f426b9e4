"""Chapter 10: the families that did best on Atlas, on slots and intents of real commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, overlaid
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.hierarchies import sluice
from mtl_utils.experiments.unit_training import prepare
from mtl_utils.experiments.ways_of_sharing import BILSTM, contenders_with
from mtl_utils.training import JointBatches, Trainer, TrainerConfig

SETTING = "SNIPS"

_COMMANDS: dict[str, Any] = {
    **BILSTM,
    "data": [["snips", None, 16]],
    "tasks": ["intent", "slots"],
    "vocab_size": 4000,
    "crf": True,
    "max_validation": 500,
    "steps": 1600,
    "validations": 8,
}
"""All commands, dealt out: each task has the labels of half of them."""

_WEIGHTS = ({"weights": {"slots": 3.0}}, {"weights": {"intent": 3.0}})

FINALISTS = ("sluice", "shared-private", "soft, trace norm", "branched", "soft, distance")
"""Those of the three comparisons whose entities were best on validation of Atlas.

They are written down, since settings of records may not depend on records; controls are left out.
"""

SECONDS = {
    "hard": 0.9,
    "branched": 0.94,
    "soft, distance": 2.01,
    "soft, trace norm": 3.56,
    "shared-private": 1.79,
    "sluice": 1.82,
}
"""Of a step, those of separate encoders being 1: the medians of :data:`STEP_TIMES`."""

CONTENDERS = (*contenders_with(_WEIGHTS), sluice(_WEIGHTS))


def _in_the_time(of: str) -> Ablation:
    """As many steps as take the seconds of separate encoders."""
    each = _COMMANDS["validations"]
    steps = each * round(_COMMANDS["steps"] / SECONDS[of] / each)
    return Ablation(f"{of}, equal seconds", of, {"steps": steps})


# The trace norm draws the weights of both tasks together, and all of them towards zero. Without it
# a gain by either is gone; with weight decay separate encoders have what there is of the second.
_CAUSES = (
    Ablation("no penalty", "soft, trace norm", {"sharing.strength": 0.0}),
    *(
        Ablation(f"weight decay of {decay}", "separate", {"training.weight_decay": decay})
        for decay in (0.1, 0.3, 1.0)
    ),
)

COMPARISON = Comparison(
    name="family_finalists",
    description="The five best families of Atlas and their controls on intents and slots.",
    settings={SETTING: _COMMANDS},
    contenders=CONTENDERS,
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={
        SETTING: tuple(
            Contrast(way, "separate, wider" if way == "shared-private" else "separate", "slots_f1")
            for way in FINALISTS
        )
    },
    ablations=(*map(_in_the_time, SECONDS), *_CAUSES),
    priority=6,
    minutes=0.6,
)

STEPS, ROUNDS = 20, 7


def run_times(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Time the steps of every contender, in turns, so that what slows one slows all.

    Args:
        config: The settings that all share.
        seed: Of weights and batches.
        place: Not needed: a run is short.

    Returns:
        ``step_seconds`` by contender: seconds of the processor for a step of all its models; the
        median over rounds, without the first.
    """
    torch.set_num_threads(1)
    timed = {of.name: _steps_of(of, config["settings"], seed) for of in CONTENDERS}
    rounds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, step in timed.items():
            began = time.process_time()
            step()
            rounds[name].append((time.process_time() - began) / STEPS)
    return {"step_seconds": {name: round(median(found[1:]), 5) for name, found in rounds.items()}}


def _steps_of(contender: Contender, settings: Config, seed: int) -> Callable[[], None]:
    settings = overlaid(settings, contender.settings)
    trainers = []
    for unit in contender.units(settings["tasks"]):
        made = prepare(settings, unit, seed)
        config = TrainerConfig(**settings["training"], epochs=1, seed=seed)
        data = JointBatches(made.loaders("train"), num_batches=STEPS)
        trainers.append((Trainer(made.model, config, progress=False), data))

    def steps() -> None:
        for trainer, data in trainers:
            trainer.fit(data)

    return steps


STEP_TIMES = Experiment(
    name="family_step_times",
    description="Seconds of a step of the families on intents and slots, beside separate encoders.",
    configs=({"settings": _COMMANDS},),
    seeds=(0, 1, 2),
    run=run_times,
    priority=6,
    minutes=2,
)

COMPARISONS = (COMPARISON,)
EXPERIMENTS = (*COMPARISON.experiments(), STEP_TIMES)
