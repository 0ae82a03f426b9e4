"""Notebooks under pytest: nbval cell by cell, then exercises, widgets and time.

Each chapter runs once, in one kernel of this environment. Its cells are compared by nbval; after
the last one the same kernel tries every exercise's stub and solution and calls every widget at all
its settings. At the end stands what was done and the processor time it took, which is reported and
fails nothing: a test of the clock is a test of what else the machine does.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import pytest
from kernels import START_SECONDS, LostReplyError, kernel_environment, processor_seconds
from nbformat import NotebookNode
from nbval import plugin as nbval  # type: ignore[import-untyped]
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError, nocolors  # type: ignore[import-untyped]
from notebook_checks import code_cells, median_lines, tags, widget_expression
from notebook_exercises import exercises, trial
from notebook_summary import record
from patient_kernel import PatientKernel

from mtl_utils import corpora

MOST_SECONDS = 100.0  # of the processor: what a chapter should take at most
PATIENCE = 60  # seconds that a kernel on a busy machine may take to say that it is done


@dataclass(frozen=True)
class NotebookFolder:
    """A folder whose notebooks are collected where a test module names it.

    Attributes:
        path: The folder.
        real_data: Whether cells tagged ``real-data`` run; None asks for ``MTL_DATA_DIR``.
        most_seconds: Processor time that a notebook should take at most; more is reported.
    """

    path: Path
    real_data: bool | None = None
    most_seconds: float = MOST_SECONDS

    def notebooks(self) -> list[Path]:
        """Return the notebooks in reading order."""
        return sorted(self.path.glob("*.ipynb"))

    @property
    def has_real_data(self) -> bool:
        """Whether cells on real data run."""
        if self.real_data is not None:
            return self.real_data
        return bool(os.environ.get("MTL_DATA_DIR"))


STAMPS = "corpora.load_stamps"  # come with a package of the system, not with the other copies


@dataclass
class Tally:
    """What was done with one notebook."""

    seconds: float = 0.0  # processor time of its own cells, start of the kernel included
    extra_seconds: float = 0.0  # processor time of what the tests add: exercises and widgets
    compared: int = 0
    output_ignored: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    real_data: int = 0
    exercises: int = 0
    widgets: int = 0
    settings: int = 0
    lost_replies: int = 0
    median_lines: float = 0.0

    def sentence(self, name: str) -> str:
        """Say it in one line."""
        parts = [
            f"{self.compared} cells compared",
            f"{self.output_ignored} run with output ignored",
            f"{self.real_data} of them on real data",
        ]
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.lost_replies:
            parts.append(f"{self.lost_replies} replies of the kernel lost and done without")
        parts += [
            f"{self.exercises} exercises solved",
            f"{self.settings} settings of {self.widgets} widgets called",
        ]
        return (
            f"{name}: {self.seconds:.1f} s of processor time, {', '.join(parts)} in "
            f"{self.extra_seconds:.1f} s more, "
            f"{self.median_lines:g} lines a code cell in the median"
        )


_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Chapter(IPyNbFile):
    """A notebook, collected cell by cell."""

    folder: NotebookFolder
    broken_by: int | None = None

    def setup(self) -> None:
        """Start the kernel as a reader has it, with this environment's Python."""
        self.config.option.nbval_current_env = True
        self.config.option.nbval_kernel_startup_timeout = START_SECONDS
        with (
            mock.patch.object(nbval, "RunningKernel", PatientKernel),
            mock.patch.dict(os.environ, kernel_environment(), clear=True),
        ):
            super().setup()
        self.tally.seconds = self.processor_seconds()

    @cached_property
    def tally(self) -> Tally:
        """The count of what was done so far."""
        return Tally(median_lines=median_lines(self.nb))

    def processor_seconds(self) -> float:
        """Processor time of the kernel so far, 0 where there is none."""
        if self.kernel is None or not self.kernel.is_alive():
            return 0.0
        return processor_seconds(self.kernel.km.provisioner.pid)

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the cells, then exercises, widgets and the time."""
        # nbval marks its own nodes; the classes below add what the book asks for.
        for item in super().collect():
            number = item.cell_num + 1
            options = {"cell_num": number, "cell": item.cell, "options": item.options}
            yield Cell.from_parent(self, name=f"cell {number}", **options)
        for exercise in exercises(self.nb):
            cell = nbformat.v4.new_code_cell(trial(exercise))
            yield from self._extra(f"exercise {exercise.name}", exercise.number, cell)
        for number, cell in enumerate(code_cells(self.nb), start=1):
            expression = widget_expression(cell) if "widget" in tags(cell) else None
            if expression:
                extra = nbformat.v4.new_code_cell(_call_every_setting(expression))
                extra.metadata["tags"] = [tag for tag in tags(cell) if tag == "real-data"]
                yield from self._extra(f"widget in cell {number}", number, extra)
        yield Account.from_parent(self, name="account")

    def _extra(self, name: str, number: int, cell: NotebookNode) -> Iterator[pytest.Item]:
        options = {"check": False, "skip": False, "check_exception": False}
        yield Extra.from_parent(self, name=name, cell_num=number, cell=cell, options=options)


class Cell(IPyNbCell):
    """A code cell, validated by nbval."""

    def _missing_data(self) -> str:
        """Say which data the cell needs and does not have; nothing if it has all."""
        if "real-data" not in tags(self.cell):
            return ""
        if not self.parent.folder.has_real_data:
            return "MTL_DATA_DIR is not set to a folder of local copies"
        stamps = any(STAMPS in cell.source for cell in code_cells(self.parent.nb))
        if stamps and self.parent.folder.real_data is None and not corpora.has_stamps():
            return "the stamps of Tux Paint are not installed"
        return ""

    def runtest(self) -> None:
        """Run the cell and compare its outputs, unless its data are missing."""
        missing = self._missing_data()
        if missing:
            self.parent.tally.skipped.append(f"{self.parent.path.name} {self.name}")
            pytest.skip(f"real data: {missing}")
        if self.parent.broken_by is not None:
            pytest.skip(f"cell {self.parent.broken_by} of {self.parent.path.name} raised before it")
        self.colors = nocolors
        self.output_timeout = PATIENCE
        try:
            with self._measured():
                super().runtest()
        except NbCellError as error:
            self.parent.tally.failed += 1
            if "differ" not in str(error) and type(self) is Cell:
                self.parent.broken_by = self.cell_num
            raise
        except LostReplyError:
            self.parent.tally.failed += 1
            self.parent.broken_by = self.cell_num
            raise
        self.count()

    @contextmanager
    def _measured(self) -> Iterator[None]:
        before = self.parent.processor_seconds()
        try:
            yield
        finally:
            seconds = max(0.0, self.parent.processor_seconds() - before)
            tally = self.parent.tally
            if isinstance(self, Extra):
                tally.extra_seconds += seconds
            else:
                tally.seconds += seconds

    def count(self) -> None:
        """Add the cell to the tally."""
        tally = self.parent.tally
        if self.options["check"]:
            tally.compared += 1
        else:
            tally.output_ignored += 1
        tally.real_data += "real-data" in tags(self.cell)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """Show the cell and the difference, and say what to do about it."""
        text = _ANSI.sub("", str(super().repr_failure(excinfo)))
        if isinstance(excinfo.value, NbCellError) and "differ" in str(excinfo.value):
            number = self.parent.path.name[:2]
            text += f"\nIf the new output is right, store it: make notebooks CHAPTER={number}"
        return text

    def reportinfo(self) -> tuple[Path, int, str]:
        """Name the cell in reports."""
        return self.parent.path, 0, f"{self.parent.path.name}: {self.name}"


class Extra(Cell):
    """Code that the tests run in the chapter's kernel after its last cell."""

    def count(self) -> None:
        """Add the exercise or the settings to the tally."""
        tally = self.parent.tally
        if self.name.startswith("exercise"):
            tally.exercises += 1
            return
        tally.widgets += 1
        printed = "".join(output.get("text", "") for output in self.test_outputs or [])
        tally.settings += int(printed.split()[-1])


