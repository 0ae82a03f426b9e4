"""A trainer that deals its model out: one process, several, other numbers of them, clipping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sharded_runs
import torch
from sharded_runs import CONFIG, trainer
from test_launching import NEVER, assert_near
from tiny_training import TinyLoader, weights_of

from mtl_utils.objectives import FAMO, GradNorm, GradVac
from mtl_utils.training import TrainerConfig, fit_in_processes, load_checkpoint, run_in_processes


def _trained(num_processes: int, **settings: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    made, loaders = trainer(**settings), (TinyLoader(17), TinyLoader(3, seed=9))
    if num_processes == 1:
        history = made.fit(*loaders)
    else:
        history = fit_in_processes(made, *loaders, num_processes=num_processes)
    return history, weights_of(made.model)


@pytest.mark.parametrize("number", [2, 4])
def test_shards_learn_what_one_process_learns(tmp_path: Path, number: int) -> None:
    """Fifty steps in single precision, with clipping, groups and weights that are learnt."""
    alone, weights = _trained(1, checkpoint=tmp_path / "alone.pt")
    history, of_shards = _trained(number, checkpoint=tmp_path / "shards.pt")
    assert list(history["step"]) == list(alone["step"]) == [17, 34, 50]
    for column in [name for name in alone if name.startswith(("train_", "validation_"))]:
        assert list(history[column]) == pytest.approx(list(alone[column]), rel=1e-5), column
    assert list(history["first_topic"]) == list(alone["first_topic"])
    assert_near(of_shards, weights, 1e-5)

    # Checkpoints are as whole as those of one process.
    files = [load_checkpoint(tmp_path / f"{name}.pt") for name in ("alone", "shards")]
    one, two = (file["optimizer"]["state"] for file in files)
    assert one.keys() == two.keys()
    names = [n for n, _ in trainer().model.named_parameters() if not n.endswith("key.bias")]
    assert len(names) > 10
    for place, state in one.items():
        assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in two[place].items()}
    assert files[0]["fingerprint"] == files[1]["fingerprint"]
    assert files[0]["first weights"] == files[1]["first weights"]

    _, unclipped = _trained(1, config=replace(CONFIG, clip_norm=None))
    with pytest.raises(AssertionError):
        assert_near(unclipped, weights, 1e-3)


def test_a_run_of_shards_goes_on_in_other_numbers_of_processes(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    expected, all_weights = sharded_runs.session(whole, NEVER)
    run_in_processes(sharded_runs.session, 2, tmp_path, 5)
    sharded_runs.session(tmp_path, 5)
    last = run_in_processes(sharded_runs.session, 3, tmp_path, NEVER)
    for found, kept in last:
        assert_near(found, expected, 1e-10)
        assert kept < 0.5 * all_weights
    assert sum(kept for _, kept in last) == all_weights


def test_a_run_of_shards_that_diverges_leaves_the_weights_before() -> None:
    said, weights = sharded_runs.diverging()
    assert "The weights are those before that step" in said
    for other, left in run_in_processes(sharded_runs.diverging, 2):
        assert other.split("(epoch")[0] == said.split("(epoch")[0]
        assert all(torch.isfinite(tensor).all() for tensor in left.values())
        assert_near(left, weights, 1e-4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"balancer": GradVac()}, "GradVac looks at the gradient of each task"),
        ({"balancer": GradNorm(["tags", "topic"])}, "GradNorm looks at the gradient of each task"),
        ({"config": TrainerConfig(mixed_precision="bf16")}, "got mixed_precision='bf16'"),
    ],
)
def test_what_cannot_be_had_in_shards_is_refused(settings: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trainer(**settings)


def test_a_balancer_may_look_again_at_losses_of_shards() -> None:
    settings = {"balancer": FAMO(["tags", "topic"]), "config": replace(CONFIG, max_steps=9)}
    _, weights = _trained(1, **settings)
    settings["balancer"] = FAMO(["tags", "topic"])
    assert_near(_trained(2, **settings)[1], weights, 1e-5)
