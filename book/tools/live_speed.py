"""How long the models of the pages take in a browser: ``python book/tools/live_speed.py --record``.

Each model of ``book/_static/live`` answers sentences of twenty words in headless Chromium, with the
files and the scripts of the page and no network, and beside it, in turns on the same sentences, the
same files in onnxruntime and a model of the same sizes in PyTorch. A model that writes is asked for
the whole translation. What is timed is from the text to the labels or the text: words, pieces,
graph, search. All three compute on one thread.

The weights of a page are kept in eight bits alone, so those of PyTorch are drawn at random: they
take as long. One that writes is let write as many tokens as the exported one does at the median.

Wall time says what a reader waits on this machine as busy as it was; the load is written beside it.
Time of the processor says what the work takes, and hardly depends on the load; the browser's is
that of the main thread of the page, in which the graph runs. Nothing is asserted: numbers are
printed, and with ``--record`` written to ``book/results/live_speed.json``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from browsing import ARGUMENTS, MISSING, chromium, served

from mtl_utils import atlas
from mtl_utils.data.splitting import split_words
from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.export.onnx_writer import OnnxWriter
from mtl_utils.deployment.live.atlas_model import AtlasSizes
from mtl_utils.deployment.live.hand_written import tagged
from mtl_utils.deployment.live.names_model import TAGS, NamesSizes
from mtl_utils.deployment.live.translator_model import TranslatorSizes
from mtl_utils.experiments import records
from mtl_utils.files import whole_file
from mtl_utils.models import BiLSTMFramework, MultiTaskTransformer, Seq2Seq, TextModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Tagging

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "book" / "_static"
LIVE = STATIC / "live"
RECORD = ROOT / "book" / "results" / "live_speed.json"
WORDS, TEXTS, TURNS = 20, 25, 2
"""Words of a sentence, sentences, and how often each is read; the first turn warms up."""

WAYS = ("browser", "onnxruntime", "PyTorch")
NAMES = ("atlas", "names", "translator", "framework")
Answer = Callable[[str], tuple[float, float]]
"""Answers a text; returns seconds of wall time and of the processor."""

LOAD = """async ([folder, writes]) => {
  const made = new URL(folder, location);
  if (!writes) {
    const model = await (await import('/live/model.mjs')).loadModel(made);
    window.answer = text => model.answer(text);
    return;
  }
  const model = await (await import('/live/translate.mjs')).loadWriter(made);
  window.answer = async text => {
    const { state } = await model.read(model.encode(text));
    const ids = [];
    for await (const one of model.write(state)) if (!one.end) ids.push(one.token);
    return model.decode(ids);
  };
}"""
ANSWER = """async text => {
  const before = performance.now();
  await window.answer(text);
  return (performance.now() - before) / 1000;
}"""


def sentences(name: str, words: int = WORDS, number: int = TEXTS) -> list[str]:
    """Return texts of so many words, parted by spaces, from the sentences of a box.

    Args:
        name: Of the model.
        words: Words of a text.
        number: How many texts.

    Raises:
        ValueError: If the sentences are too few.
    """
    place = LIVE / ("translator" if name == "framework" else name)
    spelled: list[str] = []
    for line in (place / "sentences.txt").read_text("utf-8").splitlines():
        columns = line.split(" | ")
        spelled += tagged(columns[1] if len(columns) == 4 else columns[0])["text"].split()
    if len(spelled) < words * number:
        raise ValueError(
            f"The sentences of {name} have {len(spelled)} words, {words * number} were asked for"
        )
    return [" ".join(spelled[at : at + words]) for at in range(0, words * number, words)]


def exported(name: str) -> Any:
    """Open a model as the page has it, in onnxruntime.

    Args:
        name: Of the model.
    """
    kind = OnnxWriter if _writes(name) else OnnxModel
    return kind.load(LIVE / name, int8=True)


def of_the_same_sizes(name: str, model: Any, tokens: int) -> Any:
    """Make a model of PyTorch with the sizes of the page and weights of a seed.

    Args:
        name: Of the model.
        model: The exported one, whose tokenizers it gets.
        tokens: How many it writes, if it writes.
    """
    torch.manual_seed(0)
    if name == "atlas":
        sizes = AtlasSizes()
        made: Any = MultiTaskTransformer(
            len(atlas.TOPICS),
            len(atlas.NER_TAGS),
            model.tokenizer.vocab_size,
            sizes.width,
            num_layers=2,
            num_heads=4,
            classes=atlas.TOPICS,
            tags=atlas.NER_TAGS,
            tokenizer=model.tokenizer,
            feedforward_width=2 * sizes.width,
            max_length=160,
            crf=True,
            pair_pooling="align",
        )
    elif name == "names":
        of_names = NamesSizes()
        encoder = BiLSTMEncoder(
            model.tokenizer.vocab_size, of_names.width, of_names.num_layers, of_names.dropout
        )
        tasks = [Tagging("tags", TAGS, crf=True)]
        made = TextModel(HardSharing(encoder), tasks, model.tokenizer, max_length=160)
    elif name == "translator":
        width = TranslatorSizes().width
        made = Seq2Seq(model.source, model.target, width, max_length=tokens, language="fr")
    else:
        made = BiLSTMFramework(
            model.source,
            atlas.NER_TAGS,
            TranslatorSizes().width,
            max_length=tokens,
            tasks=("tags", "translation"),
            target_language="fr",
        )
    return made.eval()


def asked(name: str, model: Any) -> Callable[[str], Any]:
    """Return what a model is asked of a text, exported or not.

    Args:
        name: Of the model.
        model: What :func:`exported` or :func:`of_the_same_sizes` returned.
    """

    def words(text: str) -> list[str]:
        return [word.text for word in split_words(text)]

    if name == "framework" and isinstance(model, BiLSTMFramework):
        return lambda text: (model.tag([words(text)]), model.translate([words(text)]))
    if _writes(name):
        return lambda text: model.translate([text])
    return lambda text: model.predict([words(text)])


def here(ask: Callable[[str], Any]) -> Answer:
    """Time what is asked in this process.

    Args:
        ask: What :func:`asked` returned.
    """

    def answer(text: str) -> tuple[float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        ask(text)
        return time.perf_counter() - wall, time.process_time() - processor

    return answer


@contextmanager
def in_browser(browser: Any, address: str, name: str) -> Iterator[Answer]:
    """Load a model in a tab that reaches the server alone, and time it there.

    Args:
        browser: A started browser.
        address: Where ``book/_static`` is served.
        name: Of the model.
    """
    tab = browser.new_page()
    tab.set_default_timeout(0)
    tab.goto(f"{address}/live/live.css")
    tab.evaluate(LOAD, [f"/live/{name}/", _writes(name)])
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def processor() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in found}["TaskDuration"]

    def answer(text: str) -> tuple[float, float]:
        before = processor()
        wall = tab.evaluate(ANSWER, text)
        return wall, processor() - before

    yield answer
    tab.close()


def in_turns(answers: dict[str, Answer], texts: Sequence[str], turns: int) -> dict[str, Any]:
    """Time several on the same texts, text by text; return medians and worst in milliseconds.

    Args:
        answers: By name.
        texts: The texts.
        turns: How often each is read; the first turn is not counted if there are several.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in answers}
    for turn in range(turns):
        for text in texts:
            for name, answer in answers.items():
                times = answer(text)
                if turn or turns == 1:
                    taken[name].append(times)
    return {name: _summary(times) for name, times in taken.items()}


