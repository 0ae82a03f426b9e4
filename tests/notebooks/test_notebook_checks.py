"""Every rule accepts a good chapter and refuses the chapter that breaks it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import tiny_notebooks as tiny
from nbformat import NotebookNode
from notebook_agreement import agreement, exported, real_data_stands_alone
from notebook_checks import RULES, has_assertion, median_lines, widget_expression
from notebook_exercises import check_call, exercises

from mtl_utils.widgets import Widget

ALL_RULES = {rule.__name__: rule for rule in (*RULES, real_data_stands_alone)}
Break = Callable[[NotebookNode], Any]


@pytest.mark.parametrize("rule", ALL_RULES)
def test_a_good_chapter_follows_the_rule(rule: str) -> None:
    assert ALL_RULES[rule](tiny.good_chapter(), tiny.NAME) == []


def _code(notebook: NotebookNode, number: int) -> NotebookNode:
    return [cell for cell in notebook.cells if cell.cell_type == "code"][number - 1]


def _replace(old: str, new: str) -> Break:
    """Replace text in every cell; nothing to replace is an error of the test."""

    def change(notebook: NotebookNode) -> None:
        assert any(old in cell.source for cell in notebook.cells)
        for cell in notebook.cells:
            cell.source = cell.source.replace(old, new)

    return change


def _source(number: int, source: str) -> Break:
    return lambda notebook: _code(notebook, number).update(source=source)


def _tags(number: int, *tags: str) -> Break:
    return lambda notebook: _code(notebook, number).metadata.update(tags=list(tags))


def _outputs(number: int, *outputs: NotebookNode) -> Break:
    return lambda notebook: _code(notebook, number).update(outputs=list(outputs))


def _without(heading: str) -> Break:
    def change(notebook: NotebookNode) -> None:
        kept = [cell for cell in notebook.cells if not cell.source.startswith(heading)]
        assert len(kept) < len(notebook.cells)
        notebook.cells = kept

    return change


def _swap(first: str, second: str) -> Break:
    def change(notebook: NotebookNode) -> None:
        sources = [cell.source[: len(first)] for cell in notebook.cells]
        seconds = [cell.source[: len(second)] for cell in notebook.cells]
        i, j = sources.index(first), seconds.index(second)
        notebook.cells[i], notebook.cells[j] = notebook.cells[j], notebook.cells[i]

    return change


FOOTPRINT = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "x"}

BROKEN: list[tuple[str, Break, str]] = [
    ("opening", _replace("# A tiny chapter", "A tiny chapter"), "does not begin with a title"),
    ("opening", _replace("Two numbers", "**You will learn**"), "no paragraph of motivation"),
    ("opening", _replace("**You will learn**", "Goals"), "no '**You will learn**'"),
    ("opening", _replace("- to add\n", ""), "lists 2 goals, not 3 to 5"),
    ("opening", _replace("- to add\n", "- a\n- b\n- c\n- d\n"), "lists 6 goals, not 3 to 5"),
    ("opening", _replace("**Before you start**", "First"), "no '**Before you start**'"),
    ("opening", _replace("1 min", "some time"), "how many minutes"),
    ("setup_cell", _tags(1), "0 cells are tagged 'setup'"),
    ("setup_cell", _tags(1, "setup"), "is not folded"),
    ("setup_cell", _tags(2, "setup"), "2 cells are tagged 'setup'"),
    ("setup_cell", _replace("notebook.setup(seed=0)", "notebook.setup(seed=1)"), "differs from"),
    ("setup_cell", lambda n: n.cells.insert(0, tiny.code("x = 1")), "the first code cell"),
    ("sections", _without("## On real data"), "no section '## On real data'"),
    ("sections", _without("## What can go wrong"), "no section '## What can go wrong'"),
    ("sections", _without("## Exercises"), "no section '## Exercises'"),
    ("sections", _without("## Summary"), "no section '## Summary'"),
    ("sections", _without("## Further reading"), "no section '## Further reading'"),
    ("sections", _swap("## Summary", "## Further reading"), "stands too early"),
    ("sections", _replace("## Summary", "```\n## Summary\n```"), "no section '## Summary'"),
    ("sizes", lambda n: n.cells.extend([tiny.text("x")] * 40), "more than 43"),
    ("sizes", _source(2, "x = 1\n" * 31), "code cell 2 has 31 lines, more than 30"),
    ("sizes", _source(2, ""), "code cell 2 is empty"),
    ("plain_markdown", _replace("Little.", "```{note}\nText\n```"), "MyST fence"),
    ("plain_markdown", _replace("Little.", ":::{note}\nText\n:::"), "MyST fence"),
    ("plain_markdown", _replace("Little.", "See {cite}`kneser1995`."), "MyST role"),
    ("plain_markdown", _replace("Little.", "See {py:func}`~mtl_utils.plots`."), "MyST role"),
    ("plain_markdown", _replace("Little.", "(a-target)=\n## Next"), "MyST target"),
    ("calm", _replace("Little.", "A great success!"), "A great success!"),
    ("calm", _replace("Little.", "Code `a` and more!"), "and more!"),
    ("no_semicolons", _source(2, "print(1)\nx = 1;"), "line 2 ends in a semicolon"),
    ("no_semicolons", _source(2, "x = 1;  # quiet"), "line 1 ends in a semicolon"),
    ("known_tags", _tags(2, "real_data"), "the tag 'real_data'"),
    ("skips_with_reason", _tags(2, "nbval-skip"), "skipped without a comment"),
    ("skips_with_reason", _source(2, "# NBVAL_SKIP\nx = 1"), "steers nbval by a comment"),
    ("ignored_output_is_asserted", _tags(8, "nbval-ignore-output"), "code cell 8 has its output"),
    ("ignored_output_is_asserted", _source(6, "x = 1"), "code cell 5 has its output"),
    ("figures_are_asserted", _source(4, "x = 1"), "code cell 3 shows a figure"),
    ("figures_have_alt_text", lambda n: _code(n, 3).metadata.pop("mystnb"), "without alternative"),
    ("figures_have_alt_text", _outputs(3), "describes a figure, and its outputs have none"),
    ("widget_cells", _tags(5, "widget"), "lacks 'nbval-ignore-output'"),
    ("widget_cells", _source(5, "widget = 3\nwidget"), "does not end in its .show()"),
    ("exercise_cells", lambda n: n.cells.extend(tiny.exercise_pair(12, 3)), "has 7 exercises"),
    ("exercise_cells", _tags(9), "the chapter has 3 exercises, not 4 to 6"),
    ("exercise_cells", _replace("check_double(double)", "double(2)"), "not end in a call of a"),
    ("exercise_cells", _replace("<summary>Solution", "<summary>Hint"), "has no solution"),
    ("exercise_cells", _replace("```python", "```"), "has no solution"),
    ("exercise_cells", _outputs(9), "code cell 9 does not store that it is unanswered"),
    ("clean_outputs", lambda n: _code(n, 3).update(execution_count=7), "has execution count 7"),
    ("clean_outputs", _outputs(2, tiny.stream("x", "stderr")), "written to stderr"),
    ("clean_outputs", _outputs(2, tiny.stream("UserWarning: old\n")), "a warning"),
    ("clean_outputs", _outputs(2, tiny.stream("saved /home/me/x.pt\n")), "a path of this machine"),
    ("clean_outputs", _outputs(2, tiny.stream("<f at 0x7f3a2b1c>")), "a memory address"),
    ("clean_outputs", _outputs(2, tiny.stream("50%|## | 1/2 [00:00, 9it/s]")), "a progress bar"),
    ("clean_outputs", _outputs(5, tiny.shown(FOOTPRINT)), "a widget instead of"),
    ("clean_outputs", lambda n: n.metadata.update(widgets={}), "the state of widgets"),
    ("normal_metadata", lambda n: n.metadata.pop("colab"), "the notebook's metadata"),
    ("normal_metadata", lambda n: n.cells[2].metadata.update(scrolled=True), "scrolled"),
    ("normal_metadata", lambda n: n.cells[3].update(id=n.cells[2].id), "share one"),
    ("normal_metadata", lambda n: n.cells[3].pop("id"), "lack ids"),
    ("real_data_stands_alone", _source(7, "print(counts)"), "uses counts from a cell"),
    ("real_data_stands_alone", _source(9, "x = text"), "code cell 9 uses text"),
]


@pytest.mark.parametrize(
    ("rule", "break_it", "message"),
    BROKEN,
    ids=[f"{rule}-{index}" for index, (rule, _, _) in enumerate(BROKEN)],
)
def test_a_broken_chapter_is_refused(rule: str, break_it: Break, message: str) -> None:
    chapter = tiny.good_chapter()
    break_it(chapter)
    problems = ALL_RULES[rule](chapter, tiny.NAME)
    assert any(message in problem for problem in problems), problems


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(ALL_RULES)


def test_a_figure_needs_words() -> None:
    chapter = tiny.good_chapter()
    rule = ALL_RULES["figures_have_alt_text"]
    _code(chapter, 3).metadata["mystnb"]["image"]["alt"] = "plot"
    assert "without alternative text" in rule(chapter, tiny.NAME)[0]


def test_an_error_is_not_stored() -> None:
    chapter = tiny.good_chapter()
    error = tiny.new_output("error", ename="KeyError", evalue="'a'", traceback=[])
    _code(chapter, 2).outputs = [error]
    assert "an error: KeyError" in ALL_RULES["clean_outputs"](chapter, tiny.NAME)[0]


@pytest.mark.parametrize("name", ["2_tiny.ipynb", "02 tiny.ipynb", "02_Tiny.ipynb", "tiny.ipynb"])
def test_names_of_chapters(name: str) -> None:
    assert "named NN_topic.ipynb" in ALL_RULES["opening"](tiny.good_chapter(), name)[0]


def test_the_first_chapter_may_do_without_real_data() -> None:
    chapter = tiny.good_chapter()
    _without("## On real data")(chapter)
    assert ALL_RULES["sections"](chapter, "01_tiny.ipynb") == []


@pytest.mark.parametrize(
    "prose",
    [
        "Images: ![a plot](plot.png) and `a != b`.",
        "$$n! = \\prod_i i$$ and $n!$.",
        "```python\nprint('!')\n```",
        "<!-- a note! --> and [a link](https://a.org/!x).",
    ],
)
def test_exclamation_marks_outside_prose_are_fine(prose: str) -> None:
    chapter = tiny.good_chapter()
    chapter.cells[2].source = prose
    assert ALL_RULES["calm"](chapter, tiny.NAME) == []


def test_semicolons_inside_a_line_or_a_text_are_fine() -> None:
    chapter = tiny.good_chapter()
    _code(chapter, 2).source = 'a = 1; b = "x;"\nc = """;\n"""'
    assert ALL_RULES["no_semicolons"](chapter, tiny.NAME) == []


def test_what_counts_as_an_assertion() -> None:
    assert has_assertion(tiny.code("assert 1"))
    assert has_assertion(tiny.code("torch.testing.assert_close(a, b)"))
    assert not has_assertion(tiny.code("check(a)  # assert"))


def test_the_median_of_code_cells() -> None:
    cells = [tiny.code("a"), tiny.code("a\nb\nc"), tiny.code("a\nb\nc\nd\ne"), tiny.text("x\ny")]
    assert median_lines(tiny.notebook(*cells)) == 3
    assert median_lines(tiny.notebook()) == 0


def test_the_widget_of_a_cell() -> None:
    assert widget_expression(tiny.code("x = 1\nwidgets.sampling(model).show()")) == (
        "widgets.sampling(model)"
    )
    assert widget_expression(tiny.code("widget.show")) is None
    assert widget_expression(tiny.code("")) is None


# --- exercises ------------------------------------------------------------------------------------


def test_solutions_stand_before_or_after() -> None:
    first = tiny.STATEMENT
    second = tiny.STATEMENT.replace("2 * number", "number + number")
    one, two = tiny.code(tiny.STUB, "exercise"), tiny.code(tiny.STUB, "exercise")
    before = tiny.notebook(tiny.text(first), one, tiny.text(second), two)
    after = tiny.notebook(tiny.text("One."), one, tiny.text(first), two, tiny.text(second))
    for chapter in (before, after):
        solutions = [item.solution or "" for item in exercises(chapter)]
        assert ["2 * number" in solutions[0], "number + number" in solutions[1]] == [True, True]
    missing = tiny.notebook(tiny.text(first), one, tiny.text("Two."), two)
    assert [item.solution is None for item in exercises(missing)] == [False, True]


def test_the_check_that_ends_a_cell() -> None:
    assert check_call("exercises.check_a(f)") == "exercises.check_a(f)"
    assert check_call("check_a(f, 2)\n") == "check_a(f, 2)"
    assert check_call("check_a(f)\nprint(1)") is None
    assert check_call("") is None
    assert [item.name for item in exercises(tiny.good_chapter())] == ["double"] * 4


# --- package and notebook -------------------------------------------------------------------------


class Shelf:
    """A class that stands for one of the package's."""

    size: int = 3

    def double(self, times: int = 2) -> int:
        """Multiply."""
        return times * self.size


