"""What pages make of stored run records, and the table of when notebooks ran: ``notebook-status``.

``book/results/notebooks.jsonl`` holds one line per notebook execution, ``solutions.jsonl`` one per
exercise whose solution measures something, the other files of that folder one line per
configuration and seed of an experiment, which ``recorded-runs`` shows. Both directives work while
there are none.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from scipy import stats
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

RESULTS = "book/results"
NOTEBOOKS = "notebooks.jsonl"
SOLUTIONS = "solutions.jsonl"
Record = dict[str, Any]
Cell = nodes.Node | str
_MINUS = re.compile(r"(?<!\S)-(?=\d)")


def read_records(path: Path) -> list[Record]:
    """Read a results file; a missing one is empty.

    Raises:
        ValueError: If a line is not a JSON object; the message names file and line.
    """
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path.name}, line {number}: expected a JSON object: {error}"
            ) from error
        if not isinstance(record, dict):
            raise ValueError(
                f"{path.name}, line {number}: expected a JSON object, got {line[:40]!r}"
            )
        records.append(record)
    return records


def latest_by_notebook(records: Iterable[Record]) -> list[Record]:
    """Keep the last record of each notebook, in order of the notebooks' names."""
    return [last for _, last in sorted({record["notebook"]: record for record in records}.items())]


def mean_and_half_width(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and half the width of its 95% interval (Student's t); None for fewer than two values."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return mean, float(stats.t.ppf(0.975, len(values) - 1)) * spread


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> nodes.table:
    """Build a table whose cells are text or nodes; no line ends within a number."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["records"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    entries = []
    for cell in cells:
        inline = nodes.Text(whole_numbers(cell)) if isinstance(cell, str) else cell
        entries.append(nodes.entry("", nodes.paragraph("", "", inline)))
    return nodes.row("", *entries)


def whole_numbers(text: str) -> str:
    """Keep a mean and its interval on one line, behind a minus that is as wide as the plus."""
    return _MINUS.sub("\N{MINUS SIGN}", text).replace(
        " ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"
    )


class ResultsDirective(SphinxDirective):
    """What directives need: the folder, and a page that is read again when it changes."""

    @property
    def folder(self) -> Path:
        """The folder of the results files."""
        return Path(self.env.srcdir) / RESULTS

    def watch(self, path: Path) -> Path:
        """Read this page again when ``path`` changes."""
        self.env.note_dependency(str(path))
        return path


def _with(record: Record) -> list[str]:
    """What a notebook ran with, such as ``"torch 2.13.0"``."""
    python = [f"Python {record['python']}"] if "python" in record else []
    return python + [f"{name} {version}" for name, version in record.get("versions", {}).items()]


class NotebookStatus(ResultsDirective):
    """A row for each notebook: when it last ran, for how long, with what."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        records = latest_by_notebook(read_records(self.watch(self.folder / NOTEBOOKS)))
        if not records:
            return [nodes.paragraph("", "No run of a notebook has been recorded yet.")]
        shared = set.intersection(*(set(_with(record)) for record in records))
        header = ("Notebook", "Last run", "Seconds", "Of the processor", "Other than above")
        rows = [self._status(record, shared) for record in records]
        width = len(header) if any(row[-1] for row in rows) else len(header) - 1
        told = f"All with {', '.join(each for each in _with(records[0]) if each in shared)}."
        found = table(header[:width], [row[:width] for row in rows])
        return [nodes.paragraph("", told), found] if shared else [found]

    def _status(self, record: Record, shared: set[str]) -> list[Cell]:
        return [
            self._page(record["notebook"]),
            str(record["date"]),
            f"{record['seconds']:.1f}",
            f"{record['processor_seconds']:.1f}" if "processor_seconds" in record else "–",
            ", ".join(each for each in _with(record) if each not in shared),
        ]

    def _page(self, notebook: str) -> Cell:
        stem = Path(notebook).stem
        docname = f"chapters/{stem}"
        if docname not in self.env.found_docs:
            return stem
        return page_link(self.env, docname, stem)


def page_link(env: BuildEnvironment, docname: str, text: str) -> addnodes.pending_xref:
    """Return a link to a page of the book that is resolved when all pages have been read.

    Args:
        env: Of the build.
        docname: The page, from the root of the book.
        text: What the link says.
    """
    return addnodes.pending_xref(
        "",
        nodes.inline("", text),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{docname}",
        refexplicit=False,
        refwarn=True,
        refdoc=env.docname,
    )


def rounded(mean: float, half: float | None) -> str:
    """Write a mean with as many decimals as its half-width, which keeps two digits."""
    if not half:
        return f"{mean:,.0f}" if abs(mean) >= 1000 else f"{mean:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(half)))
    return f"{mean:,.{decimals}f} ± {half:,.{decimals}f}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("notebook-status", NotebookStatus)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
