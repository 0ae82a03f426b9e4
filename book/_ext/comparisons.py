"""What may be claimed of a recorded comparison: ``recorded-comparison``.

Nothing is shown of a comparison before all of its runs are on record, since a mean over the seeds
that happened to be first is no result.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from run_records import ResultsDirective, table
from sphinx.application import Sphinx

from mtl_utils import experiments
from mtl_utils.experiments.registry import find_comparison

DIFFERENCE = ("verdict", "difference", "at twice the steps")
HEADER = ("setting", "on", *DIFFERENCE, "first", "second")


def sources(name: str) -> list[str]:
    """Name the comparisons whose records are read for one: its own, and those of its controls."""
    controls = find_comparison(name).controls
    return [name] if controls is None else [name, controls.name]


def runs_on_record(name: str, folder: Path) -> tuple[int, int]:
    """Count the runs of a comparison that are on record, and all; its tuning is among them."""
    wanted = [f"{source}{part}" for source in sources(name) for part in ("", "_doubled")]
    found = experiments.estimate(wanted, folder)
    return sum(part.done for part in found), sum(part.runs for part in found)


def comparison_rows(name: str, folder: Path) -> list[list[str]]:
    """One row a contrast that the comparison named before it was run."""
    rows = []
    for setting in find_comparison(name).contrasts:
        found = experiments.comparison_table(name, setting, folder)
        sides = [column for column in found.columns if column not in DIFFERENCE]
        for metric, row in found.iterrows():
            scores = [row[side] if side in HEADER else f"{side}: {row[side]}" for side in sides]
            rest = [row[column] for column in DIFFERENCE]
            rows.append([setting, str(metric).replace("_", " "), *rest, *scores])
    return rows


class RecordedComparison(ResultsDirective):
    """The table of a comparison, or how many of its runs are still to come."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        (name,) = self.arguments
        for source in sources(name):
            for path in sorted(self.folder.glob(f"{source}*.jsonl")):
                self.watch(path)
        self.env.note_reread()
        done, wanted = runs_on_record(name, self.folder)
        if done < wanted:
            text = f"{done} of {wanted} runs are on record; nothing is said before all are."
            return [nodes.paragraph("", "", nodes.emphasis(text, text))]
        rows = comparison_rows(name, self.folder)
        told = 0 if len({row[0] for row in rows}) > 1 else 1  # one setting needs no column
        return [table(HEADER[told:], [row[told:] for row in rows])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("recorded-comparison", RecordedComparison)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
