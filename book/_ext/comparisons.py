"""What may be claimed of a recorded comparison: ``recorded-comparison``.

Nothing is shown of a comparison before all of its runs are on record, since a mean over the seeds
that happened to be first is no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from run_records import ResultsDirective, table
from sphinx.application import Sphinx

from mtl_utils import experiments
from mtl_utils.experiments.registry import find_comparison

SCORES = ("first", "second")
DIFFERENCE = ("difference", "at twice the steps", "verdict")


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
    """One row per contrast that the comparison named before it was run.

    A row tells the setting, the measure, the two contestants with their scores, A and B, and then
    what was found: A minus B, the same at twice the steps, and the verdict.
    """
    rows = []
    for setting in find_comparison(name).contrasts:
        found = experiments.comparison_table(name, setting, folder)
        sides = [column for column in found.columns if column not in DIFFERENCE]
        for metric, row in found.iterrows():
            scores = [row[side] if side in SCORES else f"{side}: {row[side]}" for side in sides]
            found_out = [row[column] for column in DIFFERENCE]
            rows.append([setting, str(metric).replace("_", " "), *scores, *found_out])
    return rows


def compared(rows: Sequence[Sequence[str]]) -> nodes.table:
    """Make the table of such rows.

    What is the same in all rows stands in a heading: a contestant, or the measure. A column of
    settings that says one thing is left out.
    """
    sides = [{row[place].partition(": ")[0] for row in rows} for place in (2, 3)]
    names = [
        next(iter(side)) if len(side) == 1 else letter
        for side, letter in zip(sides, "AB", strict=True)
    ]
    minus = " \N{MINUS SIGN} ".join(names)
    header = ["setting", "on", *names, minus, *DIFFERENCE[1:]]
    cells = [
        [
            *row[:2],
            *(
                text.partition(": ")[2] if name != letter else text.replace(": ", " ", 1)
                for text, name, letter in zip(row[2:4], names, "AB", strict=True)
            ),
            *row[4:],
        ]
        for row in rows
    ]
    left_out = {place for place in (0, 1) if len({row[place] for row in rows}) == 1}
    if len(left_out) == 2 and len(rows) == 1:
        left_out = {0}
    kept = [place for place in range(len(header)) if place not in left_out]
    if 1 in left_out:
        header[4] = f"{minus}, {rows[0][1]}"
    return table([header[place] for place in kept], [[row[p] for p in kept] for row in cells])


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
        return [compared(comparison_rows(name, self.folder))]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("recorded-comparison", RecordedComparison)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
