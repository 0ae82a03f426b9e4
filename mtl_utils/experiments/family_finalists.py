"""Chapter 10: the families that did best on Atlas, on slots and intents of real commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit, overlaid
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.hierarchies import sluice
from mtl_utils.experiments.unit_training import Prepared, balancer_of_unit, prepare
from mtl_utils.experiments.ways_of_sharing import BILSTM, contenders_with
from mtl_utils.training import JointBatches, Trainer, TrainerConfig, count_memory

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
    "separate, wider": 1.22,
    "hard": 0.87,
    "branched": 0.93,
    "soft, distance": 1.51,
    "soft, trace norm": 1.62,
    "shared-private": 1.5,
    "sluice": 1.78,
}
"""Of a step as it was tuned, those of separate encoders being 1: medians of :data:`STEP_TIMES`."""

CONTENDERS = (*contenders_with(_WEIGHTS), sluice(_WEIGHTS))


def _in_the_time(of: str) -> Ablation:
    """As many steps as take the seconds of separate encoders, with as great a part of warm-up."""
    each, training = _COMMANDS["validations"], _COMMANDS["training"]
    changes = {
        "steps": each * round(_COMMANDS["steps"] / SECONDS[of] / each),
        "training.warmup_steps": round(training["warmup_steps"] / SECONDS[of]),
    }
    return Ablation(f"{of}, equal seconds", of, changes)


# The trace norm draws the weights of both tasks together, and all of them towards zero. A gain by
# either is gone without it; of one encoder alone it has the second, and so has weight decay.
_ALONE = {"kind": "soft", "penalty": "trace norm", "strength": 0.01}
_CAUSES = (
    Ablation("no penalty", "soft, trace norm", {"sharing.strength": 0.0}),
    Ablation("trace norm of each encoder alone", "separate", {"sharing": _ALONE}),
    *(
        Ablation(f"weight decay of {decay}", "separate", {"training.weight_decay": decay})
        for decay in (0.03, 0.1, 0.3, 1.0)
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
    ablated=5,
    priority=6,
    minutes=0.6,
)

STEPS, ROUNDS = 20, 12


def run_times(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Time the steps of every contender as it was tuned, in turns: what slows one slows all.

    Args:
        config: Its ``setting``.
        seed: Of weights and batches.
        place: Of the records that tuned the contenders.

    Returns:
        ``step_seconds`` by contender: seconds of the processor for a step of all its models, in
        the quickest round: what else the machine does only adds to them.
    """
    torch.set_num_threads(1)
    tuning = COMPARISON.tuning(config["setting"], place)
    timed = {of.name: _steps_of(of, tuning.chosen(of.name), seed) for of in CONTENDERS}
    rounds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(ROUNDS):
        for name, step in timed.items():
            began = time.process_time()
            step()
            rounds[name].append((time.process_time() - began) / STEPS)
    return {"step_seconds": {name: round(min(found), 5) for name, found in rounds.items()}}


def run_memory(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Count what a step of every contender as it was tuned needs of memory.

    Args:
        config: Its ``setting``.
        seed: Of weights and batches.
        place: Of the records that tuned the contenders.

    Returns:
        ``megabytes`` by contender, of its largest model, since several are trained one after the
        other: weights, their gradients, Adam's two numbers for each, and what the first batch of
        training leaves for the pass back, as :func:`mtl_utils.training.count_memory` counts.
    """
    tuning = COMPARISON.tuning(config["setting"], place)
    found = {}
    for contender in CONTENDERS:
        sizes = []
        for _, made in _prepared(contender, tuning.chosen(contender.name), seed):
            torch.manual_seed(seed)
            batches = next(iter(_steps(made).batches(0)))
            sizes.append(count_memory(made.model, batches).total)
        found[contender.name] = round(max(sizes) / 1e6, 2)
    return {"megabytes": found}


def _prepared(
    contender: Contender, chosen: Mapping[str, Config], seed: int
) -> Iterator[tuple[Unit, Prepared]]:
    shared = overlaid(COMPARISON.settings[SETTING], contender.settings)
    for unit in contender.units(shared["tasks"]):
        yield unit, prepare(overlaid(shared, chosen[unit.name]), unit, seed)


def _steps(made: Prepared) -> JointBatches:
    return JointBatches(made.loaders("train"), num_batches=STEPS)


def _steps_of(contender: Contender, chosen: Mapping[str, Config], seed: int) -> Callable[[], None]:
    trainers = []
    for unit, made in _prepared(contender, chosen, seed):
        config = TrainerConfig(**made.settings["training"], epochs=1, seed=seed)
        balancer = balancer_of_unit(made.settings, unit, seed)
        trainer = Trainer(made.model, config, balancer=balancer, progress=False)
        trainers.append((trainer, _steps(made)))

    def steps() -> None:
        for trainer, data in trainers:
            trainer.fit(data)

    return steps


_TUNED = ("family_finalists_rates", "family_finalists_trials")
STEP_TIMES = Experiment(
    name="family_step_times",
    description="Seconds of a step of the families on intents and slots, beside separate encoders.",
    configs=({"setting": SETTING},),
    seeds=(0, 1, 2),
    run=run_times,
    needs=_TUNED,
    priority=6,
    minutes=1,
)

MEMORY = Experiment(
    name="family_memory",
    description="Memory of a step of the families on intents and slots, counted.",
    configs=({"setting": SETTING},),
    seeds=(0,),
    run=run_memory,
    needs=_TUNED,
    priority=6,
    minutes=0.3,
)

COMPARISONS = (COMPARISON,)
EXPERIMENTS = (*COMPARISON.experiments(), STEP_TIMES, MEMORY)
