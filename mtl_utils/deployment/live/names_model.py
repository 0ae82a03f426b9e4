"""The model that is alive in the page of chapter 03: names, found by a BiLSTM with a CRF."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import torch

from mtl_utils.arguments import check_flag, check_kind, check_probability, check_whole
from mtl_utils.data import BatchLoader, BytePairTokenizer, Example
from mtl_utils.deployment.live.names_data import (
    Sentence,
    Varied,
    english,
    example_of,
    names_to_choose,
)
from mtl_utils.models import TextModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.objectives import FixedWeights
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Tagging
from mtl_utils.training import TrainerConfig

TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
"""Tags of Universal NER."""


@dataclass(frozen=True)
class NamesSizes:
    """How much is trained, and on what.

    Args:
        versions: How often each sentence is made, each time with other names and spellings.
        epochs: How often all of these are read.
        last_epochs: How often the sentences are read after these, as they are and with their names
            alone as labels.
        last_dropout: Probability of dropping a unit then.
        vocab_size: Number of pieces.
        width: Size of a state, D; even.
        num_layers: Layers of the encoder.
        dropout: Probability of dropping a unit, before the encoder, within and after it.
        exchanged: Share of names that are exchanged for others.
        respelled: Share of words that are spelled in smaller pieces.
        parts: Weight of the parts of speech in the loss; 0 learns none.
        atlas: Sentences of Atlas from which names are taken.

    Raises:
        TypeError: If one is no number, or no whole one where it counts something.
        ValueError: If one is outside its range.
    """

    versions: int = 2
    epochs: int = 4
    last_epochs: int = 4
    last_dropout: float = 0.3
    vocab_size: int = 5000
    width: int = 160
    num_layers: int = 2
    dropout: float = 0.4
    exchanged: float = 0.4
    respelled: float = 0.2
    parts: float = 0.3
    atlas: int = 8000

    def __post_init__(self) -> None:
        least = {
            "versions": 1,
            "epochs": 1,
            "last_epochs": 1,
            "vocab_size": 260,
            "width": 2,
            "num_layers": 1,
        }
        for name, smallest in (least | {"atlas": 10}).items():
            check_whole(name, getattr(self, name), least=smallest)
        for name in ("dropout", "last_dropout", "exchanged", "respelled", "parts"):
            check_probability(name, getattr(self, name))


def train_names_model(
    sizes: NamesSizes | None = None, *, seed: int = 0, progress: bool = True
) -> TextModel:
    """Train the model of the page, three to twelve minutes of one core, in two stages.

    First it learns names and parts of speech from sentences with other names and spellings in them,
    then names alone from the sentences as they are. Each stage ends with the weights that were best
    on validation.

    Args:
        sizes: How much; the sizes of the page if ``None``.
        seed: Of the first weights, of the order, and of what is exchanged.
        progress: Whether to show a bar.

    Returns:
        The model, which has the one task ``"tags"``, in evaluation mode.

    Raises:
        TypeError: If an argument is not of its kind.
        ValueError: If the seed is negative.
    """
    sizes = NamesSizes() if sizes is None else sizes
    check_kind("sizes", sizes, NamesSizes, "NamesSizes")
    check_whole("seed", seed, least=0)
    check_flag("progress", progress)
    torch.manual_seed(seed)
    sentences = english("train")
    names = names_to_choose(sentences, sizes.atlas)
    model, tasks = _model(sizes, sentences, names)
    tokenizer = model.tokenizer
    assert isinstance(tokenizer, BytePairTokenizer)
    shares = (sizes.exchanged, sizes.respelled)
    varied = Varied(tokenizer, tasks, names, shares, random.Random(seed))
    made = [varied.example(sentence) for _ in range(sizes.versions) for sentence in sentences]
    held = [_as_it_is(tokenizer, tasks, sentence) for sentence in english("validation")]
    _fit(model, made, held, (sizes.epochs, sizes.parts, seed, progress))
    if "parts" in model.tasks:
        model.remove_task("parts")
    _drop(model, sizes.last_dropout)
    plain = [_as_it_is(tokenizer, tasks, sentence) for sentence in sentences]
    _fit(model, plain, held, (sizes.last_epochs, 0.0, seed, progress))
    return model.eval()


def _model(
    sizes: NamesSizes, sentences: list[Sentence], names: dict[str, Any]
) -> tuple[TextModel, dict[str, Tagging]]:
    """Make the model, and the tasks by name."""
    texts = [" ".join(sentence.words) for sentence in sentences]
    several = [" ".join(name) for kind in names.values() for name in kind]
    tokenizer = BytePairTokenizer.train([*texts, *several], sizes.vocab_size)
    tasks = {"tags": Tagging("tags", TAGS, crf=True, dropout=sizes.dropout, scale="token")}
    if sizes.parts:
        known = tuple(sorted({part for sentence in sentences for part in sentence.parts}))
        tasks["parts"] = Tagging("parts", known, dropout=sizes.dropout, scale="token")
    encoder = BiLSTMEncoder(tokenizer.vocab_size, sizes.width, sizes.num_layers, sizes.dropout)
    return TextModel(HardSharing(encoder), tasks.values(), tokenizer, max_length=160), tasks


def _as_it_is(
    tokenizer: BytePairTokenizer, tasks: dict[str, Tagging], sentence: Sentence
) -> Example:
    return example_of(tokenizer, {"tags": tasks["tags"]}, sentence.words, {"tags": sentence.tags})


def _fit(
    model: TextModel,
    examples: list[Example],
    held: list[Example],
    how: tuple[int, float, int, bool],
) -> None:
    """Train, and keep the weights that were best on validation."""
    epochs, parts, seed, progress = how
    weights = {"tags": 1.0, "parts": parts}
    model.fit(
        BatchLoader(examples, batch_size=32, seed=seed),
        BatchLoader(held, max_tokens=4096, shuffle=False),
        config=TrainerConfig(
            epochs=epochs, learning_rate=3e-3, warmup_steps=200, schedule="linear", seed=seed
        ),
        balancer=FixedWeights({name: weights[name] for name in model.tasks}),
        metric="tags_f1",
        progress=progress,
        shares_every=0,
    )


def _drop(model: TextModel, share: float) -> None:
    """Drop another share of units from now on."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        if isinstance(module, torch.nn.LSTM) and module.num_layers > 1:
            module.dropout = share
