"""Labels by name and by id, in tasks that choose among a fixed set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import index
from typing import Any, cast

from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.missing import is_missing

_HOW_TO_LEAVE_OUT = (
    "Where a label is missing, give None; -1 stands for that only in a column of datasets whose "
    "ClassLabel feature says so: give the column itself."
)


def check_labels(labels: Sequence[str]) -> None:
    """Refuse a set of labels that leaves nothing to choose, or two ids for one name.

    Args:
        labels: Names of the labels, in the order of their ids.

    Raises:
        ValueError: If there are none, or one occurs twice.
        TypeError: If a name is not a string, or the names have no order.
    """
    several = isinstance(labels, Sequence) and not isinstance(labels, str)
    if not several or not all(isinstance(label, str) for label in labels):
        raise TypeError(
            f"Expected names of labels in the order of their ids, strings in a list or tuple, got "
            f"{labels!r:.80}. Numbers would be taken for ids: use their text."
        )
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"Expected at least one label and none twice, got {labels!r:.200}")


def label_ids(
    task: str,
    labels: Sequence[str],
    given: Sequence[Any],
    *,
    missing: bool = False,
    name: str = "labels",
) -> list[int]:
    """Turn labels into ids.

    Args:
        task: Name of the task, for the messages.
        labels: Names of its labels, in the order of their ids.
        given: Labels, each its name or its id.
        missing: Whether some may be missing: ``None``, not a number, or
            :data:`~mtl_utils.data.MISSING_LABEL`, which is what they become.
        name: What a message is to call what was given.

    Raises:
        KeyError: If a name is not among the labels.
        ValueError: If an id is not that of a label.
        TypeError: If something is neither a name nor an id, or what was given is not several.
    """
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__"):
        raise TypeError(
            f"Expected several labels of {task!r}, got {given!r:.60} as {name}; use a list"
        )
    given = list(given)
    ids = _numbers(tuple(labels))
    found = [ids.get(label) if type(label) is str else None for label in given]
    if all(number is not None for number in found):  # as in most rows
        return cast(list[int], found)
    if missing:
        given = [MISSING_LABEL if is_missing(label) else label for label in given]
    return [_label_id(task, labels, ids, label, missing, name) for label in given]


@lru_cache
def _numbers(labels: tuple[str, ...]) -> Mapping[str, int]:
    """Return the ids of labels, which a row should not have to number again."""
    return {label: number for number, label in enumerate(labels)}


def _label_id(
    task: str, labels: Sequence[str], ids: Mapping[str, int], label: Any, missing: bool, name: str
) -> int:
    if isinstance(label, str):
        if label not in ids:
            raise KeyError(
                f"{label!r} is not a label of {task!r}: {tuple(labels)!r:.400}; it is in {name}"
            )
        return ids[label]
    if not hasattr(label, "__index__") or isinstance(label, bool):
        hint = _HOW_TO_LEAVE_OUT if missing else "A label is missing here that is needed."
        if not is_missing(label):
            hint = "Numbers must be integers: pandas makes them floats where one is missing."
        raise TypeError(
            f"Expected names or ids of labels of {task!r}, got {label!r:.60} in {name}. {hint}"
        )
    number = index(label)
    if 0 <= number < len(labels) or (missing and number == MISSING_LABEL):
        return number
    raise ValueError(
        f"{number} is not the id of a label of {task!r}, which are 0 to {len(labels) - 1}; it is "
        f"in {name}." + (f" {_HOW_TO_LEAVE_OUT}" if number < 0 else "")
    )


def numbers_by_name(labels: Sequence[str], cell: Any) -> Any:
    """Return whole numbers of a row as names, where all labels are whole numbers.

    Stars from 1 to 5 are the names of five labels and not their ids, which begin at 0.

    Args:
        labels: Names of the labels, in the order of their ids.
        cell: A label of a row, or a sequence of them.

    Returns:
        The same, with the names that whole numbers are written as. Where other labels have words
        for names, or each has its own id, numbers stay ids.
    """
    if not labels or isinstance(cell, str) or not _numbers_are_names(tuple(labels)):
        return cell
    return _by_name(labels, cell)


def _by_name(labels: Sequence[str], cell: Any) -> Any:
    if isinstance(cell, list | tuple) or getattr(cell, "ndim", 0) > 0:
        return [_by_name(labels, label) for label in cell]
    if isinstance(cell, bool) or not hasattr(cell, "__index__"):
        return cell
    name = str(index(cell))
    # A negative number that is no label is most often a missing one: there is a message for it.
    return name if name in labels or index(cell) >= 0 else cell


@lru_cache
def _numbers_are_names(labels: tuple[str, ...]) -> bool:
    whole = all(isinstance(n, str) and re.fullmatch("0|-?[1-9][0-9]*", n) for n in labels)
    return whole and labels != tuple(map(str, range(len(labels))))


def label_names(
    task: str, labels: Sequence[str], given: Sequence[Any], *, name: str = "ids"
) -> list[str]:
    """Turn labels into names.

    Args:
        task: Name of the task, for the messages.
        labels: Names of its labels, in the order of their ids.
        given: Labels, each its name or its id.
        name: What a message is to call what was given.

    Raises:
        KeyError: If a name is not among the labels.
        ValueError: If an id is not that of a label.
        TypeError: If something is neither a name nor an id, or what was given is not several.
    """
    return [labels[number] for number in label_ids(task, labels, given, name=name)]
