"""Every balancer of the package in two and in four processes, against one on the whole batch."""

from __future__ import annotations

from typing import Any

import balanced_runs
import pytest
import torch
from tiny_training import same_weights
from two_processes import results_of

Results = dict[str, Any]


@pytest.fixture(scope="module")
def alone() -> Results:
    """Return what one process comes to."""
    return balanced_runs.runs()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """Return what each of two processes comes to."""
    return results_of("balanced_runs", tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """Return what each of four processes comes to, of the long runs."""
    return results_of("balanced_runs", tmp_path_factory.mktemp("four"), number=4)


def distance(found: Results, expected: Results) -> float:
    """Return the greatest relative distance of a tensor; absolute where all is to be 0.

    What is whole numbers, or no number, must be the same.
    """
    assert found.keys() == expected.keys()
    worst = 0.0
    for name, tensor in expected.items():
        if not tensor.is_floating_point():
            assert torch.equal(found[name], tensor), name
            continue
        assert torch.equal(found[name].isnan(), tensor.isnan()), name
        off = torch.linalg.vector_norm((found[name] - tensor).nan_to_num().double())
        length = torch.linalg.vector_norm(tensor.nan_to_num().double())
        worst = max(worst, float(off) / (float(length) or 1.0))
    return worst


LONG = [f"{name}, fifty steps" for name in balanced_runs.LONG]
SHORT = [
    *balanced_runs.names(),
    *(f"{name}, on features" for name in balanced_runs.ON_FEATURES),
    *(f"{name}, one batch a task" for name in ("GradVac", "GradDrop", "GradNorm")),
    *("EqualWeights, penalty on states", "PCGrad, penalty on states", "UPGrad, penalty"),
]


@pytest.mark.parametrize("name", SHORT)
def test_two_processes_do_what_one_does(two: list[Results], alone: Results, name: str) -> None:
    assert_as_one(two, alone, name, 1e-10)


@pytest.mark.parametrize("name", LONG)
def test_fifty_steps_in_single_precision(
    two: list[Results], four: list[Results], alone: Results, name: str
) -> None:
    assert alone[name]["history"]["step"][-1] == 50
    for together in (two, four):
        assert_as_one(together, alone, name, 1e-5)


def assert_as_one(together: list[Results], alone: Results, name: str, tolerance: float) -> None:
    assert "error" not in alone[name], alone[name]
    first = together[0][name]
    for results in together:
        assert results["processes"] == len(together)
        assert "error" not in results[name], results[name]
        # Replicas drift apart for good if they are not the same to the last bit.
        assert same_weights(results[name]["weights"], first["weights"])
        assert same_weights(results[name]["balancer"], first["balancer"])
    for kind in ("weights", "balancer"):
        assert distance(first[kind], alone[name][kind]) < tolerance
    for column, expected in alone[name]["history"].items():
        assert first["history"][column] == pytest.approx(expected, rel=tolerance), column


def test_every_run_is_compared(alone: Results) -> None:
    assert set(SHORT + LONG) == set(alone)
