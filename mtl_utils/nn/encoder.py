"""The contracts of an encoder, and of the layers that an encoder can be cut into."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mtl_utils.arguments import shown
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.freezing import Freezable


class Encoder(Freezable):
    """Turns token ids into hidden states; owns its embeddings.

    ``freeze()`` holds it as it is, and :class:`CachedEncoder` then reads each text only once.

    Attributes:
        width: Size of a hidden state, D.
        causal: Whether the state at a position depends on no later token. A language model reads
            causal states only: others have seen what is to be predicted.
        max_length: The longest text that can be read, in tokens; ``None`` where there is no limit.
    """

    width: int
    causal: bool = False
    max_length: int | None = None

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``. What they hold at padding is not specified; nothing may
            read it.
        """
        raise NotImplementedError

    def cut(self, num_layers: int) -> tuple[Encoder, EncoderLayers]:
        """Cut above some layers, counted from the embeddings.

        Args:
            num_layers: How many layers stay with the embeddings; 0 leaves the embeddings alone,
                all of them leave nothing above.

        Returns:
            Embeddings and lower layers, and the layers above. Both are copies, which one after the
            other compute what this encoder does; parameters that this encoder shares with other
            modules are copied too, and shared no more.

        Raises:
            ValueError: If there are not as many layers.
            TypeError: If encoders of this kind have no place to cut.
        """
        raise TypeError(
            f"{type(self).__name__} cannot be cut between its layers. Expected LSTMEncoder, "
            "BiLSTMEncoder, TransformerEncoder, PretrainedEncoder or another encoder with a method "
            "cut; or give BranchedSharing a trunk and branches of your own."
        )

    def layers(self) -> tuple[Encoder, list[EncoderLayers]]:
        """Take the encoder apart, so that something can be done between its layers.

        Made of :meth:`cut`: an encoder of one's own needs that method, and ``num_layers``.

        Returns:
            The embeddings, an encoder that has no layers, and each layer from the bottom up. All
            are copies, which one after the other compute what this encoder does: what stands after
            the last layer, such as a normalisation, belongs to it. LSTMs drop units between layers
            with the same probability, and by other random numbers.

        Raises:
            TypeError: If encoders of this kind have no place to cut, or do not say how many layers
                they have.
        """
        number = number_of_layers(self)
        lower: Encoder = self
        if number == 0:
            return self.cut(0)[0], []
        found: list[EncoderLayers] = []
        for depth in reversed(range(number)):
            lower, layer = lower.cut(depth)
            found.insert(0, layer)
        return lower, found


def number_of_layers(encoder: Encoder) -> int:
    """Return how many layers an encoder has above its embeddings.

    Args:
        encoder: The encoder.

    Raises:
        TypeError: If it does not say.
    """
    number = getattr(encoder, "num_layers", None)
    if not isinstance(number, int):
        raise TypeError(
            f"{type(encoder).__name__} cannot be taken apart: it has no num_layers. Expected "
            "LSTMEncoder, BiLSTMEncoder, TransformerEncoder, PretrainedEncoder or another "
            "encoder with num_layers, a whole number, and a method cut."
        )
    return number


def check_inputs(inputs: Inputs) -> None:
    """Refuse what is no inputs, such as bare ids.

    Args:
        inputs: What an encoder was given.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(inputs, Inputs):
        raise TypeError(
            f"inputs must be data.Inputs(input_ids, mask), got {shown(inputs)}. The inputs of a "
            "batch are batch.inputs."
        )


class EncoderLayers(Freezable):
    """Some layers of an encoder, without its embeddings.

    Attributes:
        width: Size of a hidden state, D.
        causal: Whether the state at a position depends on no later one.
        pointwise: Whether it depends on no other one at all, neither earlier nor later.
    """

    width: int
    causal: bool = False
    pointwise: bool = False

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Run all layers.

        Args:
            hidden: ``[B, T, D]``; what it holds at padding does not matter.
            mask: ``[B, T]``, True where there is a token.

        Returns:
            ``[B, T, D]``. What it holds at padding is not specified.
        """
        raise NotImplementedError


def check_encoder(name: str, encoder: Any) -> None:
    """Refuse what is no encoder.

    Args:
        name: What the message is to call it.
        encoder: The encoder.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(encoder, Encoder):
        raise TypeError(
            f"{name} must be an nn.Encoder, such as nn.BiLSTMEncoder, got {shown(encoder)}. One of "
            "your own inherits from nn.Encoder."
        )
