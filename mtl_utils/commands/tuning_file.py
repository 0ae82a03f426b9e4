"""The table ``[tuning]``: what is searched for, and what a trial makes of the rest of the file."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mtl_utils.arguments import nearest
from mtl_utils.commands.keys import Key, check_value, read_table
from mtl_utils.commands.messages import Refused, located
from mtl_utils.commands.run_file import RunFile, run_file_of
from mtl_utils.commands.toml_files import read_toml
from mtl_utils.training.directions import Direction, choose_direction
from mtl_utils.tuning import Choice, Dimension, Number, RandomDraws, Ratios, Simplex, Whole, suggest

RELATIVE, PARAMETERS = "relative", "parameters"
_KEYS = {
    "trials": Key(int, 20),
    "sampler": Key(Literal["tpe", "random"], "tpe"),
    "pruner": Key(Literal["median", "halving"] | None, None),
    "pruner_warmup": Key(int, 0),
    "objectives": Key(tuple[str, ...], (RELATIVE,)),
    "seed": Key(int, 0),
    "output": Key(str | None, None),
    "reference": Key(dict[str, float] | None, None),
    "space": Key(dict[str, Any]),
}
_RANGE = {
    "low": Key(float),
    "high": Key(float),
    "log": Key(bool, False),
    "step": Key(int | None, None),
}
_SIMPLEX = {"kind": Key(str), "least": Key(float, 0.0)}
_RATIOS = {"kind": Key(str), "low": Key(float, 0.1), "high": Key(float, 10.0)}
_WEIGHTS = "balancer.weights"
_TABLES = ("encoder", "tokenizer", "languages", "pictures", "sharing", "balancer", "training")
#: What says what is measured, on what: a trial that changes it is no trial of the same search.
_FIXED = ("kind", "data", "config", "format", "column", "metric", "mode", "task_metrics")


@dataclass(frozen=True)
class TuningFile:
    """A file with a table ``[tuning]``.

    Attributes:
        path: The file.
        content: Its tables but ``[tuning]``.
        file: What it trains as it stands.
        space: What is drawn, by dotted key.
        objectives: Directions by name.
        reference: By column, scores of one task alone; ``None`` where they are to be measured.
        trials: How many trials.
        sampler: How settings are drawn.
        pruner: What gives trials up.
        pruner_warmup: Epochs of a trial in which it is not given up, whatever it scores.
        seed: Of what is drawn.
        output: Folder of the search.
    """

    path: Path
    content: Mapping[str, Any]
    file: RunFile
    space: Mapping[str, Dimension]
    objectives: Mapping[str, Direction]
    reference: Mapping[str, float] | None
    trials: int
    sampler: str
    pruner: str | None
    pruner_warmup: int
    seed: int
    output: Path

    def tried(self, settings: Mapping[str, Any]) -> RunFile:
        """Return the file with settings put in.

        Args:
            settings: By dotted key.

        Raises:
            KeyError: If the file has no place for a key.
            TypeError: If a value is of another type than the key's.
            ValueError: If it is outside its range.
        """
        return run_file_of(_with(self.content, settings), self.path)

    def ends(self) -> list[dict[str, Any]]:
        """Return settings at the ends of the space, by dotted key, one of them changed at a time.

        The first are one draw. In each of the others one setting is the smallest or greatest of
        its range, or one of its values.
        """
        drawn = suggest(self.space, RandomDraws(np.random.default_rng(0)))
        ends = {key: _ends(dimension) for key, dimension in self.space.items()}
        return [drawn, *({**drawn, key: end} for key in ends for end in ends[key])]


def read_tuning_file(path: Path) -> TuningFile:
    """Read a file with a table ``[tuning]``.

    Args:
        path: The file; paths in it are seen from its folder.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no TOML, or a value is outside its range.
        KeyError: If a key or a name is not known, or missing.
        TypeError: If a value is of another type.
    """
    content = read_toml(path)
    file = run_file_of(content, path)
    if "tuning" not in content:
        raise Refused(f"{path} has no table [tuning], with the space to search: [tuning.space]")
    table = read_table(content.pop("tuning"), _KEYS, "[tuning]")
    for key, least in (("trials", 1), ("seed", 0), ("pruner_warmup", 0)):
        if table[key] < least:
            raise Refused(f"[tuning]: {key} must be at least {least}, got {table[key]}")
    space = _space(table["space"], file)
    output = Path(table["output"] or f"runs/{path.stem}-tuning").expanduser()
    found = TuningFile(
        path,
        content,
        file,
        space,
        _objectives(table["objectives"], list(file.tasks)),
        _reference(table["reference"], list(file.tasks)),
        table["trials"],
        table["sampler"],
        table["pruner"],
        table["pruner_warmup"],
        table["seed"],
        path.resolve().parent / output,
    )
    if found.pruner is not None and len(found.objectives) > 1:
        raise Refused(
            f"[tuning]: pruner = {found.pruner!r} compares one objective, and objectives has "
            f"{list(found.objectives)}"
        )
    if found.pruner_warmup and found.pruner != "median":
        raise Refused(
            f'[tuning]: pruner_warmup is for pruner = "median", got {found.pruner_warmup} and '
            f"pruner = {found.pruner!r}"
        )
    for settings in found.ends():
        with located("[tuning.space]"):
            found.tried(settings)
    return found


def _objectives(names: tuple[str, ...], tasks: list[str]) -> dict[str, Direction]:
    found: dict[str, Direction] = {}
    known: dict[str, Direction] = {RELATIVE: "max", PARAMETERS: "min"}
    for name in names:
        with located("[tuning]: objectives"):
            found[name] = known.get(name) or choose_direction(name, None, tasks)
    if not set(found) - {PARAMETERS}:
        raise Refused(
            f"[tuning]: objectives must have {RELATIVE!r} or a column of the history, such as "
            f"'{tasks[0]}_accuracy', got {list(names)}"
        )
    return found


def _reference(given: Mapping[str, float] | None, tasks: list[str]) -> Mapping[str, float] | None:
    if given is None:
        return None
    for task in tasks:
        if not any(column.startswith(f"{task}_") for column in given):
            raise Refused(
                f"[tuning]: reference must have a score of each task, such as {task}_accuracy = "
                f"0.9, got {dict(given)}"
            )
    return dict(given)


def _space(table: Mapping[str, Any], file: RunFile) -> dict[str, Dimension]:
    if not table:
        raise Refused(
            '[tuning.space] is empty: give "training.learning_rate" = {low = 1e-4, high = 1e-1, '
            "log = true}, for example"
        )
    for key in table:
        _check_key(key, list(file.tasks))
    return {key: _dimension(key, value, list(file.tasks)) for key, value in table.items()}


def _check_key(key: str, tasks: list[str]) -> None:
    parts = _parts(key, tasks)
    where = f"[tuning.space]: {key!r}"
    if parts[0] == "tasks":
        if len(parts) != 3 or parts[1] not in tasks:
            raise Refused(
                f"{where} must be tasks.NAME.KEY with one of the tasks {tasks}, got {key!r}"
            )
    elif parts[0] not in _TABLES or len(parts) > 2:
        raise Refused(
            f"{where} must be the name of a table and a key, such as training.learning_rate; "
            f"tables are {', '.join(_TABLES)} and tasks.NAME{nearest(parts[0], _TABLES)}"
        )
    whole_or_inner = len(parts) == 1 or parts[0] != "tasks"
    if parts[-1] in _FIXED and not (whole_or_inner and parts[-1] == "kind"):
        raise Refused(f"{where} says what trials are measured by, and cannot be searched")


def _dimension(key: str, value: Any, tasks: list[str]) -> Dimension:
    where = f"[tuning.space]: {key}"
    with located(where):
        if isinstance(value, list):
            return Choice(value)
        if not isinstance(value, Mapping):
            raise Refused(
                "must be a list of values, or a table such as {low = 1e-4, high = 1e-1, log = "
                f"true}}, got {value!r:.60}"
            )
        if "kind" in value:
            return _weights(key, value, tasks)
        found = read_table(value, _RANGE, "its table")
        check_value([value["low"], value["high"]], list[float], "low and high")
        if isinstance(value["low"], int) and isinstance(value["high"], int):
            step = 1 if found["step"] is None else found["step"]
            return Whole(value["low"], value["high"], step, found["log"])
        if found["step"] is not None:
            raise Refused(
                f"step is for whole numbers, got step = {found['step']} for {dict(value)}"
            )
        return Number(found["low"], found["high"], found["log"])


def _weights(key: str, value: Mapping[str, Any], tasks: list[str]) -> Dimension:
    if key != _WEIGHTS:
        raise Refused(f"kind = {value['kind']!r} is for {_WEIGHTS}, which are numbers by task")
    if value["kind"] == "simplex":
        return Simplex(tasks, read_table(value, _SIMPLEX, "its table")["least"])
    if value["kind"] == "ratios":
        found = read_table(value, _RATIOS, "its table")
        return Ratios(tasks, found["low"], found["high"])
    raise Refused(f"kind must be one of 'simplex', 'ratios', got {value['kind']!r}")


def _parts(key: str, tasks: list[str]) -> list[str]:
    """Return the parts of a dotted key; names of tasks may have dots."""
    named = [task for task in tasks if key.startswith(f"tasks.{task}.")]
    if named:
        task = max(named, key=len)
        return ["tasks", task, key.removeprefix(f"tasks.{task}.")]
    return key.split(".")


def _with(content: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(content))
    for key, value in settings.items():
        *tables, last = _parts(key, list(changed.get("tasks", {})))
        place = changed
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = value
        if key == _WEIGHTS:
            place.setdefault("kind", "fixed")
    return changed


def _ends(dimension: Dimension) -> Sequence[Any]:
    """Return the ends of a range or all values of a choice; weights are what they may be."""
    if isinstance(dimension, Choice):
        return dimension.options
    return [dimension.low, dimension.high] if isinstance(dimension, Number | Whole) else []
