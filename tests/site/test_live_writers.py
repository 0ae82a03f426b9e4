"""Models that write in the page: ids, tokens, text and attention of Python, by keyboard."""

from __future__ import annotations

import json
import random
import shutil

import live_models
import numpy as np
import pytest
import torch
from live_boxes import boxes_of, boxes_served, lone_tab, texts_of_many_scripts
from visiting import ROOT

from mtl_utils import atlas
from mtl_utils.data import BytePairTokenizer
from mtl_utils.deployment.export.onnx_writer import CONTENT, OnnxWriter, graph_file
from mtl_utils.deployment.export.writing_model import export_writer, of_framework, of_translator
from mtl_utils.deployment.live.writer_page import read_translations, scored, writer_scores
from mtl_utils.files import read_json
from mtl_utils.models import BiLSTMFramework, Seq2Seq
from mtl_utils.tasks import Tagging, Translation

LIVE = ROOT / "book/_static/live"
NAMES = [
    path.parent.name
    for path in sorted(LIVE.glob("*/live.json"))
    if read_json(path).get("kind") == "writer"
]
SENTENCES = LIVE / "translator/sentences.txt"
LOAD = """async folder => {
  const { loadWriter } = await import('/_static/live/translate.mjs');
  window.writer = await loadWriter(new URL(folder, location));
}"""
READ = """texts => texts.map(text => {
  const { ids, words } = window.writer.encode(text);
  return [ids, words.map(word => [word.first, [...text.slice(0, word.start)].length, word.text])];
})"""
WRITE = """async texts => {
  const model = window.writer;
  const found = [];
  for (const text of texts) {
    const { state, said } = await model.read(model.encode(text));
    const ids = [];
    const weights = [];
    for await (const one of model.write(state)) {
      weights.push(one.weights);
      if (!one.end) ids.push(one.token);
    }
    found.push({ ids, weights, said, text: model.decode(ids) });
  }
  return found;
}"""
DECODE = "all => all.map(ids => window.writer.decode(ids))"
GRID = """() => [...document.querySelectorAll('.live-attention tr')].map(row =>
  [...row.children].map(cell => cell.textContent))"""
