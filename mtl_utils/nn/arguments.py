"""Checks that the constructors of layers and models share."""

from __future__ import annotations


def check_sizes(**sizes: int) -> None:
    """Refuse sizes below 1.

    Args:
        **sizes: Sizes by the name that the message is to have.

    Raises:
        ValueError: If one is below 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")


def check_probability(name: str, value: float) -> None:
    """Refuse a probability of dropping something that leaves nothing.

    Args:
        name: What the message is to call it.
        value: The probability.

    Raises:
        ValueError: If it is outside [0, 1).
    """
    if not 0 <= value < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {value}")


def check_cut(num_layers: int, available: int) -> None:
    """Refuse a number of layers to cut off that there are not.

    Args:
        num_layers: How many.
        available: How many layers there are.

    Raises:
        ValueError: If it is negative or greater.
    """
    if not 0 <= num_layers <= available:
        raise ValueError(
            f"An encoder of {available} layers can be cut after 0 to {available} of them, got "
            f"{num_layers}"
        )
