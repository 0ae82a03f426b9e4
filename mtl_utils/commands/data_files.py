"""The data of a run: loaded once each, with a part to validate on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import datasets

from mtl_utils import corpora
from mtl_utils.commands.beside import check_pictured, folder_of, with_beside
from mtl_utils.commands.keys import Key, choice, keys_of, read_table
from mtl_utils.commands.messages import Refused, located, one_line
from mtl_utils.commands.run_file import RunFile, TaskTable
from mtl_utils.data import MISSING_LABEL, named_labels
from mtl_utils.models.beside import BesideColumns
from mtl_utils.models.rows import rows_of
from mtl_utils.tasks import TAG_SCHEMES, Tagging, TextTask, convert_tags
from mtl_utils.tasks.spans import check_iob2

FORMATS: dict[str, type[corpora.TextFormat]] = {
    "csv": corpora.CsvFormat,
    "json_lines": corpora.JsonLinesFormat,
    "conll": corpora.ConllFormat,
    "conllu": corpora.ConlluFormat,
}
"""Formats by their names in a file."""

CONVERTED = tuple(name for name in TAG_SCHEMES if name not in ("iob2", "bio"))
"""Schemes of tags that become IOB2 when data are read."""

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
        ValueError: If data cannot be loaded, have no split ``train``, or lack languages or pictures
            that the file asks for.
    """
    known: dict[str, datasets.DatasetDict] = {}
    read: list[datasets.Dataset] = []
    for name, task in file.tasks.items():
        key, where = _key(task), f"[tasks.{name}]"
        if key in known:
            continue
        same = {n: t for n, t in file.tasks.items() if _key(t) == key}
        columns = [column for other in same.values() for column in other.columns]
        with located(where):
            splits = as_iob2(load(task, where), schemes_of(same))
        read += splits.values()
        splits = _with_beside(splits, file, task, where)
        with located(where):
            known[key] = _with_validation(splits, file, columns)
    if file.pictures is not None:
        check_pictured(file.pictures["column"], read)
    return {name: known[_key(task)] for name, task in file.tasks.items()}


def _with_beside(
    splits: datasets.DatasetDict, file: RunFile, task: TaskTable, where: str
) -> datasets.DatasetDict:
    """Return data whose pictures can be opened, or refuse data that lack what the file asks for."""
    picture, language = ((t or {}).get("column") for t in (file.pictures, file.languages))
    if picture is None and language is None:
        return splits
    made = format_of(task.format, f"{where}: format")
    found = datasets.DatasetDict(splits)
    for split in (split for split in SPLITS if split in splits):
        folder = folder_of(task.data, split, task.config, made)
        columns = BesideColumns(picture, language)
        found[split] = with_beside(splits[split], columns, folder, f"{where}, split {split!r}")
    return found


def schemes_of(tasks: Mapping[str, TaskTable]) -> dict[str, str]:
    """Return the columns whose tags are to be converted, with the scheme that they are in.

    Args:
        tasks: Tasks with the same data.

    Raises:
        Refused: If tasks say different things of a column.
    """
    found: dict[str, str] = {}
    for name, task in tasks.items():
        if "scheme" not in task.settings:
            continue
        column, scheme = task.settings["tags"], task.settings["scheme"]
        if found.setdefault(column, scheme) != scheme:
            raise Refused(
                f"[tasks.{name}]: scheme = {scheme!r} for the column {column!r}, of which another "
                f"task says {found[column]!r}"
            )
    return {column: scheme for column, scheme in found.items() if scheme in CONVERTED}


def as_iob2(splits: datasets.DatasetDict, schemes: Mapping[str, str]) -> datasets.DatasetDict:
    """Write tags of other schemes as IOB2, which models learn.

    Args:
        splits: The data.
        schemes: Columns of tags, with the scheme that they are in.

    Raises:
        ValueError: If tags are of another scheme.
        TypeError: If there are no tags in a column.
    """
    found = datasets.DatasetDict(splits)
    for column, scheme in schemes.items():
        for split, rows in found.items():
            if column not in rows.column_names:
                continue
            tags = named_labels(rows[column])
            with located(f"Split {split!r}, column {column!r}, scheme = {scheme!r}"):
                made = [converted_tags(row, scheme) for row in tags]
            found[split] = with_column(rows, column, made)
    return found


def converted_tags(
    tags: Sequence[str | None] | None, source: str, target: str = "iob2"
) -> list[str | None] | None:
    """Write the tags of a sentence in another scheme; those that are missing stay so.

    Args:
        tags: One a word.
        source: The scheme that they are in.
        target: Another scheme.

    Raises:
        ValueError: If tags are of another scheme.
        TypeError: If there are no tags.
    """
    if tags is None:
        return None
    made = iter(convert_tags([tag for tag in tags if tag is not None], source, target))
    return [None if tag is None else next(made) for tag in tags]


def with_column(rows: datasets.Dataset, column: str, values: list[Any]) -> datasets.Dataset:
    """Return rows with other values in a column, or with one more column.

    Args:
        rows: The rows.
        column: Name of the column.
        values: A cell for each row.
    """
    names = rows.column_names
    kept = rows.remove_columns(column) if column in names else rows
    made = kept.add_column(column, values)
    return made.select_columns([*names, *([] if column in names else [column])])


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


def check_entities(
    tasks: Mapping[str, TextTask], data: Mapping[str, Mapping[str, datasets.Dataset]]
) -> None:
    """Refuse tags that could not be measured, before a training is spent on finding out.

    Args:
        tasks: The tasks by name.
        data: By split, the rows of each task.

    Raises:
        Refused: If entities of a strict task break IOB2.
    """
    for split, parts in data.items():
        for name, rows in parts.items():
            task = tasks[name]
            if not isinstance(task, Tagging) or task.iob2_tags is None or task.invalid != "refuse":
                continue
            try:
                check_iob2(_entity_tags(task, rows), "The tags")
            except ValueError as error:
                raise Refused(
                    f"[tasks.{name}], split {split!r}: {one_line(error)} In a file that is "
                    'scheme = "iob1", or invalid = "convert".'
                ) from error


def _entity_tags(task: Tagging, rows: datasets.Dataset) -> list[list[str]]:
    assert task.iob2_tags is not None
    references = [task.reference(row) for row in rows_of(rows, {task.name: task})]
    known = [task.ids_of(tags) for tags in references if tags is not None]
    return [[task.iob2_tags[i] for i in ids if i != MISSING_LABEL] for ids in known]


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
