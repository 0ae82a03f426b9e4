"""Every way of sharing in two processes: what one process comes to, and the same in both."""

import family_runs
import numpy as np
import pytest
import torch
from tiny_families import FAMILIES
from two_processes import results_of


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return results_of("family_runs", tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="module")
def alone():
    return family_runs.runs()


def test_halves_are_unequal():
    """Otherwise a mean over processes would be right by chance."""
    first, second = family_runs.counts()
    assert first["pos"] > 1.5 * second["pos"] > 0
    assert first["ner"] != second["ner"]


@pytest.mark.parametrize("family", FAMILIES)
def test_two_processes_do_what_one_does(both, alone, family):
    assert [results["processes"] for results in both] == [2, 2]
    expected = alone[family]
    for results in both:
        found = results[family]
        torch.testing.assert_close(found["weights"], expected["weights"], rtol=1e-9, atol=1e-9)
        assert found["history"].keys() == expected["history"].keys()
        for name, column in expected["history"].items():
            np.testing.assert_allclose(found["history"][name], column, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("run", [*FAMILIES, *(f"{name}, balanced" for name in family_runs.UNEVEN)])
def test_both_have_the_same_weights_to_the_last_bit(both, run):
    first, second = (results[run]["weights"] for results in both)
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_what_is_measured_of_the_use_of_experts_moves_them(alone):
    for family in family_runs.UNEVEN:
        plain, balanced = (alone[name]["weights"] for name in (family, f"{family}, balanced"))
        assert any(not torch.equal(value, plain[name]) for name, value in balanced.items())
