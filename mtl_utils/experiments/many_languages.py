"""Chapter 17: entities in five languages, by one model or by five, and in one it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit, overlaid
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.language_training import train_languages
from mtl_utils.experiments.tuning import RATE

LANGUAGES: Mapping[str, str] = {
    "english": "en",
    "chinese": "zh",
    "danish": "da",
    "swedish": "sv",
    "portuguese": "pt",
}
"""Languages of Universal NER that are trained, by the code of their data set."""

SETTING = "five languages"
STEPS = 300
"""Steps per language: a model of its own makes so many, one of five languages five times as many."""

EQUAL_ROWS = 3900
"""Rows of each language that the tokenizer learns from, so that English is no larger than others."""

WIDTH, WIDER = 64, 128


def _settings() -> Config:
    names = {language: f"uner_{code}/entities as {language}" for language, code in LANGUAGES.items()}
    return {
        "data": [[name, None, 16] for name in names.values()],
        "tokenizer_data": [[name, EQUAL_ROWS] for name in names.values()],
        "tasks": list(LANGUAGES),
        "all_languages": list(LANGUAGES),
        "by_language": "nothing",
        "elsewhere": [
            ["german", "uner_pud_de", list(LANGUAGES)],
            # In traditional characters, where Chinese is trained in simplified ones.
            *([f"pud", f"uner_pud_{code}", [language]] for language, code in _PARALLEL.items()),
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
    {"sampling": 2.0},
    {"sampling": 5.0},
)
_DROPS: tuple[Config, ...] = (
    {"encoder.dropout": 0.1},
    {"encoder.dropout": 0.3},
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
    train=train_languages,
    priority=3,
    minutes=0.7,
)
COMPARISONS = (COMPARISON,)
