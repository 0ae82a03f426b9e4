"""From data sets to loaders, and from loaders to a trained model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mtl_utils.arguments import check_number, shown
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.models.beside import Beside, BesideColumns
from mtl_utils.models.predicting import Pair
from mtl_utils.models.rows import chosen_tasks, has_column, is_rows, rows_of
from mtl_utils.models.text_reading import listed, noted, numbered, paired
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.base import Balancer
from mtl_utils.tasks.text_task import Row, TextTask
from mtl_utils.training.callbacks import AnyCallback
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.directions import Direction
from mtl_utils.training.sampling import Sampling, check_sampling, sampler_of, with_epochs
from mtl_utils.training.trainer import Trainer

if TYPE_CHECKING:
    from mtl_utils.models.text_model import TextModel

_BATCH_SIZE = 32


def is_loader(data: Any) -> bool:
    """Tell loaders from data that a loader is to be made of.

    Args:
        data: Anything.
    """
    return hasattr(data, "num_batches") and hasattr(data, "batches")


def check_sizes_are_used(
    train: Any, validation: Any, batch_size: Any, max_tokens: Any, sampling: Any
) -> None:
    """Refuse sizes of batches where loaders have made these already.

    Args:
        train: Training data, or a loader.
        validation: Likewise, or ``None``.
        batch_size: What was asked for.
        max_tokens: What was asked for.
        sampling: What was asked for.

    Raises:
        ValueError: If one was asked for, and there is nothing that batches are to be made of.
    """
    if not is_loader(train) or not (validation is None or is_loader(validation)):
        return
    for name, given, default in (
        ("batch_size", batch_size, None),
        ("max_tokens", max_tokens, None),
        ("sampling", sampling, "joint"),
    ):
        if given != default:
            raise ValueError(
                f"{name}={given!r} changes nothing where a loader was given, which has batches "
                "already; leave it out, or give rows"
            )


def loaders_of(
    model: TextModel,
    train: Any,
    validation: Any,
    *,
    batch_size: int | None,
    max_tokens: int | None,
    sampling: Sampling,
    seed: int,
    epochs: int,
) -> tuple[Loader, Loader | None]:
    """Return loaders as they are, and loaders of anything else.

    Args:
        model: Makes them; see :meth:`mtl_utils.models.TextModel.loader`.
        train: Training data.
        validation: Validation data, or ``None``.
        batch_size: Number of rows of a batch.
        max_tokens: Budget of a batch in tokens.
        sampling: How several data sets share the steps of training.
        seed: Seed of the order of training.
        epochs: Epochs of the training.

    Raises:
        ValueError: If sizes are given, and there is nothing that batches are to be made of; or as
            that method.
    """
    check_sizes_are_used(train, validation, batch_size, max_tokens, sampling)
    sizes: dict[str, Any] = {"batch_size": batch_size, "max_tokens": max_tokens}
    order: dict[str, Any] = {"sampling": with_epochs(sampling, epochs), "seed": seed}
    trained = train if is_loader(train) else model.loader(train, **sizes, **order)
    if validation is None or is_loader(validation):
        return trained, validation
    with noted("This was in the validation data."):
        return trained, model.loader(validation, **sizes, shuffle=False)


def are_examples(data: Any) -> bool:
    """Tell a list of examples from rows; one of nothing is taken for examples.

    Args:
        data: Anything.
    """
    several = isinstance(data, Sequence) and not isinstance(data, str | bytes)
    return several and (len(data) == 0 or isinstance(data[0], Example))


def examples_for(model: TextModel, tasks: list[str] | None, data: Any) -> list[Example]:
    """Return examples of rows, or examples as they are, with labels of some tasks alone.

    Args:
        model: Makes examples of rows.
        tasks: Names of the tasks that the data were given for; all if ``None``.
        data: Rows or examples.
    """
    if not are_examples(data):
        return model.examples(data, tasks)
    if tasks is None:
        return list(data)
    return [replace(e, labels={t: e.labels[t] for t in tasks if t in e.labels}) for e in data]


def loader_of(
    sets: Sequence[Sequence[Example]],
    sampling: Sampling,
    tasks: Mapping[str, TextTask],
    *,
    batch_size: int | None,
    max_tokens: int | None,
    pad_id: int,
    shuffle: bool,
    seed: int,
) -> Loader:
    """Return batches of one data set, or of several.

    Args:
        sets: The examples of each data set.
        sampling: How several share the steps; see :meth:`mtl_utils.models.TextModel.loader`.
        tasks: The tasks by name, which may change what is read.
        batch_size: Number of rows of a batch.
        max_tokens: Budget of a batch in tokens.
        pad_id: Id that fills the inputs.
        shuffle: Whether to shuffle.
        seed: Seed of the order.

    Raises:
        ValueError: If there is no such sampling, a setting is outside its range, or several tasks
            would hide tokens of the same texts.
        TypeError: If ``sampling`` is neither a name nor a number nor a mapping.
    """
    if batch_size is None and max_tokens is None:
        batch_size = _BATCH_SIZE
    sizes: dict[str, Any] = {"batch_size": batch_size, "max_tokens": max_tokens}
    loaders = []
    for examples in sets:
        known = {name for example in examples for name in example.labels}
        uncounted = [n for n, task in tasks.items() if n in known and not task.writes_tokens]
        order: dict[str, Any] = {"pad_id": pad_id, "shuffle": shuffle, "seed": seed}
        loader = BatchLoader(examples, **sizes, **order, uncounted=uncounted)
        loaders.append(_changed(loader, {n: t for n, t in tasks.items() if n in known}, seed))
    check_sampling(sampling)
    if len(loaders) == 1:
        return loaders[0]
    return sampler_of(loaders, sampling, seed=seed)


def _changed(loader: BatchLoader, tasks: Mapping[str, TextTask], seed: int) -> Loader:
    """Return batches as the task wants them that changes what is read, if one does."""
    found = {name: task.trained_on(loader, seed) for name, task in tasks.items()}
    found = {name: other for name, other in found.items() if other is not loader}
    if len(found) > 1:
        raise ValueError(
            f"The tasks {list(found)} each hide tokens of the same texts, and one would read what "
            "the other hid. Train one of them, or give each a data set of its own."
        )
    return next(iter(found.values()), loader)


@dataclass(frozen=True)
class Measured:
    """Measures a model on data with labels, as a trainer's ``evaluate``.

    Args:
        data: The data, of which every row is read once.
    """

    data: Loader

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Return the metrics of the tasks that have labels.

        Args:
            model: The model.
        """
        return MultiTaskModel.evaluate(model, self.data)


