"""Heads over a fixed set of labels, whose weights mean nothing without their names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_utils.tasks.base import Head
from mtl_utils.tasks.label_names import check_labels

_KEY = "_extra_state"  # PyTorch's own name for what get_extra_state returns


class LabelledHead(Head):
    """A head over a fixed set of labels.

    The names travel with the weights: the ``state_dict`` has them as bytes, and is refused by a
    head with other names or the same in another order. One without names, written before there were
    any or taken from elsewhere, is accepted as it is.

    Args:
        task: Name of the task, under which a batch has its labels.
        labels: Names of the labels, in the order of their ids.

    Raises:
        TypeError: If a name is no string, or the labels have no order.
        ValueError: If there are no labels, or one occurs twice.
    """

    def __init__(self, task: str, labels: Sequence[str]) -> None:
        super().__init__(task)
        check_labels(labels)
        self.labels = tuple(labels)

    def get_extra_state(self) -> Tensor:
        """Return the names as the bytes ``[N]`` of JSON, which every format of weights can hold."""
        text = json.dumps(self.labels, ensure_ascii=False, separators=(",", ":"))
        return torch.tensor(list(text.encode("utf-8")), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Compare names that were stored with those of the head.

        Args:
            state: What :meth:`get_extra_state` returned.

        Raises:
            ValueError: If they are others, or in another order, or no names.
        """
        try:
            data = bytes(state.to("cpu", torch.uint8).tolist())
            stored = tuple(json.loads(data.decode("utf-8")))
        except (AttributeError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"The weights of {self.task!r} have no readable labels ({error}); expected what "
                "state_dict returned"
            ) from error
        if stored != self.labels:
            difference = _difference(stored, self.labels)
            raise ValueError(
                f"The weights of {self.task!r} are of other labels: {difference}. Make the model "
                "with the labels that the weights were trained on; to train a new head instead, "
                "leave the weights of this one out."
            )

    def check_state(self, state_dict: Mapping[str, Any], prefix: str) -> None:
        """Refuse weights of other labels before any is copied.

        Args:
            state_dict: Weights by name.
            prefix: What the names of this head's weights begin with.

        Raises:
            ValueError: As :meth:`set_extra_state`.
        """
        if prefix + _KEY in state_dict:
            self.set_extra_state(state_dict[prefix + _KEY])

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        self.check_state(state_dict, prefix)
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )
        if prefix + _KEY in missing_keys:  # weights that were stored before names were
            missing_keys.remove(prefix + _KEY)


def _difference(stored: Sequence[str], own: Sequence[str]) -> str:
    if len(stored) != len(own):
        return f"{len(stored)} ({list(stored)!r:.200}), not {len(own)} ({list(own)!r:.200})"
    pairs = enumerate(zip(stored, own, strict=True))
    index = next(i for i, (left, right) in pairs if left != right)
    how = "in another order" if set(stored) == set(own) else "with other names"
    return f"the same number {how}; id {index} is {stored[index]!r} there and {own[index]!r} here"
