"""Rows of data sets as examples: each task reads its columns, and equal texts are read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import datasets
import pandas as pd

from mtl_utils.arguments import check_names, shown
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.class_labels import named_labels
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.examples import Example
from mtl_utils.data.missing import is_missing
from mtl_utils.models.beside import Beside, BesideColumns
from mtl_utils.models.text_reading import TextReader, kept_once, numbered
from mtl_utils.tasks.text_task import NO_CELL, Row, TextTask, cell_of

T = TypeVar("T")

Rows: TypeAlias = datasets.Dataset | pd.DataFrame | Sequence[Row]
"""A data set, a table of pandas, or a list of rows as mappings from columns to cells."""

_EXPECTED = (
    "Expected rows: a datasets.Dataset, a pandas.DataFrame or a list of mappings from columns to "
    "cells"
)


def is_rows(data: Any) -> bool:
    """Tell rows of a data set from texts and from examples.

    Args:
        data: Anything.
    """
    if isinstance(data, datasets.Dataset | pd.DataFrame):
        return True
    listed = isinstance(data, Sequence) and not isinstance(data, str | bytes)
    return listed and len(data) > 0 and isinstance(data[0], Mapping)


def rows_of(
    data: Rows, tasks: Mapping[str, TextTask], beside: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return rows with what tasks need of them, labels by the names of their features.

    Args:
        data: The data set.
        tasks: The tasks by name.
        beside: Columns that are kept too, for what stands beside the text.

    Raises:
        TypeError: If it is no data set.
        ValueError: If it has no row, a column twice that a task reads, or an id of a label has no
            name.
    """
    if isinstance(data, datasets.DatasetDict):
        raise TypeError(f"Expected one split of a data set, got all of them: {list(data)}")
    listed = isinstance(data, Sequence) and not isinstance(data, str | bytes)
    if not listed and not is_rows(data):
        raise TypeError(f"{_EXPECTED}, got {shown(data)}")
    if not len(data):
        raise ValueError(f"{_EXPECTED}, at least one row; got none: {shown(data)}")
    if isinstance(data, datasets.Dataset):
        return _rows_of_dataset(data, tasks, beside)
    if isinstance(data, pd.DataFrame):
        return _rows_of_table(data, tasks)
    for place, row in enumerate(data):
        if not isinstance(row, Mapping):
            raise TypeError(f"{_EXPECTED}, got {shown(row)} as row {place}, counted from 0")
    return [dict(row) for row in data]


def _rows_of_dataset(
    data: datasets.Dataset, tasks: Mapping[str, TextTask], beside: Sequence[str]
) -> list[dict[str, Any]]:
    data = data.with_format(None)  # columns of pandas or NumPy do not know what their ids mean
    wanted = {column for task in tasks.values() for column in _columns(task)}
    wanted |= set(beside)
    tops = {column if column in data.column_names else column.split(".")[0] for column in wanted}
    columns = {name: named_labels(data[name]) for name in data.column_names if name in tops}
    if not columns:
        return [{} for _ in range(len(data))]
    names = list(columns)
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _rows_of_table(data: pd.DataFrame, tasks: Mapping[str, TextTask]) -> list[dict[str, Any]]:
    wanted = {column for task in tasks.values() for column in _columns(task)}
    twice = [name for name in data.columns[data.columns.duplicated()] if name in wanted]
    if twice:
        raise ValueError(
            f"The table has the column {twice[0]!r} twice, so that it is not clear which of them "
            f"is to be read: {list(data.columns)!r:.200}"
        )
    return [dict(zip(data.columns, cells, strict=True)) for cells in data.to_numpy(object)]


