"""A search: settings are drawn, tried on validation data, and what came of it is written down."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, listed, written

_NOTE = (
    "scores are of validation data, and the next draw may look into the journal; test data are "
    "read once, when the search is over"
)


def search_loop(tasks: Sequence[str]) -> Diagram:
    """Draw the loop of a search over what a model of several tasks asks for.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    whole = (count, 1)
    boxes = [
        Box(
            "space",
            "space: rates, weights, sharing",
            "text",
            (0, 0),
            whole,
            tight=True,
        ),
        Box("sampler", "draw settings", "layer", (0, 1), whole, "shared", tight=True),
        Box("run", "train", "layer", (0, 2), whole, "shared", tight=True),
        *(
            Box(f"score {k}", f"score: {written(task)}", "head", (k, 3), role=k)
            for k, task in enumerate(tasks)
        ),
        Box("journal", "journal", "text", (0, 4), whole, tight=True),
        Box("note", _NOTE, "note", (count, 0), (1, 5)),
    ]
    arrows = [Arrow("space", "sampler"), Arrow("sampler", "run", role="shared")]
    arrows += [Arrow("run", f"score {k}", role=k) for k in range(count)]
    arrows += [Arrow(f"score {k}", "journal", role=k) for k in range(count)]
    return Diagram(
        f"a search over {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(100, 90, 70, 96, 84),
        row_gap=14,
    )
