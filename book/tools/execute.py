"""Execute the notebooks in place and store clean outputs.

``make notebooks`` and ``make notebooks CHAPTER=02`` call ``execute.py [CHAPTER ...]``. A notebook
runs from its first cell to its last in a fresh kernel of this environment; once more where a kernel
lost an answer. Its outputs are stored without what differs from run to run, and its line in
``book/results/notebooks.jsonl`` is replaced. A notebook that fails is left as it was.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from kernels import PATIENCE, LostReplyError, PatientClient, kernel_environment
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"
RECORDS = ROOT / "book" / "results" / "notebooks.jsonl"
REAL_DATA_TAG = "real-data"
CELL_TIMEOUT = 1800  # seconds: more than any cell takes on a machine however busy

VERSIONS_RECORDED = (
    *("torch", "numpy", "datasets", "pandas", "matplotlib"),
    *("ipykernel", "ipywidgets", "nbclient", "jupyter-book"),
)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"

# What a notebook says of itself: nothing of the machine, and a GPU where Colab opens it.
NOTEBOOK_METADATA: dict[str, Any] = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
CELL_METADATA = ("tags", "mystnb", "live")
OUTPUT_METADATA = ("width", "height")

_PROGRESS = re.compile(r"\d+%\||\d+it \[|\dit/s|\ds/it")
_WARNING = re.compile(r"\b[A-Z]\w*Warning: ")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_ABSOLUTE_PATH = re.compile(
    r"(?<![\w./:])/(?:home|root|Users|tmp|private|content|usr|opt|var|mnt)/\w|\b[A-Z]:\\\\?\w"
)
_IMAGE = re.compile(r"^(image/|application/pdf)")


# --- what is stored -------------------------------------------------------------------------------


def clean(notebook: NotebookNode) -> None:
    """Take out of an executed notebook whatever differs from run to run, in place.

    Widgets give way to what they showed, progress bars go, streams are joined, execution counts
    become 1 to n, and metadata is cut down to tags, image options and image sizes.
    """
    states = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    count = 0
    for cell in notebook.cells:
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})
        if cell.cell_type != "code":
            cell.pop("attachments", None)
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = _joined_streams(
            _clean_output(output, count) for output in _without_widgets(cell.outputs, states)
        )
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    nbformat.validate(notebook)


def _without_widgets(
    outputs: Sequence[NotebookNode], states: Mapping[str, Any]
) -> Iterator[NotebookNode]:
    for output in outputs:
        view = output.get("data", {}).get(WIDGET_VIEW)
        if view is None:
            yield output
        else:
            yield from _shown_in_widget(view["model_id"], states)


def _shown_in_widget(model: str, states: Mapping[str, Any]) -> Iterator[NotebookNode]:
    """Yield the outputs inside a widget; a progress bar has none."""
    state = states.get(model, {}).get("state", {})
    inside = [nbformat.from_dict(output) for output in state.get("outputs", [])]
    yield from _without_widgets(inside, states)
    for child in state.get("children", []):
        yield from _shown_in_widget(child.removeprefix("IPY_MODEL_"), states)


def _clean_output(output: NotebookNode, count: int) -> NotebookNode:
    output = nbformat.from_dict(output)
    if output.output_type == "stream":
        if output.name == "stderr":
            lines = re.split(r"[\r\n]+", output.text)
            kept = [line for line in lines if line.strip() and not _PROGRESS.search(line)]
            output.text = "".join(f"{line}\n" for line in kept)
        return output
    output.pop("transient", None)
    if output.output_type == "execute_result":
        output.execution_count = count
    sizes = {}
    for mime, entry in output.get("metadata", {}).items():
        if isinstance(entry, Mapping) and set(entry) & set(OUTPUT_METADATA):
            sizes[mime] = {key: entry[key] for key in OUTPUT_METADATA if key in entry}
    output.metadata = nbformat.from_dict(sizes)
    return output


def _joined_streams(outputs: Iterator[NotebookNode]) -> list[NotebookNode]:
    joined: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if not output.text:
                continue
            last = joined[-1] if joined else None
            if last and last.output_type == "stream" and last.name == output.name:
                last.text += output.text
                continue
        joined.append(output)
    return joined


def output_problems(notebook: NotebookNode) -> list[str]:
    """Name what must not be stored: errors, warnings, progress bars, widgets, machine paths.

    Returns:
        One sentence a problem, with the number of the code cell, counted from 1.
    """
    problems = []
    if "widgets" in notebook.metadata:
        problems.append("the notebook's metadata hold the state of widgets")
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code_cells, start=1):
        if cell.execution_count != number:
            problems.append(f"code cell {number} has execution count {cell.execution_count}")
        for output in cell.outputs:
            problems += [f"code cell {number} stores {what}" for what in _unwanted(output)]
    return problems


def _unwanted(output: NotebookNode) -> Iterator[str]:
    if output.output_type == "error":
        yield f"an error: {output.ename}: {output.evalue}"
        return
    if output.get("name") == "stderr":
        yield f"something written to stderr: {output.text.strip()[:200]!r}"
    if WIDGET_VIEW in output.get("data", {}):
        yield "a widget instead of its static result"
    for text in texts(output):
        for what, pattern in (
            ("a warning", _WARNING),
            ("a progress bar", _PROGRESS),
            ("a memory address", _ADDRESS),
            ("a path of this machine", _ABSOLUTE_PATH),
            ("a path of this machine", _own_paths()),
        ):
            match = pattern.search(text)
            if match:
                yield f"{what}: {text[max(0, match.start() - 20) : match.end() + 60]!r}"


def texts(output: NotebookNode) -> Iterator[str]:
    if output.output_type == "stream":
        yield output.text
    for mime, data in output.get("data", {}).items():
        if not _IMAGE.match(mime):
            yield data if isinstance(data, str) else json.dumps(data)


def _own_paths() -> re.Pattern[str]:
    places = [ROOT, Path.home(), Path(sys.prefix), Path(tempfile.gettempdir())]
    if os.environ.get("MTL_DATA_DIR"):
        places.append(Path(os.environ["MTL_DATA_DIR"]).resolve())
    names = {str(place) for place in places if place != Path(place.anchor)}
    return re.compile("|".join(rf"(?<!\w){re.escape(name)}(?=/|\\|\W|$)" for name in sorted(names)))


# --- running --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """What a run took.

    Attributes:
        seconds: By the clock, start of the kernel included.
        processor_seconds: Processor time of the kernel and of the processes that it started.
    """

    seconds: float
    processor_seconds: float


def run(
    notebook: NotebookNode, folder: Path, *, real_data: bool = True, patience: float = PATIENCE
) -> Taken:
    """Execute a notebook in place; once more, from its first cell, where an answer was lost.

    Args:
        notebook: The notebook.
        folder: Working directory of the kernel.
        real_data: Whether the cells tagged ``real-data`` run too; those that do not keep the
            outputs they have.
        patience: Seconds before an answer that an idle kernel owes counts as lost.

    Returns:
        What the run that succeeded took.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell raises.
        RuntimeError: If an answer is lost twice, the kernel dies, or a cell never ends.
    """
    try:
        return _run_once(notebook, folder, real_data, patience)
    except LostReplyError as lost:
        print(f"once more, since {lost} ...", end=" ", file=sys.stderr, flush=True)
    return _run_once(notebook, folder, real_data, patience)


def _run_once(notebook: NotebookNode, folder: Path, real_data: bool, patience: float) -> Taken:
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    client = PatientClient(
        notebook,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=True,
        skip_cells_with_tag="never-skipped" if real_data else REAL_DATA_TAG,
        resources={"metadata": {"path": str(folder)}},
    )
    client.patience = patience
    start = time.perf_counter()
    try:
        client.execute(env=kernel_environment())
    except CellTimeoutError as error:
        raise RuntimeError(str(error)) from error
    return Taken(time.perf_counter() - start, client.processor_seconds)


def execute(path: Path, records: Path = RECORDS, *, real_data: bool = True) -> Taken:
    """Execute one notebook file, store it and its record.

    Args:
        path: The notebook.
        records: The file of run records.
        real_data: Whether the cells tagged ``real-data`` run too.

    Returns:
        What it took.

    Raises:
        RuntimeError: If a cell raises, an answer is lost twice or an output must not be stored; the
            file stays as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    try:
        taken = run(notebook, path.parent, real_data=real_data)
    except CellExecutionError as error:
        raise RuntimeError(f"a cell raised {error.ename}.\n{error}") from error
    clean(notebook)
    problems = output_problems(notebook)
    if problems:
        raise RuntimeError("outputs that must not be stored:\n  " + "\n  ".join(problems))
    _write_atomically(path, lambda file: nbformat.write(notebook, file))
    store_record(run_record(path.name, taken, real_data), records)
    return taken


