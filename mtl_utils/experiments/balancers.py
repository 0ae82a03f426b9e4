"""Chapters 12 and 13: ways of weighing losses and of combining gradients, all with one search."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.parts import TUNING_SEED
from mtl_utils.experiments.tuning import RATE

METRICS = {"topic": "topic_accuracy", "event": "event_accuracy", "entities": "entities_f1"}
RELATIVE = "relative"
"""Column of the records: the mean over tasks of the test score as a share of the reference's."""

TRIALS, MORE_TRIALS = 8, 32
TUNED, SEPARATE = "tuned sum", "separate"

_BASE: dict[str, Any] = {
    "tasks": list(METRICS),
    "sharing": {"kind": "hard"},
    "vocab_size": 1000,
    "head_dropout": 0.1,
    "scale": "text",
    "max_validation": 400,
    "max_test": 1000,
    "steps": 2000,
    "validations": 5,
    "training": {"learning_rate": 0.02, "warmup_steps": 100, "schedule": "linear"},
}


def _setting(relatedness: int, width: int) -> dict[str, Any]:
    encoder = {"kind": "bilstm", "width": width, "num_layers": 1, "dropout": 0.1}
    data = [[f"atlas_sentences:6000@{relatedness}", None, 32]]
    return {**_BASE, "data": data, "encoder": encoder}


EASY, CONFLICTING = "Atlas, easy", "Atlas, conflicting"
SETTINGS: dict[str, Config] = {EASY: _setting(1, 48), CONFLICTING: _setting(0, 32)}
"""All labels of each sentence are known.

In the first setting topics follow from events; in the second they were exchanged between clauses
that report the same, and the encoder that has to tell both is narrower. In a trial run of 300 steps
the cosine of the gradients of topics and events was about 0.5 in the first, and near 0, below it in
a third of the steps, in the second.
"""

Draw = Callable[[random.Random], dict[str, Any]]


def _log_uniform(low: float, high: float) -> Callable[[random.Random], float]:
    return lambda source: math.exp(source.uniform(math.log(low), math.log(high)))


def _of_balancer(**ranges: Callable[[random.Random], Any]) -> Draw:
    return lambda source: {f"balancer.{name}": draw(source) for name, draw in ranges.items()}


def _weights_of(tasks: Iterable[str]) -> Draw:
    draw = _log_uniform(0.1, 30.0)
    return lambda source: {"weights": {task: round(draw(source), 4) for task in tasks}}


def _betas(source: random.Random) -> list[float]:
    """Draw how much of Adam's means is kept: over 3 to 30 steps, and over 30 to 3,000."""
    spans = _log_uniform(3.0, 30.0)(source), _log_uniform(30.0, 3000.0)(source)
    return [round(1 - 1 / span, 6) for span in spans]


_SMALL = _log_uniform(0.001, 0.1)
_LEARNT = _of_balancer(learning_rate=_SMALL)
# By name the class, and how its own settings are drawn.
_BALANCERS: dict[str, tuple[str, Draw]] = {
    "equal weights": ("EqualWeights", _of_balancer()),
    "random weights": ("RandomWeights", _of_balancer()),
    "uncertainty": ("UncertaintyWeights", _LEARNT),
    "IMTL-L": ("ImpartialLosses", _LEARNT),
    "sum of logarithms": ("ScaleInvariantLog", _of_balancer()),
    "dynamic average": (
        "DynamicWeightAverage",
        _of_balancer(temperature=_log_uniform(0.25, 8.0)),
    ),
    "FAMO": ("FAMO", _of_balancer(learning_rate=_SMALL, decay=_log_uniform(1e-4, 0.1))),
    "GradNorm": (
        "GradNorm",
        _of_balancer(learning_rate=_SMALL, asymmetry=lambda source: source.uniform(0.0, 2.0)),
    ),
    "smooth maximum": ("SmoothChebyshev", _of_balancer(smoothing=_log_uniform(0.01, 1.0))),
    "MGDA": ("MGDA", _of_balancer()),
    "PCGrad": ("PCGrad", _of_balancer()),
    "CAGrad": ("CAGrad", _of_balancer(c=lambda source: source.uniform(0.1, 0.9))),
    "IMTL-G": ("IMTLG", _of_balancer()),
    "Nash-MTL": ("NashMTL", _of_balancer()),
    "Aligned-MTL": ("AlignedMTL", _of_balancer()),
    "FairGrad": ("FairGrad", _of_balancer(alpha=_log_uniform(0.5, 4.0))),
    "UPGrad": ("UPGrad", _of_balancer()),
    "AdaTask": ("AdaTask", _of_balancer(betas=_betas)),
}


