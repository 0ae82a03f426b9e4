"""Text models over a pretrained encoder: frozen layers, rates by depth, saved and loaded."""

import another_process
import pytest
import torch
from test_pretrained_tokenizer import byte_pairs, wordpiece
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from mtl_utils.data import BatchLoader, PretrainedTokenizer, collate
from mtl_utils.models import PretrainedTextModel
from mtl_utils.training import Trainer, TrainerConfig, layerwise_groups

SENTENCES = [["the", "danube"], ["unaffable", "banks", "!"], ["its", "banks"]]
LABELS = {
    "classification": ["river", "person", "river"],
    "tags": [["O", "B-GPE"], ["O", "O", "O"], ["O", "O"]],
    "inference": ["neutral", "entailment", "contradiction"],
}


@pytest.fixture
def bert(tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=20,
        hidden_dropout_prob=0.5,
    )
    BertModel(config).save_pretrained(tmp_path)
    wordpiece().save_pretrained(tmp_path)
    return tmp_path


def model_of(folder, **options):
    torch.manual_seed(1)
    return PretrainedTextModel(folder, ["river", "person"], ["O", "B-GPE", "I-GPE"], **options)


def examples(model):
    return model.examples(SENTENCES, ["the danube", "its", "a b"], **LABELS)


def test_three_steps_leave_frozen_layers_as_they_were(bert):
    model = model_of(bert)
    model.encoder.freeze(2)
    before = {name: p.clone() for name, p in model.named_parameters()}
    loader = BatchLoader(examples(model), batch_size=3)
    groups = layerwise_groups(model, 0.01, decay=0.5)
    Trainer(model, TrainerConfig(epochs=3), parameter_groups=groups).fit(loader)
    frozen = {id(p) for part in model.encoder.parameters_by_depth()[:3] for p in part}
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (id(parameter) in frozen), name


def test_frozen_layers_are_in_evaluation_mode_while_the_rest_trains(bert):
    encoder = model_of(bert).train().encoder
    layers = encoder.model.encoder.layer
    encoder.freeze(2)
    modes = [layer.output.dropout.training for layer in layers]
    assert modes == [False, False, True]
    assert not encoder.model.embeddings.dropout.training
    encoder.eval()
    encoder.train()
    assert [layer.output.dropout.training for layer in layers] == [False, False, True]
    encoder.unfreeze()
    assert all(layer.output.dropout.training for layer in layers)
    assert all(p.requires_grad for p in encoder.parameters())


def test_rates_fall_with_depth_and_every_parameter_has_one(bert):
    model = model_of(bert)
    groups = layerwise_groups(model, 0.01, decay=0.5, head_learning_rate=0.1)
    assert [g["lr"] for g in groups] == pytest.approx([0.00125, 0.0025, 0.005, 0.01, 0.1])
    listed = [id(p) for group in groups for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    embeddings = {id(p) for p in model.encoder.model.embeddings.parameters()}
    assert {id(p) for p in groups[0]["params"]} == embeddings
    model.encoder.freeze(1)
    thawed = layerwise_groups(model, 0.01, decay=0.5)
    assert [g["lr"] for g in thawed] == pytest.approx([0.005, 0.01, 0.01])
    with pytest.raises(ValueError, match="decay"):
        layerwise_groups(model, 0.01, decay=0.0)
    with pytest.raises(ValueError, match="PretrainedEncoder"):
        layerwise_groups(torch.nn.Linear(2, 2), 0.01)


LOAD = """\
import sys, torch
from mtl_utils.data import collate
from mtl_utils.models import PretrainedTextModel
model = PretrainedTextModel.load(sys.argv[1])
batch = collate(model.examples([["the", "danube"], ["!"]], ["its", "a b"]))
hidden = model.sharing(batch, ["tags"]).hidden["tags"]
torch.save([head(hidden, batch) for head in model.heads.values()], sys.argv[2])
"""


def test_a_saved_model_gives_the_same_logits_in_another_process(bert, tmp_path):
    model = model_of(bert).eval()
    model.save(tmp_path / "saved")
    batch = collate(model.examples([["the", "danube"], ["!"]], ["its", "a b"]))
    hidden = model.sharing(batch, ["tags"]).hidden["tags"]
    ours = [head(hidden, batch) for head in model.heads.values()]
    done = another_process.run(LOAD, tmp_path / "saved", tmp_path / "logits.pt")
    assert done.returncode == 0, done.stderr
    theirs = torch.load(tmp_path / "logits.pt")
    assert len(ours) == 3
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    loaded = PretrainedTextModel.load(tmp_path / "saved")
    assert loaded.tag(SENTENCES) == model.tag(SENTENCES)
    assert loaded.tokenizer == model.tokenizer


def test_pooling_fits_what_has_been_seen(bert, tmp_path):
    assert model_of(bert).classification.pooling == "first"
    folder = tmp_path / "gpt2"
    GPT2Model(GPT2Config(vocab_size=300, n_embd=8, n_layer=1, n_head=2)).save_pretrained(folder)
    tokenizer = PretrainedTokenizer.of(byte_pairs())
    causal = model_of(folder, tokenizer=tokenizer)
    assert (causal.classification.pooling, causal.inference.pooling) == ("mean", "compare")
    assert len(causal.infer(["ab"], ["c"])) == 1


def test_what_does_not_fit_is_refused(bert):
    with pytest.raises(ValueError, match="max_length is 21"):
        model_of(bert, max_length=21)
    with pytest.raises(ValueError, match="tokenizer has 257 ids"):
        model_of(bert, tokenizer=PretrainedTokenizer.of(byte_pairs()))
    model = model_of(bert)
    with pytest.raises(ValueError, match="longer than the 20"):
        model.classify(["banks " * 30])
    with pytest.raises(OSError, match="No pretrained model could be read"):
        model_of("/no/such/folder", local_files_only=True)