def run_record(notebook: str, taken: Taken, real_data: bool) -> dict[str, Any]:
    """Describe a run: what ran, how long, when, with what, on what."""
    return {
        "notebook": notebook,
        "seconds": round(taken.seconds, 1),
        "processor_seconds": round(taken.processor_seconds, 1),
        **circumstances(),
        "real_data": real_data,
    }


def circumstances() -> dict[str, Any]:
    """Say when, with what and on what something runs."""
    versions = {}
    for name in VERSIONS_RECORDED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "versions": versions,
        "hardware": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, CPU",
    }


def store_record(
    record: Mapping[str, Any], records: Path, key: Sequence[str] = ("notebook",)
) -> None:
    """Put a record in the place of the last one of the same key; records are sorted by it."""
    lines = records.read_text("utf-8").splitlines() if records.exists() else []
    read = [*map(json.loads, filter(None, lines)), record]
    kept = {tuple(entry[name] for name in key): entry for entry in read}
    text = "".join(json.dumps(kept[name], ensure_ascii=False) + "\n" for name in sorted(kept))
    records.parent.mkdir(parents=True, exist_ok=True)
    _write_atomically(records, lambda file: file.write(text))


def _write_atomically(path: Path, write: Callable[[Any], Any]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            write(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def select(chapters: Sequence[str], folder: Path = CHAPTERS) -> list[Path]:
    """Find the notebooks that a number or the beginning of a name asks for; all without any.

    Raises:
        FileNotFoundError: If one of the names fits no notebook.
    """
    found = sorted(folder.glob("*.ipynb"))
    for name in chapters:
        if not any(path.name.startswith(name) for path in found):
            have = ", ".join(path.stem for path in found) or "none"
            raise FileNotFoundError(f"No notebook begins with {name!r}. The notebooks: {have}.")
    return [path for path in found if not chapters or path.name.startswith(tuple(chapters))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Execute notebooks in place, store clean outputs.")
    parser.add_argument("chapters", nargs="*", help="beginnings of names, such as 02; all without")
    parser.add_argument(
        "--allow-missing-data",
        action="store_true",
        help="without MTL_DATA_DIR, leave the cells on real data as they are",
    )
    options = parser.parse_args(arguments)
    try:
        paths = select(options.chapters)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    real_data = bool(os.environ.get("MTL_DATA_DIR"))
    if not real_data and not options.allow_missing_data:
        print(
            "MTL_DATA_DIR is not set, so the cells on real data cannot run from local copies.\n"
            "Set it to a folder of data sets (book/data.md gives the layout), or pass "
            "--allow-missing-data to leave those cells and their outputs as they are.",
            file=sys.stderr,
        )
        return 2
    failed = 0
    for path in paths:
        print(f"{path.name} ...", end=" ", flush=True)
        try:
            taken = execute(path, real_data=real_data)
            print(
                f"{taken.seconds:.1f} s, {taken.processor_seconds:.1f} s of processor time",
                flush=True,
            )
        except RuntimeError as error:
            failed += 1
            print(f"failed: {error}", flush=True)
    print(f"{len(paths) - failed} of {len(paths)} notebooks stored.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
