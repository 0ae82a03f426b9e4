"""The trainer against loops written by hand, and how it starts, stops and complains."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_training import (
    DisjointLoader,
    PatternLoader,
    TinyEncoder,
    TinyLoader,
    same_weights,
    tiny_model,
    weights_of,
)
from torch import Tensor
from torch.nn import functional

from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives import Balancer, Losses
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import Trainer, TrainerConfig, evaluate_losses, load_checkpoint
from mtl_utils.training.directions import direction_of

VALIDATION = TinyLoader(3, seed=9)


def fit(model: MultiTaskModel, config: TrainerConfig, **settings: Any):
    """Train without a bar on the tiny data."""
    return Trainer(model, config, progress=False, **settings).fit(TinyLoader(), VALIDATION)


def by_hand(model: MultiTaskModel, config: TrainerConfig, rate: Callable[[int], float]) -> None:
    """Train as one would without any of the package but the model's layers."""
    torch.manual_seed(config.seed)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(
        model.parameters(),
        lr=config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=True,
    )
    step = 0
    for epoch in range(config.epochs):
        for batch in TinyLoader().batches(epoch):
            hidden = model.sharing.encoder(batch.inputs)
            total = torch.zeros(())
            for task, labels in batch.labels.items():
                if not (labels != -100).any():
                    continue  # no gradient, not one of zero
                states = hidden.mean(1) if task == "topic" else hidden
                logits = model.heads[task].output(states)
                summed = functional.cross_entropy(
                    logits.flatten(0, -2), labels.flatten(), reduction="sum"
                )
                total = total + summed / (labels != -100).sum().clamp(min=1)
            optimizer.zero_grad()
            total.backward()
            if config.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.param_groups[0]["lr"] = config.learning_rate * rate(step)
            optimizer.step()
            step += 1


