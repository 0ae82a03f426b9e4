"""Chapter 01: n-gram against LSTM language models, on characters and on words."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor

from mtl_utils import corpora
from mtl_utils.corpora.entry import SPLITS
from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.models import LSTMLanguageModel, NGramLanguageModel
from mtl_utils.training import (
    TruncatedBPTTConfig,
    bits_per_character,
    perplexity,
    sentence_loss,
    sentence_stream,
    stream_loss,
    train_language_model,
)

Sentences = list[list[str]]
Texts = Mapping[str, str]

MULTIWORD_TAG = "_"  # of rows such as "don't", which "do" and "n't" follow
SUBSET_SEED = 0  # the subsets of a learning curve are the same for every model and seed


def uses_no_randomness(config: Config) -> bool:
    """Tell whether a configuration is one of an n-gram model, which only counts."""
    return config["model"] == "n-gram"


@functools.cache
def shakespeare() -> Texts:
    """Return the three splits of Tiny Shakespeare as strings."""
    dataset = corpora.load("tiny_shakespeare")
    return {split: "".join(dataset[split]["text"]) for split in SPLITS}


@functools.cache
def english_web_treebank() -> Mapping[str, Sentences]:
    """Return the lower-cased syntactic words of UD EWT, sentence by sentence, of each split."""
    dataset = corpora.load("universal_dependencies", "en_ewt")
    return {split: lower_cased_words(dataset[split]) for split in SPLITS}


def lower_cased_words(dataset: Dataset) -> Sentences:
    """Lower-case words and leave out the rows of multiword tokens.

    Args:
        dataset: With the columns ``tokens`` and ``upos``, the latter with label names.

    Returns:
        The words of each sentence.
    """
    multiword = dataset.features["upos"].feature.str2int(MULTIWORD_TAG)
    return [
        [token.lower() for token, tag in zip(tokens, tags, strict=True) if tag != multiword]
        for tokens, tags in zip(dataset["tokens"], dataset["upos"], strict=True)
    ]


def subset(sentences: Sequence[list[str]], fraction: float) -> Sentences:
    """Draw a share of the sentences; a smaller share is contained in every larger one."""
    generator = torch.Generator().manual_seed(SUBSET_SEED)
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return [sentences[index] for index in order[: round(fraction * len(sentences))]]


def run_characters(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model on the characters of Tiny Shakespeare and measure it.

    Args:
        config: One of :data:`CHARACTER_CONFIGS`.
        seed: Of weights and dropout; an n-gram model has none.
        place: Not needed: a run is short.

    Returns:
        Bits per character on validation and test, and the size of the model.
    """
    texts = shakespeare()
    if config["model"] == "n-gram":
        counts = NGramLanguageModel(config["order"], discounts=config["discounts"], pad=False)
        counts.fit([texts["train"]])
        bits = {
            f"{split}_bits": bits_per_character(counts.cross_entropy([texts[split]]))
            for split in SPLITS[1:]
        }
        return {**bits, "size": sum(counts.num_ngrams)}
    vocabulary = Vocabulary.from_tokens(texts["train"])
    streams = {split: torch.tensor(vocabulary.encode(texts[split])) for split in SPLITS}
    model, curve = _train(config, seed, len(vocabulary), streams["train"], streams["validation"])
    bits = {
        f"{split}_bits": bits_per_character(stream_loss(model, streams[split]))
        for split in SPLITS[1:]
    }
    curve = {
        name: [round(loss / math.log(2), 4) for loss in losses] for name, losses in curve.items()
    }
    return {**bits, "size": _num_parameters(model), **curve}


