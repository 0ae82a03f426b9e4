"""The table ``[balancer]``: its keys for each kind, and the balancer that it asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mtl_utils.commands.keys import Key, keys_of, read_table
from mtl_utils.objectives import (
    FAMO,
    IMTLG,
    MGDA,
    AdaTask,
    AlignedMTL,
    Balancer,
    CAGrad,
    DynamicWeightAverage,
    EqualWeights,
    FairGrad,
    FixedWeights,
    GeometricMean,
    GradDrop,
    GradNorm,
    GradVac,
    ImpartialLosses,
    NashMTL,
    PCGrad,
    RandomWeights,
    ScaleInvariantLog,
    SmoothChebyshev,
    UncertaintyWeights,
    UPGrad,
)

#: Arguments that come from elsewhere in the file, or that no file can give.
_ELSEWHERE = ("tasks", "seed", "parameters")
#: Made for all tasks of a file, without which they are of no use.
_OF_TASKS: dict[str, type[Balancer]] = {
    "uncertainty": UncertaintyWeights,
    "impartial": ImpartialLosses,
    "dynamic_average": DynamicWeightAverage,
    "gradnorm": GradNorm,
    "random": RandomWeights,
    "famo": FAMO,
    "chebyshev": SmoothChebyshev,
}
_ALONE: dict[str, type[Balancer]] = {
    "equal": EqualWeights,
    "geometric_mean": GeometricMean,
    "log": ScaleInvariantLog,
}
#: Made of their settings alone: what looks at the gradients of tasks.
_OF_GRADIENTS: dict[str, type[Balancer]] = {
    "mgda": MGDA,
    "upgrad": UPGrad,
    "cagrad": CAGrad,
    "nash_mtl": NashMTL,
    "fairgrad": FairGrad,
    "imtl_g": IMTLG,
    "aligned_mtl": AlignedMTL,
    "pcgrad": PCGrad,
    "gradvac": GradVac,
    "graddrop": GradDrop,
    "adatask": AdaTask,
}
BALANCERS: dict[str, dict[str, Key]] = {
    **{kind: {} for kind in _ALONE},
    "fixed": keys_of(FixedWeights),
    **{kind: keys_of(described, _ELSEWHERE) for kind, described in _OF_TASKS.items()},
    **{kind: keys_of(described) for kind, described in _OF_GRADIENTS.items()},
}
"""Keys of the table beside ``kind``, by kind."""
# Where it is left out, the data say it: tasks of the kind regression.
BALANCERS["uncertainty"]["regression"] = Key(tuple[str, ...] | None, None)

#: Keys whose value is a number for each task, with what those have that are left out.
_BY_TASK = {"weights": 1.0, "ideal": 0.0}


def completed(table: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    """Fill in the numbers of tasks that a table does not name.

    Args:
        table: The table, its keys checked.
        tasks: Names of the tasks.

    Raises:
        KeyError: If it names a task that there is not.
        TypeError: If something is no number.
    """
    found = dict(table)
    for key, default in _BY_TASK.items():
        if key in found:
            known = dict.fromkeys(tasks, Key(float, default))
            found[key] = read_table(found[key] or {}, known, f"[balancer]: {key}")
    return found


def of_one_task(table: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the table for a task that is trained alone: its loss, but for weights that are fixed.

    Args:
        table: The table of all tasks.
        task: The task.
    """
    if table["kind"] == "fixed":
        return {"kind": "fixed", "weights": {task: table["weights"][task]}}
    return {"kind": "equal"}


def balancer_of(
    table: Mapping[str, Any], tasks: Sequence[str], regression: Collection[str], seed: int
) -> Balancer:
    """Make the balancer that a file asks for.

    Args:
        table: The table, complete.
        tasks: Names of the tasks.
        regression: Names of those whose loss is a squared error.
        seed: That of the file, for what is drawn.

    Raises:
        ValueError: If a setting is refused.
        KeyError: If a name in it is not known.
        TypeError: If a setting is of another type.
    """
    settings = {key: value for key, value in table.items() if key != "kind"}
    kind = table["kind"]
    if kind == "fixed":
        return FixedWeights(**settings)
    if kind in _ALONE:
        return _ALONE[kind]()
    if kind in _OF_GRADIENTS:
        return _OF_GRADIENTS[kind](**settings)
    if kind == "random":
        settings["seed"] = seed
    if kind == "uncertainty" and settings["regression"] is None:
        settings["regression"] = [name for name in tasks if name in regression]
    made: Balancer = _OF_TASKS[kind](list(tasks), **settings)
    return made
