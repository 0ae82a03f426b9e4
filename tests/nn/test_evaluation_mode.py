import pytest
from torch import nn as torch_nn

from mtl_utils.nn.evaluation_mode import evaluation_mode


def test_every_part_gets_its_own_mode_back_also_after_an_error() -> None:
    frozen, free = torch_nn.Dropout(), torch_nn.Dropout()
    model = torch_nn.Sequential(frozen, free).train()
    frozen.eval()
    modes = []

    def fail() -> None:
        with evaluation_mode(model):
            modes.extend(part.training for part in model.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert modes == [False, False, False]
    assert [part.training for part in (model, frozen, free)] == [True, False, True]
