"""The encoder against torch.nn and BERT with the same weights, and what must not change it."""

import math

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformer_twins import copy_bert, copy_torch_layer

from mtl_utils.data import Example, Inputs, collate
from mtl_utils.nn import (
    BiLSTMEncoder,
    Packing,
    TransformerEncoder,
    TransformerLayer,
    TransformerStack,
    WordCharacterEmbedding,
)

VOCABULARY, WIDTH, HEADS, LAYERS, INSIDE = 11, 8, 2, 3, 20
EXACT = {"atol": 1e-9, "rtol": 1e-9}
MASK = torch.tensor([[True] * 5, [True, True, False, False, False], [True] * 4 + [False]])

causals = pytest.mark.parametrize("causal", [False, True])
norms = pytest.mark.parametrize("norm_first", [False, True])
activations = pytest.mark.parametrize("activation", ["relu", "gelu"])


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def disturb(module):
    """Make biases and norms matter."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def make_stack(seed=0, **settings):
    torch.manual_seed(seed)
    stack = TransformerStack(WIDTH, LAYERS, HEADS, INSIDE, **settings)
    return disturb(stack.double().eval())


def make(seed=0, num_layers=2, **settings):
    torch.manual_seed(seed)
    settings = {"feedforward_width": INSIDE, "max_length": 20, **settings}
    encoder = TransformerEncoder(VOCABULARY, WIDTH, num_layers, HEADS, **settings)
    return disturb(encoder.double().eval())


def batch_of(*rows):
    return collate([Example(row) for row in rows]).inputs


# Against others


@norms
@activations
@causals
@pytest.mark.parametrize("training", [False, True])
def test_layers_equal_those_of_torch(norm_first, activation, causal, training):
    torch.manual_seed(0)
    settings = {"activation": activation, "norm_first": norm_first}
    layer = torch.nn.TransformerEncoderLayer(
        WIDTH, HEADS, INSIDE, dropout=0.0, batch_first=True, **settings
    )
    norm = torch.nn.LayerNorm(WIDTH) if norm_first else None
    theirs = torch.nn.TransformerEncoder(layer, LAYERS, norm, enable_nested_tensor=False)
    theirs = disturb(theirs.double()).train(training)
    ours = make_stack(dropout=0.0, causal=causal, **settings).train(training)
    for their_layer, our_layer in zip(theirs.layers, ours.layers, strict=True):
        copy_torch_layer(their_layer, our_layer)
    if norm is not None:
        ours.norm.load_state_dict(theirs.norm.state_dict())
    hidden = draw(3, 5, WIDTH)
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected = theirs(hidden, mask=later if causal else None, src_key_padding_mask=~MASK)
    torch.testing.assert_close(ours(hidden, MASK)[MASK], expected[MASK], **EXACT)
    everywhere = torch.ones_like(MASK)
    expected = theirs(hidden, mask=later if causal else None)
    torch.testing.assert_close(ours(hidden, everywhere), expected, **EXACT)


@pytest.mark.parametrize("pairs", [False, True])
def test_equals_bert(pairs):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=INSIDE,
        max_position_embeddings=20,
        initializer_range=0.5,
        layer_norm_eps=1e-5,
        attn_implementation="eager",
    )
    bert = disturb(transformers.BertModel(config, add_pooling_layer=False)).eval()
    ours = TransformerEncoder(
        VOCABULARY,
        WIDTH,
        LAYERS,
        HEADS,
        INSIDE,
        max_length=20,
        positions="learned",
        norm_first=False,
        norm_embeddings=True,
        activation="gelu",
    ).eval()
    copy_bert(bert, ours)
    input_ids = torch.randint(VOCABULARY, (3, 5))
    segment_ids = torch.randint(2, (3, 5)) if pairs else None
    expected = bert(input_ids, MASK.long(), token_type_ids=segment_ids, output_attentions=True)
    inputs = Inputs(input_ids, MASK, segment_ids)
    found = ours(inputs)
    torch.testing.assert_close(found[MASK], expected.last_hidden_state[MASK], atol=1e-5, rtol=1e-5)
    weights = ours.attention_weights(inputs)
    theirs = torch.stack(expected.attentions, dim=1)
    there = MASK[:, None, None, :, None].expand_as(theirs)
    torch.testing.assert_close(weights[there], theirs[there], atol=1e-5, rtol=1e-5)


# What must not change anything


@causals
@norms
@pytest.mark.parametrize("filler", [0.0, -3.0, 1e100, math.inf, math.nan])
def test_what_padding_holds_does_not_matter(causal, norm_first, filler):
    stack, hidden = make_stack(causal=causal, norm_first=norm_first), draw(3, 5, WIDTH)
    values, expected = gradients(stack, hidden, MASK)
    longer = torch.cat([hidden.masked_fill(~MASK[..., None], filler), hidden * 0 + filler], dim=1)
    mask = torch.cat([MASK, torch.zeros_like(MASK)], dim=1)
    padded, found = gradients(stack, longer, mask)
    torch.testing.assert_close(padded[:, :5], values, **EXACT)
    assert not padded[~mask].any()
    assert not found[0][~mask].any()
    torch.testing.assert_close([found[0][:, :5], *found[1:]], [*expected], **EXACT)


def gradients(stack, hidden, mask):
    """Return states, and the gradients of a fixed function of all of them, padding included."""
    hidden = hidden.clone().requires_grad_()
    found = stack(hidden, mask)
    weigh = draw(len(hidden), 10, WIDTH, seed=5)[:, : hidden.shape[1]]
    loss = (found * weigh).sum()
    return found.detach(), torch.autograd.grad(loss, [hidden, *stack.parameters()])


@causals
@norms
@pytest.mark.parametrize("training", [False, True])
def test_tokens_alone_give_the_same_as_with_their_padding(causal, norm_first, training):
    """On other devices than the CPU padding goes through the layers."""
    stack = make_stack(causal=causal, norm_first=norm_first, dropout=0.0).train(training)
    hidden, mask = draw(3, 5, WIDTH), MASK.clone()
    mask[2, 1] = False  # a gap
    padded = hidden.masked_fill(~mask.unsqueeze(-1), 0.0)
    for layer in stack.layers:
        padded = layer(padded, mask, causal)
    packed = stack(hidden, mask)
    torch.testing.assert_close(packed[mask], stack.norm(padded)[mask], **EXACT)
    assert not packed[~mask].any()


def test_packing_and_unpacking():
    packing, hidden = Packing(MASK), draw(3, 5, WIDTH)
    packed = packing.pack(hidden)
    assert torch.equal(packed, hidden[MASK])
    assert torch.equal(packing.unpack(packed), hidden.masked_fill(~MASK.unsqueeze(-1), 0.0))
    nothing = Packing(torch.zeros(2, 3, dtype=torch.bool))
    assert nothing.pack(hidden[:2, :3]).shape == (0, WIDTH)
    assert not nothing.unpack(hidden[0, :0]).any()


@norms
@pytest.mark.parametrize("position", [1, 3, 4])
def test_a_later_token_changes_nothing_where_it_is_causal(norm_first, position):
    before = torch.randint(VOCABULARY, (3, 5), generator=torch.Generator().manual_seed(0))
    after = before.clone()
    after[:, position] = (after[:, position] + 1) % VOCABULARY
    mask = torch.ones(3, 5, dtype=torch.bool)
    encoder = make(causal=True, norm_first=norm_first)
    first, second = encoder(Inputs(before, mask)), encoder(Inputs(after, mask))
    assert encoder.causal
    assert torch.equal(first[:, :position], second[:, :position])
    assert (first[:, position:] != second[:, position:]).any(-1).all()
    both_ways = make(norm_first=norm_first)
    assert not both_ways.causal
    first, second = both_ways(Inputs(before, mask)), both_ways(Inputs(after, mask))
    assert (first != second).any(-1).all()


@norms
@causals
@settings(max_examples=15)
@given(rows=st.lists(st.lists(st.integers(0, 10), max_size=6), min_size=1, max_size=4))
def test_neither_the_batch_nor_its_padding_matters(norm_first, causal, rows):
    encoder = make(norm_first=norm_first, causal=causal)
    together = encoder(batch_of(*rows))
    for row, states in zip(rows, together, strict=True):
        assert not states[len(row) :].any()
        if row:
            alone = encoder(batch_of(row))[0]
            torch.testing.assert_close(states[: len(row)], alone, **EXACT)


@norms
def test_without_positions_order_does_not_matter(norm_first):
    stack, hidden = make_stack(norm_first=norm_first), draw(2, 5, WIDTH)
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]])
    order = [3, 0, 4, 1, 2]
    found = stack(hidden[:, order], mask[:, order])
    torch.testing.assert_close(found, stack(hidden, mask)[:, order], **EXACT)
    encoder = make()
    forth, back = encoder(batch_of([1, 2, 3])), encoder(batch_of([3, 2, 1]))
    assert not torch.allclose(forth, back.flip(1))


def test_a_row_without_a_token_is_zero_and_harmless():
    encoder = make()
    with_empty, without = batch_of([1, 2, 3], [], [4]), batch_of([1, 2, 3], [4])
    hidden = encoder(with_empty)
    assert not hidden[1].any()
    torch.testing.assert_close(hidden[[0, 2]], encoder(without), **EXACT)
    hidden.sum().backward()
    found = [p.grad.clone() for p in encoder.parameters() if p.grad is not None]
    encoder.zero_grad()
    encoder(without).sum().backward()
    expected = [p.grad for p in encoder.parameters() if p.grad is not None]
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("training", [False, True])
@causals
def test_nothing_to_read(shape, training, causal):
    inputs = Inputs(torch.zeros(shape, dtype=torch.long), torch.ones(shape, dtype=torch.bool))
    assert make(causal=causal).train(training)(inputs).shape == (*shape, WIDTH)


@norms
@causals
def test_the_gradient_is_right(norm_first, causal):
    torch.manual_seed(0)
    layer = TransformerLayer(2, 2, 3, norm_first=norm_first, activation="gelu").double().eval()
    names = [name for name, _ in layer.named_parameters()]
    mask = torch.tensor([[True, True, True], [True, True, False]])

    def run(hidden, *values):
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(layer, parameters, (hidden, mask, causal))

    values = [p.detach().clone() for p in layer.parameters()]
    inputs = [value.requires_grad_() for value in (draw(2, 3, 2), *values)]
    assert torch.autograd.gradcheck(run, inputs)


# Settings


def test_it_starts_with_inputs_of_the_size_that_layers_expect():
    torch.manual_seed(0)
    encoder = TransformerEncoder(2000, 64, 1, 4, dropout=0.0)
    inputs = Inputs(torch.randint(2000, (8, 50)), torch.ones(8, 50, dtype=torch.bool))
    assert float(encoder.embedding.weight.detach().std()) == pytest.approx(64**-0.5, rel=0.02)
    tokens = encoder.embed(inputs) - encoder.positions(50)
    assert float(tokens.detach().std()) == pytest.approx(1, rel=0.02)
    assert not encoder.segments.weight.any()
    sizes = [layer.feedforward.inner.out_features for layer in encoder.stack.layers]
    assert sizes == [256]


def test_segments():
    ids, mask = torch.tensor([[1, 2, 3]]), torch.ones(1, 3, dtype=torch.bool)
    encoder = make(num_segments=3)
    single = encoder(Inputs(ids, mask))
    assert torch.equal(single, encoder(Inputs(ids, mask, torch.zeros_like(ids))))
    paired = encoder(Inputs(ids, mask, torch.tensor([[0, 2, 1]])))
    assert (paired != single).any(-1).all()
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=f"Segment id {wrong} is outside the 3 segments"):
            encoder(Inputs(ids, mask, torch.tensor([[0, wrong, 1]])))


def test_embeddings_can_be_shared_or_replaced():
    torch.manual_seed(0)
    shared = torch.nn.Embedding(VOCABULARY, WIDTH)
    encoder = TransformerEncoder(VOCABULARY, WIDTH, 1, HEADS, embedding=shared).eval()
    assert encoder.embedding is shared
    inputs = batch_of([1, 2])
    scaled = encoder.embed(inputs) - encoder.positions(2)
    torch.testing.assert_close(scaled, shared(inputs.input_ids) * WIDTH**0.5)

    words = WordCharacterEmbedding(VOCABULARY, WIDTH, 7, 3)
    encoder = TransformerEncoder(VOCABULARY, WIDTH, 1, HEADS, embedding=words).eval()
    inputs = Inputs(inputs.input_ids, inputs.mask, None, torch.tensor([[[1, 2], [3, 0]]]))
    torch.testing.assert_close(encoder.embed(inputs) - encoder.positions(2), words(inputs))
    with pytest.raises(ValueError, match="vectors of size 5, but width is 8"):
        TransformerEncoder(VOCABULARY, WIDTH, 1, HEADS, embedding=torch.nn.Embedding(9, 5))
    reader = BiLSTMEncoder(VOCABULARY, WIDTH, embedding=make().embedding)
    assert reader.embedding.embedding_dim == WIDTH


def test_weights_to_plot():
    encoder, inputs = make(causal=True), batch_of([1, 2, 3, 4], [5, 6])
    weights = encoder.attention_weights(inputs)
    assert weights.shape == (2, 2, HEADS, 4, 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, HEADS, 4).double())
    assert not weights.triu(1).any()
    assert not weights[1, ..., 2:].any()


def test_dropout_acts_in_training_alone():
    for chosen in ({"dropout": 0.5}, {"dropout": 0.0, "activation_dropout": 0.5}):
        encoder, inputs = make(**chosen), batch_of([1, 2, 3])
        assert torch.equal(encoder(inputs), encoder(inputs))
        encoder.train()
        assert not torch.equal(encoder(inputs), encoder(inputs))
    encoder = make(dropout=0.0).train()
    assert torch.equal(encoder(inputs), encoder(inputs))


@pytest.mark.parametrize("training", [False, True])
@causals
def test_other_devices_than_the_cpu(training, causal):
    """A device without numbers: what asks for one, as a GPU would have to wait for, fails."""
    encoder = make(causal=causal).to("meta").train(training)
    hidden = encoder(batch_of([1, 2, 3], [4]).to("meta"))
    assert hidden.shape == (2, 3, WIDTH)
    hidden.sum().backward()
    assert encoder.embedding.weight.grad.shape == (VOCABULARY, WIDTH)


@pytest.mark.parametrize("training", [False, True])
@causals
def test_half_precision(training, causal):
    encoder = make(causal=causal, dropout=0.0).float().train(training)
    for inputs in (batch_of([1, 2, 3, 4], [5, 6]), batch_of([1, 2], [3, 4])):
        expected = encoder(inputs)
        with torch.autocast("cpu", torch.bfloat16):
            found = encoder(inputs)
        torch.testing.assert_close(found.float(), expected, atol=0.2, rtol=0.05)
        found.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.stack.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": 0}, "vocab_size must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"num_heads": 0}, "num_heads must be at least 1, got 0"),
        ({"num_heads": 3}, "8 is not divisible by 3"),
        ({"feedforward_width": 0}, "feedforward_width must be at least 1, got 0"),
        ({"max_length": 0}, "max_length must be at least 1, got 0"),
        ({"num_segments": 0}, "num_segments must be at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"activation": "tanh"}, r"activation must be one of \['relu', 'gelu'\], got 'tanh'"),
        ({"positions": "none"}, "positions must be one of"),
    ],
)
def test_settings_outside_their_range(settings, message):
    given = {"vocab_size": 5, "width": 8, "num_layers": 1, "num_heads": 2, **settings}
    with pytest.raises(ValueError, match=message):
        TransformerEncoder(**given)


def test_inputs_that_do_not_fit():
    encoder = make(max_length=4)
    for wrong in (-1, VOCABULARY):
        with pytest.raises(ValueError, match=f"Token id {wrong} is outside the vocabulary of 11"):
            encoder(batch_of([1, wrong]))
    with pytest.raises(ValueError, match="text of 5 tokens is longer than the 4 positions"):
        encoder(batch_of([1, 2, 3, 4, 5], [1]))
    stack, hidden = make_stack(), draw(3, 5, WIDTH)
    for states, mask in (
        (hidden[..., :4], MASK),
        (hidden[0], MASK),
        (hidden, MASK[:2]),
        (hidden, MASK[:, :4]),
    ):
        with pytest.raises(ValueError, match=r"Expected hidden \[B, T, 8\] and a mask \[B, T\]"):
            stack(states, mask)
    with pytest.raises(TypeError, match=r"Expected a boolean mask, got torch.int64"):
        stack(hidden, MASK.long())
