"""``tune``: a search in its folder, which several processes share and which goes on when cut."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import torch
from matplotlib.figure import Figure

from mtl_utils.arguments import check_number
from mtl_utils.commands import results
from mtl_utils.commands.building import Built, build, read_splits
from mtl_utils.commands.data_files import load_all, of_split
from mtl_utils.commands.languages import with_names
from mtl_utils.commands.messages import Refused, located
from mtl_utils.commands.run_file import RunFile
from mtl_utils.commands.toml_files import read_toml, toml, write_toml
from mtl_utils.commands.training import check_metric, config_of, prepare
from mtl_utils.commands.tuning_file import PARAMETERS, RELATIVE, TuningFile
from mtl_utils.files import try_lock, whole_file
from mtl_utils.training.directions import choose_direction
from mtl_utils.training.history_columns import main_metric
from mtl_utils.tuning import (
    Attempt,
    Relative,
    Search,
    draw_front,
    draw_history,
    draw_importances,
    draw_slices,
)
from mtl_utils.tuning.needs import optuna
from mtl_utils.tuning.samplers import STARTUP

SEARCHED, TRIALS, BEST, FRONT = "searched.toml", "trials.csv", "best.toml", "front"
REFERENCE = "reference.json"
_SHOWN = 5
FAILURES = (FloatingPointError, torch.OutOfMemoryError)
"""What makes a trial a failed one: settings under which it diverges, or does not fit."""

Data = Mapping[str, datasets.DatasetDict]


def tune(asked: TuningFile, run: Callable[[Trials], Search] | None = None) -> str:
    """Search for settings, and write the best ones as a file that ``train`` takes.

    Args:
        asked: What to search, and how.
        run: Makes the trials that are missing, and returns the search; :func:`run_here` if
            ``None``.

    Returns:
        The best trials as a table, and where the file is.

    Raises:
        ImportError: If Optuna is not installed.
        Refused: If the folder holds another search or none, or a task has no validation rows.
        ValueError: If file or data are refused.
    """
    optuna()  # says what to install, before anything is read
    data = load_all(asked.file)
    made = partial(build, data=data, tokenizers={})  # most trials read the same pieces
    _check_objectives(asked, data, made)
    _check_space(asked, made)
    _claim(asked)
    judge = Relative(_reference(asked, data)) if RELATIVE in asked.objectives else None
    return _finish(asked, (run or run_here)(Trials(asked, data, judge, made)))


def run_here(trials: Trials) -> Search:
    """Make the trials that are missing in this process, one after the other.

    Args:
        trials: The trials.

    Returns:
        The search.
    """
    return trials.search().run(trials, trials.asked.trials, catch=FAILURES)


@dataclass(frozen=True)
class Trials:
    """Trains what the settings of a trial make of the file, and judges it on validation data.

    Args:
        asked: The search.
        data: The data of each task, by split.
        judge: What makes one number of the scores, where that is asked for.
        made: Makes the model of a file.
    """

    asked: TuningFile
    data: Data
    judge: Relative | None
    made: Callable[[RunFile], Built]

    def search(self) -> Search:
        """Open the search in its folder, as a session of its own.

        Raises:
            Refused: If the folder holds another search.
        """
        asked = self.asked
        with located("[tuning]"):
            return Search(
                asked.space,
                asked.objectives,
                folder=asked.output,
                sampler=asked.sampler,
                pruner=_pruner(asked),
                seed=asked.seed,
            )

    def __call__(self, settings: dict[str, Any], attempt: Attempt) -> dict[str, float]:
        """Make one trial.

        Args:
            settings: What was drawn.
            attempt: The trial.

        Returns:
            Its objectives.
        """
        try:
            return self._tried(settings, attempt)
        except (optuna().TrialPruned, *FAILURES) as end:
            _say(f"trial {attempt.number}: given up, {end}")
            raise

    def _tried(self, settings: dict[str, Any], attempt: Attempt) -> dict[str, float]:
        built = self.made(self.asked.tried(settings))
        first = next(name for name in self.asked.objectives if name != PARAMETERS)
        watched = attempt.pruning(self._value(first))
        trainer, loader, checked = prepare(
            built,
            self.data,
            checkpoint=None,
            progress=False,
            callbacks=[watched],
            shares_every=None,
        )
        history = trainer.fit(loader, checked)
        # Of the weights that `train` would keep.
        measured = history[trainer.metric]
        row = history.iloc[int(measured.argmin() if trainer.mode == "min" else measured.argmax())]
        scores = {str(name): float(value) for name, value in row.items()}
        scores[PARAMETERS] = float(sum(p.numel() for p in built.model.parameters()))
        if self.judge is not None:
            scores[RELATIVE] = self.judge(scores)
        for task in built.model.tasks:
            column = main_metric(task, scores)
            if column is not None and column not in self.asked.objectives:
                attempt.note(column, scores[column])
        found = {name: scores[name] for name in self.asked.objectives}
        told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        _say(f"trial {attempt.number}: {told}")
        return found

    def _value(self, name: str) -> str | Callable[[Mapping[str, float]], float]:
        if name != RELATIVE:
            return name
        assert self.judge is not None
        return self.judge


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _check_objectives(asked: TuningFile, data: Data, made: Callable[[RunFile], Built]) -> None:
    model = made(asked.file).model
    validation = of_split(model.text_tasks, data, "validation")
    missing = [name for name in asked.file.tasks if name not in validation]
    if missing:
        raise Refused(f"[tasks.{missing[0]}]: no row of validation has a label, to tune by")
    columns = {n for n in asked.objectives if n not in (RELATIVE, PARAMETERS)}
    with located("[tuning]"):
        for column in sorted(columns | set(asked.reference or {})):
            name = "objectives" if column in columns else "reference"
            check_metric(model, validation, column, name)


def _check_space(asked: TuningFile, made: Callable[[RunFile], Built]) -> None:
    """Refuse a space at whose ends no model can be made or trained, before anything is trained."""
    for settings in asked.ends():
        with located("[tuning.space]"):
            file = made(asked.tried(settings)).file
            config_of(file)
            for key in ("batch_size", "max_tokens", "sampling"):
                if isinstance(file.training[key], int | float):
                    check_number(key, file.training[key], above=0)


def _pruner(asked: TuningFile) -> Any:
    if not asked.pruner_warmup:
        return asked.pruner
    # Optuna's first step that may be judged; epochs count from 1.
    after = asked.pruner_warmup + 1
    return optuna().pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=after)


def _claim(asked: TuningFile) -> None:
    """Refuse a folder of something else, and say in it what is searched."""
    folder = asked.output
    if folder.is_file():
        raise Refused(f"{folder} is a file, and a search needs a folder; name another output")
    there = folder / SEARCHED
    content = {**asked.file.content, "reference": dict(asked.reference or {})}
    if there.is_file():
        if read_toml(there) != _plain(content):
            raise Refused(
                f"{folder} holds a search over another file than {asked.path} is now; name another "
                "output, or remove the folder"
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise Refused(f"{folder} holds files that are no search; name another output")
    folder.mkdir(parents=True, exist_ok=True)
    write_toml(there, content)


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    return tomllib.loads(toml(content))


def _reference(asked: TuningFile, data: Data) -> Mapping[str, float]:
    """Return scores of one task alone: given, on record, or measured by the first to come."""
    if asked.reference is not None:
        return asked.reference
    path = asked.output / REFERENCE
    descriptor = os.open(asked.output / f"{REFERENCE}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while not path.is_file() and try_lock(descriptor) is False:
            time.sleep(0.2)
        if path.is_file():
            found: dict[str, float] = json.loads(path.read_text("utf-8"))
            return found
        measured = {k: v for name in asked.file.tasks for k, v in _alone(asked, name, data).items()}
        results.write_scores(path, measured)
        return measured
    finally:
        os.close(descriptor)


def _alone(asked: TuningFile, task: str, data: Data) -> dict[str, float]:
    """Train a task by itself with the file's settings, and return its best validation score."""
    named = replace(asked.file, languages=with_names(asked.file.languages, read_splits(data)))
    file = named.of_one(task, asked.output)
    alone = {task: data[task]}
    trainer, loader, checked = prepare(
        build(file, alone), alone, checkpoint=None, progress=False, shares_every=None
    )
    history = trainer.fit(loader, checked)
    metric = main_metric(task, history.columns)
    if metric is None:
        raise Refused(
            f"[tasks.{task}] has no metric that is measured while it trains, so nothing is "
            f"relative to it; give other objectives, such as 'validation_{task}'"
        )
    best = history[metric].max()
    if choose_direction(metric, None, [task]) == "min":
        best = history[metric].min()
    if best == 0:
        raise Refused(
            f"[tasks.{task}] alone has {metric} = 0, to which nothing is relative: train longer, "
            "or give [tuning.reference]"
        )
    _say(f"{task} alone: {metric} {best:.4g}")
    return {metric: float(best)}


