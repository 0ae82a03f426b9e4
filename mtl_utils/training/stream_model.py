"""What a model must be able to do to be trained on a stream."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch import nn as torch_nn


class StreamModel(torch_nn.Module):
    """A language model with a state that is carried from one chunk of a stream to the next.

    :class:`mtl_utils.models.LSTMLanguageModel` is one.
    """

    def loss(
        self, input_ids: Tensor, targets: Tensor, state: Any | None = None
    ) -> tuple[Tensor, Any]:
        """Return the mean negative log-likelihood of the targets, and the state after them.

        Args:
            input_ids: Token ids ``[B, T]``.
            targets: The token that follows each of them ``[B, T]``; -100 is not counted.
            state: The state after the tokens before; ``None`` at the beginning.

        Returns:
            Nats per counted target (a scalar), and the state.
        """
        raise NotImplementedError
