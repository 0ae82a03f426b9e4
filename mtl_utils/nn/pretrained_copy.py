"""The Transformer of this package with the weights of a BERT: the same numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn as torch_nn

from mtl_utils.arguments import check_kind
from mtl_utils.nn.pretrained import PretrainedEncoder
from mtl_utils.nn.transformer import TransformerEncoder
from mtl_utils.nn.transformer_layer import ACTIVATIONS


def as_transformer_encoder(pretrained: PretrainedEncoder) -> TransformerEncoder:
    """Fill the encoder of this package with the weights of a BERT (Devlin et al., 2019).

    That is layers which normalise after they add, learnt positions, and a normalisation after the
    embeddings. States agree to about three digits: BERT adds 1e-12 to a variance before it divides
    by its root, PyTorch by default 1e-5.

    Args:
        pretrained: Its model is a BERT, all layers of it.

    Returns:
        An encoder with weights of its own, in evaluation mode and without dropout.

    Raises:
        TypeError: If it is no pretrained encoder.
        ValueError: If its model is no BERT, or one with an activation that
            :class:`TransformerEncoder` has not.
    """
    check_kind("pretrained", pretrained, PretrainedEncoder, "a PretrainedEncoder")
    model, config = pretrained.model, pretrained.model.config
    if config.model_type != "bert" or config.hidden_act not in ACTIVATIONS:
        raise ValueError(
            f"pretrained must be a BERT with one of the activations {sorted(ACTIVATIONS)}, got a "
            f"model of the type {config.model_type!r}"
        )
    ours = TransformerEncoder(
        pretrained.vocab_size,
        config.hidden_size,
        pretrained.num_layers,
        config.num_attention_heads,
        config.intermediate_size,
        dropout=0.0,
        max_length=config.max_position_embeddings,
        positions="learned",
        num_segments=config.type_vocab_size,
        norm_first=False,
        norm_embeddings=True,
        activation=config.hidden_act,
    )
    ours.to(next(pretrained.parameters()))  # device and precision
    _copy_embeddings(model.embeddings, ours)
    for theirs, layer in zip(model.encoder.layer, ours.stack.layers, strict=True):
        _copy_layer(theirs, layer)
    return ours.eval()


@torch.no_grad()
def _copy_embeddings(theirs: Any, ours: TransformerEncoder) -> None:
    # Ours are multiplied by the root of the width on the way in.
    scale = ours.width**0.5
    parts: Any = ours
    parts.embedding.weight.copy_(theirs.word_embeddings.weight / scale)
    parts.positions.table.copy_(theirs.position_embeddings.weight)
    parts.segments.weight.copy_(theirs.token_type_embeddings.weight)
    _copy(theirs.LayerNorm, parts.embedding_norm)


def _copy_layer(theirs: Any, layer: Any) -> None:
    """Copy attention, the layers at each position, and the normalisation after either."""
    attention: Any = theirs.attention
    for name in ("query", "key", "value"):
        _copy(getattr(attention.self, name), getattr(layer.attention, name))
    _copy(attention.output.dense, layer.attention.output)
    _copy(attention.output.LayerNorm, layer.attention_residual.norm)
    _copy(theirs.intermediate.dense, layer.feedforward.inner)
    _copy(theirs.output.dense, layer.feedforward.outer)
    _copy(theirs.output.LayerNorm, layer.feedforward_residual.norm)


def _copy(source: torch_nn.Module, target: torch_nn.Module) -> None:
    target.load_state_dict(source.state_dict())
