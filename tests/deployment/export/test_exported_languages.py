"""Adapters by language as a graph that is told the language of each text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from exported_models import TEXTS
from shared_models import shared_model

from mtl_utils import deployment, sharing
from mtl_utils.commands import main
from mtl_utils.deployment.export import checking
from mtl_utils.models import TextModel

pytest.importorskip("onnxruntime")

LANGUAGES = ["en", "fr", "fr", "en", "fr"]


def model_of(kind: str) -> TextModel:
    return shared_model("LanguageAdapters", kind)


@pytest.mark.parametrize("kind", ["bilstm", "transformer", "bert"])
def test_each_text_is_read_with_the_adapters_of_its_language(kind: str, tmp_path: Path) -> None:
    model = model_of(kind)
    found = deployment.export_onnx(model, tmp_path / "out")
    assert max(found.values()) < 1e-4
    trials = [(1,), (3, 1, 2), (8, 13), (30, 1, 29), (75, 4)]
    found = checking.largest_difference(model, tmp_path / "out/model.onnx", trials, seed=5)
    assert max(found.values()) < 1e-4
    exported = deployment.OnnxModel.load(tmp_path / "out")
    read = {given.name: given.shape for given in exported.session.get_inputs()}
    assert read["language_ids"] == ["batch"]
    said: list[Any] = [
        one.predict(TEXTS, languages=LANGUAGES, probabilities=True) for one in (exported, model)
    ]
    for mine, theirs in zip(*said, strict=True):
        assert mine["topic"] == pytest.approx(theirs["topic"], abs=1e-4)
    for languages in (LANGUAGES, "en", "fr"):
        assert exported.predict(TEXTS, languages=languages) == model.predict(
            TEXTS, languages=languages
        )
    chances = [
        exported.predict(TEXTS, languages=name, probabilities=True)[0]["topic"]["a"]
        for name in ("en", "fr")
    ]
    assert abs(chances[0] - chances[1]) > 0.01  # or the graph could leave the language out


def test_the_language_of_a_text_is_asked_for(tmp_path: Path) -> None:
    model = model_of("lstm")
    deployment.export_onnx(model, tmp_path / "out")
    exported = deployment.OnnxModel.load(tmp_path / "out")
    with pytest.raises(ValueError, match=r"in predict the argument languages.* \['en', 'fr'\]"):
        exported.predict(TEXTS)
    with pytest.raises(KeyError, match="No language named 'de'"):
        exported.predict(TEXTS, languages="de")
    with pytest.raises(ValueError, match="got 1 for 5"):
        exported.predict(TEXTS, languages=["en"])
    with pytest.raises(ValueError, match="told the language"):
        deployment.create_app(exported)
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "by number from 0: en, fr." in card
    assert 'model.predict(["A text."], languages="en")' in card
    plain = shared_model("HardSharing", "lstm")
    deployment.export_onnx(plain, tmp_path / "plain")
    without = deployment.OnnxModel.load(tmp_path / "plain")
    with pytest.raises(ValueError, match="The model reads no languages"):
        without.predict(TEXTS, languages="en")


def test_rows_are_measured_in_their_languages(tmp_path: Path) -> None:
    model = model_of("lstm")
    deployment.export_onnx(model, tmp_path / "out")
    rows = [
        {"tokens": text.split(), "label": "abc"[place % 3], "language": LANGUAGES[place]}
        for place, text in enumerate(TEXTS)
        if text
    ]
    tasks = {"topic": model.text_tasks["topic"]}
    exported = deployment.OnnxModel.load(tmp_path / "out")
    wanted = model.evaluate({"topic": rows})
    assert deployment.measured(exported, tasks, rows) == pytest.approx(
        {name: wanted[name] for name in ("topic_accuracy", "topic_macro_f1") if name in wanted}
    )


def test_the_command_exports_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_of("transformer")
    model.save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), "--int8", str(tmp_path / "out")]) == 0
    assert "topic: differs from PyTorch by" in capsys.readouterr().out
    exported = deployment.OnnxModel.load(tmp_path / "out")
    assert exported.predict(TEXTS, languages=LANGUAGES) == model.predict(TEXTS, languages=LANGUAGES)
    small = deployment.OnnxModel.load(tmp_path / "out", int8=True)
    assert len(small.predict(TEXTS, languages=LANGUAGES)) == len(TEXTS)


def test_adapters_of_other_languages_than_each_other_are_refused(tmp_path: Path) -> None:
    model = shared_model("SoftSharing", "bilstm")
    for name, languages in (("topic", ["en", "fr"]), ("names", ["fr", "en"])):
        encoders: Any = model.sharing.encoders
        encoders[name] = sharing.LanguageAdapters(encoders[name], languages, 4)
    with pytest.raises(ValueError, match="adapters of other languages than each other"):
        deployment.export_onnx(model, tmp_path / "out")
