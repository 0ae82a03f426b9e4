"""How a sampler makes one stream of batches of several data sets."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, listed, written

_TOLD = "a sampler may be told each loss, and draw by what was learnt"


def sampled_stream(tasks: Sequence[str]) -> Diagram:
    """Draw data sets of different sizes, a sampler that draws one a step, and the stream it makes.

    Args:
        tasks: Names of the tasks, two to six, each with a data set of its own; the k-th has the
            k-th colour of :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [
        Box(
            f"data {number}",
            f"{written(task)}: $n_{{{number + 1}}}$ batches",
            "embedding",
            (number, 0),
            role=number,
        )
        for number, task in enumerate(tasks)
    ]
    boxes += [
        Box("sampler", r"sampler: draws $k$ with $p_k$", "layer", (0, 1), (count, 1), tight=True),
        Box(
            "stream",
            "one stream of batches, each of one data set",
            "embedding",
            (0, 2),
            (count, 1),
            tight=True,
        ),
        Box(
            "model",
            r"shared part $\theta_s$ and the head of task $k$",
            "layer",
            (0, 3),
            (count, 1),
            "shared",
            tight=True,
        ),
        Box("loss", "$L_k$", "loss", (0, 4), (count, 1), "shared", tight=True),
        Box("note", _TOLD, "note", (count, 0), (1, 5)),
    ]
    arrows = [Arrow(f"data {number}", "sampler", role=number) for number in range(count)]
    arrows += [
        Arrow("sampler", "stream"),
        Arrow("stream", "model"),
        Arrow("model", "loss"),
    ]
    return Diagram(
        f"a sampler that makes one stream of batches of the data sets of {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(92, 78, 78, 92, 40),
        gap=24,
    )
