"""The LSTM encoders against torch.nn.LSTM on each sentence alone, and against the equations."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Example, Inputs, collate
from mtl_utils.nn import BiLSTMEncoder, LSTMEncoder, recurrent_precision

VOCABULARY, WIDTH = 11, 6
EXACT = {"atol": 1e-12, "rtol": 1e-12}

kinds = pytest.mark.parametrize("kind", [LSTMEncoder, BiLSTMEncoder])
layers = pytest.mark.parametrize("num_layers", [1, 2])
# Sentences of ids; the empty one among them.
sentences = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=6), min_size=1, max_size=5)


def make(kind, num_layers=1, width=WIDTH, seed=0, **settings):
    torch.manual_seed(seed)
    return kind(VOCABULARY, width, num_layers, **settings).double().eval()


def batch_of(*rows):
    return collate([Example(row) for row in rows]).inputs


def alone(encoder, row):
    """Run a fresh torch.nn.LSTM over one sentence without padding; ``[T, D]``."""
    lstm = torch.nn.LSTM(
        encoder.width,
        encoder.lstm.hidden_size,
        encoder.lstm.num_layers,
        batch_first=True,
        bidirectional=encoder.lstm.bidirectional,
    ).double()
    lstm.load_state_dict(encoder.lstm.state_dict())
    return lstm(encoder.embedding.weight[torch.tensor([row])])[0][0]


def gradients(encoder, hidden, mask, weigh):
    """Return the gradient of a sum over tokens, each weighed by its row and position."""
    encoder.zero_grad()
    torch.where(mask, (hidden * weigh).sum(-1), 0.0).sum().backward()
    return {name: p.grad.clone() for name, p in encoder.named_parameters()}


@kinds
@layers
@settings(max_examples=25)
@given(rows=sentences)
def test_equals_torch_on_each_sentence_alone(kind, num_layers, rows):
    encoder = make(kind, num_layers)
    hidden = encoder(batch_of(*rows))
    assert hidden.shape == (len(rows), max(1, *map(len, rows), 1), WIDTH)
    for states, row in zip(hidden, rows, strict=True):
        if row:
            torch.testing.assert_close(states[: len(row)], alone(encoder, row), **EXACT)
        assert not states[len(row) :].any()


def cell_loop(inputs, weight_ih, weight_hh, bias_ih, bias_hh):
    """The equations of Hochreiter & Schmidhuber (1997), with forget gates, step by step."""
    hidden = cell = torch.zeros(weight_hh.shape[1], dtype=inputs.dtype)
    states = []
    for x in inputs:
        gates = (weight_ih @ x + bias_ih + weight_hh @ hidden + bias_hh).chunk(4)
        write, forget, read = (1 / (1 + torch.exp(-gates[gate])) for gate in (0, 1, 3))
        cell = forget * cell + write * torch.tanh(gates[2])
        hidden = read * torch.tanh(cell)
        states.append(hidden)
    return torch.stack(states)


@kinds
@layers
def test_equals_the_equations(kind, num_layers):
    encoder = make(kind, num_layers)
    names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    row = [3, 1, 4, 1, 5]
    states = encoder.embedding.weight[row]
    for layer in range(num_layers):
        left = [getattr(encoder.lstm, f"{name}_l{layer}") for name in names]
        parts = [cell_loop(states, *left)]
        if kind is BiLSTMEncoder:
            right = [getattr(encoder.lstm, f"{name}_l{layer}_reverse") for name in names]
            parts.append(cell_loop(states.flip(0), *right).flip(0))
        states = torch.cat(parts, dim=-1)
    hidden = encoder(batch_of(row, [7, 7, 7, 7, 7, 7, 7]))
    torch.testing.assert_close(hidden[0, :5], states, **EXACT)


@kinds
@layers
@settings(max_examples=15)
@given(rows=sentences, extra=st.integers(1, 4), filler=st.integers(0, VOCABULARY - 1))
def test_neither_padding_nor_what_it_holds_changes_anything(kind, num_layers, rows, extra, filler):
    encoder = make(kind, num_layers)
    inputs = batch_of(*rows)
    size = (len(rows), inputs.mask.shape[1])
    ids = torch.full((size[0], size[1] + extra), filler)
    ids[:, : size[1]] = inputs.input_ids.masked_fill(~inputs.mask, filler)
    mask = torch.zeros_like(ids, dtype=torch.bool)
    mask[:, : size[1]] = inputs.mask
    padded = Inputs(ids, mask)

    weigh = torch.randn(*ids.shape, WIDTH, dtype=torch.float64)
    first, second = encoder(inputs), encoder(padded)
    torch.testing.assert_close(second[:, : size[1]], first, **EXACT)
    assert not second[:, size[1] :].any()
    expected = gradients(encoder, first, inputs.mask, weigh[:, : size[1]])
    torch.testing.assert_close(gradients(encoder, second, mask, weigh), expected, **EXACT)


@kinds
@layers
@settings(max_examples=15)
@given(rows=sentences, data=st.data())
def test_the_order_of_a_batch_does_not_matter(kind, num_layers, rows, data):
    encoder = make(kind, num_layers)
    order = data.draw(st.permutations(range(len(rows))))
    inputs, moved = batch_of(*rows), batch_of(*[rows[index] for index in order])
    weigh = torch.randn(*inputs.mask.shape, WIDTH, dtype=torch.float64)
    first, second = encoder(inputs), encoder(moved)
    torch.testing.assert_close(second, first[order], **EXACT)
    expected = gradients(encoder, first, inputs.mask, weigh)
    torch.testing.assert_close(
        gradients(encoder, second, moved.mask, weigh[order]), expected, **EXACT
    )


@kinds
def test_a_row_without_a_token_is_zero_and_harmless(kind):
    encoder = make(kind)
    with_empty, without = batch_of([1, 2, 3], [], [4]), batch_of([1, 2, 3], [4])
    weigh = torch.randn(3, 3, WIDTH, dtype=torch.float64)
    hidden = encoder(with_empty)
    assert not hidden[1].any()
    torch.testing.assert_close(hidden[[0, 2]], encoder(without), **EXACT)
    # Even a loss that reads the empty row moves nothing with it.
    everything = torch.ones(3, 3, dtype=torch.bool)
    expected = gradients(encoder, encoder(without), without.mask, weigh[[0, 2]])
    found = gradients(encoder, encoder(with_empty), everything, weigh)
    torch.testing.assert_close(found, expected, **EXACT)


@kinds
@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (0, 0)])
def test_nothing_to_read(kind, shape):
    inputs = Inputs(torch.zeros(shape, dtype=torch.long), torch.ones(shape, dtype=torch.bool))
    assert make(kind)(inputs).shape == (*shape, WIDTH)


@layers
@settings(max_examples=20)
@given(row=st.lists(st.integers(0, VOCABULARY - 1), min_size=2, max_size=8), data=st.data())
def test_only_the_lstm_that_reads_one_way_is_causal(num_layers, row, data):
    position = data.draw(st.integers(1, len(row) - 1))
    changed = list(row)
    changed[position] = (row[position] + data.draw(st.integers(1, VOCABULARY - 1))) % VOCABULARY

    one_way = make(LSTMEncoder, num_layers)
    before, after = one_way(batch_of(row, changed))
    assert torch.equal(before[:position], after[:position])
    assert (before[position:] != after[position:]).any(dim=-1).all()
    assert LSTMEncoder.causal

    before, after = make(BiLSTMEncoder, num_layers)(batch_of(row, changed))
    assert (before != after).any(dim=-1).all()
    assert not BiLSTMEncoder.causal


@kinds
def test_ten_thousand_tokens(kind):
    encoder = make(kind)
    row = torch.randint(VOCABULARY, (10_000,), generator=torch.Generator().manual_seed(0)).tolist()
    with torch.no_grad():
        hidden = encoder(batch_of(row, [1, 2]))
        half = encoder.lstm.hidden_size
        weights = [p for name, p in encoder.lstm.named_parameters() if "reverse" not in name]
        states = cell_loop(encoder.embedding.weight[row[:300]], *weights)
        torch.testing.assert_close(hidden[0, :300, :half], states, **EXACT)
        torch.testing.assert_close(hidden[0], alone(encoder, row), **EXACT)


@kinds
@layers
def test_gates_remember_by_default(kind, num_layers):
    lstm = make(kind, num_layers).lstm
    size, bound = lstm.hidden_size, lstm.hidden_size**-0.5
    biases = {n: p for n, p in lstm.named_parameters() if n.startswith("bias_ih")}
    assert len(biases) == num_layers * (2 if kind is BiLSTMEncoder else 1)
    for bias in biases.values():
        assert (bias[size : 2 * size] == 1).all()
        others = torch.cat([bias[:size], bias[2 * size :]])
        assert (others.abs() <= bound).all()
        assert others.any()


@kinds
def test_dropout_acts_in_training_alone(kind):
    encoder, inputs = make(kind, dropout=0.5), batch_of([1, 2, 3])
    assert torch.equal(encoder(inputs), encoder(inputs))
    encoder.train()
    assert not torch.equal(encoder(inputs), encoder(inputs))


@kinds
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "vocab_size must be at least 1, got 0"),
        ((5, 0), "width must be at least 1, got 0"),
        ((5, 4, 0), "num_layers must be at least 1, got 0"),
        ((5, 4, 1, 1.0), r"dropout must lie in \[0, 1\), got 1.0"),
        ((5, 4, 1, -0.1), r"dropout must lie in \[0, 1\), got -0.1"),
    ],
)
def test_settings_outside_their_range(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(*arguments)


def test_two_directions_need_an_even_width():
    with pytest.raises(ValueError, match=r"width must be even.*got 5"):
        BiLSTMEncoder(7, 5)
    assert LSTMEncoder(7, 5).width == 5


@kinds
@pytest.mark.parametrize("wrong", [-1, -100, VOCABULARY])
def test_ids_outside_the_vocabulary(kind, wrong):
    with pytest.raises(ValueError, match=rf"Token id {wrong} is outside the vocabulary of 11"):
        make(kind)(batch_of([1, wrong], [2, 3]))


def batches_with_and_without_padding():
    return batch_of([1, 2, 3], [4, 5, 6]), batch_of([1, 2, 3], [4], [])


@kinds
@pytest.mark.parametrize("has_it", [None, False])
def test_mixed_precision_on_any_processor(kind, has_it, monkeypatch):
    """Where the processor has no instructions PyTorch stopped at a batch without padding."""
    if has_it is not None:
        monkeypatch.setattr(recurrent_precision, "has_mixed_lstm", lambda dtype: has_it)
    encoder = make(kind, 2, dropout=0.0).float()
    for batch in batches_with_and_without_padding():
        expected = encoder(batch)
        expected.square().sum().backward()
        gradients = [p.grad.clone() for p in encoder.parameters()]
        encoder.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            found = encoder(batch)
        found.float().square().sum().backward()
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), expected, atol=0.02, rtol=0.02)
        for parameter, gradient in zip(encoder.parameters(), gradients, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, atol=0.1, rtol=0.05)
        encoder.zero_grad()


def test_without_instructions_only_the_result_is_rounded(monkeypatch):
    monkeypatch.setattr(recurrent_precision, "has_mixed_lstm", lambda dtype: False)
    encoder = make(BiLSTMEncoder, 2).float()
    for batch in batches_with_and_without_padding():
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            found = encoder(batch)
        assert torch.equal(found, encoder(batch).bfloat16())


@kinds
def test_weights_in_half_precision(kind):
    encoder = make(kind, 2)
    half = copy.deepcopy(encoder).bfloat16()
    for batch in batches_with_and_without_padding():
        torch.testing.assert_close(half(batch).double(), encoder(batch), atol=0.02, rtol=0.05)
