"""Two processes against one: the same weights, the same history, one writer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import parallel_runs
import pytest
import torch
from parallel_runs import GeometricBalancer, run
from tiny_training import TinyLoader, same_weights, tiny_model
from two_processes import results_of

from mtl_utils.training import TrainerConfig
from mtl_utils.training.randomness import seeded

Results = dict[str, Any]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """Return what each of the two processes came to."""
    return results_of("parallel_runs", tmp_path_factory.mktemp("processes"))


@pytest.fixture(scope="module")
def alone() -> Results:
    """Return what one process comes to."""
    return parallel_runs.runs()


def assert_close(found: Results, expected: Results, tolerance: float) -> None:
    for kind in ("weights", "balancer"):
        torch.testing.assert_close(found[kind], expected[kind], rtol=tolerance, atol=tolerance)
    assert found["history"].keys() == expected["history"].keys()
    for name, column in expected["history"].items():
        np.testing.assert_allclose(found["history"][name], column, rtol=tolerance, err_msg=name)


def test_shards_are_as_unequal_as_they_are_meant_to_be() -> None:
    """The comparisons would prove little if each process counted as much as the other."""
    counts = [
        {task: int((labels != -100).sum()) for task, labels in batch.labels.items()}
        for rank in range(2)
        for batch in TinyLoader().batches(0, 0, rank, 2)
    ]
    first, second = counts[:6], counts[6:]
    assert [list(c) for c in first] == [list(c) for c in second]
    assert {tuple(c) for c in first} == {("tags", "topic"), ("tags",), ("topic",)}
    assert second[3] == {"tags": 0, "topic": 0}
    assert first[0]["tags"] > 2 * second[0]["tags"] > 0


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("adamw", 1e-12),
        ("float32", 2e-6),
        ("one batch a task", 1e-12),
        ("balancer", 1e-12),
        *((f"weighed by {type(each).__name__}", 1e-6) for each in parallel_runs.weighing()),
        *((f"drawn by {name}", 1e-12) for name in parallel_runs.learning()),
        ("penalty", 1e-12),
        ("shared-private", 1e-11),
        ("shared-private, a row a batch", 1e-11),
        ("shared-private, one batch a task", 1e-11),
        ("missing labels", 1e-12),
        ("absent tasks", 1e-12),
        ("shares", 1e-12),
        ("shares, one batch a task", 1e-12),
        ("shares, missing labels", 1e-12),
        ("accumulated", 1e-12),
        ("accumulated, one batch a task", 1e-12),
        ("accumulated, missing labels", 1e-12),
        ("accumulated, shared-private", 1e-11),
        ("stopped tasks", 1e-12),
        ("ended", 1e-12),
        ("tasks in another order", 1e-12),
        ("early", 1e-12),
    ],
)
def test_two_processes_do_what_one_does(
    both: list[Results], alone: Results, name: str, tolerance: float
) -> None:
    assert [results["processes"] for results in both] == [2, 2]
    for results in both:
        assert_close(results[name], alone[name], tolerance)
    # Replicas drift apart for good if they are not the same to the last bit.
    assert same_weights(both[0][name]["weights"], both[1][name]["weights"])
    assert same_weights(both[0][name]["balancer"], both[1][name]["balancer"])
    np.testing.assert_equal(both[0][name]["history"], both[1][name]["history"])


@pytest.mark.parametrize(
    "name", ["shares", "shares, one batch a task", "shares, missing labels", "accumulated"]
)
def test_shares_are_those_of_the_whole_batch(
    both: list[Results], alone: Results, name: str
) -> None:
    expected = alone[name]["shares"]
    assert len(expected["step"]) >= 4
    for results in both:
        assert results[name]["shares"].keys() == expected.keys()
        for column, values in expected.items():
            np.testing.assert_allclose(results[name]["shares"][column], values, rtol=1e-9)


@pytest.mark.parametrize("name", parallel_runs.learning())
def test_samplers_that_learn_draw_the_same_in_both(
    both: list[Results], alone: Results, name: str
) -> None:
    expected = alone[f"drawn by {name}"]
    assert sum(expected["taken"]) == 30
    assert expected["probabilities"] != pytest.approx((0.5, 0.5), abs=1e-3)
    for results in both:
        found = results[f"drawn by {name}"]
        assert found["taken"] == expected["taken"]
        assert found["probabilities"] == pytest.approx(expected["probabilities"], rel=1e-9)


def test_what_ends_in_the_first_process_ends_in_both(both: list[Results]) -> None:
    for results in both:
        assert results["ended"]["history"]["step"] == [6, 8]
        stopped = results["stopped tasks"]["history"]
        assert 1 in stopped["tags_stopped"] + stopped["topic_stopped"]


def test_missing_labels_are_absent_tasks_in_both(both: list[Results], alone: Results) -> None:
    for results in (*both, alone):
        assert same_weights(
            results["missing labels"]["weights"], results["absent tasks"]["weights"]
        )


@pytest.mark.parametrize(
    ("name", "expected", "from_other"),
    [
        ("fewer", r"ValueError: Epoch 1 .* 6 batches.* had 1", "Process 1 failed to read"),
        ("broken", "OSError: the disk is gone", "Process 1 failed to read"),
        ("unknown task", "KeyError: .*No task named 'nothing'", "Process 1 failed to read"),
        ("other tasks", r"\['tags', 'topic'\] and process 1 one of \['tags'\]", ""),
        ("number of batches", r"num_batches.* \[6, 7\]", ""),
    ],
)
def test_loaders_that_do_not_agree_stop_both(
    both: list[Results], name: str, expected: str, from_other: str
) -> None:
    errors = [results[name]["error"] for results in both]
    assert re.search(expected, errors[1]), errors
    if from_other:
        assert errors[0].startswith(f"RuntimeError: {from_other} its batch")
        assert errors[1] in errors[0]
    else:
        assert errors[0] == errors[1]
    assert same_weights(both[0][name]["weights"], both[1][name]["weights"])


def test_processes_that_failed_together_go_on_together(both: list[Results]) -> None:
    expected = run(TrainerConfig(epochs=1))
    for results in both:
        assert_close(results["afterwards"], expected, 1e-12)


def test_the_first_processs_scores_stop_both(both: list[Results]) -> None:
    for results in both:
        assert results["early"]["history"]["score"] == [0.5, 0.7, 0.6, 0.1]


def test_all_stop_at_a_loss_that_is_not_finite_in_one(both: list[Results], alone: Results) -> None:
    error = alone["diverging"]["error"]
    assert "loss of topic became nan at step 4 (epoch 1" in error
    for results in both:
        assert results["diverging"]["error"] == error


def test_a_failure_in_the_first_process_ends_the_other(both: list[Results]) -> None:
    assert both[0]["failing"]["error"] == "RuntimeError: no such file"
    assert "The first process failed: RuntimeError: no such file" in both[1]["failing"]["error"]


def test_all_start_from_the_first_processs_weights(both: list[Results]) -> None:
    expected = run(
        TrainerConfig(epochs=1, learning_rate=0.02),
        model=tiny_model(dropout=0.0, dtype=torch.float64),
        balancer=GeometricBalancer(0.5),
    )
    for results in both:
        assert_close(results["different starts"], expected, 1e-12)


def test_a_run_that_was_stopped_goes_on_in_both(both: list[Results]) -> None:
    for results in both:
        assert results["stopped"]["error"].startswith("Stopped")
        assert results["resumed"]["history"] == results["dropout"]["history"]
        assert same_weights(results["resumed"]["weights"], results["dropout"]["weights"])


def test_dropout_differs_between_processes_and_seeds() -> None:
    drawn = {}
    for rank in range(2):
        for seed in range(3):
            with seeded(seed, torch.device("cpu"), rank):
                drawn[rank, seed] = (float(torch.rand(())), np.random.rand())
    assert len({value for pair in drawn.values() for value in pair}) == 12
    torch.manual_seed(2)
    assert drawn[0, 2][0] == float(torch.rand(()))


def test_only_the_first_process_writes(both: list[Results]) -> None:
    # Of 18 steps 4, 8, 12 and 16, and the end of three epochs, before and after validation; the
    # run in parts wrote as often.
    assert [results["writes"] for results in both] == [20, 0]
