"""Weights of torch.nn and transformers put into our layers."""

import torch
from torch import nn

from mtl_utils.nn import MultiHeadAttention


@torch.no_grad()
def copy_attention(theirs: nn.MultiheadAttention, ours: MultiHeadAttention) -> None:
    """From ``torch.nn.MultiheadAttention``, with one matrix for all or one for each."""
    if theirs.in_proj_weight is None:
        weights = (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight)
    else:
        weights = theirs.in_proj_weight.chunk(3)
    linears = (ours.query, ours.key, ours.value)
    for linear, weight, bias in zip(linears, weights, theirs.in_proj_bias.chunk(3), strict=True):
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    copy(theirs.out_proj, ours.output)


def copy(theirs: nn.Module, ours: nn.Module) -> None:
    ours.load_state_dict(theirs.state_dict())


def copy_torch_layer(theirs, ours) -> None:
    """From ``torch.nn.TransformerEncoderLayer``."""
    copy_attention(theirs.self_attn, ours.attention)
    copy(theirs.norm1, ours.attention_residual.norm)
    copy(theirs.linear1, ours.feedforward.inner)
    copy(theirs.linear2, ours.feedforward.outer)
    copy(theirs.norm2, ours.feedforward_residual.norm)


def copy_torch_decoder_layer(theirs, ours) -> None:
    """From ``torch.nn.TransformerDecoderLayer``."""
    copy_attention(theirs.self_attn, ours.self_attention)
    copy_attention(theirs.multihead_attn, ours.attention)
    copy(theirs.norm1, ours.self_residual.norm)
    copy(theirs.norm2, ours.residual.norm)
    copy(theirs.linear1, ours.feedforward.inner)
    copy(theirs.linear2, ours.feedforward.outer)
    copy(theirs.norm3, ours.feedforward_residual.norm)


def copy_bert_layer(theirs, ours) -> None:
    """From a layer of ``transformers.BertModel``."""
    for name in ("query", "key", "value"):
        copy(getattr(theirs.attention.self, name), getattr(ours.attention, name))
    copy(theirs.attention.output.dense, ours.attention.output)
    copy(theirs.attention.output.LayerNorm, ours.attention_residual.norm)
    copy(theirs.intermediate.dense, ours.feedforward.inner)
    copy(theirs.output.dense, ours.feedforward.outer)
    copy(theirs.output.LayerNorm, ours.feedforward_residual.norm)


def copy_bart_attention(theirs, ours) -> None:
    pairs = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}
    for name, our_name in pairs.items():
        copy(getattr(theirs, name), getattr(ours, our_name))


@torch.no_grad()
def copy_bart(theirs, ours) -> None:
    """From ``transformers.BartForConditionalGeneration``, its decoder."""
    decoder = theirs.model.decoder
    ours.embedding.weight.copy_(decoder.embed_tokens.weight)
    ours.positions.table.copy_(decoder.embed_positions.weight[2:][: len(ours.positions.table)])
    copy(decoder.layernorm_embedding, ours.embedding_norm)
    ours.output.bias.copy_(theirs.final_logits_bias[0])
    for layer, our_layer in zip(decoder.layers, ours.layers, strict=True):
        copy_bart_attention(layer.self_attn, our_layer.self_attention)
        copy(layer.self_attn_layer_norm, our_layer.self_residual.norm)
        copy_bart_attention(layer.encoder_attn, our_layer.attention)
        copy(layer.encoder_attn_layer_norm, our_layer.residual.norm)
        copy(layer.fc1, our_layer.feedforward.inner)
        copy(layer.fc2, our_layer.feedforward.outer)
        copy(layer.final_layer_norm, our_layer.feedforward_residual.norm)


@torch.no_grad()
def copy_bert(theirs, ours) -> None:
    """From ``transformers.BertModel``; our embeddings are scaled on the way in."""
    embeddings = theirs.embeddings
    ours.embedding.weight.copy_(embeddings.word_embeddings.weight / ours.width**0.5)
    ours.positions.table.copy_(embeddings.position_embeddings.weight)
    copy(embeddings.token_type_embeddings, ours.segments)
    copy(embeddings.LayerNorm, ours.embedding_norm)
    for layer, our_layer in zip(theirs.encoder.layer, ours.stack.layers, strict=True):
        copy_bert_layer(layer, our_layer)
