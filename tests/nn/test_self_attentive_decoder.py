"""The decoder that attends to its own past, against an LSTM cell and loops over the equations."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from mtl_utils.nn import SelfAttentiveDecoder, beam_search, greedy_search

VOCABULARY, WIDTH = 9, 4
EXACT = {"atol": 1e-12, "rtol": 1e-12}
MASK = torch.tensor([[True] * 4, [True, True, False, False], [True, True, True, False]])


def make(*sizes, seed=0, **settings):
    torch.manual_seed(seed)
    return SelfAttentiveDecoder(*(sizes or (VOCABULARY, WIDTH)), **settings).double().eval()


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def ids(*shape, seed=0):
    return torch.randint(VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


def start_of(decoder, rows=3, alone=False, seed=0):
    if alone:
        return decoder.start_alone(rows)
    return decoder.start(draw(rows, 4, WIDTH, seed=seed), MASK[:rows])


with_and_without_source = pytest.mark.parametrize("alone", [False, True])


def attend(attention, query, memory):
    """Weights and context of one query over a list of positions, number by number."""
    if not memory:
        return [], torch.zeros_like(query)
    scores = []
    for position in memory:
        inner = attention.from_query.weight @ query + attention.from_query.bias
        inner = inner + attention.from_memory.weight @ position
        scores.append(float(attention.score.weight[0] @ torch.tanh(inner)))
    total = math.fsum(math.exp(score) for score in scores)
    weights = [math.exp(score) / total for score in scores]
    return weights, sum(w * position for w, position in zip(weights, memory, strict=True))


@torch.no_grad()
def step_by_step(decoder, input_ids, memory):
    """One text by the equations: hidden ``[U, D]``, and the weights of each step as a list.

    The memory is a list of positions without padding, empty where there is no source.
    """
    cell = torch.nn.LSTMCell(decoder.width, decoder.width).double()
    cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in decoder.lstm.state_dict().items()}
    )
    mean = sum(memory) / len(memory) if memory else torch.zeros(decoder.width).double()
    started = torch.tanh(decoder.bridge.weight @ mean + decoder.bridge.bias)
    state = started[None, : decoder.width], started[None, decoder.width :]
    hidden, source, own, past = [], [], [], []
    for index in input_ids.tolist():
        state = cell(decoder.embedding.weight[index][None], state)
        read = state[0][0]
        source_weights, context = attend(decoder.attention, read, memory)
        own_weights, earlier = attend(decoder.self_attention, read, past)
        past.append(read)
        together = torch.cat([read, context, earlier])
        hidden.append(decoder.combine.weight @ together + decoder.combine.bias)
        source.append(source_weights)
        own.append(own_weights)
    return torch.stack(hidden), source, own


def padded(rows, size):
    return torch.tensor([[*row, *[0.0] * (size - len(row))] for row in rows], dtype=torch.float64)


@with_and_without_source
def test_equals_the_equations_step_by_step(alone):
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, WIDTH)
    decoded = decoder.decode(tokens, start_of(decoder, alone=alone))
    assert torch.equal(decoder(tokens, start_of(decoder, alone=alone))[0], decoded.hidden)
    for row, size in enumerate([0, 0, 0] if alone else MASK.sum(1).tolist()):
        hidden, source, own = step_by_step(decoder, tokens[row], list(memory[row, :size]))
        torch.testing.assert_close(decoded.hidden[row], hidden, **EXACT)
        expected = padded(source, 0 if alone else 4)
        torch.testing.assert_close(decoded.source_weights[row], expected, **EXACT)
        torch.testing.assert_close(decoded.own_weights[row], padded(own, 5), **EXACT)


@with_and_without_source
def test_a_state_attends_to_all_steps_before_it_and_to_no_other(alone):
    decoder = make()
    start = start_of(decoder, alone=alone)
    before = decoder.decode(ids(3, 2), start)
    after = decoder.decode(ids(3, 3, seed=1), before.state)
    for decoded, num_before in ((before, 0), (after, 2)):
        steps = decoded.own_weights.shape[1]
        earlier = torch.ones(steps, num_before + steps).tril(num_before - 1).bool()
        assert torch.equal(decoded.own_weights > 0, earlier.expand(3, -1, -1))
        sums = earlier.any(-1).double().expand(3, -1)  # nothing comes before the very first
        torch.testing.assert_close(decoded.own_weights.sum(-1), sums, **EXACT)


@with_and_without_source
@settings(max_examples=15)
@given(cuts=st.sets(st.integers(1, 6)), seed=st.integers(0, 2**31))
def test_carrying_the_state_equals_all_positions_at_once(alone, cuts, seed):
    decoder, tokens = make(seed=seed), ids(3, 7, seed=seed)
    start = start_of(decoder, alone=alone, seed=seed)
    whole = decoder.decode(tokens, start)
    state, edges = start, [0, *sorted(cuts), 7]
    for first, last in itertools.pairwise(edges):
        part = decoder.decode(tokens[:, first:last], state)
        state = part.state
        torch.testing.assert_close(part.hidden, whole.hidden[:, first:last], **EXACT)
        torch.testing.assert_close(
            part.source_weights, whole.source_weights[:, first:last], **EXACT
        )
        own = whole.own_weights[:, first:last]
        torch.testing.assert_close(part.own_weights, own[..., :last], **EXACT)
        assert not own[..., last:].any()
    torch.testing.assert_close(tuple(state), tuple(whole.state), **EXACT)


@with_and_without_source
@pytest.mark.parametrize("position", [1, 3, 6])
def test_a_later_token_never_changes_earlier_states(alone, position):
    decoder, before = make(), ids(3, 7)
    after = before.clone()
    after[:, position] = (after[:, position] + 1) % VOCABULARY
    state = start_of(decoder, alone=alone)
    first, second = decoder(before, state)[0], decoder(after, state)[0]
    assert torch.equal(first[:, :position], second[:, :position])
    assert (first[:, position:] != second[:, position:]).any(-1).all()


def gradients(decoder, tokens, memory, mask):
    """Return hidden states, and the gradients of a fixed function of them."""
    memory = memory.clone().requires_grad_()
    hidden, _ = decoder(tokens, decoder.start(memory, mask))
    loss = (hidden * draw(*hidden.shape, seed=7)).sum()
    return hidden.detach(), torch.autograd.grad(loss, [memory, *decoder.parameters()])


@pytest.mark.parametrize("filler", [0.0, -3.0, 1e100, math.inf, math.nan])
def test_neither_padding_of_the_memory_nor_what_it_holds_changes_anything(filler):
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, WIDTH)
    hidden, expected = gradients(decoder, tokens, memory, MASK)
    assert expected[0][MASK].all()
    longer = torch.cat([memory.masked_fill(~MASK[..., None], filler), memory * 0 + filler], dim=1)
    mask = torch.cat([MASK, torch.zeros_like(MASK)], dim=1)
    found_hidden, found = gradients(decoder, tokens, longer, mask)
    torch.testing.assert_close(found_hidden, hidden, **EXACT)
    assert not found[0][~mask].any()
    torch.testing.assert_close([found[0][:, :4], *found[1:]], [*expected], **EXACT)


@with_and_without_source
def test_rows_do_not_touch_each_other(alone):
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, WIDTH)

    def run(rows):
        source = decoder.start(memory[rows], MASK[rows])
        return decoder(tokens[rows], decoder.start_alone(len(rows)) if alone else source)[0]

    whole = run([0, 1, 2])
    for rows in ([2, 0, 1], [0], [1], [2]):
        torch.testing.assert_close(run(rows), whole[rows], **EXACT)


def test_a_source_of_padding_alone_is_no_source():
    """States and gradients are equal; weights differ in their shape and are zero."""
    decoder, tokens = make(), ids(3, 5)
    masked = decoder.start(draw(3, 4, WIDTH), torch.zeros_like(MASK))
    one, other = (decoder.decode(tokens, start) for start in (decoder.start_alone(3), masked))
    torch.testing.assert_close(one.hidden, other.hidden, **EXACT)
    torch.testing.assert_close(one.own_weights, other.own_weights, **EXACT)
    assert one.source_weights.shape == (3, 5, 0)
    assert torch.equal(other.source_weights, torch.zeros(3, 5, 4).double())
    found = [
        torch.autograd.grad(
            (decoded.hidden * draw(3, 5, WIDTH, seed=7)).sum(),
            [*decoder.parameters()],
            materialize_grads=True,
        )
        for decoded in (one, other)
    ]
    torch.testing.assert_close(*found, **EXACT)


def test_without_a_source_nothing_moves_what_attends_to_one():
    decoder = make()
    hidden, _ = decoder(ids(3, 5), decoder.start_alone(3))
    (hidden * draw(*hidden.shape, seed=7)).sum().backward()
    unmoved = {n for n, p in decoder.named_parameters() if p.grad is None or not p.grad.any()}
    assert unmoved == {
        "bridge.weight",
        *(name for name, _ in decoder.named_parameters() if name.startswith("attention.")),
    }
    assert not decoder.combine.weight.grad[:, WIDTH : 2 * WIDTH].any()
    assert decoder.combine.weight.grad[:, 2 * WIDTH :].all()


def test_a_row_without_a_source_is_harmless_among_others():
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, WIDTH)
    mask = MASK.clone()
    mask[1] = False
    hidden, (into_memory, *others) = gradients(decoder, tokens, memory, mask)
    assert all(gradient.isfinite().all() for gradient in (into_memory, *others))
    assert not into_memory[1].any()
    alone, _ = decoder(tokens[[1]], decoder.start_alone(1))
    torch.testing.assert_close(hidden[[1]], alone, **EXACT)
    kept = [0, 2]
    rest, _ = decoder(tokens[kept], decoder.start(memory[kept], MASK[kept]))
    torch.testing.assert_close(hidden[kept], rest, **EXACT)


class Run(torch.nn.Module):
    """Starts and decodes in one call."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, tokens, memory, mask):
        decoder = self.decoder
        start = decoder.start_alone(len(tokens)) if mask is None else decoder.start(memory, mask)
        first, state = decoder(tokens[:, :2], start)
        return torch.cat([first, decoder(tokens[:, 2:], state)[0]], dim=1)


