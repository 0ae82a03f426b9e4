"""Small text models of two or three tasks and rows for them, for the tests of this folder."""

from __future__ import annotations

import copy
from typing import Any

import torch

from mtl_utils.data import BatchLoader, BytePairTokenizer, Example
from mtl_utils.models import TextModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.sharing import (
    BranchedSharing,
    HardSharing,
    HierarchicalSharing,
    MMoE,
    SoftSharing,
    TaskAdapters,
    TaskLoRA,
)
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import TrainerConfig

PIECES = BytePairTokenizer.train(["we see a sea", "a bee", "bees see"], 270)
TOPIC = Classification("topic", ("x", "y"), "mean")
EVENT = Classification("event", ("plays", "quits", "rests"), "mean")
NAMES = Tagging("names", ("O", "B-A", "I-A"))
TEXTS = ["we see", "a sea", "bees see a sea", "bee", "we see bees"]
TOPICS = [{"text": text, "label": "xy"[n % 2]} for n, text in enumerate(TEXTS)]
EVENTS = [{"text": text, "label": EVENT.labels[n % 3]} for n, text in enumerate(TEXTS)]
SENTENCES = [
    {"tokens": text.split(), "tags": ["B-A", *["O"] * (len(text.split()) - 1)]} for text in TEXTS
]
ROWS = {"topic": TOPICS, "event": EVENTS, "names": SENTENCES}


def config(**settings: Any) -> TrainerConfig:
    return TrainerConfig(**{"epochs": 2, "learning_rate": 0.05, "schedule": "constant", **settings})


def encoder(**settings: Any) -> TransformerEncoder:
    """Make a Transformer, whose first steps cost less than those of an LSTM."""
    sizes = {"width": 4, "num_layers": 2, "num_heads": 2, "feedforward_width": 6, "dropout": 0.0}
    return TransformerEncoder(PIECES.vocab_size, **{**sizes, **settings})


def hard(*tasks: Any, seed: int = 0, **settings: Any) -> TextModel:
    torch.manual_seed(seed)
    return TextModel(HardSharing(encoder(**settings)), tasks or (TOPIC, NAMES), PIECES).eval()


#: Ways of sharing with parts for each of two tasks, and what a third needs of one's own.
GROWING: dict[str, Any] = {
    "hard": (lambda names: HardSharing(encoder()), None),
    "adapters": (lambda names: TaskAdapters(encoder(), names, 3), None),
    "LoRA": (lambda names: TaskLoRA(encoder(), names, 2), None),
    "MMoE": (lambda names: MMoE.from_encoder(encoder(), names, 3), None),
    "branched": (
        lambda names: BranchedSharing.from_encoder(encoder(), names, 1),
        lambda model: copy.deepcopy(model.sharing.branches["topic"]),
    ),
    "soft": (
        lambda names: SoftSharing({name: encoder() for name in names}, ["stack"]),
        lambda model: encoder(),
    ),
    "hierarchical": (
        lambda names: HierarchicalSharing(encoder(), {name: 1 + n for n, name in enumerate(names)}),
        lambda model: 2,
    ),
}


def made(family: str) -> TextModel:
    torch.manual_seed(0)
    sharing = GROWING[family][0](["topic", "names"])
    return TextModel(sharing, (TOPIC, NAMES), PIECES).eval()


def part_for(family: str, model: TextModel) -> Any:
    make = GROWING[family][1]
    return None if make is None else make(model)


def loader(rows: list[Example], **settings: Any) -> BatchLoader:
    return BatchLoader(rows, **{"batch_size": 2, "shuffle": False, **settings})


def fitted(model: TextModel, *tasks: str, **settings: Any) -> TextModel:
    """Train a model on the rows of some tasks."""
    data = {task: ROWS[task] for task in tasks}
    model.fit(data, config=config(**settings), progress=False, batch_size=5)
    return model
