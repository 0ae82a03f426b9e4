"""Collects the notebooks of a folder where a test module names it."""

from typing import Any

import notebook_validation as validation
import pytest


def pytest_pycollect_makeitem(collector: pytest.Module, name: str, obj: object) -> Any:
    """Turn a ``NotebookFolder`` at the top of a module into its notebooks' cells."""
    if isinstance(obj, validation.NotebookFolder):
        return validation.collect(obj, collector)
    return None
