"""Chapter 16: one task with few rows, and what joint training and transfer each add to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
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
            "crf": True,  # without it, a linear tagger is ahead from 100 rows on
            "scale": "uniform",  # as in pre-finetuning: a task that has learnt nothing costs 1
            "max_validation": 300,
            "max_test": 1000,
            "steps": 1000,
            "validations": 4,
            "training": {"learning_rate": 0.01, "warmup_steps": 50, "schedule": "linear"},
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

    def way(name: str, helpers: tuple[str, ...] = (), **route: Any) -> Contender:
        return Contender(name, "apart", {"route": route}, helpers=helpers)

    return (
        way(ALONE, kind="joint"),
        way(JOINT, others, kind="joint"),
        way(TUNED_ON, others, kind="then", share=FIRST),
        way("intermediate task", first, kind="then", share=FIRST, first=list(first)),
        way(
            "pre-finetuned",
            others,
            kind="then",
            share=FIRST,
            first=list(others),
        ),
        way("hidden words", kind="words"),
        way("pseudo-labels", kind="pseudo-labels", share=FIRST, confidence=0.9),
        # Prototypes are means of states: they have no transitions, nor have the heads beside them.
        Contender(
            "prototypes", "apart", {"route": {"kind": "prototypes"}, "crf": False}, helpers=others
        ),
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
        seeds=(0, 1, 2, 3, 4),
        contrasts=dict.fromkeys(settings, contrasts),
        reference=ALONE,
        doubles=(ALONE, JOINT, TUNED_ON),  # nothing is claimed of the others
        train=train_in_stages,
        tuned_at={name: size_name(TUNED) for name in settings if name != size_name(TUNED)},
        priority=3,
        minutes=0.28,
    )


ON_ENTITIES = _curve(
    "little_data_entities", ENTITIES, "Entities of Universal NER with 10 to 1,000 rows."
)
ON_SLOTS = _curve("little_data_slots", SLOTS, "Slots of SNIPS with 10 to 1,000 rows.")

_ELSEWHERE: Mapping[str, tuple[str, list[Any]]] = {
    "questions, 100 rows": ("question", ["trec/question", 100, 16]),
    "questions, all rows": ("question", ["trec/question", None, 16]),
    "domain, 100 rows": ("domain_entities", ["cross_ner/entities as domain_entities", None, 16]),
}
"""Questions of TREC, and entities in texts on artificial intelligence of CrossNER, which has 100
sentences in all.

Entailment of RTE is left out: models from scratch guess there, and its validation of 277 rows tells
no less than six points apart.
"""

_NEARBY: Mapping[str, list[Any]] = {
    "intent": ["snips/intent", BESIDE, 16],
    "entities": ["uner_ud/entities", BESIDE, 16],
}


def _elsewhere() -> dict[str, Config]:
    shared = ON_ENTITIES.settings[size_name(TUNED)]
    return {
        name: {
            **shared,
            "data": [judged, *_NEARBY.values()],
            "tokenizer_data": [[judged[0], None], *([part[0], None] for part in _NEARBY.values())],
            "tasks": [task],
        }
        for name, (task, judged) in _ELSEWHERE.items()
    }


_METRICS = {"question": "question_accuracy", "domain_entities": "domain_entities_f1"}


def _few_ways(name: str) -> Contender:
    kinds: dict[str, Any] = {
        ALONE: {"kind": "joint"},
        JOINT: {"kind": "joint"},
        TUNED_ON: {"kind": "then", "share": FIRST},
    }
    helpers = () if name == ALONE else tuple(_NEARBY)
    return Contender(name, "apart", {"route": kinds[name]}, helpers=helpers)


def _claims(settings: Mapping[str, Config], *pairs: tuple[str, str]) -> dict[str, Any]:
    return {
        name: tuple(Contrast(*pair, _METRICS[_ELSEWHERE[name][0]]) for pair in pairs)
        for name in settings
    }


ELSEWHERE = Comparison(
    name="little_data_elsewhere",
    description="Questions of TREC with 100 rows and all, entities of CrossNER with 100.",
    settings=_elsewhere(),
    contenders=tuple(map(_few_ways, (ALONE, JOINT, TUNED_ON))),
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts=_claims(_elsewhere(), (JOINT, ALONE), (TUNED_ON, ALONE), (TUNED_ON, JOINT)),
    reference=ALONE,
    train=train_in_stages,
    priority=3,
    minutes=0.2,
)


def _packaged() -> dict[str, Config]:
    small = {
        name: {**settings, "data": [[part[0], part[1], 8] for part in settings["data"]]}
        for name, settings in _elsewhere().items()
        if name != "questions, all rows"
    }
    changes: dict[str, Any] = {
        "encoder": {"kind": "pretrained"},
        "pooling": "mean",
        "max_length": 128,
        "steps": 120,
        "max_test": 300,
        "max_validation": 150,
        "training": {"learning_rate": 0.001, "warmup_steps": 12, "schedule": "linear"},
        "layerwise": {"decay": 1.0, "head_times": 4.0},
    }
    return {name: {**settings, **changes} for name, settings in small.items()}


PACKAGED = Comparison(
    name="little_data_packaged",
    description="The packaged encoder with 100 rows, fine-tuned at once or after joint training.",
    settings=_packaged(),
    contenders=(_few_ways(ALONE), _few_ways(TUNED_ON)),
    rates=(0.0001, 0.0003, 0.001, 0.003),
    seeds=(0, 1, 2),
    contrasts=_claims(_packaged(), (TUNED_ON, ALONE)),
    reference=ALONE,
    train=train_in_stages,
    priority=3,
    minutes=1.0,
)

COMPARISONS = (ON_ENTITIES, ON_SLOTS, ELSEWHERE, PACKAGED)

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
        minutes=0.28,
    )


EXPERIMENTS = (*(e for comparison in COMPARISONS for e in comparison.experiments()), _crossed())
