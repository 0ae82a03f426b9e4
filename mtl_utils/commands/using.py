"""``evaluate`` and ``predict``: what a trained model is for."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets

from mtl_utils import corpora, models
from mtl_utils.commands import results, training
from mtl_utils.commands.data_files import FORMATS, chosen_split, format_of, has_labels
from mtl_utils.commands.keys import choice
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.toml_files import read_toml
from mtl_utils.data import split_words
from mtl_utils.files import whole_file
from mtl_utils.models import TextModel
from mtl_utils.tasks import TextTask

_MODEL_FILE = "model.json"


def evaluate(options: argparse.Namespace) -> str:
    """Measure a model.

    Args:
        options: ``folder``, ``data``, ``config``, ``split``, ``format``, ``task`` and ``json``.

    Returns:
        A table, or JSON.

    Raises:
        ValueError: If there is no model, or nothing in the data that it could be measured on.
        KeyError: If a task or a split is not known.
    """
    model = _load(options.folder)
    asked = _asked(model, options.task)
    made = _format(options, list(asked), options.data)
    splits = corpora.load(options.data, options.config, format=made)
    split = chosen_split(splits, options.split)
    rows = splits[split]
    found = {name: rows for name, task in asked.items() if _reads(task, rows)}
    if not found:
        wanted = {name: [*task.inputs, task.labelled_by] for name, task in asked.items()}
        raise Refused(
            f"{options.data}, split {split!r}, has the columns {rows.column_names}, and no task "
            f"finds texts and labels in its own: {wanted}"
        )
    scores = {split: results.without_nan(model.evaluate(found))}
    return json.dumps(scores[split], indent=1) if options.json else training.show(scores)


def _reads(task: TextTask, rows: datasets.Dataset) -> bool:
    return _has_inputs(task, rows) and has_labels(task, rows)


def _has_inputs(task: TextTask, rows: datasets.Dataset) -> bool:
    return all(
        column.split(".")[0] in {*rows.column_names} or column in rows.column_names
        for column in task.inputs
    )


def predict(options: argparse.Namespace) -> None:
    """Label texts, and write what was found.

    Args:
        options: ``folder``, ``file``, ``task``, ``format``, ``raw``, ``pairs``,
            ``probabilities`` and ``output``.

    Raises:
        ValueError: If there is no model or file, or a task cannot read it.
        KeyError: If a task is not known.
    """
    if options.file != "-" and not Path(options.file).expanduser().is_file():
        raise Refused(f"FILE must be a file of texts, or - for standard input, got {options.file}")
    model = _load(options.folder)
    asked = _asked(model, options.task)
    if options.raw or options.file == "-" or (not options.format and not _is_table(options.file)):
        _write(options.output, _of_lines(model, list(asked), options))
        return
    if options.probabilities or options.pairs:
        raise Refused("--probabilities and --pairs are for raw texts, one a line")
    _write(options.output, _of_rows(model, asked, options))


def _load(folder: Path) -> TextModel:
    for place in (folder / training.MODEL, folder):
        if (place / _MODEL_FILE).is_file():
            model = models.load(place)
            if isinstance(model, TextModel):
                return model
            raise Refused(
                f"{place} holds a {type(model).__name__}, which reads no rows of data sets: use it "
                "from Python, models.load(folder)"
            )
    raise Refused(
        f"There is no model in {folder}: give the folder of a run that `train` has finished"
    )


def _asked(model: TextModel, names: Sequence[str] | None) -> dict[str, TextTask]:
    tasks = model.text_tasks
    if names is not None:
        return {choice(name, tasks, "--task"): tasks[name] for name in names}
    labelled = {name: task for name, task in tasks.items() if task.labelled_by is not None}
    return labelled or tasks


def _is_table(file: str) -> bool:
    return any(file.lower().endswith(end) for kind in FORMATS.values() for end in kind.extensions)


def _format(
    options: argparse.Namespace, tasks: Sequence[str], file: str
) -> corpora.TextFormat | None:
    """Return the format that was asked for, or that the model's own data had."""
    if options.format is not None:
        return format_of(format_given(options.format), "--format")
    if file in corpora.names():
        return None
    known = [_trained(options.folder, name) for name in tasks]
    if not known or any(format_ != known[0] for format_ in known) or known[0] is None:
        return None
    made = format_of(known[0], "format of the training data")
    is_folder = Path(file).is_dir()
    fits = made is not None and any(file.lower().endswith(end) for end in made.extensions)
    return made if is_folder or fits else None