def _drawn(name: str, draw: Draw, count: int) -> tuple[Config, ...]:
    """Draw trials of a contender, the first the same however many there are.

    The step sizes are the same for all contenders, so that none is lucky in them.
    """
    rates, own = random.Random("step sizes"), random.Random(name)
    rate = _log_uniform(0.003, 0.1)
    return tuple({RATE: round(rate(rates), 6), **_rounded(draw(own))} for _ in range(count))


def _rounded(trial: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in trial.items()}


def _draws(tasks: Iterable[str]) -> dict[str, Draw]:
    plain = {TUNED: _weights_of(tasks), SEPARATE: _of_balancer()}
    return plain | {name: draw for name, (_, draw) in _BALANCERS.items()}


def contenders_for(
    tasks: Sequence[str], balancers: Iterable[str] = tuple(_BALANCERS)
) -> tuple[Contender, ...]:
    """Return separate models, a weighted sum whose weights are drawn, and balancers.

    Args:
        tasks: Names of the tasks.
        balancers: Which balancers.

    Returns:
        Contenders with eight trials each, all of which have the same eight step sizes.
    """
    trials = {name: _drawn(name, draw, TRIALS) for name, draw in _draws(tasks).items()}
    return (
        Contender(SEPARATE, "apart", trials=trials[SEPARATE]),
        Contender(TUNED, trials=trials[TUNED]),
        *(
            Contender(name, settings={"balancer": {"kind": kind}}, trials=trials[name])
            for name, (kind, _) in _BALANCERS.items()
            if name in balancers
        ),
    )


@dataclass(frozen=True)
class Weighed(Comparison):
    """A comparison whose records have the mean over tasks too, as :data:`RELATIVE`.

    Args:
        metrics: By task the metric of the records that it is judged by.
    """

    metrics: Mapping[str, str] = field(default_factory=lambda: METRICS)

    def _measured(
        self, config: Config, seed: int, place: Place, change: Callable[[Config], Config]
    ) -> dict[str, Any]:
        """Add the mean over tasks of test score over the reference's best on validation."""
        found = super()._measured(config, seed, place, change)
        reference = self.tuning(config["setting"], place).reference()
        shares = [found[self.metrics[task]] / score for task, score in reference.items()]
        return {**found, RELATIVE: round(fmean(shares), 2)}


CONTRASTED = ("equal weights", "uncertainty", "FAMO", "PCGrad", "UPGrad")
"""Those whose difference to the tuned sum is claimed or not, and that have more trials."""

COMPARISON = Weighed(
    name="balancers",
    description="Weights of losses that are tuned, learnt or drawn, and combined gradients.",
    settings=SETTINGS,
    contenders=contenders_for(tuple(METRICS)),
    rates=(),
    seeds=tuple(range(10)),
    contrasts={
        setting: tuple(Contrast(name, TUNED, RELATIVE) for name in CONTRASTED)
        for setting in SETTINGS
    },
    doubles=(SEPARATE, TUNED, *CONTRASTED),
    priority=5,
    minutes=0.35,
)


def _more() -> tuple[Config, ...]:
    """Return the trials beyond those of all contenders; nothing is chosen by them here."""
    (tried,) = (e for e in COMPARISON.experiments() if e.name == f"{COMPARISON.name}_trials")
    bases = {
        config["contender"]: {key: value for key, value in config.items() if key != "trial"}
        for config in tried.configs
        if config["setting"] == CONFLICTING
    }
    return tuple(
        {**bases[name], "trial": dict(trial)}
        for name in (TUNED, *CONTRASTED[1:])
        for trial in _drawn(name, _draws(METRICS)[name], MORE_TRIALS)[TRIALS:]
    )


MORE = Experiment(
    name="balancers_more_trials",
    description="Further trials of five balancers on Atlas, conflicting, on validation.",
    configs=_more(),
    seeds=(TUNING_SEED,),
    run=COMPARISON.run_trial,
    priority=COMPARISON.priority,
    minutes=COMPARISON.minutes,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = (*COMPARISON.experiments(), MORE)