def measured(browser: Any, address: str, name: str, number: int, turns: int) -> dict[str, Any]:
    """Time one model in the three ways.

    Args:
        browser: A started browser.
        address: Where ``book/_static`` is served.
        name: Of the model.
        number: How many texts.
        turns: How often each is read.
    """
    texts, model = sentences(name, number=number), exported(name)
    tokens = 1
    if _writes(name):
        tokens = round(statistics.median(len(model.write(text).ids) + 1 for text in texts))
    twin = of_the_same_sizes(name, model, tokens)
    with in_browser(browser, address, name) as page:
        answers = (page, here(asked(name, model)), here(asked(name, twin)))
        found = in_turns(dict(zip(WAYS, answers, strict=True)), texts, turns)
    return found | ({"tokens": tokens} if _writes(name) else {})


def measure_all(number: int = TEXTS, turns: int = TURNS) -> dict[str, Any]:
    """Time all models; return a record.

    Args:
        number: How many texts.
        turns: How often each is read.
    """
    executable = chromium()
    if executable is None:
        raise SystemExit(MISSING)
    from playwright.sync_api import sync_playwright

    torch.set_num_threads(1)
    loads = [os.getloadavg()[0]]
    with served(STATIC) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(ARGUMENTS), timeout=0
        )
        models = {}
        for name in NAMES:
            models[name] = measured(browser, address, name, number, turns)
            loads.append(os.getloadavg()[0])
            print(table({name: models[name]}).splitlines()[-1], flush=True)
        version = browser.version
        browser.close()
    cores = os.cpu_count() or 1
    return {
        "words": WORDS,
        "texts": number,
        "milliseconds": models,
        "load": [round(load, 1) for load in loads],
        "note": (
            "The machine was busy with other work: wall time is longer than on an idle one."
            if max(loads) > cores
            else "The machine did little else."
        ),
        "chromium": version,
        "onnxruntime": importlib.metadata.version("onnxruntime"),
        "commit": records.commit(),
        "versions": records.versions(),
        "hardware": records.hardware(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def table(models: dict[str, dict[str, Any]]) -> str:
    """Write what was measured as Markdown: median, worst, and median of the processor.

    Args:
        models: By name, what :func:`measured` returned.
    """
    rows = [["milliseconds", *WAYS], ["---"] * (1 + len(WAYS))]
    rows += [_cells(name, found) for name, found in models.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and, if asked, record.

    Args:
        arguments: Those of the command line if ``None``.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(ROOT)}")
    parser.add_argument("--texts", type=int, default=TEXTS, help="sentences of each model")
    options = parser.parse_args(arguments)
    record = measure_all(options.texts)
    print(f"load {record['load']}. {record['note']}")
    if options.record:
        with whole_file(RECORD) as file:
            file.write((json.dumps(record, indent=1) + "\n").encode("utf-8"))


def _writes(name: str) -> bool:
    return name in ("translator", "framework")


def _summary(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    wall, processor = zip(*times, strict=True)
    numbers = {
        "median": statistics.median(wall),
        "worst": max(wall),
        "processor median": statistics.median(processor),
    }
    return {name: round(1000 * value, 2) for name, value in numbers.items()}


def _cells(name: str, found: dict[str, Any]) -> list[str]:
    tokens = f" ({found['tokens']} tokens)" if "tokens" in found else ""
    times = [
        f"{found[way]['median']:.0f}, {found[way]['worst']:.0f}, "
        f"{found[way]['processor median']:.1f}"
        for way in WAYS
    ]
    return [f"{name}{tokens}", *times]


if __name__ == "__main__":
    main()
