"""Shares of the gradient: numbers by hand, no trace in the training, and who is warned of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_training import (
    DisjointLoader,
    InterruptedLoader,
    Stopped,
    TinyEncoder,
    TinyLoader,
    TinyTask,
    same_weights,
    tiny_model,
    weights_of,
)
from torch import Tensor

from mtl_utils.data import Batch
from mtl_utils.models import MultiTaskModel
from mtl_utils.objectives import AdaTask, Balancer, EqualWeights, FixedWeights
from mtl_utils.sharing import HardSharing, SoftSharing
from mtl_utils.training import (
    FaintTaskWarning,
    Trainer,
    TrainerConfig,
    load_checkpoint,
    save_checkpoint,
)
from mtl_utils.training.shares import Silence, warn_if_faint

LOADERS = {"aligned": TinyLoader, "disjoint": DisjointLoader}
CONFIG = TrainerConfig(epochs=4, learning_rate=0.02)
in_both_regimes = pytest.mark.parametrize("regime", LOADERS)


def fit(
    loader: Any = None, config: TrainerConfig = CONFIG, model: Any = None, **given_settings: Any
) -> Trainer:
    trainer = Trainer(model or tiny_model(), config, progress=False, **given_settings)
    trainer.fit(loader or TinyLoader())
    return trainer


def norm_by_hand(model: MultiTaskModel, batches: Any, task: str) -> float:
    """Back-propagate one loss alone, and look at what it left in ``.grad``."""
    model.zero_grad()
    model(batches).by_task[task].backward()
    grads = [p.grad for p in model.sharing.parameters() if p.grad is not None]
    squares = [float(value) ** 2 for grad in grads for value in grad.flatten()]
    return math.sqrt(math.fsum(squares))


@in_both_regimes
@settings(max_examples=10, deadline=None)
@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_shares_are_norms_of_weighted_gradients_on_what_is_shared(
    regime: str, first: float, second: float
) -> None:
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    loader = LOADERS[regime]()
    weights = {"tags": first, "topic": second}
    norms = {
        task: weight * norm_by_hand(model, next(iter(loader.batches(0))), task)
        for task, weight in weights.items()
    }
    config = TrainerConfig(max_steps=1)
    trainer = fit(loader, config, model, balancer=FixedWeights(weights), shares_every=1)
    assert trainer.shares["step"].tolist() == [1]
    for task, norm in norms.items():
        expected = norm / sum(norms.values())
        assert trainer.shares[task][0] == pytest.approx(expected, rel=1e-9)


def test_equal_weights_are_weights_of_one() -> None:
    equal = fit(balancer=EqualWeights(), shares_every=2).shares
    fixed = fit(balancer=FixedWeights({"tags": 1.0, "topic": 1.0}), shares_every=2).shares
    pd.testing.assert_frame_equal(equal, fixed)


def test_weights_of_a_balancer_of_ones_own_are_asked_for() -> None:
    class Growing(Balancer):
        """Weighs tags the more the longer it trains."""

        weight = 0.0

        def loss_weights(self, tasks: Any) -> dict[str, float]:
            return {task: self.weight if task == "tags" else 1.0 for task in tasks}

        def backward(self, losses: Any, model: Any, backward: Any = Tensor.backward) -> None:
            backward(sum(losses.by_task.values()))
            self.weight += 1.0

    shares = fit(balancer=Growing(), shares_every=1).shares
    assert shares["tags"][0] == 0
    assert shares["topic"][0] == 1
    assert (shares["tags"][1:] > 0).all()


def of_both(loader: Any, step: int) -> bool:
    """Tell whether there are labels of both tasks in a step; every third batch lacks a task."""
    epoch, index = divmod(step - 1, loader.num_batches)
    batches = next(iter(loader.batches(epoch, index)))
    of_task = dict.fromkeys(batches.labels, batches) if isinstance(batches, Batch) else batches
    counted = [bool((batch.labels[task] != -100).any()) for task, batch in of_task.items()]
    return sum(counted) == 2


@in_both_regimes
def test_measuring_changes_no_bit_of_the_training(regime: str) -> None:
    """With dropout, whose random numbers must not be drawn another time."""
    config = TrainerConfig(epochs=4, max_steps=20, learning_rate=0.02)
    found = {}
    for every in (None, 0, 1, 3):
        trainer = fit(LOADERS[regime](), config, shares_every=every)
        found[every] = weights_of(trainer.model)
        due = range(every, 21, every) if every else ()
        steps = [step for step in due if of_both(LOADERS[regime](), step)]
        assert trainer.shares["step"].tolist() == steps
    assert all(same_weights(weights, found[None]) for weights in found.values())


def test_shares_sum_to_one_and_lie_in_order() -> None:
    shares = fit(shares_every=2).shares
    assert list(shares.columns) == ["step", "tags", "topic"]
    assert len(shares) > 3
    np.testing.assert_allclose(shares["tags"] + shares["topic"], 1)
    assert fit().shares.empty  # 24 steps, and 50 from one measurement to the next


def test_where_nothing_is_shared_there_are_no_shares() -> None:
    tasks = [TinyTask("tags", 4, a_text=False), TinyTask("topic", 3, a_text=True)]
    separate = SoftSharing({task.name: TinyEncoder() for task in tasks}, tied=(), strength=0.0)
    assert fit(model=MultiTaskModel(separate, tasks), shares_every=1).shares.empty
    alone = MultiTaskModel(HardSharing(TinyEncoder()), tasks[:1])
    one = Tagged()
    assert fit(one, model=alone, shares_every=1).shares.empty
    frozen = tiny_model()
    frozen.sharing.requires_grad_(False)
    assert fit(model=frozen, shares_every=1).shares.empty


class Tagged(TinyLoader):
    """Has labels of one task alone."""

    def batches(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        for batch in super().batches(*arguments, **options):
            batch.labels.pop("topic", None)
            yield batch


def test_a_resumed_run_has_the_shares_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    config = TrainerConfig(epochs=3, learning_rate=0.02, checkpoint_every=4)
    whole = fit(InterruptedLoader(10**9), config, shares_every=3, checkpoint=tmp_path / "whole.pt")
    path = tmp_path / "parts.pt"
    with pytest.raises(Stopped):
        fit(InterruptedLoader(10), config, shares_every=3, checkpoint=path)
    stored = load_checkpoint(path)["progress"]["shares"]
    assert [row["step"] for row in stored] == [s for s in whole.shares["step"] if s <= 8]
    again = fit(InterruptedLoader(10**9), config, shares_every=3, checkpoint=path)
    pd.testing.assert_frame_equal(again.shares, whole.shares, check_exact=True)
    assert same_weights(weights_of(again.model), weights_of(whole.model))


def test_a_checkpoint_of_before_there_were_shares_goes_on(tmp_path: Path) -> None:
    config = TrainerConfig(epochs=3, learning_rate=0.02, checkpoint_every=4)
    whole = fit(InterruptedLoader(10**9), config, shares_every=None)
    path = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        fit(InterruptedLoader(10), config, checkpoint=path)
    state = load_checkpoint(path)
    del state["progress"]["shares"]
    save_checkpoint(path, state)
    again = fit(InterruptedLoader(10**9), config, shares_every=4, checkpoint=path)
    assert again.shares["step"].tolist() == [s for s in (12, 16) if of_both(TinyLoader(), s)]
    assert same_weights(weights_of(again.model), weights_of(whole.model))


# Who is warned of.


def rows(*shares: float, task: str = "tags") -> list[dict[str, float]]:
    """Return measurements of two tasks, of which one has these shares."""
    return [
        {"step": 50.0 * number, task: share, "topic": 1 - share}
        for number, share in enumerate(shares, 1)
    ]


def warned(measured: list[dict[str, float]]) -> list[tuple[int, str]]:
    """Return at which step of a run what was said."""
    said = []
    for end in range(1, len(measured) + 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_if_faint(measured[:end])
        assert all(found.category is FaintTaskWarning for found in caught)
        said += [(int(measured[end - 1]["step"]), str(found.message)) for found in caught]
    return said


def test_the_third_time_running_is_said_once() -> None:
    said = warned(rows(0.2, 0.04, 0.04, 0.03, 0.02, 0.01))
    assert [step for step, _ in said] == [200]
    assert "'tags' has 3.00% of the gradient on shared parameters at step 200" in said[0][1]
    assert "less than 5.00%" in said[0][1]  # a tenth of a half
    assert "FixedWeights({'tags': 10.0, ...})" in said[0][1]
    assert "scale=" in said[0][1]


@pytest.mark.parametrize(
    "shares",
    [(0.04, 0.04), (0.04, 0.06, 0.04, 0.04), (0.05, 0.05, 0.05), (0.0, 0.0, 0.0), (0.5,) * 9],
)
def test_less_than_that_is_not_said(shares: tuple[float, ...]) -> None:
    assert warned(rows(*shares)) == []


def test_a_task_that_comes_and_goes_is_judged_where_it_is() -> None:
    gone = {"step": 75.0, "topic": 0.5, "other": 0.5}
    measured = rows(0.01, 0.01, 0.01)
    assert [step for step, _ in warned([*measured[:1], gone, *measured[1:]])] == [150]


def test_training_warns_of_a_task_that_is_drowned() -> None:
    weights = FixedWeights({"tags": 1e-4, "topic": 1.0})
    with pytest.warns(FaintTaskWarning, match="'tags' has 0.0") as caught:
        fit(balancer=weights, shares_every=1)
    assert len([found for found in caught if found.category is FaintTaskWarning]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", FaintTaskWarning)
        fit(shares_every=1)
        fit(balancer=FixedWeights({"tags": 0.0, "topic": 1.0}), shares_every=1)


def silences(*steps: tuple[set[str], set[str]]) -> list[int]:
    """Return at which of some steps, each with its tasks and the silent ones, something is said."""
    silence, said = Silence(), []
    for step, (tasks, silent) in enumerate(steps, 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            silence.note(tasks, silent, step)
        said += [step for _ in caught]
    return said


TAGS, BOTH, NONE = {"tags"}, {"tags", "topic"}, set[str]()


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([(BOTH, TAGS)] * 6, [3]),
        ([(BOTH, NONE)] * 4 + [(BOTH, TAGS)] * 3, [7]),  # a weight of 0 at first
        ([(BOTH, TAGS)] * 2 + [(BOTH, NONE)] + [(BOTH, TAGS)] * 2, []),
        ([(BOTH, TAGS), ({"topic"}, NONE), (BOTH, TAGS), (BOTH, TAGS)], [4]),
        ([(BOTH, BOTH)] * 3, [3, 3]),
        ([(BOTH, NONE)] * 9, []),
    ],
)
def test_three_measurements_without_a_gradient_are_said_once(
    steps: list[tuple[set[str], set[str]]], said: list[int]
) -> None:
    assert silences(*steps) == said


class _Off(torch.nn.Module):
    """Units that are off whatever comes in, as a step that was too great leaves them."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return (states - 1e6).relu()


