"""An encoder with a linear layer after it, and a shortcut around both."""

import pytest
import torch

from mtl_utils.data import Example, Inputs, collate
from mtl_utils.nn import BiLSTMEncoder, LSTMEncoder, ProjectedEncoder

VOCABULARY, WIDTH = 11, 6
EXACT = {"atol": 1e-12, "rtol": 1e-12}
kinds = pytest.mark.parametrize("kind", [LSTMEncoder, BiLSTMEncoder])


def make(kind, **settings):
    torch.manual_seed(0)
    return ProjectedEncoder(kind(VOCABULARY, WIDTH), **settings).double().eval()


def batch_of(*rows):
    return collate([Example(row) for row in rows]).inputs


@kinds
@pytest.mark.parametrize("shortcut", [True, False])
def test_equals_a_linear_layer_of_each_state_and_the_embedding(kind, shortcut):
    encoder, inputs = make(kind, shortcut=shortcut), batch_of([3, 1, 4, 1], [5, 9])
    hidden = encoder(inputs)
    assert hidden.shape == (2, 4, WIDTH)
    assert encoder.width == WIDTH
    states = encoder.encoder(inputs)
    weight, bias = encoder.projection.weight, encoder.projection.bias
    embedding = encoder.encoder.embedding.weight
    for row, ids in enumerate(([3, 1, 4, 1], [5, 9])):
        for position, index in enumerate(ids):
            expected = weight @ states[row, position] + bias
            if shortcut:
                expected = expected + embedding[index]
            torch.testing.assert_close(hidden[row, position], expected, **EXACT)


@kinds
def test_the_shortcut_sees_the_units_that_the_encoder_sees(kind):
    """While training a dropped unit is dropped for both; without the LSTM only it is left."""
    torch.manual_seed(0)
    encoder = ProjectedEncoder(kind(VOCABULARY, WIDTH, dropout=0.5)).double().train()
    seen = []
    encoder.encoder.lstm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    torch.nn.init.zeros_(encoder.projection.weight)
    torch.nn.init.zeros_(encoder.projection.bias)
    hidden = encoder(batch_of([3, 1, 4, 1], [5, 9, 2, 6]))
    torch.testing.assert_close(hidden, seen[0], **EXACT)
    assert (hidden == 0).any()
    assert (hidden != 0).any()


@pytest.mark.parametrize("causal", [True, False])
def test_it_is_causal_where_its_encoder_is(causal):
    encoder = make(LSTMEncoder if causal else BiLSTMEncoder)
    assert encoder.causal is causal
    before, after = encoder(batch_of([3, 1, 4, 1], [3, 1, 4, 2]))
    assert torch.equal(before[:3], after[:3]) is causal
    assert (before[3] != after[3]).all()


@kinds
def test_states_of_tokens_do_not_depend_on_padding(kind):
    encoder, inputs = make(kind), batch_of([3, 1, 4, 1], [5, 9])
    ids = torch.full((2, 7), 8)
    mask = torch.zeros(2, 7, dtype=torch.bool)
    mask[:, :4] = inputs.mask
    ids[mask] = inputs.input_ids[inputs.mask]
    torch.testing.assert_close(
        encoder(Inputs(ids, mask))[mask], encoder(inputs)[inputs.mask], **EXACT
    )
