"""Commands, asked as a shell asks them."""

from __future__ import annotations

import pytest

from mtl_utils.commands import main


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return what a command prints that ends well."""
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return the one line that an error is."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1, said
    return said
