"""Pretrained models of many makes: states depend on the text alone, and all that saves loads.

What they are held against is each text read by itself, without padding, by ``transformers``.
"""

import json

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModel

from mtl_utils.data import Inputs
from mtl_utils.nn import PretrainedEncoder
from mtl_utils.saving.stored_model import read_model, write_model

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
BERT_LIKE = {**SMALL, "intermediate_size": 32, "max_position_embeddings": 64}
STATE_SPACE = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}
RWKV = {"vocab_size": 40, "hidden_size": 16, "attention_hidden_size": 16, "intermediate_size": 32}
TWO_SIDES = {
    **{"vocab_size": 40, "d_model": 16, "max_position_embeddings": 64},
    **{f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers",)},
    **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 32 for side in ("encoder", "decoder")},
}
PADDED = {  # read padding as if it were not there
    "roberta": {**BERT_LIKE, "pad_token_id": 1},
    "albert": {**BERT_LIKE, "embedding_size": 8},
    "deberta-v2": {**BERT_LIKE, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "xlnet": {"vocab_size": 40, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
    "squeezebert": {**BERT_LIKE, "embedding_size": 16},
    "longformer": {**BERT_LIKE, "attention_window": [4, 4], "pad_token_id": 1},
    "big_bird": {**BERT_LIKE, "block_size": 2, "num_random_blocks": 1},
    "opt": {
        **{"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
        **{"ffn_dim": 32, "max_position_embeddings": 64, "word_embed_proj_dim": 8},
    },
    "llama": {**BERT_LIKE, "num_key_value_heads": 2},
    "mamba2": {**STATE_SPACE, "num_heads": 4, "head_dim": 8, "n_groups": 1, "chunk_size": 4},
    "rwkv": {**RWKV, "num_hidden_layers": 5, "rescale_every": 2},
    "bart": TWO_SIDES,
}
CAUSAL = {"opt", "llama", "mamba2", "rwkv"}
BY_LENGTH = {  # would mix padding into the states
    "fnet": {name: BERT_LIKE[name] for name in BERT_LIKE if name != "num_attention_heads"},
    "yoso": BERT_LIKE,
    "convbert": {**BERT_LIKE, "embedding_size": 16, "head_ratio": 2, "conv_kernel_size": 3},
    "nystromformer": BERT_LIKE,
}
KINDS = PADDED | BY_LENGTH
LENGTHS = [5, 9, 1, 14, 9, 2]


def content_of(kind):
    return {**CONFIG_MAPPING[kind](**KINDS[kind]).to_dict(), "model_type": kind}


@pytest.fixture(scope="module", params=KINDS)
def made(request):
    torch.manual_seed(0)
    encoder = PretrainedEncoder(content_of(request.param), pretrained=False).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():  # weights of 0.02 mix tokens too little to notice
            if parameter.dim() > 1:
                parameter *= 4
    return request.param, encoder


def batch():
    torch.manual_seed(1)
    ids = torch.randint(4, 40, (len(LENGTHS), max(LENGTHS)))
    return Inputs(ids, torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None])


@torch.no_grad()
def test_states_are_those_of_the_text_read_by_itself(made):
    kind, encoder = made
    inputs = batch()
    hidden = encoder(inputs)
    assert hidden.shape == (*inputs.mask.shape, encoder.width)
    for row, length in enumerate(LENGTHS):
        ids = inputs.input_ids[row : row + 1, :length]
        alone = encoder.model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        torch.testing.assert_close(hidden[row, :length], alone, atol=1e-5, rtol=1e-5)
    assert (hidden[~inputs.mask] == 0).all()
    assert (encoder.by_length, encoder.causal) == (kind in BY_LENGTH, kind in CAUSAL)


@torch.no_grad()
def test_what_was_read_before_does_not_matter(made):
    _, encoder = made
    inputs = batch()
    before = encoder(inputs)
    encoder(Inputs(inputs.input_ids[:, :2], inputs.mask[:, :2]))  # BigBird would not be the same
    encoder.train()
    encoder.eval()
    torch.testing.assert_close(encoder(inputs), before, atol=0, rtol=0)


@torch.no_grad()
def test_what_was_saved_gives_the_same_states(made, tmp_path):
    _, encoder = made
    expected = encoder(batch())  # before it is saved: RWKV would store halved weights
    write_model(tmp_path, {"encoder": encoder.configuration}, encoder.state_dict())
    json.loads((tmp_path / "model.json").read_text(), parse_constant=pytest.fail)  # strict JSON
    content, weights = read_model(tmp_path)
    again = PretrainedEncoder(content["encoder"], pretrained=False).eval()
    again.load_state_dict(weights)
    torch.testing.assert_close(again(batch()), expected, atol=0, rtol=0)
    assert again.configuration == encoder.configuration


@pytest.mark.parametrize("kind", BY_LENGTH)
def test_gradients_pass_where_texts_are_read_by_length(kind):
    torch.manual_seed(0)
    encoder = PretrainedEncoder(content_of(kind), pretrained=False).double().eval()
    inputs = batch()
    weights = torch.randn(*inputs.mask.shape, encoder.width, dtype=torch.double)
    parameters = [p for p in encoder.parameters() if p.requires_grad]
    total = (encoder(inputs) * weights).sum()
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    parts = [
        (
            encoder.model(inputs.input_ids[row : row + 1, :length]).last_hidden_state[0]
            * weights[row, :length]
        ).sum()
        for row, length in enumerate(LENGTHS)
    ]
    expected = torch.autograd.grad(sum(parts), parameters, allow_unused=True)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, atol=1e-8, rtol=1e-8)


def test_a_batch_by_length_may_hold_a_text_without_tokens():
    encoder = PretrainedEncoder(content_of("fnet"), pretrained=False).eval()
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    mask = torch.tensor([[True] * 3, [False] * 3])
    hidden = encoder(Inputs(ids, mask))
    torch.testing.assert_close(hidden[0], encoder.model(ids[:1]).last_hidden_state[0])
    assert (hidden[1] == 0).all()
    hidden.sum().backward()


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("reformer", {"attn_layers": ["lsh"]}, "ReformerModel cannot .* draws random hashes"),
        ("mra", BERT_LIKE, "MraModel cannot be an encoder of texts.*no state depends on any other"),
        ("canine", {}, "CanineModel cannot be an encoder of texts: it has no table of embeddings"),
        ("nystromformer", {**BERT_LIKE, "num_landmarks": 8}, "it fails with RuntimeError: shape"),
        ("bert", {**BERT_LIKE, "hidden_size": 15}, "No model can be made of this configuration"),
        ("no such kind", {}, "No model can be made of this configuration"),
    ],
)
def test_models_that_cannot_be_used_say_why(kind, settings, reason):
    with pytest.raises(ValueError, match=reason):
        PretrainedEncoder({**settings, "model_type": kind}, pretrained=False)


def test_trying_a_model_out_draws_no_random_numbers():
    content = content_of("roberta")
    torch.manual_seed(0)
    AutoModel.from_config(CONFIG_MAPPING["roberta"](**KINDS["roberta"]))
    expected = torch.rand(3)
    torch.manual_seed(0)
    PretrainedEncoder(content, pretrained=False)
    torch.testing.assert_close(torch.rand(3), expected)
