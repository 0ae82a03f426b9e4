"""``train``: a run in its folder, which goes on when cut and is never overwritten unasked."""

from __future__ import annotations

import gc
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import datasets

from mtl_utils.commands import results
from mtl_utils.commands.building import Built, build
from mtl_utils.commands.data_files import SPLITS, check_entities, load_all, of_split
from mtl_utils.commands.keys import choice
from mtl_utils.commands.messages import Refused, located
from mtl_utils.commands.run_file import RunFile
from mtl_utils.commands.toml_files import read_toml, toml, write_toml
from mtl_utils.data.loading import Loader
from mtl_utils.models import TextModel, fitting
from mtl_utils.training import Trainer, TrainerConfig
from mtl_utils.training.callbacks import AnyCallback
from mtl_utils.training.sampling import with_epochs

RESOLVED, HISTORY, METRICS, CHECKPOINT = (
    "resolved.toml",
    "history.csv",
    "metrics.json",
    "checkpoint",
)
MODEL, COMPARISON = "model", "comparison.json"
SHARES, WEIGHTS = "gradient_shares.csv", "loss_weights.csv"

Scores = dict[str, dict[str, float | None]]
"""By split, the metrics of the tasks that have labels in it."""


def train(file: RunFile, *, force: bool = False, quiet: bool = False) -> Scores:
    """Train what a file says, and put all that is known of it into the folder of the run.

    Args:
        file: The file.
        force: Whether another run in the folder is replaced.
        quiet: Whether to print a line for each epoch instead of showing a bar.

    Returns:
        The metrics, of a run that was finished before those that it had.

    Raises:
        Refused: If the folder holds something else.
        ValueError: If file or data are refused.
    """
    folder = file.output
    if not force:
        _check_folder(folder)
    with _nothing_thrown_away():
        data = load_all(file)
        built = build(file, data)
    if _is_same(folder, built.file, force):
        if (folder / METRICS).is_file():
            _say(f"{folder} holds this run, finished; --force runs it again.")
            found: Scores = json.loads((folder / METRICS).read_text("utf-8"))
            return found
        if (folder / CHECKPOINT).is_file():
            _say(f"Going on with the run in {folder}.")
    else:
        results.clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_toml(folder / RESOLVED, built.file.content)
    _fit(built, data, quiet)
    return _finish(built, data)


