"""Methods of weighing losses in the trainer: resumed, with absent tasks, in bfloat16, recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_training import (
    InterruptedLoader,
    PatternLoader,
    Stopped,
    TinyLoader,
    same_weights,
    tiny_model,
    weights_of,
)

from mtl_utils.objectives import (
    FAMO,
    Balancer,
    DynamicWeightAverage,
    EqualWeights,
    FixedWeights,
    GeometricMean,
    GradNorm,
    ImpartialLosses,
    RandomWeights,
    ScaleInvariantLog,
    SmoothChebyshev,
    UncertaintyWeights,
)
from mtl_utils.training import History, Trainer, TrainerConfig, schedules
from mtl_utils.training.progress import Progress

TASKS = ("tags", "topic")
VALIDATION = TinyLoader(3, seed=9)
CONFIG = TrainerConfig(epochs=4, learning_rate=0.02, checkpoint_every=4)

KINDS: dict[str, Callable[[], Balancer]] = {
    "uncertainty": lambda: UncertaintyWeights(TASKS, ["topic"], learning_rate=0.1),
    "impartial": lambda: ImpartialLosses(TASKS),
    "dynamic average": lambda: DynamicWeightAverage(TASKS, temperature=0.2),
    "gradient norms": lambda: GradNorm(TASKS),
    "random": lambda: RandomWeights(TASKS, seed=4),
    "geometric mean": GeometricMean,
    "logarithm": ScaleInvariantLog,
    "famo": lambda: FAMO(TASKS, learning_rate=0.1),
    "chebyshev": lambda: SmoothChebyshev(TASKS, {"topic": 2.0}),
}
of_every_kind = pytest.mark.parametrize("kind", KINDS)


def fit(
    balancer: Balancer, loader: Any = None, config: TrainerConfig = CONFIG, **options: Any
) -> tuple[Trainer, pd.DataFrame]:
    model = options.pop("model", None) or tiny_model()
    trainer = Trainer(model, config, balancer=balancer, progress=False, **options)
    history = trainer.fit(loader or TinyLoader(), VALIDATION)
    return trainer, history.drop(columns="seconds")


def assert_same(found: Any, expected: Any) -> None:
    """Compare to the last bit."""
    assert same_weights(weights_of(found[0].model), weights_of(expected[0].model))
    states = [weights_of(each[0].balancer) for each in (found, expected)]
    assert states[0].keys() == states[1].keys()
    for name, state in states[0].items():
        assert torch.equal(state.nan_to_num(nan=-1.0), states[1][name].nan_to_num(nan=-1.0)), name
    pd.testing.assert_frame_equal(found[1], expected[1], check_exact=True)
    weights = [each[0].weights for each in (found, expected)]
    pd.testing.assert_frame_equal(*weights, check_exact=True)


@of_every_kind
def test_a_run_that_was_cut_ends_as_if_it_had_not_been(kind: str, tmp_path: Path) -> None:
    """In the middle of the third epoch, with dropout; and once more after its end."""
    expected = fit(KINDS[kind]())
    assert expected[0].weights["step"].tolist() == list(range(1, 25))
    path = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        fit(KINDS[kind](), InterruptedLoader(16), checkpoint=path)
    with pytest.raises(Stopped):
        fit(KINDS[kind](), checkpoint=path, callbacks=[_stop])
    found = fit(KINDS[kind](), checkpoint=path)
    assert_same(found, expected)


def _stop(row: Any) -> None:
    raise Stopped


@of_every_kind
def test_a_run_that_is_prolonged_is_one_long_run(kind: str, tmp_path: Path) -> None:
    """It had ended in the middle of an epoch, and at the end of one that was not validated."""
    settings: dict[str, Any] = {"learning_rate": 0.02, "schedule": "constant", "validate_every": 2}
    expected = fit(KINDS[kind](), config=TrainerConfig(epochs=4, **settings))
    for steps in (9, 18, None):
        config = TrainerConfig(epochs=4, max_steps=steps, **settings)
        found = fit(KINDS[kind](), config=config, checkpoint=tmp_path / "run.pt")
    assert_same(found, expected)


@of_every_kind
def test_a_task_without_a_label_is_one_that_is_absent(kind: str) -> None:
    pattern = [{"tags", "topic"}, {"tags"}, set(), {"topic"}, {"tags", "topic"}, {"topic"}]
    found, expected = (
        fit(KINDS[kind](), PatternLoader(pattern, absent=absent), TrainerConfig(epochs=3))
        for absent in (True, False)
    )
    assert_same(found, expected)
    weights = found[0].weights
    assert weights["step"].tolist()[:5] == [1, 2, 4, 5, 6]
    assert weights["tags"].notna().tolist()[:5] == [True, True, False, True, False]
    assert np.isfinite(weights[["tags", "topic"]].to_numpy()[weights["tags"].notna()][0]).all()


@of_every_kind
def test_bfloat16(kind: str) -> None:
    config = TrainerConfig(epochs=2, learning_rate=0.02, mixed_precision="bf16")
    half, full = fit(KINDS[kind](), config=config), fit(KINDS[kind](), config=CONFIG)
    assert np.isfinite(half[0].weights[["tags", "topic"]].to_numpy()[:2]).all()
    first = half[0].weights[["tags", "topic"]].iloc[0], full[0].weights[["tags", "topic"]].iloc[0]
    np.testing.assert_allclose(*first, rtol=0.05)


def test_weights_that_never_change_are_not_recorded() -> None:
    for balancer in (EqualWeights(), FixedWeights({"tags": 2.0, "topic": 1.0})):
        trainer, history = fit(balancer, config=TrainerConfig(epochs=1))
        assert not [name for name in history if name.endswith("_weight")]
        assert list(trainer.weights) == ["step", *TASKS]
        assert trainer.weights.empty


def test_the_history_has_the_mean_of_an_epoch_and_the_picture_shows_it() -> None:
    trainer, history = fit(RandomWeights(TASKS))
    for task in TASKS:
        of_epochs = np.array_split(trainer.weights[task].to_numpy(), 4)
        expected = [np.nanmean(each) for each in of_epochs]
        np.testing.assert_allclose(history[f"{task}_weight"], expected, rtol=1e-12)
    full = trainer.weights.dropna()
    assert 0 < len(full) < 24
    np.testing.assert_allclose(full["tags"] + full["topic"], 2.0, rtol=1e-6)
    assert full["tags"].nunique() == len(full)
    figure = History(history).plot()
    axes = [axis for axis in figure.axes if axis.get_title() == "weight of the loss"]
    lines = {line.get_label(): line.get_ydata() for line in axes[0].get_lines()}
    for task in TASKS:
        np.testing.assert_allclose(lines[task], history[f"{task}_weight"])


def test_of_long_runs_fewer_steps_are_kept() -> None:
    progress = Progress()
    for step in range(120_000):
        progress.step = step
        progress.note_weights({"tags": float(step + 1)})
    steps = [row["step"] for row in progress.weights]
    assert steps[:1000] == list(range(1, 1001))
    assert steps[1000:1900] == list(range(1010, 10_001, 10))
    assert steps[1900:2800] == list(range(10_100, 100_001, 100))
    assert steps[2800:] == list(range(101_000, 120_001, 1000))
    assert all(row["tags"] == row["step"] for row in progress.weights)
    assert progress.mean_weights() == {"tags_weight": 60_000.5}


def test_own_parameters_have_their_step_size_and_the_schedule() -> None:
    """Adam's first step is as long as its step size, whatever the loss."""
    for warmup, expected in ((0, 0.1), (4, 0.1 * schedules.factor("constant", 0, 1, 4))):
        config = TrainerConfig(
            max_steps=1, schedule="constant", learning_rate=1e-6, warmup_steps=warmup
        )
        balancer = ImpartialLosses(TASKS, learning_rate=0.1)
        fit(balancer, config=config)
        moved = [abs(p.item()) for p in balancer.parameters()]
        assert moved == pytest.approx([expected] * 2, rel=1e-4)


