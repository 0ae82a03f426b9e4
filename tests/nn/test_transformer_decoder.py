"""The decoder against torch.nn and BART, cached against uncached, and under every search."""

import math

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformer_twins import copy_bart, copy_torch_decoder_layer

from mtl_utils.nn import TransformerDecoder, beam_search, greedy_search, sample, select_rows

VOCABULARY, WIDTH, HEADS, LAYERS, MEMORY, INSIDE = 9, 8, 2, 2, 6, 12
BOS, EOS = 0, 1
EXACT = {"atol": 1e-9, "rtol": 1e-9}
MASK = torch.tensor([[True] * 4, [True, True, False, False], [True, True, True, False]])

norms = pytest.mark.parametrize("norm_first", [False, True])


def make(seed=0, memory_width=MEMORY, spread=0.3, **settings):
    torch.manual_seed(seed)
    settings = {"feedforward_width": INSIDE, "max_length": 12, **settings}
    decoder = TransformerDecoder(VOCABULARY, WIDTH, LAYERS, HEADS, memory_width, **settings)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return decoder.double().eval()


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def ids(*shape, seed=0):
    return torch.randint(VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


@norms
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("training", [False, True])
def test_layers_equal_those_of_torch(norm_first, activation, training):
    torch.manual_seed(0)
    layer = torch.nn.TransformerDecoderLayer(
        WIDTH, HEADS, INSIDE, 0.0, activation, batch_first=True, norm_first=norm_first
    )
    norm = torch.nn.LayerNorm(WIDTH) if norm_first else None
    theirs = torch.nn.TransformerDecoder(layer, LAYERS, norm).double().train(training)
    ours = make(memory_width=None, dropout=0.0, norm_first=norm_first, activation=activation)
    ours.train(training)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    for their_layer, our_layer in zip(theirs.layers, ours.layers, strict=True):
        copy_torch_decoder_layer(their_layer, our_layer)
    if norm is not None:
        ours.norm.load_state_dict(theirs.norm.state_dict())
    tokens, memory = ids(3, 5), draw(3, 4, WIDTH)
    embedded = ours.embedding(tokens) * math.sqrt(WIDTH) + ours.positions(5)
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected = theirs(embedded, memory, later, memory_key_padding_mask=~MASK)
    logits, _ = ours(tokens, ours.start(memory, MASK))
    expected = expected @ ours.embedding.weight.T + ours.output.bias
    torch.testing.assert_close(logits, expected, **EXACT)


def test_equals_bart():
    torch.manual_seed(0)
    config = transformers.BartConfig(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        encoder_layers=1,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=INSIDE,
        decoder_ffn_dim=INSIDE,
        max_position_embeddings=12,
        scale_embedding=True,
        init_std=0.5,
        attn_implementation="eager",
    )
    bart = transformers.BartForConditionalGeneration(config).double().eval()
    ours = make(
        memory_width=None,
        positions="learned",
        norm_first=False,
        norm_embeddings=True,
        activation="gelu",
    )
    copy_bart(bart, ours)
    tokens, memory = ids(3, 5), draw(3, 4, WIDTH)
    expected = bart(
        encoder_outputs=(memory,),
        attention_mask=MASK.long(),
        decoder_input_ids=tokens,
        output_attentions=True,
    )
    state = ours.start(memory, MASK)
    torch.testing.assert_close(ours(tokens, state)[0], expected.logits, atol=1e-6, rtol=1e-6)
    source, own = ours.attention_weights(tokens, state)
    near = {"atol": 1e-6, "rtol": 1e-6}
    torch.testing.assert_close(source, torch.stack(expected.cross_attentions, 1), **near)
    torch.testing.assert_close(own, torch.stack(expected.decoder_attentions, 1), **near)


@settings(max_examples=20)
@given(cuts=st.sets(st.integers(1, 6)), seed=st.integers(0, 2**31), norm_first=st.booleans())
def test_carrying_the_state_equals_all_positions_at_once(cuts, seed, norm_first):
    decoder, tokens = make(seed, norm_first=norm_first), ids(3, 7, seed=seed)
    start = decoder.start(draw(3, 4, MEMORY, seed=seed), MASK)
    whole, end = decoder(tokens, start)
    all_weights = decoder.attention_weights(tokens, start)
    state, parts, weights = start, [], []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 7], strict=True):
        weights.append(decoder.attention_weights(tokens[:, first:last], state).source)
        logits, state = decoder(tokens[:, first:last], state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, **EXACT)
    torch.testing.assert_close(torch.cat(weights, dim=3), all_weights.source, **EXACT)
    torch.testing.assert_close(state, end, **EXACT)


