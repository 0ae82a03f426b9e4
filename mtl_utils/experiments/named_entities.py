"""Chapter 03: BiLSTM taggers on Universal NER, with and without characters and a CRF."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mtl_utils import corpora
from mtl_utils.corpora.entry import SPLITS
from mtl_utils.data import BatchLoader
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.models import MultiTaskModel, Tagger
from mtl_utils.tasks import span_errors
from mtl_utils.training import Trainer, TrainerConfig


@dataclass(frozen=True)
class Tagged:
    """Sentences and their tags.

    Args:
        sentences: The words of each sentence.
        tags: One IOB2 tag a word.
    """

    sentences: list[list[str]]
    tags: list[list[str]]


@functools.cache
def universal_ner() -> tuple[Mapping[str, Tagged], tuple[str, ...]]:
    """Return the splits of Universal NER English EWT (Mayhew et al., 2024), and the labels."""
    dataset = corpora.load("universal_ner", "en_ewt")
    labels = tuple(dataset["train"].features["ner_tags"].feature.names)
    splits = {
        split: Tagged(
            [list(words) for words in dataset[split]["tokens"]],
            [[labels[index] for index in tags] for tags in dataset[split]["ner_tags"]],
        )
        for split in SPLITS
    }
    return splits, labels


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one tagger, keep the weights with the best validation F1, and measure it.

    Args:
        config: One of :data:`CONFIGS`.
        seed: Of weights, dropout and the order of batches.
        place: Its workspace has the checkpoint of a killed run.

    Returns:
        Strict micro precision, recall and F1 and token accuracy on validation and test, test F1 by
        type, the kinds of errors on test, the learning curve, the size of the model and the
        seconds of all sessions.
    """
    splits, labels = universal_ner()
    train, validation = splits["train"], splits["validation"]
    torch.manual_seed(seed)
    tagger = Tagger.from_sentences(train.sentences, labels, **config["model_settings"])
    loaders = [
        BatchLoader(tagger.examples(part.sentences, part.tags), max_tokens=1500, seed=seed)
        for part in (train, validation)
    ]

    def evaluate(model: MultiTaskModel) -> dict[str, float]:
        assert isinstance(model, Tagger)
        return {"f1": _measure(model, validation)["f1"]}

    history = Trainer(
        tagger,
        TrainerConfig(**config["training"], seed=seed),
        evaluate=evaluate,
        metric="f1",
        mode="max",
        checkpoint=place.workspace / "checkpoint.pt",
    ).fit(*loaders)
    began = time.perf_counter()
    test = splits["test"]
    written = tagger.tag(test.sentences)
    on_test = tagger.tagging.metrics(written, test.tags)
    on_validation = _measure(tagger, validation)
    measured = {
        f"{split}_{name}": round(100 * value, 2)
        for split, found in (("validation", on_validation), ("test", on_test))
        for name, value in found.items()
        if split == "test" or not name.startswith("f1_")
    }
    errors = span_errors(written, test.tags)
    return {
        **measured,
        "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
        "test_errors": dict(vars(errors)),
        "f1_curve": (100 * history["f1"]).round(2).tolist(),
        "seconds": history["seconds"].iloc[-1] + time.perf_counter() - began,
    }


def _measure(tagger: Tagger, part: Tagged) -> dict[str, float]:
    return tagger.tagging.metrics(tagger.tag(part.sentences), part.tags)


# Every contender has the same encoder, steps and step size. None was tuned.
CONFIGS: tuple[Config, ...] = tuple(
    {
        "model": name,
        "model_settings": {
            "width": 200,
            "character_width": characters,
            "crf": crf,
            "dropout": 0.5,
            "word_dropout": 0.05 if characters else 0.0,
            "min_count": 2,
        },
        "training": {"epochs": 10, "learning_rate": 0.005, "warmup_steps": 100},
    }
    for name, characters, crf in (
        ("words", 0, False),
        ("words and characters", 50, False),
        ("words, characters and CRF", 50, True),
    )
)

EXPERIMENTS = (
    Experiment(
        name="named_entities_uner",
        description="BiLSTM taggers on Universal NER English EWT: words, characters, CRF.",
        configs=CONFIGS,
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
)
