"""Heads over a fixed set of labels, whose weights mean nothing without their names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.objectives.losses import summed_loss, target_weights
from mtl_utils.objectives.scales import count_scaled
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.label_names import check_labels
from mtl_utils.tasks.label_weights import check_weights, weight_tensor

_KEY = "_extra_state"  # PyTorch's own name for what get_extra_state returns


class LabelledHead(Head):
    """A head over a fixed set of labels.

    The names travel with the weights: the ``state_dict`` has them as bytes, and is refused by a
    head with other names or the same in another order. One without names, written before there were
    any or taken from elsewhere, is accepted as it is.

    Args:
        task: Name of the task, under which a batch has its labels.
        labels: Names of the labels, in the order of their ids.
        class_weights: Weights of labels in the loss, by name; ``None`` where all are 1.

    Attributes:
        class_weights: ``[C]``, or ``None``.
        temperature: What scores are divided by where probabilities are asked for, a scalar, kept
            with the weights; ``None`` where they are taken as they are. See
            :func:`mtl_utils.training.calibrate`.

    Raises:
        TypeError: If a name is no string, or the labels have no order.
        ValueError: If there are no labels, or one occurs twice.
        KeyError: If a weight is of no label.
    """

    class_weights: Tensor | None
    temperature: Tensor | None

    def __init__(
        self,
        task: str,
        labels: Sequence[str],
        class_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(task)
        check_labels(labels)
        check_weights("class_weights", class_weights, labels)
        self.labels = tuple(labels)
        weights = weight_tensor(class_weights, self.labels)
        self.register_buffer("class_weights", weights, persistent=False)
        self.register_buffer("temperature", None)

    def count(self, batch: Batch) -> Tensor:
        """Return how many labels, or texts, the mean of the loss is over.

        Args:
            batch: The batch.

        Returns:
            A scalar; with weights, the sum of those of the labels.
        """
        if self.class_weights is None:
            return super().count(batch)
        weights = target_weights(batch.labels[self.task], self.class_weights)
        return count_scaled(weights, self.scale)

    def tempered(self, scores: Tensor) -> Tensor:
        """Return scores as probabilities are made of them, in single precision at least.

        Args:
            scores: Logits or emissions of any shape.
        """
        precise = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return precise if self.temperature is None else precise / self.temperature

    def negative_log_likelihood(self, outputs: Tensor, batch: Batch, sharpness: Tensor) -> Tensor:
        """Return how unlikely the labels are if scores are multiplied by a number.

        Args:
            outputs: What ``forward`` returned, logits ``[..., C]``.
            batch: The same batch.
            sharpness: The inverse of a temperature, a scalar.

        Returns:
            A scalar in nats, the sum over labels, without weights or smoothing.
        """
        scores = outputs.to(sharpness.dtype) * sharpness.to(outputs.device)
        return summed_loss(scores, batch.labels[self.task], 0.0, MISSING_LABEL)[0]

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
        stored = state_dict.get(prefix + "temperature")
        # There is one only where probabilities were calibrated: weights that were stored before
        # that, or without it, are as good as they were.
        self.temperature = (
            None if stored is None else torch.ones_like(stored, device=_device_of(self))
        )
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


def _device_of(module: torch_nn.Module) -> torch.device | None:
    """Return where the parameters of a module are; ``None`` if it has none."""
    return next((parameter.device for parameter in module.parameters()), None)


def _difference(stored: Sequence[str], own: Sequence[str]) -> str:
    if len(stored) != len(own):
        return f"{len(stored)} ({list(stored)!r:.200}), not {len(own)} ({list(own)!r:.200})"
    pairs = enumerate(zip(stored, own, strict=True))
    index = next(i for i, (left, right) in pairs if left != right)
    how = "in another order" if set(stored) == set(own) else "with other names"
    return f"the same number {how}; id {index} is {stored[index]!r} there and {own[index]!r} here"
