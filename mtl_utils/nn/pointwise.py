"""A network that looks at each position alone, in the role of the layers of an encoder."""

from __future__ import annotations

from torch import Tensor

from mtl_utils.arguments import check_flag, check_sizes, check_tensor
from mtl_utils.nn.encoder import EncoderLayers
from mtl_utils.nn.masks import check_mask, cleared
from mtl_utils.nn.transformer_layer import FeedForward


class FeedForwardLayers(EncoderLayers):
    r"""Two linear layers at each position, and a shortcut around them.

    .. math:: h_t + W_2\, \phi(W_1 h_t + b_1) + b_2

    What experts most often are: those that a token is not sent to need not look at it.

    Args:
        width: Size of a state, D.
        hidden_width: Size in between; 4 D if ``None``.
        dropout: Probability of dropping a unit in between.
        activation: ``"relu"`` or ``"gelu"``.
        shortcut: Whether to add what is read.

    Raises:
        ValueError: If a size is below 1, ``dropout`` is outside [0, 1), or there is no such
            activation.
        TypeError: If a setting is of another type.
    """

    causal = True
    pointwise = True

    def __init__(
        self,
        width: int,
        hidden_width: int | None = None,
        dropout: float = 0.0,
        *,
        activation: str = "relu",
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(width=width)
        check_flag("shortcut", shortcut)
        hidden_width = 4 * width if hidden_width is None else hidden_width
        self.width, self.shortcut = width, shortcut
        self.network = FeedForward(width, hidden_width, dropout, activation)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Transform each position.

        Args:
            hidden: ``[..., D]``; what it holds at padding does not matter.
            mask: ``[...]``, True where there is a token.

        Returns:
            ``[..., D]``, zero at padding.

        Raises:
            TypeError: If the mask is not boolean, or ``hidden`` no floating-point tensor.
            ValueError: If the shapes do not fit.
        """
        check_mask(mask)
        check_tensor("hidden", hidden, "[..., D]", "floating-point")
        if hidden.shape != (*mask.shape, self.width):
            raise ValueError(
                f"Expected hidden [..., {self.width}] and a mask [...], got {list(hidden.shape)} "
                f"and {list(mask.shape)}"
            )
        hidden = cleared(hidden, mask)
        changed: Tensor = self.network(hidden)
        return cleared(changed + hidden if self.shortcut else changed, mask)
