"""Heads that give a distribution over labels for each text or word by itself."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mtl_utils.data.batch import Batch
from mtl_utils.tasks import ClassificationHead, Head, TaggingHead
from mtl_utils.tasks.word_head import word_starts


def is_soft(head: Head) -> bool:
    """Tell whether a softmax over the outputs of a head is what it says of its labels.

    Args:
        head: The head. A CRF's labels depend on one another; other heads have no softmax.
    """
    tags = isinstance(head, TaggingHead) and head.crf is None
    return tags or isinstance(head, ClassificationHead)


def check_soft(head: Head, argument: str, given: Any) -> None:
    """Refuse a head whose outputs are no distributions.

    Args:
        head: The head.
        argument: Name of the argument that asks for it.
        given: What was given there.

    Raises:
        TypeError: If it is another.
    """
    if not is_soft(head):
        raise TypeError(
            f"{argument}={given!r} needs a head with a softmax for each text or word, for "
            f"classification or for tagging without a CRF; that of {head.task!r} is a "
            f"{type(head).__name__}"
        )


def counted_outputs(head: Head, batch: Batch) -> Tensor | None:
    """Say which outputs of a head speak for something.

    Args:
        head: The head.
        batch: What it reads.

    Returns:
        ``[B, T]``, True where a word begins; ``None`` for a head with one output a text.
    """
    return word_starts(batch) if isinstance(head, TaggingHead) else None