def test_a_state_can_be_used_twice():
    decoder, first, second = make(), ids(3, 4), ids(3, 4, seed=1)
    _, state = decoder(ids(3, 2, seed=2), decoder.start(draw(3, 4, MEMORY), MASK))
    before = decoder(first, state)[0]
    decoder(second, state)
    assert torch.equal(decoder(first, state)[0], before)


def test_rows_of_a_state_can_be_picked():
    decoder, tokens = make(), ids(3, 5)
    rows = torch.tensor([2, 0, 2])
    _, state = decoder(tokens[:, :2], decoder.start(draw(3, 4, MEMORY), MASK))
    found, _ = decoder(tokens[rows, 2:], select_rows(state, rows))
    torch.testing.assert_close(found, decoder(tokens[:, 2:], state)[0][rows], **EXACT)


@norms
@pytest.mark.parametrize("position", [1, 3, 6])
def test_a_later_token_never_changes_earlier_logits(norm_first, position):
    decoder, before = make(norm_first=norm_first), ids(3, 7)
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


def test_an_empty_memory_is_harmless_and_like_none():
    decoder, tokens, memory = make(), ids(3, 5), draw(3, 4, MEMORY)
    mask = MASK.clone()
    mask[1] = False
    logits, (into_memory, *_) = gradients(decoder, tokens, memory, mask)
    assert logits.isfinite().all()
    assert not into_memory[1].any()
    alone, _ = decoder(tokens, decoder.start_alone(3))
    torch.testing.assert_close(logits[1], alone[1], **EXACT)
    assert not torch.allclose(logits[0], alone[0])


def test_the_gradient_is_right():
    decoder = make(spread=0.1)
    tokens = ids(3, 4)

    def run(memory):
        return decoder(tokens, decoder.start(memory, MASK))[0]

    decoder.requires_grad_(False)
    assert torch.autograd.gradcheck(run, draw(3, 4, MEMORY).requires_grad_())
    decoder.requires_grad_()
    memory = draw(3, 4, MEMORY)
    loss = (run(memory) * draw(3, 4, VOCABULARY, seed=3)).sum()
    found = dict(zip(*zip(*decoder.named_parameters(), strict=True), strict=True))
    grads = dict(zip(found, torch.autograd.grad(loss, [*found.values()]), strict=True))
    for name, parameter in found.items():  # along a random direction, by central differences
        direction, step = draw(*parameter.shape, seed=4), 1e-5
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
                values.append((run(memory) * draw(3, 4, VOCABULARY, seed=3)).sum())
                parameter.sub_(sign * step * direction)
        slope = float(values[0] - values[1]) / (2 * step)
        assert float((grads[name] * direction).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-6)


# Searching


def uncached(decoder, memory, mask):
    """A step without a cache: it reads the whole prefix again, which is its state."""

    def step(input_ids, state):
        prefix, rows = state
        prefix = torch.cat([prefix, input_ids], dim=1)
        logits, _ = decoder(prefix, decoder.start(memory[rows], mask[rows]))
        return logits[:, -1:], (prefix, rows)

    rows = torch.arange(len(memory))
    return step, (torch.zeros(len(memory), 0, dtype=torch.long), rows)


