"""Bad inputs of what a reader meets around the models: notebooks, widgets and recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_FLAGS,
    NOT_SIZES,
    NOT_TEXTS,
    EntryPoint,
    Within,
    temporary_folder,
)

from mtl_utils import notebook, plots
from mtl_utils.experiments import (
    Experiment,
    Place,
    estimate,
    find,
    load_results,
    registry,
    results_folder,
    run,
    student_t_quantile,
    summary,
    work,
    workspaces_folder,
)
from mtl_utils.widgets import Widget

FRAME = pd.DataFrame({"model": ["a", "a", "b"], "f1": [1.0, 2.0, 3.0], "seed": [0, 1, 0]})
NOT_SHARES_STRICTLY = (0, 1, -0.1, 1.5, NAN, INF, "0.5", None, True, [0.5])
NOT_NAMES = (None, 3, True, ["a"], "nothing of the kind")
NOT_FUNCTIONS = (None, 3, "source", [len])


def _measured(config: Any, seed: int, place: Place) -> dict[str, float]:
    return {"score": float(seed)}


def _experiment(**changed: Any) -> Experiment:
    settings: dict[str, Any] = {
        "name": "tiny",
        "description": "Nothing to speak of.",
        "configs": ({"size": 1},),
        "seeds": (0,),
        "run": _measured,
    }
    return Experiment(**(settings | changed))


def _known() -> dict[str, Experiment]:
    return {"tiny": _experiment()}


def _results() -> Path:
    return run(_experiment(), temporary_folder(), progress=False).parent


def _draw(size: int, seed: int = 0) -> str:
    return f"{size} {seed}"


def _show(item: Any, docstring: Any = True) -> None:
    notebook.source(item, docstring)
    notebook.show(item, docstring=docstring)


def _shape(tensor: Any, dims: Any, B: Any = 2) -> Any:
    return notebook.check_shape(tensor, dims, B=B)


def _call(**changes: Any) -> Any:
    return Widget(_draw, {"size": [1, 2], "seed": [0]})(**changes)


ENTRY_POINTS = [
    EntryPoint(
        "plots.draw_panels",
        plots.draw_panels,
        lambda: {"tables": {"runs": FRAME[["f1"]]}, "across": "run", "up": "F1"},
        {
            "tables": (*(None, 3, "runs", [FRAME], {}), Within({"runs": [1]}, [1])),
            "across": NOT_TEXTS,
            "up": NOT_TEXTS,
        },
    ),
    EntryPoint(
        "setup",
        notebook.setup,
        dict,
        {"seed": (-1, 2**32, 2**64, 1.5, "0", None, True, NAN, [0])},
    ),
    EntryPoint(
        "show",
        _show,
        lambda: {"item": _draw},
        {"item": (*NOT_FUNCTIONS, len), "docstring": NOT_FLAGS},
        documented=notebook.show,
        called={"item": "show|source"},
    ),
    EntryPoint(
        "source",
        notebook.source,
        lambda: {"item": _draw},
        {"item": (*NOT_FUNCTIONS, len), "docstring": NOT_FLAGS},
        called={"item": "show|source"},
    ),
    EntryPoint(
        "check_shape",
        _shape,
        lambda: {"tensor": torch.zeros(2, 3), "dims": "B T"},
        {
            "tensor": (None, 3, "tensor", [[1.0]], torch.zeros(2), torch.zeros(3, 3)),
            "dims": (1.5, True, ["B", "T"], -1, NAN),
            "B": (-1, 1.5, "2", None, True, NAN, 3),
        },
        documented=notebook.check_shape,
        called={"tensor": "tensor|given", "dims": "dims|dimensions|Expected"},
    ),
    EntryPoint(
        "Widget",
        Widget,
        lambda: {"function": _draw, "controls": {"size": [1, 2]}},
        {
            "function": (None, 3, "draw", {}),
            "controls": (
                *(None, 3, "size", {}, {"size": []}, {"size": 3}, {"size": "abc"}, {3: [1]}),
                *({"size": None}, {"size": {1, 2}}, ["size"], {"width": [1]}),
            ),
            "start": (None, 3, "size", {"size": 3}, {"width": 1}, ["size"]),
        },
    ),
    EntryPoint(
        "Widget.__call__",
        _call,
        dict,
        {"width": (1,), "sizes": (1,)},
        documented=Widget.__call__,
    ),
    EntryPoint(
        "find",
        find,
        lambda: {"name": "data_sets"},
        {"name": NOT_NAMES},
        called={"name": "name|named"},
    ),
    EntryPoint(
        "Experiment",
        _experiment,
        dict,
        {
            "name": (None, 3, "", "a/b", "../a"),
            "configs": (None, 3, "size", [], [3], {"size": 1}),
            "seeds": (None, 3, "0", [], [-1], [1.5], ["0"], [True], [0, 0]),
            "run": (None, 3, "run"),
            "needs": (None, 3, "tiny", ["tiny"], ["a", "a"], [3]),
            "priority": (None, 1.5, "1", True, [1]),
            "minutes": (0, -1, NAN, INF, "3", True, [3]),
        },
        documented=Experiment,
    ),
    EntryPoint(
        "Place",
        Place,
        lambda: {"workspace": Path("a"), "results": Path("b")},
        {"workspace": (None, 3, "", ["a"]), "results": (None, 3, "", ["a"])},
    ),
    EntryPoint(
        "workspaces_folder",
        workspaces_folder,
        lambda: {"results": "book/results"},
        {"results": (None, 3, "", ["a"])},
    ),
    EntryPoint(
        "Experiment.cells",
        lambda seeds: _experiment().cells(seeds),
        lambda: {"seeds": [1]},
        {"seeds": (3, "0", [], [-1], [1.5], ["0"], [True], [2, 2])},
        documented=Experiment.cells,
    ),
    EntryPoint(
        "run",
        run,
        lambda: {"experiment": _experiment(), "folder": temporary_folder(), "progress": False},
        {
            "experiment": (None, 3, "tiny", {}),
            "folder": (None, 3, ["a"]),
            "seeds": (3, "0", [], [-1], [1.5], ["0"], [True]),
            "limit": (-1, 1.5, "3", True, NAN, [3]),
            "progress": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "work",
        work,
        lambda: {"names": ["tiny"], "folder": _results(), "jobs": 1, "known": _known},
        {
            "names": (None, 3, "tiny", ["nothing of the kind"], [3]),
            "folder": (3, "", ["a"]),
            "jobs": tuple(size for size in NOT_SIZES if size is not None),
            "minutes": (0, -1, NAN, INF, "3", True, [3]),
            "nice": (-1, 20, 1.5, "3", None, True, NAN),
            "known": (None, 3, "registry", [registry], lambda: {}),
            "on": ("rays", "", 3, None, True, ["ray"]),
            "address": (3, "", "auto", True),
        },
        called={"names": "names|named"},
    ),
    EntryPoint(
        "estimate",
        estimate,
        lambda: {"names": ["tiny"], "folder": _results(), "known": _known},
        {
            "names": (None, 3, "tiny", ["nothing of the kind"], [3]),
            "folder": (3, "", ["a"]),
            "known": (None, 3, "registry", [registry]),
        },
        called={"names": "names|named"},
    ),
    EntryPoint(
        "load_results",
        load_results,
        lambda: {"name": "tiny", "folder": _results()},
        {
            "name": (*NOT_NAMES, "../tiny"),
            "folder": (3, ["a"], "nowhere at all", True),
        },
        called={"name": "name|results"},
    ),
    EntryPoint(
        "results_folder",
        results_folder,
        lambda: {"folder": temporary_folder()},
        {"folder": (3, ["a"], "nowhere at all", True, "")},
        called={"folder": "folder"},
    ),
    EntryPoint(
        "summary",
        summary,
        lambda: {"frame": FRAME, "by": "model", "metric": "f1"},
        {
            "frame": (None, 3, "frame", [FRAME], {"model": ["a"]}),
            "by": (None, 3, "nothing", [], ["nothing"], [3], ["model", "model"]),
            "metric": (None, 3, "nothing", ["f1"], "model"),
            "confidence": NOT_SHARES_STRICTLY,
        },
        called={"by": "by|column|Column", "metric": "metric|column|Column"},
    ),
    EntryPoint(
        "student_t_quantile",
        student_t_quantile,
        lambda: {"probability": 0.9, "degrees": 3},
        {"probability": NOT_SHARES_STRICTLY, "degrees": NOT_SIZES},
    ),
]
