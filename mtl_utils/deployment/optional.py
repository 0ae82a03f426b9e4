"""Packages that an export needs and the rest of the book does not: imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any


def needed(module: str) -> Any:
    """Import a module of the extra ``export``, or say how to install it.

    Args:
        module: Its name, such as ``"onnxruntime"``.

    Returns:
        The module.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{package} is not installed, which exported models need: run "
            "`pip install onnx onnxruntime`, or install mtl_utils with its extra export"
        ) from error
