"""Exercises of a chapter: stub, check and folded solution."""

import ast
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

_SOLUTION = re.compile(
    r"<details[^>]*>\s*<summary>\s*(?:<b>)?Solution[^<]*(?:</b>)?\s*</summary>(.*?)</details>",
    re.DOTALL,
)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class ExerciseCell:
    """An exercise of a notebook.

    Attributes:
        number: Number of its code cell, counted from 1.
        stub: Source of that cell.
        solution: Python code of the folded solution, None where there is none.
    """

    number: int
    stub: str
    solution: str | None

    @property
    def name(self) -> str:
        """Name of the check it calls, without ``check_``."""
        call = check_call(self.stub)
        found = re.search(r"check_(\w+)", call or "")
        return found.group(1) if found else f"in code cell {self.number}"


def exercises(notebook: NotebookNode) -> list[ExerciseCell]:
    """Collect the exercises of a notebook.

    A solution stands in the Markdown before the exercise's cell or in that after it; the first
    exercise decides for the whole chapter.
    """
    numbered: list[tuple[int, int, NotebookNode]] = []
    count = 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            count += 1
            if "exercise" in cell.metadata.get("tags", []):
                numbered.append((index, count, cell))
    if not numbered:
        return []
    before = _solution(_markdown_run(notebook.cells[: numbered[0][0]][::-1])) is not None
    found = []
    for index, number, cell in numbered:
        around = notebook.cells[:index][::-1] if before else notebook.cells[index + 1 :]
        found.append(ExerciseCell(number, cell.source, _solution(_markdown_run(around))))
    return found


def _markdown_run(cells: Sequence[NotebookNode]) -> list[str]:
    """Return the Markdown up to the next code cell."""
    run = []
    for cell in cells:
        if cell.cell_type == "code":
            break
        run.append(cell.source)
    return run


def _solution(sources: Sequence[str]) -> str | None:
    for source in sources:
        for folded in _SOLUTION.findall(source):
            fences = _PYTHON.findall(folded)
            if fences:
                return "\n".join(fences)
    return None


def check_call(source: str) -> str | None:
    """Return the call of a ``check_...`` function that ends a cell."""
    body = ast.parse(source).body
    match body[-1] if body else None:
        case ast.Expr(ast.Call(ast.Attribute(attr=name) | ast.Name(id=name)) as call):
            return ast.unparse(call) if name.startswith("check_") else None
    return None


def measures(item: ExerciseCell) -> bool:
    """Say whether a solution measures something: its answer is a ``report``, or it prints."""
    nodes = list(ast.walk(ast.parse(item.solution or "")))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    return "report" in names or "print" in names


def trial(item: ExerciseCell, then: str = "") -> str:
    """Return code that tries stub and solution in the namespace of the executed chapter.

    It works on copies, so that one solution cannot lean on another. It raises where the stub is
    taken for an answer or the solution is refused.

    Args:
        item: The exercise.
        then: Statements on a solution that passed: on its ``names`` and on the ``spent`` seconds
            that it took, by the clock and of the processor.
    """
    return f"""\
def _try_exercise():
    import time

    names = dict(globals())
    exec(compile({item.stub!r}, "<stub of {item.name}>", "exec"), names)
    verdict = eval({check_call(item.stub)!r}, names)
    assert verdict.state == "unanswered", f"the stub counts as an answer: {{verdict}}"
    names = dict(globals())
    began = time.perf_counter(), time.process_time()
    exec(compile({item.solution!r}, "<solution of {item.name}>", "exec"), names)
    spent = time.perf_counter() - began[0], time.process_time() - began[1]
    verdict = eval({check_call(item.stub)!r}, names)
    assert verdict.passed, f"the solution is refused: {{verdict}}"
{textwrap.indent(then, "    ")}

_try_exercise()
del _try_exercise
"""