PACKAGE: dict[str, list[object]] = {"Shelf": [Shelf]}
SAME = """\
class Shelf:
    size = 3

    def double(self, times=2):
        return times * self.size  # a comment"""
OTHER = SAME.replace("times * self.size", "self.size * times")


@pytest.mark.parametrize(
    "cells",
    [
        [SAME],
        [OTHER, "assert Shelf().double() == models.Shelf().double()"],
        [OTHER, "from mtl_utils.models import Shelf as Ours", "assert Shelf().x == Ours().x"],
        [OTHER + "\n\nassert Shelf().double() == models.Shelf().double()"],
        [OTHER.replace("Shelf", "Rack")],
    ],
)
def test_definitions_that_agree(cells: list[str]) -> None:
    assert agreement(tiny.notebook(*map(tiny.code, cells)), PACKAGE) == []


@pytest.mark.parametrize(
    "cells",
    [
        [OTHER],
        [SAME.replace("size = 3", "size = 4")],
        [OTHER, "assert Shelf().double() == 6"],
        [OTHER, "print(Shelf().double() == models.Shelf().double())"],
        [OTHER, "assert models.Shelf().double() == 6"],
        ["assert Shelf().double() == models.Shelf().double()", OTHER],
        [OTHER, "from elsewhere import Shelf as Ours", "assert Shelf().x == Ours().x"],
    ],
)
def test_definitions_that_drift(cells: list[str]) -> None:
    (problem,) = agreement(tiny.notebook(*map(tiny.code, cells)), PACKAGE)
    assert re.search(r"code cell \d defines Shelf, which .* exports too", problem)


def test_stubs_of_exercises_may_bear_the_packages_names() -> None:
    assert agreement(tiny.notebook(tiny.code(OTHER, "exercise")), PACKAGE) == []


def test_exported_names_are_found_in_the_package() -> None:
    package = exported()
    assert package["Widget"] == [Widget]
    assert "Any" not in package


@pytest.mark.parametrize(
    "source",
    [
        "from mtl_utils import data\nlines = [line for line in data.load('x')]",
        "def load(path, *rest, limit=3):\n    part = path\n    return part, rest, limit\nload(1)",
        "try:\n    pass\nexcept ValueError as error:\n    print(error)",
        "sorted([1], key=lambda pair: pair)\nwith open('x') as file:\n    print(file, device)",
        "class A:\n    x = 1\n    y = x\n    def f(self):\n        return self.x",
    ],
)
def test_names_that_a_cell_on_real_data_may_use(source: str) -> None:
    chapter = tiny.good_chapter()
    _code(chapter, 7).source = source
    assert real_data_stands_alone(chapter, tiny.NAME) == []