CLOSE = {"translation_bleu": 0.5, "translation_chrf": 0.5, "translation_exact": 1, "tags_f1": 0.005}
"""How far a score may be from the one beside the box, on another processor: half a point, and one
translation."""
pytestmark = pytest.mark.site
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Where the boxes are served."""
    with boxes_served(tmp_path_factory.mktemp("served"), boxes_of(NAMES)) as found:
        yield found


@pytest.fixture
def tab(browser, served):
    """A tab that reaches the server and nothing else."""
    with lone_tab(browser, served.address) as found:
        yield found


def test_there_are_the_models_of_two_chapters() -> None:
    assert NAMES == ["framework", "translator"]


@each
def test_scores_beside_the_box_are_those_of_its_files(name: str) -> None:
    facts = live_models.facts_of(ROOT, name)
    model = OnnxWriter.load(LIVE / name, int8=True)  # whose digests are compared
    rows = read_translations(SENTENCES)
    assert len(rows) == facts["sentences"] == 100
    tags = {
        task: Tagging(task, tuple(known["labels"]))
        for task, known in model.content["tasks"].items()
    }
    found = writer_scores(
        model,
        {"translation": Translation("translation", model.target, language="fr"), **tags},
        rows,
    )
    assert set(found) == {n.removesuffix(" int8") for n in facts["scores"] if n.endswith(" int8")}
    for metric in CLOSE.keys() & found.keys():
        written = facts["scores"][f"{metric} int8"]
        assert found[metric] == pytest.approx(written, abs=CLOSE[metric]), metric
    said = live_models.box(name, facts)
    assert scored(facts["scores"], "translation") in said
    assert facts["note"] in said.replace("&#x27;", "'")
    assert sum((LIVE / name / file).stat().st_size for file in facts["loads"]) < 2_000_000


@each
def test_ids_words_and_text_are_those_of_python(name: str, tab, served) -> None:
    tab.goto(f"{served.address}/theme.css")
    tab.evaluate(LOAD, f"/_static/live/{name}/")
    model = OnnxWriter.load(LIVE / name, int8=True)
    news = [row["text"] for row in read_translations(SENTENCES)]
    texts = [*texts_of_many_scripts(news), *news]
    for text, (ids, words) in zip(texts, tab.evaluate(READ, texts), strict=True):
        expected, firsts = model.encode(text)
        assert ids == expected, repr(text)
        assert all(text[at : at + len(word)] == word for _, at, word in words)
        if model.content["reads_words"]:
            assert [first for first, *_ in words] == firsts
    draw = random.Random(5)
    size = model.target.vocab_size
    written = [[draw.randrange(4, size) for _ in range(draw.randint(0, 9))] for _ in range(500)]
    assert tab.evaluate(DECODE, written) == [model.target.decode(ids) for ids in written]


@each
def test_what_is_written_is_what_python_writes(name: str, tab, served) -> None:
    tab.goto(f"{served.address}/theme.css")
    tab.evaluate(LOAD, f"/_static/live/{name}/")
    model = OnnxWriter.load(LIVE / name, int8=True)
    texts = [row["text"] for row in read_translations(SENTENCES)[::4]]
    same, apart = [], []
    for text, found in zip(texts, tab.evaluate(WRITE, texts), strict=True):
        written = model.write(text)
        same.append(found["ids"] == written.ids)
        if same[-1]:
            assert found["text"] == model.target.decode(written.ids)
            assert found["said"] == written.outputs
            apart.append(np.abs(np.array(found["weights"]) - written.weights).max())
    # Where a number lies between two of the 256 steps of an activation the last bit of a sum
    # decides; where two tokens are about as probable, that may be another one.
    assert sum(same) >= len(texts) - 2
    assert np.median(apart) < 1e-3


def test_single_precision_writes_token_by_token_what_the_models_do(tab, served) -> None:
    """Models of random weights, where nothing is rounded to eight bits."""
    texts = [row["text"] for row in read_translations(SENTENCES)[:12]]
    tokenizer = BytePairTokenizer.train(texts, 400)
    torch.manual_seed(0)
    both = ("tags", "translation")
    made = {
        "one": of_translator(Seq2Seq(tokenizer, tokenizer, 16, max_length=20).eval()),
        "two": of_framework(
            BiLSTMFramework(tokenizer, atlas.NER_TAGS, 16, max_length=20, tasks=both).eval()
        ),
    }
    for name, model in made.items():
        folder = served.place / name
        folder.mkdir()
        export_writer(model, folder, texts[:2])
        (folder / "words.txt").write_text("a\n", "utf-8")
        for graph in ("reader", "writer"):  # by the name the page knows
            shutil.copy(folder / f"{graph}.onnx", folder / graph_file(graph, True))
        tab.goto(f"{served.address}/theme.css")
        tab.evaluate(LOAD, f"/{name}/")
        exported = OnnxWriter.load(folder)
        for text, found in zip(texts, tab.evaluate(WRITE, texts), strict=True):
            written = exported.write(text)
            assert found["ids"] == written.ids
            assert found["said"] == written.outputs
            np.testing.assert_allclose(found["weights"], written.weights, atol=1e-5)


@each
def test_a_box_writes_by_keyboard_and_loads_nothing_before(name: str, tab, served) -> None:
    tab.goto(f"{served.address}/{name}-light.html", wait_until="networkidle")
    assert not [url for url in tab.asked if "runtime/" in url or ".onnx" in url]
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.dataset.role") == "first"
    text = "On Thursday, an earthquake shook Santiago."
    tab.keyboard.type(text)
    tab.keyboard.press("Enter")
    status = tab.locator("[data-role=status]")
    status.filter(has_text="In French: ").wait_for()
    assert status.get_attribute("aria-live") == "polite"
    model = OnnxWriter.load(LIVE / name, int8=True)
    written = model.write(text)
    assert f"In French: {model.target.decode(written.ids)}" in status.inner_text()
    head, *rows = tab.evaluate(GRID)
    words = [row[0] for row in rows]
    assert words == [*model.target.decode(written.ids).split(), "(end)"]
    assert " ".join(head[1:-1]).replace(" ,", ",").replace(" .", ".") == text
    assert all(abs(sum(map(int, row[1:])) - 100) <= len(row) for row in rows)
    ids, _ = model.encode(text)
    start, end = len(model.content["start"]), len(ids) - len(model.content["end"])
    around = 1 - written.weights[-1][start:end].sum()
    assert abs(int(rows[-1][-1]) - 100 * around) < 2
    if model.content["tasks"]:
        (tag,) = set(written.outputs["tags"]) - {"O"}  # one name of one word
        assert f"Entities: Santiago: {tag[2:]}" in status.inner_text()
        assert tab.locator(f"mark.live-{tag[2:].lower()}").inner_text().startswith("Santiago")
    region = tab.get_by_role("region", name="Attention")
    assert region.get_attribute("tabindex") == "0"
    assert tab.locator(".live-attention th[scope=row]").count() == len(rows)
    assert all(url.startswith((served.address, "data:", "blob:")) for url in tab.asked)
    assert tab.said == []


@each
def test_examples_write_and_unknown_words_are_marked(name: str, tab, served) -> None:
    tab.goto(f"{served.address}/{name}-dark.html")
    buttons = tab.locator("button[data-first]")
    assert buttons.count() == 5
    status = tab.locator("[data-role=status]").filter(has_text="In French: ")
    buttons.first.focus()
    tab.keyboard.press("Enter")
    status.wait_for()
    first = tab.locator("[data-role=first]")
    assert first.input_value() == buttons.first.get_attribute("data-first")
    first.fill("Norway signed a zxqvy with Peru.")
    tab.locator(".live-attention .live-unknown", has_text="zxqvy").wait_for()
    assert tab.locator(".live-attention .live-unknown").count() == 1
    assert tab.locator(".live-note", has_text="(dotted): zxqvy").count() == 1
    assert tab.locator(".live-attention").get_attribute("aria-labelledby") == tab.locator(
        ".live-note", has_text="Where it looked"
    ).get_attribute("id")
    assert tab.said == []


@each
def test_a_newer_sentence_stops_the_one_that_is_written(name: str, tab, served) -> None:
    tab.goto(f"{served.address}/{name}-light.html")
    buttons = tab.locator("button[data-first]")
    for place in (0, 1, 2, 1):
        buttons.nth(place).click()
    wanted = buttons.nth(1).get_attribute("data-first")
    tab.locator("[data-role=status]").filter(has_text="In French: ").wait_for()
    head, *_ = tab.evaluate(GRID)
    assert "".join(head[1:-1]) == wanted.replace(" ", "")
    model = OnnxWriter.load(LIVE / name, int8=True)
    said = tab.locator(".live-written").inner_text()
    assert said == model.translate([wanted])[0]
    assert tab.said == []


@each
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(name: str, browser, served, theme: str) -> None:
    tab = browser.new_page(viewport={"width": 360, "height": 800})
    tab.goto(f"{served.address}/{name}-{theme}.html")
    tab.locator("button[data-first]").first.click()
    tab.locator("[data-role=status]").filter(has_text="In French: ").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 361
    tab.close()


def test_chapters_name_boxes_that_are_there() -> None:
    expected = {"02_seq2seq_bilstm": "translator", "04_three_tasks": "framework"}
    expected |= {"23_deployment": "atlas"}
    for chapter, name in expected.items():
        notebook = json.loads((ROOT / f"chapters/{chapter}.ipynb").read_text("utf-8"))
        named = [
            cell["metadata"].get("live")
            for cell in notebook["cells"]
            if "live-model" in cell["metadata"].get("tags", [])
        ]
        assert named == [name]
        assert len(notebook["cells"]) <= 45
        assert (LIVE / name / "live.json").is_file()
    assert read_json(LIVE / "translator" / CONTENT)["writes"] == "translation"
