"""What diagrams of several tasks have in common: a row for each, its head and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_utils.arguments import check_strings
from mtl_utils.diagrams.parts import MOST_TASKS, Arrow, Box, check_written
from mtl_utils.diagrams.reading import joined


def check_tasks(tasks: Any) -> None:
    """Refuse what is no list of tasks that a diagram can show.

    Args:
        tasks: Their names.
    """
    check_strings("tasks", tasks, distinct=True)
    if not 2 <= len(tasks) <= MOST_TASKS:
        raise ValueError(f"tasks must be 2 to {MOST_TASKS} names, got {tasks!r}")
    for task in tasks:
        check_written("tasks", task)


def check_pair(tasks: Any) -> None:
    """Refuse what is no list of two tasks.

    Args:
        tasks: Their names.
    """
    check_tasks(tasks)
    if len(tasks) != 2:
        raise ValueError(f"tasks must be 2 names, got {tasks!r}")


def written(task: str) -> str:
    """Return a name as text without mathematics.

    Args:
        task: Name of the task.
    """
    return " ".join(task.split()).replace("$", r"\$")


def listed(tasks: Sequence[str]) -> str:
    """Return the tasks as a sentence names them.

    Args:
        tasks: Their names.
    """
    return f"{len(tasks)} tasks, {joined([written(task) for task in tasks])}"


def head_and_loss(
    number: int,
    task: str,
    below: Sequence[str],
    column: int,
    *,
    gradients: bool = True,
    row: int | None = None,
) -> tuple[list[Box], list[Arrow]]:
    """Return the head and the loss of a task, side by side, and their arrows.

    Args:
        number: The task's, from 0.
        task: Its name.
        below: Names of the boxes that the head reads.
        column: Where the head stands; the loss is in the next.
        gradients: Whether the gradients are drawn too.
        row: Where they stand; the row of the task's number if ``None``.
    """
    row = number if row is None else row
    head, loss = f"head {number}", f"loss {number}"
    boxes = [
        Box(head, f"{written(task)} head", "head", (row, column), role=number),
        Box(loss, f"$L_{{{number + 1}}}$", "loss", (row, column + 1), role=number, tight=True),
    ]
    roles = ["shared" if name == "shared" else "neutral" for name in below]
    arrows = [Arrow(name, head, role=role) for name, role in zip(below, roles, strict=True)]
    arrows.append(Arrow(head, loss))
    if gradients:
        arrows.append(Arrow(loss, head, "gradient", number))
        arrows += [Arrow(head, name, "gradient", number) for name in below]
    return boxes, arrows
