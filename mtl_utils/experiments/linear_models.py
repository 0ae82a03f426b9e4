"""What linear models of words make of the data on which networks are compared: the least to reach.

A network whose score is no better has not learnt the task, and nothing is to be claimed of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier

from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.little_data import SIZES
from mtl_utils.experiments.many_languages import LANGUAGES
from mtl_utils.experiments.sharing_map import AMOUNTS
from mtl_utils.experiments.text_set import Row
from mtl_utils.experiments.text_sets import load
from mtl_utils.experiments.word_windows import hashed_windows, strict_f1
from mtl_utils.tasks import Tagging

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""How weakly a classifier of texts may be regularised (C of scikit-learn), chosen on validation.

The greatest is next to not at all: nothing above it is left to try.
"""

PENALTIES = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
"""The penalties that a tagger may have (alpha of scikit-learn), chosen on validation.

The least is next to none: nothing below it is left to try.
"""

EPOCHS = 20
"""Passes of a tagger over its rows."""

# As the comparisons have them: rows of training, and as many to choose by and to be measured on.
_OF_THE_MAPS = {"max_validation": 500, "max_test": 2000}
_MAPS = ("atlas_sentences:20000@1/event/even", "uner_ud/entities/even", "snips/slots/even")
_OF_THE_WAYS = {"max_validation": 600, "max_test": 1000}
_WAYS = (("atlas_sentences:6000@1/entities", 2000), ("uner_ud/entities", 1000))
_DISJOINT = ("trec/question", "universal_ner/entities", "sick/inference")
_REQUESTS = ("snips/intent", "snips/slots")

# Chapter 11's six tasks, with the labels of a thousand texts each; chapter 14's four data sets;
# chapter 16's few rows of two of them; chapter 17's five languages.
_OF_SIX = {"max_validation": 500}
_SIX = ("snips/intent", "snips/slots", "uner_ud/entities", "trec/question")
_OF_FEW = {"max_validation": 300, "max_test": 1000}
_FEW = ("uner_ud/entities/even", "snips/slots/even")
_OTHERS = (
    "cross_ner/entities",
    "uner_ud/entities",
    *(f"uner_{code}/entities" for code in LANGUAGES.values()),
)

_Tried = tuple[float, Callable[[str], float]]  # a setting, and the score of a split


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train a linear model on the rows that networks have, and measure it on test.

    Args:
        config: ``data``, as :func:`text_sets.load` takes it, with one task; ``rows`` of training,
            all if ``None``; if not all, ``max_validation`` and ``max_test``; and, if not
            :data:`EPOCHS`, the ``epochs`` of a tagger.
        seed: Of the draw of rows, and of what is generated. Training has none: it reads the rows
            in one order.
        place: Not needed: a run is short.

    Returns:
        ``<task>_accuracy`` or strict ``<task>_f1``, in percent, and what was ``chosen``.
    """
    given = load(config["data"], config["rows"], seed)
    (task,) = given.kinds
    parts = {
        split: given.splits[split][: config.get(f"max_{split}")]
        for split in ("train", "validation", "test")
    }
    if issubclass(given.kinds[task], Tagging):
        epochs = config.get("epochs", EPOCHS)
        metric, tried = "f1", _taggers(given.labels[task], task, parts, epochs)
    else:
        metric, tried = "accuracy", _classifiers(task, parts)
    chosen, score = max(tried, key=lambda one: one[1]("validation"))
    return {f"{task}_{metric}": round(100 * score("test"), 2), "chosen": chosen}


def _classifiers(task: str, parts: Mapping[str, Sequence[Row]]) -> Iterator[_Tried]:
    vectorizer = CountVectorizer(analyzer=_words_of, binary=True).fit(parts["train"])
    seen = {split: vectorizer.transform(rows) for split, rows in parts.items()}
    labels = {split: [row.labels[task] for row in rows] for split, rows in parts.items()}

    def score_of(model: LogisticRegression) -> Callable[[str], float]:
        return lambda split: float(model.score(seen[split], labels[split]))

    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000)
        yield strength, score_of(model.fit(seen["train"], labels["train"]))


def _taggers(
    names: Sequence[str], task: str, parts: Mapping[str, Sequence[Row]], epochs: int
) -> Iterator[_Tried]:
    seen = {split: hashed_windows(list(row.text) for row in rows) for split, rows in parts.items()}
    tags = {split: [_tags(row, task) for row in rows] for split, rows in parts.items()}

    def score_of(model: SGDClassifier) -> Callable[[str], float]:
        return lambda split: strict_f1(model.predict(seen[split]), tags[split], names)

    for penalty in PENALTIES:
        model = SGDClassifier(
            loss="log_loss", alpha=penalty, max_iter=epochs, tol=None, random_state=0, average=True
        )
        yield penalty, score_of(model.fit(seen["train"], list(chain.from_iterable(tags["train"]))))


def _tags(row: Row, task: str) -> Sequence[int]:
    tags = row.labels[task]
    assert not isinstance(tags, int)
    return tags


def _words_of(row: Row) -> list[str]:
    """Words and pairs of words of a text; of a pair what stands in one text alone, and how much."""
    first = _split(row.text)
    if row.other is None:
        return [*first, *map(" ".join, pairwise(first))]
    one, other = set(first), set(_split(row.other))
    apart = {"first": one - other, "second": other - one}
    counts = [f"{len(words)} only in the {side}" for side, words in apart.items()]
    return [*(f"{side}: {word}" for side, words in apart.items() for word in words), *counts]


def _split(text: str | Sequence[str]) -> list[str]:
    return (text if isinstance(text, str) else " ".join(text)).lower().split()


def _experiment(name: str, of: str, *configs: Config) -> Experiment:
    return Experiment(
        name=name,
        description=f"Linear models of words on the data of {of}: the least to reach.",
        configs=configs,
        seeds=(0, 1, 2),
        run=run,
        deterministic=lambda config: config["rows"] is None,
        priority=32,
        minutes=0.5,
    )


EXPERIMENTS = (
    _experiment(
        "linear_models",
        "chapters 06 and 08",
        *({"data": data, "rows": rows, **_OF_THE_MAPS} for data in _MAPS for rows in AMOUNTS),
        *({"data": data, "rows": rows, **_OF_THE_WAYS} for data, rows in _WAYS),
        *({"data": data, "rows": None} for data in (*_DISJOINT, *_REQUESTS)),
    ),
    _experiment(
        "linear_models_later",
        "chapters 11, 14, 16 and 17",
        *({"data": data, "rows": 1000, **_OF_SIX} for data in _SIX),
        *({"data": data, "rows": rows, **_OF_FEW} for data in _FEW for rows in SIZES),
        *({"data": data, "rows": None} for data in _OTHERS),
    ),
    Experiment(
        name="atlas_pairs_tagger",
        description="The linear tagger on the pairs of chapter 06: what a Transformer is held to.",
        configs=({"data": "atlas:64000/entities", "rows": None, "epochs": 5},),
        seeds=(0, 1, 2, 3, 4),
        run=run,
        priority=31,
        minutes=8.0,
    ),
)
