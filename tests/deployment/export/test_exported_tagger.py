"""A tagger as a graph: words in lower case, characters as they are, the best sequence of tags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from exported_models import TAGS, TEXTS

from mtl_utils import deployment, models, nn
from mtl_utils.commands import main
from mtl_utils.deployment.export import checking, onnx_model, text_model

pytest.importorskip("onnxruntime")

SENTENCES = [text.split() for text in TEXTS] + [["x" * 50 + "Y" * 9, "PARIS", "1984", ""]]


def tagger(**given: object) -> models.Tagger:
    torch.manual_seed(3)
    settings = {"width": 12, "character_width": 5, "num_layers": 2} | given
    made = models.Tagger.from_sentences(SENTENCES[:3], TAGS, **settings)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1.5).add_(0.4 * torch.randn_like(parameter))
        for part in made.modules():
            if isinstance(part, nn.CharacterCNN):  # what stands after a word stays nothing
                part.embedding.weight[0] = 0.0
    return made.eval()


@pytest.mark.parametrize(
    "given",
    [{}, {"crf": False}, {"character_width": 0, "constrained": False, "crf": False}],
    ids=["crf", "constrained", "words alone"],
)
def test_tags_are_those_of_the_tagger(given: dict[str, object], tmp_path: Path) -> None:
    model = tagger(**given)
    found = deployment.export_onnx(model, tmp_path / "model")
    assert 0 <= found["tags"] < 1e-4
    loaded = deployment.OnnxModel.load(tmp_path / "model")
    expected = model.tag(SENTENCES)
    assert [row["tags"] for row in loaded.predict(SENTENCES)] == expected
    assert [row["tags"] for row in loaded.predict(SENTENCES, max_tokens=9)] == expected
    assert len({tag for row in expected for tag in row}) > 2
    trials = [(1,), (3, 1, 2), (30, 1, 29)]
    found = checking.largest_difference(model, tmp_path / "model/model.onnx", trials, seed=5)
    assert found["tags"] < 1e-4


def test_characters_are_read_and_padding_is_not(tmp_path: Path) -> None:
    """Case is seen by characters alone, however long the longest word of a batch is."""
    model = tagger()
    deployment.export_onnx(model, tmp_path / "model")
    session = checking.open_session(tmp_path / "model/model.onnx")
    loaded = deployment.OnnxModel.load(tmp_path / "model")
    names = [given.name for given in session.get_inputs()]
    assert "character_ids" in names

    def emissions(words: list[str], beside: list[str]) -> np.ndarray:
        rows = [loaded.spelling.read(loaded.tokenizer, given) for given in (words, beside)]
        texts = [onnx_model.Ids(tuple(ids), (0,) * len(ids), spelt) for ids, spelt in rows]
        feeds = onnx_model._feeds(texts, 0)
        return session.run(None, {name: feeds[name] for name in names})[0][0, : len(words)]

    short = emissions(["Ada", "met"], ["a"])
    np.testing.assert_allclose(emissions(["Ada", "met"], ["x" * 30] * 5), short, atol=1e-5)
    assert np.abs(emissions(["ada", "met"], ["a"]) - short).max() > 0.01


def test_the_folder_says_how_words_are_read_and_the_command_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tagger()
    model.save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), "--int8", str(tmp_path / "out")]) == 0
    assert "tags: differs from PyTorch by" in capsys.readouterr().out
    content = json.loads((tmp_path / "out/export.json").read_text("utf-8"))
    spelling = content["spelling"]
    assert set(spelling) == {"looked_up", "longest_word", "characters"}
    assert spelling["characters"] == list(model.characters)[4:]
    small = deployment.OnnxModel.load(tmp_path / "out", int8=True)
    assert len(small.predict(["Ada met Bo."])[0]["tags"]) == 4  # a string is split into words
    del content["digest"]
    content["spelling"] = {"characters": 3}
    text_model.write_json(tmp_path / "out/export.json", content)
    with pytest.raises(ValueError, match="characters that a model knows"):
        deployment.OnnxModel.load(tmp_path / "out")


@pytest.mark.parametrize("wrong", [[3], [[3]], [None]])
def test_what_is_no_sentence_is_refused(wrong: object, tmp_path: Path) -> None:
    deployment.export_onnx(tagger(), tmp_path / "model")
    with pytest.raises(TypeError):
        deployment.OnnxModel.load(tmp_path / "model").predict(wrong)
