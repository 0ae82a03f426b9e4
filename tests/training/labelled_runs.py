"""A run of three tasks of the package, every setting of which can be changed, for test modules."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tiny_training import Stopped
from torch import Tensor

from mtl_utils.data import BatchLoader, Example
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.objectives import FixedWeights
from mtl_utils.sharing import HardSharing, SharedPrivate, SoftSharing
from mtl_utils.tasks import Classification, PairClassification, Tagging
from mtl_utils.training import AlternatingBatches, JointBatches, Trainer, TrainerConfig

VOCABULARY, WIDTH, ROWS = 12, 8, 9
TAGS, TOPICS, RELATIONS = ("O", "B-X", "I-X"), ("a", "b", "c"), ("yes", "no")
THRESHOLD = 0.5


def examples(seed: int = 0, rows: int = ROWS) -> list[Example]:
    """Return rows with labels of all three tasks."""
    draw = random.Random(seed)
    found = []
    for _ in range(rows):
        length = draw.randint(3, 6)
        ids = [draw.randrange(VOCABULARY) for _ in range(length)]
        labels = {
            "tags": [draw.choice((0, 1)) for _ in range(length)],
            "topic": draw.randrange(3),
            "relation": draw.randrange(2),
        }
        found.append(Example(ids, labels, segment_ids=[0, *[1] * (length - 1)]))
    return found


def relabelled(place: int = -1) -> list[Example]:
    """Return the rows with one label corrected."""
    rows = examples()
    topic = (rows[place].labels["topic"] + 1) % 3
    rows[place] = replace(rows[place], labels={**rows[place].labels, "topic": topic})
    return rows


def loader(rows: list[Example] | None = None, **settings: Any) -> BatchLoader:
    """Return batches of two."""
    return BatchLoader(examples() if rows is None else rows, **{"batch_size": 2, **settings})


def only(task: str, rows: list[Example] | None = None, **settings: Any) -> BatchLoader:
    """Return the batches of one task."""
    kept = [
        replace(row, labels={task: row.labels[task]})
        for row in (examples() if rows is None else rows)
    ]
    return loader(kept, **settings)


def joint(**settings: Any) -> JointBatches:
    """Return batches of two data sets at once."""
    return JointBatches([only("tags"), only("topic", examples(1, 4))], **settings)


def alternating(*parts: BatchLoader, **settings: Any) -> AlternatingBatches:
    """Return batches of two data sets in turn."""
    return AlternatingBatches(parts or [only("tags"), only("topic", examples(1, 4))], **settings)


def tasks(**settings: Mapping[str, Any]) -> list[Any]:
    """Return the tasks; settings by task."""
    return [
        Tagging("tags", **{"labels": TAGS, **settings.get("tags", {})}),
        Classification("topic", **{"labels": TOPICS, **settings.get("topic", {})}),
        PairClassification("relation", **{"labels": RELATIONS, **settings.get("relation", {})}),
    ]


def encoder(**settings: Any) -> TransformerEncoder:
    """Return a small encoder."""
    return TransformerEncoder(
        VOCABULARY, WIDTH, **{"num_layers": 1, "num_heads": 2, "max_length": 10, **settings}
    )


def hard(**settings: Any) -> HardSharing:
    """Return the usual way of sharing."""
    return HardSharing(encoder(**settings))


def soft(**settings: Any) -> SoftSharing:
    """Return an encoder a task."""
    encoders = {task.name: encoder() for task in tasks()}
    return SoftSharing(encoders, ["embedding"], **settings)


def shared_private(**settings: Any) -> SharedPrivate:
    """Return a shared encoder and private ones."""
    return SharedPrivate(encoder(), {task.name: encoder() for task in tasks()}, **settings)


def model(
    seed: int = 1,
    sharing: Callable[[], Any] = hard,
    given: list[Any] | None = None,
    change: Callable[[MultiTaskModel], None] | None = None,
) -> MultiTaskModel:
    """Return a new model; the last word on it has ``change``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = MultiTaskModel(sharing(), tasks() if given is None else given)
        if change is not None:
            change(made)
        return made


def scores(rows: list[Example], threshold: float = THRESHOLD) -> Callable[[Any], dict[str, float]]:
    """Return a function that scores with a threshold on some rows."""

    def evaluate(trained: MultiTaskModel) -> dict[str, float]:
        found = trained.evaluate(rows)
        return {"passed": float(found["topic_accuracy"] > threshold), **found}

    return evaluate


def score_above(trained: MultiTaskModel, threshold: float = 0.5) -> dict[str, float]:
    """Score with a setting."""
    return {"score": float(next(trained.parameters()).sum() > threshold)}


class Scorer:
    """An object that scores."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def __call__(self, trained: MultiTaskModel) -> dict[str, float]:
        return score_above(trained, self.threshold)

    def score(self, trained: MultiTaskModel) -> dict[str, float]:
        return self(trained)


def partial(**settings: Any) -> Any:
    """Return the function that scores, with a setting bound."""
    return functools.partial(score_above, **settings)


class Cut:
    """Ends the session after so many steps."""

    def __init__(self, whole: Any, steps: int) -> None:
        self.whole, self.left, self.num_batches = whole, steps, whole.num_batches

    def digest(self) -> Any:
        return self.whole.digest()

    def batches(self, *position: int) -> Iterator[Any]:
        for batch in self.whole.batches(*position):
            if self.left == 0:
                raise Stopped
            self.left -= 1
            yield batch


#: What a run is made of; each entry makes it anew, as running a script again does.
PIECES: dict[str, Callable[[], Any]] = {
    "model": model,
    "train": loader,
    "validation": lambda: loader(examples(7, 4), shuffle=False),
    "balancer": lambda: FixedWeights({"tags": 1.0, "topic": 1.0, "relation": 0.5}),
    "evaluate": lambda: scores(examples(8, 4)),
}


def run(path: Path | None, **changes: Any) -> tuple[dict[str, Tensor], pd.DataFrame]:
    """Train or go on; return weights and history.

    Args:
        path: The checkpoint.
        changes: Other pieces, each something that makes it, or settings of the trainer or of its
            configuration.
    """
    pieces = {name: changes.pop(name, make)() for name, make in PIECES.items()}
    groups = changes.pop("groups", None)
    settings = {
        name: changes.pop(name) for name in ("metric", "mode", "on_other_run") if name in changes
    }
    trained = pieces["model"]
    trainer = Trainer(
        trained,
        TrainerConfig(**{"epochs": 2, "learning_rate": 0.02, **changes}),
        balancer=pieces["balancer"],
        evaluate=pieces["evaluate"],
        parameter_groups=None if groups is None else groups(trained),
        checkpoint=path,
        progress=False,
        **settings,
    )
    history = trainer.fit(pieces["train"], pieces["validation"])
    weights = {name: copy.deepcopy(weight) for name, weight in trained.state_dict().items()}
    return weights, history.drop(columns="seconds")
