"""Processes that are started from here: results, failures, kills, other numbers of them, shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import launched_runs
import pytest
import torch
from launched_runs import CONFIG, RARE, Deadly, deep_model
from parallel_runs import shared_private
from tiny_training import PatternLoader, TinyLoader, weights_of
from torch.distributed.distributed_c10d import Backend, BackendConfig

from mtl_utils.objectives import EqualWeights, FixedWeights, GradVac, UncertaintyWeights
from mtl_utils.training import (
    LostProcessError,
    ShardedTraining,
    Trainer,
    TrainerConfig,
    averaged_gradients,
    fit_in_processes,
    run_in_processes,
    whole_state,
)
from mtl_utils.training.own_device import backend, own_device
from mtl_utils.training.processes import make_accelerator

NEVER = 10**9


def uninterrupted(balancer: Any) -> dict[str, torch.Tensor]:
    model = deep_model()
    trainer = Trainer(model, CONFIG, balancer=balancer, progress=False)
    trainer.fit(TinyLoader(), TinyLoader(3, seed=9))
    return weights_of(model)


def assert_near(found: Any, expected: Any, tolerance: float) -> None:
    for name, tensor in expected.items():
        if str(name).endswith("key.bias"):
            continue  # a softmax does not see it: its gradient is rounding, which Adam makes steps
        off = torch.linalg.vector_norm(found[name] - tensor)
        assert float(off) <= tolerance * float(torch.linalg.vector_norm(tensor)), name


def test_each_process_returns_its_own() -> None:
    assert run_in_processes(launched_runs.ranks, 3, 10) == [(10, 33), (11, 33), (12, 33)]


def test_a_process_may_have_processes_of_its_own() -> None:
    assert run_in_processes(launched_runs.reading, 2) == [[0, 1, 2, 3]] * 2


def test_where_a_process_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With GPUs a group must send tensors of the CPU too, by gloo; nccl has no way for them."""
    assert own_device() is None
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    for on_gpus, expected in ((False, None), (True, torch.device("cuda", 3))):
        of_group = BackendConfig(Backend(backend(on_gpus)))
        sent_by = of_group.get_device_backend_map()
        assert sent_by["cpu"] == "gloo"
        assert (sent_by.get("cuda") == "nccl") == on_gpus
        said = repr(of_group)
        monkeypatch.setattr(torch.distributed, "get_backend_config", lambda found=said: found)
        assert own_device() == expected


def test_averages_weighed_by_counts_are_those_of_the_whole_batch() -> None:
    """Penalties on states too; a mean of means is something else."""
    model = shared_private(orthogonality_strength=1.0, adversary_strength=0.5)
    batch = TinyLoader().batch(0, 0)
    alone = averaged_gradients(model, batch)
    found = run_in_processes(launched_runs.both_ways, 2, model, batch)
    for first, second in zip(*found, strict=True):
        assert first.keys() == second.keys() == alone.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
    weighed, plain = found[0]
    assert_near(weighed, alone, 1e-12)
    name = "heads.tags.output.weight"
    assert float((plain[name] - alone[name]).norm()) > 0.01 * float(alone[name].norm())


def test_what_would_not_shard_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On processors accelerate keeps a whole copy in every process and says nothing."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match=r"ACCELERATE_USE_FSDP.*shard_model"):
        make_accelerator("no")


def test_an_error_in_one_process_ends_all() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Process 1 of 2 .* KeyError: 'no such thing'"):
        run_in_processes(launched_runs.failing, 2, 1)


def test_what_cannot_be_imported_is_refused() -> None:
    with pytest.raises(ValueError, match="processes that start anew import what they call"):
        run_in_processes(lambda: 1, 2)
    with pytest.raises(ValueError, match="argument of ranks cannot be handed"):
        run_in_processes(launched_runs.ranks, 2, lambda: 1)