def test_slopes_of_weights_shorten_no_step_of_the_model() -> None:
    """Clipped by itself: at the first step, with weights of 1, it moves as under equal weights."""
    config = TrainerConfig(max_steps=1, epochs=1, learning_rate=0.02, clip_norm=1e-3)
    model, other = tiny_model(), tiny_model()
    fit(EqualWeights(), config=config, model=other)
    balancer = ImpartialLosses(TASKS)
    fit(balancer, config=config, model=model)
    for name, weight in weights_of(other).items():
        torch.testing.assert_close(weights_of(model)[name], weight, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["logarithm", "random", "famo"])
def test_shares_are_weighed_as_the_update_is(kind: str) -> None:
    config = TrainerConfig(max_steps=1, epochs=1)
    found, _ = fit(KINDS[kind](), config=config, shares_every=1)
    weights = found.weights.loc[0, list(TASKS)].to_dict()
    assert weights != {"tags": 1.0, "topic": 1.0}
    expected, _ = fit(FixedWeights(weights), config=config, shares_every=1)
    pd.testing.assert_frame_equal(found.shares, expected.shares, rtol=1e-5)


def test_famo_sees_the_step_and_not_the_dropout() -> None:
    """Where no step changes anything, losses after it are what they were, to the last bit."""
    config = TrainerConfig(epochs=2, learning_rate=1e-30)
    balancer = FAMO(TASKS)
    fit(balancer, config=config)
    assert balancer.logits.tolist() == [0.0, 0.0]
    assert (balancer.steps > 5).all()
    moved = FAMO(TASKS)
    fit(moved, config=TrainerConfig(epochs=2, learning_rate=0.02))
    assert (moved.logits != 0).all()


