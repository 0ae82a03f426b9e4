"""Record what the solutions of exercises measure.

``solutions.py CHAPTER [CHAPTER ...]`` runs a chapter in a fresh kernel and then, in its namespace,
each folded solution whose answer is a ``report`` or that prints. Of each it puts a line into
``book/results/solutions.jsonl``, in the place of that exercise's last one: the report, what was
printed, and with what it ran. The notebook stays as it is. Cells on real data are left out, since
no solution may lean on them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import execute
import nbformat
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from notebook_exercises import exercises, measures, trial

from mtl_utils.experiments.records import commit

RECORDS = execute.RECORDS.with_name("solutions.jsonl")
KEY = ("chapter", "exercise")
DIGITS = 4  # significant ones of a number in a report
MOST_PRINTED = 2000  # characters
MIME = "application/json"

# What is shown of a solution that passed: its own report, not the stub's, with lists for arrays.
SHOW = f"""\
import json
from IPython.display import display
report = names.get("report")
report = None if report is globals().get("report") else report
report = json.dumps(report, default=lambda value: value.tolist())
display({{{MIME!r}: {{"report": json.loads(report), "spent": spent}}}}, raw=True)
"""


def record(path: Path, records: Path = RECORDS) -> list[dict[str, Any]]:
    """Run a chapter and its solutions that measure, and store what they gave.

    Args:
        path: The notebook, which is not changed.
        records: The file of records.

    Returns:
        The records, one per solution.

    Raises:
        RuntimeError: If a cell raises or a check refuses its solution; nothing is stored.
    """
    notebook = nbformat.read(path, as_version=4)
    items = [item for item in exercises(notebook) if measures(item)]
    if not items:
        return []
    cells = [nbformat.v4.new_code_cell(trial(item, SHOW)) for item in items]
    notebook.cells += cells
    try:
        execute.run(notebook, path.parent, real_data=False)
    except CellExecutionError as error:
        raise RuntimeError(f"a cell raised {error.ename}: {error.evalue}") from error
    found = []
    for item, cell in zip(items, cells, strict=True):
        named = {"chapter": path.stem, "exercise": item.name}
        found.append({**named, **_measured(cell), "commit": commit(), **execute.circumstances()})
        execute.store_record(found[-1], records, KEY)
    return found


def _measured(cell: NotebookNode) -> dict[str, Any]:
    """Collect what a solution reported and printed, and how long it took."""
    (shown,) = (output.data[MIME] for output in cell.outputs if MIME in output.get("data", {}))
    printed = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
    seconds, processor_seconds = shown["spent"]
    return {
        "report": rounded(shown["report"]),
        "printed": printed[:MOST_PRINTED],
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor_seconds, 1),
    }


def rounded(value: Any) -> Any:
    """Round the numbers in a report, however deep they stand, to :data:`DIGITS` digits."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Record what solutions of exercises measure.")
    parser.add_argument("chapters", nargs="+", help="beginnings of names, such as 02")
    try:
        paths = execute.select(parser.parse_args(arguments).chapters)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        print(f"{path.name} ...", end=" ", flush=True)
        try:
            told = [f"{one['exercise']} {one['seconds']} s" for one in record(path)]
            print(", ".join(told) or "no solution measures", flush=True)
        except RuntimeError as error:
            failed += 1
            print(f"failed: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