@pytest.mark.parametrize("mask", [None, torch.tensor([[True, True, True], [True, False, False]])])
def test_the_gradient_is_right(mask):
    """In the memory and all parameters, through a state that is carried."""
    runner = Run(make(3, 2))
    names, weights = zip(*runner.named_parameters(), strict=True)
    tokens = torch.tensor([[2, 0, 1], [1, 1, 2]])

    def run(memory, *values):
        parameters = dict(zip(names, values, strict=True))
        return functional_call(runner, parameters, (tokens, memory, mask))

    inputs = [draw(2, 3, 2), *(weight.detach().clone() for weight in weights)]
    assert torch.autograd.gradcheck(run, [value.requires_grad_() for value in inputs])


def test_shared_embeddings_are_the_same_parameter():
    embedding = torch.nn.Embedding(VOCABULARY, WIDTH).double()
    decoder = make(embedding=embedding)
    assert decoder.embedding.weight is embedding.weight
    before, _ = decoder(ids(3, 5), decoder.start_alone(3))
    before.sum().backward()
    assert embedding.weight.grad.any()
    with torch.no_grad():
        embedding.weight += 1
    assert not torch.equal(decoder(ids(3, 5), decoder.start_alone(3))[0], before)
    assert make().embedding.weight is not make().embedding.weight


