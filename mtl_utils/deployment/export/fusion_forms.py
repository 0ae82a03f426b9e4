"""Encoders of text and pictures in the form that is exported: no step asks who has a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Inputs
from mtl_utils.deployment.export.layer_forms import attended, far_from, places_of
from mtl_utils.nn import (
    ConvolutionalPictures,
    CrossAttentionFusion,
    EarlyFusion,
    LateFusion,
    PictureEncoder,
    PretrainedPictures,
)
from mtl_utils.nn.fusion import PictureFusion

#: Height and width of pictures that a graph is traced with, where it reads those of any.
TRACED = 32


@dataclass(frozen=True)
class Pictured:
    """The pictures that a graph reads.

    Args:
        channels: Colours of a pixel, C.
        size: Their height and width; ``None`` where these may be any.
    """

    channels: int
    size: int | None


def pictures_of(model: torch_nn.Module) -> Pictured | None:
    """Return which pictures a model reads; ``None`` where it reads none.

    Args:
        model: The model.

    Raises:
        ValueError: If a network that may read pictures of one size alone is not told which.
    """
    size = getattr(getattr(model, "beside", None), "picture_size", None)
    for part in model.modules():
        if isinstance(part, PretrainedPictures):
            if size is None:
                raise ValueError(
                    "A model with PretrainedPictures is exported for pictures of one size, which "
                    "its network may depend on; make the TextModel with picture_size="
                )
            return Pictured(len(part.mean), size)
        if isinstance(part, ConvolutionalPictures):
            return Pictured(part.channels, size)
    return None


def is_fusion(kind: type) -> bool:
    """Tell whether encoders of a kind have a form here.

    Args:
        kind: Their class.
    """
    return kind in _FORMS


def fusion_form(encoder: Any, text: Any) -> torch_nn.Module:
    """Return what is exported of an encoder of text and pictures.

    Args:
        encoder: The encoder; its weights are shared, and not changed.
        text: What is exported of its encoder of texts.

    Raises:
        TypeError: If an encoder of pictures of its kind has no such form.
    """
    kind: type[PictureEncoder] = type(encoder.pictures)
    if kind not in (ConvolutionalPictures, PretrainedPictures):
        raise TypeError(
            f"An encoder of pictures of the kind {kind.__name__} cannot be exported; expected "
            "ConvolutionalPictures or PretrainedPictures"
        )
    return _FORMS[type(encoder)](encoder, text)


class _FusionForm(torch_nn.Module):
    def __init__(self, encoder: PictureFusion, text: Any) -> None:
        super().__init__()
        self.fusion: Any = encoder
        self.text = text

    def read_pictures(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Return vectors ``[B, N, D]``, and ``[B, N]``, True where there is one."""
        assert inputs.pictures is not None
        assert inputs.has_picture is not None
        present, fusion = inputs.has_picture.bool()[:, None], self.fusion
        pictures = torch.where(present[:, :, None, None], inputs.pictures, 0.0)
        found = fusion.picture_norm(fusion.fitted(fusion.pictures(pictures)))
        first = places_of(found[:, :, 0]) == 0
        instead = torch.where(first.unsqueeze(-1), fusion.absent, 0.0)
        return torch.where(present.unsqueeze(-1), found, instead), present | first


class _EarlyForm(_FusionForm):
    def forward(self, inputs: Inputs) -> Tensor:
        seen, there = self.read_pictures(inputs)
        both = torch.cat([seen + self.fusion.kind, self.text.embed(inputs)], dim=1)
        hidden: Tensor = self.text.layers(both, torch.cat([there, inputs.mask], dim=1))
        return hidden[:, seen.shape[1] :]


class _LateForm(_FusionForm):
    def forward(self, inputs: Inputs) -> Tensor:
        seen, there = self.read_pictures(inputs)
        hidden: Tensor = self.text(inputs)
        counted = there.to(seen.dtype).unsqueeze(-1)
        whole = (seen * counted).sum(dim=1) / counted.sum(dim=1)
        beside = self.fusion.mean_norm(whole).unsqueeze(1).expand_as(hidden)
        inner = self.fusion.inner(torch.cat([hidden, beside], dim=-1))
        mixed: Tensor = self.fusion.outer(torch_nn.functional.gelu(inner))
        return hidden + mixed


class _CrossAttentionForm(_FusionForm):
    def forward(self, inputs: Inputs) -> Tensor:
        seen, there = self.read_pictures(inputs)
        fusion, hidden = self.fusion, self.text(inputs)
        far = far_from(there.unsqueeze(1), seen.dtype)
        asked = fusion.looked.before(hidden)
        hidden = fusion.looked(hidden, attended(fusion.attention, asked, seen, far))
        hidden = fusion.thought(hidden, fusion.network(fusion.thought.before(hidden)))
        normed: Tensor = fusion.norm(hidden)
        return normed


_FORMS: dict[type, type[_FusionForm]] = {
    CrossAttentionFusion: _CrossAttentionForm,
    EarlyFusion: _EarlyForm,
    LateFusion: _LateForm,
}
