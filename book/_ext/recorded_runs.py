"""A section for each recorded experiment: ``recorded-runs``.

Its main measures are plotted, a row for each configuration and a dot for each run; the numbers and
what all runs have in common are folded beneath, and the records themselves can be downloaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from docutils import nodes
from dot_plots import Row, dot_plot
from measured import (
    TRIED,
    flat,
    label,
    main_measures,
    measures,
    plain,
    shared,
    telling,
    without_classes,
    words,
)
from run_records import (
    NOTEBOOKS,
    SOLUTIONS,
    Record,
    ResultsDirective,
    mean_and_half_width,
    page_link,
    read_records,
    rounded,
    table,
)
from sphinx import addnodes
from sphinx.application import Sphinx

#: Experiments whose numbers are no single ones, and the page that draws them.
DRAWN = {
    "data_sets": "book/data",
    "diagnosis_mixtures": "chapters/15_negative_transfer",
    "scaling_steps": "chapters/22_scaling_out",
}
MOST_COLUMNS = 5
"""Configurations, or measures, that stand side by side in a table of numbers."""
MOST_WITHOUT_GROUPS = 8
"""Rows of a plot that need no headings among them."""


@dataclass(frozen=True)
class Group:
    """The runs that one row tells of: they differ in their seeds, or in what was tried."""

    config: Record
    records: list[Record]

    def values(self, measure: str) -> list[float]:
        """Return a measure of each run that has it."""
        found = (measures(record).get(measure) for record in self.records)
        return [value for value in found if value is not None]

    def tries(self) -> int:
        """Count the configurations."""
        return len({json.dumps(record["config"], sort_keys=True) for record in self.records})


def is_tried(name: str) -> bool:
    """Tell whether a setting of a flat configuration was tried rather than compared."""
    return name.partition(".")[0] in TRIED


def grouped(records: Sequence[Record], names: Sequence[str]) -> list[Group]:
    """Put runs together whose flat configurations agree in the settings that are named."""
    groups: dict[str, Group] = {}
    for record in records:
        config = flat(record.get("config", {}))
        key = json.dumps([config.get(name) for name in names])
        groups.setdefault(key, Group(config, [])).records.append(record)
    return list(groups.values())


def plot_rows(groups: Sequence[Group], names: Sequence[str], measure: str) -> list[Row]:
    """Return the rows of one plot; groups without the measure have none."""
    there = [(group, values) for group in groups if (values := group.values(measure))]
    headed = len(names) > 1 and len(there) > MOST_WITHOUT_GROUPS
    heading, rest = (names[:1], names[1:]) if headed else ((), names)
    rows = []
    for group, values in there:
        told, interval = _summary(group, values)
        name = label(group.config, rest) or "all runs"
        rows.append(Row(name, tuple(values), told, interval, label(group.config, heading)))
    # Runs are recorded as they end; rows stand in one order in all groups.
    labels = list(dict.fromkeys(row.label for row in rows))
    return sorted(rows, key=lambda row: (_by_number(row.group), labels.index(row.label)))


def _by_number(text: str) -> list[str | int]:
    """Sort 400 rows before 1600 rows."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _summary(
    group: Group, values: Sequence[float]
) -> tuple[str, tuple[float, float, float] | None]:
    if group.tries() > 1:
        return f"up to {rounded(max(values), None)}", None
    mean, half = mean_and_half_width(values)
    return rounded(mean, half), None if half is None else (mean - half, mean, mean + half)


def numbers(groups: Sequence[Group], names: Sequence[str], told: Sequence[str]) -> nodes.table:
    """Make the table of numbers: measures below each other, or side by side if they are few."""
    labels = [label(group.config, names) or "all runs" for group in groups]
    if len(groups) <= MOST_COLUMNS:
        rows = [[words(measure), *(_cell(group, measure) for group in groups)] for measure in told]
        return table(["measure", *labels], rows)
    if len(told) <= MOST_COLUMNS:
        rows = [
            [name, *(_cell(group, measure) for measure in told)]
            for name, group in zip(labels, groups, strict=True)
        ]
        return table(["runs", *map(words, told)], rows)
    rows = [
        [name, "; ".join(f"{words(m)} {_cell(group, m)}" for m in told if group.values(m))]
        for name, group in zip(labels, groups, strict=True)
    ]
    return table(["runs", "measures"], rows)


