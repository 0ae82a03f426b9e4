"""Twice the width: made anew by the arguments it was made with, in every way of sharing."""

import copy

import pytest
import torch

from mtl_utils import data, models, nn, sharing, tasks
from mtl_utils.diagnosis import widened


def _tasks():
    return [
        tasks.Classification("a", ["x", "y"], pooling="mean"),
        tasks.Tagging("b", ["O", "B-X", "I-X"]),
    ]


def _encoder():
    return nn.BiLSTMEncoder(20, 4, dropout=0.0)


def _batch():
    return data.collate([data.Example([1, 2, 3], {"a": 1, "b": [0, 1, 2]})])


WAYS = {
    "hard": lambda: sharing.HardSharing(_encoder()),
    "transformer": lambda: sharing.HardSharing(nn.TransformerEncoder(20, 4, 1, 2)),
    "soft": lambda: sharing.SoftSharing({"a": _encoder(), "b": _encoder()}, tied=["lstm"]),
    "cross-stitch": lambda: sharing.CrossStitch({"a": _encoder(), "b": _encoder()}),
}


@pytest.mark.parametrize("way", WAYS)
def test_states_are_twice_as_wide_and_losses_are_computed(way):
    model = models.MultiTaskModel(WAYS[way](), _tasks())
    before = copy.deepcopy(model.state_dict())
    wide = widened(model)
    assert wide.sharing.width == 2 * model.sharing.width
    assert type(wide.sharing) is type(model.sharing)
    assert set(wide(_batch()).by_task) == {"a", "b"}
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_one_encoder_that_is_used_twice_stays_one():
    encoder = _encoder()
    model = models.MultiTaskModel(
        sharing.SharedPrivate(encoder, {"a": _encoder(), "b": _encoder()}), _tasks()
    )
    wide = widened(model)
    assert sum(p.numel() for p in wide.parameters()) > sum(p.numel() for p in model.parameters())


def test_the_seed_fixes_the_weights_and_leaves_the_generator():
    model = models.MultiTaskModel(WAYS["hard"](), _tasks())
    state = torch.get_rng_state()
    one, same, other = (widened(model, seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    name = "sharing.encoder.embedding.weight"
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])


def test_an_encoder_without_a_width_of_its_own_is_refused():
    class Fixed(nn.Encoder):
        width = 4

        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(20, 4)

        def forward(self, inputs):
            return self.table(inputs.input_ids)

    model = models.MultiTaskModel(sharing.HardSharing(Fixed()), _tasks())
    with pytest.raises(ValueError, match=r"width can be doubled.*4 numbers, and 4"):
        widened(model)


def test_what_was_cut_is_refused():
    lower, upper = nn.BiLSTMEncoder(20, 4, num_layers=2).cut(1)
    branches = {"a": upper, "b": copy.deepcopy(upper)}
    model = models.MultiTaskModel(sharing.BranchedSharing(lower, branches), _tasks())
    with pytest.raises(ValueError, match="cut or changed"):
        widened(model)
