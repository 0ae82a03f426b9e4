"""Tables made from stored run records: ``notebook-status`` and ``recorded-runs``.

``book/results/notebooks.jsonl`` holds one line a notebook execution, the other files of that folder
one line a configuration and seed of an experiment. Both directives work while there are none.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from scipy import stats
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RESULTS = "book/results"
NOTEBOOKS = "notebooks.jsonl"
Record = dict[str, Any]
Cell = nodes.Node | str


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
    """Build a table whose cells are text or nodes."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["records"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    entries = []
    for cell in cells:
        inline = nodes.Text(cell) if isinstance(cell, str) else cell
        entries.append(nodes.entry("", nodes.paragraph("", "", inline)))
    return nodes.row("", *entries)


class ResultsDirective(SphinxDirective):
    """What both directives need: the folder, and a page that is read again when it changes."""

    @property
    def folder(self) -> Path:
        """The folder of the results files."""
        return Path(self.env.srcdir) / RESULTS

    def watch(self, path: Path) -> Path:
        """Read this page again when ``path`` changes."""
        self.env.note_dependency(str(path))
        return path


class NotebookStatus(ResultsDirective):
    """A row for each notebook: when it last ran, for how long, with what."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        records = latest_by_notebook(read_records(self.watch(self.folder / NOTEBOOKS)))
        if not records:
            return [nodes.paragraph("", "No run of a notebook has been recorded yet.")]
        header = ("Notebook", "Last run", "Seconds", "Of the processor", "With")
        return [table(header, map(self._status, records))]

    def _status(self, record: Record) -> list[Cell]:
        versions = [f"{name} {version}" for name, version in record.get("versions", {}).items()]
        python = [f"Python {record['python']}"] if "python" in record else []
        return [
            self._page(record["notebook"]),
            str(record["date"]),
            f"{record['seconds']:.1f}",
            f"{record['processor_seconds']:.1f}" if "processor_seconds" in record else "–",
            ", ".join(python + versions),
        ]

    def _page(self, notebook: str) -> Cell:
        stem = Path(notebook).stem
        docname = f"chapters/{stem}"
        if docname not in self.env.found_docs:
            return stem
        return addnodes.pending_xref(
            "",
            nodes.inline("", stem),
            refdomain="std",
            reftype="doc",
            reftarget=f"/{docname}",
            refexplicit=False,
            refwarn=True,
            refdoc=self.env.docname,
        )


class RecordedRuns(ResultsDirective):
    """A section for each experiment: its command, how often it ran and what came out."""

    def run(self) -> list[nodes.Node]:
        """Build the sections."""
        files = [path for path in sorted(self.folder.glob("*.jsonl")) if path.name != NOTEBOOKS]
        self.env.note_reread()
        built = [self._experiment(path.stem, read_records(self.watch(path))) for path in files]
        return built or [nodes.paragraph("", "No experiment has been recorded yet.")]

    def _experiment(self, name: str, records: list[Record]) -> nodes.Node:
        section = nodes.section(ids=[nodes.make_id(f"run-{name}")], names=[name])
        section += nodes.title("", "", nodes.literal("", name))
        section += nodes.literal_block(
            command := f"python -m mtl_utils.experiments run {name}", command, language="console"
        )
        section += nodes.paragraph("", _facts(records))
        section += table(*_results(records))
        return section


def _facts(records: list[Record]) -> str:
    seconds = sum(record.get("seconds", 0.0) for record in records)
    hardware = sorted({_plain(record.get("hardware", "unknown")) for record in records})
    dates = sorted(str(record.get("date", "unknown"))[:10] for record in records)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    torch = sorted({str(record.get("versions", {}).get("torch", "none")) for record in records})
    return (
        f"{len(records)} runs, {seconds / 60:.1f} minutes in all, {when}, "
        f"on {'; '.join(hardware)}, torch {', '.join(torch)}."
    )


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return str(value)


def _results(records: list[Record]) -> tuple[list[str], list[list[Cell]]]:
    """One row a configuration: what varies between configurations, seeds, and each metric."""
    configs = [record.get("config", {}) for record in records]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    varying = [key for key in keys if len({json.dumps(c.get(key)) for c in configs}) > 1]
    varying = _telling(varying, configs)
    metrics = list(dict.fromkeys(m for r in records for m, v in r["metrics"].items() if _scalar(v)))
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(json.dumps(record.get("config", {}), sort_keys=True), []).append(record)
    rows: list[list[Cell]] = [
        [_plain(group[0].get("config", {}).get(key, "")) for key in varying]
        + [str(len({record.get("seed") for record in group}))]
        + [_metric(group, metric) for metric in metrics]
        for group in groups.values()
    ]
    return [name.replace("_", " ") for name in (*varying, "seeds", *metrics)], rows


def _telling(varying: list[str], configs: list[Record]) -> list[str]:
    """Leave out mappings of settings that the short columns beside them name already."""
    short = [k for k in varying if not any(isinstance(c.get(k), dict) for c in configs)]
    named: dict[str, list[Record]] = {}
    for config in configs:
        named.setdefault(json.dumps([config.get(key) for key in short]), []).append(config)
    return [
        key
        for key in varying
        if key in short
        or any(len({json.dumps(c.get(key)) for c in same}) > 1 for same in named.values())
    ]


def _scalar(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _metric(group: list[Record], metric: str) -> str:
    values = [r["metrics"][metric] for r in group if _scalar(r["metrics"].get(metric))]
    if not values:
        return ""
    return rounded(*mean_and_half_width(values))


def rounded(mean: float, half: float | None) -> str:
    """Write a mean with as many decimals as its half-width, which keeps two digits."""
    if not half:
        return f"{mean:,.0f}" if abs(mean) >= 1000 else f"{mean:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(half)))
    return f"{mean:,.{decimals}f} ± {half:,.{decimals}f}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("notebook-status", NotebookStatus)
    app.add_directive("recorded-runs", RecordedRuns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
