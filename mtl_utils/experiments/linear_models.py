"""What linear models of words make of the data on which networks are compared: the least to reach.

A network whose score is no better has not learnt the task, and nothing is to be claimed of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier

from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.sharing_map import AMOUNTS
from mtl_utils.experiments.text_set import Row, TextSet
from mtl_utils.experiments.text_sets import load
from mtl_utils.experiments.word_windows import window_features
from mtl_utils.tasks import Tagging

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""How weakly a classifier of texts may be regularised (C of scikit-learn), chosen on validation.

The greatest is next to not at all: nothing above it is left to try.
"""

PENALTIES = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
"""The penalties that a tagger may have (alpha of scikit-learn), chosen on validation.

The least is next to none: nothing below it is left to try.
"""

# As the comparisons have them: rows of training, and as many to choose by and to be measured on.
_OF_THE_MAPS = {"max_validation": 500, "max_test": 2000}
_MAPS = ("atlas_sentences:20000@1/event/even", "uner_ud/entities/even")
_OF_THE_WAYS = {"max_validation": 600, "max_test": 1000}
_WAYS = (("atlas_sentences:6000@1/entities", 2000), ("uner_ud/entities", 1000))
_DISJOINT = ("trec/question", "universal_ner/entities", "sick/inference")
_REQUESTS = ("snips/intent", "snips/slots")


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train a linear model on the rows that networks have, and measure it on test.

    Args:
        config: ``data``, as :func:`text_sets.load` takes it, with one task; ``rows`` of training,
            all if ``None``; and, if not all, ``max_validation`` and ``max_test``.
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
        metric, tried = "f1", [_tagger(given, task, parts, penalty) for penalty in PENALTIES]
    else:
        metric, tried = "accuracy", [_classifier(task, parts, strength) for strength in STRENGTHS]
    chosen, score = max(tried, key=lambda one: one[1]("validation"))
    return {f"{task}_{metric}": round(100 * score("test"), 2), "chosen": chosen}


def _classifier(
    task: str, parts: dict[str, Sequence[Row]], strength: float
) -> tuple[float, Callable[[str], float]]:
    vectorizer = CountVectorizer(analyzer=_words_of, binary=True)
    model = LogisticRegression(C=strength, max_iter=1000)
    model.fit(vectorizer.fit_transform(parts["train"]), _labels(parts["train"], task))

    def score(split: str) -> float:
        rows = parts[split]
        return float(model.score(vectorizer.transform(rows), _labels(rows, task)))

    return strength, score


def _tagger(
    given: TextSet, task: str, parts: dict[str, Sequence[Row]], penalty: float
) -> tuple[float, Callable[[str], float]]:
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False)
    model = SGDClassifier(
        loss="log_loss", alpha=penalty, max_iter=20, tol=None, random_state=0, average=True
    )
    names = given.labels[task]
    seen = hasher.transform(_windows(parts["train"]))
    model.fit(seen, [label for row in parts["train"] for label in _tags(row, task)])

    def score(split: str) -> float:
        guesses = iter(model.predict(hasher.transform(_windows(parts[split]))))
        gold = [[names[label] for label in _tags(row, task)] for row in parts[split]]
        guessed = [[names[next(guesses)] for _ in tags] for tags in gold]
        return float(f1_score(gold, guessed, mode="strict", scheme=IOB2))

    return penalty, score


def _labels(rows: Sequence[Row], task: str) -> list[Any]:
    return [row.labels[task] for row in rows]


def _tags(row: Row, task: str) -> Sequence[int]:
    tags = row.labels[task]
    assert not isinstance(tags, int)
    return tags


def _windows(rows: Sequence[Row]) -> Iterator[list[str]]:
    for row in rows:
        yield from window_features(list(row.text))


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


EXPERIMENTS = (
    Experiment(
        name="linear_models",
        description="Linear models of words on the data of chapters 06 and 08: the least to reach.",
        configs=(
            *({"data": data, "rows": rows, **_OF_THE_MAPS} for data in _MAPS for rows in AMOUNTS),
            *({"data": data, "rows": rows, **_OF_THE_WAYS} for data, rows in _WAYS),
            *({"data": data, "rows": None} for data in (*_DISJOINT, *_REQUESTS)),
        ),
        seeds=(0, 1, 2),
        run=run,
        deterministic=lambda config: config["rows"] is None,
        priority=32,
        minutes=0.5,
    ),
)
