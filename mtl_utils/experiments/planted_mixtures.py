"""Mixtures of tasks on Atlas of which it is known what is wrong with them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mtl_utils import atlas
from mtl_utils.data import Example, Vocabulary
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.objectives import FixedWeights
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging, Task

CHUNK_TAGS = ("O", "B-NAME", "I-NAME")
WORD_CLASSES = ("content", "function", "other")
_CONTENT = {"NOUN", "VERB", "ADJ", "ADV", "PROPN"}
_OTHER = {"PUNCT", "SYM", "X", "NUM"}

COLUMNS = {"event": "event", "topic": "topic", "entities": "ner_tags", "pos": "pos_tags"}
"""Tasks that are columns of Atlas. Two more are made of them: ``chunks``, entities without their
types, and ``classes`` of words, parts of speech in three lots."""

NOISE, FAINT_WEIGHT, FEW_STEPS, NARROW, MANY_STEPS = 0.4, 0.01, 6, 4, 2
"""What is planted: a share of wrong labels, a weight, a divisor of the steps, and a width with a
factor of the steps."""


@dataclass(frozen=True)
class Mixture:
    """Two tasks on the same sentences, and what is wrong with them.

    Args:
        tasks: The two; see :data:`COLUMNS`.
        cause: What is planted, one of :data:`mtl_utils.diagnosis.CAUSES`, or anything
            else for nothing.
        planted_in: Which of the tasks has the noise, or the faint loss.
        rows: Training sentences.
        labelled: Share of them that the first task has labels of; the second has all.
        width: Of the encoder, unless that is what is planted.
        steps: Of the training, likewise.
        corpus: Seed of the corpus and of the weights.
    """

    tasks: tuple[str, str]
    cause: str
    planted_in: int
    rows: int
    labelled: float
    width: int
    steps: int
    corpus: int


@dataclass(frozen=True)
class Planted:
    """A mixture that can be trained.

    Attributes:
        model: The model, untrained.
        train: Training examples.
        validation: Validation examples, with the right labels.
        balancer: Weights of the losses.
        steps: Of the training.
    """

    model: MultiTaskModel
    train: list[Example]
    validation: list[Example]
    balancer: FixedWeights
    steps: int


def plant(mixture: Mixture) -> Planted:
    """Make a mixture.

    Args:
        mixture: Which.
    """
    unrelated = mixture.cause == "unrelated task" and "topic" in mixture.tasks
    size = mixture.rows * 5 // 4 + 400  # 10% of the corpus is validation, another 10% is added
    clean = _labels(size, mixture.corpus, 0.0, 0.0 if unrelated else 1.0)
    noisy = clean
    if mixture.cause == "label noise":
        noisy = _labels(size, mixture.corpus, NOISE, 1.0)
    of_noise = mixture.tasks[mixture.planted_in]
    vocabulary = Vocabulary.from_tokens(itertools.chain.from_iterable(clean["train"]["tokens"]))
    first, second = mixture.tasks
    train = []
    for place in range(mixture.rows):
        names = [first, second] if place < mixture.labelled * mixture.rows else [second]
        source = {t: (noisy if t == of_noise else clean)["train"][t][place] for t in names}
        train.append(Example(vocabulary.encode(clean["train"]["tokens"][place]), source))
    validation = [
        Example(vocabulary.encode(words), {t: clean[split][t][place] for t in mixture.tasks})
        for split in ("validation", "test")
        for place, words in enumerate(clean[split]["tokens"])
    ][:120]
    width = NARROW if mixture.cause == "too little width" else mixture.width
    torch.manual_seed(mixture.corpus)
    encoder = BiLSTMEncoder(len(vocabulary), width, dropout=0.1)
    model = MultiTaskModel(HardSharing(encoder), [_task(t, clean) for t in mixture.tasks])
    weights = dict.fromkeys(mixture.tasks, 1.0)
    if mixture.cause == "drowned loss":
        weights[of_noise] = FAINT_WEIGHT
    steps = mixture.steps
    if mixture.cause == "under-training":
        steps //= FEW_STEPS
    if mixture.cause == "too little width":
        steps *= MANY_STEPS  # what it cannot learn is then not what it had no time for
    return Planted(model, train, validation, FixedWeights(weights), steps)


@functools.lru_cache(maxsize=4)
def _labels(size: int, seed: int, noise: float, relatedness: float) -> dict[str, Any]:
    splits = atlas.load(size, seed=seed, noise=noise, relatedness=relatedness)
    found: dict[str, Any] = {"events": splits["train"].features["event"].names}
    for split, rows in splits.items():
        columns: dict[str, Any] = {task: list(rows[column]) for task, column in COLUMNS.items()}
        columns["tokens"] = list(rows["tokens"])
        columns["chunks"] = [_chunks(tags) for tags in columns["entities"]]
        columns["classes"] = [[_word_class(tag) for tag in tags] for tags in columns["pos"]]
        found[str(split)] = columns
    return found


def _chunks(tags: Sequence[int]) -> list[int]:
    return ["OBI".index(atlas.NER_TAGS[tag][0]) for tag in tags]


def _word_class(tag: int) -> int:
    name = atlas.POS_TAGS[tag]
    return 0 if name in _CONTENT else 2 if name in _OTHER else 1


def _task(name: str, labels: dict[str, Any]) -> Task:
    # A task that has learnt nothing costs 1, so that none is louder than others to begin with.
    if name in ("event", "topic"):
        names = labels["events"] if name == "event" else atlas.TOPICS
        return Classification(name, names, pooling="mean", scale="uniform")
    tags = {
        "entities": atlas.NER_TAGS,
        "pos": atlas.POS_TAGS,
        "chunks": CHUNK_TAGS,
        "classes": WORD_CLASSES,
    }[name]
    scheme = "plain" if name in ("pos", "classes") else "iob2"
    return Tagging(name, tags, scheme=scheme, scale="uniform")