CONFIGS = {
    "adamw": (
        {"weight_decay": 0.1, "clip_norm": 0.2, "schedule": "cosine", "warmup_steps": 4},
        lambda s: (s + 1) / 4 if s < 4 else 0.5 * (1 + math.cos(math.pi * (s - 4) / 14)),
    ),
    "adam": (
        {"optimizer": "adam", "betas": (0.8, 0.98), "clip_norm": None, "schedule": "constant"},
        lambda s: 1.0,
    ),
    "linear": (
        {"optimizer": "adam", "weight_decay": 0.01, "schedule": "linear", "seed": 5},
        lambda s: 1 - s / 18,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_equal_those_of_a_loop_by_hand(name: str) -> None:
    settings, rate = CONFIGS[name]
    config = TrainerConfig(epochs=3, learning_rate=0.02, **settings)
    ours, theirs = tiny_model(), tiny_model()
    Trainer(ours, config, progress=False).fit(TinyLoader())
    by_hand(theirs, config, rate)
    assert same_weights(weights_of(ours), weights_of(theirs))
    assert not same_weights(weights_of(ours), weights_of(tiny_model()))


def test_history_has_the_means_over_what_is_counted() -> None:
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    config = TrainerConfig(epochs=1, learning_rate=1e-30)
    history = fit(model, config)
    expected = {}
    for name, loader in (("train", TinyLoader()), ("validation", VALIDATION)):
        for task in model.tasks:
            nats = torch.tensor([])
            for batch in loader.batches(0):
                if task not in batch.labels:
                    continue
                head = model.head(task)
                logits = head(model.sharing(batch, [task]).hidden[task], batch)
                labels = batch.labels[task].flatten()
                each = functional.cross_entropy(logits.flatten(0, -2), labels, reduction="none")
                nats = torch.cat([nats, each[labels != -100]])
            expected[f"{name}_{task}"] = float(nats.detach().mean())
        expected[f"{name}_loss"] = expected[f"{name}_tags"] + expected[f"{name}_topic"]
    row = history.iloc[0].to_dict()
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert list(history.columns) == [
        *("epoch", "step", "train_loss", "train_tags", "train_topic"),
        *("validation_loss", "validation_tags", "validation_topic", "learning_rate", "seconds"),
    ]


def test_validation_is_exact_whatever_the_batches_and_leaves_the_mode() -> None:
    model = tiny_model(dtype=torch.float64).train()
    losses = evaluate_losses(model, VALIDATION)
    assert model.training
    with torch.no_grad():
        model.eval()
        parts = [model(batch) for batch in VALIDATION.batches(0)]
    for task in ("tags", "topic"):
        pairs = [(p.by_task[task], p.counts[task]) for p in parts if task in p.by_task]
        expected = sum(mean * count for mean, count in pairs) / sum(count for _, count in pairs)
        assert losses[task] == pytest.approx(float(expected), rel=1e-12)


TASKS = ("tags", "topic")
PATTERNS = st.lists(st.sets(st.sampled_from(TASKS)), min_size=1, max_size=5).filter(any)
DECAYED = {"learning_rate": 0.05, "weight_decay": 0.3, "schedule": "constant"}


def with_dropout() -> MultiTaskModel:
    """Return a model that draws random numbers below its heads and within them."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        tasks = [
            Tagging("tags", tuple("abcd"), dropout=0.3),
            Classification("topic", tuple("xyz"), dropout=0.3),
        ]
        return MultiTaskModel(HardSharing(TinyEncoder(0.2)), tasks)


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(PATTERNS, st.sampled_from(["adam", "adamw"]))
def test_a_task_whose_labels_are_missing_is_one_that_is_absent(
    tmp_path: Path, pattern: list[set[str]], optimizer: Any
) -> None:
    """Two ways of saying the same: same weights and same state of the optimizer, bit for bit."""
    config = TrainerConfig(epochs=2, optimizer=optimizer, **DECAYED)
    states = []
    for absent in (True, False):
        path = tmp_path / f"{absent}.pt"
        path.unlink(missing_ok=True)
        trainer = Trainer(with_dropout(), config, checkpoint=path, progress=False)
        trainer.fit(PatternLoader(pattern, absent=absent))
        states.append(load_checkpoint(path))
    assert same_weights(states[0]["model"], states[1]["model"])
    moments = [state["optimizer"]["state"] for state in states]
    assert moments[0].keys() == moments[1].keys()
    assert all(same_weights(moments[0][place], moments[1][place]) for place in moments[0])


@settings(deadline=None, max_examples=15)
@given(PATTERNS, st.booleans())
def test_a_missing_label_moves_nothing(pattern: list[set[str]], absent: bool) -> None:
    """Against PyTorch: what has no gradient is not moved by momentum or decay."""
    ours, theirs = (tiny_model(dropout=0.0) for _ in range(2))
    config = TrainerConfig(epochs=2, clip_norm=None, **DECAYED)
    Trainer(ours, config, progress=False).fit(PatternLoader(pattern, absent=absent))
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.05, weight_decay=0.3, fused=True)
    for epoch in range(2):
        for batch in PatternLoader(pattern, absent=True).batches(epoch):
            if not batch.labels:
                continue
            optimizer.zero_grad()
            sum(theirs(batch).by_task.values()).backward()
            optimizer.step()
    assert same_weights(weights_of(ours), weights_of(theirs))


def test_data_without_any_label_are_refused() -> None:
    loader = PatternLoader([set(), set()], absent=False)
    with pytest.raises(ValueError, match="No example of the training data has a label"):
        Trainer(tiny_model(), TrainerConfig(epochs=2), progress=False).fit(loader)
    history = fit_pattern([set(), {"tags"}], TrainerConfig(epochs=1))
    assert math.isfinite(history["train_loss"].iloc[0])


def fit_pattern(pattern: list[set[str]], config: TrainerConfig, **settings: Any) -> Any:
    model = settings.pop("model", None) or tiny_model()
    return Trainer(model, config, progress=False, **settings).fit(
        PatternLoader(pattern, absent=False)
    )


def test_a_step_in_which_all_is_frozen_is_refused() -> None:
    model = tiny_model()
    model.sharing.requires_grad_(False)
    model.head("topic").requires_grad_(False)
    fit_pattern([{"tags"}, {"tags", "topic"}], TrainerConfig(epochs=1), model=model)
    with pytest.raises(ValueError, match=r"losses of \['topic'\] depend on is frozen"):
        fit_pattern([{"tags"}, {"topic"}], TrainerConfig(epochs=1), model=model)


def test_one_batch_a_task() -> None:
    model = tiny_model()
    history = Trainer(model, TrainerConfig(epochs=2), progress=False).fit(DisjointLoader())
    assert history["train_loss"].notna().all()
    assert not same_weights(weights_of(model), weights_of(tiny_model()))


def test_results_depend_on_the_seed_and_not_on_what_ran_before() -> None:
    weights = []
    for noise, seed in ((1, 0), (2, 0), (3, 1)):
        torch.manual_seed(noise), np.random.seed(noise), random.seed(noise)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
        model = tiny_model()
        fit(model, TrainerConfig(epochs=1, seed=seed))
        weights.append(weights_of(model))
        after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]
    assert same_weights(weights[0], weights[1])
    assert not same_weights(weights[0], weights[2])


@pytest.mark.parametrize("training", [True, False])
def test_a_trained_model_is_ready_to_be_used(training: bool) -> None:
    model = tiny_model().train(training)
    fit(model, TrainerConfig(epochs=1, mixed_precision="bf16"))
    assert not any(part.training for part in model.modules())
    assert "forward" not in vars(model)
    batch = TinyLoader().batch(0, 0)
    assert torch.equal(model(batch).by_task["tags"], model(batch).by_task["tags"])


def test_a_training_that_fails_leaves_the_mode_of_every_part() -> None:
    model = tiny_model().train()
    model.sharing.encoder.eval()
    modes = [part.training for part in model.modules()]
    with pytest.raises(ZeroDivisionError):
        fit(model, TrainerConfig(), evaluate=lambda model: {"f1": 1 / 0}, metric="f1")
    assert [part.training for part in model.modules()] == modes
    assert {True, False} == set(modes)


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        *((name, "min") for name in ("validation_loss", "validation_tags", "perplexity")),
        *((name, "min") for name in ("topic_error_rate", "WER", "tags_rmse", "bits per token")),
        *((name, "max") for name in ("topic_accuracy", "tags_f1", "tags_f1_PER", "f1", "BLEU")),
        *((name, "max") for name in ("best_chrF", "topic_pearson", "exact_match", "tags_r2")),
        *((name, None) for name in ("score", "negative_loss", "accuracy_loss", "topic", "")),
    ],
)
def test_the_best_weights_are_the_best_by_the_name_of_the_metric(
    metric: str, better: str | None
) -> None:
    """An accuracy under the former default of "min" kept the worst weights."""
    scores, seen = [0.3, 0.9, 0.1], []

    def evaluate(model: MultiTaskModel) -> dict[str, float]:
        seen.append(weights_of(model))
        return {metric: scores[len(seen) - 1]}

    def train(**mode: Any) -> MultiTaskModel:
        model = tiny_model()
        seen.clear()
        settings = {"evaluate": evaluate, "metric": metric, "progress": False, **mode}
        Trainer(model, TrainerConfig(epochs=3), **settings).fit(TinyLoader())
        return model

    places = {"min": 2, "max": 1}
    if better is None:
        with pytest.raises(ValueError, match=r"does not tell .* Give mode="):
            train()
        for mode, place in places.items():
            assert same_weights(weights_of(train(mode=mode)), seen[place])
        return
    for mode in (None, better):
        assert same_weights(weights_of(train(mode=mode)), seen[places[better]])
    wrong = ({*places} - {better}).pop()
    with pytest.raises(ValueError, match="the worst weights would be kept"):
        train(mode=wrong)


def test_a_task_may_be_called_like_a_metric() -> None:
    assert direction_of("error_accuracy") is None
    assert direction_of("error_accuracy", ["error"]) == "max"
    assert direction_of("validation_accuracy", ["accuracy"]) == "min"
    assert direction_of("validation_accuracy", ["topic"]) == "max"
    assert direction_of("topic_loss_f1", ["topic", "topic_loss"]) == "max"


class Scores:
    """Scripted scores, and the weights that the model had at each of them."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)
        self.weights: list[dict[str, Tensor]] = []

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        assert not model.training
        assert not torch.is_grad_enabled()
        self.weights.append(weights_of(model))
        return {"score": self.scores[len(self.weights) - 1]}


@pytest.mark.parametrize(
    ("mode", "scores", "best"),
    [
        ("max", (0.1, 0.5, 0.4, 0.3), 1),
        ("min", (0.9, 0.1, 0.4, 0.3), 1),
        ("max", (math.nan, 0.2, math.nan, 0.1), 1),
        ("min", (0.2, 0.2, 0.2), 0),
    ],
)
def test_early_stopping_leaves_the_best_weights(
    mode: Any, scores: tuple[float, ...], best: int
) -> None:
    model, evaluate = tiny_model(), Scores(*scores, 0.0)
    config = TrainerConfig(epochs=9, patience=2)
    history = fit(model, config, evaluate=evaluate, metric="score", mode=mode)
    assert len(history) == len(evaluate.weights) == best + 3
    assert history["score"].tolist() == pytest.approx(scores[: best + 3], nan_ok=True)
    assert same_weights(weights_of(model), evaluate.weights[best])


def test_without_validation_the_last_weights_stay() -> None:
    longer, shorter = tiny_model(), tiny_model()
    trainer = Trainer(longer, TrainerConfig(epochs=2, schedule="constant"), progress=False)
    assert "validation_loss" not in trainer.fit(TinyLoader())
    config = TrainerConfig(epochs=9, max_steps=12, schedule="constant")
    Trainer(shorter, config, progress=False).fit(TinyLoader())
    assert same_weights(weights_of(longer), weights_of(shorter))


def test_max_steps_ends_in_the_middle_of_an_epoch_and_the_schedule_with_it() -> None:
    history = fit(tiny_model(), TrainerConfig(epochs=5, max_steps=8, schedule="linear"))
    assert history["step"].tolist() == [6, 8]
    assert history["epoch"].tolist() == [1, 2]
    assert history["learning_rate"].iloc[-1] == pytest.approx(1e-3 / 8)
    assert history["validation_loss"].notna().all()


def test_validate_every() -> None:
    history = fit(tiny_model(), TrainerConfig(epochs=5, validate_every=2))
    assert history["validation_loss"].notna().tolist() == [False, True, False, True, True]


class Weighing(Balancer):
    """Weighs each loss with a trained number."""

    def __init__(self) -> None:
        super().__init__()
        self.logarithms = torch.nn.Parameter(torch.ones(2))

    def backward(
        self,
        losses: Losses,
        model: torch.nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        scales = dict(zip(("tags", "topic"), self.logarithms, strict=True))
        terms = [scales[t].neg().exp() * loss + scales[t] for t, loss in losses.by_task.items()]
        backward(sum(terms, start=losses.penalty))


def test_the_balancers_parameters_are_trained_without_decay() -> None:
    balancer = Weighing()
    config = TrainerConfig(epochs=1, learning_rate=0.1, weight_decay=1e9, clip_norm=None)
    with pytest.raises(FloatingPointError):  # the model's weights do not survive such a decay
        fit(tiny_model(), config, balancer=balancer)
    moved = (balancer.logarithms.detach() - 1).abs()
    assert float(moved.min()) > 0
    assert float(moved.max()) < 0.7


def test_groups_have_their_own_rate() -> None:
    model = tiny_model()
    groups = [
        {"params": model.sharing.parameters(), "lr": 0.0},
        {"params": model.heads.parameters()},
    ]
    fit(model, TrainerConfig(epochs=1), parameter_groups=groups)
    ours, before = weights_of(model), weights_of(tiny_model())
    for name, weight in ours.items():
        assert torch.equal(weight, before[name]) == name.startswith("sharing")
    with pytest.raises(ValueError, match=r"No group has the parameters .*heads\.tags"):
        Trainer(model, parameter_groups=[{"params": model.sharing.parameters()}])
    with pytest.raises(ValueError, match='needs "params"'):
        Trainer(model, parameter_groups=[{"lr": 1.0}])


def test_frozen_parameters_stay() -> None:
    model = tiny_model()
    model.sharing.requires_grad_(False)
    fit(model, TrainerConfig(epochs=1, weight_decay=0.1))
    before = weights_of(tiny_model())
    assert torch.equal(model.sharing.encoder.mix.weight, before["sharing.encoder.mix.weight"])


class PoisonedLoader(TinyLoader):
    """Makes a loss not a number from some step on."""

    def __init__(self, step: int, poison: Callable[[], None]) -> None:
        super().__init__()
        self.step, self.poison, self.weights = step, poison, None

    def batches(self, *position: int) -> Iterator[Batch]:
        for index, batch in enumerate(super().batches(*position), start=1):
            if position[0] == 1 and index == self.step:
                self.poison()
            yield batch


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(value: float) -> None:
    model = tiny_model()
    before: dict[str, Tensor] = {}
    head = model.head("topic")
    loss = head.loss

    def poison() -> None:
        before.update(weights_of(model))
        head.loss = lambda outputs, batch: value * loss(outputs, batch)

    trainer = Trainer(model, TrainerConfig(epochs=3, learning_rate=0.02), progress=False)
    with pytest.raises(FloatingPointError) as caught:
        trainer.fit(PoisonedLoader(2, poison))
    message = str(caught.value)
    assert f"loss of topic became {value} at step 8 (epoch 2, learning rate 0.013)" in message
    assert "Lower learning_rate" in message
    assert same_weights(weights_of(model), before)


def test_weights_that_are_not_finite_stop_at_step_1() -> None:
    model = tiny_model()
    model.head("tags").output.bias.data[1] = math.nan
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    with pytest.raises(FloatingPointError, match=r"loss of tags became nan at step 1 \(epoch 1"):
        fit(model, TrainerConfig())
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("clip_norm", [1.0, None])
def test_a_gradient_that_is_not_finite_stops_too(clip_norm: float | None) -> None:
    model = tiny_model()
    # The derivative of the square root is infinite at 0, though the loss is finite.
    head = model.head("topic")
    loss = head.loss
    head.loss = lambda outputs, batch: (0.0 * loss(outputs, batch)).sqrt()
    with pytest.raises(FloatingPointError, match=r"gradient norm of all tasks became nan at step"):
        fit(model, TrainerConfig(clip_norm=clip_norm))
    assert same_weights(weights_of(model), weights_of(tiny_model()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be finite and greater than 0, got 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be finite and greater than 0, got nan"),
        ({"clip_norm": -1.0}, "clip_norm must be finite and greater than 0, got -1.0"),
        ({"weight_decay": -0.1}, "weight_decay must be finite and at least 0, got -0.1"),
        ({"betas": (0.9, 1.0)}, r"betas must be two numbers in \[0, 1\), got \(0.9, 1.0\)"),
        ({"optimizer": "sgd"}, "optimizer must be one of .*'adamw', 'adam'.*, got 'sgd'"),
        ({"schedule": "step"}, "schedule must be one of .*, got 'step'"),
        ({"mixed_precision": "fp8"}, "mixed_precision must be one of"),
        ({"warmup_steps": -1}, "warmup_steps must be at least 0, got -1"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"validate_every": 0}, "validate_every must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**63}, r"seed must be a whole number .* below 2\*\*63, got 9223372036854775808"),
        ({"weight_decay": math.nan}, "weight_decay must be finite and at least 0, got nan"),
        ({"betas": (0.9, math.nan)}, r"betas must be two numbers in \[0, 1\)"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainerConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 2.5}, "epochs must be a whole number at least 1, got float 2.5"),
        ({"checkpoint_every": True}, "checkpoint_every must be a whole number .*, got bool True"),
        (
            {"warmup_steps": math.nan},
            "warmup_steps must be a whole number at least 0, got float nan",
        ),
        ({"learning_rate": None}, "learning_rate must be a number .*, got NoneType None"),
        ({"learning_rate": "0.1"}, "learning_rate must be a number .*, got str '0.1'"),
        ({"clip_norm": True}, "clip_norm must be a number .*, got bool True"),
        ({"weight_decay": [0.1]}, "weight_decay must be a number .*, got list"),
        ({"betas": 0.9}, r"betas must be two numbers in \[0, 1\), got float 0.9"),
        ({"betas": (0.9,)}, r"betas must be two numbers in \[0, 1\), got tuple \(0.9,\)"),
        ({"betas": ("a", 0.9)}, r"betas must be two numbers in \[0, 1\), got tuple \('a', 0.9\)"),
    ],
)
def test_settings_that_are_no_numbers_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        TrainerConfig(**settings)


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (ValueError, "lr of a group of parameters must be finite.*-1", {"lr": -1.0}),
        (ValueError, "lr of a group of parameters must be finite.*nan", {"lr": math.nan}),
        (
            TypeError,
            "lr of a group of parameters must be a number .*, got str",
            {"lr": "0.1"},
        ),
        (ValueError, r"settings \['learning_rate'\], which there are not", {"learning_rate": 1.0}),
        (ValueError, r"weight_decay of a group .* -0.1", {"weight_decay": -0.1}),
        (ValueError, r"betas of a group must be two numbers", {"betas": (0.9, 1.0)}),
        (TypeError, r"betas of a group must be two numbers", {"betas": 0.9}),
        (TypeError, 'Expected parameters as "params"', {"params": ["weight"]}),
    ],
)
def test_bad_groups_are_refused(error: Any, message: str, change: dict[str, Any]) -> None:
    model = tiny_model()
    with pytest.raises(error, match=message):
        Trainer(model, parameter_groups=[{"params": model.parameters(), **change}])


