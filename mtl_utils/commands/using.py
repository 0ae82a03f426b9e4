"""``evaluate`` and ``predict``: what a trained model is for."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from pyarrow import parquet

from mtl_utils import corpora, models
from mtl_utils.commands import results, training
from mtl_utils.commands.beside import folder_of, read_beside, told_language
from mtl_utils.commands.data_files import (
    CONVERTED,
    FORMATS,
    as_iob2,
    chosen_split,
    converted_tags,
    format_of,
    has_labels,
)
from mtl_utils.commands.keys import choice
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.own_kinds import is_own, kind_of
from mtl_utils.commands.toml_files import read_toml, toml_value
from mtl_utils.files import whole_file
from mtl_utils.models import TextModel
from mtl_utils.models.text_reading import words_of
from mtl_utils.tasks import TextTask

_MODEL_FILE = "model.json"
PARQUET = ".parquet"


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
    model = loaded(options.folder, options.own)
    asked = _asked(model, options.task)
    made = _format(options, list(asked), options.data)
    schemes = {
        str(task.labelled_by): scheme
        for name, task in asked.items()
        if (scheme := _scheme(options, name)) is not None
    }
    is_file = options.data not in corpora.names() and Path(options.data).expanduser().is_file()
    given = {"test": options.data} if is_file else options.data
    splits = as_iob2(corpora.load(given, options.config, format=made), schemes)
    split = chosen_split(splits, options.split)
    folder = folder_of(given, split, options.config, made) if model.beside.picture else None
    rows = read_beside(splits[split], model.beside, folder, f"{options.data}, split {split!r}")
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
        options: ``folder``, ``file``, ``task``, ``format``, ``raw``, ``pairs``, ``language``,
            ``probabilities`` and ``output``.

    Raises:
        ValueError: If there is no model or file, or a task cannot read it.
        KeyError: If a task is not known.
    """
    if options.file != "-" and not Path(options.file).expanduser().is_file():
        raise Refused(f"FILE must be a file of texts, or - for standard input, got {options.file}")
    model = loaded(options.folder, options.own)
    asked = _asked(model, options.task)
    if _is_raw(options, list(asked)):
        _write(options.output, _of_lines(model, list(asked), options))
        return
    if options.output is None and options.file.lower().endswith(PARQUET):
        raise Refused("parquet is nothing to print; give --output FILE")
    if options.probabilities or options.pairs or options.language is not None:
        raise Refused("--probabilities, --pairs and --language are for raw texts, one a line")
    _write(options.output, _of_rows(model, asked, options))


def _is_raw(options: argparse.Namespace, tasks: Sequence[str]) -> bool:
    """Tell whether a file is one text a line, which its name says unless the command does."""
    if options.raw or options.file == "-":
        return True
    if options.format or _is_table(options.file):
        return False
    end = Path(options.file).suffix.lower()
    for name in tasks:
        table = trained_as(options.folder, name)
        data = table.get("data", "")
        files = [data] if isinstance(data, str) else list(data.values())
        if table.get("format") and end in {Path(file).suffix.lower() for file in files}:
            raise Refused(
                f"{options.file} may be one text a line, or like {files[0]}, which {name!r} was "
                f"trained on with a format of its own: give --raw, or --format "
                f"'{toml_value(table['format'])}'"
            )
    return True


def loaded(folder: Path, own: Sequence[str]) -> TextModel:
    """Load the model of a run.

    Args:
        folder: Folder of a run, or of a model.
        own: Classes of one's own that it needs, each ``FILE.py:CLASS``.

    Raises:
        Refused: If there is none that reads rows of data sets.
    """
    model = any_model(folder, own)
    if isinstance(model, TextModel):
        return model
    raise Refused(
        f"{folder} holds a {type(model).__name__}, which reads no rows of data sets: use it from "
        "Python, models.load(folder)"
    )


def any_model(folder: Path, own: Sequence[str]) -> Any:
    """Load the model of a run, whatever it is.

    Args:
        folder: Folder of a run, or of a model.
        own: Classes of one's own that it needs, each ``FILE.py:CLASS``.

    Raises:
        Refused: If there is none.
    """
    for place in (folder / training.MODEL, folder):
        if (place / _MODEL_FILE).is_file():
            return _model_in(place, own)
    raise Refused(
        f"There is no model in {folder}: give the folder of a run that `train` has finished"
    )


def _model_in(place: Path, own: Sequence[str]) -> Any:
    """Load a model; files of one's own are run where the command names them, and not otherwise."""
    for kind in own:
        if not is_own(kind):
            raise Refused(f"--own must be FILE.py:CLASS, got {kind}")
    try:
        return models.load(place, own=[kind_of(kind) for kind in own])
    except ValueError as error:
        if "own=" not in str(error):
            raise
        raise Refused(f"{error}; here, --own FILE.py:CLASS") from error


