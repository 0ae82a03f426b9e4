"""Measures of how well a model predicts."""

from __future__ import annotations

import math
from numbers import Real

from torch import Tensor

from mtl_utils.arguments import check_number, shown


def perplexity(loss: float) -> float:
    """Convert a mean token loss to perplexity.

    Args:
        loss: Mean negative log-likelihood per token, in nats.

    Returns:
        ``exp(loss)``, the branching factor the model is as uncertain as.

    Raises:
        ValueError: If ``loss`` is negative or not a number.
        TypeError: If it is of another type than a number.
    """
    _check_loss(loss)
    try:
        return math.exp(loss)
    except OverflowError:  # a loss above about 709 nats
        return math.inf


def bits_per_token(loss: float) -> float:
    """Convert a mean token loss from nats to bits.

    Args:
        loss: Mean negative log-likelihood per token, in nats.

    Returns:
        ``loss / ln 2``, the length of the code an ideal compressor would write per token.

    Raises:
        ValueError: If ``loss`` is negative or not a number.
        TypeError: If it is of another type than a number.
    """
    _check_loss(loss)
    return loss / math.log(2)


def bits_per_character(loss: float, tokens_per_character: float = 1.0) -> float:
    """Convert a mean token loss to bits per character.

    Perplexities of models with different vocabularies cannot be compared; bits per character can,
    because the number of characters does not depend on how a text was cut into tokens.

    Args:
        loss: Mean negative log-likelihood per token, in nats.
        tokens_per_character: Predicted tokens divided by characters of the same text, 1 for a
            character-level model. Count every predicted token (``<eos>`` too) and every character
            (spaces and line ends too).

    Returns:
        ``tokens_per_character * loss / ln 2``.

    Raises:
        ValueError: If ``loss`` is negative or not a number, or ``tokens_per_character`` is not
            positive.
        TypeError: If one of them is of another type than a number.
    """
    check_number("tokens_per_character", tokens_per_character, above=0)
    return tokens_per_character * bits_per_token(loss)


def _check_loss(loss: float) -> None:
    """Refuse what is no mean negative log-likelihood; a tensor of one number may be one."""
    number = loss.item() if isinstance(loss, Tensor) and loss.numel() == 1 else loss
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"loss must be a number, got {shown(loss)}")
    if math.isnan(number) or number < 0:
        raise ValueError(
            f"Expected a loss that is a mean negative log-likelihood, which is not negative; got "
            f"{loss}. A log-probability has the opposite sign."
        )
