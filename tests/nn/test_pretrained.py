"""Pretrained encoders: the numbers of transformers, whatever the padding; frozen parts stay."""

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    FNetConfig,
    GPT2Config,
    RobertaConfig,
    T5Config,
)

from mtl_utils.data import Inputs, PretrainedTokenizer, encode_text
from mtl_utils.nn import PretrainedEncoder, packaged_encoder, recompute_layers
from mtl_utils.training import layerwise_groups, saved_bytes

SMALL = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2}
BERT_LIKE = {**SMALL, "intermediate_size": 16, "max_position_embeddings": 12}
CONFIGS = {
    "bert": BertConfig(**BERT_LIKE),
    "roberta": RobertaConfig(**{**BERT_LIKE, "max_position_embeddings": 14}),
    "electra": ElectraConfig(**BERT_LIKE, embedding_size=8),
    "distilbert": DistilBertConfig(
        vocab_size=30, dim=8, n_layers=3, n_heads=2, hidden_dim=16, max_position_embeddings=12
    ),
    "gpt2": GPT2Config(vocab_size=30, n_embd=8, n_layer=3, n_head=2, n_positions=12),
    "t5": T5Config(vocab_size=30, d_model=8, d_kv=4, d_ff=16, num_layers=3, num_heads=2),
}
kinds = pytest.mark.parametrize("kind", CONFIGS)
IDS = torch.tensor([[2, 5, 6, 7, 3], [2, 8, 3, 9, 9]])
MASK = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
EXACT = {"atol": 1e-9, "rtol": 1e-9}


def made(kind, folder):
    torch.manual_seed(0)
    theirs = AutoModel.from_config(CONFIGS[kind]).eval()
    theirs.save_pretrained(folder)
    return theirs.double(), PretrainedEncoder(folder).double().eval()


@kinds
def test_states_are_those_of_transformers_and_causal_only_for_gpt2(kind, tmp_path):
    theirs, encoder = made(kind, tmp_path)
    hidden = encoder(Inputs(IDS, MASK))
    if kind == "t5":
        theirs = theirs.get_encoder()
    for row in range(2):
        ids = IDS[row][MASK[row]][None]
        torch.testing.assert_close(hidden[row][MASK[row]], theirs(ids)[0][0], **EXACT)
    assert (hidden[~MASK] == 0).all()
    other = IDS.clone()
    other[0, -1] = 11
    same = torch.allclose(encoder(Inputs(other, MASK))[0, :4], hidden[0, :4], **EXACT)
    assert same == encoder.causal == (kind == "gpt2")


@kinds
def test_frozen_parts_get_no_gradient(kind, tmp_path):
    _, encoder = made(kind, tmp_path)
    encoder.train().freeze(2)
    by_depth = encoder.parameters_by_depth()
    listed = [id(p) for part in by_depth for p in part]
    assert sorted(listed) == sorted(id(p) for p in encoder.parameters())
    encoder(Inputs(IDS, MASK)).square().sum().backward()
    for depth, part in enumerate(by_depth):
        assert part
        assert all((p.grad is None) == (depth <= 2) for p in part)


def test_segments_reach_bert_and_what_is_out_of_range_is_refused(tmp_path):
    theirs, encoder = made("bert", tmp_path)
    segments = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 1, 0, 0]])
    hidden = encoder(Inputs(IDS, MASK, segments))
    expected = theirs(IDS[:1], token_type_ids=segments[:1])[0][0]
    torch.testing.assert_close(hidden[0], expected, **EXACT)
    with pytest.raises(ValueError, match="2 segments"):
        encoder(Inputs(IDS, MASK, segments + 1))
    with pytest.raises(ValueError, match="longer than the 12"):
        encoder(Inputs(IDS.repeat(1, 3), torch.ones(2, 15, dtype=torch.bool)))
    with pytest.raises(ValueError, match="has 3 layers"):
        encoder.freeze(4)


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert"])
@pytest.mark.parametrize("num_layers", range(4))
def test_parts_that_were_cut_are_one_after_the_other_the_whole(kind, num_layers, tmp_path):
    _, encoder = made(kind, tmp_path)
    inputs = Inputs(IDS.repeat(2, 1)[:3], torch.cat([MASK, MASK[:1] & False]))  # one is empty
    expected = encoder(inputs)
    lower, upper = encoder.cut(num_layers)
    torch.testing.assert_close(upper(lower(inputs), inputs.mask), expected, **EXACT)
    assert (lower.num_layers, len(upper.parameters_by_depth())) == (num_layers, 3 - num_layers)
    assert [len(part) for part in (*lower.parameters_by_depth(), *upper.parameters_by_depth())] == [
        len(part) for part in encoder.parameters_by_depth()
    ]


