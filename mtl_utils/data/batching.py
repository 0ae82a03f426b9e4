"""From examples to padded batches of similar length, cut by a budget of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl_utils.data.batch import MISSING_LABEL, Batch, Inputs


@dataclass(frozen=True)
class Example:
    """One text as ids, with its labels.

    Args:
        input_ids: Ids of the text.
        labels: Labels by task: an integer for the whole text, or a sequence of them, as long as the
            text (tags) or not (a translation). A task may be absent.
        segment_ids: Which text of a pair each id belongs to; ``None`` for a single text.

    Raises:
        ValueError: If there is not one segment id for every input id.
    """

    input_ids: Sequence[int]
    labels: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    segment_ids: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.segment_ids is not None and len(self.segment_ids) != len(self.input_ids):
            raise ValueError(
                f"Expected one segment id an input id, got {len(self.segment_ids)} for "
                f"{len(self.input_ids)}"
            )

    @property
    def length(self) -> tuple[int, int]:
        """Number of input ids, and of the labels in the longest sequence of them (0 if none is)."""
        sequences = (labels for labels in self.labels.values() if _is_sequence(labels))
        return len(self.input_ids), max((len(labels) for labels in sequences), default=0)


def collate(examples: Sequence[Example], pad_id: int = 0) -> Batch:
    """Pad examples on the right and stack them.

    The labels of a task become ``[B]`` where they are integers and ``[B, U]`` where they are
    sequences. U is the longest of them, or T where every sequence is as long as its text, so that
    tags fit the hidden states even if the longest text has none. Where an example has no label
    for a task that others have, it gets :data:`~mtl_utils.data.MISSING_LABEL`, which pads
    sequences too. A single text among pairs is segment 0 throughout.

    Args:
        examples: The rows of the batch, at least one.
        pad_id: Id that fills the inputs.

    Returns:
        The batch, B rows of int64. T is the longest input, but at least 1: texts that are all empty
        make a column that the mask leaves out.

    Raises:
        ValueError: If there are no examples, a task has integers in some examples and sequences in
            others, or an id does not fit int64.
        TypeError: If ids or labels are not integers (booleans are not), or not in flat sequences.
    """
    return _collate(examples, pad_id, _tasks_of_tokens(examples))


class BatchLoader:
    """Batches of examples of similar length, within a budget of tokens or of a number of rows.

    With ``shuffle``, examples are sorted by length, those of equal length in a new random order
    every epoch, then cut into batches, and the batches come in random order. Everything depends on
    ``seed`` and the number of the epoch alone, so that a run can resume within an epoch and several
    processes agree without talking to each other. Every example comes exactly once an epoch, and
    every epoch has the same number of batches. Without ``shuffle``, examples come in their order,
    as predictions need them.

    Args:
        examples: The examples, at least one.
        max_tokens: Budget of a batch in positions, padding included: the number of rows times the
            longest input and the longest sequence of labels together (of any one task). An example
            that exceeds it alone is a batch of its own.
        batch_size: Number of rows of a batch, instead of ``max_tokens``; the last one may have
            fewer.
        pad_id: Id that fills the inputs.
        shuffle: Whether to form batches by length and shuffle them.
        seed: Seed of the order.

    Raises:
        ValueError: If there are no examples, or not exactly one of ``max_tokens`` and
            ``batch_size``, which is at least 1.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        max_tokens: int | None = None,
        batch_size: int | None = None,
        pad_id: int = 0,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        if len(examples) == 0:
            raise ValueError("There are no examples to make batches of")
        _check_limits(max_tokens, batch_size)
        self.examples = list(examples)
        self.max_tokens = max_tokens
        self.batch_size = batch_size
        self.pad_id = pad_id
        self.shuffle = shuffle
        self.seed = seed
        self._token_tasks = _tasks_of_tokens(self.examples)
        self._lengths = np.array([self._padded_length(example) for example in self.examples])
        # Sorted lengths are the same in every epoch, whatever the order among equals, and so are
        # the places to cut.
        self._cuts = self._cut(self._order(np.arange(len(self.examples))))

    def _padded_length(self, example: Example) -> tuple[int, int]:
        """Say how much room an example takes; what is empty is padded to 1."""
        inputs, labels = max(len(example.input_ids), 1), example.length[1]
        if self._token_tasks:
            return inputs, max(labels, inputs)
        sequences = any(_is_sequence(labels) for labels in example.labels.values())
        return inputs, max(labels, int(sequences))

    @property
    def num_batches(self) -> int:
        """Number of batches of an epoch."""
        return len(self._cuts) - 1

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self.num_batches

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the batches of epoch 0."""
        return self.batches()

    def plan(self, epoch: int = 0) -> list[list[int]]:
        """Say which examples make up the batches of an epoch.

        Args:
            epoch: Number of the epoch.

        Returns:
            The positions of each batch's examples, batch by batch in the order they come.
        """
        if not self.shuffle:
            return self._divide(np.arange(len(self.examples)))
        generator = _generator(self.seed, epoch)
        shuffled = torch.randperm(len(self.examples), generator=generator).numpy()
        batches = self._divide(self._order(shuffled))
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]

    def _order(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sort examples by length; those of equal length stay in the order given.

        The longer of input and labels counts first, then their difference, rising and falling in
        turn, so that neighbours are alike on both sides. On Multi30k this pads 2% in batches of
        4,096 tokens, sorting by labels and then inputs 5%.
        """
        if not self.shuffle:
            return indices
        inputs, labels = self._lengths[indices].T
        longer = np.maximum(inputs, labels)
        difference = np.where(longer % 2, inputs - labels, labels - inputs)
        return indices[np.lexsort((difference, longer))]

    def _divide(self, order: NDArray[np.int64]) -> list[list[int]]:
        pairs = zip(self._cuts, self._cuts[1:], strict=False)
        return [order[start:end].tolist() for start, end in pairs]

    def _cut(self, order: NDArray[np.int64]) -> list[int]:
        """Return where batches start, and the end of the last."""
        if self.batch_size is not None:
            return [*range(0, len(order), self.batch_size), len(order)]
        assert self.max_tokens is not None
        cuts, longest, longest_labels = [0], 0, 0
        for position, (inputs, labels) in enumerate(self._lengths[order].tolist()):
            longest, longest_labels = max(longest, inputs), max(longest_labels, labels)
            rows = position - cuts[-1] + 1
            if rows > 1 and rows * (longest + longest_labels) > self.max_tokens:
                cuts.append(position)
                longest, longest_labels = inputs, labels
        return [*cuts, len(order)]

    def batches(
        self, epoch: int = 0, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Iterate over the batches of an epoch.

        With several processes, each gets every ``world_size``-th row of every batch, padded like
        the whole batch. Where no row is left for it, it gets one of the others' with every label
        missing, which counts nowhere, so that all processes take the same number of steps.

        Args:
            epoch: Number of the epoch.
            start: How many batches to leave out, because they are done already.
            rank: Number of this process.
            world_size: Number of processes.

        Returns:
            The batches.

        Raises:
            ValueError: If ``start`` is not within the epoch, or ``rank`` is not below
                ``world_size``.
        """
        if not 0 <= start <= self.num_batches:
            raise ValueError(
                f"start must be between 0 and the {self.num_batches} batches of an epoch, got "
                f"{start}"
            )
        if not 0 <= rank < world_size:
            raise ValueError(
                f"rank must be between 0 and world_size - 1, got rank {rank} of {world_size}"
            )
        return self._batches(self.plan(epoch)[start:], rank, world_size)

    def _batches(self, plan: list[list[int]], rank: int, world_size: int) -> Iterator[Batch]:
        for indices in plan:
            examples = [self.examples[index] for index in indices]
            batch = _collate(examples, self.pad_id, self._token_tasks)
            yield batch if world_size == 1 else _shard(batch, rank, world_size)

    def padding_share(self, epoch: int = 0) -> float:
        """Return how much of the batches is padding.

        Args:
            epoch: Number of the epoch.

        Returns:
            The share of positions that are padding, between 0 and 1, of the inputs and the
            sequences of labels. A text without a sequence that others of its batch have is padding
            there.
        """
        filled = padded = 0
        for indices in self.plan(epoch):
            examples = [self.examples[index] for index in indices]
            batch = _collate(examples, self.pad_id, self._token_tasks)
            filled += sum(_num_filled(example) for example in examples)
            sequences = (labels for labels in batch.labels.values() if labels.dim() == 2)
            padded += batch.inputs.mask.numel() + sum(labels.numel() for labels in sequences)
        return 1 - filled / padded


def _num_filled(example: Example) -> int:
    sequences = (labels for labels in example.labels.values() if _is_sequence(labels))
    return len(example.input_ids) + sum(len(labels) for labels in sequences)


def _check_limits(max_tokens: int | None, batch_size: int | None) -> None:
    if (max_tokens is None) == (batch_size is None):
        raise ValueError(
            "Give either max_tokens, a budget of padded tokens, or batch_size, a number of rows; "
            f"got max_tokens={max_tokens} and batch_size={batch_size}"
        )
    for name, limit in (("max_tokens", max_tokens), ("batch_size", batch_size)):
        if limit is not None and limit < 1:
            raise ValueError(f"{name} must be at least 1, got {limit}")


def _generator(seed: int, epoch: int) -> torch.Generator:
    # Hashed, because seed + epoch would make epoch 1 of seed 0 and epoch 0 of seed 1 the same.
    digest = hashlib.sha256(f"{seed} {epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


def _shard(batch: Batch, rank: int, world_size: int) -> Batch:
    rows = torch.arange(len(batch))[rank::world_size]
    if len(rows) == 0:
        missing = {
            task: torch.full_like(labels[:1], MISSING_LABEL)
            for task, labels in batch.labels.items()
        }
        return Batch(_rows(batch.inputs, torch.tensor([0])), missing)
    return Batch(
        _rows(batch.inputs, rows), {task: labels[rows] for task, labels in batch.labels.items()}
    )


def _rows(inputs: Inputs, rows: Tensor) -> Inputs:
    segments = None if inputs.segment_ids is None else inputs.segment_ids[rows]
    return Inputs(inputs.input_ids[rows], inputs.mask[rows], segments)


def _is_sequence(labels: Any) -> TypeGuard[Sequence[int]]:
    if isinstance(labels, int | str):
        return False
    dimensions = getattr(labels, "ndim", None)  # of an array or a tensor, perhaps of one number
    return hasattr(labels, "__len__") if dimensions is None else dimensions > 0


def _tasks_of_tokens(examples: Sequence[Example]) -> set[str]:
    """The tasks whose labels are one a token in every example that has them."""
    fits: dict[str, bool] = {}
    for example in examples:
        for task, labels in example.labels.items():
            if fits.get(task, True):
                fits[task] = _is_sequence(labels) and len(labels) == len(example.input_ids)
    return {task for task, fit in fits.items() if fit}


def _collate(examples: Sequence[Example], pad_id: int, token_tasks: Collection[str]) -> Batch:
    if len(examples) == 0:
        raise ValueError("Expected the examples of a batch, at least one, got none")
    inputs = _inputs(examples, pad_id)
    tasks = dict.fromkeys(task for example in examples for task in example.labels)
    longest = inputs.input_ids.shape[1]
    labels = {
        task: _labels(examples, task, longest if task in token_tasks else 1) for task in tasks
    }
    return Batch(inputs, labels)


def _inputs(examples: Sequence[Example], pad_id: int) -> Inputs:
    ids, mask = _padded([example.input_ids for example in examples], pad_id, 1, "input_ids")
    if all(example.segment_ids is None for example in examples):
        return Inputs(torch.from_numpy(ids), torch.from_numpy(mask))
    rows: list[Any] = [
        [0] * len(example.input_ids) if example.segment_ids is None else example.segment_ids
        for example in examples
    ]
    segments, _ = _padded(rows, 0, 1, "segment_ids")
    return Inputs(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(segments))


def _labels(examples: Sequence[Example], task: str, shortest: int) -> Tensor:
    given = [example.labels[task] for example in examples if task in example.labels]
    sequences = [_is_sequence(labels) for labels in given]
    if any(sequences) != all(sequences):
        single, several = given[sequences.index(False)], given[sequences.index(True)]
        raise ValueError(
            f"The labels of {task!r} are integers in some examples ({single!r:.30}) and sequences "
            f"in others ({several!r:.30}); expected one kind for all"
        )
    if not all(sequences):
        flat = [example.labels.get(task, MISSING_LABEL) for example in examples]
        return torch.from_numpy(_integers(flat, f"labels of {task!r}"))
    rows: list[Any] = [example.labels.get(task, ()) for example in examples]
    return torch.from_numpy(_padded(rows, MISSING_LABEL, shortest, f"labels of {task!r}")[0])


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
