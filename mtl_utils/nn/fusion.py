"""Encoders of text and pictures together: fused early, late, or by cross-attention."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_probability, shown
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.encoder import Encoder, check_encoder, check_inputs
from mtl_utils.nn.multi_head_attention import MultiHeadAttention
from mtl_utils.nn.pictures import PictureEncoder, check_picture_encoder
from mtl_utils.nn.transformer import TransformerEncoder
from mtl_utils.nn.transformer_layer import FeedForward, Residual

NO_TOKEN = 0
"""The padding, which no text begins with: all that a row of a picture alone has for a text."""


class PictureFusion(Encoder):
    """An encoder of texts that looks at the picture beside each.

    It returns one state a token of the text, as every encoder does, so that it stands wherever one
    does. A row without a picture has one vector instead, which is learnt and the same for all:
    nothing is computed from what stands in the picture's place. With ``picture_dropout`` some
    pictures are taken away while training, so that this vector is learnt where all rows have one,
    and the text is read for what it says (modality dropout; Neverova et al., 2016).

    Args:
        text: Encoder of texts, of width D.
        pictures: Encoder of pictures; where its width is another, a linear layer makes it D.
        picture_dropout: Probability of reading a row without its picture while training; a row
            without a text keeps its picture.

    Raises:
        ValueError: If the probability is outside [0, 1).
        TypeError: If an encoder is none.
    """

    def __init__(
        self, text: Encoder, pictures: PictureEncoder, *, picture_dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_encoder("text", text)
        check_picture_encoder("pictures", pictures)
        check_probability("picture_dropout", picture_dropout)
        self.width, self.causal, self.max_length = text.width, text.causal, text.max_length
        self.text, self.pictures = text, pictures
        self.picture_dropout = picture_dropout
        alike = pictures.width == text.width
        self.fitted = torch_nn.Identity() if alike else torch_nn.Linear(pictures.width, text.width)
        self.picture_norm = torch_nn.LayerNorm(text.width)
        self.absent = torch_nn.Parameter(torch.randn(text.width))

    @property
    def vocab_size(self) -> int:
        """Number of tokens that the encoder of texts knows, V.

        Raises:
            AttributeError: If it does not say.
        """
        return int(self.text.vocab_size)  # type: ignore[arg-type]

    def read_pictures(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Return what there is to see beside each text.

        Args:
            inputs: B texts, with pictures or without.

        Returns:
            Vectors ``[B, N, D]``, and ``[B, N]``, True where there is one: the first alone, which
            is the learnt one, where a row has no picture.

        Raises:
            ValueError: If the pictures are not as the encoder of pictures reads them.
        """
        size = len(inputs.input_ids)
        absent = self.absent.expand(size, 1, -1)
        present = self._present(inputs)
        if inputs.pictures is None or present is None:
            return absent, torch.ones_like(absent[..., 0], dtype=torch.bool)
        if present.device.type == "cpu":  # a GPU would have to be waited for
            rows = present.nonzero().squeeze(1)
            if len(rows) == 0:
                return absent, torch.ones_like(absent[..., 0], dtype=torch.bool)
            seen = self._seen(inputs.pictures if len(rows) == size else inputs.pictures[rows])
            found = seen if len(rows) == size else seen.new_zeros(size, *seen.shape[1:])
            found = found if len(rows) == size else found.index_copy(0, rows, seen)
        else:
            found = self._seen(torch.where(present[:, None, None, None], inputs.pictures, 0.0))
        first = torch.arange(found.shape[1], device=found.device) == 0
        instead = torch.where(first[:, None], absent, 0.0).to(found.dtype)
        vectors = torch.where(present[:, None, None], found, instead)
        return vectors, present[:, None] | first

    def _present(self, inputs: Inputs) -> Tensor | None:
        """Return where a picture is read: where there is one, and it is not taken away.

        A row of a picture alone keeps it, since nothing else would be left to read.
        """
        present = inputs.has_picture
        if present is None or not self.training or self.picture_dropout == 0:
            return present
        alone = ~((inputs.input_ids != NO_TOKEN) & inputs.mask).any(1)
        stays = torch.rand(present.shape, device=present.device) >= self.picture_dropout
        return present & (alone | stays)

    def _seen(self, pictures: Tensor) -> Tensor:
        seen: Tensor = self.picture_norm(self.fitted(self.pictures(pictures)))
        return seen


