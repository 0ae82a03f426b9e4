"""The contract of an encoder."""

from __future__ import annotations

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Inputs
from mtl_utils.nn.arguments import check_sizes


class Encoder(torch_nn.Module):
    """Turns token ids into hidden states; owns its embeddings.

    Attributes:
        width: Size of a hidden state, D.
        causal: Whether the state at a position depends on no later token. A language model reads
            causal states only: others have seen what is to be predicted.
    """

    width: int
    causal: bool = False

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``. What they hold at padding is not specified; nothing may
            read it.
        """
        raise NotImplementedError


class ProjectedEncoder(Encoder):
    """An encoder followed by a linear layer.

    Args:
        encoder: The encoder.
        width: Size of the states after the layer, D.
    """

    def __init__(self, encoder: Encoder, width: int) -> None:
        super().__init__()
        check_sizes(width=width)
        self.encoder = encoder
        self.width, self.causal = width, encoder.causal
        self.projection = torch_nn.Linear(encoder.width, width)

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``.
        """
        return self.projection(self.encoder(inputs))
