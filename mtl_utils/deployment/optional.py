"""Packages that deployment needs and the rest of the book does not: imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any

_EXTRAS = {
    "export": ("exported models need", "onnx onnxruntime"),
    "serve": ("a server needs", "fastapi uvicorn"),
}


def needed(module: str, extra: str = "export") -> Any:
    """Import a module of an extra, or say how to install it.

    Args:
        module: Its name, such as ``"onnxruntime"``.
        extra: ``"export"`` or ``"serve"``.

    Returns:
        The module.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package, (what, packages) = module.partition(".")[0], _EXTRAS[extra]
        raise ImportError(
            f"{package} is not installed, which {what}: run `pip install {packages}`, or install "
            f"mtl_utils with its extra {extra}"
        ) from error
