"""Atlas for experiments with several tasks: sentences with everything that is known of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_utils import atlas
from mtl_utils.data import BytePairTokenizer, Example
from mtl_utils.models import BiLSTMFramework

CORPUS = 12_500
"""Sentences of the corpus; the training split is the 10,000 from which each run takes its own."""

NAMES = tuple(atlas.NER_TAGS)


@dataclass(frozen=True)
class Labelled:
    """Sentences with everything that is known of them.

    Args:
        words: The words of each sentence.
        tags: One IOB2 tag a word.
        french: The translations.
        pos: One part of speech a word.
        topics: One topic a sentence.
    """

    words: list[list[str]]
    tags: list[list[str]]
    french: list[str]
    pos: list[list[int]]
    topics: list[int]

    def first(self, count: int) -> Labelled:
        """Return the first sentences.

        Args:
            count: How many.
        """
        return Labelled(*(values[:count] for values in vars(self).values()))


@functools.lru_cache(maxsize=1)
def corpus(seed: int) -> Mapping[str, Labelled]:
    """Return the splits of Atlas.

    Args:
        seed: Of the corpus.
    """
    splits = {}
    for split, rows in atlas.load(CORPUS, seed=seed).items():
        splits[split] = Labelled(
            [list(words) for words in rows["tokens"]],
            [[NAMES[index] for index in tags] for tags in rows["ner_tags"]],
            [row["fr"] for row in rows["translation"]],
            [list(row) for row in rows["pos_tags"]],
            list(rows["topic"]),
        )
    return splits


@functools.lru_cache(maxsize=1)
def tokenizer(seed: int) -> BytePairTokenizer:
    """Train the tokenizer of all contenders, on the text of the whole training split.

    Args:
        seed: Of the corpus.
    """
    train = corpus(seed)["train"]
    return BiLSTMFramework.train_tokenizer(train.words, train.french, 2000)


def examples_of(model: BiLSTMFramework, part: Labelled, labels: Sequence[str]) -> list[Example]:
    """Make examples that have the labels of some tasks.

    Args:
        model: The model that will read them.
        part: The sentences.
        labels: Names of the tasks. ``"french"`` stands for the translations as texts of their own,
            label-free, for the language model.
    """
    rows = list(zip(part.words, part.tags, part.french, strict=True))
    examples = [] if labels == ["french"] else [model.example(*row) for row in rows]
    examples = [
        Example(e.input_ids, {task: e.labels[task] for task in labels if task in e.labels})
        for e in examples
    ]
    return examples + [model.text(french) for french in part.french if "french" in labels]
