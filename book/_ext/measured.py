"""From the records of an experiment to what is told of it: settings that differ, main measures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from run_records import Record

#: Settings that were tried and not compared: the runs of all of them are dots of one row.
TRIED = ("rate", "trial", "draw")
#: What a run cost or was given; told with the other numbers, and not what a run is made for.
COSTS = ("training_seconds", "parameters", "texts", "size", "vocabulary", "trainings")
#: Several measures of one thing, the one that is plotted first.
KINDS = (
    *("f1", "bleu", "accuracy", "exact", "probability", "test", "macro_f1", "micro_f1"),
    *("chrf", "precision", "recall", "validation", "best_on_validation"),
)
_LONGEST_FIRST = sorted(KINDS, key=len, reverse=True)


def flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Write mappings within a mapping as one, ``{"encoder.width": 64}``."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def telling(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the settings that tell flat configurations apart, without those that follow from others.

    Lists of lists, which name data sets with their sizes, come last: what is short is told first.
    """
    names = list(dict.fromkeys(name for config in configs for name in config))
    names.sort(key=lambda name: any(_nested(config.get(name)) for config in configs))
    kept: list[str] = []
    apart = 1
    for name in names:
        finer = len({_key(config, [*kept, name]) for config in configs})
        if finer > apart:
            kept, apart = [*kept, name], finer
    return kept


def shared(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that are the same in all flat configurations, without nested lists."""
    first, *others = configs
    return {
        name: value
        for name, value in first.items()
        if not _nested(value) and all(other.get(name) == value for other in others)
    }


def label(config: Mapping[str, Any], names: Iterable[str]) -> str:
    """Tell a flat configuration by some of its settings: ``"joint, width 64"``."""
    told = [
        value if isinstance(value := config[name], str) else f"{words(name)} {plain(value)}"
        for name in names
        if config.get(name) is not None
    ]
    return ", ".join(told)


def plain(value: object) -> str:
    """Write a setting as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " and ".join(map(plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def words(name: str) -> str:
    """Write the name of a setting or a measure as words; of a nested setting, its last part."""
    return name.rpartition(".")[2].replace("_", " ")


def measures(record: Record) -> dict[str, float]:
    """Return the numbers of a run, or the highest point of each task where it has curves alone.

    What tuning has ``chosen`` is a setting and no measure.
    """
    metrics = record["metrics"]
    found = {n: value for n, value in metrics.items() if n != "chosen" and _scalar(value)}
    curves = metrics.get("curves")
    if isinstance(curves, Mapping) and set(found) <= set(COSTS):
        found |= {
            f"{task}_best_on_validation": max(curve)
            for task, curve in curves.items()
            if isinstance(curve, list) and curve and all(map(_scalar, curve))
        }
    return found


def without_classes(names: Sequence[str]) -> list[str]:
    """Leave out the parts of a measure: ``slots_f1_city`` beside ``slots_f1``."""
    whole = [name for name in names if name not in ("test", "validation")]
    return [name for name in names if not any(name.startswith(f"{other}_") for other in whole)]


def main_measures(names: Sequence[str]) -> list[str]:
    """Choose what to plot: one measure of each task, on test where there is one."""
    found = [name for name in without_classes(names) if name not in COSTS]
    if any(name.startswith("test") for name in found):
        found = [name for name in found if not name.startswith("validation")]
    of: dict[str, list[str]] = {}
    for name in found:
        of.setdefault(_parts(name)[0], []).append(name)
    return [min(several, key=lambda name: _rank(_parts(name)[1])) for several in of.values()]


def _parts(name: str) -> tuple[str, str]:
    """Split a measure into what it is of and its kind."""
    for kind in _LONGEST_FIRST:
        if name.endswith(f"_{kind}"):
            return name.removesuffix(f"_{kind}"), kind
    return name, ""


def _rank(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _key(config: Mapping[str, Any], names: Iterable[str]) -> str:
    return json.dumps([config.get(name) for name in names])


def _nested(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, list) for item in value)


def _scalar(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
