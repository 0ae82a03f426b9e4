"""A batch: padded token ids, the mask that says which are tokens, and labels task by task."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import (
    check_device,
    check_kind,
    check_names,
    check_tensor,
    check_whole,
    shown,
)
from mtl_utils.data.pictures import checked_presence

#: Written where an integer label is missing: it costs nothing and moves nothing. Among labels that
#: are numbers with a point, of which -100 may be one, nan stands there.
MISSING_LABEL = -100

_SMALL = (torch.uint8, torch.int8, torch.int16)
_PER_TOKEN = ("input_ids", "mask", "segment_ids", "character_ids", "first_pieces")


def has_label(labels: Tensor, ignore_index: int = MISSING_LABEL) -> Tensor:
    """Say where there is a label: what every loss, count and comparison looks at.

    Args:
        labels: Of any shape; integers, or numbers with a point, such as scores.
        ignore_index: What stands where an integer is missing. Where a number with a point is, it is
            nan: any other value is one that may be meant.

    Returns:
        Of the same shape, False where a label is missing.

    Raises:
        TypeError: If the labels are no tensor.
    """
    check_kind("labels", labels, Tensor, "a tensor")
    return ~labels.isnan() if labels.is_floating_point() else labels != ignore_index


def missing_labels(labels: Tensor) -> Tensor:
    """Return labels of the same shape and kind that are all missing.

    Args:
        labels: Of any shape.
    """
    fill = torch.nan if labels.is_floating_point() else MISSING_LABEL
    return torch.full_like(labels, fill)


@dataclass(frozen=True)
class Inputs:
    """What an encoder reads.

    Args:
        input_ids: Token ids ``[B, T]``, padded on the right.
        mask: ``[B, T]``, True where there is a token: some tokens, then padding.
        segment_ids: ``[B, T]``, which text of a pair a token belongs to; ``None`` for single texts.
        character_ids: ``[B, T, L]``, the characters of each token, 0 after the last; ``None`` where
            nothing reads characters.
        first_pieces: ``[B, T]``, True at the first piece of each word, where a task labels words
            and tokens are pieces of them; ``None`` where every token is a word of its own.
        language_ids: ``[B]``, the language of each text, from 0; ``None`` where nothing asks.
        pictures: ``[B, C, H, W]``, a picture a row, from 0 to 1; ``None`` where no row has one.
        has_picture: ``[B]``, True where a row has a picture; all have if ``None`` beside pictures.
            What stands in the place of a missing picture, even nan, is not read.

    Raises:
        ValueError: If shapes differ, ``input_ids`` is not ``[B, T]``, or padding comes before a
            token (seen on the CPU, where batches are made; a GPU is not asked).
        TypeError: If something is no tensor, ids are not integers, the mask is not boolean, or
            pictures are not floating-point.
    """

    input_ids: Tensor
    mask: Tensor
    segment_ids: Tensor | None = None
    character_ids: Tensor | None = None
    first_pieces: Tensor | None = None
    language_ids: Tensor | None = None
    pictures: Tensor | None = None
    has_picture: Tensor | None = None

    def __post_init__(self) -> None:
        for name, tensor in vars(self).items():
            if tensor is not None or name in ("input_ids", "mask"):
                check_kind(name, tensor, Tensor, "a tensor")
        if self.input_ids.dim() != 2:
            raise ValueError(
                f"Expected input_ids [B, T], got shape {list(self.input_ids.shape)}. "
                "A single text is a batch of one: input_ids[None]."
            )
        for name in ("input_ids", "segment_ids", "character_ids", "language_ids"):
            ids = getattr(self, name)
            if ids is not None and (ids.is_floating_point() or ids.dtype == torch.bool):
                raise TypeError(f"Expected integer {name}, got {ids.dtype}")
            if ids is not None and ids.dtype in _SMALL:  # embeddings take int32 and int64 alone
                object.__setattr__(self, name, ids.long())
        for name in ("mask", "first_pieces"):
            flags = getattr(self, name)
            if flags is not None and flags.dtype != torch.bool:
                raise TypeError(f"Expected a boolean {name}, got {flags.dtype}; use {name}.bool()")
        for name in ("mask", "segment_ids", "first_pieces"):
            other = getattr(self, name)
            if other is not None and other.shape != self.input_ids.shape:
                raise ValueError(
                    f"{name} {list(other.shape)} and input_ids {list(self.input_ids.shape)} "
                    "must have the same shape [B, T]"
                )
        languages = self.language_ids
        if languages is not None and languages.shape != self.input_ids.shape[:1]:
            raise ValueError(
                f"Expected language_ids [B], one a text, for input_ids "
                f"{list(self.input_ids.shape)}, got {list(languages.shape)}"
            )
        characters = self.character_ids
        if characters is not None and (
            characters.dim() != 3 or characters.shape[:2] != self.input_ids.shape
        ):
            raise ValueError(
                f"Expected character_ids [B, T, L] for input_ids {list(self.input_ids.shape)}, got "
                f"{list(characters.shape)}"
            )
        has_picture = checked_presence(self.pictures, self.has_picture, len(self.input_ids))
        object.__setattr__(self, "has_picture", has_picture)
        if self.mask.device.type == "cpu" and bool((self.mask[:, 1:] & ~self.mask[:, :-1]).any()):
            raise ValueError(
                "The mask has padding before a token; expected padding on the right. With a "
                'Hugging Face tokenizer set padding_side="right".'
            )

    def to(self, device: torch.device | str) -> Inputs:
        """Return a copy on a device.

        Args:
            device: The device.

        Raises:
            TypeError: If it is no device.
            ValueError: If there is no such kind of device.
        """
        check_device("device", device)
        moved = copy.copy(self)  # checked already, and right on any device
        for name, tensor in vars(self).items():
            if tensor is not None:
                object.__setattr__(moved, name, tensor.to(device))
        return moved

    def rows(self, indices: Tensor) -> Inputs:
        """Pick rows.

        Args:
            indices: Which ``[N]``.

        Returns:
            N rows, padded as before.

        Raises:
            TypeError: If they are no tensor of integers.
            ValueError: If they have another shape.
            IndexError: If there is no such row (seen on the CPU).
        """
        check_tensor("indices", indices, "[N]", "integer")
        size = len(self.input_ids)
        if indices.device.type == "cpu" and bool(((indices < -size) | (indices >= size)).any()):
            raise IndexError(
                f"indices of shape {list(indices.shape)} must lie below the number of rows, "
                f"{size}, got {int(indices.max())}"
            )
        return Inputs(**self._changed(lambda tensor: tensor[indices], vars(self)))

    def columns(self, length: int) -> Inputs:
        """Keep the beginning of every row.

        Args:
            length: How many positions, at most T.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is negative or greater than T.
        """
        check_whole("length", length, least=0, most=self.input_ids.shape[1])
        return replace(self, **self._changed(lambda tensor: tensor[:, :length], _PER_TOKEN))

    def _changed(self, change: Callable[[Tensor], Tensor], names: Iterable[str]) -> dict[str, Any]:
        tensors = {name: getattr(self, name) for name in names}
        return {name: None if each is None else change(each) for name, each in tensors.items()}


@dataclass(frozen=True)
class Batch:
    """Inputs and the labels of some tasks.

    Args:
        inputs: What the encoder reads, B rows.
        labels: Labels by task, each ``[B]`` or ``[B, U]``: a class, a tag a token, a target
            sequence, or a number with a point. :data:`MISSING_LABEL` stands where one is missing,
            nan among numbers with a point; a task may be absent.
        lost: Labels by task ``[B, U]`` of what was cut off the texts, filled likewise. They are not
            learnt, and count as missed when a model is evaluated.

    Raises:
        ValueError: If labels do not have B rows.
        TypeError: If the inputs are none, or labels are no tensor or not given by task.
    """

    inputs: Inputs
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    lost: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_kind("inputs", self.inputs, Inputs, "Inputs")
        check_names("labels", self.labels, "labels by task")
        check_names("lost", self.lost, "labels by task")
        given = [("labels", *item) for item in self.labels.items()]
        given += [("lost labels", *item) for item in self.lost.items()]
        for name, task, labels in given:
            if not isinstance(labels, Tensor):
                raise TypeError(
                    f"The {name} of {task!r} must be a tensor, got {shown(labels)}; use "
                    "torch.as_tensor"
                )
            if labels.dim() < 1 or len(labels) != len(self):
                raise ValueError(
                    f"The {name} of {task!r} have shape {list(labels.shape)}, but the batch has "
                    f"{len(self)} rows"
                )

    def __len__(self) -> int:
        """Return the number of rows, B."""
        return len(self.inputs.input_ids)

    def to(self, device: torch.device | str) -> Batch:
        """Return a copy on a device.

        Args:
            device: The device.

        Raises:
            TypeError: If it is no device.
            ValueError: If there is no such kind of device.
        """
        labels = {task: labels.to(device) for task, labels in self.labels.items()}
        lost = {task: labels.to(device) for task, labels in self.lost.items()}
        return Batch(self.inputs.to(device), labels, lost)


def check_batch(name: str, value: Any) -> None:
    """Refuse what is no batch.

    Args:
        name: What the message is to call it.
        value: The batch.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(value, Batch):
        return
    hint = "; make one with Batch(inputs)" if isinstance(value, Inputs) else ""
    given = type(value).__name__ if isinstance(value, Inputs) else shown(value)
    raise TypeError(
        f"Expected a data.Batch, or one a task by its name, as {name}, got {given}{hint}"
    )
