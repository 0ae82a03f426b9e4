"""Chapter 14: data sets of 100 to 13,000 rows, and who is drawn how often."""

from __future__ import annotations

from typing import Any

from mtl_utils.experiments.balancers import RELATIVE, Weighed
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config

METRICS = {
    "domain_entities": "domain_entities_f1",
    "question": "question_accuracy",
    "entities": "entities_f1",
    "slots": "slots_f1",
}
"""By task what it is judged by, the smallest data set first."""

BATCH, STEPS = 16, 6000

SETTING = "100 to 13,000 rows"
SETTINGS: dict[str, Config] = {
    SETTING: {
        "data": [
            ["cross_ner/entities as domain_entities", None, BATCH],
            ["trec/question", None, BATCH],
            ["uner_ud/entities", None, BATCH],
            ["snips/slots", None, BATCH],
        ],
        "tasks": list(METRICS),
        "encoder": {"kind": "bilstm", "width": 64, "num_layers": 1, "dropout": 0.1},
        "sharing": {"kind": "hard"},
        "vocab_size": 4000,
        "head_dropout": 0.1,
        "crf": True,  # without it, linear taggers are ahead
        "scale": "text",
        "max_validation": 400,
        "max_test": 1000,
        "steps": STEPS,
        "validations": 6,
        "training": {"learning_rate": 0.01, "warmup_steps": STEPS // 30, "schedule": "linear"},
    }
}
"""Entities in texts on artificial intelligence, questions, entities on the web, slots of commands.

Intents, which the commands have too, are left out: every model has nearly all of them. So is
entailment in RTE: labels of its test are hidden, and on the 277 rows of its validation a model that
guesses has an interval of six points on either side, which is wider than what models from scratch
learn there.
"""


UNIFORM_CONSTANT, BANDIT = "uniform, constant step size", "bandit, constant step size"
CONSTANT: Config = {"training.schedule": "constant"}


def _drawn(name: str, sampling: Any, settings: Config | None = None) -> Contender:
    return Contender(name, settings={"sampling": sampling, **(settings or {})})


_QUARTER: Config = {
    "steps": STEPS // len(METRICS),
    "training.warmup_steps": STEPS // 30 // len(METRICS),
}

CONTENDERS = (
    Contender("separate", "apart", settings=_QUARTER),
    _drawn("uniform", "uniform"),
    _drawn("proportional", "size"),
    _drawn("square root", "sqrt"),
    _drawn("annealed", "annealed"),
    _drawn(UNIFORM_CONSTANT, "uniform", CONSTANT),
    _drawn(BANDIT, {"kind": "learning_progress", "step_size": 0.05}, CONSTANT),
)
"""Each has as many steps in all, of one batch of one data set. A model of its own has a quarter.

A reward of the bandit is what a step made its loss fall by, which shrinks with the step size. Under
a schedule that ends at zero it would compare noise with noise at the end, so it has a constant one,
and is compared with uniform draws that have it too. It makes two more forward passes per step,
which are not in its budget.
"""

COMPARISON = Weighed(
    name="sampling_sizes",
    description="Data sets of 100 to 13,000 rows, drawn alike, by size or by what is learnt.",
    settings=SETTINGS,
    contenders=CONTENDERS,
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={
        SETTING: (
            Contrast("square root", "uniform", RELATIVE),
            Contrast("proportional", "uniform", RELATIVE),
            Contrast("annealed", "uniform", RELATIVE),
            Contrast(BANDIT, UNIFORM_CONSTANT, RELATIVE),
            Contrast("square root", "proportional", "domain_entities_f1"),
        )
    },
    metrics=METRICS,
    priority=4,
    minutes=1.1,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
