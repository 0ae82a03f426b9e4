"""A frozen encoder that remembers: the same states, read once, forgotten when they are wrong."""

from __future__ import annotations

import copy
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtl_utils.data import Batch, Inputs
from mtl_utils.nn import (
    BiLSTMEncoder,
    CachedEncoder,
    CacheFullWarning,
    Encoder,
    LSTMEncoder,
    PretrainedEncoder,
    TransformerEncoder,
    WordCharacterEmbedding,
    packaged_encoder,
)
from mtl_utils.sharing import BranchedSharing, HardSharing, SharedPrivate, SoftSharing

ENCODERS: dict[str, Callable[[], Encoder]] = {
    "lstm": lambda: LSTMEncoder(30, 8, num_layers=2),
    "bilstm": lambda: BiLSTMEncoder(30, 8, num_layers=2),
    "transformer": lambda: TransformerEncoder(30, 8, 2, 2),
}


def made(name: str) -> Encoder:
    torch.manual_seed(3)
    return ENCODERS[name]()


def frozen(name: str) -> Encoder:
    encoder = made(name)
    encoder.freeze()
    return encoder


def texts(lengths: list[int], seed: int = 0) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    longest = max([1, *lengths])
    ids = torch.randint(1, 30, (len(lengths), longest), generator=generator)
    return Inputs(ids, torch.arange(longest)[None] < torch.tensor(lengths)[:, None])


def at_tokens(hidden: Tensor, inputs: Inputs) -> Tensor:
    return hidden.masked_fill(~inputs.mask.unsqueeze(-1), 0.0)


# Freezing.


@pytest.mark.parametrize("name", ENCODERS)
def test_what_is_frozen_has_no_gradient_and_no_dropout(name: str) -> None:
    encoder, inputs = made(name), texts([5, 3])
    before = copy.deepcopy(encoder).eval()
    encoder.freeze()
    torch.nn.ModuleDict({"encoder": encoder}).train()
    assert not any(part.training for part in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert torch.equal(encoder(inputs), before(inputs))
    encoder.unfreeze()
    encoder.train()
    assert all(part.training for part in encoder.modules())
    assert all(parameter.requires_grad for parameter in encoder.parameters())
    assert not torch.equal(encoder(inputs), before(inputs))


@pytest.mark.parametrize("name", ENCODERS)
def test_parts_of_what_is_frozen_are_frozen(name: str) -> None:
    whole, inputs = frozen(name), texts([5, 3])
    lower, upper = whole.cut(1)
    for part in (lower.train(), upper.train()):
        assert not any(each.training for each in part.modules())
        assert not any(parameter.requires_grad for parameter in part.parameters())
    torch.testing.assert_close(upper(lower(inputs), inputs.mask), whole(inputs))
    for part in made(name).cut(1):
        assert part.training
        assert all(parameter.requires_grad for parameter in part.parameters())


# The same states.


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=4))
def test_states_are_those_of_the_encoder(name: str, alone: bool, batches: list[list[int]]) -> None:
    """Texts come again in other batches, beside longer ones, some without a token."""
    # In double precision: the sums of other batches are rounded otherwise.
    cached = CachedEncoder(frozen(name).double(), alone=alone)
    plain = frozen(name).double().eval()
    for lengths in batches * 2:
        inputs = texts(lengths, seed=len(lengths))
        found = cached.train()(inputs)
        assert found.shape == (*inputs.input_ids.shape, 8)
        torch.testing.assert_close(found, at_tokens(plain(inputs), inputs), rtol=1e-6, atol=1e-6)
        assert not found.requires_grad
    assert cached.hits + cached.misses == 2 * sum(map(len, batches))
    assert cached.hits >= sum(map(len, batches))