@pytest.mark.parametrize("balancer", [GradVac, UncertaintyWeights])
def test_a_run_goes_on_in_other_numbers_of_processes(balancer: Any, tmp_path: Path) -> None:
    def made() -> Any:
        return balancer() if balancer is GradVac else balancer(["tags", "topic"])

    said = [run_in_processes(launched_runs.session, 2, tmp_path, 5, made())[0]["said"]]
    said.append(launched_runs.session(tmp_path, 5, made())["said"])
    said.append(run_in_processes(launched_runs.session, 2, tmp_path, 5, made())[0]["said"])
    last = run_in_processes(launched_runs.session, 4, tmp_path, NEVER, made())
    for results in last:
        assert_near(results["weights"], uninterrupted(made()), 1e-10)
    assert "processes" not in said[0]
    assert "written by 2 processes, and 1 process goes on" in said[1]
    assert "written by 1 process, and 2 processes go on" in said[2]
    assert "written by 2 processes, and 4 processes go on" in last[0]["said"]
    assert "as dropout, is not" in last[0]["said"]
    assert "written by" not in last[1]["said"]


def test_a_killed_process_ends_all_and_the_run_goes_on(tmp_path: Path) -> None:
    weights = {"tags": 1.0, "topic": 0.5}

    def trainer() -> Trainer:
        balancer = FixedWeights(weights)
        path = tmp_path / "run.pt"
        return Trainer(deep_model(), CONFIG, balancer=balancer, checkpoint=path, progress=False)

    loader = Deadly(tmp_path / "killed", rank=1, index=3)
    with pytest.raises(LostProcessError, match=r"Process 1 of 2 .*SIGKILL.*same call goes on"):
        fit_in_processes(trainer(), loader, TinyLoader(3, seed=9), num_processes=2)
    assert (tmp_path / "killed").exists()
    again = trainer()
    history = fit_in_processes(again, loader, TinyLoader(3, seed=9), num_processes=2)
    assert list(history["epoch"]) == [1, 2, 3]
    assert not again.model.training
    assert_near(weights_of(again.model), uninterrupted(FixedWeights(weights)), 1e-10)


def test_the_other_process_says_what_a_broken_connection_means(tmp_path: Path) -> None:
    """As under another launcher, which may end the others or not."""
    with pytest.raises(LostProcessError, match=r"Process 1 of 2 .* ended without a word"):
        run_in_processes(launched_runs.losing, 2, tmp_path)
    said = (tmp_path / "said").read_text("utf-8")
    assert said.startswith("Another process of this training has ended after about 0 steps")


def test_sharded_models_train_as_whole_ones() -> None:
    alone = launched_runs.sharded(50)
    both = run_in_processes(launched_runs.sharding, 2, 50)
    rarely = [launched_runs.rarely_labelled(), *(found for *_, found in both)]
    assert_trained_as_by_a_trainer(rarely)
    for results, _, _ in both:
        assert results.losses == pytest.approx(alone.losses, rel=1e-5)
        assert_near(results.weights, alone.weights, 1e-5)
        names = [name for name, _ in launched_runs.deep_model().named_parameters()]
        for name, (place, state) in zip(names, alone.optimizer["state"].items(), strict=True):
            if not name.endswith("key.bias"):
                assert_near(results.optimizer["state"][place], state, 1e-4)
    kept = [results.kept for results, _, _ in both]
    assert sum(kept) == alone.kept
    assert max(kept) < 0.6 * alone.kept
    model = deep_model(dtype=torch.float32)
    model.load_state_dict(both[0][0].weights)
    assert whole_state(model.state_dict()).keys() == both[0][0].weights.keys()
    of_combiner, of_trainer = both[0][1]
    assert "GradVac looks at the gradient of each task on whole parameters" in of_combiner
    assert "Trainer is given whole models" in of_trainer


def assert_trained_as_by_a_trainer(found: list[ShardedTraining]) -> None:
    """A task without a label in a batch rests in it: its head is not moved by memory or decay."""
    model, settings = deep_model(), {"learning_rate": 0.01, "weight_decay": 0.1}
    config = TrainerConfig(epochs=2, schedule="constant", clip_norm=None, **settings)
    trainer = Trainer(model, config, balancer=EqualWeights(), shares_every=None, progress=False)
    trainer.fit(PatternLoader(RARE, absent=False))
    for results in found:
        assert len(results.losses) == 2 * sum(bool(tasks) for tasks in RARE)
        assert_near(results.weights, weights_of(model), 1e-10)
