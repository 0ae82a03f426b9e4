"""Measuring a text model on rows: by name where ids do not tell all, by example elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtl_utils.data.examples import Example
from mtl_utils.models.fitting import are_examples, examples_for
from mtl_utils.models.rows import (
    by_task,
    check_has_columns,
    examples_of,
    rows_of,
    says_nothing,
    tasks_in,
)
from mtl_utils.models.text_reading import TextReader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import named_scores, together
from mtl_utils.tasks.text_task import Row, TextTask

if TYPE_CHECKING:
    from mtl_utils.models.text_model import TextModel


def of_data(model: TextModel, data: Any, max_tokens: int) -> dict[str, float]:
    """Measure tasks on rows, or on rows or examples for each of them.

    Args:
        model: The model.
        data: The data; see :meth:`mtl_utils.models.TextModel.evaluate`.
        max_tokens: How many pieces, padding included, are read at a time.

    Returns:
        The metrics of the tasks that have labels, each under the name of its task.

    Raises:
        ValueError: If metrics of two tasks have the same name, or a row is refused.
        KeyError: If a task does not exist or find its columns.
        TypeError: If something is no data.
    """
    measured: dict[str, float] = {}
    for tasks, given in by_task(data, model.text_tasks):
        if are_examples(given):
            made = examples_for(model, tasks, given)
            found = MultiTaskModel.evaluate(model, made, max_tokens=max_tokens)
        else:
            rows = rows_of(given, model.text_tasks, model.beside.names)
            check_has_columns(rows, model.beside)
            there = tasks_in(rows, model.text_tasks, tasks)
            found = of_rows(model, rows, there, max_tokens)
        measured = together(measured, found)
    return measured


def of_rows(
    model: TextModel, rows: Sequence[Row], tasks: Mapping[str, TextTask], max_tokens: int
) -> dict[str, float]:
    """Measure tasks on rows.

    Args:
        model: The model.
        rows: The rows.
        tasks: The tasks that have labels in them, by name.
        max_tokens: How many pieces, padding included, are read at a time.

    Returns:
        The metrics of the tasks that have labels, each under the name of its task.

    Raises:
        ValueError: If metrics of two tasks have the same name, or a row is refused.
    """
    measured: dict[str, float] = {}
    examined = {}
    for name, task in tasks.items():
        if not task.by_reference and not (task.reads_words and model.long != "error"):
            examined[name] = task
            continue
        known = [row for row in rows if _is_known(task, row)]
        if known:
            found = model.predict(known, [name], max_tokens=max_tokens)
            references = [task.reference(row) for row in known]
            scores = model.tasks[name].metrics([said[name] for said in found], references)
            measured = together(measured, named_scores(name, scores))
    reader = TextReader(model.tokenizer, model.max_length, model.long, model.beside)
    examples: Sequence[Example] = examples_of(rows, examined, reader, required=False)
    for name, task in examined.items():
        own = [example for example in examples if name in example.labels]
        changed = task.measured_on(own)
        if own and changed is not own:
            found = MultiTaskModel.evaluate(model, changed, max_tokens=max_tokens)
            measured = together(measured, found)
            examples = _without(examples, name)
    if not examples:
        return measured
    return together(measured, MultiTaskModel.evaluate(model, examples, max_tokens=max_tokens))


def _is_known(task: TextTask, row: Row) -> bool:
    """Tell whether a row has a label to compare with; the tags of no word are none."""
    reference = task.reference(row)
    return reference is not None and not (task.reads_words and says_nothing(reference))


def _without(examples: Sequence[Example], task: str) -> list[Example]:
    """Leave the labels of a task out, and examples that have no others."""
    others = [
        replace(e, labels={name: label for name, label in e.labels.items() if name != task})
        for e in examples
    ]
    return [example for example in others if example.labels]
