"""From a model of many tasks to a model of one: what stays, what is new, what moves."""

from __future__ import annotations

import copy
from typing import Literal, TypeVar, get_args

from mtl_utils.arguments import check_choice, check_module
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.freezing import Freezable
from mtl_utils.tasks.base import Task

Moves = Literal["all", "biases", "head"]
"""Which parameters an adapted model trains.

``"all"``: whatever the model trained before. ``"biases"``: those of the way of sharing, and the
head (Ben Zaken et al., 2022). ``"head"``: the head alone; what is shared gets no gradient and no
dropout.
"""

Model = TypeVar("Model", bound=MultiTaskModel)


def adapted(model: Model, task: Task | str, *, moves: Moves = "all") -> Model:
    """Make a model of one task from a model of other tasks or of several.

    With the name of a task that the model has, its head goes on from where it is: multi-task
    training, then fine-tuning (Liu et al., 2019). With a new task the head is new and the rest has
    been learnt elsewhere: an intermediate task where the model had one (Phang et al., 2018),
    pre-finetuning where it had many (Aghajanyan et al., 2021). Training is the caller's: as long as
    no step is made, the model says of the task what the given one does.

    Args:
        model: The trained model; it stays as it is.
        task: Name of a task of the model, or a new task, whose head is drawn at random.
        moves: Which parameters are trained, see :data:`Moves`.

    Returns:
        A copy with this task alone.

    Raises:
        KeyError: If the model has no task of that name, or shares by parts for each task and has
            none for this one.
        ValueError: If the model has a task of the new one's name already, there is no such choice
            of ``moves``, or the states do not suit the task.
        TypeError: If ``model`` is no model, or ``task`` neither a name nor a task.
    """
    check_module("model", model, MultiTaskModel)
    check_choice("moves", moves, get_args(Moves))
    kept = copy.deepcopy(model)
    if isinstance(task, str):
        kept.head(task)
        name = task
    else:
        kept.add_task(task)
        name = task.name
    for other in [other for other in kept.tasks if other != name]:
        kept.remove_task(other)
    if moves != "all":
        _hold(kept, moves)
    return kept


def _hold(model: MultiTaskModel, moves: Moves) -> None:
    if moves == "head":
        for part in model.sharing.modules():
            if isinstance(part, Freezable):
                part.freeze()  # without dropout too
    for name, parameter in model.sharing.named_parameters():
        is_bias = name.rpartition(".")[2].startswith("bias")
        parameter.requires_grad_(moves == "biases" and is_bias and parameter.requires_grad)