def test_groups_are_of_the_models_parameters_each_once() -> None:
    model, other = tiny_model(), tiny_model()
    with pytest.raises(ValueError, match="The groups have 7 parameters that are not the model"):
        Trainer(model, parameter_groups=[{"params": [*model.parameters(), *other.parameters()]}])
    with pytest.raises(ValueError, match="in two groups, or twice in one"):
        Trainer(model, parameter_groups=[{"params": list(model.parameters())}] * 2)
    with pytest.raises(TypeError, match="Expected parameter_groups such as"):
        Trainer(model, parameter_groups=list(model.parameters()))  # type: ignore[arg-type]
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="No parameter of the model requires a gradient"):
        fit(model, TrainerConfig(epochs=1))


@pytest.mark.parametrize(
    ("error", "message", "returned"),
    [
        (TypeError, "must return numbers by name.*got float 0.5", 0.5),
        (TypeError, "must return numbers by name.*got NoneType", None),
        (TypeError, "got '0.5' of 'f1'", {"f1": "0.5"}),
        (TypeError, "got None of 'f1'", {"f1": None}),
        (TypeError, r"got tensor\(\[1., 2.\]\) of 'f1'", {"f1": torch.tensor([1.0, 2.0])}),
        *(
            (ValueError, rf"must not return \['{name}'\]", {"f1": 1.0, name: 1.0})
            for name in ("train_loss", "train_tags", "train_penalty", "step", "validation_tags")
        ),
    ],
)
def test_what_evaluate_may_not_return(error: Any, message: str, returned: Any) -> None:
    with pytest.raises(error, match=message):
        fit(tiny_model(), TrainerConfig(epochs=1), evaluate=lambda model: returned, metric="f1")


