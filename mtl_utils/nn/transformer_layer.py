"""What layers of a Transformer are made of, and the layer of its encoder."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import check_choice, check_flag, check_probability, check_sizes
from mtl_utils.nn.dropout import Dropout
from mtl_utils.nn.multi_head_attention import MultiHeadAttention, initialise
from mtl_utils.nn.packing import Packing

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
}


class FeedForward(torch_nn.Module):
    r"""Two linear layers applied to each position alone (Vaswani et al., 2017).

    .. math:: f(x) = W_2\, \phi(W_1 x + b_1) + b_2

    Args:
        width: Size of a position, D.
        hidden_width: Size in between.
        dropout: Probability of dropping a unit in between.
        activation: ``"relu"``, or ``"gelu"`` (Hendrycks & Gimpel, 2016).

    Raises:
        ValueError: If a size is below 1, ``dropout`` is outside [0, 1), or there is no such
            activation.
        TypeError: If a setting is of another type.
    """

    def __init__(
        self, width: int, hidden_width: int, dropout: float = 0.0, activation: str = "relu"
    ) -> None:
        super().__init__()
        check_sizes(width=width, hidden_width=hidden_width)
        check_probability("dropout", dropout)
        check_choice("activation", activation, ACTIVATIONS)
        self.activation = activation
        self.inner = torch_nn.Linear(width, hidden_width)
        self.dropout = Dropout(dropout)
        self.outer = torch_nn.Linear(hidden_width, width)
        initialise(self.inner)
        initialise(self.outer)

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform each position.

        Args:
            hidden: ``[..., D]``.

        Returns:
            ``[..., D]``.
        """
        return self.outer(self.dropout(ACTIVATIONS[self.activation](self.inner(hidden))))


class Residual(torch_nn.Module):
    r"""Add what a function makes of a state to the state (He et al., 2016), and normalise.

    .. math:: \text{pre: } x + \operatorname{drop}(f(\operatorname{norm}(x))), \qquad
        \text{post: } \operatorname{norm}(x + \operatorname{drop}(f(x)))

    Vaswani et al. (2017) normalise after; before leaves a path through all layers on which nothing
    is normalised, and training needs no warm-up (Xiong et al., 2020).

    Args:
        width: Size of a state, D.
        dropout: Probability of dropping a unit of what is added.
        norm_first: Whether to normalise before the function.

    Raises:
        ValueError: If a size is below 1, or a probability outside [0, 1).
        TypeError: If a setting is of another type.
    """

    def __init__(self, width: int, dropout: float, norm_first: bool) -> None:
        super().__init__()
        check_sizes(width=width)
        check_probability("dropout", dropout)
        check_flag("norm_first", norm_first)
        self.norm = torch_nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.norm_first = norm_first

    def before(self, hidden: Tensor) -> Tensor:
        """Return what the function is to be given.

        Args:
            hidden: ``[..., D]``.

        Returns:
            ``[..., D]``.
        """
        normed: Tensor = self.norm(hidden) if self.norm_first else hidden
        return normed

    def forward(self, hidden: Tensor, added: Tensor) -> Tensor:
        """Add.

        Args:
            hidden: ``[..., D]``.
            added: What the function made of :meth:`before`, ``[..., D]``.

        Returns:
            ``[..., D]``.
        """
        total = hidden + self.dropout(added)
        return total if self.norm_first else self.norm(total)


def feedforward_size(width: int, feedforward_width: int | None) -> int:
    """Return the size of the hidden layer of the network: 4 D unless it is given.

    Args:
        width: Size of a state, D.
        feedforward_width: The size, or ``None``.

    Raises:
        TypeError: If one is no whole number.
        ValueError: If one is below 1.
    """
    check_sizes(width=width)
    if feedforward_width is None:
        return 4 * width
    check_sizes(feedforward_width=feedforward_width)
    return feedforward_width


def feedforward_dropout(dropout: float, activation_dropout: float | None) -> float:
    """Return the probability of dropping a unit of the hidden layer of the network.

    Args:
        dropout: That of a layer.
        activation_dropout: Another one, or ``None``.

    Raises:
        TypeError: If one is no number.
        ValueError: If one is outside [0, 1).
    """
    check_probability("dropout", dropout)
    if activation_dropout is None:
        return dropout
    check_probability("activation_dropout", activation_dropout)
    return activation_dropout


class TransformerLayer(torch_nn.Module):
    """A layer of the encoder: self-attention, then a network at each position.

    Args:
        width: Size of a state, D.
        num_heads: Number of heads, H; it divides D.
        feedforward_width: Size of the hidden layer of the network; 4 D if ``None``.
        dropout: Probability of dropping a unit of what is added to a state, a unit of that hidden
            layer, or a weight of the attention.
        norm_first: See :class:`Residual`.
        activation: ``"relu"`` or ``"gelu"``.
        activation_dropout: For the hidden layer another probability than ``dropout``.

    Raises:
        ValueError: If a size is below 1, H does not divide D, a probability is outside [0, 1), or
            there is no such activation.
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        feedforward_width: int | None = None,
        dropout: float = 0.1,
        *,
        norm_first: bool = True,
        activation: str = "relu",
        activation_dropout: float | None = None,
    ) -> None:
        super().__init__()
        inside = feedforward_dropout(dropout, activation_dropout)
        hidden_width = feedforward_size(width, feedforward_width)
        self.attention = MultiHeadAttention(width, num_heads, dropout)
        self.attention_residual = Residual(width, dropout, norm_first)
        self.feedforward = FeedForward(width, hidden_width, inside, activation)
        self.feedforward_residual = Residual(width, dropout, norm_first)

    def forward(
        self, hidden: Tensor, mask: Tensor | Packing | None = None, causal: bool = False
    ) -> Tensor:
        """Let each position look at the others, then think for itself.

        Args:
            hidden: ``[B, T, D]``, finite at padding too; or ``[N, D]``, the tokens alone.
            mask: ``[B, T]``, True where there is a token, everywhere if ``None``; or where the N
                tokens are.
            causal: Whether no position may look at later ones.

        Returns:
            Of the same shape as ``hidden``.
        """
        read = self.attention_residual.before(hidden)
        if isinstance(mask, Packing):
            attended = self.attention.attend_packed(read, mask, causal)
        else:
            attended = self.attention(read, mask=mask, causal=causal)
        hidden = self.attention_residual(hidden, attended)
        changed = self.feedforward(self.feedforward_residual.before(hidden))
        return self.feedforward_residual(hidden, changed)

    def attention_weights(
        self, hidden: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Return what the heads attend to; see :meth:`MultiHeadAttention.weights`.

        Args:
            hidden: ``[B, T, D]``.
            mask: ``[B, T]``, True where there is a token; everywhere if ``None``.
            causal: Whether no position may look at later ones.

        Returns:
            ``[B, H, T, T]``, from whom first.
        """
        read = self.attention_residual.before(hidden)
        return self.attention.weights(read, self.attention.read(read), mask, causal)
