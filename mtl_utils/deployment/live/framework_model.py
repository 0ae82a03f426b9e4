"""The model that is alive in the page of chapter 04: one BiLSTM tags Atlas and translates it."""

from __future__ import annotations

from typing import Any

import torch

from mtl_utils import atlas
from mtl_utils.arguments import check_flag, check_kind, check_whole
from mtl_utils.data import BatchLoader, Example
from mtl_utils.deployment.live.translator_model import VALIDATED, TranslatorSizes
from mtl_utils.deployment.live.typed_words import as_typed
from mtl_utils.models import BiLSTMFramework, MultiTaskModel
from mtl_utils.training import Trainer, TrainerConfig


def train_framework_model(
    sizes: TranslatorSizes | None = None, *, seed: int = 0, progress: bool = True
) -> BiLSTMFramework:
    """Train the model of the page, some three minutes of one core.

    The weights are those of the epoch with the best mean of F1 and BLEU of greedy search on the
    validation split of Atlas. The third task of the chapter, continuing a text, is left out: the
    page does not show it.

    Args:
        sizes: How much; the sizes of the page if ``None``. The pieces are those of both languages.
        seed: Of the first weights, of dropout and of the order.
        progress: Whether to show a bar.

    Returns:
        The model, in evaluation mode.

    Raises:
        TypeError: If an argument is not of its kind.
        ValueError: If the seed is negative.
    """
    sizes = TranslatorSizes(vocab_size=3000) if sizes is None else sizes
    check_kind("sizes", sizes, TranslatorSizes, "TranslatorSizes")
    check_whole("seed", seed, least=0)
    check_flag("progress", progress)
    corpus = atlas.load(sizes.sentences)
    train, validation = (typed_rows(corpus[split]) for split in ("train", "validation"))
    validation = validation[:VALIDATED]
    words, french = ([row[name] for row in train] for name in ("words", "translation"))
    tokenizer = BiLSTMFramework.train_tokenizer(words, french, sizes.vocab_size)
    torch.manual_seed(seed)
    model = BiLSTMFramework(
        tokenizer,
        atlas.NER_TAGS,
        sizes.width,
        max_length=80,
        tasks=("tags", "translation"),
        target_language="fr",
    )
    loaders = [
        BatchLoader(_examples(model, rows), max_tokens=2000, seed=seed)
        for rows in (train, validation)
    ]

    def measure(trained: MultiTaskModel) -> dict[str, float]:
        assert isinstance(trained, BiLSTMFramework)
        texts = [row["words"] for row in validation]
        tags, written = trained.tag(texts), trained.translate(texts)
        f1 = 100 * trained.tagging.metrics(tags, [row["tags"] for row in validation])["f1"]
        wanted = [row["translation"] for row in validation]
        bleu = trained.translation.metrics(written, wanted)["bleu"]
        return {"tags_f1": f1, "bleu": bleu, "mean": (f1 + bleu) / 2}

    config = TrainerConfig(epochs=sizes.epochs, learning_rate=1e-2, warmup_steps=50, seed=seed)
    Trainer(model, config, evaluate=measure, metric="mean", mode="max", progress=progress).fit(
        *loaders
    )
    return model.eval()


def typed_rows(rows: Any) -> list[dict[str, Any]]:
    """Return sentences with words and tags as those that a reader types are split.

    Args:
        rows: Rows of Atlas.
    """
    found = []
    for row in rows:
        named = [atlas.NER_TAGS[tag] for tag in row["ner_tags"]]
        words, tags = as_typed(row["text"], row["tokens"], named)
        found.append({"words": words, "tags": tags, "translation": row["translation"]["fr"]})
    return found


def _examples(model: BiLSTMFramework, rows: list[dict[str, Any]]) -> list[Example]:
    return [model.example(row["words"], row["tags"], row["translation"]) for row in rows]
