"""Examples, and how some of them become a padded batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl_utils.arguments import check_kind, check_names, check_several, check_whole
from mtl_utils.data.batch import MISSING_LABEL, Batch, Inputs
from mtl_utils.data.missing import is_missing
from mtl_utils.data.pictures import Pixels, picture_pixels, stacked_pictures

#: What an id must not exceed: batches hold int64.
LARGEST_ID = 2**63 - 1

_LARGEST_NUMBER = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Example:
    """One text as ids, with its labels.

    Args:
        input_ids: Ids of the text.
        labels: Labels by task: an integer for the whole text, a number with a point for it (a
            score), or a sequence of integers, as long as the text (tags) or not (a translation).
            Where a label is missing, the task is absent, ``None`` or not a number; where one of a
            sequence is, it is ``None`` or :data:`~mtl_utils.data.MISSING_LABEL`.
        segment_ids: Which text of a pair each id belongs to; ``None`` for a single text.
        character_ids: Ids of the characters of each token, 1 or greater; ``None`` where nothing
            reads characters.
        first_pieces: Where in ``input_ids`` the words begin that are to be tagged; ``None`` where
            every id is a word.
        lost: Labels by task of what was cut off the text, in order. They are not learnt, and count
            as missed when a model is evaluated.
        language_id: The language of the text, from 0; ``None`` where nothing asks.
        picture: What stands beside the text: a picture of PIL, or an array ``[H, W, C]`` of
            ``uint8``, which is what it is kept as; ``None`` where there is none.

    Raises:
        ValueError: If a first piece is none of the input ids, or there is not one segment id, or
            one sequence of characters, for every input id, or the language does not fit int64 or is
            negative.
        TypeError: If ids are not several, labels are not given by task, or a first piece or the
            language is no whole number. What is in the sequences is looked at where a batch is made
            of them.
    """

    input_ids: Sequence[int]
    labels: Mapping[str, int | float | Sequence[int]] = field(default_factory=dict)
    segment_ids: Sequence[int] | None = None
    character_ids: Sequence[Sequence[int]] | None = None
    first_pieces: Sequence[int] | None = None
    lost: Mapping[str, Sequence[int]] = field(default_factory=dict)
    language_id: int | None = None
    picture: Pixels | None = None

    def __post_init__(self) -> None:
        check_several("input_ids", self.input_ids, "ids")
        check_names("labels", self.labels, "labels by task")
        check_names("lost", self.lost, "labels by task")
        for task, several in self.lost.items():
            check_several(f"lost[{task!r}]", several, "labels")
        for name in ("segment_ids", "character_ids", "first_pieces"):
            if getattr(self, name) is not None:
                check_several(name, getattr(self, name), "one item an input id")
        if any(map(_is_absent, self.labels.values())):
            known = {task: given for task, given in self.labels.items() if not _is_absent(given)}
            object.__setattr__(self, "labels", known)
        for at in () if self.first_pieces is None else self.first_pieces:
            if type(at) is not int:
                check_whole("each of first_pieces", at)
        if self.language_id is not None:
            check_whole("language_id", self.language_id, least=0, most=LARGEST_ID)
        if self.picture is not None:
            object.__setattr__(self, "picture", picture_pixels(self.picture))
        outside = [at for at in self.first_pieces or () if not 0 <= at < len(self.input_ids)]
        if outside:
            raise ValueError(
                f"Expected first_pieces between 0 and {len(self.input_ids) - 1}, got {outside[0]}"
            )
        one_a_token = {"segment_ids": "segment id", "character_ids": "list of characters"}
        for name, what in one_a_token.items():
            values = getattr(self, name)
            if values is not None and len(values) != len(self.input_ids):
                raise ValueError(
                    f"Expected one {what} an input id, got {len(values)} for "
                    f"{len(self.input_ids)}: {name} {values!r:.60}"
                )

    @property
    def length(self) -> tuple[int, int]:
        """Number of input ids, and of the labels in the longest sequence of them (0 if none is)."""
        sequences = (labels for labels in self.labels.values() if is_sequence(labels))
        return len(self.input_ids), max((len(labels) for labels in sequences), default=0)


def collate(examples: Sequence[Example], pad_id: int = 0) -> Batch:
    """Pad examples on the right and stack them.

    The labels of a task become ``[B]`` where they are integers and ``[B, U]`` where they are
    sequences. U is the longest of them, or T where every sequence is as long as its text, so that
    tags fit the hidden states even if the longest text has none. Where an example has no label
    for a task that others have, it gets :data:`~mtl_utils.data.MISSING_LABEL`, which pads
    sequences too. Where one label of a task is a number with a point, all become such numbers,
    ``[B]`` of float32, and nan stands where one is missing. A single text among pairs is segment 0
    throughout, and tokens of a text without characters have none among others that do.

    Args:
        examples: The rows of the batch, at least one.
        pad_id: Id that fills the inputs.

    Returns:
        The batch, B rows of int64, but for labels with a point. T is the longest input, but at
        least 1: texts that are all empty make a column that the mask leaves out. So is L, the
        longest token in characters.

    Raises:
        ValueError: If there are no examples, a task has integers in some examples and sequences in
            others, only some have a language, an id does not fit int64, or a number with a point is
            not finite as float32.
        TypeError: If ids or labels are not integers (booleans are not), or not in flat sequences,
            a label is no number, or something is no example.
    """
    check_several("examples", examples, "Examples")
    for example in examples:
        check_kind("each of examples", example, Example, "an Example")
    check_whole("pad_id", pad_id, least=0, most=LARGEST_ID)
    return collate_as(examples, pad_id, tasks_of_tokens(examples), tasks_of_numbers(examples))


def is_sequence(labels: Any) -> TypeGuard[Sequence[int]]:
    """Tell labels that are several from a single one.

    Args:
        labels: What an example has for a task.
    """
    if isinstance(labels, int | str):
        return False
    dimensions = getattr(labels, "ndim", None)  # of an array or a tensor, perhaps of one number
    return hasattr(labels, "__len__") if dimensions is None else dimensions > 0


def tasks_of_tokens(examples: Sequence[Example]) -> set[str]:
    """Return the tasks whose labels are one a token in every example that has them.

    Args:
        examples: The examples.
    """
    fits: dict[str, bool] = {}
    for example in examples:
        for task, labels in example.labels.items():
            if fits.get(task, True):
                fits[task] = is_sequence(labels) and len(labels) == len(example.input_ids)
    return {task for task, fit in fits.items() if fit}


def tasks_of_numbers(examples: Sequence[Example]) -> set[str]:
    """Return the tasks that have a number with a point as a label, in one example at least.

    Args:
        examples: The examples.
    """
    return {
        task
        for example in examples
        for task, labels in example.labels.items()
        if type(labels) is not int and not is_sequence(labels) and _has_point(labels)
    }


def collate_as(
    examples: Sequence[Example],
    pad_id: int,
    token_tasks: Collection[str],
    number_tasks: Collection[str],
) -> Batch:
    """Collate, where it is known which labels are one a token; see :func:`collate`.

    Args:
        examples: The rows of the batch, at least one.
        pad_id: Id that fills the inputs.
        token_tasks: Tasks whose labels reach as far as the inputs, whatever the examples at hand.
        number_tasks: Tasks whose labels are numbers with a point, whatever the examples at hand.
    """
    if len(examples) == 0:
        raise ValueError(f"Expected the examples of a batch, at least one, got none: {examples!r}")
    inputs = _inputs(examples, pad_id)
    tasks = dict.fromkeys(task for example in examples for task in example.labels)
    longest = inputs.input_ids.shape[1]
    labels = {
        task: _labels(examples, task, longest if task in token_tasks else 1, task in number_tasks)
        for task in tasks
    }
    cut = dict.fromkeys(task for example in examples for task in example.lost)
    lost = {task: _lost(examples, task) for task in cut}
    return Batch(inputs, labels, lost)


def _lost(examples: Sequence[Example], task: str) -> Tensor:
    rows = [example.lost.get(task, ()) for example in examples]
    return torch.from_numpy(_padded(rows, MISSING_LABEL, 1, f"lost labels of {task!r}")[0])


def _inputs(examples: Sequence[Example], pad_id: int) -> Inputs:
    ids, mask = _padded([example.input_ids for example in examples], pad_id, 1, "input_ids")
    pictures, has_picture = stacked_pictures([example.picture for example in examples])
    return Inputs(
        torch.from_numpy(ids),
        torch.from_numpy(mask),
        _segments(examples),
        _characters(examples, mask),
        _first_pieces(examples, mask),
        _languages(examples),
        pictures=pictures,
        has_picture=has_picture,
    )


def _languages(examples: Sequence[Example]) -> Tensor | None:
    ids = [example.language_id for example in examples]
    known = [each for each in ids if each is not None]
    if not known:
        return None
    if len(known) < len(ids):
        raise ValueError(
            f"Only {len(known)} of {len(ids)} examples have a language_id, and row "
            f"{ids.index(None)} has None; give one to all texts of a batch or to none"
        )
    return torch.tensor(known, dtype=torch.long)


def _first_pieces(examples: Sequence[Example], mask: NDArray[np.bool_]) -> Tensor | None:
    if all(example.first_pieces is None for example in examples):
        return None
    begins = mask.copy()
    for row, example in enumerate(examples):
        if example.first_pieces is not None:
            begins[row] = False
            begins[row, list(example.first_pieces)] = True
    return torch.from_numpy(begins)


def _segments(examples: Sequence[Example]) -> Tensor | None:
    if all(example.segment_ids is None for example in examples):
        return None
    rows: list[Any] = [
        [0] * len(example.input_ids) if example.segment_ids is None else example.segment_ids
        for example in examples
    ]
    return torch.from_numpy(_padded(rows, 0, 1, "segment_ids")[0])


def _characters(examples: Sequence[Example], mask: NDArray[np.bool_]) -> Tensor | None:
    """Return ``[B, T, L]``; all characters are converted at once, since tokens are many."""
    if all(example.character_ids is None for example in examples):
        return None
    tokens: list[Any] = []
    for example in examples:
        characters = example.character_ids
        tokens += [()] * len(example.input_ids) if characters is None else list(characters)
    if not all(map(is_sequence, tokens)):
        wrong = next(token for token in tokens if not is_sequence(token))
        raise TypeError(f"Expected character_ids, a sequence for each token, got {wrong!r:.60}")
    flat = _integers([character for token in tokens for character in token], "character_ids")
    lengths = np.array([len(token) for token in tokens], np.int64)
    longest = lengths.max(initial=1)
    padded = np.zeros((*mask.shape, longest), np.int64)
    filled = np.zeros_like(padded, np.bool_)
    filled[mask] = np.arange(longest) < lengths[:, None]
    padded[filled] = flat
    return torch.from_numpy(padded)


def _labels(examples: Sequence[Example], task: str, shortest: int, of_numbers: bool) -> Tensor:
    given = [example.labels[task] for example in examples if task in example.labels]
    sequences = [is_sequence(labels) for labels in given]
    if any(sequences) != all(sequences):
        single, several = given[sequences.index(False)], given[sequences.index(True)]
        kind = "numbers" if of_numbers else "integers"
        raise ValueError(
            f"The labels of {task!r} are {kind} in some examples ({single!r:.30}) and sequences "
            f"in others ({several!r:.30}); expected one kind for all"
        )
    if of_numbers:
        return _number_labels(examples, task)
    if not all(sequences):
        flat = [example.labels.get(task, MISSING_LABEL) for example in examples]
        return torch.from_numpy(_integers(flat, f"labels of {task!r}"))
    rows = [_filled(example.labels.get(task, ())) for example in examples]
    return torch.from_numpy(_padded(rows, MISSING_LABEL, shortest, f"labels of {task!r}")[0])


def _number_labels(examples: Sequence[Example], task: str) -> Tensor:
    """Return labels ``[B]`` of float32, nan where one is missing."""
    rows = [
        _number(example.labels[task], task, row) if task in example.labels else np.nan
        for row, example in enumerate(examples)
    ]
    return torch.tensor(rows, dtype=torch.float32)


def _number(label: Any, task: str, row: int) -> float:
    given = _plain(label)
    where = f"The labels of {task!r} have {given!r:.40} in row {row}"
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(
            f"{where} among numbers with a point; expected a number, or None where it is missing"
        )
    if isinstance(given, Integral) and given == MISSING_LABEL:
        raise ValueError(
            f"{where} among numbers with a point. Write None if it is missing, and "
            f"{float(MISSING_LABEL)} if it is a value."
        )
    number: Any = given  # a whole number of 400 digits is no float
    if not abs(number) <= _LARGEST_NUMBER:
        raise ValueError(f"{where}; expected a finite number, as float32 can hold it")
    return float(number)


def _is_absent(labels: Any) -> bool:
    """Whether what stands for labels says that there are none."""
    if type(labels) in (int, list):  # nearly all of them
        return False
    if labels is None:
        return True
    return not is_sequence(labels) and is_missing(_plain(labels))


def _plain(label: Any) -> Any:
    """Return a number of Python's own, of one of NumPy or a tensor."""
    return label.item() if hasattr(label, "item") else label


