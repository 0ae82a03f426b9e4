"""The model that is alive in the page of chapter 02: it translates Atlas from English to French."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mtl_utils import atlas
from mtl_utils.arguments import check_flag, check_kind, check_whole
from mtl_utils.data import BatchLoader, BytePairTokenizer
from mtl_utils.models import MultiTaskModel, Seq2Seq
from mtl_utils.training import Trainer, TrainerConfig

VALIDATED = 300
"""Sentences of the validation split of Atlas on which a model is chosen."""


@dataclass(frozen=True)
class TranslatorSizes:
    """How much is trained, and on what.

    Args:
        sentences: Sentences of Atlas in all, of which 80% are trained on.
        epochs: Passes over these.
        vocab_size: Number of pieces of each language.
        width: Size of a state, D; even.

    Raises:
        TypeError: If one is no whole number.
        ValueError: If one is too small, or the width is odd.
    """

    sentences: int = 12_500
    epochs: int = 6
    vocab_size: int = 2000
    width: int = 96

    def __post_init__(self) -> None:
        least = {"sentences": 10, "epochs": 1, "vocab_size": 260, "width": 4}
        for name, value in vars(self).items():
            check_whole(name, value, least=least[name])
        if self.width % 2:
            raise ValueError(f"width must be even, half for each direction, got {self.width}")


def train_translator_model(
    sizes: TranslatorSizes | None = None, *, seed: int = 0, progress: bool = True
) -> Seq2Seq:
    """Train the translator of the page, some three minutes of one core.

    The weights are those of the epoch with the best BLEU of greedy search on the validation split
    of Atlas.

    Args:
        sizes: How much; the sizes of the page if ``None``.
        seed: Of the first weights, of dropout and of the order.
        progress: Whether to show a bar.

    Returns:
        The model, in evaluation mode.

    Raises:
        TypeError: If an argument is not of its kind.
        ValueError: If the seed is negative.
    """
    sizes = TranslatorSizes() if sizes is None else sizes
    check_kind("sizes", sizes, TranslatorSizes, "TranslatorSizes")
    check_whole("seed", seed, least=0)
    check_flag("progress", progress)
    train, validation = (_pairs(sizes.sentences, split) for split in ("train", "validation"))
    validation = [side[:VALIDATED] for side in validation]
    source, target = (BytePairTokenizer.train(texts, sizes.vocab_size) for texts in train)
    torch.manual_seed(seed)
    model = Seq2Seq(source, target, sizes.width, dropout=0.2, max_length=80, language="fr")
    loaders = [
        BatchLoader(model.examples(*pairs), max_tokens=2000, seed=seed)
        for pairs in (train, validation)
    ]

    def greedy_bleu(trained: MultiTaskModel) -> dict[str, float]:
        assert isinstance(trained, Seq2Seq)
        written = trained.translate(validation[0])
        return {"validation_bleu": trained.translation.metrics(written, validation[1])["bleu"]}

    config = TrainerConfig(epochs=sizes.epochs, learning_rate=1e-2, warmup_steps=50, seed=seed)
    Trainer(
        model,
        config,
        evaluate=greedy_bleu,
        metric="validation_bleu",
        mode="max",
        progress=progress,
    ).fit(*loaders)
    return model.eval()


def _pairs(sentences: int, split: str) -> list[list[str]]:
    """Return the English and the French sentences of a split."""
    rows = atlas.load(sentences)[split]["translation"]
    return [[row[language] for row in rows] for language in ("en", "fr")]