class Account(pytest.Item):
    """What was done with a chapter, for the summary. It fails nothing."""

    def runtest(self) -> None:
        """Record the tally."""
        assert isinstance(self.parent, Chapter)
        name, tally = self.parent.path.name, self.parent.tally
        if self.parent.kernel is not None:
            tally.lost_replies = self.parent.kernel.lost_replies
        lines = [tally.sentence(name)]
        most = self.parent.folder.most_seconds
        if tally.seconds > most:
            lines.append(
                f"SLOW: {name} took {tally.seconds:.0f} s of processor time. A chapter takes "
                f"{most:g} s at most: move the longest run to mtl_utils.experiments and plot its "
                "records."
            )
        record(self, name, lines, tally.skipped)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Name the account in reports."""
        return self.path, 0, f"{self.path.name}: account"


def _call_every_setting(expression: str) -> str:
    return f"""\
def _call_every_setting(widget):
    from matplotlib import pyplot
    from mtl_utils.widgets import Widget
    assert isinstance(widget, Widget), f"expected a Widget, got {{type(widget).__name__}}"
    count = 0
    for settings in widget.settings():
        result = widget(**settings)
        assert result is not None, f"nothing to show at {{settings}}"
        if isinstance(result, str):
            assert widget(**settings) == result, f"two calls differ at {{settings}}"
        count += 1
        pyplot.close("all")  # more than twenty open ones would warn
    print("settings called:", count)

_call_every_setting({expression})
del _call_every_setting
"""


def collect(folder: NotebookFolder, parent: pytest.Collector) -> list[Any]:
    """Return a collector for each notebook of a folder.

    Raises:
        pytest.Collector.CollectError: If there is none.
    """
    if not folder.notebooks():
        raise pytest.Collector.CollectError(f"there is no notebook in {folder.path}")
    collectors = []
    for path in folder.notebooks():
        chapter = Chapter.from_parent(parent, path=path)
        chapter.folder = folder
        collectors.append(chapter)
    return collectors
