"""Small notebooks for the tests of the rules: one that follows them all, and parts to break it."""

from typing import Any

import execute
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mtl_utils.notebook import SETUP_CELL

NAME = "02_tiny.ipynb"

OPENING = """\
# A tiny chapter

Two numbers are added, and the reader sees that they make a third one. This paragraph says why
anybody would want to know that, with an example: two apples and three apples.

**You will learn**

- to add
- to subtract
- to doubt

**Before you start** you need nothing but 1 min on a CPU.
"""
CHECK = """\
from mtl_utils.exercises import exercise

@exercise("double", wrong=[abs])
def check_double(answer):
    answer.gives(2, expected=4)"""
DRAW = """\
from matplotlib import pyplot
figure, axes = pyplot.subplots()
axes.plot(counts)
pyplot.show()"""
WIDGET = """\
from mtl_utils.widgets import Widget
widget = Widget(lambda n: "x" * n, {"n": [1, 2, 3]})
widget.show()"""
STUB = """\
def double(number):
    ...

check_double(double)"""
STATEMENT = """\
**Exercise.** Write `double`, which doubles a number.

<details><summary>Solution</summary>

```python
def double(number):
    return 2 * number
```

</details>
"""
FIGURE = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 900x504 with 1 Axes>"}
UNANSWERED = {"text/plain": "Exercise double: not answered yet."}


def code(source: str, *tags: str, outputs: list[NotebookNode] | None = None) -> NotebookNode:
    """Make a code cell."""
    metadata: dict[str, Any] = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, metadata=metadata, outputs=outputs or [])


def text(source: str) -> NotebookNode:
    """Make a Markdown cell."""
    return new_markdown_cell(source)


def stream(content: str, name: str = "stdout") -> NotebookNode:
    """Make an output that was printed."""
    return new_output("stream", name=name, text=content)


def shown(data: dict[str, Any]) -> NotebookNode:
    """Make an output that was displayed."""
    return new_output("display_data", data=data)


def result(data: dict[str, Any], count: int) -> NotebookNode:
    """Make the output of a cell's last expression."""
    return new_output("execute_result", data=data, execution_count=count)


def notebook(*cells: NotebookNode) -> NotebookNode:
    """Make a notebook with execution counts 1 to n and the book's metadata."""
    made = new_notebook(cells=list(cells), metadata=nbformat.from_dict(execute.NOTEBOOK_METADATA))
    for number, cell in enumerate((c for c in cells if c.cell_type == "code"), start=1):
        cell.execution_count = number
    return made


def good_chapter() -> NotebookNode:
    """Make a chapter that follows every rule, with the outputs that running it gives."""
    draw = code(DRAW, outputs=[shown(FIGURE)])
    draw.metadata["mystnb"] = {"image": {"alt": "Counts rise from one to three"}}
    return notebook(
        text(OPENING),
        code(SETUP_CELL, "setup", "hide-input"),
        text("## The idea\n\nAddition, $a + b$, and its `!=`."),
        code("counts = [1, 2, 3]\nprint(sum(counts))", outputs=[stream("6\n")]),
        draw,
        code("assert counts == [1, 2, 3]"),
        code(WIDGET, "widget", "nbval-ignore-output", outputs=[stream("x\n")]),
        code("assert widget(n=2) == 'xx'"),
        text("## On real data"),
        code("text = 'real'\nprint(text)", "real-data", outputs=[stream("real\n")]),
        text("## What can go wrong\n\nLittle."),
        text("## Exercises"),
        code(CHECK),
        *exercise_pair(outputs_from=8),
        text("## Summary\n\nAll is well."),
        text("## Further reading\n\n- A book."),
    )


def exercise_pair(outputs_from: int, count: int = 4) -> list[NotebookNode]:
    """Make the same exercise a few times over."""
    cells = []
    for number in range(count):
        output = result(UNANSWERED, outputs_from + 1 + number)
        cells += [text(STATEMENT), code(STUB, "exercise", outputs=[output])]
    return cells
