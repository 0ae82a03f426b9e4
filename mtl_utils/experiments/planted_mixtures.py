"""Mixtures of tasks on Atlas of which it is known what is wrong with them."""

from __future__ import annotations

import functools
import itertools
import random
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
PLACE_TAGS = ("O", "B-PLACE", "I-PLACE")
PERSON_TAGS = ("O", "B-PER", "I-PER")
WORD_CLASSES = ("content", "function", "other")
_CONTENT = {"NOUN", "VERB", "ADJ", "ADV", "PROPN"}
_OTHER = {"PUNCT", "SYM", "X", "NUM"}

TAGS = {
    "entities": atlas.NER_TAGS,
    "pos": atlas.POS_TAGS,
    "chunks": CHUNK_TAGS,
    "places": PLACE_TAGS,
    "people": PERSON_TAGS,
    "classes": WORD_CLASSES,
}
"""Labels of the tasks that have one for each word."""

COLUMNS = {"event": "event", "topic": "topic", "entities": "ner_tags", "pos": "pos_tags"}
"""Tasks that are columns of Atlas. Four more are made of them: ``chunks``, entities without their
types, ``places`` and ``people``, which names are of such, and ``classes`` of words,
parts of speech in three lots."""

NOISE, FAINT_WEIGHT, FEW_STEPS, NARROW, MANY_STEPS = 0.5, 0.01, 6, 4, 2
"""What is planted: a share of wrong labels, a weight, a divisor of the steps, and a width with a
factor of the steps."""


MEASURED = 120
"""Sentences of the same kind as those of the training, with the right labels, to measure on."""


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
    # Atlas' own validation split has names that training never sees: it is harder, and would hide
    # that labels are wrong. 80% of a corpus are training sentences.
    size = (mixture.rows + MEASURED) * 5 // 4 + 10
    clean = _labels(size, mixture.corpus, 0.0 if unrelated else 1.0)
    of_cause = mixture.tasks[mixture.planted_in]
    given = clean["train"]
    if mixture.cause == "label noise":
        given = {
            **given,
            of_cause: _wrong(given[of_cause], len(clean["names"][of_cause]), mixture.corpus),
        }
    vocabulary = Vocabulary.from_tokens(itertools.chain.from_iterable(clean["train"]["tokens"]))
    first, second = mixture.tasks
    train = []
    for place in range(mixture.rows):
        names = [first, second] if place < mixture.labelled * mixture.rows else [second]
        source = {task: given[task][place] for task in names}
        train.append(Example(vocabulary.encode(clean["train"]["tokens"][place]), source))
    sentences, chosen = clean["train"], range(mixture.rows, mixture.rows + MEASURED)
    validation = [
        Example(
            vocabulary.encode(sentences["tokens"][n]), {t: sentences[t][n] for t in mixture.tasks}
        )
        for n in chosen
    ]
    width = NARROW if mixture.cause == "too little width" else mixture.width
    torch.manual_seed(mixture.corpus)
    encoder = BiLSTMEncoder(len(vocabulary), width, dropout=0.1)
    model = MultiTaskModel(HardSharing(encoder), [_task(t, clean) for t in mixture.tasks])
    weights = dict.fromkeys(mixture.tasks, 1.0)
    if mixture.cause == "drowned loss":
        weights[of_cause] = FAINT_WEIGHT
    steps = mixture.steps
    if mixture.cause == "under-training":
        steps //= FEW_STEPS
    if mixture.cause == "too little width":
        steps *= MANY_STEPS  # what it cannot learn is then not what it had no time for
    return Planted(model, train, validation, FixedWeights(weights), steps)


@functools.lru_cache(maxsize=4)
def _labels(size: int, seed: int, relatedness: float) -> dict[str, Any]:
    splits = atlas.load(size, seed=seed, relatedness=relatedness)
    names = {"event": splits["train"].features["event"].names, "topic": atlas.TOPICS}
    found: dict[str, Any] = {"names": names | TAGS}
    for split, rows in splits.items():
        columns: dict[str, Any] = {task: list(rows[column]) for task, column in COLUMNS.items()}
        columns["tokens"] = list(rows["tokens"])
        columns["chunks"] = [_chunks(tags) for tags in columns["entities"]]
        columns["places"] = [_only(tags, ("GPE", "LOC")) for tags in columns["entities"]]
        columns["people"] = [_only(tags, ("PER",)) for tags in columns["entities"]]
        columns["classes"] = [[_word_class(tag) for tag in tags] for tags in columns["pos"]]
        found[str(split)] = columns
    return found


def _wrong(rows: Sequence[Any], num_labels: int, seed: int) -> list[Any]:
    """Make labels wrong, each by itself, also each of the tags of a sentence.

    Atlas' own noise overlooks half of the entities that it spoils. That makes sentences easier for
    a model that seldom sees an entity, so that this noise is another one.
    """
    generator = random.Random(f"{seed}-wrong")

    def wrong(label: int) -> int:
        if generator.random() >= NOISE:
            return label
        return (label + generator.randrange(1, num_labels)) % num_labels

    return [[wrong(tag) for tag in row] if isinstance(row, list) else wrong(row) for row in rows]


def _chunks(tags: Sequence[int]) -> list[int]:
    return ["OBI".index(atlas.NER_TAGS[tag][0]) for tag in tags]


def _only(tags: Sequence[int], kinds: Sequence[str]) -> list[int]:
    names = [atlas.NER_TAGS[tag] for tag in tags]
    return ["OBI".index(name[0]) if name[2:] in kinds else 0 for name in names]


def _word_class(tag: int) -> int:
    name = atlas.POS_TAGS[tag]
    return 0 if name in _CONTENT else 2 if name in _OTHER else 1


def _task(name: str, labels: dict[str, Any]) -> Task:
    # A task that has learnt nothing costs 1, so that none is louder than others to begin with.
    names = labels["names"][name]
    if name not in TAGS:
        return Classification(name, names, pooling="mean", scale="uniform")
    if name in ("pos", "classes"):
        return Tagging(name, names, scheme="plain", scale="uniform")
    return Tagging(name, names, scheme="iob2", scale="uniform")