def test_gates_remember_by_default():
    lstm = make().lstm
    assert (lstm.bias_ih_l0[WIDTH : 2 * WIDTH] == 1).all()
    assert (lstm.bias_hh_l0.abs() <= WIDTH**-0.5).all()


def test_dropout_acts_in_training_alone_on_embeddings_and_before_the_linear_layer():
    decoder, tokens = make(dropout=0.5), ids(3, 5)
    state = start_of(decoder)
    assert torch.equal(decoder(tokens, state)[0], decoder(tokens, state)[0])
    dropped = []
    decoder.dropout.register_forward_hook(lambda module, given, made: dropped.append(given[0]))
    decoder.train()
    assert not torch.equal(decoder(tokens, state)[0], decoder(tokens, state)[0])
    embedded, together = dropped[:2]
    assert torch.equal(embedded, decoder.embedding(tokens))
    assert together.shape == (3, 5, 3 * WIDTH)


@with_and_without_source
def test_mixed_precision_carries_the_state_in_half(alone):
    decoder = make().float()
    memory = draw(3, 4, WIDTH).float()
    start = decoder.start_alone(3) if alone else decoder.start(memory, MASK)
    expected, _ = decoder(ids(3, 5), start)
    with torch.autocast("cpu", torch.bfloat16):
        state = decoder.start_alone(3) if alone else decoder.start(memory, MASK)
        first, state = decoder(ids(3, 5)[:, :2], state)
        second, state = decoder(ids(3, 5)[:, 2:], state)
    for carried in (state.lstm, state.written, state.written_keys):
        assert carried.dtype == torch.bfloat16
    found = torch.cat([first, second], dim=1)
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((0, 4), {}, "vocab_size must be at least 1, got 0"),
        ((5, 0), {}, "width must be at least 1, got 0"),
        ((5, 4), {"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ((5, 4), {"dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0.1"),
        (
            (5, 4),
            {"embedding": torch.nn.Embedding(5, 3)},
            "embedding .* gives vectors of size 3, but width is 4",
        ),
    ],
)
def test_settings_outside_their_range(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        SelfAttentiveDecoder(*arguments, **settings)


@pytest.mark.parametrize("wrong", [-100, VOCABULARY])
def test_ids_outside_the_vocabulary(wrong):
    decoder = make()
    with pytest.raises(ValueError, match=f"Token id {wrong} is outside the vocabulary of 9"):
        decoder(torch.tensor([[2, wrong]]), decoder.start_alone(1))


# Searching over it

EOS, SIZE, LIMIT = 1, 4, 3


def writer(seed):
    """Return a decoder of a tiny vocabulary, its output layer and a step that is both."""
    decoder = make(SIZE, WIDTH, seed=seed)
    output = torch.nn.Linear(WIDTH, SIZE).double()
    with torch.no_grad():
        for parameter in (*decoder.parameters(), *output.parameters()):
            parameter.mul_(3)  # sequences differ

    def step(input_ids, state):
        hidden, state = decoder(input_ids, state)
        return output(hidden), state

    return decoder, output, step


def every_sequence():
    """Return all that can be written within the limit, an end included where there is one."""
    tokens = [token for token in range(SIZE) if token != EOS]
    for size in range(LIMIT + 1):
        for written in itertools.product(tokens, repeat=size):
            yield (*written, EOS) if size < LIMIT else written


def log_probability(decoder, output, bos, written, memory):
    fed = torch.tensor([bos, *written[:-1]])
    hidden, _, _ = step_by_step(decoder, fed, memory)
    scores = (hidden @ output.weight.T + output.bias).log_softmax(-1)
    return float(sum(scores[u, token] for u, token in enumerate(written)).detach())


@with_and_without_source
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_wide_beam_finds_every_sequence_in_the_right_order(alone, seed, length_penalty):
    decoder, output, step = writer(seed)
    memory, bos_ids = draw(3, 4, WIDTH, seed=seed), [0, 2, 3]
    found = beam_search(
        step,
        start_of(decoder, alone=alone, seed=seed),
        torch.tensor(bos_ids),
        eos_id=EOS,
        max_length=LIMIT,
        beam_size=SIZE**LIMIT,
        length_penalty=length_penalty,
    )
    for row, (bos, size) in enumerate(zip(bos_ids, MASK.sum(1).tolist(), strict=True)):
        source = [] if alone else list(memory[row, :size])
        scored = [
            (log_probability(decoder, output, bos, written, source), written)
            for written in every_sequence()
        ]
        scored.sort(key=lambda pair: -pair[0] / len(pair[1]) ** length_penalty)
        assert len(scored) == 1 + 3 + 9 + 27
        assert [(*h.ids, *[EOS] * h.finished) for h in found[row]] == [w for _, w in scored]
        numbers = [h.log_probability for h in found[row]]
        assert numbers == pytest.approx([number for number, _ in scored], abs=1e-12)


@with_and_without_source
def test_a_greedy_search_takes_the_best_token_of_each_step(alone):
    """Its log-probability is that of the whole sequence, and the choice that of an enumeration."""
    lengths = set()
    for seed in range(4):
        decoder, output, step = writer(seed)
        memory, bos_ids = draw(3, 4, WIDTH, seed=seed), [0, 2, 3]
        start = start_of(decoder, alone=alone, seed=seed)
        settings = {"eos_id": EOS, "max_length": LIMIT}
        found = greedy_search(step, start, torch.tensor(bos_ids), **settings)
        for row, (bos, size) in enumerate(zip(bos_ids, MASK.sum(1).tolist(), strict=True)):
            source, written = [] if alone else list(memory[row, :size]), ()
            while len(written) < LIMIT and EOS not in written:
                continued = [(*written, token) for token in range(SIZE)]
                written = max(
                    continued, key=lambda w: log_probability(decoder, output, bos, w, source)
                )
            assert (*found[row].ids, *[EOS] * found[row].finished) == written
            number = log_probability(decoder, output, bos, written, source)
            assert found[row].log_probability == pytest.approx(number, abs=1e-12)
            lengths.add(len(written))
    assert len(lengths) > 1  # some end, some do not
