"""The table [balancer] of a file: every kind, its settings, and what is wrong said in one line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import THREE, write_run

from mtl_utils import objectives
from mtl_utils.commands.balancers import BALANCERS, balancer_of
from mtl_utils.commands.run_file import RunFile, read_run_file
from mtl_utils.commands.training import train
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
    FromTorchJD,
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
    TaskScalarization,
    UncertaintyWeights,
    UPGrad,
)

TASKS = ["topic", "names", "likeness"]

KINDS: dict[str, tuple[type[Balancer], dict[str, Any]]] = {
    "kind = 'equal'": (EqualWeights, {}),
    "kind = 'fixed'\nweights = {names = 2}": (
        FixedWeights,
        {"weights": {"topic": 1.0, "names": 2.0, "likeness": 1.0}},
    ),
    "kind = 'uncertainty'": (UncertaintyWeights, {"regression": ("likeness",)}),
    "kind = 'uncertainty'\nregression = []\nlearning_rate = 0.1": (
        UncertaintyWeights,
        {"regression": (), "learning_rate": 0.1},
    ),
    "kind = 'impartial'\nmax_weight = 50": (ImpartialLosses, {"max_weight": 50.0}),
    "kind = 'dynamic_average'\ntemperature = 1": (DynamicWeightAverage, {"temperature": 1.0}),
    "kind = 'gradnorm'\nasymmetry = 0.5": (
        GradNorm,
        {"asymmetry": 0.5, "learning_rate": 0.025},
    ),
    "kind = 'random'": (RandomWeights, {}),
    "kind = 'geometric_mean'": (GeometricMean, {}),
    "kind = 'log'": (ScaleInvariantLog, {}),
    "kind = 'famo'\ndecay = 0": (FAMO, {"decay": 0.0}),
    "kind = 'chebyshev'\nweights = {names = 2}\nideal = {topic = 0.5}\nrelative = false": (
        SmoothChebyshev,
        {"weights": [1.0, 2.0, 1.0], "ideal": [0.5, 0.0, 0.0], "relative": False},
    ),
    "kind = 'mgda'\non = 'features'": (MGDA, {"on": "features"}),
    "kind = 'upgrad'": (UPGrad, {"on": "parameters"}),
    "kind = 'cagrad'\nc = 1": (CAGrad, {"c": 1.0, "on": "parameters"}),
    "kind = 'nash_mtl'": (NashMTL, {}),
    "kind = 'fairgrad'\nalpha = 1": (FairGrad, {"alpha": 1.0}),
    "kind = 'imtl_g'": (IMTLG, {}),
    "kind = 'aligned_mtl'": (AlignedMTL, {}),
    "kind = 'pcgrad'": (PCGrad, {}),
    "kind = 'gradvac'\nbeta = 0.5": (GradVac, {"beta": 0.5}),
    "kind = 'graddrop'\nleak = 0.2": (GradDrop, {"leak": 0.2}),
    "kind = 'adatask'\nbetas = [0, 0.99]\nweights = {names = 2}": (
        AdaTask,
        {
            "betas": (0.0, 0.99),
            "eps": 1e-8,
            "weights": {"topic": 1.0, "names": 2.0, "likeness": 1.0},
        },
    ),
}


def read(folder: Path, table: str) -> RunFile:
    return read_run_file(write_run(folder, f"{THREE}\n[balancer]\n{table}\n"))


@pytest.mark.parametrize("table", KINDS)
def test_every_kind_is_made_with_its_settings(tmp_path: Path, table: str) -> None:
    kind, settings = KINDS[table]
    file = read(tmp_path, table)
    made = balancer_of(file.balancer, TASKS, ["likeness"], file.seed)
    assert type(made) is kind
    assert {name: getattr(made, name) for name in settings} == settings
    assert getattr(made, "tasks", None) in (None, tuple(TASKS))
    alone = file.of_one("names", tmp_path).balancer
    if kind is FixedWeights:
        assert alone == {"kind": "fixed", "weights": {"names": 2.0}}
    else:
        assert alone == {"kind": "equal"}


def test_random_weights_are_drawn_from_the_seed_of_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, "kind = 'random'").balancer
    states = [balancer_of(table, TASKS, [], seed).state_dict() for seed in (0, 0, 1)]
    states = [state["generator_state"].tolist() for state in states]
    assert states[0] == states[1] != states[2]


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ("kind = 'uncertain'", KeyError, r"\[balancer\]: kind = 'uncertain'.*'uncertainty'"),
        ("kind = 'famo'\nrate = 1", KeyError, r"\[balancer\] has no key 'rate'"),
        ("kind = 'random'\nseed = 1", KeyError, "no key 'seed'"),
        ("kind = 'gradnorm'\nasymmetry = 'no'", TypeError, "asymmetry must be a number"),
        ("kind = 'mgda'\non = 'feature'", TypeError, r"\[balancer\]: on .*'features'"),
        ("kind = 'adatask'\nbetas = [0.9]", TypeError, "betas must be a list of 2 numbers"),
        ("kind = 'adatask'\nweights = {nams = 2}", KeyError, "weights has no key 'nams'"),
        ("kind = 'pcgrad'\nc = 1", KeyError, r"\[balancer\] has no key 'c'"),
        ("kind = 'chebyshev'\nweights = {nams = 2}", KeyError, "weights has no key 'nams'"),
        ("kind = 'chebyshev'\nideal = {names = 'a'}", TypeError, r"ideal must be"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, table: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(tmp_path, table)


def test_no_balancer_is_left_out() -> None:
    """But for that of another library's, which takes an object."""
    there = {getattr(objectives, name) for name in objectives.__all__}
    made = {kind for kind in there if isinstance(kind, type) and issubclass(kind, Balancer)}
    bases = {base for kind in made for base in kind.__mro__[1:]} | {TaskScalarization}
    assert made - bases - {FromTorchJD} == {kind for kind, _ in KINDS.values()}
    assert len({table.split("\n")[0] for table in KINDS}) == len(BALANCERS)


@pytest.mark.parametrize("kind", ["upgrad", "adatask"])
def test_a_run_looks_at_the_gradients_of_tasks(tmp_path: Path, kind: str) -> None:
    file = read(tmp_path, f"kind = '{kind}'")
    train(file, quiet=True)
    history = list(csv.DictReader((file.output / "history.csv").open()))
    assert all(float(row["train_loss"]) > 0 for row in history)
    assert history


def test_a_run_leaves_its_weights(tmp_path: Path) -> None:
    file = read(tmp_path, "kind = 'uncertainty'")
    train(file, quiet=True)
    rows = list(csv.DictReader((file.output / "loss_weights.csv").open()))
    assert list(rows[0]) == ["step", *TASKS]
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    first = {task: float(rows[0][task]) for task in TASKS if rows[0][task]}
    assert first == {t: 0.5 if t == "likeness" else 1.0 for t in first}
    assert first
    history = list(csv.DictReader((file.output / "history.csv").open()))
    assert {f"{task}_weight" for task in TASKS} <= set(history[0])
