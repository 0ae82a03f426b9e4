"""Labels by name and by id, in tasks that choose among a fixed set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from operator import index


def check_labels(labels: Sequence[str]) -> None:
    """Refuse a set of labels that leaves nothing to choose, or two ids for one name.

    Args:
        labels: Names of the labels, in the order of their ids.

    Raises:
        ValueError: If there are none, or one occurs twice.
        TypeError: If a name is not a string, or the names have no order.
    """
    if isinstance(labels, str | Set) or not all(isinstance(label, str) for label in labels):
        raise TypeError(
            f"Expected names of labels in the order of their ids, strings in a list or tuple, got "
            f"{labels!r:.80}. Numbers would be taken for ids: use their text."
        )
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"Expected at least one label and none twice, got {labels}")


def label_ids(task: str, labels: Sequence[str], given: Sequence[str | int]) -> list[int]:
    """Turn labels into ids.

    Args:
        task: Name of the task, for the messages.
        labels: Names of its labels, in the order of their ids.
        given: Labels, each its name or its id.

    Raises:
        KeyError: If a name is not among the labels.
        ValueError: If an id is not that of a label.
        TypeError: If something is neither a name nor an id, or a string was given for several.
    """
    if isinstance(given, str | Mapping):
        raise TypeError(f"Expected several labels of {task!r}, got {given!r:.60}; use a list")
    odd = [label for label in given if not isinstance(label, str) and not _is_id(label)]
    if odd:
        raise TypeError(
            f"Expected names or ids of labels of {task!r}, got {odd[0]!r:.60}; where a label is "
            "missing, give None in place of the whole example's"
        )
    ids = {label: number for number, label in enumerate(labels)}
    unknown = [label for label in given if isinstance(label, str) and label not in ids]
    if unknown:
        raise KeyError(f"{unknown[0]!r} is not a label of {task!r}: {tuple(labels)}")
    wrong = [label for label in given if not isinstance(label, str) and not 0 <= label < len(ids)]
    if wrong:
        raise ValueError(
            f"{int(wrong[0])} is not the id of a label of {task!r}, which are 0 to "
            f"{len(labels) - 1}"
        )
    return [ids[label] if isinstance(label, str) else index(label) for label in given]


def _is_id(label: object) -> bool:
    return hasattr(label, "__index__") and not isinstance(label, bool)


def label_names(task: str, labels: Sequence[str], given: Sequence[str | int]) -> list[str]:
    """Turn labels into names.

    Args:
        task: Name of the task, for the messages.
        labels: Names of its labels, in the order of their ids.
        given: Labels, each its name or its id.

    Raises:
        KeyError: If a name is not among the labels.
        ValueError: If an id is not that of a label.
    """
    return [labels[number] for number in label_ids(task, labels, given)]
