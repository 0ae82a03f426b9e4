"""What is measured of a model of tags, translation and language."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.data import MISSING_LABEL, BatchLoader
from mtl_utils.experiments.atlas_tasks import Labelled, examples_of
from mtl_utils.models import BiLSTMFramework
from mtl_utils.tasks import to_spans
from mtl_utils.training import evaluate_losses

SHOWN = 8
"""Test sentences whose translation is recorded."""


def tagging_scores(model: BiLSTMFramework, part: Labelled) -> dict[str, float]:
    """Tag sentences and measure the tags.

    Args:
        model: The model.
        part: The sentences.
    """
    return model.tasks["tags"].metrics(model.tag(part.words), part.tags)


def framework_scores(model: BiLSTMFramework, part: Labelled) -> dict[str, float]:
    """Give each task of a model a score from 0 to 100.

    Args:
        model: The model.
        part: The sentences.

    Returns:
        ``tags``: strict F1 of entities. ``translation``: BLEU. ``language``: the probability that
        a token of the text has, the geometric mean over tokens, which is one over perplexity.
    """
    scores = {}
    if "tags" in model.tasks:
        scores["tags"] = 100 * tagging_scores(model, part)["f1"]
    if "translation" in model.tasks:
        written = model.translate(part.words)
        scores["translation"] = model.translation.metrics(written, part.french)["bleu"]
    if "language" in model.tasks:
        scores["language"] = 100 * math.exp(-measure_language(model, part)["language_loss"])
    return scores


def measure_tags(model: BiLSTMFramework, part: Labelled) -> dict[str, Any]:
    """Measure entities: strict micro F1, of all and of each type.

    Args:
        model: The model.
        part: The sentences.
    """
    scores = tagging_scores(model, part)
    return {name: round(100 * v, 2) for name, v in scores.items() if name.startswith("f1")}


def measure_translation(model: BiLSTMFramework, part: Labelled) -> dict[str, Any]:
    """Measure translations, and how many names arrive in them.

    Args:
        model: The model.
        part: The sentences.
    """
    written = model.translate(part.words)
    scores = model.translation.metrics(written, part.french)
    loss = nats_per_token(model, _loader(model, part, "translation"), "translation")
    return {
        "bleu": round(scores["bleu"], 2),
        "chrf": round(scores["chrf"], 2),
        "translation_loss": round(loss, 4),
        "signatures": model.translation.signature(part.french),
        **names_kept(part, written, model.tokenizer.normalise),
        "written": written[:SHOWN],
    }


def names_kept(
    part: Labelled, written: Sequence[str], normalise: Callable[[str], str] = str
) -> dict[str, float]:
    """Say how many names that are the same in both languages stand in the translations.

    Args:
        part: Sentences, whose true translations say which names are the same.
        written: Their translations.
        normalise: Turns names and texts into what a model can write, so that a tokenizer that
            lower-cases loses no name.

    Returns:
        ``kept`` and ``kept_<type>``: shares in percent.
    """
    found: dict[str, list[bool]] = {"": []}
    rows = zip(part.words, part.tags, part.french, written, strict=True)
    for words, tags, french, translation in rows:
        for span in to_spans(tags):
            name = normalise(" ".join(words[span.start : span.end]))
            if name in normalise(french):
                kept = name in normalise(translation)
                found[""].append(kept)
                found.setdefault(f"_{span.type}", []).append(kept)
    return {f"kept{k}": round(100 * sum(v) / len(v), 2) for k, v in sorted(found.items()) if v}


def measure_language(model: BiLSTMFramework, part: Labelled) -> dict[str, Any]:
    """Measure how well the English text is predicted.

    Args:
        model: The model.
        part: The sentences.
    """
    loss = nats_per_token(model, _loader(model, part, "language"), "language")
    return {"language_loss": round(loss, 4)}


def nats_per_token(model: BiLSTMFramework, loader: BatchLoader, task: str) -> float:
    """Return the mean loss a token, whatever the scale on which the task is trained.

    Args:
        model: The model.
        loader: The examples.
        task: Name of a task that writes or models text.
    """
    loss, scale = evaluate_losses(model, loader)[task], model.head(task).scale
    if scale == "uniform":
        return loss * math.log(model.tokenizer.vocab_size)
    if scale == "token":
        return loss
    labels = [np.asarray(example.labels[task]) for example in loader.examples]
    tokens = sum(int((row != MISSING_LABEL).sum()) for row in labels)
    return loss * len(loader.examples) / tokens


MEASURES = {
    "tags": measure_tags,
    "translation": measure_translation,
    "language": measure_language,
}


def probes(model: BiLSTMFramework, train: Labelled, test: Labelled) -> dict[str, float]:
    """Say how well a linear classifier reads labels off the encoder's states.

    Args:
        model: The model, which is not trained further.
        train: What the classifiers are trained on.
        test: What they are measured on.

    Returns:
        Accuracies in percent: entity tags and parts of speech of words, topics of sentences (from
        their mean state).
    """
    states = [model.read(part.words) for part in (train, test)]
    words = [torch.cat(rows) for rows in states]
    means = [torch.stack([row.mean(dim=0) for row in rows]) for rows in states]
    return {
        "probe_tags": _probe(words, _flat(train.tags), _flat(test.tags)),
        "probe_pos": _probe(words, _flat(train.pos), _flat(test.pos)),
        "probe_topic": _probe(means, train.topics, test.topics),
    }


def _flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [label for row in rows for label in row]


def _probe(states: Sequence[Tensor], labels: Sequence[Any], expected: Sequence[Any]) -> float:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = (part.numpy() for part in states)
    classifier = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))
    return round(100 * float(classifier.fit(train, labels).score(test, expected)), 2)


def _loader(model: BiLSTMFramework, part: Labelled, task: str) -> BatchLoader:
    return BatchLoader(examples_of(model, part, [task]), max_tokens=4000)
