"""Models that answer in the page: ids, offsets and logits of Python, by keyboard, network cut."""

from __future__ import annotations

import hashlib
import json
import shutil
from types import SimpleNamespace

import live_models
import numpy as np
import pytest
import torch
from docutils import nodes
from docutils.utils import new_document
from live_boxes import boxes_of, boxes_served, failing_once, lone_tab, texts_of_many_scripts
from sphinx.errors import ExtensionError
from visiting import ROOT

from mtl_utils import atlas
from mtl_utils.data import encode_pair, encode_text, split_words
from mtl_utils.deployment import export_onnx
from mtl_utils.deployment.export.decoding import probabilities_of
from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.export.tokenizer_files import tokenizer_of
from mtl_utils.deployment.live.hand_written import read_sentences, scores_of
from mtl_utils.deployment.live.pages import PAGES
from mtl_utils.files import read_json
from mtl_utils.models import MultiTaskTransformer

LIVE = ROOT / "book/_static/live"
OF_TEXTS = [p for p in LIVE.glob("*/live.json") if read_json(p).get("kind") != "writer"]
NAMES = sorted(path.parent.name for path in OF_TEXTS)
MEGABYTE = 1_000_000
MAKE = """async name => {
  const live = await import('/_static/live/model.mjs');
  const { Tokenizer } = await import('/_static/live/runtime/tokenizers.min.mjs');
  const read = file => fetch(`/_static/live/${name}/${file}`).then(found => found.json());
  const [facts, tokens] = await Promise.all(['export.json', 'tokenizer.json'].map(read));
  window.reader = new live.LiveModel(null, null, new Tokenizer(tokens, {}), facts, new Set());
}"""
READ = """pairs => pairs.map(([text, second]) => {
  const { words, ids, firsts, segments } = window.reader.encode(text, second);
  const points = at => [...text.slice(0, at)].length;
  const places = words.map(word => [points(word.start), points(word.end)]);
  return JSON.stringify([ids, firsts, segments, places]);
})"""
RUN = """async ([folder, pairs]) => {
  const live = await import('/_static/live/model.mjs');
  const model = await live.loadModel(new URL(folder, location));
  const found = [];
  for (const [text, second] of pairs) {
    const outputs = await model.run(model.encode(text, second));
    const answer = await model.answer(text, second);
    const said = Object.fromEntries(Object.entries(answer.tasks).map(([task, values]) => [task,
      typeof values[0] === 'string' ? values
        : values.reduce((a, b) => (b.probability > a.probability ? b : a)).label]));
    const plain = Object.entries(outputs).map(([task, output]) => [task, [...output.data]]);
    found.push([Object.fromEntries(plain), said]);
  }
  return found;
}"""
ANSWER = """async ([tasks, outputs]) => {
  const live = await import('/_static/live/model.mjs');
  const runtime = { Tensor: class {} };
  const session = { inputNames: [], run: async () => outputs };
  const tokenizer = { encode: () => ({ ids: [5] }) };
  const facts = { tasks, tokenizer: { start: [1], between: [2], end: [3] }, word_marks: [] };
  const model = new live.LiveModel(runtime, session, tokenizer, facts, new Set());
  return (await model.answer("Rain")).tasks;
}"""
pytestmark = pytest.mark.site
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The box alone on a page, with the look of the book; where it is served."""
    with boxes_served(tmp_path_factory.mktemp("served"), boxes_of(NAMES)) as found:
        yield found


@pytest.fixture
def tab(browser, served):
    """A tab that reaches the server and nothing else, and remembers what it asked for."""
    with lone_tab(browser, served.address) as found:
        yield found


def tokenizer(name):
    content = read_json(LIVE / name / "export.json")
    return tokenizer_of((LIVE / name / "tokenizer.json").read_text("utf-8"), content["tokenizer"])


def test_there_is_a_live_model() -> None:
    assert NAMES, "no folder of book/_static/live holds a live.json"


def test_the_runtime_is_what_was_published() -> None:
    import gzip

    lines = (LIVE / "runtime/SHA256SUMS").read_text("utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    assert set(live_models.RUNTIME) <= set(sums)
    for name, digest in sums.items():
        packed = (LIVE / "runtime" / f"{name}.gz").exists()
        data = (LIVE / "runtime" / (f"{name}.gz" if packed else name)).read_bytes()
        data = gzip.decompress(data) if packed else data
        assert hashlib.sha256(data).hexdigest() == digest, name


def test_sizes_stay_small() -> None:
    assert sum(path.stat().st_size for path in LIVE.rglob("*") if path.is_file()) < 25 * MEGABYTE
    for name in NAMES:
        facts = live_models.facts_of(ROOT, name)
        assert facts["download"] + facts["runtime"] < 6 * MEGABYTE, name


@each
def test_files_are_those_of_the_export(name: str) -> None:
    content = read_json(LIVE / name / "export.json")
    for file in ("model.int8.onnx", "tokenizer.json"):
        data = (LIVE / name / file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == content["sha256"][file]


@each
def test_scores_beside_the_box_are_those_of_its_model(name: str) -> None:
    facts = live_models.facts_of(ROOT, name)
    model = OnnxModel.load(LIVE / name, int8=True)
    written = {"sentences.txt": facts}
    if "fresh" in facts:
        written["fresh.txt"] = facts["fresh"]
    for file, measured in written.items():
        rows = read_sentences(LIVE / name / file)
        assert len(rows) == measured["sentences"] == 100
        found = scores_of(model, rows)
        for metric in facts["measures"]:
            assert abs(found[metric] - measured["scores"][f"{metric} int8"]) < 0.021, metric
            assert metric in measured["without_looking"]
    if name == "names":
        assert facts["scores"]["tags_f1 int8"] >= 0.6  # else chapter 03 shows no such model


@each
def test_ids_and_offsets_are_those_of_python(name: str, tab, served) -> None:
    tab.goto(f"{served.address}/theme.css")
    tab.evaluate(MAKE, name)
    news = [row["text"] for row in read_sentences(LIVE / NAMES[0] / "sentences.txt")]
    made, texts = tokenizer(name), texts_of_many_scripts(news)
    # A raw second text is read where a task asks for one, and there alone: after a space U+0085 is
    # white space to Python's library and none to JavaScript's, which shows where pieces join them.
    tasks = read_json(LIVE / name / "export.json")["tasks"].values()
    of_pairs = any(task["pair"] for task in tasks)
    pairs = [
        (text, texts[-place] if of_pairs and place % 5 == 1 else "")
        for place, text in enumerate(texts)
    ]
    for (text, second), found in zip(pairs, tab.evaluate(READ, pairs), strict=True):
        words = split_words(text)
        alone = [word.text for word in words]
        encoded = encode_pair(made, alone, second) if second else encode_text(made, alone)
        ids = encoded.input_ids
        segments = encoded.segment_ids or [0] * len(ids)
        places = [[word.start, word.end] for word in words]
        assert json.loads(found) == [ids, encoded.first_pieces, segments, places], repr(text)
    assert all(url.startswith(served.address) for url in tab.asked)


@each
def test_outputs_and_labels_are_those_of_python(name: str, tab, served) -> None:
    rows = read_sentences(LIVE / name / "sentences.txt")[::9]
    pairs = [
        (row["text"], row.get("second", "") if place % 3 else "") for place, row in enumerate(rows)
    ]
    tab.goto(f"{served.address}/theme.css")
    found = tab.evaluate(RUN, [f"/_static/live/{name}/", pairs])
    model = OnnxModel.load(LIVE / name, int8=True)
    apart = differences(model, pairs, found)
    # Where a number lies between two of the 256 steps of an activation, the last bit of a sum
    # decides, and another order of adding up takes the other step. Most texts have none such.
    assert np.median(apart) < 1e-4
    assert max(apart) < 0.1
    for (text, second), (_, said) in zip(pairs, found, strict=True):
        words = [word.text for word in split_words(text)]
        if second:
            assert said == model.predict([words], second=[second], one_pass=True)[0]
        elif name == "names":
            assert said == model.predict([words])[0]


def test_outputs_of_single_precision_are_those_of_python(tab, served) -> None:
    """A model of random weights, where nothing is rounded to eight bits."""
    torch.manual_seed(0)
    rows = read_sentences(LIVE / NAMES[0] / "sentences.txt")[:40]
    model = MultiTaskTransformer.from_texts(
        [row["text"] for row in rows],
        atlas.TOPICS,
        atlas.NER_TAGS,
        vocab_size=400,
        hidden_size=16,
        num_layers=2,
        num_heads=2,
        pair_pooling="align",
        crf=True,
    )
    folder = served.place / "single"
    export_onnx(model.eval(), folder)
    shutil.copy(folder / "model.onnx", folder / "model.int8.onnx")  # by the name the page knows
    (folder / "words.txt").write_text("a\n", "utf-8")
    tab.goto(f"{served.address}/theme.css")
    pairs = [(row["text"], row["second"] if place % 3 else "") for place, row in enumerate(rows)]
    found = tab.evaluate(RUN, ["/single/", pairs])
    assert max(differences(OnnxModel.load(folder), pairs, found)) < 1e-4


def differences(model: OnnxModel, pairs, found) -> list[float]:
    """By how much outputs of the page differ from those of onnxruntime here, a number a text."""
    apart = []
    for (text, second), (outputs, _) in zip(pairs, found, strict=True):
        words = [word.text for word in split_words(text)]
        made = model.tokenizer
        encoded = encode_pair(made, words, second) if second else encode_text(made, words)
        ids = np.array([encoded.input_ids])
        given = (ids, np.ones_like(ids), np.array([encoded.segment_ids or [0] * ids.shape[1]]))
        feeds = dict(zip(("input_ids", "mask", "segment_ids"), given, strict=True))
        read = {put.name for put in model.session.get_inputs()}
        feeds = {name: array for name, array in feeds.items() if name in read}
        names = [output.name for output in model.session.get_outputs()]
        pairs_ = zip(names, model.session.run(names, feeds), strict=True)
        apart.append(max(float(np.abs(outputs[n] - out.ravel()).max()) for n, out in pairs_))
    return apart


def test_a_box_answers_by_keyboard_and_loads_nothing_before(tab, served) -> None:
    tab.goto(f"{served.address}/{NAMES[0]}-light.html", wait_until="networkidle")
    assert not [url for url in tab.asked if "runtime/" in url or ".onnx" in url]
    assert tab.locator("[data-role=cannot]").is_hidden()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.dataset.role") == "first"
    tab.keyboard.type("Turkey signed a treaty with Jordan on Friday.")
    tab.locator(".live-bars").first.wait_for()
    status = tab.locator("[data-role=status]")
    assert status.get_attribute("aria-live") == "polite"
    assert "Topic: " in status.inner_text()
    assert "The second sentence" not in tab.locator("[data-role=result]").inner_text()
    tab.keyboard.press("Tab")
    tab.keyboard.type("Turkey signed a treaty with Peru.")
    tab.keyboard.press("Enter")
    tab.get_by_text("contradiction").first.wait_for()
    rows = tab.locator(".live-bars").last.locator("tr")
    shares = [float(row.split("\t")[-1].rstrip("%")) for row in rows.all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert all(url.startswith((served.address, "data:", "blob:")) for url in tab.asked)
    assert tab.said == []


def test_examples_answer_and_unknown_words_are_marked(tab, served) -> None:
    tab.goto(f"{served.address}/{NAMES[0]}-dark.html")
    buttons = tab.locator("button[data-first]")
    assert buttons.count() == 5
    buttons.first.focus()
    tab.keyboard.press("Enter")
    tab.locator(".live-bars").first.wait_for()
    assert tab.locator("[data-role=first]").input_value() == buttons.first.get_attribute(
        "data-first"
    )
    tab.locator("[data-role=first]").fill("The zxqvy of Oslo opened.")
    tab.locator(".live-unknown", has_text="zxqvy").wait_for()
    assert "never seen in training" in tab.locator(".live-note").inner_text()
    assert tab.said == []


def test_passing_by_keyboard_loads_nothing(tab, served) -> None:
    tab.goto(f"{served.address}/{NAMES[0]}-light.html", wait_until="networkidle")
    for _ in range(4):
        tab.keyboard.press("Tab")
    tab.wait_for_load_state("networkidle")
    assert not [url for url in tab.asked if "runtime/" in url or ".onnx" in url]
    assert "Nothing is loaded" in tab.locator("[data-role=status]").inner_text()


def test_what_is_too_long_is_said_and_no_old_answer_stays(tab, served) -> None:
    tab.goto(f"{served.address}/{NAMES[0]}-light.html")
    first, status = tab.locator("[data-role=first]"), tab.locator("[data-role=status]")
    for text, why in (("東" * 390, "160 pieces"), ("word " * 500 + "END", "2503 characters")):
        first.fill("Rain in <b>Oslo</b>.")
        tab.locator(".live-bars").first.wait_for()
        assert "<b>" in tab.locator(".live-text").inner_text()
        first.fill("")
        first.focus()
        tab.keyboard.insert_text(text)
        status.filter(has_text=why).wait_for()
        assert first.input_value() == text  # nothing is cut off in silence
        assert tab.locator("[data-role=result]").inner_text() == ""
    assert tab.said == []


@pytest.mark.parametrize("file", ["ort-wasm-simd-threaded.mjs", "tokenizers.min.mjs", "words.txt"])
def test_after_a_network_error_a_second_try_succeeds(tab, served, file: str) -> None:
    failed = failing_once(tab, f"**/{file}")
    tab.goto(f"{served.address}/{NAMES[0]}-light.html")
    tab.keyboard.press("Tab")
    tab.keyboard.insert_text("Norway signed a treaty.")
    tab.locator("[data-role=status]", has_text="Topic: ").or_(
        tab.locator("[data-role=status]", has_text="could not be loaded")
    ).wait_for()
    tab.keyboard.press("Enter")
    tab.locator(".live-bars").first.wait_for()
    assert failed


@each
def test_the_box_says_what_its_scores_hide(name: str) -> None:
    facts = live_models.facts_of(ROOT, name)
    said = live_models.box(name, facts)
    types = {key: value for key, value in facts["scores"].items() if key.startswith("tags_f1_")}
    worst = min((key for key in types if key.endswith(" int8")), key=types.__getitem__)
    kind = worst.removeprefix("tags_f1_").removesuffix(" int8")
    assert f"{kind} is worst: {100 * types[worst]:.0f}" in said
    assert "the most frequent answer alone: 0)" in said
    assert facts["note"] == PAGES[name].facts["note"]
    assert facts["note"] in said
    assert "nothing else" not in said


def test_fresh_sentences_stand_before_those_that_had_a_say() -> None:
    facts = live_models.facts_of(ROOT, "atlas")
    said = live_models.box("atlas", facts)
    fresh, old = (
        f"topic right in {100 * found['scores']['classification_accuracy int8']:.0f}"
        for found in (facts["fresh"], facts)
    )
    assert said.index("fresh sentences") < said.index(fresh) < said.index(old)
    for name in facts["measures"]:  # as chapter 06 says
        assert facts["fresh"]["scores"][f"{name} int8"] < facts["scores"][f"{name} int8"]


def test_names_are_marked_by_keyboard(tab, served) -> None:
    tab.goto(f"{served.address}/names-light.html", wait_until="networkidle")
    assert not [url for url in tab.asked if "runtime/" in url or ".onnx" in url]
    tab.keyboard.press("Tab")
    tab.keyboard.type("President Bush met the zxqvy of Iraq in London.")
    tab.locator(".live-entity.live-loc", has_text="London").wait_for()
    status = tab.locator("[data-role=status]").inner_text()
    assert "London: LOC" in status
    assert "zxqvy" in tab.locator(".live-note").inner_text()
    assert tab.locator("button[data-first]").count() == 5
    assert tab.locator("[data-role=second]").count() == 0
    assert all(url.startswith((served.address, "data:", "blob:")) for url in tab.asked)
    assert tab.said == []


@pytest.mark.parametrize("page", [f"{n}-{t}" for n in NAMES for t in ("light", "dark")])
def test_it_fits_a_phone(browser, served, page: str) -> None:
    tab = browser.new_page(viewport={"width": 360, "height": 800})
    tab.goto(f"{served.address}/{page}.html")
    tab.locator("button[data-first]").first.click()
    tab.locator(".live-text").first.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 361
    tab.close()


def test_a_browser_that_cannot_says_so(browser, served) -> None:
    for missing in ("DecompressionStream", "WebAssembly"):
        tab = browser.new_page()
        tab.add_init_script(f"delete globalThis.{missing}")
        tab.goto(f"{served.address}/{NAMES[0]}-light.html", wait_until="networkidle")
        said = tab.locator("[data-role=cannot]").inner_text()
        assert "cannot answer here" in said
        assert missing in said
        assert tab.locator("form").is_hidden()
        tab.close()
    tab = browser.new_page()
    tab.goto((served.place / f"{NAMES[0]}-light.html").as_uri())
    assert "opened as a file" in tab.locator("[data-role=cannot]").inner_text()
    assert tab.locator("form").is_hidden()
    tab.close()


def test_a_tagged_cell_gets_its_box() -> None:
    def app():
        env = SimpleNamespace(
            docname="chapters/x", note_dependency=lambda path: None, new_serialno=lambda kind: 0
        )
        return SimpleNamespace(srcdir=str(ROOT), env=env)

    def page(**metadata):
        document = new_document("x")
        classes = ["cell", live_models.TAG]
        document += nodes.container("", classes=classes, cell_metadata=metadata)
        document += nodes.paragraph("", "after")
        return document

    document = page(live=NAMES[0])
    live_models.enliven_cells(app(), document)
    assert [type(node).__name__ for node in document] == ["container", "raw", "paragraph"]
    assert f'data-model="{NAMES[0]}"' in document[1].astext()
    assert "the figure above" in document[1].astext()
    alone = live_models.box(NAMES[0], live_models.facts_of(ROOT, NAMES[0]), 1, figure=False)
    assert "the figure above" not in alone
    loaded = []
    made = SimpleNamespace(
        add_css_file=loaded.append, add_js_file=lambda name, **_: loaded.append(name)
    )
    live_models.add_script(made, "x", "", {}, document)
    live_models.add_script(made, "x", "", {}, new_document("y"))
    assert loaded == ["live/live.css", "live/live.mjs"]
    with pytest.raises(ExtensionError, match="must say which"):
        live_models.enliven_cells(app(), page())
    with pytest.raises(ExtensionError, match="no live model 'other'"):
        live_models.enliven_cells(app(), page(live="other"))


def test_answers_of_every_kind_of_task_are_those_of_python(tab, served):
    labels = ["a", "b", "c"]
    of_labels = {"pair": False, "labels": labels, "temperature": None}
    kinds = {
        "score": {"kind": "regression", "pair": False},
        "topic": {"kind": "classification", **of_labels},
        "cool": {"kind": "classification", **of_labels, "temperature": 2.5},
        "moods": {"kind": "multi_label", **of_labels, "temperature": 0.5, "threshold": 0.5},
        "names": {"kind": "tagging", **of_labels, "search": None},
    }
    numbers = [0.25, -1.5, 2.0]
    outputs = {name: {"data": numbers} for name in kinds}
    outputs["score"] = {"data": [3.75]}
    outputs["names"] = {"data": [9.0, 0.0, 0.0, *numbers, 0.0, 9.0, 0.0]}  # a piece in the middle
    tab.goto(f"{served.address}/{NAMES[0]}-light.html")
    found = tab.evaluate(ANSWER, [kinds, outputs])
    assert found["score"] == 3.75
    assert found["names"] == ["c"]
    for name in ("topic", "cool", "moods"):
        expected = probabilities_of(kinds[name], np.array(numbers, np.float32))
        said = {row["label"]: row["probability"] for row in found[name]}
        assert said == pytest.approx(expected, rel=1e-6), name
    assert sum(row["probability"] for row in found["cool"]) == pytest.approx(1)
    assert not tab.said
