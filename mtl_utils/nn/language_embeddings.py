"""Vectors of tokens that know which language they stand in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_module, check_sizes
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.encoder import check_inputs
from mtl_utils.nn.rebuilding import Rebuildable


class LanguageEmbedding(Rebuildable):
    r"""Add one vector a language to the vector of every token (Conneau & Lample, 2019).

    .. math:: e_t = \mathsf{E}_{x_t} + \ell_{g}

    where g is the language of the text. The vectors :math:`\ell` start at 0, so that at first no
    text is read otherwise than without them. Give it to an encoder as its ``embedding``. A language
    without training texts has no vector of its own; read it with the id of another.

    Args:
        vocab_size: Number of tokens, V.
        width: Size of a vector, D.
        num_languages: Number of languages, G.
        embedding: What turns inputs into vectors ``[B, T, D]``, instead of one embedding a token:
            a module that is called with the inputs, or an ``nn.Embedding``, which is called with
            the token ids.

    Attributes:
        width: D.

    Raises:
        ValueError: If a size is below 1.
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_languages: int,
        *,
        embedding: torch_nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, width=width, num_languages=num_languages)
        if embedding is None:
            embedding = torch_nn.Embedding(vocab_size, width)
        check_module("embedding", embedding)
        self.width, self.embedding = width, embedding
        self.languages = torch_nn.Embedding(num_languages, width)
        torch_nn.init.zeros_(self.languages.weight)

    def forward(self, inputs: Inputs) -> Tensor:
        """Look up tokens, and add the vector of the language.

        Args:
            inputs: B texts of at most T tokens, with their languages.

        Returns:
            ``[B, T, D]``.

        Raises:
            ValueError: If there are no languages, or one does not exist (seen on the CPU).
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        check_inputs(inputs)
        ids = check_languages(inputs, self.languages.num_embeddings)
        of_tokens = isinstance(self.embedding, torch_nn.Embedding)
        embedded: Tensor = self.embedding(inputs.input_ids if of_tokens else inputs)
        return embedded + self.languages(ids).unsqueeze(1)


def check_languages(inputs: Inputs, num_languages: int) -> Tensor:
    """Return the languages of texts, or say what is wrong with them.

    Args:
        inputs: B texts.
        num_languages: How many languages there are.

    Returns:
        ``[B]``.

    Raises:
        ValueError: If there are none, or one does not exist (seen on the CPU).
    """
    ids = inputs.language_ids
    if ids is None:
        raise ValueError(
            "The inputs have no language_ids, which this encoder reads. Give each Example its "
            "language_id, or the Inputs language_ids [B]."
        )
    if ids.device.type == "cpu" and ids.numel() and not 0 <= _outermost(ids) < num_languages:
        raise ValueError(
            f"Language {_outermost(ids)} in language_ids does not exist: {num_languages} languages "
            f"are 0 to {num_languages - 1}. Read a language without training texts with the id of "
            "another."
        )
    return ids


def _outermost(ids: Tensor) -> int:
    low, high = torch.aminmax(ids)
    return int(low) if int(low) < 0 else int(high)
