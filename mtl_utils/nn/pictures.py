"""Encoders of pictures: from pixels to a few vectors, one for each part of the picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import (
    check_flag,
    check_module,
    check_number,
    check_several,
    check_sizes,
    check_tensor,
    shown,
)
from mtl_utils.nn.freezing import Freezable

_SMALLEST = 4


class PictureEncoder(Freezable):
    """Turns pictures into vectors, one for each part of a picture.

    Attributes:
        width: Size of a vector, D.
    """

    width: int

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pictures: ``[B, C, H, W]``, from 0 to 1.

        Returns:
            ``[B, N, D]``. A row depends on its own picture alone.
        """
        raise NotImplementedError


class ConvolutionalPictures(PictureEncoder):
    r"""A few convolutions, each of which halves height and width (LeCun et al., 1998).

    After L of them a picture of H by W pixels is a grid of :math:`\lceil H / 2^L \rceil` by
    :math:`\lceil W / 2^L \rceil` vectors, of which each has seen its surroundings. Each layer has
    twice the channels of the one before, the last D. Layers are normalised row by row (Wu & He,
    2018), not over the batch, so that no picture depends on the others.

    Args:
        width: Size of a vector, D; a multiple of :math:`2^{L - 1}`.
        num_layers: Number of convolutions, L.
        channels: Colours of a pixel, C.

    Raises:
        ValueError: If a size is below 1, or D cannot be halved as often.
        TypeError: If a size is no whole number.
    """

    def __init__(self, width: int, num_layers: int = 3, channels: int = 3) -> None:
        super().__init__()
        check_sizes(width=width, num_layers=num_layers, channels=channels)
        if width % 2 ** (num_layers - 1):
            raise ValueError(
                f"width must be a multiple of {2 ** (num_layers - 1)}, since each of num_layers="
                f"{num_layers} has twice the channels of the one before; got {width}"
            )
        self.width, self.channels = width, channels
        sizes = [channels, *(width // 2**left for left in reversed(range(num_layers)))]
        self.layers = torch_nn.Sequential(
            *(
                torch_nn.Sequential(
                    torch_nn.Conv2d(read, made, kernel_size=3, stride=2, padding=1),
                    torch_nn.GroupNorm(1, made),
                    torch_nn.GELU(),
                )
                for read, made in itertools.pairwise(sizes)
            )
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode pictures; see :meth:`PictureEncoder.forward`.

        Args:
            pictures: ``[B, C, H, W]``, from 0 to 1.

        Returns:
            ``[B, N, D]``, the grid row by row.

        Raises:
            ValueError: If pictures have another number of colours, or fewer than 4 pixels a side.
            TypeError: If they are no floating-point tensor.
        """
        check_pictures(pictures, self.channels)
        weight = next(self.parameters())
        grid: Tensor = self.layers(pictures.to(weight.dtype) - 0.5)  # [B, D, H', W']
        return grid.flatten(2).transpose(1, 2)


class PretrainedPictures(PictureEncoder):
    """Any module that knows pictures already, between a normalisation and a linear layer.

    The module may return ``[B, N, M]``, or a grid ``[B, M, H, W]``, or one vector a picture
    ``[B, M]``, or what models of ``transformers`` return (``last_hidden_state``).

    Args:
        module: Called with pictures ``[B, C, H, W]``.
        module_width: Size of its vectors, M.
        width: Size of the vectors that are returned, D.
        mean: By colour what is subtracted from a picture before the module reads it.
        std: By colour what it is then divided by.
        frozen: Whether the module stays as it is: no gradient, and evaluation mode. The linear
            layer above is trained in either case.

    Raises:
        ValueError: If a size is below 1, ``mean`` and ``std`` are not as many, or one of ``std`` is
            not greater than 0.
        TypeError: If something is not of its kind.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        module: torch_nn.Module,
        module_width: int,
        width: int,
        *,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        frozen: bool = True,
    ) -> None:
        super().__init__()
        check_module("module", module)
        check_sizes(module_width=module_width, width=width)
        check_flag("frozen", frozen)
        for name, numbers in (("mean", mean), ("std", std)):
            check_several(name, numbers, "numbers")
        for name, number in [*(("mean", n) for n in mean), *(("std", n) for n in std)]:
            check_number(f"each of {name}", number, above=0 if name == "std" else None)
        if len(mean) != len(std) or not len(mean):
            raise ValueError(f"mean and std must have a number a colour, got {mean!r} and {std!r}")
        self.width, self.module_width, self.frozen = width, module_width, frozen
        self.module = module
        self.output = torch_nn.Linear(module_width, width)
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32))
        self.register_buffer("std", torch.tensor(list(std), dtype=torch.float32))
        if frozen:
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but a frozen module, which stays in evaluation mode.

        Args:
            mode: Whether to train.
        """
        super().train(mode)
        if getattr(self, "frozen", False):
            self.module.eval()
        return self

    def unfreeze(self) -> None:
        """Let the linear layer be trained, and the module too unless it was made frozen."""
        super().unfreeze()
        if self.frozen:
            self.module.requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode pictures; see :meth:`PictureEncoder.forward`.

        Args:
            pictures: ``[B, C, H, W]``, from 0 to 1.

        Returns:
            ``[B, N, D]``.

        Raises:
            ValueError: If pictures have another number of colours, or the module returns vectors
                of another size.
            TypeError: If they are no floating-point tensor, or the module returns none.
        """
        check_pictures(pictures, len(self.mean), smallest=1)
        shape = (1, -1, 1, 1)
        pictures = pictures.to(self.output.weight.dtype)
        read = (pictures - self.mean.view(shape)) / self.std.view(shape)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            vectors = self._vectors(self.module(read))
        return self.output(vectors)

    def _vectors(self, returned: Any) -> Tensor:
        found = getattr(returned, "last_hidden_state", returned)
        if not isinstance(found, Tensor):
            raise TypeError(f"module must return a tensor, got {shown(found)}")
        if found.dim() == 2:
            found = found.unsqueeze(1)
        elif found.dim() == 4:
            found = found.flatten(2).transpose(1, 2)
        if found.dim() != 3 or found.shape[-1] != self.module_width:
            raise ValueError(
                f"module must return [B, N, {self.module_width}], a grid [B, {self.module_width}, "
                f"H, W] or vectors [B, {self.module_width}], got {list(found.shape)}"
            )
        return found


def check_pictures(pictures: Tensor, channels: int, smallest: int = _SMALLEST) -> None:
    """Refuse what an encoder of pictures does not read.

    Args:
        pictures: What it was given.
        channels: Colours of a pixel, C.
        smallest: The least height and width.

    Raises:
        ValueError: If the shape is another.
        TypeError: If it is no floating-point tensor.
    """
    check_tensor("pictures", pictures, "[...]", "floating-point")
    if pictures.dim() != 4 or pictures.shape[1] != channels or min(pictures.shape[2:]) < smallest:
        raise ValueError(
            f"Expected pictures [B, {channels}, H, W] of at least {smallest} by {smallest} pixels, "
            f"got {list(pictures.shape)}"
        )


def check_picture_encoder(name: str, encoder: Any) -> None:
    """Refuse what is no encoder of pictures.

    Args:
        name: What the message is to call it.
        encoder: The encoder.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(encoder, PictureEncoder):
        raise TypeError(
            f"{name} must be an nn.PictureEncoder, such as nn.ConvolutionalPictures, got "
            f"{shown(encoder)}. Put a module of another kind into nn.PretrainedPictures."
        )
