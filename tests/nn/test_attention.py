"""Additive attention against loops of plain Python, and its bound on memory."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mtl_utils.nn import AdditiveAttention, masked_softmax

LIMIT = "mtl_utils.nn.attention.LARGEST_INTERMEDIATE"
EXACT = {"atol": 1e-12, "rtol": 1e-12}


def make(query_width=3, memory_width=4, width=5, seed=0):
    torch.manual_seed(seed)
    return AdditiveAttention(query_width, memory_width, width).double()


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def some_mask(rows, seed=0):
    return torch.rand(rows, generator=torch.Generator().manual_seed(seed)) < 0.6


def by_loops(attention, query, memory, mask):
    """The equations of Bahdanau et al. (2015) on lists of numbers, one row and one query each."""
    query_layer, v = attention.from_query, attention.score.weight[0].tolist()
    layers = (query_layer.weight, query_layer.bias, attention.from_memory.weight)
    hidden_units = list(zip(*(layer.tolist() for layer in layers), strict=True))

    def dot(left, right):
        return sum(x * y for x, y in zip(left, right, strict=True))

    contexts, weights = [], []
    for queries, positions, counted in zip(query, memory, mask, strict=True):
        for s in queries:
            scores = [
                dot(v, [math.tanh(dot(w, s) + b + dot(u, h)) for w, b, u in hidden_units])
                for h in positions
            ]
            powers = [math.exp(a) if c else 0.0 for a, c in zip(scores, counted, strict=True)]
            total = sum(powers) or 1.0
            alpha = [power / total for power in powers]
            weights.append(alpha)
            contexts.append([dot(alpha, column) for column in zip(*positions, strict=True)])
    return contexts, weights


sizes = st.tuples(*[st.integers(1, 4) for _ in range(6)])


@settings(max_examples=40)
@given(sizes, st.integers(0, 2**31))
def test_equals_loops(sizes, seed):
    rows, queries, positions, query_width, memory_width, width = sizes
    attention = make(query_width, memory_width, width, seed)
    query, memory = draw(rows, queries, query_width), draw(rows, positions, memory_width, seed=1)
    mask = some_mask((rows, positions), seed)
    context, weights = attention(query, memory, mask)
    arguments = (query.tolist(), memory.tolist(), mask.tolist())
    contexts, alphas = by_loops(attention, *arguments)
    expected = torch.tensor(contexts, dtype=torch.float64).view(rows, queries, memory_width)
    torch.testing.assert_close(context, expected, **EXACT)
    expected = torch.tensor(alphas, dtype=torch.float64).view(rows, queries, positions)
    torch.testing.assert_close(weights, expected, **EXACT)


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.floats(0, 1e4))
def test_weights_are_a_distribution_over_the_mask(seed, scale):
    attention, mask = make(seed=seed), some_mask((5, 6), seed)
    query, memory = draw(5, 2, 3, seed=seed) * scale, draw(5, 6, 4, seed=seed + 1) * scale
    _, weights = attention(query, memory, mask)
    assert (weights >= 0).all()
    outside = ~mask.unsqueeze(1).expand_as(weights)
    assert not weights[outside].any()
    expected = mask.any(dim=1).double().unsqueeze(1).expand(5, 2)
    torch.testing.assert_close(weights.sum(-1), expected, **EXACT)


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.floats(-300, 300))
def test_masked_softmax_is_the_softmax_of_what_counts(seed, shift):
    scores, mask = draw(4, 7, seed=seed) * 20, some_mask((4, 7), seed)
    weights = masked_softmax(scores, mask)
    for row, score, counted in zip(weights, scores, mask, strict=True):
        torch.testing.assert_close(row[counted], score[counted].softmax(-1), **EXACT)
        assert not row[~counted].any()
    moved = masked_softmax(scores + shift, mask)
    torch.testing.assert_close(moved, weights, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_masked_softmax_of_extreme_scores(dtype):
    high = torch.finfo(dtype).max
    scores = torch.tensor([[high, 0.0, -high], [-high / 2, -high / 2, high]], dtype=dtype)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert masked_softmax(scores, mask).tolist() == [[1, 0, 0], [0.5, 0.5, 0]]


def leaves(*tensors):
    return [tensor.clone().requires_grad_() for tensor in tensors]


def loss_of(context, weights):
    loss = (context * draw(*context.shape, seed=8)).sum()
    return loss + (weights**2 * draw(*weights.shape, seed=9)).sum()


def gradients(attention, query, memory, mask):
    """Return the values, and the gradient of a fixed function of them in all that it reads."""
    query, memory = leaves(query, memory)
    context, weights = attention(query, memory, mask)
    loss = loss_of(context, weights)
    found = torch.autograd.grad(loss, [query, memory, *attention.parameters()])
    return (context.detach(), weights.detach()), found


def test_a_row_with_nothing_to_attend_to_is_zero_and_harmless():
    attention, query, memory = make(), draw(3, 2, 3), draw(3, 4, 4, seed=1)
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1] = False
    (context, weights), found = gradients(attention, query, memory, mask)
    assert not context[1].any()
    assert not weights[1].any()
    assert not found[0][1].any()
    assert not found[1][1].any()

    kept = [0, 2]
    query, memory = leaves(query[kept], memory[kept])
    context, weights = attention(query, memory, mask[kept])
    loss = (context * draw(3, 2, 4, seed=8)[kept]).sum()
    loss = loss + (weights**2 * draw(3, 2, 4, seed=9)[kept]).sum()
    expected = torch.autograd.grad(loss, [query, memory, *attention.parameters()])
    torch.testing.assert_close([found[0][kept], found[1][kept], *found[2:]], [*expected], **EXACT)


def test_padding_of_the_memory_is_not_read():
    attention, query, memory = make(), draw(2, 3, 3), draw(2, 5, 4, seed=1)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    values, found = gradients(attention, query, memory, mask)
    memory = memory.clone()
    memory[1, 2:] = 1e100
    changed, found_again = gradients(attention, query, memory, mask)
    torch.testing.assert_close(changed, values, **EXACT)
    torch.testing.assert_close(found_again, found, **EXACT)
    assert not found[1][1, 2:].any()


@pytest.mark.parametrize("limit", [1, 2 * 5 * 5, 3 * 2 * 5 * 5])
def test_piece_by_piece_is_the_same(monkeypatch, limit):
    attention, query, memory = make(), draw(2, 7, 3), draw(2, 5, 4, seed=1)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    calls = []
    inner = attention._scores

    def scores(projected, keys):
        calls.append(projected.shape[1])
        return inner(projected, keys)

    monkeypatch.setattr(attention, "_scores", scores)
    values, found = gradients(attention, query, memory, mask)
    assert calls == [7]
    calls.clear()
    monkeypatch.setattr(LIMIT, limit)
    changed, found_again = gradients(attention, query, memory, mask)
    torch.testing.assert_close(changed, values, **EXACT)
    torch.testing.assert_close(found_again, found, **EXACT)
    size = max(1, limit // (2 * 5 * 5))
    # Computed once for the value and once more for the gradient.
    assert sum(calls) == 14
    assert max(calls) == size


# A mask of its own for each query


@settings(max_examples=25)
@given(sizes, st.integers(0, 2**31), st.sampled_from([2**26, 1, 40]))
def test_a_mask_for_each_query_equals_a_call_for_each_query(sizes, seed, limit):
    rows, queries, positions, query_width, memory_width, width = sizes
    attention = make(query_width, memory_width, width, seed)
    query, memory = draw(rows, queries, query_width), draw(rows, positions, memory_width, seed=1)
    mask = some_mask((rows, queries, positions), seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LIMIT, limit)
        values, found = gradients(attention, query, memory, mask)

    query, memory = leaves(query, memory)
    alone = [attention(query[:, [u]], memory, mask[:, u]) for u in range(queries)]
    expected = tuple(torch.cat(parts, dim=1) for parts in zip(*alone, strict=True))
    torch.testing.assert_close(values, expected, **EXACT)
    gradient = torch.autograd.grad(loss_of(*expected), [query, memory, *attention.parameters()])
    torch.testing.assert_close(found, gradient, **EXACT)


@pytest.mark.parametrize("limit", [2**26, 1])
def test_a_query_with_nothing_to_attend_to_is_zero_and_harmless(monkeypatch, limit):
    monkeypatch.setattr(LIMIT, limit)
    attention, query, memory = make(), draw(2, 3, 3), draw(2, 4, 4, seed=1)
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[0, 1] = mask[1, 2] = False
    (context, weights), found = gradients(attention, query, memory, mask)
    assert all(gradient.isfinite().all() for gradient in found)
    nothing = ~mask.any(-1)
    for zero in (context[nothing], weights[nothing], found[0][nothing]):
        assert not zero.any()
    assert context[~nothing].all()
    assert found[0][~nothing].all()
    # Another such query moves no parameter either.
    query = query.clone()
    query[nothing] += 5
    (_, same_weights), again = gradients(attention, query, memory, mask)
    torch.testing.assert_close(same_weights, weights, **EXACT)
    torch.testing.assert_close(again, found, **EXACT)


def test_the_same_mask_for_every_query_may_be_given_once():
    attention, query, memory = make(), draw(3, 6, 3), draw(3, 5, 4, seed=1)
    mask = some_mask((3, 5))
    for_each = mask.unsqueeze(1).expand(3, 6, 5)
    expected, found = attention(query, memory, mask), attention(query, memory, for_each)
    torch.testing.assert_close(found, expected, **EXACT)


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return made


@pytest.mark.parametrize(("limit", "bound"), [(None, 4_000_000), (250_000, 250_000)])
def test_a_long_memory_is_not_held_for_all_queries_at_once(monkeypatch, limit, bound):
    if limit is not None:
        monkeypatch.setattr(LIMIT, limit)
    attention = make(width=20).float()
    query, memory = leaves(draw(1, 20, 3).float(), draw(1, 10_000, 4, seed=1).float())
    mask = torch.ones(1, 10_000, dtype=torch.bool)
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    with Largest() as largest, torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
        context, _ = attention(query, memory, mask)
        context.sum().backward()
    full = 20 * 10_000 * 20
    assert largest.elements <= bound
    assert (max(kept) >= full) == (limit is None)  # the whole of it only where it may be kept
    assert (largest.elements >= full) == (limit is None)


def test_keys_are_computed_once_for_many_queries():
    attention, query, memory = make(), draw(2, 6, 3), draw(2, 5, 4, seed=1)
    mask = some_mask((2, 5))
    keys = attention.keys(memory)
    torch.testing.assert_close(keys, memory @ attention.from_memory.weight.T, **EXACT)
    context, weights = attention(query, memory, mask)
    parts = [attention(query[:, [u]], memory, mask, keys) for u in range(6)]
    torch.testing.assert_close(torch.cat([part for part, _ in parts], 1), context, **EXACT)
    torch.testing.assert_close(torch.cat([part for _, part in parts], 1), weights, **EXACT)


@pytest.mark.parametrize("limit", [2**26, 1])
@pytest.mark.parametrize("for_each_query", [False, True])
def test_the_gradient_is_right(monkeypatch, limit, for_each_query):
    monkeypatch.setattr(LIMIT, limit)
    attention = make(2, 2, 2)
    mask = torch.tensor([[True, True, True], [True, False, False], [False] * 3])
    if for_each_query:
        mask = torch.stack([mask, mask.roll(1, dims=0)], dim=1)
    inputs = leaves(draw(3, 2, 2), draw(3, 3, 2, seed=1))
    assert torch.autograd.gradcheck(lambda q, m: attention(q, m, mask), inputs)