@pytest.mark.parametrize("seed", range(4))
def test_searches_find_the_same_with_and_without_the_cache(seed):
    decoder, memory = make(seed, spread=0.8), draw(3, 4, MEMORY, seed=seed)
    bos_ids, limits = torch.full((3,), BOS), {"eos_id": EOS, "max_length": 8}
    state = decoder.start(memory, MASK)
    step, prefix = uncached(decoder, memory, MASK)
    found = greedy_search(decoder, state, bos_ids, **limits)
    expected = greedy_search(step, prefix, bos_ids, **limits)
    assert [h.ids for h in found] == [h.ids for h in expected]
    found = beam_search(decoder, state, bos_ids, beam_size=4, **limits)
    expected = beam_search(step, prefix, bos_ids, beam_size=4, **limits)
    for ours, theirs in zip(found, expected, strict=True):
        assert [h.ids for h in ours] == [h.ids for h in theirs]
        scores = [h.log_probability for h in theirs]
        assert [h.log_probability for h in ours] == pytest.approx(scores)


def test_alone_it_continues_texts():
    decoder, prompt = make(spread=0.8), ids(2, 3)

    def step(input_ids, state):
        return decoder(input_ids, decoder.start_alone(len(input_ids)) if state is None else state)

    found = sample(step, prompt, 5, temperature=0)
    for length in range(3, 8):
        logits, _ = decoder(found[:, :length], decoder.start_alone(2))
        assert torch.equal(logits[:, -1].argmax(-1), found[:, length])


# Settings


def test_what_decode_returns():
    decoder, tokens = make(), ids(3, 5)
    state = decoder.start(draw(3, 4, MEMORY), MASK)
    decoded = decoder.decode(tokens, state)
    logits, after = decoder(tokens, state)
    torch.testing.assert_close(decoder.output(decoded.hidden), logits, **EXACT)
    torch.testing.assert_close(decoded.state, after, **EXACT)
    weights = decoder.attention_weights(tokens, state)
    assert weights.source.shape == (3, LAYERS, HEADS, 5, 4)
    assert weights.own.shape == (3, LAYERS, HEADS, 5, 5)
    torch.testing.assert_close(decoded.weights, weights.source.mean((1, 2)), **EXACT)
    assert not decoded.weights[1, :, 2:].any()
    assert not weights.own.triu(1).any()
    for found in weights:
        torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:-1]).double())


@norms
@pytest.mark.parametrize("width", [64, 512])
def test_it_starts_near_the_uniform_distribution_with_inputs_of_unit_variance(norm_first, width):
    torch.manual_seed(0)
    decoder = TransformerDecoder(3000, width, 2, 4, dropout=0.0, norm_first=norm_first)
    assert decoder.output.weight is decoder.embedding.weight
    embedded = decoder.embedding.weight.detach() * width**0.5
    assert float(embedded.std()) == pytest.approx(1, rel=0.02)
    tokens = torch.randint(3000, (4, 20))
    state = decoder.start(torch.randn(4, 7, width), torch.ones(4, 7, dtype=torch.bool))
    logits, _ = decoder(tokens, state)
    # For any target, be it the token that was just read.
    for targets in (tokens, torch.randint(3000, (4, 20))):
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        assert abs(loss.item() - math.log(3000)) < 3
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.randint(3000, (80,)))
    assert loss.item() == pytest.approx(math.log(3000), rel=0.03)


def test_embeddings_can_be_shared():
    shared = torch.nn.Embedding(VOCABULARY, WIDTH)
    decoder = TransformerDecoder(VOCABULARY, WIDTH, 1, HEADS, embedding=shared)
    assert decoder.embedding is shared
    assert decoder.output.weight is shared.weight
    with pytest.raises(ValueError, match="vectors of size 5, but width is 8"):
        TransformerDecoder(VOCABULARY, WIDTH, 1, HEADS, embedding=torch.nn.Embedding(9, 5))


