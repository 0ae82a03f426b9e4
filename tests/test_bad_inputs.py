"""Bad inputs of every public entry point: refused, with argument, value and what was expected."""

from __future__ import annotations

import re
from typing import Any

import bad_inputs_atlas
import bad_inputs_continual
import bad_inputs_data
import bad_inputs_deployment
import bad_inputs_diagnosis
import bad_inputs_diagrams
import bad_inputs_experiments
import bad_inputs_interpretation
import bad_inputs_kinds
import bad_inputs_models
import bad_inputs_nn
import bad_inputs_objectives
import bad_inputs_pictures
import bad_inputs_reader
import bad_inputs_relations
import bad_inputs_sampling
import bad_inputs_scaling
import bad_inputs_sharing
import bad_inputs_tasks
import bad_inputs_text_model
import bad_inputs_training
import bad_inputs_transfer
import bad_inputs_tuning
import bad_inputs_weighing
import pytest
from bad_input_cases import EntryPoint, raised_by

TABLES = (
    bad_inputs_atlas,
    bad_inputs_continual,
    bad_inputs_data,
    bad_inputs_deployment,
    bad_inputs_diagnosis,
    bad_inputs_diagrams,
    bad_inputs_experiments,
    bad_inputs_interpretation,
    bad_inputs_kinds,
    bad_inputs_models,
    bad_inputs_nn,
    bad_inputs_objectives,
    bad_inputs_pictures,
    bad_inputs_reader,
    bad_inputs_relations,
    bad_inputs_sampling,
    bad_inputs_scaling,
    bad_inputs_sharing,
    bad_inputs_tasks,
    bad_inputs_text_model,
    bad_inputs_training,
    bad_inputs_transfer,
    bad_inputs_tuning,
    bad_inputs_weighing,
)
ENTRY_POINTS = [entry for table in TABLES for entry in table.ENTRY_POINTS]
#: All bad values of an argument are one test: to hand out a test costs more than to try a value.
ARGUMENTS = [(entry, argument) for entry in ENTRY_POINTS for argument in entry.bad]
CASES = [case for entry in ENTRY_POINTS for case in entry.cases()]


def _name(case: tuple[EntryPoint, str, Any]) -> str:
    entry, argument, value = case
    return f"{entry.name}, {argument}={_shown(value)}"


def _shown(value: Any) -> str:
    shown = re.sub(r"0x[0-9a-f]+|/[\w/.-]+", "...", f"{value!r}")  # not the same in two processes
    if isinstance(value, set | frozenset):
        shown = f"{sorted(map(repr, value))}"
    return re.sub(r"\s+", " ", f"{shown:.40}")


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: entry.name)
def test_good_arguments_are_taken(entry: EntryPoint) -> None:
    """Otherwise the refusals below would show nothing."""
    entry.call(**entry.good())


@pytest.mark.parametrize(
    ("entry", "argument"),
    ARGUMENTS,
    ids=lambda part: part.name if isinstance(part, EntryPoint) else part,
)
def test_bad_arguments_are_refused_clearly(entry: EntryPoint, argument: str) -> None:
    """The assertion lists every value that is not, with what is wrong."""
    complaints = [(value, entry.complaints(argument, value)) for value in entry.bad[argument]]
    assert [f"{_shown(value)}: {wrong}" for value, wrong in complaints if wrong] == []


def test_there_are_many() -> None:
    assert len(CASES) >= 600
    assert len(set(map(_name, CASES))) > 0.9 * len(CASES)


def test_a_silent_an_obscure_and_a_clear_refusal_are_told_apart() -> None:
    def silent(size: int) -> None:
        """Take anything."""

    def obscure(size: int) -> None:
        """Fail somewhere below."""
        raise AttributeError("no attribute")

    def clear(size: int) -> None:
        """Refuse.

        Raises:
            ValueError: If the size is odd.
        """
        raise ValueError(f"size must be even, got {size}")

    met = [
        EntryPoint(function.__name__, function, dict, {"size": [3]}).complaints("size", 3)
        for function in (silent, obscure, clear)
    ]
    assert met[0].startswith("silent")
    assert "undocumented" in met[1]
    assert "not named" in met[1]
    assert "not shown" in met[1]
    assert met[2] == ""
    assert raised_by(clear) == {"ValueError"}
