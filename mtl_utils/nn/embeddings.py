"""Vectors of words from what they are and how they are written."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_probability, check_sizes
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.dropout import TokenDropout
from mtl_utils.nn.rebuilding import Rebuildable

PADDING = 0


class CharacterCNN(Rebuildable):
    r"""Read the characters of a word with a convolution (Ma & Hovy, 2016).

    Each filter looks at a few neighbouring characters, and its greatest answer within the word is
    kept, so that one may come to stand for a capital at the beginning, another for an ending. The
    characters of a word stand between zeros, which show where it begins and ends.

    Args:
        num_characters: Number of characters, padding and unknown included.
        width: Number of filters: the size of a word's vector.
        embedding_width: Size of a character's vector.
        kernel_size: How many characters a filter looks at; odd.
        dropout: Probability of dropping a unit of the characters' vectors.

    Raises:
        ValueError: If a size is below 1, ``kernel_size`` is even or ``dropout`` is outside [0, 1).
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        num_characters: int,
        width: int,
        embedding_width: int = 25,
        kernel_size: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(
            num_characters=num_characters,
            width=width,
            embedding_width=embedding_width,
            kernel_size=kernel_size,
        )
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, to have a middle; got {kernel_size}")
        check_probability("dropout", dropout)
        self.num_characters, self.width = num_characters, width
        self.embedding = torch_nn.Embedding(num_characters, embedding_width, padding_idx=PADDING)
        self.dropout = torch_nn.Dropout(dropout)
        self.convolution = torch_nn.Conv1d(
            embedding_width, width, kernel_size, padding=kernel_size // 2
        )

    def forward(self, character_ids: Tensor) -> Tensor:
        """Read words.

        Args:
            character_ids: ``[..., L]``, the characters of each word, 0 after the last.

        Returns:
            ``[..., width]``; zero for a word without characters. It does not depend on how much
            padding there is.

        Raises:
            ValueError: If a character does not exist (seen on the CPU).
        """
        self._check(character_ids)
        if character_ids.numel() == 0:
            return self.convolution.weight.new_zeros(*character_ids.shape[:-1], self.width)
        words = character_ids.reshape(-1, character_ids.shape[-1])  # [N, L]
        filled = (words != PADDING).unsqueeze(1)  # [N, 1, L]
        characters = self.dropout(self.embedding(words))  # [N, L, E]
        answers = self.convolution(characters.transpose(1, 2))  # [N, width, L]
        lowest = torch.finfo(answers.dtype).min  # finite: a word without characters gives no nan
        strongest = answers.masked_fill(~filled, lowest).amax(dim=2)  # [N, width]
        vectors = strongest.masked_fill(~filled.any(dim=2), 0.0)
        return vectors.view(*character_ids.shape[:-1], self.width)

    def _check(self, ids: Tensor) -> None:
        if ids.device.type != "cpu" or ids.numel() == 0:
            return
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= self.num_characters:
            raise ValueError(
                f"Character {low if low < 0 else high} does not exist: {self.num_characters} "
                f"characters are 0 to {self.num_characters - 1}. Was the text encoded with the "
                "characters of this model?"
            )


class WordCharacterEmbedding(Rebuildable):
    """Put a vector for the word beside one read from its characters (Ma & Hovy, 2016).

    The word's own vector is of no use where the word is unknown; its characters still tell whether
    it has a capital, a digit, a known ending or another script. While training, words can be made
    unknown at random (Lample et al., 2016), so that the model learns to do without them.

    Args:
        vocab_size: Number of words, V.
        width: Size of both together, D.
        num_characters: Number of characters, padding (0) and unknown (1) included.
        character_width: How much of D is read from the characters, at least 1 and less than D.
        character_embedding_width: Size of a character's vector.
        dropout: Probability of dropping a unit of the characters' vectors.
        word_dropout: Probability of reading a word as unknown (id 1) while training.

    Raises:
        ValueError: If a size is below 1, ``character_width`` leaves nothing for the word, or a
            probability is outside [0, 1).
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_characters: int,
        character_width: int,
        character_embedding_width: int = 25,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, width=width, character_width=character_width)
        check_sizes(
            num_characters=num_characters, character_embedding_width=character_embedding_width
        )
        if not 1 <= character_width < width:
            raise ValueError(
                f"width {width} is shared by the word and its characters; expected a "
                f"character_width of 1 to {width - 1}, got {character_width}"
            )
        check_probability("word_dropout", word_dropout)
        self.width, self.word_dropout = width, TokenDropout(word_dropout)
        self.words = torch_nn.Embedding(vocab_size, width - character_width)
        self.characters = CharacterCNN(
            num_characters, character_width, character_embedding_width, dropout=dropout
        )

    def forward(self, inputs: Inputs) -> Tensor:
        """Look up words and read their characters.

        Args:
            inputs: B sentences of at most T words, with their characters.

        Returns:
            ``[B, T, D]``.

        Raises:
            ValueError: If there are no characters.
        """
        if inputs.character_ids is None:
            raise ValueError(
                "The inputs have no character_ids, which this embedding reads. Give each Example "
                "its character_ids, as models.Tagger.example does."
            )
        ids = self.word_dropout(inputs.input_ids)
        return torch.cat([self.words(ids), self.characters(inputs.character_ids)], dim=2)