def _asked(model: TextModel, names: Sequence[str] | None) -> dict[str, TextTask]:
    tasks = model.text_tasks
    if names is not None:
        return {choice(name, tasks, "--task"): tasks[name] for name in names}
    labelled = {name: task for name, task in tasks.items() if task.labelled_by is not None}
    return labelled or tasks


def _is_table(file: str) -> bool:
    return file.lower().endswith(PARQUET) or any(
        file.lower().endswith(end) for kind in FORMATS.values() for end in kind.extensions
    )


def _format(
    options: argparse.Namespace, tasks: Sequence[str], file: str
) -> corpora.TextFormat | None:
    """Return the format that was asked for, or that the model's own data had."""
    if options.format is not None:
        return format_of(format_given(options.format), "--format")
    if file in corpora.names():
        return None
    known = [trained_as(options.folder, name).get("format") for name in tasks]
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


def trained_as(folder: Path, task: str) -> dict[str, Any]:
    """Return what the file of the run says of a task; nothing where a model has no run.

    Args:
        folder: Folder of a run, or of a model.
        task: Name of the task.
    """
    places = (folder / training.RESOLVED, folder.resolve().parent / training.RESOLVED)
    path = next((path for path in places if path.is_file()), None)
    table: dict[str, Any] = {} if path is None else read_toml(path).get("tasks", {}).get(task, {})
    return table


def _scheme(options: argparse.Namespace, task: str) -> str | None:
    """Return the scheme of the tags that a task was trained on, where it is not that of models."""
    scheme = trained_as(options.folder, task).get("scheme")
    return scheme if scheme in CONVERTED else None


def _of_lines(model: TextModel, tasks: list[str], options: argparse.Namespace) -> bytes:
    lines = _lines(options.file)
    second = None
    if options.pairs:
        lines, second = _halves(lines)
    elif options.task is None:
        tasks = [n for n in tasks if len(model.text_tasks[n].inputs) == 1]
        if not tasks:
            raise Refused("All tasks are of pairs: give --pairs, and a tab between the two texts")
    given: dict[str, Any] = {"languages": told_language(model.beside, options.language)}
    given["probabilities"] = options.probabilities
    found = model.predict(lines, tasks, second=second, **given) if lines else []
    words = any(model.text_tasks[name].reads_words for name in tasks)
    written = io.StringIO()
    for place, (line, said) in enumerate(zip(lines, found, strict=True)):
        row: dict[str, Any] = {"text": line}
        if second is not None:
            row["second"] = second[place]
        if words:
            row["tokens"] = words_of(line)
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
    beside = read_beside(rows, model.beside, Path(file).resolve().parent, file)
    found = model.predict(beside, list(tasks))
    predictions = {}
    for name, task in tasks.items():
        said, scheme = [one[name] for one in found], _scheme(options, name)
        if scheme is not None:
            said = [converted_tags(tags, "iob2", scheme) for tags in said]
        if _holds_numbers(rows, str(task.labelled_by)):
            said = as_numbers(said)
        predictions[str(task.labelled_by)] = said
    if file.lower().endswith(PARQUET):
        return _as_parquet(file, rows.features, predictions)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predicted"
        corpora.write(path, file, predictions, format=made)
        return path.read_bytes()


def _holds_numbers(rows: datasets.Dataset, column: str) -> bool:
    """Tell whether whole numbers that are labels stand in a column as numbers."""
    feature = rows.features.get(column)
    is_named = isinstance(feature, datasets.ClassLabel)
    return not is_named and getattr(feature, "dtype", "").startswith(("int", "uint"))


def as_numbers(labels: Sequence[str]) -> list[Any]:
    """Return labels as the whole numbers that they are names of, if all are.

    Args:
        labels: The labels.
    """
    numbers = [int(name) if re.fullmatch(r"-?[0-9]+", str(name)) else None for name in labels]
    return list(labels) if None in numbers else numbers


def _as_parquet(
    file: str, features: datasets.Features, predictions: Mapping[str, list[Any]]
) -> bytes:
    """Return a table with other columns of labels, in ids where the table knows what they mean."""
    table = parquet.read_table(file)
    for column, said in predictions.items():
        made = pa.array(said)
        if column not in table.column_names:
            table = table.append_column(column, made)
            continue
        place = table.schema.get_field_index(column)
        with contextlib.suppress(ValueError, pa.ArrowException):  # of another type: texts
            named = datasets.Features({column: features[column]})
            made = pa.array(named.encode_column(said, column), table.schema.field(place).type)
        if made.type != table.schema.field(place).type:
            table = table.replace_schema_metadata(None)  # it would say the old type
        table = table.set_column(place, column, made)
    written = io.BytesIO()
    parquet.write_table(table, written)
    return written.getvalue()


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
