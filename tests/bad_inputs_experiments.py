"""Bad inputs to what compares recorded runs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
from bad_input_cases import INF, NAN, NOT_SIZES, EntryPoint, temporary_folder

from mtl_utils import experiments
from mtl_utils.experiments import Contrast, joint_transformer, records

_CONTRAST = Contrast("joint", "separate", "f1")
_RUNS = pd.DataFrame(
    [
        {"contender": name, "seed": seed, "f1": float(seed + len(name))}
        for name in ("joint", "separate")
        for seed in range(3)
    ]
)
_CURVES = _RUNS.assign(curves=[{"a": [1.0, 2.0]}] * len(_RUNS))
_STANDING = pd.DataFrame(
    {"setting": "here", "contender": list("aabb"), "seed": [0, 1, 0, 1], "x": [1.0, 2.0, 3.0, 5.0]}
)
_GAINS = pd.DataFrame(
    {
        "judged": ["entities"],
        "width": [64],
        "rows": [100],
        "beside": ["with pos"],
        "gain": [1.0],
        "half_width": [0.5],
        "doubled": [1.0],
        "verdict": ["helps"],
    }
)
_NOT_FRAMES = (None, 3, "runs", [1], {"f1": [1.0]})
_NOT_NAMES = (None, 3, b"f1", ["f1"], "")
_NOT_CONTRASTS = (None, 3, "joint", ("joint", "separate", "f1"))


@cache
def _results() -> Path:
    folder = temporary_folder()
    metrics = dict.fromkeys(("intent_accuracy", "slots_f1", "snips_exact", "parameters"), 90.0)
    for experiment in joint_transformer.ON_SNIPS.experiments():
        if experiment.name not in ("joint_transformer_snips", "joint_transformer_snips_ablations"):
            continue
        for config in experiment.configs:
            for seed in experiment.seeds:
                record = records.make(experiment.name, config, seed, metrics, 1.0)
                records.append(folder / f"{experiment.name}.jsonl", record)
    return folder


ENTRY_POINTS = [
    EntryPoint(
        "Contrast",
        Contrast,
        lambda: {"first": "joint", "second": "separate", "metric": "f1"},
        {
            "first": (*_NOT_NAMES, "separate"),
            "second": (*_NOT_NAMES, "joint"),
            "metric": _NOT_NAMES,
        },
    ),
    EntryPoint(
        "paired_difference",
        experiments.paired_difference,
        lambda: {"frame": _RUNS, "contrast": _CONTRAST},
        {"frame": _NOT_FRAMES, "contrast": _NOT_CONTRASTS, "by": (*_NOT_NAMES, "method")},
        called={"by": "by|column"},
    ),
    EntryPoint(
        "holm",
        experiments.holm,
        lambda: {"probabilities": [0.01, 0.02]},
        {"probabilities": (None, 3, "0.1", ["0.1"], [None], [-0.1], [1.1], [INF])},
    ),
    EntryPoint(
        "contrast_table",
        experiments.contrast_table,
        lambda: {"frame": _RUNS, "contrasts": [_CONTRAST]},
        {
            "frame": _NOT_FRAMES,
            "contrasts": (None, 3, "joint", [], [3], ["joint"]),
            "doubled": (3, "runs", [1]),
            "by": (*_NOT_NAMES, "method"),
        },
        called={"contrasts": "contrasts|contrast", "by": "by|column"},
    ),
    EntryPoint(
        "score_table",
        experiments.score_table,
        lambda: {"frame": _RUNS, "metrics": ["f1"]},
        {
            "frame": _NOT_FRAMES,
            "metrics": (None, 3, "f1", [], [3], ["f2"]),
            "by": (None, 3, [], ["method"], [3]),
            "digits": (-1, 1.5, "1", None, True, NAN),
        },
        called={"metrics": "metrics|metric|column", "by": "by|column"},
    ),
    EntryPoint(
        "paired_table",
        experiments.paired_table,
        lambda: {"frame": _RUNS, "contrasts": [_CONTRAST]},
        {
            "frame": _NOT_FRAMES,
            "contrasts": (None, 3, "joint", [], [3], ["joint"]),
            "doubled": (3, "runs", [1]),
            "by": (*_NOT_NAMES, "method"),
            "digits": (-1, 1.5, "1", None, True, NAN),
        },
        called={"contrasts": "contrasts|contrast", "by": "by|column"},
    ),
    EntryPoint(
        "change_table",
        experiments.change_table,
        lambda: {
            "name": "joint_transformer_snips",
            "setting": "SNIPS",
            "metrics": ["slots_f1"],
            "folder": _results(),
        },
        {
            "name": (None, 3, b"snips", "", "snips"),
            "setting": (None, 3, b"SNIPS", "", "Atlas"),
            "metrics": (None, 3, "slots_f1", [], [3], ["slots"], ["a", "a"]),
        },
        called={"name": "name|named", "setting": "setting", "metrics": "metrics|judged"},
    ),
    EntryPoint(
        "ablation_table",
        experiments.ablation_table,
        lambda: {
            "name": "joint_transformer_snips",
            "setting": "SNIPS",
            "metric": "slots_f1",
            "folder": _results(),
        },
        {
            "name": (None, 3, b"snips", "", "snips"),
            "setting": (None, 3, b"SNIPS", "", "Atlas"),
            "metric": (None, 3, b"slots_f1", "", "slots"),
        },
        called={"name": "name|named", "setting": "setting", "metric": "metric|judged"},
    ),
    EntryPoint(
        "comparison_table",
        experiments.comparison_table,
        lambda: {"name": "joint_transformer_snips", "setting": "SNIPS", "folder": _results()},
        {"name": (None, 3, b"snips", "", "snips"), "setting": (None, 3, b"SNIPS", "", "Atlas")},
        called={"name": "name|named"},
    ),
    EntryPoint(
        "contender_table",
        experiments.contender_table,
        lambda: {"name": "joint_transformer_snips", "metrics": ["slots_f1"], "folder": _results()},
        {"name": (None, 3, b"snips", "", "snips"), "metrics": (None, 3, "slots_f1", [], ["slots"])},
        called={"name": "name|named", "metrics": "metrics|slots"},
    ),
    EntryPoint(
        "fresh_table",
        experiments.fresh_table,
        lambda: {"name": "sharing_map_atlas"},
        {"name": (None, 3, b"atlas", "", "atlas", "joint_transformer_snips")},
        called={"name": "name|named"},
    ),
    EntryPoint(
        "step_size_table",
        experiments.step_size_table,
        lambda: {"name": "joint_transformer_atlas", "setting": "Atlas"},
        {
            "name": (None, 3, b"atlas", "", "atlas", "balancers"),
            "setting": (None, 3, b"Atlas", "", "SNIPS"),
        },
        called={"name": "name|named"},
    ),
    EntryPoint(
        "verdicts",
        experiments.verdicts,
        lambda: {"name": "joint_transformer_snips", "setting": "SNIPS", "folder": _results()},
        {"name": (None, 3, b"snips", "", "snips"), "setting": (None, 3, b"SNIPS", "", "Atlas")},
        called={"name": "name|named"},
    ),
    EntryPoint(
        "gain_map",
        experiments.gain_map,
        lambda: {"name": "sharing_map_snips"},
        {"name": (None, 3, b"snips", "", "snips", "joint_transformer_atlas")},
        called={"name": "name|named"},
    ),
    EntryPoint(
        "plot_differences",
        experiments.plot_differences,
        lambda: {"name": "joint_transformer_snips", "folder": _results()},
        {"name": (None, 3, b"snips", "", "snips")},
        called={"name": "name|named"},
    ),
    EntryPoint(
        "standings",
        experiments.standings,
        lambda: {"runs": _STANDING, "zero": "a", "metric": "x"},
        {"runs": _NOT_FRAMES, "zero": (*_NOT_NAMES, "c"), "metric": (*_NOT_NAMES, "y")},
    ),
    EntryPoint(
        "plot_standings",
        experiments.plot_standings,
        lambda: {"runs": _STANDING, "zero": "a", "metric": "x"},
        {"runs": _NOT_FRAMES, "zero": (*_NOT_NAMES, "c"), "metric": (*_NOT_NAMES, "y")},
    ),
    EntryPoint(
        "plot_gains",
        experiments.plot_gains,
        lambda: {"gains": _GAINS},
        {"gains": _NOT_FRAMES},
    ),
    EntryPoint(
        "plot_curves",
        experiments.plot_curves,
        lambda: {"frame": _CURVES, "tasks": ["a"]},
        {
            "frame": _NOT_FRAMES,
            "tasks": (None, 3, "a", [], [3], ["b"]),
            "by": (*_NOT_NAMES, "method"),
        },
    ),
    EntryPoint(
        "student_t_distribution",
        experiments.student_t_distribution,
        lambda: {"t": 1.0, "degrees": 3},
        {"t": ("1", None, True, [1.0], NAN, INF), "degrees": NOT_SIZES},
    ),
]
