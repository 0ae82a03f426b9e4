"""Multi-head attention against torch.nn, its own equation, and what must not change anything."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformer_twins import copy_attention

from mtl_utils.nn import KeyValues, MultiHeadAttention

WIDTH, HEADS = 8, 2
EXACT = {"atol": 1e-9, "rtol": 1e-9}
MASK = torch.tensor(
    [[True] * 5, [True, True, False, False, False], [True, False, True, True, False]]
)


def make(memory_width=None, seed=0, dropout=0.0):
    torch.manual_seed(seed)
    attention = MultiHeadAttention(WIDTH, HEADS, dropout, memory_width).double().eval()
    with torch.no_grad():
        for linear in (attention.query, attention.key, attention.value, attention.output):
            linear.bias.normal_()
    return attention


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def by_hand(attention, query, memory, allowed):
    """The equation for one row: heads one by one; ``[U, D]``."""
    width, heads = WIDTH // HEADS, []
    for head in range(HEADS):
        part = slice(head * width, (head + 1) * width)
        q, k, v = (
            vectors @ linear.weight[part].T + linear.bias[part]
            for vectors, linear in zip(
                (query, memory, memory),
                (attention.query, attention.key, attention.value),
                strict=True,
            )
        )
        scores = (q @ k.T / math.sqrt(width)).masked_fill(~allowed, -math.inf)
        heads.append(scores.softmax(-1) @ v)
    return attention.output(torch.cat(heads, dim=-1))


@pytest.mark.parametrize("num_queries", [1, 3])
@pytest.mark.parametrize("memory_width", [None, 6])
def test_equals_its_equation(num_queries, memory_width):
    attention = make(memory_width)
    query, memory = draw(3, num_queries, WIDTH), draw(3, 5, memory_width or WIDTH, seed=1)
    found = attention(query, memory, MASK)
    for row in range(3):
        expected = by_hand(attention, query[row], memory[row], MASK[row])
        torch.testing.assert_close(found[row], expected, **EXACT)


@pytest.mark.parametrize("memory_width", [None, 6])
@pytest.mark.parametrize("num_queries", [1, 4])
def test_equals_torch_over_a_memory(memory_width, num_queries):
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(
        WIDTH, HEADS, batch_first=True, kdim=memory_width, vdim=memory_width
    ).double()
    ours = make(memory_width)
    copy_attention(theirs, ours)
    query, memory = draw(3, num_queries, WIDTH), draw(3, 5, memory_width or WIDTH, seed=1)
    expected, weights = theirs(
        query, memory, memory, key_padding_mask=~MASK, average_attn_weights=False
    )
    torch.testing.assert_close(ours(query, memory, MASK), expected, **EXACT)
    torch.testing.assert_close(ours.weights(query, ours.read(memory), MASK), weights, **EXACT)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_equals_torch_over_itself(masked, causal, training):
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).double().train(training)
    ours = make().train(training)
    copy_attention(theirs, ours)
    hidden, mask = draw(3, 5, WIDTH), MASK if masked else None
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected, weights = theirs(
        hidden,
        hidden,
        hidden,
        key_padding_mask=None if mask is None else ~mask,
        attn_mask=later if causal else None,
        average_attn_weights=False,
    )
    found = ours(hidden, mask=mask, causal=causal)
    torch.testing.assert_close(found, expected, **EXACT)
    shown = ours.weights(hidden, ours.read(hidden), mask, causal)
    torch.testing.assert_close(shown, weights, **EXACT)


def test_the_path_with_dropout_computes_the_same():
    """With a probability so small that nothing is ever dropped, the weights are explicit."""
    fused, explicit = make(), make(dropout=1e-9).train()
    assert round(2**16 * explicit.dropout.p) == 0
    hidden = draw(3, 5, WIDTH)
    for mask in (None, MASK):
        for causal in (False, True):
            expected = fused(hidden, mask=mask, causal=causal)
            torch.testing.assert_close(
                explicit(hidden, mask=mask, causal=causal), expected, **EXACT
            )


def test_a_mask_for_each_query():
    attention, hidden = make(), draw(3, 5, WIDTH)
    order = torch.ones(5, 5, dtype=torch.bool).tril()
    mask = order & MASK.unsqueeze(1)
    expected = attention(hidden, mask=MASK, causal=True)
    torch.testing.assert_close(attention(hidden, mask=mask), expected, **EXACT)


@pytest.mark.parametrize("num_queries", [1, 3])
@pytest.mark.parametrize("training", [False, True])
def test_nothing_to_attend_to_gives_zero(num_queries, training):
    attention = make(dropout=0.3).train(training)
    mask = MASK.clone()
    mask[1] = False
    query = draw(3, num_queries, WIDTH).requires_grad_()
    memory = draw(3, 5, WIDTH, seed=1).requires_grad_()
    found = attention(query, memory, mask)
    assert not found[1].any()
    assert found[0].all()
    found.sum().backward()
    assert query.grad.isfinite().all()
    assert memory.grad.isfinite().all()
    assert not query.grad[1].any()
    assert not memory.grad[1].any()
    assert all(p.grad.isfinite().all() for p in attention.parameters())
    assert not attention.weights(query, attention.read(memory), mask)[1].any()
    # So does a memory of no positions, and one query that may attend to none.
    assert not attention(query, memory[:, :0]).any()
    each = torch.ones(3, num_queries, 5, dtype=torch.bool)
    each[2, 0] = False
    assert not attention(query, memory, each)[2, 0].any()
    assert attention(query, memory, each)[2, 1:].all()


@pytest.mark.parametrize("position", [1, 3])
def test_what_is_masked_or_later_changes_nothing(position):
    attention, hidden = make(), draw(3, 5, WIDTH)
    changed = hidden.clone()
    changed[:, position] += 100
    causal = [attention(states, causal=True) for states in (hidden, changed)]
    assert torch.equal(causal[0][:, :position], causal[1][:, :position])
    assert (causal[0][:, position:] != causal[1][:, position:]).any(-1).all()
    hidden_one = torch.ones(3, 5, dtype=torch.bool)
    hidden_one[:, position] = False
    query = draw(3, 2, WIDTH, seed=1)
    first, second = (attention(query, states, hidden_one) for states in (hidden, changed))
    assert torch.equal(first, second)


@settings(max_examples=25)
@given(cuts=st.sets(st.integers(1, 6)), seed=st.integers(0, 2**31))
def test_keys_and_values_of_before_can_be_kept(cuts, seed):
    attention, hidden = make(seed=seed), draw(2, 7, WIDTH, seed=seed)
    whole = attention(hidden, causal=True)
    kept, parts = None, []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 7], strict=True):
        newer = attention.read(hidden[:, first:last])
        kept = newer if kept is None else kept.followed_by(newer)
        parts.append(attention.attend(hidden[:, first:last], kept, causal=True))
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, **EXACT)


def test_kept_memories():
    one, two = (KeyValues(draw(2, 2, n, 3, seed=n), draw(2, 2, n, 3, seed=n + 9)) for n in (1, 4))
    both = one.followed_by(two)
    assert both.keys.shape == both.values.shape == (2, 2, 5, 3)
    assert torch.equal(both.values[:, :, 1:], two.values)
    nothing = KeyValues(one.keys[:, :, :0].float(), one.values[:, :, :0].float())
    assert nothing.followed_by(two) is two
    assert one.followed_by(KeyValues(*(part.float() for part in two))).keys.dtype == torch.float32
    turned = KeyValues(two.keys.mT, two.values.mT)
    assert torch.equal(turned.compact().keys, two.keys.mT)
    assert turned.compact().keys.is_contiguous()


def test_the_order_of_the_memory_does_not_matter():
    attention, query, memory = make(), draw(3, 2, WIDTH), draw(3, 5, WIDTH, seed=1)
    order = [3, 0, 4, 1, 2]
    found = attention(query, memory[:, order], MASK[:, order])
    torch.testing.assert_close(found, attention(query, memory, MASK), **EXACT)


@pytest.mark.parametrize("causal", [False, True])
def test_the_gradient_is_right(causal):
    attention = MultiHeadAttention(2, 2).double()
    names = [name for name, _ in attention.named_parameters()]
    mask = torch.tensor([[True, True, True], [True, True, False]])

    def run(hidden, *values):
        parameters = dict(zip(names, values, strict=True))
        settings = {"mask": mask, "causal": causal}
        return torch.func.functional_call(attention, parameters, (hidden,), settings)

    values = [p.detach().clone() for p in attention.parameters()]
    inputs = [value.requires_grad_() for value in (draw(2, 3, 2), *values)]
    assert torch.autograd.gradcheck(run, inputs)


def test_it_starts_as_glorot_has_it():
    torch.manual_seed(0)
    attention = MultiHeadAttention(64, 4)
    for linear in (attention.query, attention.key, attention.value, attention.output):
        bound = (6 / 128) ** 0.5
        assert bound * 0.98 < float(linear.weight.detach().abs().max()) <= bound
        assert not linear.bias.any()


def test_dropout_acts_on_weights_in_training_alone():
    attention, hidden = make(dropout=0.5), draw(2, 4, WIDTH)
    assert torch.equal(attention(hidden), attention(hidden))
    shown = attention.weights(hidden, attention.read(hidden))
    attention.train()
    assert not torch.equal(attention(hidden), attention(hidden))
    assert torch.equal(attention.weights(hidden, attention.read(hidden)), shown)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "width must be at least 1, got 0"),
        ((4, 0), "num_heads must be at least 1, got 0"),
        ((4, 2, 0.0, 0), "memory_width must be at least 1, got 0"),
        ((10, 4), "10 is not divisible by 4; change width or num_heads"),
        ((4, 2, 1.0), r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_settings_outside_their_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(*arguments)


def test_shapes_that_do_not_fit():
    attention, hidden = make(), draw(3, 5, WIDTH)
    for mask in (MASK[:2], MASK[:, :4], MASK[0], MASK[:, None, None]):
        with pytest.raises(ValueError, match=r"Expected a mask \[B, T\] or \[B, U, T\] with B=3"):
            attention(hidden, mask=mask)
    with pytest.raises(ValueError, match="5 causal queries need as many positions, got 2"):
        attention(hidden, hidden[:, :2], causal=True)
