"""Ids as they come: small integers are read, ids that do not exist and bare tensors are refused."""

import pytest
import torch

from mtl_utils.data import Inputs
from mtl_utils.models import LSTMLanguageModel
from mtl_utils.nn import (
    BiLSTMEncoder,
    LSTMEncoder,
    PretrainedEncoder,
    ProjectedEncoder,
    TransformerEncoder,
)

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
BERT = {"model_type": "bert", "vocab_size": 30, "intermediate_size": 8, **SIZES}
ENCODERS = {
    "lstm": lambda: LSTMEncoder(30, 8),
    "bilstm": lambda: BiLSTMEncoder(30, 8),
    "projected": lambda: ProjectedEncoder(BiLSTMEncoder(30, 8)),
    "transformer": lambda: TransformerEncoder(30, 8, 1, 2),
    "pretrained": lambda: PretrainedEncoder(BERT, pretrained=False),
}
IDS = torch.tensor([[2, 5, 3], [2, 3, 0]])
MASK = IDS != 0
every = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)


@every
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_small_integers_are_read_as_ids(make, dtype):
    encoder = make().eval()
    expected = encoder(Inputs(IDS, MASK, torch.zeros_like(IDS)))
    found = encoder(Inputs(IDS.to(dtype), MASK, torch.zeros_like(IDS).to(dtype)))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@every
def test_what_is_no_inputs_is_refused(make):
    with pytest.raises(
        TypeError, match=r"inputs must be data.Inputs\(input_ids, mask\), got a tensor"
    ):
        make()(IDS)


@every
@pytest.mark.parametrize("wrong", [-1, 30])
def test_an_id_outside_the_vocabulary_is_named(make, wrong):
    ids = IDS.clone()
    ids[0, 1] = wrong
    with pytest.raises(ValueError, match=f"Token id {wrong} is outside the vocabulary of 30"):
        make()(Inputs(ids, MASK))


@pytest.mark.parametrize("wrong", [-1, 30])
def test_a_language_model_names_an_id_outside_its_vocabulary(wrong):
    model = LSTMLanguageModel(30, 8)
    ids = torch.tensor([[2, wrong, 3]])
    for call in (model, lambda ids: model.loss(ids, ids), lambda ids: model.sample(ids, 2)):
        with pytest.raises(ValueError, match=f"Token id {wrong} is outside the vocabulary of 30"):
            call(ids)