class EarlyFusion(PictureFusion):
    """Vectors of the picture stand before the tokens, and every layer sees both (Su et al., 2020).

    Positions are those of the text; what says that a vector is of a picture is learnt and added.

    Args:
        text: A Transformer.
        pictures: Encoder of pictures.
        picture_dropout: Probability of reading a row without its picture while training.

    Raises:
        ValueError: If the probability is outside [0, 1).
        TypeError: If an encoder is none, or that of texts no Transformer.
    """

    def __init__(
        self, text: TransformerEncoder, pictures: PictureEncoder, *, picture_dropout: float = 0.0
    ) -> None:
        if not isinstance(text, TransformerEncoder):
            raise TypeError(
                "text must be an nn.TransformerEncoder, between whose embeddings and layers there "
                f"is room for the picture, got {shown(text)}. LateFusion and CrossAttentionFusion "
                "take any encoder."
            )
        super().__init__(text, pictures, picture_dropout=picture_dropout)
        self.kind = torch_nn.Parameter(torch.zeros(text.width))

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode texts and pictures; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens, with pictures or without.

        Returns:
            Hidden states of the tokens ``[B, T, D]``, zero at padding.

        Raises:
            ValueError: If inputs are not as the encoders read them.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        check_inputs(inputs)
        seen, there = self.read_pictures(inputs)
        assert isinstance(self.text, TransformerEncoder)
        words = self.text.embed(inputs)
        both = torch.cat([(seen + self.kind).to(words.dtype), words], dim=1)  # [B, N + T, D]
        hidden: Tensor = self.text.stack(both, torch.cat([there, inputs.mask], dim=1))
        return hidden[:, seen.shape[1] :]


class LateFusion(PictureFusion):
    r"""The picture as one vector, joined to every state of the text that is read without it.

    .. math:: h_t + W_2\, \phi(W_1 [h_t;\, \bar v] + b_1) + b_2

    with the mean :math:`\bar v` of the picture's vectors, normalised: pictures have much in common,
    and a mean that hardly differs from row to row is learnt from slowly. Without the hidden layer a
    linear head above could but add what both say.

    Args:
        text: Any encoder of texts.
        pictures: Encoder of pictures.
        picture_dropout: Probability of reading a row without its picture while training.

    Raises:
        ValueError: If the probability is outside [0, 1).
        TypeError: If an encoder is none.
    """

    def __init__(
        self, text: Encoder, pictures: PictureEncoder, *, picture_dropout: float = 0.0
    ) -> None:
        super().__init__(text, pictures, picture_dropout=picture_dropout)
        self.mean_norm = torch_nn.LayerNorm(text.width)
        self.inner = torch_nn.Linear(2 * text.width, 2 * text.width)
        self.outer = torch_nn.Linear(2 * text.width, text.width)

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode texts and pictures; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens, with pictures or without.

        Returns:
            Hidden states ``[B, T, D]``.

        Raises:
            ValueError: If inputs are not as the encoders read them.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        check_inputs(inputs)
        seen, there = self.read_pictures(inputs)
        hidden: Tensor = self.text(inputs)
        whole = (seen * there.unsqueeze(-1)).sum(1) / there.sum(1, keepdim=True)  # [B, D]
        beside = self.mean_norm(whole).to(hidden.dtype).unsqueeze(1).expand(-1, hidden.shape[1], -1)
        joined = torch.cat([hidden, beside], dim=-1)  # [B, T, 2 D]
        mixed: Tensor = self.outer(torch_nn.functional.gelu(self.inner(joined)))
        return hidden + mixed


class CrossAttentionFusion(PictureFusion):
    """Every state of the text looks at the parts of the picture (as in Lu et al., 2018).

    One layer above the encoder of texts: attention over the vectors of the picture, then a
    feed-forward network, each added to what is there and normalised before.

    Args:
        text: Any encoder of texts.
        pictures: Encoder of pictures.
        num_heads: Number of heads; it divides D.
        dropout: Probability of dropping a weight, or a unit of what is added.
        picture_dropout: Probability of reading a row without its picture while training.

    Raises:
        ValueError: If a probability is outside [0, 1), or heads do not divide D.
        TypeError: If an encoder is none, or a setting is of another type.
    """

    def __init__(
        self,
        text: Encoder,
        pictures: PictureEncoder,
        num_heads: int = 4,
        *,
        dropout: float = 0.1,
        picture_dropout: float = 0.0,
    ) -> None:
        super().__init__(text, pictures, picture_dropout=picture_dropout)
        width = text.width
        self.attention = MultiHeadAttention(width, num_heads, dropout)
        self.looked = Residual(width, dropout, norm_first=True)
        self.network = FeedForward(width, 2 * width, dropout)
        self.thought = Residual(width, dropout, norm_first=True)
        self.norm = torch_nn.LayerNorm(width)

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode texts and pictures; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens, with pictures or without.

        Returns:
            Hidden states ``[B, T, D]``.

        Raises:
            ValueError: If inputs are not as the encoders read them.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        check_inputs(inputs)
        hidden, seen, there = self._both(inputs)
        hidden = self.looked(hidden, self.attention(self.looked.before(hidden), seen, there))
        hidden = self.thought(hidden, self.network(self.thought.before(hidden)))
        normed: Tensor = self.norm(hidden)
        return normed

    def attention_weights(self, inputs: Inputs) -> Tensor:
        """Return which parts of the picture each token looks at, for plots; in evaluation mode.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            ``[B, H, T, N]``.
        """
        hidden, seen, there = self._both(inputs)
        return self.attention.weights(self.looked.before(hidden), self.attention.read(seen), there)

    def _both(self, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
        hidden: Tensor = self.text(inputs)
        seen, there = self.read_pictures(inputs)
        return hidden, seen.to(hidden.dtype), there
