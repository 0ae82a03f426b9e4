"""The model that is alive in the page of chapter 06: three tasks of Atlas on one encoder."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mtl_utils import atlas
from mtl_utils.arguments import check_flag, check_kind, check_whole
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.examples import Example
from mtl_utils.deployment.live.typed_words import as_typed
from mtl_utils.models import MultiTaskTransformer
from mtl_utils.objectives import FixedWeights
from mtl_utils.training import Trainer, TrainerConfig

Words = list[str]

TASKS = ("classification", "tags", "inference")
_WEIGHTS = {"classification": 1.0, "tags": 1.0, "inference": 3.0}
_SHARE = 0.3
_STARTS = ("b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "w", "br", "st", "th")
_ENDS = ("", "d", "n", "r", "s", "t", "ed", "er", "ing", "ly", "ns", "rs")


@dataclass(frozen=True)
class AtlasSizes:
    """How much is trained, and on what.

    Args:
        pairs: Pairs of Atlas, with all three labels.
        sentences: Sentences of Atlas without a second one: a reader may type one alone.
        steps: Steps of 32 texts.
        strange_steps: Steps after these, in which single sentences have words that do not exist:
            otherwise every word that Atlas has not is taken for a name.
        vocab_size: Number of pieces.
        width: Size of a state, D.

    Raises:
        TypeError: If one is no whole number.
        ValueError: If one is too small.
    """

    pairs: int = 40_000
    sentences: int = 15_000
    steps: int = 2400
    strange_steps: int = 500
    vocab_size: int = 3000
    width: int = 96

    def __post_init__(self) -> None:
        least = {"pairs": 10, "sentences": 10, "steps": 1, "strange_steps": 1}
        least |= {"vocab_size": 260, "width": 4}
        for name, value in vars(self).items():
            check_whole(name, value, least=least[name])


def train_atlas_model(
    sizes: AtlasSizes | None = None, *, seed: int = 0, progress: bool = True
) -> MultiTaskTransformer:
    """Train the model of the page, some five minutes of one core.

    Args:
        sizes: How much; the sizes of the page if ``None``.
        seed: Of the first weights and of the order.
        progress: Whether to show a bar.

    Returns:
        The model, in evaluation mode.

    Raises:
        TypeError: If an argument is not of its kind.
        ValueError: If the seed is negative.
    """
    sizes = AtlasSizes() if sizes is None else sizes
    check_kind("sizes", sizes, AtlasSizes, "AtlasSizes")
    check_whole("seed", seed, least=0)
    check_flag("progress", progress)
    return train_on_tasks(TASKS, sizes, seed, progress)


def train_on_tasks(
    tasks: Sequence[str], sizes: AtlasSizes, seed: int, progress: bool
) -> MultiTaskTransformer:
    """Train a model on the labels of some tasks, the same texts in the same order.

    Args:
        tasks: Names of the tasks; heads of others are taken off, their labels not read.
        sizes: How much.
        seed: Of the first weights and of the order.
        progress: Whether to show a bar.

    Returns:
        The model, in evaluation mode.
    """
    torch.manual_seed(seed)
    pairs = atlas.load_inference(sizes.pairs, paraphrase=0.5)["train"]
    single = atlas.load(sizes.sentences)["train"]
    model = MultiTaskTransformer.from_texts(
        [*pairs["premise"], *pairs["hypothesis"], *single["text"]],
        atlas.TOPICS,
        atlas.NER_TAGS,
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.width,
        num_layers=2,
        num_heads=4,
        feedforward_width=2 * sizes.width,
        token_dropout=0.05,
        max_length=160,
        crf=True,
        pair_pooling="align",
        dropout=0.05,
    )
    for name in set(TASKS) - set(tasks):
        model.remove_task(name)
    of_pairs = list(_examples(model, pairs))
    _train(model, [*of_pairs, *_examples(model, single)], sizes.steps, 1e-3, seed, progress)
    return go_on_with_strange_words(model, of_pairs, single, sizes.strange_steps, seed, progress)


def go_on_with_strange_words(
    model: MultiTaskTransformer,
    of_pairs: list[Example],
    single: Any,
    steps: int,
    seed: int,
    progress: bool,
) -> MultiTaskTransformer:
    """Train on, with words in single sentences that do not exist and are no names.

    Args:
        model: Changed in place.
        of_pairs: Pairs, as many of which are read as there are single sentences.
        single: Rows of single sentences.
        steps: Steps of 32 texts.
        seed: Of the words and of the order.
        progress: Whether to show a bar.

    Returns:
        The model, in evaluation mode.
    """
    strange = _examples(model, single, random.Random(seed))
    _train(model, [*of_pairs[: len(single)], *strange], steps, 5e-4, seed, progress)
    return model.eval()


def _train(
    model: MultiTaskTransformer,
    examples: list[Example],
    steps: int,
    rate: float,
    seed: int,
    progress: bool,
) -> None:
    loader = BatchLoader(examples, batch_size=32, seed=seed)
    config = TrainerConfig(
        epochs=steps,
        max_steps=steps,
        learning_rate=rate,
        warmup_steps=min(200, steps // 5),
        schedule="linear",
        seed=seed,
    )
    weights = FixedWeights({name: _WEIGHTS[name] for name in model.tasks})
    Trainer(model, config, balancer=weights, progress=progress).fit(loader)


def _examples(
    model: MultiTaskTransformer, rows: Any, strange: random.Random | None = None
) -> Iterator[Example]:
    """Turn rows of Atlas into ids, their words split as those that readers type."""
    for row in rows:
        text = row["premise"] if "premise" in row else row["text"]
        named = [atlas.NER_TAGS[tag] for tag in row["ner_tags"]]
        words, tags = as_typed(text, row["tokens"], named)
        if strange is not None:
            words = with_strange_words(words, tags, strange)
        known = {"classification": row["topic"], "tags": tags, "inference": row.get("label")}
        labels: dict[str, Any] = {name: known[name] for name in model.tasks}
        yield model.example(words, row.get("hypothesis"), truncate=True, **labels)


def with_strange_words(words: Words, tags: list[str], draw: random.Random) -> Words:
    """Replace about a third of the words that are part of no name by some that do not exist.

    Args:
        words: A sentence.
        tags: In IOB2, one a word.
        draw: Draws which, and their letters.

    Returns:
        The sentence; a word that began with a capital letter still does.
    """
    found = []
    for word, tag in zip(words, tags, strict=True):
        if tag != "O" or not word.isalpha() or draw.random() > _SHARE:
            found.append(word)
            continue
        made = "".join(
            draw.choice(_STARTS) + draw.choice("aeiou") for _ in range(draw.randint(1, 3))
        ) + draw.choice(_ENDS)
        found.append(made.capitalize() if word[0].isupper() else made)
    return found
