"""Tables with a row and a column for each task: one says what a task gives, the other what it gets.

``table.loc[giver, receiver]`` is what the receiver gains from the giver.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mtl_utils.arguments import check_kind, shown

GIVER, RECEIVER = "giver", "receiver"


def square(values: ArrayLike, tasks: Sequence[str]) -> pd.DataFrame:
    """Make a table of numbers ``[K, K]``.

    Args:
        values: The numbers, a row a giver.
        tasks: Names of the K tasks.
    """
    names = list(tasks)
    return pd.DataFrame(
        np.asarray(values, dtype=np.float64),
        index=pd.Index(names, name=GIVER),
        columns=pd.Index(names, name=RECEIVER),
    )


def check_square(name: str, value: object) -> list[str]:
    """Return the tasks of a table, after a look at it.

    Args:
        name: What the message is to call it.
        value: The table.

    Raises:
        TypeError: If it is no table, names are no strings, or what it holds are no numbers.
        ValueError: If rows and columns are not the same tasks in the same order, one occurs twice,
            or there is none.
    """
    check_kind(name, value, pd.DataFrame, "a DataFrame with a row and a column for each task")
    assert isinstance(value, pd.DataFrame)
    tasks = list(value.index)
    if not all(isinstance(task, str) for task in [*tasks, *value.columns]):
        raise TypeError(f"{name} must have names of tasks as rows and columns, got {tasks!r:.60}")
    if not tasks or tasks != list(value.columns) or len(set(tasks)) < len(tasks):
        raise ValueError(
            f"{name} must have the same tasks as rows and as columns, each once, got the rows "
            f"{tasks} and the columns {list(value.columns)}"
        )
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in value.dtypes):
        raise TypeError(f"{name} must hold numbers, got {shown(value)}")
    return tasks
