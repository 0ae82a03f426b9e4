"""The families of sharing: hard, branched, soft, shared and private."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box, Frame
from mtl_utils.diagrams.tasks import check_tasks, head_and_loss, listed


def hard_sharing(tasks: Sequence[str]) -> Diagram:
    """Draw one encoder for all tasks, a head each above it (Caruana, 1997).

    The gradients of all losses arrive at the encoder.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [
        Box("text", "text $x$", "text", (0, 0), (count, 1), tight=True),
        Box("encoder", r"shared encoder $\theta_s$", "layer", (0, 1), (count, 1), "shared"),
    ]
    arrows = [Arrow("text", "encoder")]
    for number, task in enumerate(tasks):
        more, between = head_and_loss(number, task, ("encoder",), 2)
        boxes += more
        arrows += between
    return Diagram(
        f"hard sharing between {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(52, 110, 132, 44),
    )


def branched_sharing(tasks: Sequence[str]) -> Diagram:
    """Draw a trunk of lower layers for all tasks, and a branch of upper layers for each.

    After Vandenhende et al. (2020).

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [
        Box("text", "text $x$", "text", (0, 0), (count, 1), tight=True),
        Box("trunk", "trunk $f_s$: shared lower layers", "layer", (0, 1), (count, 1), "shared"),
    ]
    arrows = [Arrow("text", "trunk")]
    for number, task in enumerate(tasks):
        branch = f"branch {number}"
        label = f"branch $b_{{{number + 1}}}$"
        boxes.append(Box(branch, label, "layer", (number, 2), role=number))
        arrows += [Arrow("trunk", branch), Arrow(branch, "trunk", "gradient", number)]
        more, between = head_and_loss(number, task, (branch,), 3)
        boxes += more
        arrows += between
    return Diagram(
        f"branched sharing between {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(50, 72, 68, 100, 36),
        gap=28,
    )


def soft_sharing(tasks: Sequence[str]) -> Diagram:
    """Draw an encoder for each task, and the penalty that pulls them towards their mean.

    After Duong et al. (2015). A loss moves its own encoder alone.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [Box("text", "text $x$", "text", (0, 0), (count, 1))]
    arrows = []
    for number, task in enumerate(tasks):
        encoder = f"encoder {number}"
        label = rf"encoder $\theta_{{{number + 1}}}$"
        boxes.append(Box(encoder, label, "layer", (number, 1), role=number))
        arrows.append(Arrow("text", encoder))
        more, between = head_and_loss(number, task, (encoder,), 2)
        boxes += more
        arrows += between
    penalty = r"penalty $\Omega = \lambda\, \Sigma_k\,\Vert\theta_k - \bar\theta\Vert^2$"
    boxes.append(Box("penalty", penalty, "penalty", (count, 1), (1, 2), "shared"))
    names = tuple(f"encoder {number}" for number in range(count))
    arrows += [Arrow("encoders", "penalty"), Arrow("penalty", "encoders", "gradient", "shared")]
    return Diagram(
        f"soft sharing between {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(52, 104, 132, 44),
        frames=(Frame("encoders", "tied", names, "shared"),),
        row_gap=20,
    )


def shared_private(tasks: Sequence[str]) -> Diagram:
    """Draw a shared encoder beside private ones, their penalty, and the adversary's mirror.

    After Liu et al. (2017); the mirror is the gradient reversal of Ganin & Lempitsky (2015). Of
    the gradients only that of the adversary is drawn.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [Box("text", "text $x$", "text", (0, 0), (count + 2, 1))]
    arrows = []
    for number, task in enumerate(tasks):
        private = f"private {number}"
        label = f"private encoder $p^{{({number + 1})}}$"
        boxes.append(Box(private, label, "layer", (number, 1), role=number))
        arrows.append(Arrow("text", private))
        more, between = head_and_loss(number, task, (private, "shared"), 2, gradients=False)
        boxes += more
        arrows += between
    apart = r"penalty $\gamma\, \Sigma_k\,\Vert S^{\mathrm{T}} P_k\Vert^2$"
    boxes += [
        Box("apart", apart, "penalty", (count, 1), role="shared"),
        Box("shared", "shared encoder $s$", "layer", (count + 1, 1), role="shared"),
        Box("mirror", r"gradient reversal $R_\lambda$", "mirror", (count + 2, 1), role="shared"),
        Box("adversary", "adversary: of which task is $x$?", "head", (count + 2, 2), role="shared"),
        Box("loss", "$L_a$", "loss", (count + 2, 3), role="shared", tight=True),
    ]
    arrows += [
        Arrow("text", "shared"),
        Arrow("encoders", "apart"),
        Arrow("shared", "apart"),
        Arrow("shared", "mirror"),
        Arrow("mirror", "adversary"),
        Arrow("adversary", "loss"),
        Arrow("loss", "adversary", "gradient", "shared"),
        Arrow("adversary", "mirror", "gradient", "shared"),
        Arrow("mirror", "shared", "reversed", "shared"),
    ]
    names = tuple(f"private {number}" for number in range(count))
    return Diagram(
        f"shared and private encoders of {listed(tasks)}, with the adversary's gradient alone",
        tuple(boxes),
        tuple(arrows),
        columns=(48, 124, 122, 44),
        frames=(Frame("encoders", "private", names),),
        row_gap=26,
    )
