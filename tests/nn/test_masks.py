"""Masks are truth values: what would be added to scores, or weighed by, is refused everywhere."""

import pytest
import torch

from mtl_utils.nn import (
    AdditiveAttention,
    AttentionDecoder,
    BiLSTMEncoder,
    LinearChainCRF,
    LSTMEncoder,
    MultiHeadAttention,
    Packing,
    SelfAttentiveDecoder,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerLayer,
    TransformerStack,
    UniformAttention,
    masked_softmax,
    viterbi,
)
from mtl_utils.nn.pretrained_layers import attended
from mtl_utils.sharing import SharedPrivate
from mtl_utils.sharing.shared_private import orthogonality_penalty

WIDTH, TAGS = 4, 3
HIDDEN = torch.ones(2, 3, WIDTH)
MASK = torch.tensor([[True, True, True], [True, False, False]])
MULTI_HEAD = MultiHeadAttention(WIDTH, 2)
DECODER_LAYER = TransformerDecoderLayer(WIDTH, 2)
CRF = LinearChainCRF(TAGS)
EMISSIONS, SEQUENCE = torch.zeros(2, 3, TAGS), torch.zeros(2, 3, dtype=torch.long)
PRIVATE = SharedPrivate(LSTMEncoder(9, WIDTH), {"x": LSTMEncoder(9, WIDTH)}, adversary_strength=1.0)
TAKING_MASKS = {
    "MultiHeadAttention": lambda mask: MULTI_HEAD(HIDDEN, mask=mask),
    "MultiHeadAttention, one query": lambda mask: MULTI_HEAD(HIDDEN[:, :1], HIDDEN, mask),
    "MultiHeadAttention, a mask a query": lambda mask: MULTI_HEAD(
        HIDDEN, mask=None if mask is None else mask.unsqueeze(1).expand(-1, 3, -1)
    ),
    "MultiHeadAttention, causal": lambda mask: MULTI_HEAD(HIDDEN, mask=mask, causal=True),
    "MultiHeadAttention.attend": lambda mask: MULTI_HEAD.attend(
        HIDDEN, MULTI_HEAD.read(HIDDEN), mask
    ),
    "MultiHeadAttention.weights": lambda mask: MULTI_HEAD.weights(
        HIDDEN, MULTI_HEAD.read(HIDDEN), mask
    ),
    "Packing": Packing,
    "TransformerLayer": lambda mask: TransformerLayer(WIDTH, 2)(HIDDEN, mask),
    "TransformerStack": lambda mask: TransformerStack(WIDTH, 1, 2)(HIDDEN, mask),
    "TransformerStack.attention_weights": lambda mask: TransformerStack(
        WIDTH, 1, 2
    ).attention_weights(HIDDEN, mask),
    "TransformerDecoderLayer": lambda mask: DECODER_LAYER(
        HIDDEN, DECODER_LAYER.start(HIDDEN), mask
    ),
    "TransformerDecoder.start": lambda mask: TransformerDecoder(5, WIDTH, 1, 2).start(HIDDEN, mask),
    "AttentionDecoder.start": lambda mask: AttentionDecoder(5, WIDTH, WIDTH).start(HIDDEN, mask),
    "SelfAttentiveDecoder.start": lambda mask: SelfAttentiveDecoder(5, WIDTH).start(HIDDEN, mask),
    "AdditiveAttention": lambda mask: AdditiveAttention(WIDTH, WIDTH, 2)(HIDDEN, HIDDEN, mask),
    "UniformAttention": lambda mask: UniformAttention()(HIDDEN, HIDDEN, mask),
    "masked_softmax": lambda mask: masked_softmax(HIDDEN[..., 0], mask),
    "BiLSTMEncoder.read": lambda mask: BiLSTMEncoder(5, WIDTH).read(HIDDEN, mask),
    "LSTMLayers": lambda mask: LSTMEncoder(5, WIDTH, 2).cut(1)[1](HIDDEN, mask),
    "attended": attended,
    "CRF.log_likelihood": lambda mask: CRF.log_likelihood(EMISSIONS, SEQUENCE, mask),
    "CRF.decode": lambda mask: CRF.decode(EMISSIONS, mask),
    "CRF.marginals": lambda mask: CRF.marginals(EMISSIONS, mask),
    "viterbi": lambda mask: viterbi(EMISSIONS, mask, CRF.start, CRF.transitions, CRF.end),
    "orthogonality_penalty": lambda mask: orthogonality_penalty(HIDDEN, HIDDEN, mask),
    "SharedPrivate.task_logits": lambda mask: PRIVATE.task_logits(HIDDEN, mask),
}
NO_MASK = {name for name in TAKING_MASKS if "Multi" in name or name.endswith("Layer")}


@pytest.mark.parametrize("name", TAKING_MASKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.uint8])
def test_numbers_are_no_mask(name, dtype):
    TAKING_MASKS[name](MASK)
    with pytest.raises(TypeError, match=rf"boolean mask, got {dtype}; use mask\.bool\(\)"):
        TAKING_MASKS[name](MASK.to(dtype))


@pytest.mark.parametrize("name", sorted(TAKING_MASKS.keys() - NO_MASK))
def test_nothing_is_no_mask(name):
    with pytest.raises(TypeError, match="boolean mask, a tensor, got NoneType"):
        TAKING_MASKS[name](None)


def test_shapes_of_a_recurrent_encoder():
    for mask in (MASK[:1], MASK[:, :2], MASK[0]):
        with pytest.raises(ValueError, match=r"hidden \[B, T, D\] and a mask \[B, T\]"):
            BiLSTMEncoder(5, WIDTH).read(HIDDEN, mask)


def test_what_a_mask_of_numbers_did():
    """The scores had the numbers added, so that padding was attended to."""
    query = torch.randn(1, 3, WIDTH, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False]])
    changed = query.clone()
    changed[:, 2] += 1
    found = MULTI_HEAD(query[:, :2], query, mask)
    torch.testing.assert_close(MULTI_HEAD(query[:, :2], changed, mask), found)