def test_numbers_of_numpy_and_torch_are_numbers() -> None:
    scores = {"f1": np.float32(0.5), "a": torch.tensor(0.25), "b": np.array(1), "c": 3, "d": True}
    history = fit(tiny_model(), TrainerConfig(epochs=1), evaluate=lambda model: scores, metric="f1")
    assert history[list(scores)].iloc[0].tolist() == [0.5, 0.25, 1.0, 3.0, 1.0]


def test_a_metric_that_never_is_a_number_is_warned_of() -> None:
    with pytest.warns(RuntimeWarning, match="'f1' was not a number at any validation"):
        fit(tiny_model(), TrainerConfig(epochs=1), evaluate=lambda m: {"f1": math.nan}, metric="f1")


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("config must be a TrainerConfig, got dict", {"config": {"epochs": 3}}),
        ("balancer must be a Balancer, got dict", {"balancer": {"tags": 1.0}}),
        ("evaluate must be a function", {"evaluate": {"f1": 1.0}}),
        ("metric must be a string, got NoneType", {"metric": None}),
        ("checkpoint must be a path, as text or pathlib.Path, got int 3", {"checkpoint": 3}),
        ("model must be a MultiTaskModel, got Linear", {"model": torch.nn.Linear(2, 2)}),
    ],
)
def test_what_a_trainer_is_made_of(message: str, settings: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=message):
        Trainer(**{"model": tiny_model(), **settings})