def tasks_in(
    rows: Sequence[Row], tasks: Mapping[str, TextTask], asked: Iterable[str] | None
) -> dict[str, TextTask]:
    """Return the tasks that rows have texts and labels of.

    Args:
        rows: The rows. A column is there if one of them has it: rows that lack the label of a task
            have none of it.
        tasks: The tasks of a model by name.
        asked: Names of those that are meant; all that fit if ``None``.

    Raises:
        KeyError: If there is no such task, or the rows lack a column of a task that was asked for.
        ValueError: If the rows have columns of no task, or no task is asked for.
        TypeError: If what is asked for are no names.
    """
    if asked is not None:
        chosen = chosen_tasks(tasks, asked)
        for name in chosen:
            lacking = [c for c in _columns(tasks[name]) if not has_column(rows, c)]
            if lacking:
                raise KeyError(
                    f"The task {name!r} needs the columns {list(_columns(tasks[name]))}, and the "
                    f"rows have {_named_columns(rows)}: {lacking} is missing. Name the columns "
                    "when the task is made."
                )
        return chosen
    found = {
        name: task
        for name, task in tasks.items()
        if all(has_column(rows, column) for column in _columns(task))
    }
    if not found:
        wanted = {name: list(_columns(task)) for name, task in tasks.items()}
        raise ValueError(
            f"The rows have the columns {_named_columns(rows)}, and no task finds its own: "
            f"{wanted}. Name the columns when the tasks are made, or rename those of the data set."
        )
    return found


def examples_of(
    rows: Sequence[Row],
    tasks: Mapping[str, TextTask],
    reader: TextReader,
    truncate: bool | None = None,
    *,
    required: bool = True,
) -> list[Example]:
    """Turn rows into examples.

    Args:
        rows: The rows.
        tasks: The tasks that have labels in them.
        reader: Turns texts into ids.
        truncate: Whether to cut what is too long; as the reader says if ``None``.
        required: Whether to refuse rows without any label.

    Returns:
        Row by row an example for each different text that tasks read, with the labels of all tasks
        that read it; none where a row has no label.

    Raises:
        ValueError: If no row has a label, or a row is refused; a note says which.
        KeyError: If a label is not among those of its task.
        TypeError: If something that should be a text is none.
    """
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, task in tasks.items():
        groups.setdefault(_reads(task), []).append(name)
    made: list[Example] = []
    cut: set[int] = set()
    for place, row in enumerate(rows):
        with numbered(place, row):
            for encoded, example in _examples(row, list(groups.values()), tasks, reader, truncate):
                made.append(example)
                if encoded.num_cut:
                    cut.add(place)
    if truncate is None:  # otherwise it was asked for
        reader.warn_of_cut(len(cut), len(rows))
    if required and not made:
        raise ValueError(
            f"None of the {len(rows)} rows has a label of {list(tasks)}; there is nothing to learn "
            "and nothing to measure"
        )
    return made


def _examples(
    row: Row,
    groups: Sequence[Sequence[str]],
    tasks: Mapping[str, TextTask],
    reader: TextReader,
    truncate: bool | None,
) -> Iterator[tuple[EncodedText, Example]]:
    readings: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for names in groups:
        known = [n for n in names if _has_label(tasks[n], row)]
        if not known:
            continue
        encoded = reader.encoded(*tasks[known[0]].read(row), truncate)
        _, labels, lost = kept_once(readings, encoded, {}, {})
        for name in known:
            label = tasks[name].target(row, encoded)
            cut = tasks[name].lost(row, encoded)
            if label is None or (says_nothing(label) and not cut):
                continue
            labels[name] = label
            if cut:
                lost[name] = cut
    beside = reader.beside.of(row) if readings else Beside()
    for encoded, labels, lost in readings.values():
        if labels:
            words = encoded.first_pieces if encoded.as_words else None
            made = Example(
                encoded.input_ids, labels, encoded.segment_ids, first_pieces=words, lost=lost
            )
            yield encoded, beside.added_to(made)


def _has_label(task: TextTask, row: Row) -> bool:
    return task.labelled_by is None or task.reference(row) is not None