@contextmanager
def _nothing_thrown_away() -> Iterator[None]:
    """Read data without a look for garbage now and then, which takes as long as the reading."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _check_folder(folder: Path) -> None:
    if folder.is_file():
        raise Refused(f"{folder} is a file, and a run needs a folder; name another output")
    foreign = (
        {p.name for p in folder.iterdir()} - {"comparison", COMPARISON}
        if folder.is_dir()
        else set()
    )
    if foreign and not (folder / RESOLVED).is_file():
        raise Refused(
            f"{folder} holds files that are no run; name another output, or add them with --force"
        )


def _is_same(folder: Path, file: RunFile, force: bool) -> bool:
    """Tell whether a folder holds this very run; refuse another one."""
    if force or not (folder / RESOLVED).is_file():
        return False
    there, asked = read_toml(folder / RESOLVED), tomllib.loads(toml(file.content))
    if there == asked:
        return True
    where, old, new = _first_difference(there, asked)
    raise Refused(
        f"{folder} holds another run: {where} is {old!r:.60} there and {new!r:.60} here. Name "
        "another output, or replace it with --force"
    )


def _first_difference(
    there: Mapping[str, Any], asked: Mapping[str, Any], path: str = ""
) -> tuple[str, Any, Any]:
    for key in {**there, **asked}:
        old, new, where = there.get(key), asked.get(key), f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict) and old != new:
            return _first_difference(old, new, f"{where}.")
        if old != new:
            return where, old, new
    return path, None, None


def _fit(built: Built, data: Mapping[str, datasets.DatasetDict], quiet: bool) -> None:
    output = built.file.output
    progress: bool | Literal["lines"] = "lines" if quiet else True
    trainer, loader, checked = prepare(
        built, data, checkpoint=output / CHECKPOINT, progress=progress
    )
    history = trainer.fit(loader, checked)
    results.write_table(output / HISTORY, history)
    results.write_table(output / SHARES, trainer.shares)
    if len(trainer.weights):
        results.write_table(output / WEIGHTS, trainer.weights)
    results.draw_curves(output, history)


def prepare(
    built: Built,
    data: Mapping[str, datasets.DatasetDict],
    *,
    checkpoint: Path | None,
    progress: bool | Literal["lines"],
    callbacks: Sequence[AnyCallback] = (),
    shares_every: int | None = 50,
) -> tuple[Trainer, Loader, Loader | None]:
    """Return what trains a model, and its training and validation data.

    Args:
        built: The model and its file.
        data: The data of each task, by split.
        checkpoint: File from which an interrupted training goes on.
        progress: Whether to show a bar, or to print lines.
        callbacks: What is told of steps and epochs.
        shares_every: Steps from one measurement of shares of the gradient to the next.

    Raises:
        Refused: If a task has no training row with a label, or file or data are refused.
        KeyError: If the metric is none.
    """
    file, model, settings = built.file, built.model, built.file.training
    config = config_of(file)
    sizes = {key: settings[key] for key in ("batch_size", "max_tokens")}
    train = of_split(model.text_tasks, data, "train")
    missing = [name for name in model.tasks if name not in train]
    if missing:
        raise Refused(f"[tasks.{missing[0]}]: no training row has a label")
    validation, test = (of_split(model.text_tasks, data, split) for split in SPLITS[1:])
    check_entities(model.text_tasks, {"validation": validation, "test": test})
    with located("The data ([tokenizer] has max_length and long)"), _nothing_thrown_away():
        sampling = with_epochs(settings["sampling"], settings["epochs"])
        loader = model.loader(train, **sizes, sampling=sampling, seed=file.seed)
        checked = model.loader(validation, **sizes, shuffle=False) if validation else None
    with located("[training]"):
        check_metric(model, validation, settings["metric"])
        trainer = fitting.trainer_of(
            model,
            checked,
            config=config,
            balancer=built.balancer,
            metric=settings["metric"],
            mode=settings["mode"],
            head_learning_rate=settings["head_learning_rate"],
            checkpoint=checkpoint,
            on_other_run="refuse",
            progress=progress,
            callbacks=callbacks,
            task_metrics=settings["task_metrics"],
            shares_every=shares_every,
        )
    return trainer, loader, checked


def config_of(file: RunFile) -> TrainerConfig:
    """Return the settings of the trainer.

    Args:
        file: What is trained.

    Raises:
        Refused: If one is outside its range.
    """
    names = [field.name for field in fields(TrainerConfig) if field.name != "seed"]
    with located("[training]"):
        return TrainerConfig(**{name: file.training[name] for name in names}, seed=file.seed)


def check_metric(
    model: TextModel,
    validation: Mapping[str, datasets.Dataset],
    metric: str | None,
    called: str = "metric",
) -> None:
    """Refuse a metric that no validation will have, before an epoch is spent on finding out.

    Args:
        model: The model.
        validation: The validation data of each task.
        metric: Column of the history; ``None`` for none.
        called: What the message is to call it.

    Raises:
        KeyError: If there will be no such column.
    """
    if metric is None or not validation:
        return
    known = ["validation_loss", *(f"validation_{name}" for name in validation)]
    if metric in known:
        return
    for name, rows in validation.items():
        if not model.text_tasks[name].by_reference:
            known += model.evaluate(model.examples(rows, [name])[:8])
    choice(metric, known, called)


def _finish(built: Built, data: Mapping[str, datasets.DatasetDict]) -> Scores:
    model, file = built.model, built.file
    parts = {split: of_split(model.text_tasks, data, split) for split in SPLITS[1:]}
    with located("The data"):
        measured = {split: model.evaluate(part) for split, part in parts.items() if part}
    scores = {split: results.without_nan(found) for split, found in measured.items()}
    for name, task in model.text_tasks.items():
        rows = parts["test"].get(name) or parts["validation"].get(name)
        if rows is not None:
            results.write_confusion(file.output, model, task, rows)
    trained_on = {name: str(task.given) for name, task in file.tasks.items()}
    numbers = {
        f"{split}: {metric}": value
        for split, found in scores.items()
        for metric, value in found.items()
        if value is not None
    }
    model.save(file.output / MODEL, data=trained_on, scores=numbers)
    results.write_scores(file.output / METRICS, scores)
    (file.output / CHECKPOINT).unlink(missing_ok=True)
    return scores


def show(scores: Scores) -> str:
    """Return metrics as a table, without those of each type of entity, which may be many.

    Args:
        scores: By split, the metrics by name.
    """
    every = dict.fromkeys(name for found in scores.values() for name in found)
    names = [n for n in every if not any(n.startswith(f"{other}_") for other in every)]
    width = max([6, *map(len, names)])
    lines = [" ".join(["metric".ljust(width), *(split.rjust(10) for split in scores)])]
    for name in names:
        cells = [found.get(name) for found in scores.values()]
        shown = ["" if value is None else f"{value:.4f}" for value in cells]
        lines.append(" ".join([name.ljust(width), *(cell.rjust(10) for cell in shown)]))
    return "\n".join(lines)
