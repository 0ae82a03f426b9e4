"""AdaTask in the trainer: against loops of one's own, clipped, resumed, frozen, in groups."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_training import (
    DisjointLoader,
    InterruptedLoader,
    PatternLoader,
    Stopped,
    TinyLoader,
    TinyTask,
    same_weights,
    tiny_model,
    weights_of,
)

from mtl_utils.data import BatchLoader, Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, TransformerEncoder
from mtl_utils.objectives import AdaTask, EqualWeights
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import CheckpointError, FaintTaskWarning, Trainer, TrainerConfig
from mtl_utils.training.given_steps import AdamWOfTheRest
from mtl_utils.training.optimization import make_optimizer

VALIDATION = TinyLoader(3, seed=9)
CONFIG = TrainerConfig(epochs=4, learning_rate=0.02, weight_decay=0.1, checkpoint_every=4)
DOUBLE = torch.float64


def fit(
    balancer: Any = None, loader: Any = None, config: TrainerConfig = CONFIG, **options: Any
) -> tuple[dict[str, torch.Tensor], pd.DataFrame, Trainer]:
    model = options.pop("model", None) or tiny_model()
    given = balancer or AdaTask()
    trainer = Trainer(model, config, balancer=given, progress=False, **options)
    history = trainer.fit(loader or TinyLoader(), VALIDATION)
    return weights_of(model), history.drop(columns="seconds"), trainer


def states(balancer: torch.nn.Module) -> dict[str, Any]:
    return balancer.state_dict()["_extra_state"]["states"]


def assert_near(found: Any, expected: Any, within: float) -> None:
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=within, msg=name)


# What the keys of attention add moves no loss: in single precision its gradient is rounding alone,
# which Adam makes whole steps of.
ENCODERS: dict[str, Any] = {
    "bilstm": lambda: BiLSTMEncoder(50, 8),
    "transformer": lambda: TransformerEncoder(50, 8, num_layers=2, num_heads=2).double(),
}


@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_with_one_task_it_is_the_optimizer(encoder: str, optimizer: Any) -> None:
    """Over 50 steps, clipped, with dropout; the other task never has a label."""
    draw = torch.Generator().manual_seed(0)
    examples = [
        Example(torch.randint(1, 50, (n,), generator=draw).tolist(), {"topic": n % 3})
        for n in range(3, 43)
    ]
    found = []
    for balancer in (AdaTask(), EqualWeights()):
        torch.manual_seed(1)
        tasks = [Tagging("tags", tuple("abcd")), Classification("topic", tuple("abc"))]
        shared = ENCODERS[encoder]()
        model = MultiTaskModel(HardSharing(shared), tasks).to(next(shared.parameters()).dtype)
        config = TrainerConfig(
            epochs=10,
            max_steps=50,
            learning_rate=0.005,
            optimizer=optimizer,
            weight_decay=0.1 if optimizer == "adamw" else 0.0,
            clip_norm=0.5,
            warmup_steps=5,
        )
        trainer = Trainer(model, config, balancer=balancer, progress=False)
        trainer.fit(BatchLoader(examples, batch_size=8))
        found.append(weights_of(model))
    moved = [float((found[0][n] - found[1][n]).abs().max()) for n in found[0]]
    assert max(moved) <= 1e-6


@pytest.mark.parametrize("loader", [TinyLoader, DisjointLoader])
@pytest.mark.parametrize("clip", [None, 0.3])
def test_it_is_an_adam_for_each_task_and_one_for_the_heads(loader: Any, clip: Any) -> None:
    """Tasks are absent now and then; the norm that is clipped is that of the whole gradient."""
    rate, decay, betas = 0.02, 0.1, (0.8, 0.95)
    config = TrainerConfig(
        epochs=3, learning_rate=rate, weight_decay=decay, clip_norm=clip, schedule="constant"
    )
    model = tiny_model(dropout=0.0, dtype=DOUBLE)
    trainer = Trainer(model, config, balancer=AdaTask(betas, eps=0.01), progress=False)
    trainer.fit(loader())
    other = tiny_model(dropout=0.0, dtype=DOUBLE)
    shared, heads = other.shared_parameters(), list(other.heads.parameters())
    rest = torch.optim.AdamW(heads, lr=rate, weight_decay=decay)
    each = {task: torch.optim.Adam(shared, lr=rate, betas=betas, eps=0.01) for task in other.tasks}
    for epoch in range(3):
        for batch in loader().batches(epoch):
            # Some batches have no label of a task, which then is none of the step's.
            losses = {task: loss for task, loss in other(batch).by_task.items() if loss != 0}
            rows = {
                task: torch.autograd.grad(loss, shared, retain_graph=True)
                for task, loss in losses.items()
            }
            other.zero_grad()
            sum(losses.values()).backward()
            norm = torch.cat([p.grad.flatten() for p in other.parameters() if p.grad is not None])
            factor = 1.0 if clip is None else min(1.0, float(clip / (norm.norm() + 1e-6)))
            for parameter in heads:
                if parameter.grad is not None:
                    parameter.grad *= factor
            rest.step()
            with torch.no_grad():
                for parameter in shared:
                    parameter *= 1 - rate * decay
            for task, row in rows.items():
                for parameter, gradient in zip(shared, row, strict=True):
                    parameter.grad = factor * gradient
                each[task].step()
    assert_near(weights_of(model), weights_of(other), 1e-12)


def test_a_run_that_was_cut_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """In the middle of the third epoch, with dropout; and once more after its end."""
    weights, history, trainer = fit()
    path = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        fit(AdaTask(), InterruptedLoader(16), checkpoint=path)
    with pytest.raises(Stopped):
        fit(AdaTask(), checkpoint=path, callbacks=[_stop])
    for _ in range(2):  # the second reads what is finished
        again, same, found = fit(AdaTask(), checkpoint=path)
        assert same_weights(again, weights)
        pd.testing.assert_frame_equal(same, history, check_exact=True)
        _assert_same_states(found.balancer, trainer.balancer)
    with pytest.raises(CheckpointError, match="betas"):
        fit(AdaTask((0.5, 0.9)), checkpoint=path)
    with pytest.raises(CheckpointError, match="another run"):
        fit(EqualWeights(), checkpoint=path)


def _stop(row: Any) -> None:
    raise Stopped


def _assert_same_states(one: Any, other: Any) -> None:
    found, expected = states(one), states(other)
    assert found.keys() == expected.keys() == {"tags", "topic"}
    for task, of_task in expected.items():
        assert found[task].keys() == of_task.keys()
        for name, three in of_task.items():
            assert all(map(torch.equal, found[task][name], three))


def test_the_same_call_goes_on_with_the_balancer_that_was_stopped(tmp_path: Path) -> None:
    """As when a cell of a notebook is stopped and run once more."""
    weights, _, _ = fit()
    balancer, path = AdaTask(), tmp_path / "run.pt"
    with pytest.raises(Stopped):
        fit(balancer, checkpoint=path, callbacks=[_stop])
    assert states(balancer)
    assert same_weights(fit(balancer, checkpoint=path)[0], weights)


def test_a_run_that_is_prolonged_is_one_long_run(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"learning_rate": 0.02, "schedule": "constant", "validate_every": 2}
    weights, history, _ = fit(config=TrainerConfig(epochs=4, **settings))
    for steps in (9, 18, None):
        config = TrainerConfig(epochs=4, max_steps=steps, **settings)
        again, same, _ = fit(config=config, checkpoint=tmp_path / "run.pt")
    assert same_weights(again, weights)
    pd.testing.assert_frame_equal(same, history, check_exact=True)


def test_a_task_without_a_label_is_one_that_is_absent() -> None:
    pattern = [{"tags", "topic"}, {"tags"}, set(), {"topic"}, {"tags", "topic"}, {"topic"}]
    found, expected = (
        fit(AdaTask(), PatternLoader(pattern, absent=absent)) for absent in (True, False)
    )
    assert same_weights(found[0], expected[0])
    counts = {
        task: {int(steps) for steps, _, _ in of_task.values()}
        for task, of_task in states(found[2].balancer).items()
    }
    assert counts == {"tags": {4 * 3}, "topic": {4 * 4}}


def test_frozen_parameters_stay_and_begin_when_they_thaw() -> None:
    model, balancer = tiny_model(), AdaTask()
    encoder = model.sharing.encoder
    encoder.embedding.requires_grad_(False)
    before = weights_of(model)
    fit(balancer, model=model, config=TrainerConfig(max_steps=5))
    name = "sharing.encoder.embedding.weight"
    assert torch.equal(weights_of(model)[name], before[name])
    assert name not in states(balancer)["tags"]
    encoder.embedding.requires_grad_(True)
    fit(balancer, model=model, config=TrainerConfig(max_steps=2))
    counts = {n: int(three[0]) for n, three in states(balancer)["tags"].items()}
    assert counts.pop(name) == 2 < min(counts.values())
    assert not torch.equal(weights_of(model)[name], before[name])


def test_a_model_of_which_nothing_shared_is_trained_is_moved_by_its_optimizer() -> None:
    found = []
    for balancer in (AdaTask(), EqualWeights()):
        model = tiny_model()
        model.sharing.requires_grad_(False)
        found.append(fit(balancer, model=model)[0])
    assert_near(*found, within=1e-6)


def test_a_task_that_is_added_later_begins_with_means_of_its_own() -> None:
    class Both(TinyLoader):
        def batch(self, epoch: int, index: int) -> Any:
            batch = super().batch(epoch, index)
            labels = {"late": torch.zeros(len(batch), dtype=torch.long), **batch.labels}
            return type(batch)(batch.inputs, labels)

    model, balancer = tiny_model(), AdaTask()
    fit(balancer, model=model, config=TrainerConfig(max_steps=5))
    steps = {task: _steps_of(balancer, task) for task in states(balancer)}
    model.add_task(TinyTask("late", 2, a_text=True))
    Trainer(model, TrainerConfig(max_steps=3), balancer=balancer, progress=False).fit(Both())
    assert _steps_of(balancer, "late") == 3
    assert steps["tags"] < _steps_of(balancer, "tags") <= steps["tags"] + 3


def _steps_of(balancer: AdaTask, task: str) -> int:
    (steps,) = {int(three[0]) for three in states(balancer)[task].values()}
    return steps


def test_groups_keep_their_rate_and_decay() -> None:
    """Adam's first step is as long as its rate in every number, and two tasks make two."""
    model = tiny_model(dropout=0.0, dtype=DOUBLE)
    mix, tables = model.sharing.encoder.mix, model.sharing.encoder.embedding
    groups = [
        {"params": mix.parameters(), "lr": 0.01, "weight_decay": 0.5},
        {"params": [*tables.parameters(), *model.heads.parameters()], "lr": 0.001},
    ]
    before = weights_of(model)
    config = TrainerConfig(max_steps=1, schedule="constant", clip_norm=None)
    fit(AdaTask(eps=1e-30), config=config, model=model, parameter_groups=groups)
    after, name = weights_of(model), "sharing.encoder.mix.weight"
    steps = (after[name] - (1 - 0.01 * 0.5) * before[name]).abs() / 0.01
    # Each task adds a step of 1 to one side or the other.
    assert all(min(abs(step), abs(step - 2)) < 1e-9 for step in steps.flatten().tolist())
    name = "sharing.encoder.embedding.weight"
    steps = (after[name] - before[name]).abs() / 0.001
    assert float(steps.max()) == pytest.approx(2)
    name = "heads.tags.output.weight"
    torch.testing.assert_close(
        (after[name] - before[name]).abs(), torch.full_like(after[name], 0.001), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("setting", [{"betas": (0.5, 0.5)}, {"eps": 1e-3}, {"amsgrad": True}])
def test_settings_of_shared_groups_that_it_would_pass_over_are_refused(setting: Any) -> None:
    model = tiny_model()
    shared, heads = model.sharing.parameters(), model.heads.parameters()
    key = next(iter(setting))
    with pytest.raises(ValueError, match=rf"'{key}'.* AdaTask makes the steps of these itself"):
        Trainer(
            model,
            balancer=AdaTask(),
            parameter_groups=[{"params": [*shared], **setting}, {"params": [*heads]}],
        )
    shared, heads = model.sharing.parameters(), model.heads.parameters()
    groups = [{"params": [*shared]}, {"params": [*heads], **setting}]
    fit(model=model, parameter_groups=groups, config=TrainerConfig(max_steps=2))


def test_a_decay_that_is_part_of_the_gradient_is_refused() -> None:
    config = TrainerConfig(optimizer="adam", weight_decay=0.1)
    with pytest.raises(ValueError, match=r'weight_decay=0.1 .*AdaTask .*optimizer="adamw"'):
        Trainer(tiny_model(), config, balancer=AdaTask())
    model = tiny_model()
    shared, heads = [*model.sharing.parameters()], [*model.heads.parameters()]
    groups = [{"params": shared, "weight_decay": 0.0}, {"params": heads}]
    Trainer(model, config, balancer=AdaTask(), parameter_groups=groups)


def test_accumulation_is_refused() -> None:
    with pytest.raises(ValueError, match="AdaTask has to see the losses of the whole step"):
        Trainer(tiny_model(), TrainerConfig(accumulate=2), balancer=AdaTask())


def test_bfloat16() -> None:
    weights, history, trainer = fit(config=TrainerConfig(epochs=2, mixed_precision="bf16"))
    assert history["train_loss"].notna().all()
    assert all(weight.dtype == torch.float32 for weight in weights.values())
    three = states(trainer.balancer)["tags"]["sharing.encoder.mix.weight"]
    assert {tensor.dtype for tensor in three} == {torch.float32}


def test_a_small_share_of_the_gradient_is_no_reason_to_warn() -> None:
    """Of the step it has as large a part as any."""
    config = TrainerConfig(epochs=4)

    class Loud(AdaTask):
        def loss_weights(self, tasks: Any) -> dict[str, float]:
            return {task: 1e-4 if task == "tags" else 1.0 for task in tasks}

    class Gradients(Loud):
        leaves_steps = False

    with pytest.warns(FaintTaskWarning, match="'tags' has 0.0"):
        fit(Gradients(), config=config, shares_every=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FaintTaskWarning)
        trainer = fit(Loud(), config=config, shares_every=1)[2]
    assert (trainer.shares["tags"].dropna() < 0.01).all()


def test_a_gradient_that_is_not_finite_leaves_all_as_it_was() -> None:
    model, balancer = tiny_model(), AdaTask()
    head = model.head("topic")
    loss = head.loss
    head.loss = lambda outputs, batch: (0.0 * loss(outputs, batch)).sqrt()
    before = weights_of(model)
    loader = PatternLoader([{"tags", "topic"}], absent=True)
    with pytest.raises(FloatingPointError, match="gradient norm of all tasks became nan"):
        fit(balancer, loader, model=model)
    assert same_weights(weights_of(model), before)
    assert states(balancer) == {}


def test_the_optimizer_has_no_means_of_what_is_given() -> None:
    model = tiny_model()
    optimizer = make_optimizer(TrainerConfig(), model, AdaTask())
    assert isinstance(optimizer, AdamWOfTheRest)
    (rest, given) = optimizer.param_groups
    assert (rest["given"], given["given"]) == (False, True)
    assert given["params"] == model.shared_parameters()
    assert rest["params"] == list(model.heads.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert set(optimizer.state) == set(rest["params"])
    assert all(bool((parameter.grad == 1).all()) for parameter in model.parameters())
    with pytest.raises(ValueError, match="closure"):
        optimizer.step(lambda: 0.0)
