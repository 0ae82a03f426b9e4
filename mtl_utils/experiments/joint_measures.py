"""What is measured of a model of tags, translation and language."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mtl_utils.data import MISSING_LABEL, BatchLoader
from mtl_utils.experiments.atlas_tasks import Labelled, examples_of
from mtl_utils.models import BiLSTMFramework
from mtl_utils.training import evaluate_losses


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


def _loader(model: BiLSTMFramework, part: Labelled, task: str) -> BatchLoader:
    return BatchLoader(examples_of(model, part, [task]), max_tokens=4000)