def test_a_text_is_read_once() -> None:
    cached, read = CachedEncoder(frozen("bilstm")), []
    forward = cached.encoder.forward
    cached.encoder.forward = lambda inputs: (read.append(len(inputs.mask)), forward(inputs))[1]
    first, second = texts([5, 3, 4]), texts([5, 3, 4], seed=1)
    cached(first)
    cached(first.rows(torch.tensor([2, 0])))
    both = Inputs(
        *(torch.cat([getattr(i, n) for i in (second, first)]) for n in ("input_ids", "mask"))
    )
    cached(both)
    assert read == [3, 3]
    assert (cached.hits, cached.misses) == (5, 6)


def test_what_padding_holds_does_not_tell_texts_apart() -> None:
    cached, inputs = CachedEncoder(frozen("bilstm")), texts([3, 6])
    cached(inputs)
    other = inputs.input_ids.masked_fill(~inputs.mask, 29).int()
    cached(Inputs(other, inputs.mask).columns(6))
    cached(Inputs(other[:1, :3], inputs.mask[:1, :3]))
    assert (cached.hits, cached.misses) == (3, 2)


def test_everything_that_is_read_tells_texts_apart() -> None:
    ids, mask = torch.tensor([[1, 2, 3]]), torch.ones(1, 3, dtype=torch.bool)
    flags = torch.tensor([[True, False, True]])
    kinds = [
        Inputs(ids, mask),
        Inputs(ids, mask, segment_ids=torch.tensor([[0, 0, 1]])),
        Inputs(ids, mask, segment_ids=torch.tensor([[0, 1, 1]])),
        Inputs(ids, mask, character_ids=torch.tensor([[[1, 2], [3, 0], [4, 5]]])),
        Inputs(ids, mask, character_ids=torch.tensor([[[1, 2], [3, 0], [4, 6]]])),
        Inputs(ids, mask, first_pieces=flags),
        Inputs(ids, mask, first_pieces=flags.flip(1).logical_not()),
        Inputs(ids, mask, language_ids=torch.tensor([0])),
        Inputs(ids, mask, language_ids=torch.tensor([1])),
        Inputs(ids[:, :2], mask[:, :2]),
        Inputs(torch.tensor([[1, 2, 4]]), mask),
    ]
    cached = CachedEncoder(frozen("bilstm"))
    for inputs in kinds * 2:
        cached(inputs)
    assert (cached.hits, cached.misses) == (len(kinds), len(kinds))


def test_characters_are_those_of_the_text_whatever_else_is_in_the_batch() -> None:
    torch.manual_seed(0)
    embedding = WordCharacterEmbedding(30, 8, 20, 3)
    encoder = BiLSTMEncoder(30, 8, embedding=embedding)
    encoder.freeze()
    characters = torch.randint(1, 20, (2, 3, 6))
    characters[0, :, 3:] = 0
    whole = Inputs(texts([3, 3]).input_ids, texts([3, 3]).mask, character_ids=characters)
    first = Inputs(whole.input_ids[:1], whole.mask[:1], character_ids=characters[:1, :, :3])
    cached = CachedEncoder(encoder)
    torch.testing.assert_close(cached(whole), encoder(whole))
    torch.testing.assert_close(cached(first), encoder(first))
    assert cached.hits == 1


def test_texts_that_are_read_alone_are_the_same_to_the_last_bit_whenever_they_come() -> None:
    orders = []
    for order in ([0, 1, 2, 3], [3, 1], [2], [1, 0, 2]):
        cached = CachedEncoder(frozen("transformer"), alone=True)
        inputs = texts([6, 3, 5, 2]).rows(torch.tensor(order))
        orders.append(dict(zip(order, cached(inputs)[:, :2], strict=True)))
    for found in orders[1:]:
        for row, states in found.items():
            assert torch.equal(states, orders[0][row])


def test_the_pretrained_encoder() -> None:
    encoder = PretrainedEncoder(packaged_encoder())
    encoder.freeze()
    cached = CachedEncoder(encoder)
    assert (cached.width, cached.causal, cached.max_length) == (384, False, encoder.max_length)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 20000, (4, 9), generator=generator)
    mask = torch.arange(9)[None] < torch.tensor([9, 4, 7, 1])[:, None]
    inputs = Inputs(ids, mask, segment_ids=(ids > 9000).long())
    for rows in ([0, 1, 2, 3], [1, 3], [3, 2, 0]):
        some = inputs.rows(torch.tensor(rows))
        torch.testing.assert_close(cached.train()(some), encoder(some), rtol=1e-5, atol=1e-6)
    assert (cached.hits, cached.misses) == (5, 4)