def _has_point(label: Any) -> bool:
    given = _plain(label)
    return isinstance(given, Real) and not isinstance(given, Integral)


def _filled(labels: Any) -> Any:
    """Return a sequence of labels with numbers only; arrays and tensors hold no ``None``."""
    if not isinstance(labels, list | tuple) or None not in labels:
        return labels
    return [MISSING_LABEL if label is None else label for label in labels]


def _padded(
    rows: Sequence[Sequence[int]], fill: int, shortest: int, name: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Pad rows on the right with a value, and say where the rows are."""
    arrays = [_integers(row, name) for row in rows]
    lengths = np.array([len(array) for array in arrays])
    mask = np.arange(max(shortest, lengths.max())) < lengths[:, None]
    padded = np.full(mask.shape, fill, np.int64)
    padded[mask] = np.concatenate(arrays)
    return padded, mask


def _integers(values: Sequence[Any], name: str) -> NDArray[np.int64]:
    try:
        array = np.asarray(values)
    except ValueError:  # nested, with rows of different lengths
        array = np.zeros((0, 0))
    if array.ndim != 1:
        raise TypeError(f"Expected {name} that are a flat sequence of integers, got {values!r:.60}")
    if array.dtype == np.int64:
        return array
    return _converted(array, values, name)


def _converted(array: NDArray[Any], values: Sequence[Any], name: str) -> NDArray[np.int64]:
    """Convert what is not int64, unless that would change a value."""
    # NumPy makes [1, 0.5] and [1, 2**63] all floats, so look at what was given.
    mixed = array.dtype.kind == "f" and isinstance(values, list | tuple)
    given = list(values) if mixed else array.tolist()
    wrong = [value for value in given if not _is_integer(value)]
    if wrong:
        raise TypeError(
            f"Expected integer {name}, got {type(wrong[0]).__name__} {wrong[0]!r:.30} in "
            f"{values!r:.60}"
        )
    beyond = [value for value in given if not -(2**63) <= value < 2**63]
    if beyond:
        raise ValueError(f"The {name} hold {beyond[0]}, which does not fit into int64")
    return np.array(given, np.int64)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
