"""Encoders in the form that is exported: the same weights, and no step that depends on the data."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Inputs
from mtl_utils.deployment.export.fusion_forms import fusion_form, is_fusion
from mtl_utils.deployment.export.layer_forms import (
    AttendingForm,
    RecurrentForm,
    layers_form,
    places_of,
)
from mtl_utils.nn import (
    BiLSTMEncoder,
    CachedEncoder,
    CharacterCNN,
    Encoder,
    EncoderLayers,
    LSTMEncoder,
    PretrainedEncoder,
    ProjectedEncoder,
    TransformerEncoder,
    WordCharacterEmbedding,
)
from mtl_utils.sharing import LanguageAdapters


def encoder_form(encoder: Encoder) -> torch_nn.Module:
    """Return what is exported of an encoder.

    Args:
        encoder: The encoder; its weights are copied or shared, and not changed.

    Returns:
        A module from inputs to states ``[B, T, D]``, zero at padding.

    Raises:
        TypeError: If an encoder of its kind has no such form.
    """
    kind, own = type(encoder), cast(Any, encoder)  # a class of one's own may do something else
    if kind is CachedEncoder:  # what it remembers it has read by the encoder in it
        return encoder_form(own.encoder)
    if kind in (LSTMEncoder, BiLSTMEncoder):
        return _LSTMForm(_embedding(own, own.embedding), RecurrentForm(own.lstm))
    if kind is ProjectedEncoder and type(own.encoder) in (LSTMEncoder, BiLSTMEncoder):
        read = own.encoder
        return _ProjectedForm(own, _embedding(read, read.embedding), RecurrentForm(read.lstm))
    if kind is TransformerEncoder:
        return _TransformerForm(own, _table(own, own.embedding))
    if kind is LanguageAdapters:
        return _AdaptedForm(own)
    if is_fusion(kind):
        return fusion_form(own, encoder_form(own.text))
    if kind is PretrainedEncoder and not own.by_length:
        return _PretrainedForm(own)
    why = " whose states change with padding" if kind is PretrainedEncoder else ""
    raise TypeError(
        f"An encoder of the kind {kind.__name__}{why} cannot be exported. Expected a "
        "BiLSTMEncoder, LSTMEncoder, ProjectedEncoder, TransformerEncoder or PretrainedEncoder, "
        "LanguageAdapters between the layers of one, or a fusion of one with pictures."
    )


def reads_characters(model: torch_nn.Module) -> bool:
    """Tell whether a model reads how words are written.

    Args:
        model: The model.
    """
    return any(isinstance(part, CharacterCNN) for part in model.modules())


def languages_of(model: torch_nn.Module) -> tuple[str, ...]:
    """Return the names of the languages that a model tells apart, in the order of their ids.

    Args:
        model: The model.

    Returns:
        No names where nothing asks for the language of a text.

    Raises:
        ValueError: If its encoders have adapters of other languages than each other.
    """
    found = {part.languages for part in model.modules() if isinstance(part, LanguageAdapters)}
    if len(found) > 1:
        raise ValueError(
            "The encoders have adapters of other languages than each other, and a text is told one "
            f"id: {[list(names) for names in sorted(found)]}"
        )
    return found.pop() if found else ()


def _embedding(encoder: Encoder, embedding: torch_nn.Module) -> torch_nn.Module:
    """Return a module from inputs to embeddings."""
    if type(embedding) is WordCharacterEmbedding:
        return _SpeltForm(embedding)
    return _LookedUpForm(_table(encoder, embedding))


def _table(encoder: Encoder, embedding: torch_nn.Module) -> torch_nn.Embedding:
    if type(embedding) is torch_nn.Embedding:
        return embedding
    raise TypeError(
        f"A {type(encoder).__name__} with an embedding of the kind {type(embedding).__name__} "
        "cannot be exported; expected an nn.Embedding, one vector a token"
    )


class _LookedUpForm(torch_nn.Module):
    def __init__(self, table: torch_nn.Embedding) -> None:
        super().__init__()
        self.table = table

    def forward(self, inputs: Inputs) -> Tensor:
        embedded: Tensor = self.table(inputs.input_ids)
        return embedded


class _SpeltForm(torch_nn.Module):
    """A vector for the word beside one read from its characters ``[B, T, L]``."""

    def __init__(self, embedding: WordCharacterEmbedding) -> None:
        super().__init__()
        self.words, read = embedding.words, embedding.characters
        self.characters, self.convolution = read.embedding, read.convolution

    def forward(self, inputs: Inputs) -> Tensor:
        ids = inputs.character_ids
        assert ids is not None
        words = ids.flatten(0, 1)  # [N, L]
        filled = (words != 0).unsqueeze(1)
        answers = self.convolution(self.characters(words).transpose(1, 2))  # [N, width, L]
        strongest = answers.masked_fill(~filled, torch.finfo(answers.dtype).min).amax(dim=2)
        known = words.amax(dim=1, keepdim=True) > 0
        of_words = self.words(inputs.input_ids)
        spelt = strongest.masked_fill(~known, 0.0).view(*of_words.shape[:2], -1)
        return torch.cat([of_words, spelt], dim=2)


class _LSTMForm(torch_nn.Module):
    def __init__(self, embedding: torch_nn.Module, layers: RecurrentForm) -> None:
        super().__init__()
        self.embedding, self.layers = embedding, layers

    def forward(self, inputs: Inputs) -> Tensor:
        states: Tensor = self.layers(self.embedding(inputs), inputs.mask)
        return states


class _ProjectedForm(torch_nn.Module):
    def __init__(
        self, encoder: ProjectedEncoder, embedding: torch_nn.Module, layers: RecurrentForm
    ) -> None:
        super().__init__()
        self.embedding, self.layers = embedding, layers
        self.projection, self.shortcut = encoder.projection, encoder.shortcut

    def forward(self, inputs: Inputs) -> Tensor:
        embedded: Tensor = self.embedding(inputs)
        projected: Tensor = self.projection(self.layers(embedded, inputs.mask))
        return projected + embedded if self.shortcut else projected


class _TransformerForm(torch_nn.Module):
    def __init__(self, encoder: TransformerEncoder, table: torch_nn.Embedding) -> None:
        super().__init__()
        self.table, self.positions = table, encoder.positions
        self.segments, self.embedding_norm = encoder.segments, encoder.embedding_norm
        self.layers, self.scale = AttendingForm(encoder.stack), encoder.width**0.5

    def forward(self, inputs: Inputs) -> Tensor:
        states: Tensor = self.layers(self.embed(inputs), inputs.mask)
        return states

    def embed(self, inputs: Inputs) -> Tensor:
        assert inputs.segment_ids is not None
        places = places_of(inputs.mask)[0]
        hidden = self.table(inputs.input_ids) * self.scale + self.positions.table[places]
        embedded: Tensor = self.embedding_norm(hidden + self.segments(inputs.segment_ids))
        return embedded


class _AdaptedForm(torch_nn.Module):
    """The adapters of all languages, of which the id of a text picks its own."""

    def __init__(self, encoder: LanguageAdapters) -> None:
        super().__init__()
        self.languages, self.adapters = encoder.languages, copy.deepcopy(encoder.adapters)
        layers = [layers_form(cast(EncoderLayers, part)) for part in self.adapters.layers]
        self.adapters._modules["embeddings"] = encoder_form(self.adapters.embeddings)
        self.adapters.layers = torch_nn.ModuleList(layers)

    def forward(self, inputs: Inputs) -> Tensor:
        assert inputs.language_ids is not None
        return self.adapters.encode_chosen(inputs, self.languages, inputs.language_ids)


class _PretrainedForm(torch_nn.Module):
    """The encoder itself: its model is given a mask, and has no branch of ours."""

    def __init__(self, encoder: PretrainedEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: Inputs) -> Tensor:
        states: Tensor = self.encoder(inputs)
        return states