def says_nothing(label: Any) -> bool:
    """Tell a label that is missing throughout, such as the tags of words that have none.

    Args:
        label: A label, or a sequence of them.
    """
    if isinstance(label, Sequence) and not isinstance(label, str | bytes):
        return all(map(says_nothing, label))
    return is_missing(label) or (type(label) is int and label == MISSING_LABEL)


def _reads(task: TextTask) -> tuple[Any, ...]:
    return (task.inputs, task.reads_words)


def check_has_columns(rows: Sequence[Row], beside: BesideColumns) -> None:
    """Refuse rows without the columns that are read beside texts.

    Args:
        rows: The rows.
        beside: The columns.

    Raises:
        KeyError: If no row has one of them.
    """
    for name, column, hint in (
        ("picture", beside.picture, ", or add one that holds None where there is no picture"),
        ("language", beside.language, ""),
    ):
        if column is not None and not has_column(rows, column):
            raise KeyError(
                f"The model reads {name}s from the column {column!r}, and the rows have "
                f"{_named_columns(rows)}. Name the column when the model is made ({name}=...)"
                f"{hint}."
            )


def _columns(task: TextTask) -> tuple[str, ...]:
    return task.inputs if task.labelled_by is None else (*task.inputs, task.labelled_by)


def chosen_tasks(tasks: Mapping[str, T], asked: Any) -> dict[str, T]:
    """Return tasks that were asked for by name.

    Args:
        tasks: The tasks of a model by name.
        asked: Some of the names; ``None`` for all.

    Raises:
        KeyError: If there is no such task.
        ValueError: If no name is given.
        TypeError: If it is a single name, or no names at all.
    """
    if asked is None:
        return dict(tasks)
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        raise TypeError(f"tasks must be a list of names, got {shown(asked)}")
    names = list(asked)
    if not names:
        raise ValueError(f"tasks must name at least one task of {list(tasks)}, got []")
    for name in names:
        if not isinstance(name, str) or name not in tasks:
            raise KeyError(f"No task named {name!r} in tasks; the model has {list(tasks)}")
    return {name: tasks[name] for name in names}


def has_column(rows: Iterable[Row], column: str) -> bool:
    """Tell whether a row has a column.

    Args:
        rows: The rows.
        column: Name of the column, or names joined by a dot; see
            :func:`mtl_utils.tasks.text_task.cell_of`.
    """
    return any(cell_of(row, column) is not NO_CELL for row in rows)


def _named_columns(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row))


def check_text_tasks(tasks: Iterable[Any]) -> None:
    """Refuse tasks that do not know which columns they read.

    Args:
        tasks: The tasks.

    Raises:
        TypeError: If one is no :class:`mtl_utils.tasks.TextTask`.
    """
    for task in tasks:
        if not isinstance(task, TextTask):
            raise TypeError(
                f"{type(task).__name__} says nothing of columns, so a TextModel cannot read data "
                "sets for it. Inherit from tasks.TextTask and define target, or use MultiTaskModel."
            )


def by_task(data: Any, tasks: Mapping[str, TextTask]) -> list[tuple[list[str] | None, Any]]:
    """Return data sets, each with the names of the tasks it was given for.

    Args:
        data: One data set, or one a task; a data set that was given for several tasks is one.
        tasks: The tasks of a model by name.

    Raises:
        KeyError: If a key is no name of a task.
        ValueError: If there is no data set.
        TypeError: If a key is no text.
    """
    if not isinstance(data, Mapping) or isinstance(data, datasets.DatasetDict):
        return [(None, data)]
    check_names("data", data, "data sets by task")
    if not data:
        raise ValueError(f"Expected a data set for at least one task of {list(tasks)}, got {data}")
    unknown = [name for name in data if name not in tasks]
    if unknown:
        raise KeyError(
            f"The data are of a task {unknown[0]!r} that there is not; the model has the tasks "
            f"{list(tasks)}"
        )
    groups: dict[int, tuple[list[str], Any]] = {}
    for name, given in data.items():
        groups.setdefault(id(given), ([], given))[0].append(name)
    return list(groups.values())
