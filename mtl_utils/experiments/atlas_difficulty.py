"""The data page: how hard Atlas is for simple linear models, by size and by knob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier

from mtl_utils import atlas
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.word_windows import hashed_windows, strict_f1

EVALUATION_SIZE = 20_000
"""Every model is measured on the test split of a corpus of this size."""

SIZES = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
_KNOBS = ({"ambiguity": 0.0}, {"ambiguity": 1.0}, {"noise": 0.2}, {"relatedness": 0.0})


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train the simple models on one corpus and measure them.

    Args:
        config: ``size`` and knobs of :func:`mtl_utils.atlas.load`.
        seed: Of the corpus and of the tagger.
        place: Not needed: a run is short.

    Returns:
        Strict entity F1 of a tagger that sees five words at a time, accuracies of bag-of-n-grams
        classifiers for topic and event, and accuracies on inference of classifiers that see only
        the hypothesis, only the premise, or the overlap of both.
    """
    corpus = atlas.load(**config, seed=seed)
    larger = {**config, "size": EVALUATION_SIZE}
    test = atlas.load(**larger, seed=seed)["test"]
    pairs = atlas.load_inference(**config, seed=seed)
    test_pairs = atlas.load_inference(**larger, seed=seed)["test"]
    return {
        "ner_f1": tagger_f1(corpus["train"], test, seed),
        "topic_accuracy": classifier_accuracy(corpus["train"], test, "text", "topic"),
        "event_accuracy": classifier_accuracy(corpus["train"], test, "text", "event"),
        "hypothesis_only": classifier_accuracy(pairs["train"], test_pairs, "hypothesis", "label"),
        "premise_only": classifier_accuracy(pairs["train"], test_pairs, "premise", "label"),
        "chance": _largest_share(test_pairs["label"]),
    }


def tagger_f1(train: Dataset, test: Dataset, seed: int) -> float:
    """Return the strict entity F1 of a linear tagger that sees a window of five words."""
    tagger = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=20, tol=None, random_state=seed)
    tags = [tag for row in train["ner_tags"] for tag in row]
    tagger.fit(hashed_windows(train["tokens"]), tags)
    predicted = tagger.predict(hashed_windows(test["tokens"]))
    return strict_f1(predicted, test["ner_tags"], atlas.NER_TAGS)


def classifier_accuracy(train: Dataset, test: Dataset, text: str, label: str) -> float:
    """Return the accuracy of logistic regression over words and pairs of words."""
    vectorizer = CountVectorizer(ngram_range=(1, 2))
    classifier = LogisticRegression(C=1.0, max_iter=300)
    classifier.fit(vectorizer.fit_transform(train[text]), train[label])
    return float(classifier.score(vectorizer.transform(test[text]), test[label]))


def _largest_share(labels: Sequence[int]) -> float:
    return max(list(labels).count(label) for label in set(labels)) / len(labels)


EXPERIMENTS = (
    Experiment(
        name="atlas_difficulty",
        description="Simple linear models on Atlas: learning curves and knobs.",
        configs=(
            *({"size": size} for size in SIZES),
            *({"size": 2_000, **knob} for knob in _KNOBS),
        ),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
)