def format_given(given: str) -> Any:
    """Return a format as a file would have it.

    Args:
        given: Its name, or a table as TOML.

    Raises:
        Refused: If it is neither.
    """
    if not given.strip().startswith("{"):
        return given
    try:
        return tomllib.loads(f"format = {given}")["format"]
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"--format {given} is no TOML: {error}") from None


def _trained(folder: Path, task: str) -> Any:
    path = folder / training.RESOLVED
    if not path.is_file():
        return None
    return read_toml(path).get("tasks", {}).get(task, {}).get("format")


def _of_lines(model: TextModel, tasks: list[str], options: argparse.Namespace) -> bytes:
    lines = _lines(options.file)
    second = None
    if options.pairs:
        lines, second = _halves(lines)
    elif options.task is None:
        tasks = [n for n in tasks if len(model.text_tasks[n].inputs) == 1]
        if not tasks:
            raise Refused("All tasks are of pairs: give --pairs, and a tab between the two texts")
    found = []
    if lines:
        found = model.predict(lines, tasks, second=second, probabilities=options.probabilities)
    words = any(model.text_tasks[name].reads_words for name in tasks)
    written = io.StringIO()
    for place, (line, said) in enumerate(zip(lines, found, strict=True)):
        row: dict[str, Any] = {"text": line}
        if second is not None:
            row["second"] = second[place]
        if words:
            row["tokens"] = [word.text for word in split_words(line)]
        written.write(json.dumps({**row, "predictions": said}, ensure_ascii=False) + "\n")
    return written.getvalue().encode("utf-8")


def _lines(file: str) -> list[str]:
    data = sys.stdin.buffer.read() if file == "-" else Path(file).expanduser().read_bytes()
    text = data.decode("utf-8-sig")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _halves(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    parts = [line.split("\t") for line in lines]
    for number, part in enumerate(parts, 1):
        if len(part) != 2:
            raise Refused(
                f"Line {number} must have two texts with one tab between them, got "
                f"{lines[number - 1]!r:.60}"
            )
    return [part[0] for part in parts], [part[1] for part in parts]


def _of_rows(model: TextModel, asked: Mapping[str, TextTask], options: argparse.Namespace) -> bytes:
    """Return the file with predictions in the columns of labels."""
    file = str(Path(options.file).expanduser())
    made = _format(options, list(asked), file)
    rows = corpora.load({"test": file}, format=made)["test"]
    tasks = {name: task for name, task in asked.items() if _has_inputs(task, rows)}
    if not tasks or (options.task is not None and len(tasks) < len(asked)):
        wanted = {name: task.inputs for name, task in asked.items()}
        raise Refused(
            f"{file} has the columns {rows.column_names}, and the tasks read others: {wanted}. To "
            "read it as one text a line give --raw"
        )
    columns = [str(task.labelled_by) for task in tasks.values()]
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise Refused(
            f"{list(tasks)} would all write the column {twice!r}; choose one with --task NAME"
        )
    found = model.predict(rows, list(tasks))
    predictions = {
        str(task.labelled_by): [said[name] for said in found] for name, task in tasks.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predicted"
        corpora.write(path, file, predictions, format=made)
        return path.read_bytes()


def _write(output: Path | None, content: bytes) -> None:
    if output is not None:
        with whole_file(output.expanduser()) as file:
            file.write(content)
        return
    with contextlib.suppress(BrokenPipeError):
        stream = getattr(sys.stdout, "buffer", None)
        if stream is None:
            sys.stdout.write(content.decode("utf-8"))
        else:
            sys.stdout.flush()
            stream.write(content)
            stream.flush()
