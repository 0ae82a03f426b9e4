"""Why a task does worse beside others than it might: the causes that are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Cause = Literal[
    "drowned loss", "label noise", "under-training", "too little width", "unrelated task"
]
"""What a diagnosis can name.

A *drowned loss* hardly moves what is shared. *Label noise* are wrong labels among the training rows
of the task. *Under-training* ended before the task was learnt. *Too little width* leaves no room
for all tasks. An *unrelated task* wants something else of the shared parameters than its partner.
"""

#: The causes, the one that is looked for first in front: a loss that is drowned also looks as if it
#: had been trained too briefly, and not the other way round.
CAUSES: tuple[Cause, ...] = get_args(Cause)

#: What is said of a task that nothing is found of.
NOTHING = "none found"

#: By cause, what to try.
ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "drowned loss": "give its loss a greater weight, or all tasks another scale",
        "label noise": "look at the training rows with the greatest loss; clean or drop them",
        "under-training": "train longer before anything else is compared",
        "too little width": "make the shared encoder wider",
        "unrelated task": "take its partner away, or give both parameters of their own",
        NOTHING: "",
    }
)