def test_bad_calls_are_refused() -> None:
    with pytest.raises(ValueError, match='mode must be "min" or "max", got \'mean\''):
        Trainer(tiny_model(), mode="mean")
    trainer = Trainer(tiny_model(), TrainerConfig(patience=1), progress=False)
    with pytest.raises(ValueError, match="patience=1 needs validation data or evaluate"):
        trainer.fit(TinyLoader())
    with pytest.raises(ValueError, match="The training data have no batch"):
        trainer.fit(TinyLoader(0), VALIDATION)
    with pytest.raises(ValueError, match="metric='f1' needs validation data or evaluate"):
        Trainer(tiny_model(), metric="f1", progress=False).fit(TinyLoader())
    with pytest.raises(KeyError, match=r"'f1' is not measured; there are .*validation_tags"):
        fit(tiny_model(), TrainerConfig(), metric="f1")
    with pytest.raises(KeyError, match=r"'f1' is not measured; there are .*'recall'"):
        fit(tiny_model(), TrainerConfig(), evaluate=lambda model: {"recall": 1.0}, metric="f1")
    with pytest.raises(ValueError, match=r"must not return \['validation_loss'\]"):
        fit(tiny_model(), TrainerConfig(), evaluate=lambda model: {"validation_loss": 1.0})
    loader = TinyLoader()
    loader.batches = lambda *position: iter([loader.batch(0, 0)])
    with pytest.raises(ValueError, match=r"Epoch 1 of the training .* 6 batches.* had 1"):
        Trainer(tiny_model(), progress=False).fit(loader)


def test_settings_may_be_numbers_of_numpy() -> None:
    config = TrainerConfig(epochs=np.int64(2), seed=np.int32(3), learning_rate=np.float32(0.5))
    assert (config.epochs, config.seed, config.learning_rate) == (2, 3, 0.5)
    # A checkpoint holds Python's own numbers alone.
    assert type(config.epochs) is int
    assert type(config.seed) is int
