"""Chapter 02: a sequence-to-sequence BiLSTM on Multi30k."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict

from mtl_utils.data import BatchLoader, BytePairTokenizer, hub
from mtl_utils.experiments.registry import Config, Experiment
from mtl_utils.models import MultiTaskModel, Seq2Seq
from mtl_utils.training import Trainer, TrainerConfig

BEAM_SIZES = (1, 2, 5, 10)
LENGTH_PENALTY = 1.0
LONGEST_TRANSLATION = 80  # pieces; the longest validation reference has fewer


@functools.cache
def multi30k() -> DatasetDict:
    """Return Multi30k, German and English."""
    return hub.load("multi30k")


def run(config: Config, seed: int, workspace: Path) -> dict[str, Any]:
    """Train one translator and measure it.

    Args:
        config: One of :data:`CONFIGS`.
        seed: Of weights, dropout and the order of batches.
        workspace: Where the checkpoint of a killed run is.

    Returns:
        BLEU and chrF on validation and test with a beam of 5, validation BLEU by beam size, the
        learning curves, the size of the model, and the seconds of all sessions.
    """
    pairs = multi30k()
    source, target = config["pair"].split("-")
    tokenizers = {
        language: BytePairTokenizer.train(
            pairs["train"][language], config["vocab_size"], lowercase=True
        )
        for language in (source, target)
    }
    torch.manual_seed(seed)
    model = Seq2Seq(
        tokenizers[source],
        tokenizers[target],
        config["width"],
        config["num_layers"],
        dropout=config["dropout"],
        smoothing=config["smoothing"],
        max_length=LONGEST_TRANSLATION,
        lowercase=True,
    )
    loaders = {
        split: BatchLoader(
            model.examples(pairs[split][source], pairs[split][target]),
            max_tokens=config["max_tokens"],
            seed=seed,
        )
        for split in ("train", "validation")
    }

    def greedy_bleu(trained: MultiTaskModel) -> dict[str, float]:
        assert isinstance(trained, Seq2Seq)
        return {"validation_bleu": _quality(trained, pairs, "validation", source, target)["bleu"]}

    history = Trainer(
        model,
        TrainerConfig(**config["training"], seed=seed),
        evaluate=greedy_bleu,
        metric="validation_bleu",
        mode="max",
        checkpoint=workspace / "checkpoint.pt",
    ).fit(loaders["train"], loaders["validation"])

    began = time.perf_counter()
    measured: dict[str, Any] = {}
    for split in ("validation", "test"):
        quality = _quality(model, pairs, split, source, target, beam_size=5)
        measured |= {f"{split}_{name}": round(value, 2) for name, value in quality.items()}
    by_beam = {
        str(beam_size): round(
            _quality(model, pairs, "validation", source, target, beam_size)["bleu"], 2
        )
        for beam_size in BEAM_SIZES
    }
    return {
        **measured,
        "size": sum(parameter.numel() for parameter in model.parameters()),
        "validation_bleu_by_beam": by_beam,
        "train_curve": history["train_loss"].round(4).tolist(),
        "validation_curve": history["validation_loss"].round(4).tolist(),
        "bleu_curve": history["validation_bleu"].round(2).tolist(),
        "seconds_curve": history["seconds"].round(1).tolist(),
        "seconds": history["seconds"].iloc[-1] + time.perf_counter() - began,
    }


def _quality(
    model: Seq2Seq,
    pairs: Mapping[str, Mapping[str, Sequence[str]]],
    split: str,
    source: str,
    target: str,
    beam_size: int = 1,
) -> dict[str, float]:
    written = model.translate(
        list(pairs[split][source]), beam_size=beam_size, length_penalty=LENGTH_PENALTY
    )
    return model.translation.metrics(written, list(pairs[split][target]))


# Width, layers, dropout, vocabulary and step size were tuned by hand on the validation split.
CONFIGS: tuple[Config, ...] = (
    {
        "pair": "de-en",
        "model": "BiLSTM with attention",
        "vocab_size": 5000,
        "width": 256,
        "num_layers": 2,
        "dropout": 0.3,
        "smoothing": 0.1,
        "max_tokens": 3000,
        "training": {
            "epochs": 10,
            "learning_rate": 0.002,
            "betas": [0.9, 0.98],
            "warmup_steps": 400,
            "schedule": "cosine",
            "checkpoint_every": 100,
        },
    },
)

EXPERIMENTS = (
    Experiment(
        name="translation_multi30k",
        description="A sequence-to-sequence BiLSTM with attention on Multi30k, German to English.",
        configs=CONFIGS,
        seeds=(0, 1, 2),
        run=run,
    ),
)