def test_looking_again_disturbs_no_dropout() -> None:
    class Forgetful(FAMO):
        """Looks again, and learns nothing from it."""

        def after_step(self, losses: Any) -> None:
            pass

    class Blind(Forgetful):
        looks_again = False

    found, expected = fit(Forgetful(TASKS)), fit(Blind(TASKS))
    assert same_weights(weights_of(found[0].model), weights_of(expected[0].model))


@of_every_kind
def test_only_weights_that_depend_on_no_loss_of_a_step_accumulate(kind: str) -> None:
    config = TrainerConfig(accumulate=2)
    if kind == "dynamic average":
        Trainer(tiny_model(), config, balancer=KINDS[kind](), progress=False)
        return
    with pytest.raises(ValueError, match=r"accumulate=2 .*has to see the losses"):
        Trainer(tiny_model(), config, balancer=KINDS[kind](), progress=False)


def test_one_task() -> None:
    """Weights with a sum leave it as it is; the others multiply it by a number."""
    loader = PatternLoader([{"tags"}] * 4, absent=True)
    for kind, balancer in {
        "gradient norms": GradNorm(TASKS),
        "geometric mean": GeometricMean(),
        "famo": FAMO(TASKS),
    }.items():
        found = fit(balancer, loader, TrainerConfig(epochs=3))[0].weights["tags"]
        np.testing.assert_allclose(found, 1.0, rtol=1e-6, err_msg=kind)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in ("geometric mean", "logarithm")]
)
def test_a_state_of_tasks_in_another_order_gives_each_its_own(kind: str) -> None:
    """By place, the weights of two tasks would change hands without a word."""
    balancer = KINDS[kind]()
    fit(balancer)
    fresh: Any = type(balancer)(TASKS[::-1])
    fresh.load_state_dict(balancer.state_dict())
    for name in fresh.by_place:
        found, expected = getattr(fresh, name), getattr(balancer, name).flip(-1)
        assert torch.equal(found.nan_to_num(-1), expected.nan_to_num(-1))
        assert not expected.isnan().all()
    own = fresh.state_dict()
    assert own.keys() == balancer.state_dict().keys()
    places = [name for name, buffer in balancer.named_buffers() if len(TASKS) in buffer.shape[-1:]]
    assert sorted(fresh.by_place) == sorted(places)
    again: Any = type(balancer)(TASKS)
    again.load_state_dict(own)
    for name, state in weights_of(balancer).items():
        assert torch.equal(state.nan_to_num(-1), weights_of(again)[name].nan_to_num(-1)), name
    with pytest.raises(ValueError, match=r"for tasks=\['tags', 'topic'\], and this .*'names'"):
        type(balancer)(["tags", "names"]).load_state_dict(balancer.state_dict())
