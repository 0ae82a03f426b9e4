"""Chapter 04: does label smoothing make a model's confidence more honest (Müller et al., 2019)?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mtl_utils.data import BatchLoader
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.settings_read import reads
from mtl_utils.experiments.unit_training import OF_TEXTS, Prepared, Trained, train_unit
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.tasks import calibration
from mtl_utils.training import calibrate

BINS = 15
"""Of the calibration error, as in Guo et al. (2017)."""

_BILSTM: dict[str, Any] = {
    "encoder": {"kind": "bilstm", "width": 64, "num_layers": 1, "dropout": 0.2},
    "sharing": {"kind": "hard"},
    "vocab_size": 4000,
    "head_dropout": 0.1,
    "scale": "text",
    "max_validation": 600,
    "steps": 1000,
    "validations": 5,
    "training": {"learning_rate": 0.01, "warmup_steps": 50, "schedule": "linear"},
}
SCORES = {"question": "question_accuracy", "entities": "entities_f1"}
SETTINGS: dict[str, Config] = {
    "TREC": {**_BILSTM, "data": [["trec", None, 16]], "tasks": ["question"]},
    "UNER": {**_BILSTM, "data": [["uner_ud/entities", 4000, 16]], "tasks": ["entities"]},
}
"""A class per text, and a tag per word; neither task has another beside it."""

HARD, SMOOTHINGS = "hard labels", (0.05, 0.1, 0.2)


def smoothed(share: float) -> str:
    """Name the contender of a smoothing.

    Args:
        share: Of the target that is spread over all classes.
    """
    return f"smoothing {share:g}"


@reads(OF_TEXTS)
def train_and_calibrate(
    settings: Config,
    unit: Unit,
    seed: int,
    workspace: Path,
    reference: Mapping[str, float] | None = None,
    test: bool = True,
) -> Trained:
    """Train a model for one task and say how honest its confidence is.

    Args:
        settings: As :func:`unit_training.train_unit` takes them.
        unit: Its one task.
        seed: Of everything.
        workspace: Where the checkpoint is.
        reference: By task the score that counts as 1.
        test: Whether to measure on test data.

    Returns:
        As :func:`unit_training.train_unit`, and among the metrics ``ece``, the expected calibration
        error on test, and ``ece_scaled``, that after scores were divided by the temperature that
        suits the validation rows (Guo et al., 2017).

    Raises:
        ValueError: If there are settings that nothing reads.
    """
    kept: list[Prepared] = []

    def keep(made: Prepared) -> tuple[()]:
        kept.append(made)
        return ()

    trained = train_unit(settings, unit, seed, workspace, reference, test, watch=keep)
    if not test:
        return trained
    (made,), (task,) = kept, unit.judged
    (validation,), (held_out,) = made.loaders("validation"), made.loaders("test")
    found = {"ece": calibration_error(made.model, task, held_out)}
    calibrate(made.model, validation, [task])
    found["ece_scaled"] = calibration_error(made.model, task, held_out)
    return replace(trained, metrics={task: {**trained.metrics[task], **found}})


def calibration_error(model: MultiTaskModel, task: str, loader: BatchLoader) -> float:
    """Return the expected calibration error of a task, over texts or over tagged words.

    Args:
        model: The model; the temperature of its head counts.
        task: Name of a task that gives one label a text or a token, without a CRF.
        loader: The rows.
    """
    head, probabilities, targets = model.head(task), [], []
    with torch.no_grad(), evaluation_mode(model):
        for batch in loader.once():
            outputs = head(model.sharing(batch, [task]).hidden[task], batch)
            scores = head.tempered(outputs).softmax(dim=-1)  # type: ignore[operator]
            probabilities.append(scores.flatten(end_dim=-2))
            targets.append(batch.labels[task].flatten())
    return calibration(torch.cat(probabilities), torch.cat(targets), BINS).expected_error


def _contrasts(task: str) -> tuple[Contrast, ...]:
    errors = [Contrast(smoothed(share), HARD, f"{task}_ece") for share in SMOOTHINGS]
    score = Contrast(smoothed(0.1), HARD, SCORES[task])
    return (*errors, Contrast(smoothed(0.1), HARD, f"{task}_ece_scaled"), score)


COMPARISON = Comparison(
    name="label_smoothing",
    description="Calibration of a classifier and a tagger by how much their labels are smoothed.",
    settings=SETTINGS,
    contenders=(
        Contender(HARD, "apart", settings={"smoothing": 0.0}),
        *(
            Contender(smoothed(share), "apart", settings={"smoothing": share})
            for share in SMOOTHINGS
        ),
    ),
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={name: _contrasts(*config["tasks"]) for name, config in SETTINGS.items()},
    reference=HARD,
    train=train_and_calibrate,
    priority=14,
    minutes=0.6,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
