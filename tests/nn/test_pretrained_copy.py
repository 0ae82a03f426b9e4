"""The Transformer of the package with the weights of a BERT computes what it computes."""

import pytest
import torch
from transformers import AutoModel, BertConfig, GPT2Config

from mtl_utils.data import Inputs
from mtl_utils.nn import PretrainedEncoder, as_transformer_encoder

SIZES = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
    "type_vocab_size": 3,
}
INPUTS = Inputs(
    torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 9, 9]]),
    torch.tensor([[True] * 5, [True] * 3 + [False] * 2]),
    torch.tensor([[0, 0, 1, 2, 1], [0, 1, 1, 0, 0]]),
)


def saved(config, folder):
    torch.manual_seed(0)
    model = AutoModel.from_config(config)
    for parameter in model.parameters():  # biases and normalisations begin alike
        torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder)
    return PretrainedEncoder(folder).double().eval()


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_the_copy_computes_what_the_bert_does(activation, tmp_path):
    theirs = saved(BertConfig(**SIZES, hidden_act=activation), tmp_path)
    ours = as_transformer_encoder(theirs)
    for module in ours.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-12
    found, wanted = ours(INPUTS), theirs(INPUTS)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


def test_the_copy_has_weights_of_its_own_and_no_dropout(tmp_path):
    theirs = saved(BertConfig(**SIZES), tmp_path)
    ours = as_transformer_encoder(theirs)
    before = theirs(INPUTS)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.zero_()
    assert torch.equal(theirs(INPUTS), before)
    again = as_transformer_encoder(theirs).train()
    assert torch.equal(again(INPUTS), again(INPUTS))


def test_a_lower_part_is_copied_with_the_layers_it_has(tmp_path):
    lower, _ = saved(BertConfig(**SIZES), tmp_path).cut(2)
    ours = as_transformer_encoder(lower)
    assert len(ours.stack.layers) == 2
    torch.testing.assert_close(ours(INPUTS), lower(INPUTS), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "config",
    [
        BertConfig(**SIZES, hidden_act="gelu_new"),
        GPT2Config(vocab_size=30, n_embd=8, n_layer=1, n_head=2, n_positions=12),
    ],
    ids=["activation", "gpt2"],
)
def test_other_models_are_refused(config, tmp_path):
    with pytest.raises(ValueError, match=r"must be a BERT with one of the activations \['gelu'"):
        as_transformer_encoder(saved(config, tmp_path))
