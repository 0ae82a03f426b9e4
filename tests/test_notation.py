r"""Within a chapter every symbol has one meaning, and the notation page says which.

How a formula is read, with macros, decorations and indices, is the rule at the head of
``symbols.py``; how the page is read, that of ``notation_page.py``. Labels of figures and of the
book's diagrams are formulas of the chapter that draws them. What a test cannot see is a row
whose one sentence covers two things: that is left to whoever reads the page.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from drawn_diagrams import DIAGRAMS
from formulas import formulas
from notation_page import (
    Page,
    chapter_numbers,
    chapter_problems,
    entries_unused,
    page_problems,
    read_page,
    stale_problems,
    uses,
)
from symbols import Symbol, name_of, named, symbols, written

ROOT = Path(__file__).resolve().parents[1]
NOTATION = (ROOT / "book" / "notation.md").read_text("utf-8")
CHAPTERS = {int(path.name[:2]): path for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
PAGES = sorted((ROOT / "book").glob("*.md"))


@cache
def page() -> Page:
    return read_page(NOTATION)


def chapter_texts(path: Path) -> Iterator[str]:
    """Yield the Markdown of a chapter, and the labels with formulas in its figures and diagrams."""
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield source
            continue
        for name in re.findall(r"\bdiagrams\.(\w+)\(", source):
            yield from diagram_labels(name)
        if "$" in source and not re.search(r"^\s*[%!]", source, re.MULTILINE):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value if node.value.count("$") % 2 == 0 else ""


def diagram_labels(name: str) -> Iterator[str]:
    r"""Yield what is written in a diagram, where ``\Sigma`` is the sign of a sum."""
    for drawn, diagram in DIAGRAMS.items():
        if drawn.partition(",")[0] == name:
            labels = [box.label for box in diagram.boxes]
            for label in labels + [frame.caption for frame in diagram.frames]:
                yield re.sub(r"\\Sigma(?![A-Za-z])", r"\\sum", label)


@cache
def used() -> dict[int, dict[Symbol, str]]:
    return {number: uses(chapter_texts(path), page()) for number, path in CHAPTERS.items()}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_symbol_of_a_chapter_has_one_meaning(chapter: int) -> None:
    problems = chapter_problems(chapter, used()[chapter], page())
    assert not problems, "\n" + "\n".join(problems)


def test_every_row_is_used_in_the_chapters_that_it_names() -> None:
    problems = stale_problems(used(), page()) + entries_unused(used(), page())
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_use_symbols_that_are_explained(path: Path) -> None:
    problems = page_problems(uses([path.read_text("utf-8")], page()), page())
    assert not problems, "\n" + "\n".join(problems)


# --- a broken page or chapter fails ---------------------------------------------------------------

PAGE = r"""
| symbol | meaning | chapters |
| --- | --- | --- |
| $c$ | a class | 04 |
| $c_k$ | a prototype | 04, 16 |
| $h_t$, $h$ | states | 04 to 06 |