def trainer_of(
    model: MultiTaskModel,
    validation: Loader | None,
    *,
    config: TrainerConfig,
    balancer: Balancer | None,
    metric: str | None,
    mode: Direction | None = None,
    head_learning_rate: float | None,
    checkpoint: str | os.PathLike[str] | None,
    on_other_run: Any,
    progress: bool | Literal["lines"],
    callbacks: Sequence[AnyCallback] = (),
    task_metrics: Mapping[str, str] | None = None,
    shares_every: int | None = 50,
) -> Trainer:
    """Return what trains a model; see :meth:`mtl_utils.models.TextModel.fit`.

    Args:
        model: The model.
        validation: Validation data.
        config: How to train.
        balancer: What turns the losses into one update.
        metric: Column of the history that tells which weights are best.
        mode: Whether it is better when smaller or when greater.
        head_learning_rate: Step size of the heads.
        checkpoint: File from which an interrupted training goes on.
        on_other_run: What to do if the checkpoint belongs to another run.
        progress: Whether to show a progress bar, or to print lines.
        callbacks: What is told of steps and epochs.
        task_metrics: By which column each task is judged by itself.
        shares_every: Steps from one measurement of shares of the gradient to the next.
    """
    groups: list[dict[str, Any]] | None = None
    if head_learning_rate is not None:
        check_number("head_learning_rate", head_learning_rate, above=0)
        heads = {id(parameter) for parameter in model.heads.parameters()}
        groups = [
            {"params": list(model.heads.parameters()), "lr": head_learning_rate},
            {"params": [p for p in model.parameters() if id(p) not in heads]},
        ]
    return Trainer(
        model,
        config,
        balancer=balancer,
        evaluate=None if validation is None else _measure_of(model, validation),
        metric="validation_loss" if metric is None else metric,
        mode=mode,
        checkpoint=checkpoint,
        on_other_run=on_other_run,
        parameter_groups=groups,
        progress=progress,
        callbacks=callbacks,
        task_metrics=task_metrics,
        shares_every=shares_every,
    )


