"""Models that translate, exported: checked, with a card, from Python and by command."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_onnx_writer import TEXTS, framework, translator

from mtl_utils import atlas, deployment, nn
from mtl_utils.commands import main
from mtl_utils.models import BiLSTMFramework, NGramLanguageModel
from mtl_utils.sharing import LanguageAdapters

pytest.importorskip("onnxruntime")


def test_what_is_exported_translates_as_the_model_does(tmp_path: Path) -> None:
    model = translator()
    scores, data = {"bleu": 0.5}, {"translation": "Atlas"}
    kept = {"scores": scores, "data": data, "licence": "MIT"}
    apart = deployment.export_translator(model, tmp_path / "out", TEXTS, **kept)
    assert 0 <= apart < 1e-4
    assert deployment.OnnxWriter.load(tmp_path / "out").translate(TEXTS) == model.translate(TEXTS)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("README.md", "reader.onnx", "writer.onnx"),
        *("target.json", "tokenizer.json", "writer.json"),
    }
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert all(f"| {name} |" in card for name in names - {"README.md", "writer.json"})
    assert "int8" not in card
    assert "| bleu | 0.5 |" in card
    assert "weights: MIT" in card
    with pytest.raises(FileNotFoundError, match="export with int8=True"):
        deployment.OnnxWriter.load(tmp_path / "out", int8=True)


def test_a_framework_keeps_its_tags_and_leaves_out_its_language_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = framework().tokenizer
    model = BiLSTMFramework(tokenizer, atlas.NER_TAGS, 16, max_length=25).eval()
    deployment.export_translator(model, tmp_path / "all")
    exported = deployment.OnnxWriter.load(tmp_path / "all")
    words = [["Ada", "left", "Oslo", "."], ["Rain", "."]]
    assert exported.translate([" ".join(row) for row in words]) == model.translate(words)
    tags = [exported.write(" ".join(row)).outputs["tags"] for row in words]
    assert tags == model.tag(words)
    alone = BiLSTMFramework(tokenizer, atlas.NER_TAGS, 16, max_length=25, tasks=["translation"])
    deployment.export_translator(alone.eval(), tmp_path / "alone")
    exported = deployment.OnnxWriter.load(tmp_path / "alone")
    assert exported.translate([" ".join(row) for row in words]) == alone.translate(words)
    tagging = BiLSTMFramework(tokenizer, atlas.NER_TAGS, 16, tasks=["tags"])
    with pytest.raises(ValueError, match=r"has the tasks \['tags'\] alone"):
        deployment.export_translator(tagging, tmp_path / "never")


def test_the_command_exports_what_translates_and_names_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = translator()
    model.save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), "--int8", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "translation: differs from PyTorch by" in said
    assert "writer.int8.onnx" in said
    assert deployment.OnnxWriter.load(tmp_path / "out").translate(TEXTS) == model.translate(TEXTS)
    assert deployment.OnnxWriter.load(tmp_path / "out", int8=True).translate(TEXTS[:1])
    NGramLanguageModel(2).fit([["a", "b"]]).save(tmp_path / "counts")
    assert main(["export", str(tmp_path / "counts"), str(tmp_path / "never")]) == 2
    assert "holds a NGramLanguageModel, which cannot be exported" in capsys.readouterr().err
    assert not (tmp_path / "never").exists()


def test_one_that_reads_more_than_a_sentence_is_named(tmp_path: Path) -> None:
    size = translator().source.vocab_size
    text, pictures = nn.TransformerEncoder(size, 16, 1, 2), nn.ConvolutionalPictures(16, 2)
    for encoder in (LanguageAdapters(text, ["en", "fr"], 4), nn.LateFusion(text, pictures)):
        with pytest.raises(TypeError, match=f"over {type(encoder).__name__} cannot be exported"):
            deployment.export_translator(translator(encoder=encoder), tmp_path / "out")


def test_what_is_no_translator_is_named_by_its_class_alone(tmp_path: Path) -> None:
    with pytest.raises(TypeError) as refused:
        deployment.export_onnx(translator(), tmp_path / "out")
    assert "got Seq2Seq" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    with pytest.raises(TypeError, match="a BiLSTMFramework, got Linear"):
        deployment.export_translator(torch.nn.Linear(2, 2), tmp_path / "out")
