"""Training one unit of the first system on Atlas: some of tags, translation and language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from mtl_utils.data import BatchLoader
from mtl_utils.experiments.atlas_tasks import NAMES, Labelled, corpus, examples_of, tokenizer
from mtl_utils.experiments.contenders import Unit
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.joint_measures import framework_scores
from mtl_utils.experiments.settings_read import reads
from mtl_utils.experiments.unit_training import FITTED, Trained, fit_judged, judged_columns
from mtl_utils.models import BiLSTMFramework, MultiTaskModel

METRICS: Mapping[str, str] = {"tags": "f1", "translation": "bleu", "language": "probability"}
"""What each task is judged by, as :func:`joint_measures.framework_scores` measures it."""


@dataclass(frozen=True)
class FrameworkJudge:
    """Measures each task on validation, and the mean over tasks of score over reference.

    Args:
        part: The validation sentences.
        tasks: The tasks that count.
        reference: By task the score that counts as 1, that of the separate model.
    """

    part: Labelled
    tasks: tuple[str, ...]
    reference: Mapping[str, float]

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Measure a model.

        Args:
            model: The model.
        """
        return judged_columns(_scores(model, self.part, self.tasks), self.reference)


_READ = FITTED.and_others("sentences", "max_tokens", "width", "dropout", "scale", "measured")


@reads(_READ)
def train_framework(
    settings: Config,
    unit: Unit,
    seed: int,
    workspace: Path,
    reference: Mapping[str, float] | None = None,
    test: bool = True,
) -> Trained:
    """Train one BiLSTM for the tasks of a unit, as :func:`unit_training.train_unit` does for texts.

    Args:
        settings: ``sentences`` and ``max_tokens`` of a batch; ``width``, ``dropout`` and ``scale``
            of the model; ``steps`` with ``validations`` in between; ``training``, the other
            settings of the trainer; ``weights`` of the losses, 1 where there is none;
            ``measured``, the sentences that are measured.
        unit: Its tasks.
        seed: Of the corpus, weights, dropout and the order of batches.
        workspace: Where the checkpoint is.
        reference: By task the score that counts as 1 when weights are chosen; 1 if ``None``.
        test: Whether to measure on test data.

    Returns:
        What was learnt, measured with the weights of the best validation.

    Raises:
        ValueError: If there are settings that nothing reads, or weights of no task.
    """
    splits = corpus(seed)
    torch.manual_seed(seed)
    model = BiLSTMFramework(
        tokenizer(seed),
        NAMES,
        settings["width"],
        dropout=settings["dropout"],
        tasks=unit.tasks,
        scale=settings["scale"],
    )
    validation = splits["validation"].first(settings["measured"])
    rows = examples_of(model, splits["train"].first(settings["sentences"]), unit.tasks)
    batches = BatchLoader(rows, max_tokens=settings["max_tokens"], seed=seed)
    judge = FrameworkJudge(validation, unit.judged, reference or dict.fromkeys(unit.judged, 1.0))
    history, scores = fit_judged(model, settings, unit, seed, workspace, judge, [batches])
    tested = {}
    if test:
        part = splits["test"].first(settings["measured"])
        tested = _scores(model, part, unit.judged)
    return Trained(
        history,
        scores,
        {},
        {task: {METRICS[task]: score} for task, score in tested.items()},
        sum(parameter.numel() for parameter in model.parameters()),
        round(settings["steps"] * len(rows) / batches.num_batches),
    )


def _scores(model: MultiTaskModel, part: Labelled, tasks: tuple[str, ...]) -> dict[str, float]:
    assert isinstance(model, BiLSTMFramework)
    found = framework_scores(model, part)
    return {task: found[task] / 100 for task in tasks}
