"""The lines about notebooks at the end of a test run, however many processes ran them."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

_KEY = "notebook"
Entry = dict[str, Any]


def record(item: pytest.Item, notebook: str, lines: Sequence[str], skipped: Sequence[str]) -> None:
    """Leave what is to be said of a notebook with the report of a test.

    Args:
        item: The test that runs; its report travels from the process that ran it.
        notebook: Name of the notebook.
        lines: What to say.
        skipped: Names of the cells that were skipped for want of their data.
    """
    entry = {"name": notebook, "lines": list(lines), "skipped": list(skipped)}
    item.user_properties.append((_KEY, entry))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print processor time, cells, exercises and settings of each notebook that was run."""
    lines = list(_lines(_entries(terminalreporter)))
    if not lines:
        return
    terminalreporter.write_sep("=", "notebooks")
    for line in lines:
        terminalreporter.write_line(line, yellow=line.startswith("SLOW"))


def _entries(terminalreporter: pytest.TerminalReporter) -> list[Entry]:
    """Collect what was recorded, by notebook; each of a test's reports repeats it."""
    found: dict[str, Entry] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, entry in getattr(report, "user_properties", ()):
                if key == _KEY:
                    found[entry["name"]] = entry
    return [found[name] for name in sorted(found)]


def _lines(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        yield from entry["lines"]
    skipped = [cell for entry in entries for cell in entry["skipped"]]
    if skipped:
        yield f"{len(skipped)} cells on real data skipped (no MTL_DATA_DIR): {', '.join(skipped)}"
