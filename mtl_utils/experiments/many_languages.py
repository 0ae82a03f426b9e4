"""Chapter 17: entities in five languages, by one model or by five, and in one it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit, overlaid
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.language_training import train_languages

LANGUAGES: Mapping[str, str] = {
    "english": "en",
    "chinese": "zh",
    "danish": "da",
    "swedish": "sv",
    "portuguese": "pt",
}
"""Languages of Universal NER that are trained, by the code of their data set."""

SETTING = "five languages"
STEPS = 500
"""Steps per language: a model of its own makes so many, one of five languages five times that."""

EQUAL_ROWS = 3900
"""Rows of each language that the tokenizer learns from, so that none is larger than others."""

WIDTH, WIDER = 64, 128


def _settings() -> Config:
    names = {
        language: f"uner_{code}/entities as {language}" for language, code in LANGUAGES.items()
    }
    return {
        "data": [[name, None, 16] for name in names.values()],
        "tokenizer_data": [[name, EQUAL_ROWS] for name in names.values()],
        "tasks": list(LANGUAGES),
        "all_languages": list(LANGUAGES),
        "by_language": "nothing",
        "elsewhere": [
            ["german", "uner_pud_de", list(LANGUAGES)],
            # In traditional characters, where Chinese is trained in simplified ones.
            *(["pud", f"uner_pud_{code}", [language]] for language, code in _PARALLEL.items()),
        ],
        "encoder": {"kind": "bilstm", "width": WIDTH, "num_layers": 1, "dropout": 0.2},
        "vocab_size": 4000,
        "batch": 16,
        "sampling": "uniform",
        "head_dropout": 0.1,
        "scale": "token",
        "max_length": 128,
        "max_validation": 400,
        "max_test": 1000,
        "steps": STEPS * len(LANGUAGES),
        "validations": 4,
        "training": {"learning_rate": 0.01, "warmup_steps": 50, "schedule": "linear"},
    }


_PARALLEL = {language: code for language, code in LANGUAGES.items() if language != "danish"}

ALONE, JOINT, WIDE = "alone", "jointly", "jointly, wider"
ADAPTERS, VECTORS = "with adapters", "with language vectors"

_TEMPERATURES: tuple[Config, ...] = (
    {"sampling": "size"},
    {"sampling": 3.0},
)
_DROPS: tuple[Config, ...] = (
    {"encoder.dropout": 0.1},
    {"encoder.dropout": 0.4},
)
"""What a model of one language tries, where those of several try how languages are drawn."""

CONTENDERS = (
    Contender(ALONE, "apart", {"steps": STEPS, "training.warmup_steps": 10}, _DROPS),
    Contender(JOINT, trials=_TEMPERATURES),
    Contender(WIDE, settings={"encoder.width": WIDER}, trials=_TEMPERATURES),
    Contender(
        ADAPTERS, settings={"by_language": "adapters", "bottleneck": 16}, trials=_TEMPERATURES
    ),
)

COMPARISON = Comparison(
    name="many_languages",
    description="Entities of Universal NER in five languages, by one model or five.",
    settings={SETTING: _settings()},
    contenders=CONTENDERS,
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={
        SETTING: (
            Contrast(JOINT, ALONE, "english_f1"),
            Contrast(JOINT, ALONE, "danish_f1"),
            Contrast(JOINT, ALONE, "chinese_f1"),
            Contrast(JOINT, ALONE, "english_german_f1"),
            Contrast(ADAPTERS, JOINT, "chinese_f1"),
        )
    },
    reference=ALONE,
    doubles=(ALONE, JOINT, ADAPTERS),  # nothing is claimed of the wider one
    train=train_languages,
    priority=3,
    minutes=1.15,
)
COMPARISONS = (COMPARISON,)

NARROW = 16
COUNTS = (1, 2, 3, 5)
RATES = (0.01, 0.03, 0.1)


def run_count(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one narrow model of some languages, at the step size that is best on validation.

    Args:
        config: Its ``languages``, ``rates`` and ``settings``. Each language has as many steps as it
            has alone.
        seed: Of everything.
        place: Of checkpoints.

    Returns:
        ``<language>_f1`` on test, ``german_f1`` read as English, in percent, and the ``rate``.
    """
    unit = Unit(tuple(config["languages"]))
    best, chosen, done = -1.0, RATES[0], None
    for rate in config["rates"]:
        settings = overlaid(config["settings"], {"training.learning_rate": rate})
        folder = place.workspace / str(rate)
        folder.mkdir(parents=True, exist_ok=True)
        trained = train_languages(settings, unit, seed, folder, test=False)
        score = sum(trained.scores.values()) / len(trained.scores)
        if score > best:
            best, chosen, done = score, rate, (settings, folder)
    assert done is not None
    trained = train_languages(done[0], unit, seed, done[1])  # goes on from its end, and measures
    found = {f"{name}_f1": values["f1"] for name, values in trained.metrics.items()}
    found["german_f1"] = trained.metrics["english"]["german_f1"]
    percent = {name: round(100 * value, 2) for name, value in found.items()}
    return {**percent, "validation": round(100 * best, 2), "rate": chosen}


def _counted() -> Experiment:
    shared = overlaid(_settings(), {"encoder.width": NARROW})
    return Experiment(
        name="many_languages_count",
        description="One narrow encoder for one, two, three and five languages.",
        configs=tuple(
            {
                "languages": list(LANGUAGES)[:count],
                "rates": list(RATES),
                "settings": {**shared, "steps": STEPS * count},
            }
            for count in COUNTS
        ),
        seeds=(0, 1, 2),
        run=run_count,
        priority=2,
        minutes=1.3,
    )


EXPERIMENTS = (*COMPARISON.experiments(), _counted())
