"""Chapter 16: one task with few rows, and what joint training and transfer each add to it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.staged_training import train_in_stages

SIZES = (10, 30, 100, 300, 1000)
"""Rows of the task that is judged."""

TUNED = 100
"""The size whose tuning serves the others: what is tuned is the step size, and steps are equal."""

BESIDE = 4000
"""Rows of each task beside it, where there are as many."""

FIRST = 0.6
"""Share of the steps before those on the judged task alone."""

SLOTS, ENTITIES = "slots", "entities"
OTHERS: Mapping[str, tuple[str, ...]] = {
    ENTITIES: ("pos", "slots", "question"),
    SLOTS: ("intent", "entities", "question"),
}
"""By judged task those that are trained beside it or before it, the closest first."""

_NAMES: Mapping[str, Mapping[str, list[Any]]] = {
    ENTITIES: {
        "entities": ["uner_ud/entities/even", None, 16],
        "pos": ["uner_ud/pos/odd", BESIDE, 16],
        "slots": ["snips/slots", BESIDE, 16],
        "question": ["trec/question", BESIDE, 16],
    },
    SLOTS: {
        "slots": ["snips/slots/even", None, 16],
        "intent": ["snips/intent/odd", BESIDE, 16],
        "entities": ["uner_ud/entities", BESIDE, 16],
        "question": ["trec/question", BESIDE, 16],
    },
}


def size_name(rows: int) -> str:
    """Name the setting of a size.

    Args:
        rows: Rows of the judged task.
    """
    return f"{rows} rows"


def _settings(target: str) -> dict[str, Config]:
    data = _NAMES[target]
    judged, *_ = data[target]
    return {
        size_name(rows): {
            "data": [[judged, rows, 16], *(part for name, part in data.items() if name != target)],
            # The texts of the judged task's data set are at hand, only their labels are few.
            "tokenizer_data": [[name, None] for name, *_ in data.values()],
            "tasks": [target],
            "encoder": {"kind": "bilstm", "width": 64, "num_layers": 1, "dropout": 0.2},
            "sharing": {"kind": "hard"},
            "vocab_size": 4000,
            "head_dropout": 0.1,
            "scale": "text",
            "max_validation": 300,
            "max_test": 1000,
            "steps": 400,
            "validations": 4,
            "training": {"learning_rate": 0.01, "warmup_steps": 20, "schedule": "linear"},
            "route": {"kind": "joint"},
        }
        for rows in SIZES
    }


ALONE, JOINT, TUNED_ON = "alone", "joint", "joint, then alone"


def contenders_for(target: str) -> tuple[Contender, ...]:
    """Return the ways to a model of a task with few rows, all of as many steps.

    Args:
        target: The judged task.
    """
    others = OTHERS[target]
    first = others[:1]

    def way(name: str, helpers: tuple[str, ...] = (), scale: str = "text", **route: Any) -> Any:
        return Contender(name, "apart", {"route": route, "scale": scale}, helpers=helpers)

    return (
        way(ALONE, kind="joint"),
        way(JOINT, others, kind="joint"),
        way(TUNED_ON, others, kind="then", share=FIRST),
        way("intermediate task", first, kind="then", share=FIRST, first=list(first)),
        way(
            "pre-finetuned",
            others,
            "uniform",
            kind="then",
            share=FIRST,
            first=list(others),
        ),
        way("hidden words", kind="words"),
        way("pseudo-labels", kind="pseudo-labels", share=FIRST, confidence=0.9),
        way("prototypes", others, kind="prototypes"),
    )


def _curve(name: str, target: str, description: str) -> Comparison:
    metric = f"{target}_f1"
    settings = _settings(target)
    contrasts = (
        Contrast(JOINT, ALONE, metric),
        Contrast(TUNED_ON, ALONE, metric),
        Contrast(TUNED_ON, JOINT, metric),
    )
    return Comparison(
        name=name,
        description=description,
        settings=settings,
        contenders=contenders_for(target),
        rates=(0.001, 0.003, 0.01, 0.03, 0.1),
        seeds=(0, 1, 2),
        contrasts=dict.fromkeys(settings, contrasts),
        reference=ALONE,
        doubles=(ALONE, JOINT, TUNED_ON),  # nothing is claimed of the others
        train=train_in_stages,
        tuned_at={name: size_name(TUNED) for name in settings if name != size_name(TUNED)},
        priority=3,
        minutes=0.4,
    )


ON_ENTITIES = _curve(
    "little_data_entities", ENTITIES, "Entities of Universal NER with 10 to 1,000 rows."
)
ON_SLOTS = _curve("little_data_slots", SLOTS, "Slots of SNIPS with 10 to 1,000 rows.")

COMPARISONS = (ON_ENTITIES, ON_SLOTS)

DRAWS = SEEDS = 4


def run_crossed(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train a contender with one draw of rows and one seed of the first weights.

    Args:
        config: Its ``contender``, ``draw`` and ``settings``.
        seed: Of the first weights, dropout and the order of batches.
        place: Of checkpoints.

    Returns:
        The F1 of entities on test, in percent.
    """
    settings = {**config["settings"], "rows_seed": config["draw"], "tokenizer_seed": 0}
    contender = ON_ENTITIES.contender(config["contender"])
    (unit,) = contender.units(settings["tasks"])
    trained = train_in_stages(settings, unit, seed, place.workspace)
    return {"entities_f1": round(100 * trained.metrics[ENTITIES]["f1"], 2)}


def _crossed() -> Experiment:
    shared = ON_ENTITIES.settings[size_name(TUNED)]
    return Experiment(
        name="little_data_spread",
        description="Four draws of 100 rows by four seeds of the first weights, entities.",
        configs=tuple(
            {
                "contender": name,
                "draw": draw,
                "settings": {**shared, **ON_ENTITIES.contender(name).settings},
            }
            for draw in range(DRAWS)
            for name in (ALONE, TUNED_ON)
        ),
        seeds=tuple(range(SEEDS)),
        run=run_crossed,
        priority=3,
        minutes=0.4,
    )


EXPERIMENTS = (*(e for comparison in COMPARISONS for e in comparison.experiments()), _crossed())


def smoke(comparison: Comparison, steps: int, rows: int) -> dict[str, float]:
    """Train every contender for a few steps, to see that each can be run.

    Args:
        comparison: The comparison.
        steps: Steps of each.
        rows: Rows of the judged task: one of :data:`SIZES`.

    Returns:
        By contender the seconds of its last stage.
    """
    found = {}
    for contender in comparison.contenders:
        shared = comparison.settings[size_name(rows)]
        settings = {**shared, **contender.settings, "steps": steps}
        unit: Unit
        (unit,) = contender.units(settings["tasks"])
        with tempfile.TemporaryDirectory() as folder:
            trained = comparison.train(settings, unit, 0, Path(folder))
        found[contender.name] = trained.metrics[unit.judged[0]]["f1"]
    return found
