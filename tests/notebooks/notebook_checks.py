"""Rules that every chapter follows, as pure functions from a notebook to a list of problems.

Each takes the notebook as ``nbformat`` reads it and its file name, and returns one sentence a
problem. Cells are counted from 1; "cell" counts all cells, "code cell" those with code (the number
in brackets that Jupyter shows).
"""

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Callable, Iterator
from itertools import pairwise

import execute
from nbformat import NotebookNode
from notebook_exercises import check_call, exercises

from mtl_utils.notebook import SETUP_CELL

MOST_CELLS = 43
MOST_LINES = 30
LEARNING_GOALS = range(3, 6)
EXERCISES = range(4, 7)
FIRST_CHAPTER_ON_REAL_DATA = 2
CLOSING_SECTIONS = ("What can go wrong", "Exercises", "Summary", "Further reading")
TAGS = {
    *("setup", "real-data", "exercise", "widget", "nbval-ignore-output", "nbval-skip"),
    *("raises-exception", "hide-input", "hide-output", "hide-cell", "scroll-output", "live-model"),
}
FILE_NAME = re.compile(r"^(\d\d)_[a-z0-9_]+\.ipynb$")

_FENCE = re.compile(r"^(`{3,}|~{3,})(.*?)^\1", re.MULTILINE | re.DOTALL)
_NOT_PROSE = (
    _FENCE,
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"\$\$.*?\$\$", re.DOTALL),
    re.compile(r"(?<![\\$])\$[^$\n]+\$"),
    re.compile(r"(`+)[^`].*?\1", re.DOTALL),
    re.compile(r"</?[a-zA-Z][^>]*>"),
    re.compile(r"!(?=\[)"),  # an image
    re.compile(r"\]\([^)]*\)"),  # the target of a link
    re.compile(r"https?://\S+"),
)


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells with code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parse(cell: NotebookNode) -> ast.Module:
    """Parse a code cell; magics and shell lines count as blank."""
    lines = cell.source.splitlines()
    return ast.parse("\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in lines))


def has_assertion(cell: NotebookNode) -> bool:
    """Tell whether a cell asserts something, by ``assert`` or a call of an ``assert_...``."""
    for node in ast.walk(parse(cell)):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name.startswith("assert_"):
                return True
    return False


def _asserted_soon(cells: list[NotebookNode], index: int) -> bool:
    return any(has_assertion(cell) for cell in cells[index : index + 3])


def _markdown(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            yield number, cell.source


def _prose(source: str) -> str:
    for pattern in _NOT_PROSE:
        source = pattern.sub(" ", source)
    return source


# --- anatomy --------------------------------------------------------------------------------------


def opening(notebook: NotebookNode, name: str) -> list[str]:
    """Title and motivation, what the reader will learn, what to know before the start."""
    if not FILE_NAME.match(name):
        return [f"the file is named {name}, but chapters are named NN_topic.ipynb"]
    before = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            break
        before.append(cell.source)
    text = "\n\n".join(before)
    problems = []
    title, _, rest = text.partition("\n")
    if not re.match(r"# \S", title):
        problems.append("the first cell does not begin with a title ('# Title')")
    motivation = rest.split("**You will learn**")[0]
    if len(motivation.split()) < 20:
        problems.append("no paragraph of motivation stands between the title and the goals")
    problems += _goals(text)
    section = text.partition("**Before you start**")[2]
    if not section:
        problems.append("no '**Before you start**' stands before the setup cell")
    elif not re.search(r"\d+\s*(?:to \d+ |-\d+ )?min", section):
        problems.append("'**Before you start**' does not say how many minutes the chapter takes")
    return problems


def _goals(text: str) -> list[str]:
    section = text.partition("**You will learn**")[2].partition("**Before you start**")[0]
    if not section:
        return ["no '**You will learn**' stands before the setup cell"]
    goals = len(re.findall(r"^[-*] ", section, re.MULTILINE))
    if goals not in LEARNING_GOALS:
        return [f"'**You will learn**' lists {goals} goals, not 3 to 5"]
    return []


def setup_cell(notebook: NotebookNode, name: str) -> list[str]:
    """The first code cell is the set-up, character for character, folded, and the only one."""
    tagged = [cell for cell in code_cells(notebook) if "setup" in tags(cell)]
    cells = code_cells(notebook)
    if not cells or len(tagged) != 1 or tagged[0] is not cells[0]:
        return [f"{len(tagged)} cells are tagged 'setup'; the first code cell, and no other, is"]
    if tagged[0].source != SETUP_CELL:
        return ["the setup cell differs from mtl_utils.notebook.SETUP_CELL: copy it from there"]
    if "hide-input" not in tags(tagged[0]):
        return ["the setup cell is not folded: tag it 'hide-input' as well"]
    return []


def sections(notebook: NotebookNode, name: str) -> list[str]:
    """The closing sections stand in their order."""
    headings = [
        heading.strip()
        for _, source in _markdown(notebook)
        for heading in re.findall(r"^## (.+)$", _FENCE.sub("", source), re.MULTILINE)
    ]
    expected = list(CLOSING_SECTIONS)
    if int(name[:2]) >= FIRST_CHAPTER_ON_REAL_DATA:
        expected.insert(0, "On real data")
    problems, last = [], -1
    for section in expected:
        places = [index for index, heading in enumerate(headings) if heading.startswith(section)]
        if not places:
            problems.append(f"there is no section '## {section}'")
        elif places[0] < last:
            problems.append(f"'## {section}' stands too early; the order is {', '.join(expected)}")
        else:
            last = places[0]
    return problems


def sizes(notebook: NotebookNode, name: str) -> list[str]:
    """A chapter has few cells, a cell few lines."""
    problems = []
    if len(notebook.cells) > MOST_CELLS:
        problems.append(f"the chapter has {len(notebook.cells)} cells, more than {MOST_CELLS}")
    for number, cell in enumerate(code_cells(notebook), start=1):
        lines = len(cell.source.splitlines())
        if lines > MOST_LINES:
            problems.append(f"code cell {number} has {lines} lines, more than {MOST_LINES}")
        if not lines:
            problems.append(f"code cell {number} is empty")
    return problems


def median_lines(notebook: NotebookNode) -> float:
    """Return the median number of lines of a code cell; 0 without code."""
    lines = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    return statistics.median(lines) if lines else 0.0


# --- text -----------------------------------------------------------------------------------------


def plain_markdown(notebook: NotebookNode, name: str) -> list[str]:
    """No MyST: Colab would show it raw."""
    problems = []
    for number, source in _markdown(notebook):
        if re.search(r"^\s*(?:`{3,}|:{3,}|~{3,})\s*\{", source, re.MULTILINE):
            problems.append(f"cell {number} has a MyST fence")
        without_code = _NOT_PROSE[2].sub(" ", _FENCE.sub(" ", source))
        if re.search(r"(?<!\\)\{[a-z][a-z0-9:+-]*\}`", without_code):
            problems.append(f"cell {number} has a MyST role")
        if re.search(r"^\([\w-]+\)=\s*$", source, re.MULTILINE):
            problems.append(f"cell {number} has a MyST target")
    return problems


def calm(notebook: NotebookNode, name: str) -> list[str]:
    """No exclamation marks in prose."""
    return [
        f"cell {number} has an exclamation mark: {match.group().strip()!r}"
        for number, source in _markdown(notebook)
        for match in re.finditer(r"[^\n]{0,30}!", _prose(source))
    ]


# --- code -----------------------------------------------------------------------------------------


def no_semicolons(notebook: NotebookNode, name: str) -> list[str]:
    """No semicolon ends a line: nbval runs without history, where it does not hide an output."""
    problems = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        tokens = list(tokenize.generate_tokens(io.StringIO(cell.source + "\n").readline))
        ends = {tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER}
        for token, following in pairwise(tokens):
            if token.string == ";" and token.type == tokenize.OP and following.type in ends:
                problems.append(f"code cell {number}, line {token.start[0]} ends in a semicolon")
    return problems


def known_tags(notebook: NotebookNode, name: str) -> list[str]:
    """A mistyped tag would silently change what is checked."""
    return [
        f"cell {number} has the tag {tag!r}; the book knows {', '.join(sorted(TAGS))}"
        for number, cell in enumerate(notebook.cells, start=1)
        for tag in tags(cell)
        if tag not in TAGS
    ]


def skips_with_reason(notebook: NotebookNode, name: str) -> list[str]:
    """A cell that nbval skips says why in a comment, ``# skipped: ...``."""
    problems = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        if re.search(r"^\s*#+\s*(NBVAL_|PYTEST_VALIDATE)", cell.source, re.MULTILINE):
            problems.append(f"code cell {number} steers nbval by a comment: use a tag")
        if "nbval-skip" in tags(cell) and not re.search(r"# skipped: \w", cell.source):
            problems.append(f"code cell {number} is skipped without a comment '# skipped: reason'")
    return problems


def ignored_output_is_asserted(notebook: NotebookNode, name: str) -> list[str]:
    """Where nbval ignores an output, an assertion checks what counts."""
    cells = code_cells(notebook)
    return [
        f"code cell {number} has its output ignored, and neither it nor the next two code cells "
        "assert anything"
        for number, cell in enumerate(cells, start=1)
        if "nbval-ignore-output" in tags(cell)
        and "setup" not in tags(cell)
        and not _asserted_soon(cells, number - 1)
    ]


def _has_figure(cell: NotebookNode) -> bool:
    return any(
        mime.startswith("image/") for output in cell.outputs for mime in output.get("data", {})
    )


def figures_are_asserted(notebook: NotebookNode, name: str) -> list[str]:
    """Figures are not compared, so their data are asserted on."""
    cells = code_cells(notebook)
    return [
        f"code cell {number} shows a figure, and neither it nor the next two code cells assert "
        "anything of its data"
        for number, cell in enumerate(cells, start=1)
        if _has_figure(cell) and not _asserted_soon(cells, number - 1)
    ]


def figures_have_alt_text(notebook: NotebookNode, name: str) -> list[str]:
    """A reader who cannot see a figure is told what it shows."""
    problems = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if _has_figure(cell) and len(alt.split()) < 3:
            problems.append(
                f"code cell {number} shows a figure without alternative text; its metadata need "
                '{"mystnb": {"image": {"alt": "what the figure shows"}}}'
            )
        if alt and not _has_figure(cell):
            problems.append(f"code cell {number} describes a figure, and its outputs have none")
    return problems


def widget_cells(notebook: NotebookNode, name: str) -> list[str]:
    """A widget cell ends in ``....show()``, and its output, static when stored, is not compared."""
    problems = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        if "widget" not in tags(cell):
            continue
        if "nbval-ignore-output" not in tags(cell):
            problems.append(f"code cell {number} has a widget and lacks 'nbval-ignore-output'")
        if widget_expression(cell) is None:
            problems.append(f"code cell {number} has a widget and does not end in its .show()")
    return problems


def widget_expression(cell: NotebookNode) -> str | None:
    """Return the expression whose ``.show()`` ends a widget cell."""
    body = parse(cell).body
    last = body[-1] if body else None
    match last:
        case ast.Expr(ast.Call(ast.Attribute(value=widget, attr="show"))):
            return ast.unparse(widget)
    return None


def exercise_cells(notebook: NotebookNode, name: str) -> list[str]:
    """Four to six exercises, each with its check, its solution and an unanswered stub."""
    cells = code_cells(notebook)
    found = exercises(notebook)
    problems = []
    if len(found) not in EXERCISES:
        problems.append(f"the chapter has {len(found)} exercises, not 4 to 6")
    for item in found:
        cell = cells[item.number - 1]
        if check_call(cell.source) is None:
            problems.append(f"code cell {item.number} does not end in a call of a check_...")
        if item.solution is None:
            problems.append(
                f"the exercise in code cell {item.number} has no solution: a Python fence inside "
                "<details><summary>Solution</summary>"
            )
        stored = "".join("".join(execute.texts(output)) for output in cell.outputs)
        if "not answered yet." not in stored:
            problems.append(f"code cell {item.number} does not store that it is unanswered")
    return problems


# --- stored state ---------------------------------------------------------------------------------


def clean_outputs(notebook: NotebookNode, name: str) -> list[str]:
    """Outputs hold no error, warning, progress bar, widget or path; cells are counted 1 to n."""
    return execute.output_problems(notebook)


def normal_metadata(notebook: NotebookNode, name: str) -> list[str]:
    """Metadata are those that ``make notebooks`` writes, and every cell has its own id."""
    problems = []
    if dict(notebook.metadata) != execute.NOTEBOOK_METADATA:
        problems.append("the notebook's metadata are not those that `make notebooks` writes")
    for number, cell in enumerate(notebook.cells, start=1):
        foreign = sorted(set(cell.metadata) - set(execute.CELL_METADATA))
        if foreign:
            problems.append(f"cell {number} has foreign metadata: {', '.join(foreign)}")
    identifiers = [cell.get("id") for cell in notebook.cells]
    if None in identifiers or len(set(identifiers)) < len(identifiers):
        problems.append("cells lack ids or share one")
    return problems


RULES: tuple[Callable[[NotebookNode, str], list[str]], ...] = (
    opening,
    setup_cell,
    sections,
    sizes,
    plain_markdown,
    calm,
    no_semicolons,
    known_tags,
    skips_with_reason,
    ignored_output_is_asserted,
    figures_are_asserted,
    figures_have_alt_text,
    widget_cells,
    exercise_cells,
    clean_outputs,
    normal_metadata,
)
