"""A small model of every way of sharing that the book has, with weights that tell texts apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from exported_models import TAGS, byte_pairs, encoder_of

from mtl_utils import nn, sharing
from mtl_utils.models import TextModel
from mtl_utils.sharing import Sharing
from mtl_utils.tasks import Classification, Tagging

NAMES = ["topic", "names"]
Make = Callable[[Callable[[], nn.Encoder]], Sharing]


def each(make: Callable[[], nn.Encoder]) -> dict[str, nn.Encoder]:
    return {name: make() for name in NAMES}


def branched(make: Callable[[], nn.Encoder]) -> Sharing:
    trunk, branch = make().cut(1)
    return sharing.BranchedSharing(trunk, {"topic": branch, "names": make().cut(1)[1]})


def pointwise(make: Callable[[], nn.Encoder]) -> Sharing:
    experts = [nn.FeedForwardLayers(8) for _ in range(3)]
    return sharing.MMoE(make(), experts, NAMES, top_k=1, noisy=True, balance_strength=0.1)


def successive(make: Callable[[], nn.Encoder]) -> Sharing:
    depth = {"names": 1, "topic": 2}
    return sharing.HierarchicalSharing(make(), depth, successive_strength=0.1, shortcuts=True)


def languages(make: Callable[[], nn.Encoder]) -> Sharing:
    return sharing.HardSharing(sharing.LanguageAdapters(make(), ["en", "fr"], 4))


def covarying(make: Callable[[], nn.Encoder]) -> Sharing:
    return sharing.CovarianceSharing(each(make), ["embedding"])


def private(make: Callable[[], nn.Encoder]) -> Sharing:
    return sharing.SharedPrivate(make(), each(make))


WAYS: dict[str, Make] = {
    "BranchedSharing": branched,
    "CovarianceSharing": covarying,
    "CrossStitch": lambda make: sharing.CrossStitch(each(make)),
    "HardSharing": lambda make: sharing.HardSharing(make()),
    "HierarchicalSharing": successive,
    "HyperAdapters": lambda make: sharing.HyperAdapters(make(), NAMES, 4, embedding_size=3),
    "LanguageAdapters": languages,
    "MMoE": lambda make: sharing.MMoE.from_encoder(make(), NAMES, 3, per="text"),
    "MMoE, one expert a token": pointwise,
    "MixtureOfExperts": lambda make: sharing.MixtureOfExperts.from_encoder(make(), 3, top_k=2),
    "PLE": lambda make: sharing.PLE.from_encoder(make(), NAMES, num_levels=2),
    "SharedPrivate": private,
    "SluiceNetwork": lambda make: sharing.SluiceNetwork(each(make)),
    "SoftPrompts": lambda make: sharing.SoftPrompts(make(), NAMES, 3),
    "SoftPrompts, one for all": lambda make: sharing.SoftPrompts(make(), NAMES, 3, shared=True),
    "SoftSharing": lambda make: sharing.SoftSharing(each(make), ["embedding"]),
    "TaskAdapters": lambda make: sharing.TaskAdapters(make(), NAMES, 4),
    "TaskLoRA": lambda make: sharing.TaskLoRA(make(), NAMES, 2),
}
"""By the name of the class, and what is particular."""


def shared_model(way: str, kind: str) -> TextModel:
    """A model of two tasks over encoders of a kind, no weight of which is where it began."""
    torch.manual_seed(3)
    tokenizer = byte_pairs()
    made = WAYS[way](lambda: encoder_of(kind, tokenizer.vocab_size))
    kinds: list[Any] = [
        Classification("topic", ("a", "b", "c"), "mean", text="tokens"),
        Tagging("names", TAGS, crf=True),
    ]
    options = {"language": "language"} if way == "LanguageAdapters" else {}
    model = TextModel(made, kinds, tokenizer, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(0.3 * torch.randn_like(parameter))
    return model.eval()
