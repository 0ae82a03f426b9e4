"""The decoder against LSTM cells that go step by step, with its own weights."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from mtl_utils.nn import AttentionDecoder, shift_right

VOCABULARY, WIDTH, MEMORY, EMBEDDING = 9, 4, 6, 5
EXACT = {"atol": 1e-12, "rtol": 1e-12}
MASK = torch.tensor([[True] * 4, [True, True, False, False], [True, True, True, False]])


def make(*sizes, seed=0, **settings):
    torch.manual_seed(seed)
    sizes = sizes or (VOCABULARY, WIDTH, MEMORY, EMBEDDING)
    return AttentionDecoder(*sizes, **settings).double().eval()


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def ids(*shape, seed=0):
    return torch.randint(VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


def step_by_step(decoder, input_ids, memory):
    """One sentence without padding: logits ``[U, V]`` and weights ``[U, T]``, by the equations."""

    def cell(lstm):
        twin = torch.nn.LSTMCell(lstm.input_size, lstm.hidden_size).double()
        twin.load_state_dict(
            {name.removesuffix("_l0"): value for name, value in lstm.state_dict().items()}
        )
        return twin

    lower, upper, attention = cell(decoder.lower), cell(decoder.upper), decoder.attention
    embedding = decoder.state_dict()["embedding.weight"]
    started = torch.tanh(decoder.bridge.weight @ memory.mean(0) + decoder.bridge.bias)
    lower_hidden, lower_cell, upper_hidden, upper_cell = started[:, None].T.split(
        decoder.width, dim=1
    )
    logits, weights = [], []
    for index in input_ids.tolist():
        embedded = embedding[index] * math.sqrt(embedding.shape[1])
        lower_hidden, lower_cell = lower(embedded[None], (lower_hidden, lower_cell))
        scores = torch.stack(
            [
                attention.score.weight[0]
                @ torch.tanh(
                    attention.from_query.weight @ lower_hidden[0]
                    + attention.from_query.bias
                    + attention.from_memory.weight @ position
                )
                for position in memory
            ]
        )
        alpha = scores.exp() / scores.exp().sum()
        context = sum(weight * position for weight, position in zip(alpha, memory, strict=True))
        both = torch.cat([lower_hidden[0], context])
        upper_hidden, upper_cell = upper(both[None], (upper_hidden, upper_cell))
        everything = torch.cat([upper_hidden[0], context, embedded])
        readout = decoder.readout.weight @ everything + decoder.readout.bias
        logits.append(embedding @ readout + decoder.output.bias)
        weights.append(alpha)
    return torch.stack(logits), torch.stack(weights)


@pytest.mark.parametrize("embedding_width", [None, 3, WIDTH])
def test_equals_lstm_cells_step_by_step(embedding_width):
    decoder = make(VOCABULARY, WIDTH, MEMORY, embedding_width)
    with torch.no_grad():
        decoder.output.bias += torch.linspace(-1, 1, VOCABULARY, dtype=torch.float64)
    memory, tokens = draw(3, 4, MEMORY), ids(3, 5)
    state = decoder.start(memory, MASK)
    logits, _ = decoder(tokens, state)
    decoded = decoder.decode(tokens, state)
    for row, size in enumerate(MASK.sum(1).tolist()):
        expected, weights = step_by_step(decoder, tokens[row], memory[row, :size])
        torch.testing.assert_close(logits[row], expected, **EXACT)
        torch.testing.assert_close(decoded.weights[row, :, :size], weights, **EXACT)
        assert not decoded.weights[row, :, size:].any()


@settings(max_examples=20)
@given(cuts=st.sets(st.integers(1, 6)), seed=st.integers(0, 2**31))
def test_carrying_the_state_equals_all_positions_at_once(cuts, seed):
    decoder, tokens = make(seed=seed), ids(3, 7, seed=seed)
    start = decoder.start(draw(3, 4, MEMORY, seed=seed), MASK)
    whole, end = decoder(tokens, start)
    state, parts = start, []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 7], strict=True):
        logits, state = decoder(tokens[:, first:last], state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, **EXACT)
    torch.testing.assert_close(tuple(state), tuple(end), **EXACT)


@pytest.mark.parametrize("position", [1, 3, 6])
def test_a_later_token_never_changes_earlier_logits(position):
    decoder, before = make(), ids(3, 7)
    after = before.clone()
    after[:, position] = (after[:, position] + 1) % VOCABULARY
    state = decoder.start(draw(3, 4, MEMORY), MASK)
    first, second = decoder(before, state)[0], decoder(after, state)[0]
    assert torch.equal(first[:, :position], second[:, :position])
    assert (first[:, position:] != second[:, position:]).any(-1).all()


def gradients(decoder, tokens, memory, mask):
    """Return logits, and the gradients of a fixed function of them."""
    memory = memory.clone().requires_grad_()
    logits, _ = decoder(tokens, decoder.start(memory, mask))
    loss = (logits * draw(*logits.shape, seed=7)).sum()
    return logits.detach(), torch.autograd.grad(loss, [memory, *decoder.parameters()])


@pytest.mark.parametrize("filler", [0.0, -3.0, 1e100, math.inf, math.nan])
def test_neither_padding_of_the_memory_nor_what_it_holds_changes_anything(filler):
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, MEMORY)
    logits, expected = gradients(decoder, tokens, memory, MASK)
    longer = torch.cat([memory.masked_fill(~MASK[..., None], filler), memory * 0 + filler], dim=1)
    mask = torch.cat([MASK, torch.zeros_like(MASK)], dim=1)
    padded, found = gradients(decoder, tokens, longer, mask)
    torch.testing.assert_close(padded, logits, **EXACT)
    assert not found[0][~mask].any()
    torch.testing.assert_close([found[0][:, :4], *found[1:]], [*expected], **EXACT)


def test_rows_do_not_touch_each_other():
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, MEMORY)
    whole, _ = decoder(tokens, decoder.start(memory, MASK))
    order = [2, 0, 1]
    moved, _ = decoder(tokens[order], decoder.start(memory[order], MASK[order]))
    torch.testing.assert_close(moved, whole[order], **EXACT)


def test_an_empty_memory_is_harmless():
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, MEMORY)
    mask = MASK.clone()
    mask[1] = False
    logits, (into_memory, *_) = gradients(decoder, tokens, memory, mask)
    assert logits.isfinite().all()
    assert not into_memory[1].any()
    # What it writes is what it would write with no memory at all: the start is that of a zero.
    zero, _ = decoder(tokens[[1]], decoder.start(torch.zeros(1, 1, MEMORY).double(), MASK[:1, :1]))
    torch.testing.assert_close(logits[[1]], zero, **EXACT)


def test_the_gradient_is_right():
    decoder = make(3, 2, 2)
    names, weights = zip(*decoder.named_parameters(), strict=True)
    tokens = torch.tensor([[2, 0, 1], [1, 1, 2]])
    mask = torch.tensor([[True, True, True], [True, False, False]])

    def run(memory, *values):
        parameters = dict(zip(names, values, strict=True))
        parameters["output.weight"] = parameters["embedding.weight"]
        start = functional_call(Start(decoder), rename(parameters), (memory, mask))
        return functional_call(decoder, parameters, (tokens, start))[0]

    inputs = [draw(2, 3, 2), *(weight.detach().clone() for weight in weights)]
    assert torch.autograd.gradcheck(run, [value.requires_grad_() for value in inputs])


class Start(torch.nn.Module):
    """Calls start where forward is asked for."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, memory, mask):
        return self.decoder.start(memory, mask)


