"""Low-rank additions against the library peft, and its models as encoders; skipped without it."""

import copy

import pytest
import torch
from tiny_sharing import LAYERS, TASKS, batch_of, pretrained

from mtl_utils.sharing import BranchedSharing, HardSharing, TaskLoRA

peft = pytest.importorskip("peft", reason="peft is not installed")
EXACT = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture
def pair():
    """Give an encoder, and what peft makes of a copy, with factors that are not zero."""
    torch.manual_seed(0)
    encoder = pretrained().float().eval()
    changed = copy.deepcopy(encoder)
    config = peft.LoraConfig(r=2, lora_alpha=3, target_modules=["query", "value"])
    changed.model = peft.get_peft_model(changed.model, config)
    changed.eval()
    for name, parameter in changed.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return encoder, changed


def given_factors_of(changed, sharing, task):
    """Give a task the factors that peft has."""
    given = dict(changed.named_parameters())
    factors = sharing.additions[task]
    for name, inner, outer in zip(sharing.adapted, factors.inner, factors.outer, strict=True):
        path = name.replace("model.", "model.base_model.model.", 1).removesuffix(".weight")
        inner.data.copy_(given[f"{path}.lora_A.default.weight"])
        outer.data.copy_(given[f"{path}.lora_B.default.weight"])


def test_low_rank_additions_are_those_of_peft(pair):
    encoder, changed = pair
    batch = batch_of()
    sharing = TaskLoRA(encoder, TASKS, 2, 3.0, on=["query", "value"]).eval()
    assert len(sharing.adapted) == 2 * LAYERS
    given_factors_of(changed, sharing, "ner")
    expected = changed(batch.inputs)
    assert not torch.allclose(expected, encoder(batch.inputs), atol=1e-2)
    torch.testing.assert_close(sharing(batch, ["ner"]).hidden["ner"], expected, **EXACT)
    torch.testing.assert_close(sharing.merged("ner")(batch.inputs), expected, **EXACT)
    mixed = sharing.encode(batch.inputs, ["ner", "pos", "ner", "pos"])
    torch.testing.assert_close(mixed[[0, 2]], expected[[0, 2]], **EXACT)
    torch.testing.assert_close(mixed[[1, 3]], encoder(batch.inputs)[[1, 3]], **EXACT)


def test_gradients_of_the_factors_are_those_of_peft(pair):
    encoder, changed = pair
    batch = batch_of()
    sharing = TaskLoRA(encoder, TASKS, 2, 3.0, on=["query", "value"]).eval()
    given_factors_of(changed, sharing, "ner")
    expected = changed(batch.inputs)
    weight = torch.randn_like(expected)
    (expected * weight).sum().backward()
    (sharing(batch, ["ner"]).hidden["ner"] * weight).sum().backward()
    given = dict(changed.named_parameters())
    factors = sharing.additions["ner"]
    for name, inner, outer in zip(sharing.adapted, factors.inner, factors.outer, strict=True):
        path = name.replace("model.", "model.base_model.model.", 1).removesuffix(".weight")
        for factor, own in (("A", inner), ("B", outer)):
            theirs = given[f"{path}.lora_{factor}.default.weight"].grad
            torch.testing.assert_close(own.grad, theirs, rtol=1e-4, atol=1e-5)


def test_a_model_of_peft_is_an_encoder_as_it_is(pair):
    encoder, changed = pair
    batch = batch_of()
    assert changed.num_layers == LAYERS
    hidden = HardSharing(changed)(batch, ["pos"]).hidden["pos"]
    assert hidden.shape == (*batch.inputs.mask.shape, encoder.width)
    trained = {name for name, p in changed.named_parameters() if p.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    with pytest.raises(TypeError, match="PeftModel cannot be cut between its layers"):
        BranchedSharing.from_encoder(changed, TASKS, 1)
    changed.model = changed.model.merge_and_unload()
    torch.testing.assert_close(changed(batch.inputs), hidden, **EXACT)
    assert changed.cut(1)[0].num_layers == 1
