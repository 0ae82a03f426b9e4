"""An embedding whose gradients are added up as rows, against the one of PyTorch."""

import copy
import pickle

import pytest
import torch
from torch import nn

from mtl_utils.nn import PretrainedEncoder, packaged_encoder
from mtl_utils.nn.large_embedding import LargeEmbedding, make_large

IDS = [torch.tensor([[0, 3, 3], [7, 1, 0]]), torch.tensor([[3, 2]]), torch.tensor([[9], [7]])]


def twins() -> tuple[nn.Embedding, nn.Embedding]:
    torch.manual_seed(0)
    plain = nn.Embedding(10, 4, padding_idx=0, dtype=torch.float64)
    large = copy.deepcopy(plain)
    make_large(large)
    return plain, large


def loss(embedding: nn.Embedding) -> torch.Tensor:
    """Read three batches; the third time the weight is read in another way too."""
    read = [(place + 1) * embedding(ids).tanh().sum() for place, ids in enumerate(IDS)]
    return sum(read) + (embedding.weight**2).sum()


def test_gradients_are_those_of_pytorch_and_tables() -> None:
    plain, large = twins()
    assert type(large) is LargeEmbedding
    for _ in range(2):  # the second is added to the first
        for embedding in (plain, large):
            loss(embedding).backward()
        assert not large.weight.grad.is_sparse
        torch.testing.assert_close(large.weight.grad, plain.weight.grad)
    (found,) = torch.autograd.grad(loss(large), [large.weight])
    (expected,) = torch.autograd.grad(loss(plain), [plain.weight])
    assert not found.is_sparse
    torch.testing.assert_close(found, expected)


def test_what_was_read_through_follows_the_weight() -> None:
    plain, large = twins()
    rates = [torch.optim.AdamW(each.parameters(), lr=0.1) for each in (plain, large)]
    for step in range(4):
        for embedding, optimizer in zip((plain, large), rates, strict=True):
            optimizer.zero_grad()
            loss(embedding).backward()
            optimizer.step()
        torch.testing.assert_close(large.weight, plain.weight)
        if step == 1:  # weights that are read from a file are copied in place
            for embedding in (plain, large):
                embedding.load_state_dict({"weight": torch.ones(10, 4)})
    for change in (nn.Module.float, nn.Module.double):  # the storage is another one
        change(large)
        assert large(IDS[0]).dtype == large.weight.dtype
    other = nn.Parameter(large.weight.detach())  # the same storage, another parameter
    large.weight = other
    loss(large).backward()
    assert other.grad is not None


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda embedding: pickle.loads(pickle.dumps(embedding))]
)
def test_copies_have_a_weight_of_their_own(copied) -> None:
    _, large = twins()
    loss(large).backward()
    other = copied(large)
    other.zero_grad()
    before = large.weight.grad.clone()
    loss(other).backward()
    torch.testing.assert_close(other.weight.grad, before)
    assert torch.equal(large.weight.grad, before)


def test_frozen_and_unread_parts_have_no_gradient() -> None:
    _, large = twins()
    large.requires_grad_(False)
    assert not large(IDS[0]).requires_grad
    large.requires_grad_(True)
    with torch.inference_mode():
        large(IDS[0])
    large(IDS[0]).sum().backward()
    assert large.weight.grad[3].tolist() == [2.0] * 4


@pytest.mark.parametrize("setting", [{"max_norm": 1.0}, {"scale_grad_by_freq": True}])
def test_others_are_left_alone(setting) -> None:
    embedding = nn.Embedding(10, 4, **setting)
    make_large(embedding)
    assert type(embedding) is nn.Embedding


def test_a_pretrained_encoder_has_one_and_learns_as_before() -> None:
    light = PretrainedEncoder(packaged_encoder()).double().eval()
    plain = copy.deepcopy(light)
    plain.model.get_input_embeddings().__class__ = nn.Embedding
    assert type(light.model.get_input_embeddings()) is LargeEmbedding
    ids = [torch.tensor([[101, 2023, 2003, 102]]), torch.tensor([[101, 2003, 102]])]
    for encoder in (light, plain):
        sum(
            encoder.model(input_ids=each).last_hidden_state[..., :7].sin().sum() for each in ids
        ).backward()
    for one, other in zip(light.parameters(), plain.parameters(), strict=True):
        if one.grad is not None or other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-9)