def rename(parameters):
    return {f"decoder.{name}": value for name, value in parameters.items()}


def test_the_output_layer_is_the_embedding():
    decoder = make()
    assert decoder.output.weight is decoder.embedding.weight
    assert len({id(p) for p in decoder.parameters()}) == len(list(decoder.parameters()))
    assert decoder.output.weight.shape == (VOCABULARY, EMBEDDING)


def test_it_starts_near_the_uniform_distribution_with_inputs_of_unit_variance():
    torch.manual_seed(0)
    decoder = AttentionDecoder(3000, 64, 64, dropout=0.0)
    embedded = decoder.embedding.weight * decoder.embedding_scale
    assert float(embedded.detach().std()) == pytest.approx(1, rel=0.02)
    tokens = torch.randint(3000, (4, 20))
    logits, _ = decoder(
        tokens, decoder.start(torch.randn(4, 7, 64), torch.ones(4, 7, dtype=torch.bool))
    )
    targets = torch.randint(3000, (80,))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets)
    assert loss.item() == pytest.approx(math.log(3000), rel=0.03)
    for lstm in (decoder.lower, decoder.upper):
        assert (lstm.bias_ih_l0[64:128] == 1).all()
        assert (lstm.bias_hh_l0.abs() <= 64**-0.5).all()


def test_dropout_acts_in_training_alone():
    decoder, tokens = make(dropout=0.5), ids(3, 5)
    state = decoder.start(draw(3, 4, MEMORY), MASK)
    assert torch.equal(decoder(tokens, state)[0], decoder(tokens, state)[0])
    decoder.train()
    assert not torch.equal(decoder(tokens, state)[0], decoder(tokens, state)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 4), "vocab_size must be at least 1, got 0"),
        ((5, 0, 4), "width must be at least 1, got 0"),
        ((5, 4, 0), "memory_width must be at least 1, got 0"),
        ((5, 4, 4, 0), "embedding_width must be at least 1, got 0"),
        ((5, 4, 4, 4, 1.0), r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_settings_outside_their_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionDecoder(*arguments)


@pytest.mark.parametrize("wrong", [-100, VOCABULARY])
def test_ids_outside_the_vocabulary(wrong):
    decoder = make()
    state = decoder.start(draw(1, 4, MEMORY), MASK[:1])
    with pytest.raises(ValueError, match=f"Token id {wrong} is outside the vocabulary of 9"):
        decoder(torch.tensor([[2, wrong]]), state)


targets = st.lists(st.integers(0, VOCABULARY - 1) | st.just(-100), min_size=4, max_size=4)


@given(st.lists(targets, min_size=1, max_size=4), st.integers(0, 99), st.integers(0, 99))
def test_targets_are_read_one_step_late(rows, bos_id, pad_id):
    """The first is ``<bos>``, whatever is missing is ``<pad>``, and the last is not read."""
    labels = torch.tensor(rows)
    shifted = shift_right(labels, bos_id, pad_id)
    expected = [[bos_id, *(pad_id if i == -100 else i for i in row[:-1])] for row in rows]
    assert shifted.tolist() == expected
    assert labels.tolist() == rows  # not changed in place


def test_of_targets_of_one_token_only_the_beginning_is_read():
    assert shift_right(torch.tensor([[5], [-100]]), 2, 0).tolist() == [[2], [2]]
