"""Experts made of the layers of encoders."""

from __future__ import annotations

from typing import Any

from mtl_utils.arguments import check_sizes, check_whole, shown
from mtl_utils.nn.encoder import Encoder, EncoderLayers, check_encoder, number_of_layers


def check_experts(name: str, experts: Any) -> int:
    """Return the width of experts, after a look at them.

    Args:
        name: What a message is to call them.
        experts: The experts.

    Raises:
        ValueError: If there is none, one was given twice, or widths differ.
        TypeError: If they are no list of layers.
    """
    if not isinstance(experts, list | tuple):
        raise TypeError(f"{name} must be a list of nn.EncoderLayers, got {shown(experts)}")
    if not experts:
        raise ValueError(f"{name} must be at least one nn.EncoderLayers, got {experts!r}")
    for expert in experts:
        if not isinstance(expert, EncoderLayers):
            raise TypeError(
                f"{name} must be nn.EncoderLayers, such as encoder.cut(1)[1] or "
                f"nn.FeedForwardLayers, got {shown(expert)}"
            )
    if len(set(map(id, experts))) != len(experts):
        raise ValueError(f"{name} must be different modules, got one twice; give each its own")
    widths = [expert.width for expert in experts]
    if len(set(widths)) != 1:
        raise ValueError(f"{name} must have the same width, got {widths}")
    return widths[0]


def drawn_experts(
    encoder: Encoder, num_experts: int, num_expert_layers: int
) -> tuple[Encoder, list[EncoderLayers]]:
    """Cut an encoder, and make experts of what is above.

    Args:
        encoder: Copied.
        num_experts: How many experts.
        num_expert_layers: How many layers each has, from the top.

    Returns:
        What is below, and the experts: the first has the weights of the encoder, the others new
        ones.

    Raises:
        ValueError: If a number is below 1, or the encoder has not as many layers.
        TypeError: If the encoder cannot be cut, or a number is no whole number.
    """
    check_encoder("encoder", encoder)
    check_sizes(num_experts=num_experts)
    total = number_of_layers(encoder)
    check_whole("num_expert_layers", num_expert_layers, least=1, most=total)
    below = total - num_expert_layers
    trunk, first = encoder.cut(below)
    others = [drawn_again(encoder).cut(below)[1] for _ in range(num_experts - 1)]
    return trunk, [first, *others]


def drawn_again(encoder: Encoder) -> Encoder:
    """Return an encoder made like another one, with new weights wherever they are drawn.

    Args:
        encoder: Left as it is.
    """
    recipe = encoder.recipe
    made: Any = recipe.maker(**recipe.arguments)
    for num_layers, above in recipe.cuts:
        made = made.cut(num_layers)[bool(above)]
    like = next(encoder.parameters())
    drawn: Encoder = made.to(like.device, like.dtype).train(encoder.training)
    return drawn