| name | meaning | chapters |
| --- | --- | --- |
| $\theta_s$ | shared parameters | 04 |
"""
CHAPTER = r"Let $\bar h$ be a mean of the $h_t$, $c_k$ and $c$, and $\theta_s$."


def broken(markdown: str, text: str = CHAPTER, chapter: int = 4) -> list[str]:
    small = read_page(markdown)
    return chapter_problems(chapter, uses([text], small), small)


def test_a_good_page_and_chapter_pass_but_for_what_is_missing() -> None:
    row = "| $t$, $k$ | counters | 04 |"
    assert broken(PAGE.replace("| $c$ |", f"{row}\n| $c$ |")) == []
    assert [problem.split(" in ")[0] for problem in broken(PAGE)] == [
        "chapter 04: k",
        "chapter 04: t",
    ]


def test_a_symbol_of_two_rows_has_two_meanings_only_in_chapters_of_both() -> None:
    twice = PAGE + "\n| symbol | meaning | chapters |\n| $c$ | a count | 05 |\n"
    assert broken(twice) == broken(PAGE)
    problems = broken(twice.replace("| 05 |", "| 03 to 05 |"))
    assert any("c in $c$ has 2 meanings: c (a class); c (a count)" in text for text in problems)


def test_a_chapter_may_use_only_rows_that_name_it() -> None:
    assert any(text.startswith("chapter 16: c in") for text in broken(PAGE, chapter=16))
    assert not any(text.startswith("chapter 16: c_. in") for text in broken(PAGE, chapter=16))


@pytest.mark.parametrize("number", sorted(CHAPTERS)[:1] + sorted(CHAPTERS)[-1:])
def test_a_new_symbol_in_a_real_chapter_fails(number: int) -> None:
    texts = [*chapter_texts(CHAPTERS[number]), r"And $\zeta_i$ is new."]
    problems = chapter_problems(number, uses(texts, page()), page())
    assert len(problems) == 1 + (number not in read_numbers("i"))
    assert any(r"\zeta_. in $\zeta_i$ has no row" in problem for problem in problems)


def read_numbers(letter: str) -> set[int]:
    """Return the chapters of all rows of a letter without an index."""
    return {n for row in page().rows if (letter, False) in row.names for n in row.chapters}


def test_without_any_row_of_the_real_page_its_chapters_fail() -> None:
    for row in page().rows:
        rest = replace(page(), rows=tuple(other for other in page().rows if other is not row))
        for number in row.chapters:
            assert chapter_problems(number, used()[number], rest), (str(row), number)


def test_with_any_row_of_the_real_page_twice_its_chapters_fail() -> None:
    for row in page().rows:
        more = replace(page(), rows=(*page().rows, replace(row, meaning="something else")))
        for number in row.chapters:
            problems = chapter_problems(number, used()[number], more)
            assert any("2 meanings" in problem for problem in problems), (str(row), number)


def test_a_row_for_a_chapter_that_does_not_use_it_is_told() -> None:
    small = read_page(PAGE)
    found = {4: uses([CHAPTER], small), 5: uses(["$h$"], small), 6: {}, 16: uses(["$c_k$"], small)}
    assert stale_problems(found, small) == [
        "the row h_., h (states) names chapter 06, which does not use it"
    ]
    unused = entries_unused({number: {} for number in found}, small)
    assert len(unused) == len([name for row in small.rows for name in row.names])


def test_a_page_without_tables_or_with_wrong_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="no table"):
        read_page("# Notation\n")
    with pytest.raises(ValueError, match="does not name chapters"):
        read_page(PAGE.replace("04, 16", "everywhere"))
    with pytest.raises(ValueError, match="has not three cells"):
        read_page(PAGE.replace("| a class |", "| a | class |"))
    with pytest.raises(ValueError, match="does not rise"):
        chapter_numbers("06 to 04")
    assert chapter_numbers("01, 03 to 05") == {1, 3, 4, 5}


# --- how formulas are read ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"\bar h = \frac{1}{T} \sum_{t=1}^{T} h_t", r"h h_. T t"),
        (r"\hat{c}(uw) - \delta", r"c u w \delta"),
        (r"h^{(k)}_{t-1} \in \mathbb{R}^D", r"h_. k t \mathbb{R} D"),
        (r"\overrightarrow{h}_t, z^*, u', W^\top", r"h_. t z u W"),
        (r"\mathsf{E}_{x_t} + E + \mathcal E_k^j", r"\mathsf{E}_. x_. t E \mathcal{E}_. k j"),
        (r"e^{-s_k} + e_t + e^{(k)}", r"s_. k e_. t"),
        (r"\varphi \ne \phi, \ell_g", r"\varphi \phi \ell_. g"),
        (r"L_{\text{mask}} \tag{7.1}", r"L_."),
        (r"\operatorname{softmax}(z / T)_k, \mathrm{d}\alpha", r"z T k \alpha"),
        (r"\lVert X \rVert_F^2 + \lVert W \rVert_*", r"X W"),
        (r"\begin{pmatrix} a & b \\ \vdots \end{pmatrix}", r"a b"),
        (r"\underbrace{4P}_{\text{weights}}", r"P"),
        (r"\nabla_{\theta_s} L_k + f_s(x) + f_k", r"\theta_s L_. k f_s x f_."),
        (r"M W^Q_j, \bar{\theta}_s", r"M W^Q j \theta_s"),
    ],
)
def test_symbols_of_a_formula(formula: str, expected: str) -> None:
    whole = {name_of(name) for name in (r"\theta_s", "f_s", "W^Q")}
    assert {written(symbol) for symbol in symbols(formula, whole)} == set(expected.split())


def test_an_unknown_command_or_an_open_brace_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\\mymacro is not known"):
        symbols(r"x + \mymacro{y}")
    with pytest.raises(ValueError, match="not closed"):
        symbols(r"x_{t")


def test_what_a_formula_names() -> None:
    assert named(r"J \in \mathbb{R}^{K \times P}") == ("J", False)
    assert named(r"(x_1, \dots, x_T)") == ("x", True)
    with pytest.raises(ValueError, match="names no letter"):
        named("-100")
    with pytest.raises(ValueError, match="more than a letter"):
        name_of(r"\theta_s + 1")


def test_formulas_of_a_text() -> None:
    text = "\n".join(
        [
            r"A $x$ of \$5, `$no$`, $$a",
            r"= b \tag{1}$$ and",
            r"\begin{align}",
            r"c &= d \\",
            r"\end{align}",
            "```console",
            "$ make book",
            "```",
        ]
    )
    assert [" ".join(found.split()) for found in formulas(text)] == [
        "x",
        r"a = b \tag{1}",
        r"c &= d \\",
    ]
    with pytest.raises(ValueError, match="belongs to no formula"):
        list(formulas("It costs $5."))
    with pytest.raises(ValueError, match="in a fence"):
        list(formulas("```{math}\nx\n```"))