def _finish(asked: TuningFile, search: Search) -> str:
    folder = asked.output
    table = search.table()
    results.write_table(folder / TRIALS, table)
    if not (table["state"] == "finished").any():
        raise Refused(f"No trial of {len(table)} has finished; {folder / TRIALS} says why not")
    best = search.best()
    write_toml(folder / BEST, _content(asked, best.settings, "best"))
    if len(search.objectives) > 1:
        shutil.rmtree(folder / FRONT, ignore_errors=True)
        (folder / FRONT).mkdir()
        for found in search.front():
            name = f"trial-{found.number}"
            content = _content(asked, found.settings, name)
            write_toml(folder / FRONT / f"{name}.toml", content)
    _draw(folder, search)
    return _report(asked, search)


def _content(asked: TuningFile, settings: Mapping[str, Any], output: str) -> dict[str, Any]:
    """Return a file that trains a trial's settings; its paths can be opened from anywhere."""
    return {"output": output, **asked.tried(settings).content}


def _draw(folder: Path, search: Search) -> None:
    """Write pictures; what is seen in one stands in its file as its description."""
    drawers: dict[str, Callable[[Search], Figure]] = {
        "history": draw_history,
        "slices": draw_slices,
        "importances": draw_importances,
    }
    if len(search.objectives) > 1:
        drawers["front"] = draw_front
    for name, draw in drawers.items():
        with suppress(ImportError, ValueError, RuntimeError):  # too few trials, no scikit-learn
            figure = draw(search)
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png", metadata={"Description": str(figure.get_label())})
            with whole_file(folder / f"{name}.png") as file:
                file.write(drawn.getvalue())


def _report(asked: TuningFile, search: Search) -> str:
    first, direction = next(iter(asked.objectives.items()))
    table = search.table()
    kept = [c for c in table.columns if c not in ("state", "session", "seconds", "error")]
    finished = table[table["state"] == "finished"]
    ranked = finished.sort_values(first, ascending=direction == "min", kind="stable")[kept]
    states = ", ".join(f"{count} {state}" for state, count in table["state"].value_counts().items())
    lines = [ranked.head(_SHOWN).to_string(index=False), f"Trials: {states}."]
    best = f"The best by {first} is in {asked.output / BEST}: python -m mtl_utils train takes it."
    if len(asked.objectives) > 1:
        best += f" Those that no other beats are in {asked.output / FRONT}."
    return "\n".join([*lines, best])