def _cell(group: Group, measure: str) -> str:
    values = group.values(measure)
    return rounded(*mean_and_half_width(values)) if values else ""


class RecordedRuns(ResultsDirective):
    """A section for each experiment: its command, how often it ran and what came out."""

    def run(self) -> list[nodes.Node]:
        """Build the sections."""
        others = (NOTEBOOKS, SOLUTIONS)
        files = [path for path in sorted(self.folder.glob("*.jsonl")) if path.name not in others]
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
        section += self._plots(name, records)
        section += self._folded(name, records)
        return section

    def _plots(self, name: str, records: list[Record]) -> list[nodes.Node]:
        main = [] if name in DRAWN else main_measures(_measured(records))
        if not main:
            where = DRAWN.get(name)
            drawn: nodes.Node = nodes.Text("A chapter")
            if where in self.env.found_docs:
                drawn = page_link(self.env, where, where)
            return [nodes.paragraph("", "", drawn, nodes.Text(" shows what came out."))]
        names = [each for each in telling(_configs(records)) if not is_tried(each)]
        groups = grouped(records, names)
        return [dot_plot(words(each), plot_rows(groups, names, each)) for each in main]

    def _folded(self, name: str, records: list[Record]) -> list[nodes.Node]:
        configs = _configs(records)
        names, told = telling(configs), _measured(records)
        groups = grouped(records, names)
        few = len(groups) <= MOST_COLUMNS
        shown = told if few else without_classes(told)
        inner: list[nodes.Node] = []
        if common := shared(configs):
            settings = "; ".join(f"{_path(each)} {plain(common[each])}" for each in common)
            inner.append(nodes.paragraph("", f"In all of them: {settings}."))
        if shown:
            inner.append(numbers(groups, names, shown))
        inner.append(self._download(name, len(told) - len(shown)))
        summary = f"The numbers of {name.replace('_', ' ')}"
        opened = f'<details class="numbers"><summary>{summary}</summary>'
        return [
            nodes.raw("", opened, format="html"),
            *inner,
            nodes.raw("", "</details>", format="html"),
        ]

    def _download(self, name: str, left_out: int) -> nodes.Node:
        file = f"{name}.jsonl"
        link = addnodes.download_reference(
            "",
            "",
            nodes.literal(file, file),
            refdoc=self.env.docname,
            refdomain="",
            reftarget=f"/book/results/{file}",
            reftype="download",
            refexplicit=False,
            refwarn=True,
        )
        more = f", with {left_out} measures more: of single classes" if left_out else ""
        return nodes.paragraph("", "", nodes.Text("All records: "), link, nodes.Text(f"{more}."))


def _path(name: str) -> str:
    """Write a nested setting with what it is of: ``"encoder width"``."""
    return name.replace(".", " ").replace("_", " ")


def _configs(records: Sequence[Record]) -> list[Record]:
    return [flat(record.get("config", {})) for record in records]


def _measured(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in measures(record)))


def _facts(records: list[Record]) -> str:
    seconds = sum(record.get("seconds", 0.0) for record in records)
    hardware = sorted({plain(record.get("hardware", "unknown")) for record in records})
    dates = sorted(str(record.get("date", "unknown"))[:10] for record in records)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    torch = sorted({str(record.get("versions", {}).get("torch", "none")) for record in records})
    return (
        f"{len(records)} runs, {seconds / 60:.1f} minutes in all, {when}, "
        f"on {'; '.join(hardware)}, torch {', '.join(torch)}."
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("recorded-runs", RecordedRuns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