def test_double_precision_and_rows_without_a_token() -> None:
    cached = CachedEncoder(frozen("bilstm").double())
    assert cached(texts([0, 0])).dtype == torch.float64
    found = cached(texts([0, 3]))
    assert found.dtype == torch.float64
    assert not found[0].any()
    assert cached(texts([0, 3]).rows(torch.tensor([], dtype=torch.long))).shape[0] == 0


def test_half_precision_around_it_is_not_kept() -> None:
    cached, inputs = CachedEncoder(frozen("transformer")), texts([4, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = cached(inputs)
    assert torch.equal(found, CachedEncoder(frozen("transformer"))(inputs))


# Forgetting.


def changed_by_load(cached: CachedEncoder) -> None:
    torch.manual_seed(9)
    cached.load_state_dict(CachedEncoder(ENCODERS["bilstm"](), freeze=True).state_dict())


def changed_within(cached: CachedEncoder) -> None:
    torch.manual_seed(9)
    cached.encoder.load_state_dict(ENCODERS["bilstm"]().state_dict())


def changed_by_assignment(cached: CachedEncoder) -> None:
    torch.manual_seed(9)
    cached.load_state_dict(
        CachedEncoder(ENCODERS["bilstm"](), freeze=True).state_dict(), assign=True
    )
    cached.encoder.freeze()


def changed_in_place(cached: CachedEncoder) -> None:
    with torch.no_grad():
        next(cached.encoder.parameters()).mul_(2)


def changed_and_back_in_shape(cached: CachedEncoder) -> None:
    cached.half().float()


CHANGES = [
    changed_by_load,
    changed_within,
    changed_by_assignment,
    changed_in_place,
    changed_and_back_in_shape,
]


@pytest.mark.parametrize("change", CHANGES)
def test_weights_that_change_are_noticed(change: Callable[[CachedEncoder], None]) -> None:
    cached, inputs = CachedEncoder(frozen("bilstm")), texts([5, 3])
    before = cached(inputs)
    change(cached)
    after = cached(inputs)
    assert not torch.equal(after, before)
    torch.testing.assert_close(after, at_tokens(cached.encoder(inputs), inputs))


def test_weights_that_are_the_same_again_are_not_read_again() -> None:
    """A training ends with loading its best weights, which are those of before."""
    cached, inputs = CachedEncoder(frozen("bilstm")), texts([5, 3])
    cached(inputs)
    cached.load_state_dict(copy.deepcopy(cached.state_dict()))
    cached.to("cpu")
    cached(inputs)
    assert (cached.hits, cached.misses) == (2, 2)


def test_it_forgets_when_told_to() -> None:
    cached, inputs = CachedEncoder(frozen("bilstm")), texts([5, 3])
    cached(inputs)
    next(cached.encoder.parameters()).data.mul_(2)
    cached.clear()
    torch.testing.assert_close(cached(inputs), at_tokens(cached.encoder(inputs), inputs))
    assert (cached.hits, cached.misses) == (0, 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_it_moves_to_another_device() -> None:
    cached, inputs = CachedEncoder(frozen("bilstm")), texts([5, 3])
    here = cached(inputs)
    there = cached.to("cuda")(inputs.to("cuda"))
    assert there.device.type == "cuda"
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(cached.to("cpu")(inputs), here)


def test_memory_is_bounded_and_it_says_so_once() -> None:
    plain = frozen("bilstm")
    cached = CachedEncoder(frozen("bilstm"), max_bytes=3 * (4 * 8 * 4 + 100))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for seed in range(6):
            inputs = texts([4], seed)
            torch.testing.assert_close(cached(inputs), plain(inputs))
    assert [found.category for found in caught] == [CacheFullWarning]
    assert re.search(r"states of \d texts take the 684 bytes", str(caught[0].message))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(6):
            cached(texts([4], seed))
    kept = cached.hits
    assert 2 <= kept <= 4
    cached.clear()
    for seed in range(2, 4):
        cached(texts([4], seed))
        cached(texts([4], seed))
    assert cached.hits == 2


# What is refused.


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_that_is_trained_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"parameters that are trained.*Call its freeze\(\) first"):
        CachedEncoder(made(name))
    cached = CachedEncoder(made(name), freeze=True)
    cached(texts([3]))
    cached.encoder.unfreeze()
    with pytest.raises(ValueError, match="so the states of a text change"):
        cached(texts([3]))
    partly = frozen(name)
    list(partly.parameters())[-1].requires_grad_(True)
    with pytest.raises(ValueError, match="encoder has 1 parameters that are trained"):
        CachedEncoder(partly)


def test_an_encoder_that_cannot_be_cut_says_so() -> None:
    class Own(Encoder):
        width = 8

    with pytest.raises(TypeError, match="Own cannot be cut"):
        CachedEncoder(Own()).cut(1)


# In company.


def test_copies_and_pickles_have_no_memory() -> None:
    cached, inputs = CachedEncoder(frozen("bilstm")), texts([5, 3])
    expected = cached(inputs)
    for other in (copy.deepcopy(cached), pickle.loads(pickle.dumps(cached))):
        assert (other.hits, other.misses) == (0, 0)
        assert torch.equal(other(inputs), expected)
    cached(texts([100] * 100))  # 320,000 bytes of states
    assert len(pickle.dumps(cached)) < len(pickle.dumps(CachedEncoder(frozen("bilstm")))) + 1000


@pytest.mark.parametrize("name", ENCODERS)
def test_it_is_cut_like_any_encoder(name: str) -> None:
    cached, inputs = CachedEncoder(frozen(name)), texts([5, 3])
    lower, upper = cached.cut(1)
    assert isinstance(lower, CachedEncoder)
    for _ in range(2):
        torch.testing.assert_close(
            at_tokens(upper(lower(inputs), inputs.mask), inputs), cached(inputs)
        )
    assert lower.hits == 2


def sharings(make: Callable[[], Encoder]) -> dict[str, Any]:
    lower, upper = frozen("transformer").cut(1)
    upper.unfreeze()
    trunk = CachedEncoder(lower) if make is cached_encoder else lower
    return {
        "hard": HardSharing(make()),
        "soft": SoftSharing({"a": make(), "b": make()}, tied=(), strength=0.0),
        "shared private": SharedPrivate(
            make(), {"a": made("bilstm"), "b": made("bilstm")}, orthogonality_strength=0.5
        ),
        "branched": BranchedSharing(trunk, {"a": upper, "b": copy.deepcopy(upper)}),
        "branched from it": BranchedSharing.from_encoder(make(), ["a", "b"], 1),
    }


def cached_encoder() -> Encoder:
    return CachedEncoder(frozen("transformer"))


def plain_encoder() -> Encoder:
    return frozen("transformer")


@pytest.mark.parametrize("family", list(sharings(plain_encoder)))
def test_every_way_of_sharing_takes_it(family: str) -> None:
    inputs = texts([5, 3, 4])
    batch = Batch(inputs, {"a": torch.tensor([0, 1, 0]), "b": torch.tensor([1, -100, 0])})
    with_memory, without = (
        sharings(make)[family].eval() for make in (cached_encoder, plain_encoder)
    )
    for _ in range(2):
        found, expected = with_memory(batch, ["a", "b"]), without(batch, ["a", "b"])
        for task in ("a", "b"):
            states = [at_tokens(shared.hidden[task], inputs) for shared in (found, expected)]
            torch.testing.assert_close(*states, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.penalty, expected.penalty, rtol=1e-5, atol=1e-6)
