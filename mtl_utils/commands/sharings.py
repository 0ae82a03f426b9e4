"""The table ``[sharing]``: its keys for each kind, and the way of sharing that it asks for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mtl_utils.commands.keys import Key, choice, keys_of, read_table
from mtl_utils.nn.encoder import Encoder
from mtl_utils.sharing import (
    PLE,
    BranchedSharing,
    CovarianceSharing,
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

_PENALTIES = {"squared_distance": squared_distance, "trace_norm": trace_norm}
_TIED = {"tied": Key(tuple[str, ...] | None, None)}
_EXPERTS = {"num_experts": Key(int, 4), "num_expert_layers": Key(int, 1)}
_OF_TASKS = ("encoder", "tasks")
_ADAPTED = {
    "adapters": TaskAdapters,
    "hyper_adapters": HyperAdapters,
    "lora": TaskLoRA,
}
_LEVELS = {
    "num_levels": Key(int, 1),
    "num_shared_experts": Key(int, 1),
    "num_task_experts": Key(int, 1),
}
WHOLE = ("hard", "soft", "covariance", "shared_private", "lora")
"""Kinds that take any encoder, also one that cannot be cut between its layers."""

SHARINGS: dict[str, dict[str, Key]] = {
    "hard": {},
    "soft": {
        **_TIED,
        "penalty": Key(str, "squared_distance"),
        "strength": Key(float, 1.0),
    },
    "covariance": _TIED | keys_of(CovarianceSharing, ("encoders", "tied")),
    "branched": {"num_shared_layers": Key(int)},
    "shared_private": keys_of(SharedPrivate, ("shared", "private")),
    "hierarchical": keys_of(HierarchicalSharing, ("encoder",)),
    "cross_stitch": keys_of(CrossStitch, ("encoders",)),
    "sluice": keys_of(SluiceNetwork, ("encoders",)),
    "experts": _EXPERTS | keys_of(MixtureOfExperts, ("trunk", "experts")),
    "mmoe": _EXPERTS | keys_of(MMoE, ("trunk", "experts", "tasks")),
    "ple": _LEVELS | keys_of(PLE, ("trunk", "shared", "own")),
    **{
        kind: {"freeze": Key(bool, False)} | keys_of(described, _OF_TASKS)
        for kind, described in _ADAPTED.items()
    },
}
"""Keys of the table beside ``kind``, by kind."""


def sharing_of(
    table: Mapping[str, Any], tasks: Sequence[str], encoder: Encoder, drawn: Callable[[], Encoder]
) -> Sharing:
    """Make the way of sharing that a file asks for.

    Args:
        table: The table, complete.
        tasks: Names of the tasks.
        encoder: The encoder of the file.
        drawn: Makes another one like it.

    Raises:
        ValueError: If a setting is refused.
        KeyError: If a name in it is not known.
        TypeError: If a setting is of another type, or the encoder does not suit.
    """
    settings = {key: value for key, value in table.items() if key != "kind"}
    names, kind = list(tasks), table["kind"]

    def one_each() -> dict[str, Encoder]:
        return {name: encoder if place == 0 else drawn() for place, name in enumerate(names)}

    if kind == "soft":
        return _soft(encoder, names, settings)
    if kind == "covariance":
        return CovarianceSharing(_copies(encoder, names), **_tied(encoder, settings))
    if kind == "branched":
        return BranchedSharing.from_encoder(encoder, names, **settings)
    if kind == "shared_private":
        return SharedPrivate(encoder, {name: drawn() for name in names}, **settings)
    if kind == "hierarchical":
        depth = read_table(settings["depth"], dict.fromkeys(names, Key(int)), "depth")
        return HierarchicalSharing(encoder, **{**settings, "depth": depth})
    if kind == "cross_stitch":
        return CrossStitch(one_each(), **settings)
    if kind == "sluice":
        return SluiceNetwork(one_each(), **settings)
    if kind == "experts":
        return MixtureOfExperts.from_encoder(encoder, **settings)
    if kind == "mmoe":
        return MMoE.from_encoder(encoder, names, **settings)
    if kind == "ple":
        return PLE.from_encoder(encoder, names, **settings)
    if kind in _ADAPTED:
        return _adapted(kind, encoder, names, settings)
    return HardSharing(encoder)


def _soft(encoder: Encoder, names: list[str], settings: dict[str, Any]) -> SoftSharing:
    settings["penalty"] = _PENALTIES[choice(settings["penalty"], _PENALTIES, "penalty")]
    return SoftSharing(_copies(encoder, names), **_tied(encoder, settings))


def _copies(encoder: Encoder, names: list[str]) -> dict[str, Encoder]:
    return {name: copy.deepcopy(encoder) for name in names}


def _tied(encoder: Encoder, settings: dict[str, Any]) -> dict[str, Any]:
    """Tie all parts where none is named."""
    if settings["tied"] is None:
        settings["tied"] = [n for n, part in encoder.named_children() if [*part.parameters()]]
    return settings


def _adapted(kind: str, encoder: Encoder, names: list[str], settings: dict[str, Any]) -> Sharing:
    if settings.pop("freeze"):
        encoder.freeze()
    made: Sharing = _ADAPTED[kind](encoder, names, **settings)
    return made
