"""The measurement of speed in the browser: its texts, its sums, the models beside, its record."""

from __future__ import annotations

import json
from pathlib import Path

import live_speed
import pytest
from visiting import ROOT

pytestmark = pytest.mark.site
README = ROOT / "book/_static/live/README.md"


@pytest.mark.parametrize("name", live_speed.NAMES)
def test_texts_have_twenty_words(name: str) -> None:
    texts = live_speed.sentences(name)
    assert [len(text.split()) for text in texts] == [20] * 25
    assert len(set(texts)) == 25
    assert not any("[" in text or "|" in text for text in texts)
    with pytest.raises(ValueError, match=rf"sentences of {name} have \d+ words, 20000"):
        live_speed.sentences(name, number=1000)


def test_each_text_is_timed_in_turns_and_the_first_turn_is_not_counted() -> None:
    order: list[tuple[str, str]] = []
    walls = iter([9.0, 9.0, 9.0, 0.001, 0.005, 0.002])

    def first(text: str) -> tuple[float, float]:
        order.append(("first", text))
        return next(walls), 0.0005

    def second(text: str) -> tuple[float, float]:
        order.append(("second", text))
        return 1.0, 1.0

    found = live_speed.in_turns({"first": first, "second": second}, ["a", "b", "c"], 2)
    assert order[:4] == [("first", "a"), ("second", "a"), ("first", "b"), ("second", "b")]
    assert found["first"] == {"median": 2.0, "worst": 5.0, "processor median": 0.5}
    assert found["second"]["median"] == 1000


@pytest.mark.parametrize("name", ["atlas", "names"])
def test_models_beside_have_as_many_weights_as_those_of_the_page(name: str) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import numpy_helper

    stored = onnx.load(str(live_speed.LIVE / name / "model.int8.onnx")).graph.initializer
    on_page = sum(numpy_helper.to_array(tensor).size for tensor in stored)
    twin = live_speed.of_the_same_sizes(name, live_speed.exported(name), 1)
    beside = sum(parameter.numel() for parameter in twin.parameters())
    assert beside == pytest.approx(on_page, rel=1e-3)


def test_what_is_written_beside_the_models_is_what_was_recorded() -> None:
    record = json.loads(Path(live_speed.RECORD).read_text("utf-8"))
    assert (record["words"], record["texts"]) == (20, 25)
    assert tuple(record["milliseconds"]) == live_speed.NAMES
    text = README.read_text("utf-8")
    assert live_speed.table(record["milliseconds"]) in text
    assert record["note"] in text
