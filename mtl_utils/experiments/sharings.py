"""Ways of sharing by the settings that a configuration names."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mtl_utils.nn import Encoder
from mtl_utils.sharing import (
    PLE,
    BranchedSharing,
    CrossStitch,
    HardSharing,
    HierarchicalSharing,
    HyperAdapters,
    MixtureOfExperts,
    MMoE,
    SharedPrivate,
    Sharing,
    SluiceNetwork,
    SoftSharing,
    TaskAdapters,
    TaskLoRA,
    squared_distance,
    trace_norm,
)

PENALTIES = {"distance": squared_distance, "trace norm": trace_norm}

_DYNAMIC: Mapping[str, Callable[..., Sharing]] = {
    "mmoe": MMoE.from_encoder,
    "ple": PLE.from_encoder,
    "adapters": TaskAdapters,
    "hyper-adapters": HyperAdapters,
    "lora": TaskLoRA,
}

_READ: Mapping[str, set[str]] = {
    "hard": set(),
    "separate": set(),
    "branched": {"shared_layers"},
    "soft": {"penalty", "strength"},
    "shared-private": {"orthogonality", "adversary"},
    "hierarchical": {"depth"},
    "cross-stitch": {"own"},
    "sluice": {"own", "subspaces", "orthogonality"},
}
"""What is read of the settings of kinds whose classes are not given all that there is."""


def names_of_sharing(settings: Mapping[str, Any]) -> set[str] | None:
    """Name the settings of a way of sharing; see :func:`sharing_of`.

    Args:
        settings: Its ``kind``, and others.

    Returns:
        What it may have; ``None`` where its class refuses others, or there is no such kind.
    """
    read = _READ.get(settings.get("kind", ""))
    return None if read is None else {"kind", *read}


def sharing_of(
    settings: Mapping[str, Any], tasks: Sequence[str], make: Callable[[], Encoder]
) -> Sharing:
    """Put encoders together.

    Args:
        settings: Its ``kind``: ``"hard"``; ``"separate"`` for an encoder a task; ``"branched"``
            above ``shared_layers``; ``"soft"`` with a ``penalty`` of :data:`PENALTIES` on all
            parameters at a ``strength``; ``"shared-private"`` with the strengths of
            :class:`mtl_utils.sharing.SharedPrivate`, ``orthogonality`` and ``adversary``;
            ``"hierarchical"`` with a ``depth`` for each task; ``"cross-stitch"`` and ``"sluice"``
            with ``own``, the latter with ``subspaces`` and ``orthogonality`` too; ``"experts"``,
            ``"mmoe"`` and ``"ple"``, whose experts are the uppermost layer, and ``"adapters"``,
            ``"hyper-adapters"`` and ``"lora"``, with the arguments of their classes by name.
        tasks: Names of the tasks.
        make: Makes an encoder.

    Raises:
        KeyError: If there is no such kind.
    """
    kind = settings["kind"]
    if kind == "hard":
        return HardSharing(make())
    if kind == "separate":
        return SoftSharing({task: make() for task in tasks}, tied=(), strength=0.0)
    if kind == "branched":
        return BranchedSharing.from_encoder(make(), tasks, settings["shared_layers"])
    if kind == "soft":
        first = make()  # copies of one begin without a distance
        tied = [
            name for name, part in first.named_children() if any(True for _ in part.parameters())
        ]
        copies = {task: copy.deepcopy(first) for task in tasks}
        return SoftSharing(copies, tied, PENALTIES[settings["penalty"]], settings["strength"])
    if kind == "shared-private":
        return SharedPrivate(
            make(),
            {task: make() for task in tasks},
            orthogonality_strength=settings["orthogonality"],
            adversary_strength=settings["adversary"],
        )
    if kind == "hierarchical":
        depth = {task: layer for task, layer in settings["depth"].items() if task in tasks}
        return HierarchicalSharing(make(), depth)
    if kind == "cross-stitch":
        return CrossStitch({task: make() for task in tasks}, settings["own"])
    if kind == "sluice":
        return SluiceNetwork(
            {task: make() for task in tasks},
            settings["own"],
            subspaces=settings["subspaces"],
            orthogonality_strength=settings["orthogonality"],
        )
    rest = {name: value for name, value in settings.items() if name != "kind"}
    if kind == "experts":
        return MixtureOfExperts.from_encoder(make(), **rest)
    if kind in _DYNAMIC:
        return _DYNAMIC[kind](make(), tasks, **rest)
    raise KeyError(
        f"No sharing of the kind {kind!r}; expected 'hard', 'separate', 'branched', 'soft', "
        "'shared-private', 'hierarchical', 'cross-stitch', 'sluice', 'experts', "
        f"{', '.join(map(repr, _DYNAMIC))}"
    )
