"""The switch of the box in chapter 06: one model for all tasks, and one per task beside it."""

from __future__ import annotations

import json

import live_models
import pytest
import torch
from live_boxes import boxes_served, failing_once, lone_tab
from visiting import ROOT

from mtl_utils import atlas
from mtl_utils.data import split_words
from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.export.text_model import export_onnx
from mtl_utils.deployment.export.tokenizer_files import tokenizer_of
from mtl_utils.deployment.live.atlas_model import TASKS
from mtl_utils.deployment.live.hand_written import read_sentences, scores_of
from mtl_utils.files import read_json
from mtl_utils.models import MultiTaskTransformer

GRAPH = "model.int8.onnx"
ATLAS = ROOT / "book/_static/live/atlas"
FIRST = "Turkey signed a treaty with Jordan on Friday."
SECOND = "Turkey signed a treaty with Peru."
SHOWN = """() => [...document.querySelectorAll('.live-column')].map(column =>
  [...column.querySelectorAll('.live-bars')].map(table =>
    [...table.rows].map(row => [row.cells[0].textContent, row.cells[2].textContent])))"""

pytestmark = pytest.mark.site


def stand_in(task: str) -> MultiTaskTransformer:
    """A model of one task with random weights and the pieces of the one in the page."""
    torch.manual_seed(TASKS.index(task))
    content = read_json(ATLAS / "export.json")
    tokenizer = tokenizer_of((ATLAS / "tokenizer.json").read_text("utf-8"), content["tokenizer"])
    model = MultiTaskTransformer(
        len(atlas.TOPICS),
        len(atlas.NER_TAGS),
        tokenizer.vocab_size,
        8,
        1,
        2,
        classes=atlas.TOPICS,
        tags=atlas.NER_TAGS,
        tokenizer=tokenizer,
        pair_pooling="align",
        crf=True,
    ).eval()
    for name in set(TASKS) - {task}:
        model.remove_task(name)
    return model


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The box with its switch alone on a page, the models per task being small and random."""
    place = tmp_path_factory.mktemp("switch")
    facts = live_models.facts_of(ROOT, "atlas")
    scores = {f"{name} int8": 0.25 for name in facts["measures"]}
    folders = {}
    for task in TASKS:
        export_onnx(stand_in(task), place / "small" / task, int8=True)
        folders[task] = f"/small/{task}"
    facts["separate"] = {"folders": folders, "scores": scores, "download": 1_500_000}
    with boxes_served(place, {"box": live_models.box("atlas", facts)}) as found:
        yield found


@pytest.fixture
def tab(browser, served):
    """A tab that reaches the server and nothing else, and remembers what it asked for."""
    with lone_tab(browser, served.address, 360, 800) as found:
        yield found


def test_the_switch_shows_what_each_says_and_loads_nothing_before(tab, served) -> None:
    tab.goto(f"{served.address}/box-light.html", wait_until="networkidle")
    tab.keyboard.press("Tab")
    tab.keyboard.type(FIRST)
    tab.keyboard.press("Tab")
    tab.keyboard.type(SECOND)
    tab.keyboard.press("Enter")
    tab.locator(".live-bars").nth(1).wait_for()
    assert not [url for url in tab.asked if "/small/" in url]
    assert tab.locator(".live-column").count() == 0
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.dataset.role") == "separate"
    tab.keyboard.press("Space")
    tab.locator(".live-column").nth(1).wait_for()
    asked = [url.rsplit("/small/", 1)[1] for url in tab.asked if "/small/" in url]
    assert sorted(asked) == sorted(f"{t}/{f}" for t in TASKS for f in ("export.json", GRAPH))
    joint, separate = tab.evaluate(SHOWN)
    models = {task: OnnxModel.load(served.place / "small" / task, int8=True) for task in TASKS}
    words = [word.text for word in split_words(FIRST)]
    for shown, task in zip(separate, ("classification", "inference"), strict=True):
        (said,) = models[task].predict([words], second=[SECOND], probabilities=True, one_pass=True)
        for label, percent in shown:
            assert float(percent.rstrip("%")) == pytest.approx(100 * said[task][label], abs=0.3)
    assert joint != separate
    status = tab.locator("[data-role=status]").inner_text()
    assert status.index("One model for all tasks") < status.index("One model per task")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 361
    tab.keyboard.press("Space")
    tab.locator(".live-column").first.wait_for(state="detached")
    assert tab.locator(".live-bars").count() == 2
    assert tab.said == []


def test_scores_of_both_stand_beside_the_box(tab, served) -> None:
    tab.goto(f"{served.address}/box-light.html")
    rows = tab.locator(".live-scores tbody tr").all_inner_texts()
    fresh = read_json(ATLAS / "live.json")["fresh"]["scores"]
    topic = round(100 * fresh["classification_accuracy int8"])
    assert rows[0].split("\t")[1:3] == [str(topic), "25"]
    assert "1.5 MB more" in tab.locator(".live-switch").inner_text()


def test_after_a_network_error_the_switch_tries_again(tab, served) -> None:
    failed = failing_once(tab, "**/small/inference/export.json")
    tab.goto(f"{served.address}/box-light.html")
    tab.locator("[data-role=separate]").check()
    tab.locator("[data-role=first]").fill(FIRST)
    tab.get_by_text("could not be loaded").wait_for()
    tab.locator("button[type=submit]").click()
    tab.locator(".live-column").nth(1).wait_for()
    assert len(failed) == 1


def test_a_box_without_models_per_task_has_no_switch() -> None:
    facts = live_models.facts_of(ROOT, "names")
    assert "separate" not in facts
    assert 'data-role="separate"' not in live_models.box("names", facts)


@pytest.mark.skipif(
    "separate" not in json.loads((ATLAS / "live.json").read_text("utf-8")),
    reason="the models per task are not in the tree",
)
def test_scores_of_the_models_per_task_are_theirs() -> None:
    facts = live_models.facts_of(ROOT, "atlas")
    rows = read_sentences(ATLAS / "fresh.txt")
    for task, folder in facts["separate"]["folders"].items():
        model = OnnxModel.load(ATLAS / folder, int8=True)
        assert list(model.tasks) == [task]
        for name, value in scores_of(model, rows).items():
            assert abs(value - facts["separate"]["scores"][f"{name} int8"]) < 0.021, name
        assert (ATLAS / folder / "tokenizer.json").read_bytes() == (
            ATLAS / "tokenizer.json"
        ).read_bytes()
