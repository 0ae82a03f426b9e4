"""The book's own Sphinx extensions, tested without a build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comparisons import compared, comparison_rows, runs_on_record
from docutils import nodes
from notebook_names import dotted_names
from package_reference import WORKED, worked
from page_finish import ENVIRONMENT, LIGHT, UNDECIDED, mark_chinese, with_undecided
from public_names import rooms
from run_records import (
    latest_by_notebook,
    mean_and_half_width,
    read_records,
    rounded,
)
from visiting import ROOT

from mtl_utils.experiments import records
from mtl_utils.experiments.registry import comparisons


def test_dotted_names_follow_imports_and_attributes() -> None:
    cells = iter(
        [
            "from mtl_utils import nn, corpora as d\nimport torch.nn as other",
            "from mtl_utils.objectives import classification_loss as loss",
            "crf = nn.LinearChainCRF(5)\nd.load('snips')\nother.Linear(2, 3)\ncrf.decode",
            "%matplotlib inline",
            "import mtl_utils.plots\nmtl_utils.plots.curve()",
        ]
    )
    assert dotted_names(cells, "mtl_utils") == {
        "mtl_utils",
        "mtl_utils.nn",
        "mtl_utils.objectives.classification_loss",
        "mtl_utils.nn.LinearChainCRF",
        "mtl_utils.corpora",
        "mtl_utils.corpora.load",
        "mtl_utils.plots",
        "mtl_utils.plots.curve",
    }


def test_a_room_begins_with_its_recipe_as_it_stands_there() -> None:
    recipes = (ROOT / "book/recipes.md").read_text("utf-8")
    page = worked("mtl_utils.tasks", recipes)
    code = "\n".join(line[3:] for line in page[page.index(".. code-block:: python") + 2 :])
    assert code.strip() in recipes
    assert "class Stars(tasks.TextTask):" in code
    assert "class StarsHead(tasks.Head):" in code
    compile(code, "recipe", "exec")
    assert worked("mtl_utils.nn", recipes) == []
    assert {*WORKED} <= {room.title for room in rooms("mtl_utils")}


def test_half_width_is_that_of_students_t() -> None:
    # Standard deviation 1, three values, t(0.975, 2) = 4.302653: 4.302653 / sqrt(3).
    mean, half = mean_and_half_width([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(2.484138, abs=1e-6)
    assert mean_and_half_width([5.0]) == (5.0, None)


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.79974, 0.0193, "0.800 ± 0.019"),
        (1.5, 1.23, "1.5 ± 1.2"),
        (1234.5, 210.0, "1,234 ± 210"),
        (123456.0, None, "123,456"),
        (0.25, 0.0, "0.25"),
    ],
)
def test_means_have_the_decimals_of_their_half_width(
    mean: float, half: float | None, text: str
) -> None:
    assert rounded(mean, half) == text


def test_latest_record_of_each_notebook_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "notebooks.jsonl"
    runs = [("02_b", 1.0), ("01_a", 2.0), ("02_b", 3.0)]
    lines = [json.dumps({"notebook": name, "seconds": seconds}) for name, seconds in runs]
    path.write_text("\n".join(lines) + "\n\n")
    kept = latest_by_notebook(read_records(path))
    assert [(record["notebook"], record["seconds"]) for record in kept] == [
        ("01_a", 2.0),
        ("02_b", 3.0),
    ]


def test_missing_records_are_empty(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("line", ["{", "[1]"])
def test_broken_record_names_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text(f'{{"seed": 0}}\n{line}\n')
    with pytest.raises(ValueError, match=r"runs\.jsonl, line 2: expected a JSON object"):
        read_records(path)


def test_chinese_terms_are_marked() -> None:
    body = '<dt id="a">token</dt><dt id="b">词元<a href="#b">#</a></dt>'
    assert mark_chinese(body) == body.replace('<dt id="b">', '<dt id="b" lang="zh-Hans">')


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (r"\begin{align} a &= b \\ c &= d \end{align}", True),
        (r"\begin{align*} a &= b \end{align*}", True),
        (r"\begin{align*} a &= b \end{align}", False),
        (r"x = \begin{align} a \end{align}", False),
        (r"\begin{aligned} a &= b \end{aligned}", False),
    ],
)
def test_environments_that_stand_alone(text: str, whole: bool) -> None:
    assert (ENVIRONMENT.fullmatch(text) is not None) == whole


def test_every_room_exports_what_it_says() -> None:
    found = rooms("mtl_utils")
    assert {"mtl_utils.notebook", "mtl_utils.plots"} <= {room.title for room in found}
    for room in found:
        for name in room.names:
            assert getattr(room.module, name.name) is name.value
            assert name.path == f"{room.title}.{name.name}"


def test_a_package_without_rooms_has_no_pages() -> None:
    assert rooms("json") == ()


def test_every_constant_that_is_exported_says_what_it_is() -> None:
    for room in rooms("mtl_utils"):
        constants = {name.name for name in room.names if name.kind == "data"}
        assert constants <= set(room.comments), f"{room.title}: give these a `#:` comment"


def test_glossary_has_chinese_for_every_term() -> None:
    blocks = (ROOT / "book" / "glossary.md").read_text("utf-8").split("```{glossary}")[1:]
    entries = [e for b in blocks for e in b.split("```")[0].strip().split("\n\n")]
    assert len(entries) >= 60
    for entry in entries:
        english, chinese, definition = entry.splitlines()
        assert english.isascii(), entry
        assert not chinese.isascii(), entry
        assert definition.startswith("    ")
        assert definition.endswith("."), entry


def test_a_comparison_says_nothing_before_it_is_whole(tmp_path: Path) -> None:
    found = next(c for c in comparisons() if c.name == "joint_transformer_snips")
    setting, contrasts = next(iter(found.contrasts.items()))
    parts = [e for e in found.experiments() if e.name != f"{found.name}_ablations"]
    wanted = sum(len(experiment.cells()) for experiment in parts)
    assert runs_on_record(found.name, tmp_path) == (0, wanted)
    scores = {contrast.metric: 80.0 for contrast in contrasts}
    for experiment in found.experiments():
        for config, seed in experiment.cells():
            ahead = 3.0 * (config["contender"] == "joint") + 0.1 * seed
            made = {metric: score + ahead for metric, score in scores.items()}
            line = records.make(experiment.name, config, seed, made, 1.0)
            records.append(tmp_path / f"{experiment.name}.jsonl", line)
    assert runs_on_record(found.name, tmp_path) == (wanted, wanted)
    rows = comparison_rows(found.name, tmp_path)
    assert [row[1] for row in rows] == [c.metric.replace("_", " ") for c in contrasts]
    assert rows[0][0] == setting
    # Seeds 0 to 4 differ by 0.1 each: standard deviation 0.158, t(0.975, 4) = 2.776.
    assert rows[0][2:] == [
        *("joint: 83.2 ± 0.2", "separate: 80.2 ± 0.2"),
        *("+3.0 ± 0.0", "+3.0", "joint is better"),
    ]
    assert [row[-1] for row in rows[1:]] == ["joint is better, withdrawn"] * 2


def texts(node: nodes.Node) -> list[list[str]]:
    return [[cell.astext() for cell in row.findall(nodes.entry)] for row in node.findall(nodes.row)]


def test_a_comparison_names_both_sides_before_what_was_found() -> None:
    rest = ["+3.0 ± 0.1", "+2.9", "joint is better"]
    rows = [
        ["SNIPS", metric, "joint: 83.2 ± 0.2", "separate: 80.2 ± 0.2", *rest]
        for metric in ("slots f1", "intent accuracy")
    ]
    header, first, _ = texts(compared(rows))
    assert header == [
        "on",
        "joint",
        "separate",
        "joint − separate",
        "at twice the steps",
        "verdict",
    ]
    spaced = [
        text.replace(" ± ", "\xa0±\xa0") for text in ("83.2 ± 0.2", "80.2 ± 0.2", "+3.0 ± 0.1")
    ]
    assert first == ["slots f1", *spaced, "+2.9", "joint is better"]


def test_contestants_that_change_stand_in_their_cells_and_one_measure_in_the_heading() -> None:
    rows = [
        [
            f"{size} rows",
            "accuracy",
            f"{side}: 50.0",
            "alone: 60.0",
            "-10.0",
            "-9.0",
            "alone is better",
        ]
        for size in (100, 400)
        for side in ("with topic", "with entities")
    ]
    header, first, *_ = texts(compared(rows))
    assert header == [
        *("setting", "A", "alone", "A − alone, accuracy", "at twice the steps", "verdict")
    ]
    assert first == ["100 rows", "with topic 50.0", "60.0", "−10.0", "−9.0", "alone is better"]


def test_rules_for_light_pages_hold_where_no_script_has_chosen() -> None:
    dark = 'html[data-theme="dark"] .k { color: #fff }'
    style = f"pre {{ margin: 0 }}\n{LIGHT} .k {{ color: #008 }}\n{dark}\n"
    found = with_undecided(style)
    assert found == style + f"\n{UNDECIDED} .k {{ color: #008 }}\n"
    assert with_undecided(found) == found
