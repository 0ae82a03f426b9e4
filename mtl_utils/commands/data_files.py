"""The data of a run: loaded once each, with a part to validate on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import datasets

from mtl_utils import corpora
from mtl_utils.commands.keys import Key, choice, keys_of, read_table
from mtl_utils.commands.messages import located
from mtl_utils.commands.run_file import RunFile, TaskTable
from mtl_utils.models.rows import rows_of
from mtl_utils.tasks import TextTask

FORMATS: dict[str, type[corpora.TextFormat]] = {
    "csv": corpora.CsvFormat,
    "json_lines": corpora.JsonLinesFormat,
    "conll": corpora.ConllFormat,
    "conllu": corpora.ConlluFormat,
}
"""Formats by their names in a file."""

SPLITS = ("train", "validation", "test")


def format_of(given: Any, where: str) -> corpora.TextFormat | None:
    """Make a format of what a file says.

    Args:
        given: Its name; or a table with the key ``kind`` and arguments of its class, in which
            ``"_"`` stands for a column to leave out.
        where: What messages are to call it.

    Raises:
        TypeError: If it is something else, or an argument is of another type.
        KeyError: If there is no such format or argument.
        ValueError: If an argument is refused.
    """
    if given is None:
        return None
    table = {"kind": given} if isinstance(given, str) else dict(given)
    kind = choice(table.pop("kind", None), FORMATS, f"{where}: kind")
    described = FORMATS[kind]
    keys = keys_of(described)
    if kind == "conll":
        keys["columns"] = Key(tuple[str, ...] | None, None)
    if kind == "csv":
        keys["lists"] = Key(dict[str, str], {})
    values = read_table(table, keys, where)
    if kind == "conll" and values["columns"] is not None:
        values["columns"] = tuple(None if c == "_" else c for c in values["columns"])
    with located(where):
        return described(**values)


def load(task: TaskTable, where: str) -> datasets.DatasetDict:
    """Load the data of a task.

    Args:
        task: The task.
        where: What messages are to call its table.

    Raises:
        KeyError: If the format is not known.
        ValueError: If the data cannot be loaded.
    """
    made = format_of(task.format, f"{where}: format")
    with located(where):
        return corpora.load(task.data, task.config, format=made)


def load_all(file: RunFile) -> dict[str, datasets.DatasetDict]:
    """Load the data of all tasks; those that say the same share one data set.

    Args:
        file: The file of the run.

    Returns:
        Splits by task, with a part to validate on.

    Raises:
        KeyError: If a format is not known.
        ValueError: If data cannot be loaded, or have no split ``train``.
    """
    known: dict[str, datasets.DatasetDict] = {}
    found = {}
    for name, task in file.tasks.items():
        key = _key(task)
        if key not in known:
            where = f"[tasks.{name}]"
            columns = [c for t in file.tasks.values() if _key(t) == key for c in t.columns]
            with located(where):
                known[key] = _with_validation(load(task, where), file, columns)
        found[name] = known[key]
    return found


def _key(task: TaskTable) -> str:
    return json.dumps([task.data, task.config, task.format], sort_keys=True)


def _with_validation(
    splits: datasets.DatasetDict, file: RunFile, columns: Iterable[str]
) -> datasets.DatasetDict:
    if "train" not in splits:
        raise ValueError(f"The data have no split 'train', only {list(splits)}")
    if "validation" in splits or not file.validation:
        return splits
    there = [c for c in dict.fromkeys(columns) if c in splits["train"].column_names]
    return corpora.carve_validation(
        splits, file.validation, file.validation_seed, texts=there or None
    )


def of_split(
    tasks: Mapping[str, TextTask], data: Mapping[str, datasets.DatasetDict], split: str
) -> dict[str, datasets.Dataset]:
    """Return a split of the data of each task that has labels in it.

    Args:
        tasks: The tasks by name.
        data: Their data.
        split: Name of the split.
    """
    return {
        name: data[name][split]
        for name, task in tasks.items()
        if split in data[name] and has_labels(task, data[name][split])
    }


def has_labels(task: TextTask, rows: datasets.Dataset) -> bool:
    """Tell whether any row has a label of a task.

    Args:
        task: The task.
        rows: The rows.
    """
    if task.labelled_by is None:
        return True
    if task.labelled_by.split(".")[0] not in rows.column_names:
        return False
    return any(task.reference(row) is not None for row in rows_of(rows, {task.name: task}))  # type: ignore[attr-defined]


def chosen_split(splits: datasets.DatasetDict, asked: str | None) -> str:
    """Return the split to measure on, or to predict for.

    Args:
        splits: The splits.
        asked: The one that was asked for; without it ``test``, or the only one.

    Raises:
        KeyError: If there is none of the name.
        ValueError: If none was asked for and there are several.
    """
    if asked is not None:
        return choice(asked, splits, "--split")
    if "test" in splits:
        return "test"
    if len(splits) == 1:
        return next(iter(splits))
    raise ValueError(f"The data have the splits {list(splits)}; say which: --split NAME")
