"""Mixed precision. On a CPU a scaled half-precision run is put together from its parts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from tiny_training import (
    InterruptedLoader,
    PatternLoader,
    Stopped,
    TinyLoader,
    same_weights,
    tiny_model,
    weights_of,
)
from torch import Tensor

from mtl_utils.data import BatchLoader, Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.objectives import AdaTask
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Tagging
from mtl_utils.training import (
    Callback,
    StepReport,
    Trainer,
    TrainerConfig,
    load_checkpoint,
    precision,
    processes,
    run,
)

VALIDATION = TinyLoader(3, seed=9)
Weights = dict[str, Tensor]


def fit(mixed_precision: Any, **settings: Any) -> tuple[Weights, pd.DataFrame]:
    model = settings.pop("model", None) or tiny_model(dropout=settings.pop("dropout", 0.0))
    train = settings.pop("train", None) or TinyLoader()
    config = TrainerConfig(epochs=3, mixed_precision=mixed_precision, checkpoint_every=4)
    history = Trainer(model, config, progress=False, **settings).fit(train, VALIDATION)
    return weights_of(model), history.drop(columns="seconds")


def test_bf16_is_close_to_full_precision_and_is_not_it() -> None:
    weights, histories = zip(*(fit(name) for name in ("no", "bf16", "no")), strict=True)
    assert np.isfinite(histories[1]).all().all()
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-2)
    assert not same_weights(weights[0], weights[1])
    assert same_weights(weights[0], weights[2])
    assert all(weight.dtype == torch.float32 for weight in weights[1].values())


def test_validation_runs_in_the_same_precision() -> None:
    seen = set()
    model = tiny_model()
    model.sharing.register_forward_hook(
        lambda module, inputs, shared: seen.add((module.training, shared.features.dtype))
    )
    fit("bf16", model=model)
    assert seen == {(True, torch.bfloat16), (False, torch.bfloat16)}


@pytest.mark.parametrize("has_it", [True, False])
def test_auto_is_bf16_where_the_machine_has_it(
    monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda: has_it)
    weights, history = fit("auto")
    expected, same = fit("bf16" if has_it else "no")
    assert same_weights(weights, expected)
    pd.testing.assert_frame_equal(history, same)


@pytest.mark.skipif(
    torch.cuda.is_available() or not Path("/proc/cpuinfo").is_file(),
    reason="there is a GPU, or no list of what the processor can do",
)
def test_a_processor_has_bfloat16_where_its_flags_say_so() -> None:
    flags = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    assert precision.has_bfloat16() == bool(flags & {"avx512_bf16", "amx_tile"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_fp16_needs_a_gpu() -> None:
    with pytest.raises(ValueError, match='use "bf16" or "no" on a CPU'):
        fit("fp16")


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], list[Accelerator]]:
    """Return what makes runs on a CPU scale their losses, and lists their accelerators."""
    made: list[Accelerator] = []

    def start(scale: float) -> list[Accelerator]:
        def make(mixed_precision: str) -> Accelerator:
            processes.AcceleratorState._reset_state()
            accelerator = Accelerator(mixed_precision=mixed_precision, cpu=True)
            accelerator.native_amp = True
            accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
            made.append(accelerator)
            return accelerator

        monkeypatch.setattr(run, "make_accelerator", make)
        return made

    return start


def test_fp16_is_close_to_full_precision(scaled: Callable[[float], Any]) -> None:
    _, expected = fit("no")
    scaled(2.0**10)
    _, history = fit("fp16")
    np.testing.assert_allclose(history, expected, rtol=1e-2)


def test_overflows_skip_steps_until_the_scale_is_right(scaled: Callable[[float], Any]) -> None:
    made = scaled(2.0**30)
    weights, history = fit("fp16")
    assert 1 < made[0].scaler.get_scale() < 2.0**30
    assert np.isfinite(history).all().all()
    assert not same_weights(weights, weights_of(tiny_model()))


def test_a_gradient_that_overflows_at_every_scale_stops(scaled: Callable[[float], Any]) -> None:
    scaled(2.0**16)
    model = tiny_model()
    head = model.head("topic")
    loss = head.loss
    head.loss = lambda outputs, batch: (0.0 * loss(outputs, batch)).sqrt()
    train = TinyLoader(40)
    with pytest.raises(FloatingPointError, match="gradient norm of all tasks became nan"):
        fit("fp16", model=model, train=train)
    # Batches without the topic have moved the weights; the others have left them alone.
    assert all(weight.isfinite().all() for weight in weights_of(model).values())


def test_the_scale_is_resumed(scaled: Callable[[float], Any], tmp_path: Path) -> None:
    made = scaled(2.0**20)
    weights, history = fit("fp16", dropout=0.2)
    with pytest.raises(Stopped):
        fit("fp16", dropout=0.2, checkpoint=tmp_path / "run.pt", train=InterruptedLoader(7))
    assert load_checkpoint(tmp_path / "run.pt")["scaler"]["scale"] < 2.0**20
    again, same = fit("fp16", dropout=0.2, checkpoint=tmp_path / "run.pt")
    pd.testing.assert_frame_equal(same, history, check_exact=True)
    assert same_weights(again, weights)
    assert made[2].scaler.get_scale() == made[0].scaler.get_scale()


def test_steps_that_a_balancer_makes_are_skipped_with_the_others(
    scaled: Callable[[float], Any],
) -> None:
    """Where a scale overflows, neither the weights nor what AdaTask remembers changes."""
    first: dict[float, Weights] = {}
    for scale in (2.0**10, 2.0**18):
        made = scaled(scale)
        balancer, model, seen = AdaTask(), tiny_model(dropout=0.0), []
        loader = PatternLoader([("tags", "topic")] * 12, absent=True)

        def look(report: StepReport, model: Any = model, seen: Any = seen) -> None:
            seen.append(weights_of(model))

        config = TrainerConfig(epochs=1, mixed_precision="fp16", schedule="constant")
        callbacks = [_Steps(look)]
        Trainer(model, config, balancer=balancer, progress=False, callbacks=callbacks).fit(loader)
        begun = [weights_of(tiny_model(dropout=0.0)), *seen]
        still = [same_weights(a, b) for a, b in pairwise(begun)]
        overflows = round(np.log2(scale / made[-1].scaler.get_scale()))
        assert sum(still) == overflows
        for of_task in balancer.state_dict()["_extra_state"]["states"].values():
            assert {int(steps) for steps, _, _ in of_task.values()} == {12 - overflows}
            assert all(tensor.isfinite().all() for three in of_task.values() for tensor in three)
        first[overflows] = seen[still.index(False)]
    assert min(first) == 0 < max(first)


class _Steps(Callback):
    """Tells a function of each step."""

    def __init__(self, told: Callable[[StepReport], None]) -> None:
        self.told = told

    def on_step(self, report: StepReport) -> None:
        self.told(report)


def test_bf16_trains_an_lstm_on_any_processor() -> None:
    """Batches without padding stopped deep inside PyTorch where it has no instructions."""
    torch.manual_seed(0)
    model = MultiTaskModel(HardSharing(BiLSTMEncoder(20, 8)), [Tagging("tags", tuple("abcd"))])
    examples = [Example([1 + i, 2, 3], {"tags": [i % 4, 1, 2]}) for i in range(8)]
    loader = BatchLoader(examples, batch_size=4)
    config = TrainerConfig(epochs=20, learning_rate=0.05, mixed_precision="bf16")
    history = Trainer(model, config, progress=False).fit(loader, loader)
    assert history["validation_loss"].iloc[-1] < 0.5 * history["validation_loss"].iloc[0]
