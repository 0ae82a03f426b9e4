"""One batch dealt out to several processes, which make one step of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mtl_utils.arguments import check_several, check_whole
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, listed, written

_MOST = 4


def data_parallel(
    tasks: Sequence[str],
    num_processes: int = 2,
    absent: Collection[tuple[str, int]] = (),
) -> Diagram:
    """Draw a step of data-parallel training: rows apart, weights alike, gradients averaged.

    Dashed arrows are gradients. A task that has no label in some process sends none from there.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.
        num_processes: How many processes, two to four.
        absent: Tasks and processes, counted from 0, where the process has no label of the task.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If there are fewer or more tasks or processes, a name is empty or occurs twice,
            or ``absent`` names what there is not.
    """
    check_tasks(tasks)
    check_whole("num_processes", num_processes, least=2)
    if num_processes > _MOST:
        raise ValueError(f"num_processes must be 2 to {_MOST}, got {num_processes}")
    check_several("absent", absent, "pairs of a task and a process", ordered=False)
    places = {(task, rank) for task in tasks for rank in range(num_processes)}
    for pair in absent:
        if pair not in places:
            raise ValueError(f"absent must be pairs of a task and a process, got {pair!r}")
    count, rows = len(tasks), len(tasks) * num_processes
    boxes = [
        Box("average", "average, weighed by counts: one step", "layer", (0, 3), (rows, 1), "shared")
    ]
    arrows = []
    for rank in range(num_processes):
        top, reads, model = rank * count, f"rows {rank}", f"model {rank}"
        boxes += [
            Box(reads, f"rows of process {rank}", "text", (top, 0), (count, 1), tight=True),
            Box(model, f"weights, copy {rank}", "layer", (top, 1), (count, 1), "shared"),
        ]
        arrows.append(Arrow(reads, model))
        for number, task in enumerate(tasks):
            loss, there = f"loss {rank} {number}", (task, rank) not in absent
            label = f"{written(task)} loss" if there else f"no {written(task)} label"
            kind = "loss" if there else "text"
            boxes.append(Box(loss, label, kind, (top + number, 2), role=number, tight=True))
            if there:
                arrows += [Arrow(model, loss), Arrow(loss, "average", "gradient", number)]
    return Diagram(
        f"a step of {num_processes} processes with {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(92, 92, 104, 100),
        gap=26,
    )
