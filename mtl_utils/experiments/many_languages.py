"""Chapter 17: entities in five languages, by one model or by five, and in one it never saw."""

from __future__ import annotations

from collections.abc import Mapping

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, overlaid
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config
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
STEPS = 1500
"""Steps per language: a model of its own makes so many, one of five languages five times that."""

LONG = STEPS * len(LANGUAGES)

EQUAL_ROWS = 3200
"""Rows of each language that shared pieces are learnt from: Swedish, the smallest, has 3,227."""

WIDTH, WIDER = 64, 66
"""Adapters add 10,640 parameters to the 281,088 of the one width; the other has 9,576 more."""

_PARALLEL = {language: code for language, code in LANGUAGES.items() if language != "danish"}


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
        "crf": True,  # without it, a linear tagger is ahead
        "scale": "text",
        "max_length": 128,
        # Evenly from all rows; the 600 Swedish ones have more than 100 entities.
        "max_validation": 600,
        "max_test": None,
        "steps": LONG,
        "validations": 4,
        "training": {"learning_rate": 0.01, "warmup_steps": LONG // 50, "schedule": "linear"},
    }


ALONE, ALONE_LONG = "alone", "alone, five times the steps"
JOINT, WIDE, ADAPTERS = "jointly", "jointly, wider", "with adapters"
VECTORS, BY_SIZE = "with vectors by language", "jointly, drawn by size"

_DROPS: tuple[Config, ...] = ({"encoder.dropout": 0.1}, {"encoder.dropout": 0.4})
"""What all contenders try alike, beside the step size."""

_SHORT: Config = {"own_pieces": True, "steps": STEPS, "training.warmup_steps": STEPS // 50}
"""One language's share of the steps and of the warm-up."""

CONTENDERS = (
    Contender(ALONE, "apart", _SHORT, _DROPS),
    Contender(ALONE_LONG, "apart", {"own_pieces": True}, _DROPS, only=("english",)),
    Contender(JOINT, trials=_DROPS),
    Contender(WIDE, settings={"encoder.width": WIDER}, trials=_DROPS),
    Contender(ADAPTERS, settings={"by_language": "adapters", "bottleneck": 16}, trials=_DROPS),
    # Five vectors add 320 parameters, too few for a control of their own.
    Contender(VECTORS, settings={"by_language": "embedding"}, trials=_DROPS),
    Contender(BY_SIZE, settings={"sampling": "size"}, trials=_DROPS),
)

COMPARISON = Comparison(
    name="many_languages",
    description=(
        "Entities of Universal NER in five languages, by one model or five; a model of one "
        "language has pieces of its own, and Swedish is validated on a quarter of its training "
        "rows."
    ),
    settings={SETTING: _settings()},
    contenders=CONTENDERS,
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={
        SETTING: (
            Contrast(JOINT, ALONE, "english_f1"),
            Contrast(JOINT, ALONE, "danish_f1"),
            Contrast(JOINT, ALONE, "chinese_f1"),
            Contrast(JOINT, ALONE_LONG, "english_german_f1"),
            Contrast(ADAPTERS, WIDE, "chinese_f1"),
        )
    },
    reference=ALONE,
    train=train_languages,
    priority=3,
    minutes=1.2,
)

NARROW = 16
NARROW_SETTING = f"width {NARROW}"
ONE, ONE_LONG, FIVE = "English alone", "English alone, five times the steps", "five languages"


def _narrow() -> Config:
    """English is what is judged; the other four languages are there to help, or to crowd."""
    return {**overlaid(_settings(), {"encoder.width": NARROW}), "tasks": ["english"]}


COUNTED = Comparison(
    name="many_languages_count",
    description=(
        "English entities by a narrow encoder for English alone or for five languages, in as many "
        "steps of English and in as many steps in all."
    ),
    settings={NARROW_SETTING: _narrow()},
    contenders=(
        Contender(ONE, "apart", _SHORT),
        Contender(ONE_LONG, "apart", {"own_pieces": True}),
        Contender(FIVE, "apart", helpers=tuple(LANGUAGES)[1:]),
    ),
    rates=(0.003, 0.01, 0.03, 0.1, 0.3),
    seeds=(0, 1, 2),
    contrasts={
        NARROW_SETTING: (
            Contrast(FIVE, ONE, "english_f1"),
            Contrast(FIVE, ONE_LONG, "english_f1"),
        )
    },
    reference=ONE,
    train=train_languages,
    priority=2,
    minutes=0.7,
)

COMPARISONS = (COMPARISON, COUNTED)
EXPERIMENTS = (*COMPARISON.experiments(), *COUNTED.experiments())
