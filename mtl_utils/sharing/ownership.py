"""Whose the parameters are, where parts of a way of sharing serve some tasks and not others."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from torch import nn as torch_nn

from mtl_utils.nn.encoder import Encoder, EncoderLayers, check_encoder

Used = tuple[torch_nn.Module | torch_nn.Parameter, Collection[str] | None]
"""A part, and the names of the tasks whose losses reach it; ``None`` for what is shared anyway."""


def shared_of(parts: Iterable[Used]) -> list[torch_nn.Parameter]:
    """Return the parameters that do not belong to one task, each once.

    Args:
        parts: All parts, and whom each serves.
    """
    return [parameter for parameter, users in _users(parts).values() if _owner(users) is None]


def own_of(parts: Iterable[Used], task: str) -> list[torch_nn.Parameter]:
    """Return the parameters that belong to one task alone, each once.

    Args:
        parts: All parts, and whom each serves.
        task: Name of the task.
    """
    return [parameter for parameter, users in _users(parts).values() if _owner(users) == task]


def taken_apart(name: str, encoder: Encoder) -> tuple[Encoder, list[EncoderLayers]]:
    """Return copies of the embeddings of an encoder and of its layers.

    Args:
        name: What a message is to call the encoder.
        encoder: The encoder.

    Raises:
        TypeError: If it is no encoder, or cannot be cut between its layers.
        ValueError: If it has no layers.
    """
    check_encoder(name, encoder)
    embeddings, layers = encoder.layers()
    if not layers:
        raise ValueError(
            f"{name} must have at least one layer above its embeddings, got a "
            f"{type(encoder).__name__} of 0 layers"
        )
    return embeddings, layers


def is_causal(*parts: torch_nn.Module) -> bool:
    """Tell whether no part looks at later tokens.

    Args:
        *parts: Encoders and layers of encoders.
    """
    assert all(isinstance(part, Encoder | EncoderLayers) for part in parts)
    return all(part.causal for part in parts)


def _users(parts: Iterable[Used]) -> dict[int, tuple[torch_nn.Parameter, set[str | None]]]:
    found: dict[int, tuple[torch_nn.Parameter, set[str | None]]] = {}
    for part, users in parts:
        inside = [part] if isinstance(part, torch_nn.Parameter) else part.parameters()
        for parameter in inside:
            _, known = found.setdefault(id(parameter), (parameter, set()))
            known.update([None] if users is None else users)
    return found


def _owner(users: set[str | None]) -> str | None:
    return next(iter(users)) if len(users) == 1 else None
