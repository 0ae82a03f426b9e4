"""Collects the notebooks of a folder where a test module names it, and reports what was run."""

from typing import Any

import notebook_validation as validation
import pytest


def pytest_pycollect_makeitem(collector: pytest.Module, name: str, obj: object) -> Any:
    """Turn a ``NotebookFolder`` at the top of a module into its notebooks' cells."""
    if isinstance(obj, validation.NotebookFolder):
        return validation.collect(obj, collector)
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print seconds, cells, exercises and settings of each notebook."""
    terminalreporter.write_sep("=", "notebooks")
    for line in validation.summary():
        terminalreporter.write_line(line, yellow=line.startswith("SLOW"))