def with_tags_off(*others: str) -> MultiTaskModel:
    model = tiny_model()
    for task in ("tags", *others):
        head = model.head(task)
        head.output = torch.nn.Sequential(_Off(), head.output)
    return model


def messages(**given_settings: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(shares_every=1, **given_settings)
    said = [str(found.message) for found in caught if found.category is FaintTaskWarning]
    return [text for text in said if "has no gradient" in text]


@pytest.mark.parametrize("balancer", [EqualWeights, AdaTask])
def test_training_warns_of_a_head_whose_units_are_off(balancer: Any) -> None:
    (said,) = messages(model=with_tags_off(), balancer=balancer())
    assert said.startswith("'tags' has no gradient on shared parameters at step")


def test_training_warns_if_all_heads_are_off() -> None:
    said = messages(model=with_tags_off("topic"))
    assert sorted(text.split()[0] for text in said) == ["'tags'", "'topic'"]


class _Detached(torch.nn.Module):
    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states.detach()


def test_a_task_that_is_meant_to_move_nothing_is_not_said() -> None:
    weights = FixedWeights({"tags": 0.0, "topic": 1.0})
    assert not messages(model=with_tags_off(), balancer=weights)
    model = tiny_model()
    head = model.head("tags")
    head.output = torch.nn.Sequential(_Detached(), head.output)  # its own layer learns
    assert not messages(model=model)
    assert not messages(model=tiny_model())
