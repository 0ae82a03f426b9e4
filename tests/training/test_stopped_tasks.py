"""Tasks that are stopped by themselves, while others go on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from parallel_runs import shared_private
from tiny_training import (
    DisjointLoader,
    InterruptedLoader,
    Stopped,
    TinyLoader,
    same_weights,
    tiny_model,
    weights_of,
)

from mtl_utils.data import Batch, BatchLoader, Example
from mtl_utils.training import (
    AlternatingBatches,
    CheckpointError,
    JointBatches,
    SampledBatches,
    Trainer,
    TrainerConfig,
    load_checkpoint,
    save_checkpoint,
)

VALIDATION = TinyLoader(3, seed=9)


class Scores:
    """Gives each task the scores of a list, whatever the model."""

    def __init__(self, **by_task: list[float]) -> None:
        self.by_task, self.calls = by_task, 0

    def __call__(self, model: Any) -> dict[str, float]:
        self.calls += 1
        # By the epoch, so that a session that goes on finds its own.
        return {f"{t}_f1": scores[self.place(model)] for t, scores in self.by_task.items()}

    def place(self, model: Any) -> int:
        return self.calls - 1


METRICS = {"tags": "tags_f1", "topic": "topic_f1"}


def fit(
    train: Any = None, model: Any = None, evaluate: Any = None, **options: Any
) -> tuple[pd.DataFrame, Any, Trainer]:
    named = {"checkpoint", "progress", "callbacks", "metric", "balancer", "shares_every"}
    settings = {name: options.pop(name) for name in named & set(options)}
    if evaluate is not None:
        settings |= {"evaluate": evaluate, "task_metrics": METRICS}
    config = TrainerConfig(**{"epochs": 6, "learning_rate": 0.02, "task_patience": 2, **options})
    model = model or tiny_model()
    trainer = Trainer(model, config, **{"progress": False, **settings})
    return trainer.fit(train or TinyLoader(), VALIDATION), model, trainer


class Without:
    """Leaves the labels of a task out of all epochs after one."""

    def __init__(self, loader: Any, task: str, after: int) -> None:
        self.loader, self.task, self.after = loader, task, after
        self.num_batches = loader.num_batches

    def batches(self, epoch: int, *position: int) -> Iterator[Any]:
        for batches in self.loader.batches(epoch, *position):
            if epoch < self.after:
                yield batches
            elif isinstance(batches, Batch):
                labels = {t: labels for t, labels in batches.labels.items() if t != self.task}
                yield Batch(batches.inputs, labels)
            else:
                yield {t: batch for t, batch in batches.items() if t != self.task}


@pytest.mark.parametrize("loader", [TinyLoader, DisjointLoader])
@pytest.mark.parametrize("options", [{}, {"accumulate": 4}, {"weight_decay": 0.3}])
def test_a_stopped_task_is_one_whose_labels_are_gone(loader: Any, options: dict[str, Any]) -> None:
    """Best at the second of six validations, with patience 2: gone after the fourth epoch."""
    scores = {"tags": [0.1, 0.5, 0.4, 0.5, 0.9, 0.9], "topic": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}
    history, model, trainer = fit(loader(), evaluate=Scores(**scores), **options)
    assert trainer.stopped_tasks == {"tags": 4}
    assert history["tags_stopped"].tolist() == [0, 0, 0, 1, 1, 1]
    assert history["topic_stopped"].tolist() == [0] * 6
    assert history["train_tags"].isna().tolist() == [False] * 4 + [True] * 2
    np.testing.assert_array_equal(history["train_loss"][4:], history["train_topic"][4:])
    assert history["validation_tags"].notna().all()

    settings = {"evaluate": Scores(**scores), "progress": False}
    config = TrainerConfig(epochs=6, learning_rate=0.02, **options)
    other = tiny_model()
    expected = Trainer(other, config, **settings).fit(Without(loader(), "tags", 4), VALIDATION)
    assert same_weights(weights_of(model), weights_of(other))
    shared = [c for c in expected.columns if c != "seconds"]
    pd.testing.assert_frame_equal(history[shared], expected[shared], check_exact=True)


def test_a_task_is_judged_by_its_validation_loss() -> None:
    history, _, trainer = fit(learning_rate=0.1, task_patience=1, epochs=8)
    for task in ("tags", "topic"):
        losses, best = history[f"validation_{task}"], math.inf
        end = trainer.stopped_tasks.get(task)
        for epoch, loss in enumerate(losses, 1):
            worse = loss >= best
            best = min(best, loss)
            if end is not None and epoch <= end:
                assert worse == (epoch == end)
    assert trainer.stopped_tasks


def test_its_head_stays_as_it_was_and_the_encoder_does_not() -> None:
    """Also with momentum and decay, which a gradient of zero would keep going."""
    seen: list[dict[str, torch.Tensor]] = []
    scores = {"tags": [0.5, 0.4, 0.4, 0.4], "topic": [0.1, 0.2, 0.3, 0.4]}

    class Watching(Scores):
        def __call__(self, model: Any) -> dict[str, float]:
            seen.append(weights_of(model))
            return super().__call__(model)

    fit(evaluate=Watching(**scores), epochs=4, task_patience=1, weight_decay=0.5)
    head = [{n: w for n, w in each.items() if n.startswith("heads.tags")} for each in seen]
    assert not same_weights(head[0], head[1])
    assert same_weights(head[1], head[2])
    assert same_weights(head[1], head[3])
    name = "sharing.encoder.mix.weight"
    assert not torch.equal(seen[2][name], seen[3][name])


def test_nothing_of_its_best_moment_is_put_back_but_all_of_the_best_one_together() -> None:
    seen: list[dict[str, torch.Tensor]] = []
    scores = {"tags": [0.9, 0.1, 0.1, 0.1, 0.1], "topic": [0.1, 0.2, 0.9, 0.4, 0.3]}

    class Watching(Scores):
        def __call__(self, model: Any) -> dict[str, float]:
            seen.append(weights_of(model))
            return super().__call__(model)

    options: dict[str, Any] = {"epochs": 5, "task_patience": 1, "metric": "topic_f1"}
    history, model, trainer = fit(evaluate=Watching(**scores), **options)
    assert trainer.stopped_tasks == {"tags": 2, "topic": 4}
    assert len(history) == 4  # nothing was left to train
    assert same_weights(weights_of(model), seen[2])


def test_a_score_that_is_no_number_is_none_that_is_better() -> None:
    scores = {"tags": [math.nan] * 6, "topic": [0.1, math.nan, math.nan, 0.2, 0.3, 0.4]}
    assert fit(evaluate=Scores(**scores))[2].stopped_tasks == {"tags": 2, "topic": 3}


def test_validations_are_counted_not_epochs() -> None:
    scores = {"tags": [0.5, 0.4, 0.4, 0.4], "topic": [0.1, 0.2, 0.3, 0.4]}
    trainer = fit(evaluate=Scores(**scores), epochs=7, validate_every=2)[2]
    assert trainer.stopped_tasks == {"tags": 6}


# Data sets together.


def data_sets() -> list[BatchLoader]:
    generator = np.random.default_rng(0)

    def ids() -> list[int]:
        return generator.integers(1, 20, 5).tolist()

    tags = [Example(ids(), {"tags": generator.integers(0, 4, 5).tolist()}) for _ in range(9)]
    topics = [Example(ids(), {"topic": int(generator.integers(3))}) for _ in range(5)]
    return [BatchLoader(tags, batch_size=2), BatchLoader(topics, batch_size=2)]


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("kind", [JointBatches, SampledBatches, AlternatingBatches])
def test_steps_of_stopped_tasks_alone_are_passed_over_and_count(kind: Any, accumulate: int) -> None:
    scores = {"tags": [0.5, 0.4, 0.4, 0.4], "topic": [0.1, 0.2, 0.3, 0.4]}
    options: dict[str, Any] = {"epochs": 4, "task_patience": 1, "accumulate": accumulate}
    history, model, _ = fit(kind(data_sets()), evaluate=Scores(**scores), **options)
    steps = math.ceil(kind(data_sets()).num_batches / accumulate)
    assert history["step"].tolist() == [steps, 2 * steps, 3 * steps, 4 * steps]
    config = TrainerConfig(epochs=4, learning_rate=0.02, accumulate=accumulate)
    other = tiny_model()
    settings: dict[str, Any] = {"evaluate": Scores(**scores), "progress": False}
    Trainer(other, config, **settings).fit(Without(kind(data_sets()), "tags", 2), VALIDATION)
    assert same_weights(weights_of(model), weights_of(other))


def test_a_penalty_on_states_goes_with_its_task() -> None:
    scores = {"tags": [0.5, 0.4, 0.4, 0.4], "topic": [0.1, 0.2, 0.3, 0.4]}
    options: dict[str, Any] = {"epochs": 4, "task_patience": 1, "accumulate": 2}
    models = [shared_private(adversary_strength=0.5) for _ in range(2)]
    _, model, _ = fit(DisjointLoader(), models[0], Scores(**scores), **options)
    config = TrainerConfig(epochs=4, learning_rate=0.02, accumulate=2)
    settings: dict[str, Any] = {"evaluate": Scores(**scores), "progress": False}
    train = Without(DisjointLoader(), "tags", 2)
    Trainer(models[1], config, **settings).fit(train, VALIDATION)
    assert same_weights(weights_of(model), weights_of(models[1]))


def test_what_is_left_and_has_nothing_to_train_is_passed_over() -> None:
    """A frozen task beside one that trains is allowed, so it is when that one has stopped."""
    model = tiny_model()
    model.sharing.requires_grad_(False)
    model.heads["topic"].requires_grad_(False)

    class Both(TinyLoader):
        def batch(self, epoch: int, index: int) -> Batch:
            return super().batch(epoch, 0)

    scores = {"tags": [0.5, 0.4, 0.4, 0.4], "topic": [0.1, 0.2, 0.3, 0.4]}
    options: dict[str, Any] = {"epochs": 4, "task_patience": 1}
    history, _, _ = fit(Both(), model, Scores(**scores), **options)
    assert len(history) == 4


# Going on.


class OfEpochs(Scores):
    """Knows how many validations there were from the checkpoint, as a real score does."""

    def __init__(self, path: Path, **by_task: list[float]) -> None:
        super().__init__(**by_task)
        self.path = path

    def place(self, model: Any) -> int:
        return load_checkpoint(self.path)["progress"]["epoch"] - 1


SCORES = {"tags": [0.5, 0.4, 0.4, 0.4, 0.4], "topic": [0.1, 0.2, 0.2, 0.2, 0.4]}


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("stop", [3, 6, 8, 13, 17, 19])
def test_a_run_that_is_killed_goes_on_to_the_last_bit(
    tmp_path: Path, stop: int, accumulate: int
) -> None:
    options: dict[str, Any] = {"epochs": 5, "checkpoint_every": 1, "accumulate": accumulate}

    def session(loader: TinyLoader, path: Path) -> tuple[pd.DataFrame, dict[str, Any], Trainer]:
        scores = OfEpochs(path, **SCORES)
        history, model, trainer = fit(loader, evaluate=scores, checkpoint=path, **options)
        return history.drop(columns="seconds"), weights_of(model), trainer

    path = tmp_path / "run.pt"
    history, weights, trainer = session(InterruptedLoader(10**9), path)
    path.unlink()  # the fingerprint has the path
    assert trainer.stopped_tasks == {"tags": 3, "topic": 4}
    with pytest.raises(Stopped):
        session(InterruptedLoader(stop), path)
    rows, again, goes_on = session(InterruptedLoader(10**9), path)
    assert same_weights(again, weights)
    pd.testing.assert_frame_equal(rows, history, check_exact=True)
    assert goes_on.stopped_tasks == trainer.stopped_tasks
    rows, again, finished = session(InterruptedLoader(1), path)  # reads nothing
    assert finished.stopped_tasks == trainer.stopped_tasks
    assert same_weights(again, weights)


@pytest.mark.parametrize("ends", [2, 3, 4])
def test_a_run_that_is_prolonged_is_one_long_run(tmp_path: Path, ends: int) -> None:
    """A last validation that the longer run does not have must not count."""
    options: dict[str, Any] = {"schedule": "constant", "task_patience": 1, "validate_every": 2}

    def session(path: Path | None, epochs: int) -> Any:
        return fit(checkpoint=path, epochs=epochs, **options, learning_rate=0.2)

    expected, model, whole = session(None, 8)
    session(tmp_path / "run.pt", ends)
    found, longer, trainer = session(tmp_path / "run.pt", 8)
    assert whole.stopped_tasks
    assert trainer.stopped_tasks == whole.stopped_tasks
    assert same_weights(weights_of(longer), weights_of(model))
    columns = [name for name in expected.columns if name != "seconds"]
    pd.testing.assert_frame_equal(found[columns], expected[columns], check_exact=True)


def test_the_checkpoint_knows_patience_and_metrics(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    fit(checkpoint=path, epochs=1)
    with pytest.raises(CheckpointError, match=r"config.task_patience is 2 there and 3 here"):
        fit(checkpoint=path, epochs=1, task_patience=3)
    with pytest.raises(CheckpointError, match=r"config.task_patience is 2 there and None here"):
        fit(checkpoint=path, epochs=1, task_patience=None)


def test_a_checkpoint_of_before_tasks_could_be_stopped_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"

    def session(loader: Any) -> Any:
        return fit(loader, checkpoint=path, epochs=2, task_patience=None, checkpoint_every=2)

    with pytest.raises(Stopped):
        session(InterruptedLoader(9))
    state = load_checkpoint(path)
    for name in ("config.accumulate", "config.task_patience", "task metrics"):
        del state["fingerprint"][name]
    for name in ("task_best", "task_waited", "stopped"):
        del state["progress"][name]
    save_checkpoint(path, state)
    _, model, trainer = session(InterruptedLoader(10**9))
    _, other, _ = fit(epochs=2, task_patience=None)
    assert same_weights(weights_of(model), weights_of(other))
    assert trainer.stopped_tasks == {}


# What is refused.


def test_what_there_is_nothing_to_judge_by_is_refused() -> None:
    config = TrainerConfig(task_patience=2)
    with pytest.raises(ValueError, match="task_patience=2 needs validation data or evaluate"):
        Trainer(tiny_model(), config, progress=False).fit(TinyLoader())

    class OfTags(TinyLoader):
        def batch(self, epoch: int, index: int) -> Batch:
            batch = super().batch(epoch, index)
            return Batch(batch.inputs, {"tags": super().batch(0, 0).labels["tags"][: len(batch)]})

    with pytest.raises(ValueError, match="No example of the validation data has a label of topic"):
        Trainer(tiny_model(), config, progress=False).fit(TinyLoader(), OfTags(3))
    with pytest.raises(KeyError, match="'tags_f1' is not measured"):
        Trainer(tiny_model(), config, task_metrics=METRICS, progress=False).fit(
            TinyLoader(), VALIDATION
        )
    with pytest.raises(ValueError, match=r"task_metrics=.* changes nothing without patience"):
        Trainer(tiny_model(), task_metrics=METRICS)
