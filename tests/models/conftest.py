"""What several tests of whole models share."""

from __future__ import annotations

import builtins
import io
import os
import socket
from typing import Any

import pytest
from model_kinds import made


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened, connected to or run while a test loads a model."""
    met: list[str] = []

    def note(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def noting(*args: Any, **kwargs: Any) -> Any:
            met.append(f"{name} {args[0] if args else ''}")
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, noting)

    made("TextModel").predict(["a"])  # so that whatever is imported late has been
    for owner, name in (
        *((builtins, "open"), (io, "open"), (os, "open"), (os, "system"), (os, "listdir")),
        *((socket, "getaddrinfo"), (socket, "create_connection"), (socket, "socket")),
        *((os, "posix_spawn"), (os, "fork"), (builtins, "eval"), (builtins, "exec")),
    ):
        note(owner, name)
    return met