def run_words(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model on the words of EWT and measure it sentence by sentence.

    Args:
        config: One of :data:`WORD_CONFIGS`.
        seed: Of weights, dropout and the order of the sentences; an n-gram model has none.
        place: Not needed: a run is short.

    Returns:
        Perplexity on validation and test, and the size of the model.
    """
    sentences = english_web_treebank()
    # One vocabulary for every model and fraction: otherwise perplexities cannot be compared.
    words = (word for sentence in sentences["train"] for word in sentence)
    vocabulary = Vocabulary.from_tokens(words, min_count=config["min_count"])
    train = subset(sentences["train"], config["fraction"])
    if config["model"] == "n-gram":
        counts = NGramLanguageModel(
            config["order"], discounts=config["discounts"], vocabulary=vocabulary
        )
        counts.fit(train)
        measured = {
            f"{split}_perplexity": counts.perplexity(sentences[split]) for split in SPLITS[1:]
        }
        return {**measured, "size": sum(counts.num_ngrams), "vocabulary": len(vocabulary)}
    model, curve = _train(
        config,
        seed,
        len(vocabulary),
        sentence_stream(train, vocabulary, seed),
        sentence_stream(sentences["validation"], vocabulary, seed),
    )
    measured = {
        f"{split}_perplexity": perplexity(sentence_loss(model, sentences[split], vocabulary))
        for split in SPLITS[1:]
    }
    curve = {
        name: [round(perplexity(loss), 2) for loss in losses] for name, losses in curve.items()
    }
    size = {"size": _num_parameters(model), "vocabulary": len(vocabulary)}
    return {**measured, **size, **curve}


def _train(
    config: Config, seed: int, vocab_size: int, train: Tensor, validation: Tensor
) -> tuple[LSTMLanguageModel, dict[str, list[float]]]:
    torch.manual_seed(seed)
    model = LSTMLanguageModel(
        vocab_size,
        config["width"],
        config["num_layers"],
        dropout=config["dropout"],
        tie_weights=config["tie_weights"],
    )
    training = TruncatedBPTTConfig(**config["training"], seed=seed)
    history = train_language_model(model, train, validation, training)
    return model, {
        "train_curve": history["train_loss"].tolist(),
        "validation_curve": history["validation_loss"].tolist(),
    }


def _num_parameters(model: LSTMLanguageModel) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


CHARACTER_CONFIGS: tuple[Config, ...] = (
    *(
        {"model": "n-gram", "order": order, "discounts": discounts}
        for discounts in ("single", "modified")
        for order in range(1, 9)
    ),
    # Width, layers, dropout and step size were tuned by hand on the validation split.
    {
        "model": "LSTM",
        "width": 384,
        "num_layers": 1,
        "dropout": 0.2,
        "tie_weights": False,
        "training": {
            "epochs": 10,
            "batch_size": 16,
            "chunk_length": 64,
            "learning_rate": 0.005,
        },
    },
)

WORD_CONFIGS: tuple[Config, ...] = (
    *(
        {
            "model": "n-gram",
            "order": order,
            "discounts": discounts,
            "fraction": fraction,
            "min_count": 2,
        }
        for fraction in (1.0,)
        for discounts in ("single", "modified")
        for order in range(1, 6)
    ),
    # Tuned by hand on the validation split.
    *(
        {
            "model": "LSTM",
            "width": 256,
            "num_layers": 1,
            "dropout": dropout,
            "tie_weights": True,
            "training": {
                "epochs": epochs,
                "batch_size": batch_size,
                "chunk_length": 32,
                "learning_rate": learning_rate,
            },
            "fraction": fraction,
            "min_count": 2,
        }
        for fraction, epochs, batch_size, dropout, learning_rate in ((1.0, 8, 32, 0.5, 0.003),)
    ),
)

EXPERIMENTS = (
    Experiment(
        name="language_models_characters",
        description="Kneser-Ney n-grams against LSTMs on the characters of Tiny Shakespeare.",
        configs=CHARACTER_CONFIGS,
        seeds=(0, 1, 2),
        run=run_characters,
        deterministic=uses_no_randomness,
    ),
    Experiment(
        name="language_models_words",
        description="Kneser-Ney n-grams against LSTMs on the words of UD English EWT.",
        configs=WORD_CONFIGS,
        seeds=(0, 1, 2),
        run=run_words,
        deterministic=uses_no_randomness,
    ),
)