@pytest.mark.parametrize("shape", [(2, 0), (0, 3)])
@pytest.mark.parametrize("training", [False, True])
def test_nothing_to_read(shape, training):
    decoder = make().train(training)
    memory = torch.zeros(shape[0], 4, MEMORY, dtype=torch.float64)
    state = decoder.start(memory, torch.ones(shape[0], 4, dtype=torch.bool))
    logits, _ = decoder(torch.zeros(shape, dtype=torch.long), state)
    assert logits.shape == (*shape, VOCABULARY)


def test_dropout_acts_in_training_alone():
    decoder, tokens = make(dropout=0.5), ids(3, 5)
    state = decoder.start(draw(3, 4, MEMORY), MASK)
    assert torch.equal(decoder(tokens, state)[0], decoder(tokens, state)[0])
    decoder.train()
    assert not torch.equal(decoder(tokens, state)[0], decoder(tokens, state)[0])


@pytest.mark.parametrize("training", [False, True])
def test_other_devices_than_the_cpu(training):
    """A device without numbers: what asks for one, as a GPU would have to wait for, fails."""
    decoder = make().to("meta").train(training)
    state = decoder.start(draw(3, 4, MEMORY).to("meta"), MASK.to("meta"))
    for length in (2, 1, 3):
        logits, state = decoder(ids(3, length).to("meta"), state)
        assert logits.shape == (3, length, VOCABULARY)
    logits.sum().backward()
    assert decoder.output.weight.grad.shape == (VOCABULARY, WIDTH)


@pytest.mark.parametrize("training", [False, True])
def test_half_precision(training):
    decoder, tokens = make(dropout=0.1).float().train(training), ids(3, 5)
    memory, bos_ids = draw(3, 4, MEMORY).float(), torch.full((3,), BOS)
    expected = decoder.eval()(tokens, decoder.start(memory, MASK))[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = decoder(tokens, decoder.start(memory, MASK))[0]
        state, steps = decoder.start(memory, MASK), []
        for position in range(5):
            logits, state = decoder(tokens[:, position : position + 1], state)
            steps.append(logits)
        beam_search(
            decoder, decoder.start(memory, MASK), bos_ids, eos_id=EOS, max_length=5, beam_size=3
        )
        decoder.train(training)(tokens, decoder.start(memory, MASK))[0].float().sum().backward()
    for logits in (found, torch.cat(steps, dim=1)):
        torch.testing.assert_close(logits.float(), expected, atol=0.3, rtol=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": 0}, "vocab_size must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"num_heads": 3}, "8 is not divisible by 3"),
        ({"memory_width": 0}, "memory_width must be at least 1, got 0"),
        ({"feedforward_width": 0}, "feedforward_width must be at least 1, got 0"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0.1"),
        ({"activation": "tanh"}, "activation must be one of"),
        ({"positions": "none"}, "positions must be one of"),
    ],
)
def test_settings_outside_their_range(settings, message):
    given = {"vocab_size": 5, "width": 8, "num_layers": 1, "num_heads": 2, **settings}
    with pytest.raises(ValueError, match=message):
        TransformerDecoder(**given)


def test_inputs_that_do_not_fit():
    decoder, memory = make(max_length=4), draw(3, 4, MEMORY)
    state = decoder.start(memory, MASK)
    for wrong in (-100, VOCABULARY):
        with pytest.raises(ValueError, match=f"Token id {wrong} is outside the vocabulary of 9"):
            decoder(torch.full((3, 1), wrong), state)
    with pytest.raises(ValueError, match="text of 5 tokens is longer than the 4 positions"):
        decoder(ids(3, 5), state)
    _, state = decoder(ids(3, 4), state)
    with pytest.raises(ValueError, match="text of 5 tokens is longer than the 4 positions"):
        decoder(ids(3, 1), state)
    for states, mask in ((memory[..., :5], MASK), (memory, MASK[:2]), (memory, MASK[:, :3])):
        with pytest.raises(ValueError, match=r"Expected a memory \[B, T, 6\] and a mask \[B, T\]"):
            decoder.start(states, mask)