def _measure_of(model: MultiTaskModel, validation: Loader) -> Measured | None:
    """Return what measures more than losses, unless a task is measured as text."""
    writes = {name for name, task in model.tasks.items() if getattr(task, "by_reference", False)}
    if not writes:
        return Measured(validation)
    for batches in read_once(validation):
        named = batches.labels if hasattr(batches, "labels") else batches
        if writes & set(named):
            return None
    return Measured(validation)


def readings(
    texts: Any, second: Iterable[Any] | None, tasks: Mapping[str, TextTask], asked: Any
) -> dict[str, list[Pair]]:
    """Return what each task reads of texts or rows that something is to be predicted for.

    Args:
        texts: Texts, or rows of a data set.
        second: The second text of each pair.
        tasks: The tasks of a model by name.
        asked: Names of those that are meant; if ``None``, all that can read what is given.

    Raises:
        KeyError: If there is no such task, or a row lacks its columns.
        ValueError: If no task can read what is given, numbers of texts differ, or there are second
            texts and no task of pairs.
        TypeError: If a single string was given for many texts.
    """
    chosen = chosen_tasks(tasks, asked)
    if is_rows(texts):
        if second is not None:
            raise ValueError("Rows have their second texts in a column; leave second out")
        rows = rows_of(texts, chosen) if len(texts) else []
        if asked is None:
            there = {n: t for n, t in chosen.items() if all(has_column(rows, c) for c in t.inputs)}
            chosen = there or chosen
        return {name: _read(task, rows) for name, task in chosen.items()}
    if second is None:
        pairs: list[Pair] = [(text, None) for text in listed(texts)]
    else:
        pairs = list(paired(texts, second, ("texts", "second")))
    if asked is None:
        one = {name: task for name, task in chosen.items() if len(task.inputs) == 1}
        chosen = one if second is None else chosen
        if not chosen:
            raise ValueError(
                f"All tasks, {list(tasks)}, are of pairs of texts; give second too, not {second}"
            )
    if second is not None and all(len(task.inputs) == 1 for task in chosen.values()):
        raise ValueError(
            f"None of the tasks {list(chosen)} is of pairs of texts, so second would not be read; "
            f"leave it out: {shown(second)}"
        )
    found = {}
    for name, task in chosen.items():
        if len(task.inputs) > 1 and second is None:
            raise ValueError(f"The task {name!r} is of pairs of texts; give second, one a text")
        found[name] = [(text, other if len(task.inputs) > 1 else None) for text, other in pairs]
    return found


def beside_texts(
    texts: Any, pictures: Any, languages: Any, number: int, columns: BesideColumns
) -> list[Beside]:
    """Return what stands beside texts that something is to be predicted for.

    Args:
        texts: The texts, or rows of a data set.
        pictures: Pictures, one a text; ``None`` where rows have them, or there are none.
        languages: Languages, one a text or one for all; ``None`` likewise.
        number: How many texts there are.
        columns: What the model reads.

    Returns:
        As many.

    Raises:
        ValueError: If numbers differ, rows have a column of what is given, the model does not read
            it, or a language is missing.
        TypeError: If something is no picture or no name.
        KeyError: If there is no such language.
    """
    if not is_rows(texts):
        return columns.given(pictures, languages, number)
    columns.check(pictures, languages)
    for name, given, column in (
        ("pictures", pictures, columns.picture),
        ("languages", languages, columns.language),
    ):
        if given is not None:
            raise ValueError(f"Rows have their {name} in the column {column!r}; leave {name} out")
    if not columns.names:
        return [Beside()] * number
    found = []
    for place, row in enumerate(rows_of(texts, {}, columns.names)):
        with numbered(place, row):
            found.append(columns.of(row))
    return found


def _read(task: TextTask, rows: Sequence[Row]) -> list[Pair]:
    found = []
    for place, row in enumerate(rows):
        with numbered(place, row):
            found.append(task.read(row))
    return found