@pytest.mark.parametrize("num_layers", range(4))
@pytest.mark.parametrize("frozen", [None, 0, 1, 2, 3])
def test_what_is_frozen_stays_frozen_in_the_parts(num_layers, frozen, tmp_path):
    _, encoder = made("bert", tmp_path)
    if frozen is not None:
        encoder.freeze(frozen)
    limit = -1 if frozen is None else frozen
    lower, upper = (part.train() for part in encoder.cut(num_layers))
    by_depth = [*lower.parameters_by_depth(), *upper.parameters_by_depth()]
    for depth, part in enumerate(by_depth):
        assert all(parameter.requires_grad == (depth > limit) for parameter in part)
    layers = [*lower.model.encoder.layer, *upper.model.encoder.layer]
    for depth, layer in enumerate(layers, start=1):
        assert all(module.training == (depth > limit) for module in layer.modules())
    assert lower.model.embeddings.dropout.training == (limit < 0)


def test_layers_that_were_cut_have_the_rates_that_they_had(tmp_path):
    _, encoder = made("bert", tmp_path)
    parts = torch.nn.ModuleList([*encoder.cut(2), torch.nn.Linear(2, 2)])
    lowest, middle = parts[0].cut(1)
    whole = [group["lr"] for group in layerwise_groups(encoder, 1.0, 0.5)]
    assert whole == [0.125, 0.25, 0.5, 1.0]
    groups = layerwise_groups(parts, 1.0, 0.5, head_learning_rate=3.0)
    assert [group["lr"] for group in groups] == [*whole, 3.0]
    pieces = torch.nn.ModuleList([lowest, middle, parts[1]])
    assert [group["lr"] for group in layerwise_groups(pieces, 1.0, 0.5)] == whole


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_models_with_more_than_embeddings_and_layers_cannot_be_cut(kind, tmp_path):
    _, encoder = made(kind, tmp_path)
    with pytest.raises(TypeError, match=r"more than embeddings and layers.*a trunk and branches"):
        encoder.cut(1)
    with pytest.raises(ValueError, match=r"3 layers .* 0 to 3 of them, got num_layers=4"):
        encoder.cut(4)


def test_a_model_whose_parts_would_not_add_up_cannot_be_cut():
    """Its layers mix positions, padding included, and know of no mask."""
    config = FNetConfig(**{**BERT_LIKE, "num_attention_heads": None}).to_dict()
    encoder = PretrainedEncoder(config, pretrained=False)
    with pytest.raises(TypeError, match="the parts would not compute what the whole does"):
        encoder.cut(1)


def test_layers_that_were_cut_off_can_be_frozen_and_thawed(tmp_path):
    _, encoder = made("bert", tmp_path)
    encoder.freeze(2)
    _, upper = encoder.cut(1)
    layers = upper.train().model.encoder.layer
    assert [layer.training for layer in layers] == [False, True]
    upper.unfreeze()
    assert all(layer.training for layer in layers)
    assert all(parameter.requires_grad for parameter in upper.parameters())
    upper.freeze()
    assert not any(layer.training for layer in layers)
    assert not any(parameter.requires_grad for parameter in upper.parameters())
    with pytest.raises(ValueError, match="2 layers can be cut after 0 to 2"):
        upper.freeze(3)


def test_layers_that_share_their_parameters_cannot_be_told_apart(tmp_path):
    config = AlbertConfig(**BERT_LIKE, embedding_size=8)
    encoder = PretrainedEncoder(config.to_dict(), pretrained=False)
    with pytest.raises(ValueError, match="AlbertModel cannot be told apart: it shares them"):
        encoder.cut(1)


def test_the_packaged_encoder_gives_the_states_of_transformers():
    folder = packaged_encoder()
    encoder = PretrainedEncoder(folder).eval()
    assert (encoder.width, encoder.num_layers, encoder.causal) == (384, 6, False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = ["The Danube burst its banks.", "A short one", "Nobody was hurt, the mayor said."]
    given = tokenizer(texts, padding=True, return_tensors="pt")
    theirs = AutoModel.from_pretrained(folder).eval()(**given).last_hidden_state
    mask = given["attention_mask"].bool()
    with torch.no_grad():
        hidden = encoder(Inputs(given["input_ids"], mask, given["token_type_ids"]))
    torch.testing.assert_close(hidden[mask], theirs[mask].detach(), atol=1e-5, rtol=1e-5)
    ours = PretrainedTokenizer.from_pretrained(folder)
    assert [encode_text(ours, text).input_ids for text in texts] == tokenizer(texts)["input_ids"]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
def test_layers_that_are_computed_again_have_the_same_gradients(kind, tmp_path):
    found, kept = [], []
    _, encoder = made(kind, tmp_path)
    inputs = Inputs(IDS, torch.ones_like(IDS, dtype=torch.bool))
    for on in (False, True):
        assert recompute_layers(encoder, on) == encoder.num_layers
        encoder.train().zero_grad()
        torch.manual_seed(0)
        encoder(inputs).square().sum().backward()
        found.append([p.grad.clone() for p in encoder.parameters() if p.grad is not None])
        kept.append(saved_bytes(lambda: encoder(inputs), encoder.parameters()))
    assert len(found[0]) > 10
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    assert kept[1] < 0.6 * kept[0]
