"""Soft prompts against tokens in the same place, and against peft's prompt tuning."""

import copy

import pytest
import torch
from transformers import BertConfig

from mtl_utils.data import Example, Inputs, collate
from mtl_utils.models import MultiTaskModel, TextModel
from mtl_utils.nn import BiLSTMEncoder, PretrainedEncoder, TransformerEncoder
from mtl_utils.sharing import SoftPrompts
from mtl_utils.tasks import Classification, Tagging

P, V, D = 3, 11, 4
TASKS = ("kind", "tags")
EXACT = {"rtol": 1e-9, "atol": 1e-9}


def bert():
    config = BertConfig(
        vocab_size=V,
        hidden_size=D,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=6,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return PretrainedEncoder(config.to_dict(), pretrained=False).double()


def transformer():
    return TransformerEncoder(V, D, 2, 2, 6, dropout=0.0).double()


def bilstm():
    return BiLSTMEncoder(V, D, 2, dropout=0.0).double()


encoders = pytest.mark.parametrize("encoder", [bilstm, transformer, bert])


@pytest.fixture
def batch():
    rows = [Example([4, 5, 6, 7], {"kind": 0, "tags": [0, 1, 1, 0]})]
    return collate([*rows, Example([8, 9], {"kind": 1, "tags": [1, 0]})])


@encoders
def test_at_first_a_prompt_is_tokens_in_front_of_the_text(encoder, batch):
    torch.manual_seed(0)
    made = encoder()
    sharing = SoftPrompts(made, TASKS, P, seed=5)
    ids = torch.randint(V, (1, P), generator=torch.Generator().manual_seed(5)).expand(2, -1)
    longer = Inputs(
        torch.cat([ids, batch.inputs.input_ids], dim=1),
        torch.cat([torch.ones_like(ids, dtype=torch.bool), batch.inputs.mask], dim=1),
    )
    found, mask = sharing(batch, TASKS).hidden, batch.inputs.mask
    expected = made(longer)[:, P:]
    for task in TASKS:
        torch.testing.assert_close(found[task][mask], expected[mask], **EXACT)


@encoders
def test_a_shared_prompt_is_multiplied_by_a_matrix_of_rank_one(encoder, batch):
    torch.manual_seed(0)
    made = encoder()
    one, each = (SoftPrompts(made, TASKS, P, shared=shared) for shared in (True, False))
    with torch.no_grad():
        one.columns["tags"].normal_()
        one.rows["tags"].normal_()
        for row in range(P):
            for column in range(one.prompt.shape[1]):
                factor = one.columns["tags"][row, 0] * one.rows["tags"][0, column]
                each.prompts["tags"][row, column] = one.prompt[row, column] * factor
    for task in TASKS:
        found, expected = (s(batch, [task]).hidden[task] for s in (one, each))
        torch.testing.assert_close(found[batch.inputs.mask], expected[batch.inputs.mask], **EXACT)
    sizes = [sum(p.numel() for p in s.task_parameters("tags")) for s in (one, each)]
    width = one.prompt.shape[1]
    assert sizes == [P + width, P * width]


@encoders
def test_beside_a_frozen_encoder_each_task_moves_its_own_prompt(encoder, batch):
    made = encoder()
    made.freeze()
    sharing = SoftPrompts(made, TASKS, P)
    tasks = [Classification("kind", ("a", "b"), pooling="mean"), Tagging("tags", ("x", "y"))]
    model = MultiTaskModel(sharing, tasks).double()
    model(batch).by_task["tags"].backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {
        "sharing.prompts.tags",
        "heads.tags.output.weight",
        "heads.tags.output.bias",
    }
    trained = {name for name, p in model.sharing.named_parameters() if p.requires_grad}
    assert trained == {"prompts.kind", "prompts.tags"}


def test_padding_and_other_rows_do_not_matter(batch):
    sharing = SoftPrompts(bert(), TASKS, P).eval()
    whole = sharing(batch, ["tags"]).hidden["tags"][1, :2]
    alone = sharing(collate([Example([8, 9])]), ["tags"]).hidden["tags"][0]
    torch.testing.assert_close(whole, alone, **EXACT)


def test_texts_may_be_as_long_as_prompts_leave_room_for():
    sharing = SoftPrompts(bert(), ["kind"], P)
    model = TextModel(sharing, [Classification("kind", ("a", "b"))], None)
    assert sharing.max_length == model.max_length == 16 - P


@encoders
@pytest.mark.parametrize("shared", [False, True])
def test_a_model_with_prompts_is_saved_and_read(encoder, shared, batch, tmp_path):
    tasks = [Classification("kind", ("a", "b"), pooling="mean"), Tagging("tags", ("x", "y"))]
    model = MultiTaskModel(SoftPrompts(encoder().float(), TASKS, P, shared=shared), tasks)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save(tmp_path)
    found = MultiTaskModel.load(tmp_path)
    model.eval()
    expected, losses = model(batch), found(batch)
    assert all(torch.equal(losses.by_task[task], expected.by_task[task]) for task in TASKS)


def test_prompts_are_those_of_peft(batch):
    """Theirs go in before positions and normalisation are added, ours after."""
    peft = pytest.importorskip("peft", reason="peft is not installed")
    torch.manual_seed(0)
    encoder = bert().eval()
    config = peft.PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=P)
    theirs = peft.get_peft_model(copy.deepcopy(encoder.model), config).double().eval()
    vectors = theirs.prompt_encoder["default"].embedding.weight
    embeddings, inputs = encoder.model.embeddings, batch.inputs
    sharing = SoftPrompts(encoder, ["kind"], P).eval()
    with torch.no_grad():
        positions = embeddings.position_embeddings.weight[:P]
        types = embeddings.token_type_embeddings.weight[:1]
        sharing.prompts["kind"].copy_(embeddings.LayerNorm(vectors + positions + types))
        ids, mask = inputs.input_ids, inputs.mask
        expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state[:, -4:]
        found = sharing(batch, ["kind"]).hidden["kind"]
    torch.testing.assert_close(found[mask], expected[mask], **EXACT)
