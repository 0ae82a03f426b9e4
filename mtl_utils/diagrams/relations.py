"""How a step for one task is judged by the loss of another."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_pair, written


def lookahead_affinity(tasks: Sequence[str]) -> Diagram:
    """Draw the lookahead of Fifty et al. (2021): a step for one task, and the loss of another.

    Args:
        tasks: Names of two tasks, first the one that gives, then the one that receives; they have
            the first two colours of :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more than two, or one is empty or occurs twice.
    """
    check_pair(tasks)
    giver, receiver = map(written, tasks)
    boxes = [
        Box("text", "text $x$", "text", (0, 0), (3, 1), tight=True),
        Box("now", r"shared part $\theta_s$", "layer", (0, 1), (2, 1), "shared"),
        Box("then", r"$\theta_s - \eta\, g_1$: after one step", "layer", (2, 1), role="shared"),
        Box("giver", f"{giver} head", "head", (0, 2), role=0),
        Box("before", f"{receiver} head", "head", (1, 2), role=1),
        Box("after", f"{receiver} head again", "head", (2, 2), role=1),
        Box("loss", "$L_1$", "loss", (0, 3), role=0),
        Box("loss before", "$L_2$ before", "loss", (1, 3), role=1),
        Box("loss after", "$L_2$ after", "loss", (2, 3), role=1),
        Box("affinity", "share of $L_2$ that is gone", "text", (1, 4), (2, 1), tight=True),
    ]
    arrows = [
        Arrow("text", "now"),
        Arrow("text", "then"),
        Arrow("now", "giver"),
        Arrow("now", "before"),
        Arrow("then", "after"),
        Arrow("giver", "loss"),
        Arrow("before", "loss before"),
        Arrow("after", "loss after"),
        Arrow("loss before", "affinity"),
        Arrow("loss after", "affinity"),
        Arrow("loss", "giver", "gradient", 0),
        Arrow("giver", "now", "gradient", 0),
        Arrow("now", "then", "gradient", 0),
    ]
    return Diagram(
        f"a lookahead: a step for {giver}, judged by {receiver}",
        tuple(boxes),
        tuple(arrows),
        columns=(44, 92, 92, 62, 84),
        gap=24,
        row_gap=20,
    )
