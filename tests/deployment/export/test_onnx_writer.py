"""Models that write, exported as two graphs: what they write is what the model writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_utils import atlas
from mtl_utils.data import BytePairTokenizer, collate, split_words
from mtl_utils.deployment.export.onnx_writer import OnnxWriter
from mtl_utils.deployment.export.writing_model import export_writer, of_framework, of_translator
from mtl_utils.deployment.live.framework_model import train_framework_model, typed_rows
from mtl_utils.deployment.live.translator_model import TranslatorSizes, train_translator_model
from mtl_utils.deployment.live.writer_page import read_translations, scored, write_live_writer
from mtl_utils.models import BiLSTMFramework, Seq2Seq

pytest.importorskip("onnxruntime")

SENTENCES = Path(__file__).parents[3] / "book/_static/live/translator/sentences.txt"
TEXTS = ["An earthquake shook Peru.", "Rain.", "Ada Lovelace, of Oslo,  won 3-2.", "東京 ☔ zx"]
TINY = TranslatorSizes(sentences=20, epochs=1, vocab_size=300, width=8)


def translator(**given) -> Seq2Seq:
    torch.manual_seed(0)
    tokenizer = BytePairTokenizer.train(TEXTS * 2, 290)
    return Seq2Seq(tokenizer, tokenizer, 16, max_length=25, language="fr", **given).eval()


def framework() -> BiLSTMFramework:
    torch.manual_seed(0)
    tokenizer = BytePairTokenizer.train(TEXTS * 2, 290)
    tasks = ("tags", "translation")
    return BiLSTMFramework(tokenizer, atlas.NER_TAGS, 16, max_length=25, tasks=tasks).eval()


def words_of(text: str) -> list[str]:
    return [word.text for word in split_words(text)]


def test_a_translator_writes_and_looks_as_the_model_does(tmp_path) -> None:
    model = translator(num_layers=2)
    export_writer(of_translator(model), tmp_path, TEXTS)
    exported = OnnxWriter.load(tmp_path)
    for text in TEXTS:
        joined = " ".join(text.split())
        (found,) = model.search(collate([model.example(joined)]))
        written = exported.write(text)
        assert (tuple(written.ids), written.finished) == (found.ids, found.finished)
        looked = model.align(joined, found.ids).weights.numpy()
        np.testing.assert_allclose(written.weights, looked[: len(written.weights)], atol=1e-5)
    assert exported.translate(TEXTS[:1]) == model.translate(TEXTS[:1])


def test_one_that_tags_too_says_both_from_one_reading(tmp_path) -> None:
    model = framework()
    export_writer(of_framework(model), tmp_path, TEXTS)
    exported = OnnxWriter.load(tmp_path)
    sentences = [words_of(text) for text in TEXTS]
    assert exported.translate(TEXTS) == model.translate(sentences)
    assert [exported.write(text).outputs["tags"] for text in TEXTS] == model.tag(sentences)


def test_eight_bits_are_smaller_and_near(tmp_path) -> None:
    model = translator()
    export_writer(of_translator(model), tmp_path, TEXTS)
    plain, small = (OnnxWriter.load(tmp_path, int8=int8) for int8 in (False, True))
    state = [one.read(one.encode(TEXTS[0])[0]) for one in (plain, small)]
    logits = [
        one.step(one.content["bos"], given)[0]
        for one, given in zip((plain, small), state, strict=True)
    ]
    assert 0 < np.abs(logits[0] - logits[1]).max() < 0.2
    sizes = [(tmp_path / f"writer{end}.onnx").stat().st_size for end in ("", ".int8")]
    assert sizes[1] < sizes[0]


def test_another_file_is_refused(tmp_path) -> None:
    export_writer(of_translator(translator()), tmp_path, TEXTS[:1])
    (tmp_path / "target.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match=r"target\.json is damaged"):
        OnnxWriter.load(tmp_path)


def test_a_decoder_that_does_not_attend_is_named() -> None:
    with pytest.raises(TypeError, match="AttentionDecoder with UniformAttention cannot"):
        of_translator(translator(attention=False))


def test_graphs_that_give_something_else_are_refused(tmp_path) -> None:
    changed = of_translator(translator())
    with torch.no_grad():
        changed.form.decoder.output.bias[5] += 0.1
    with pytest.raises(RuntimeError, match=r"differ by 0\.1, more than"):
        export_writer(changed, tmp_path, TEXTS)


def test_the_hand_written_sentences_are_none_of_the_corpus() -> None:
    rows = read_translations(SENTENCES)
    assert len({row["text"] for row in rows}) == 100
    known = {
        text for split in atlas.load(TranslatorSizes().sentences).values() for text in split["text"]
    }
    assert not known & {row["text"] for row in rows}
    tags = {tag for row in rows for tag in row["tags"]}
    assert {f"B-{kind}" for kind in atlas.ENTITY_TYPES} < tags < {*atlas.NER_TAGS}
    assert all(row["translation"][-1] == row["text"][-1] == "." for row in rows)


def test_a_line_without_two_columns_is_named(tmp_path) -> None:
    (tmp_path / "s.txt").write_text("a | b\na\n", "utf-8")
    with pytest.raises(ValueError, match=r"s\.txt, line 2: expected two columns, got 'a'"):
        read_translations(tmp_path / "s.txt")


def test_a_folder_says_what_its_model_scores(tmp_path) -> None:
    model = framework()
    first = SENTENCES.read_text("utf-8").splitlines()[:3]
    (tmp_path / "given").mkdir()
    (tmp_path / "made").mkdir()
    (tmp_path / "given/sentences.txt").write_text("\n".join(first), "utf-8")
    page = {"data": {"tags": "Atlas"}, "licence": "MIT", "title": "Box"}
    tasks = {"tags": model.tagging, "translation": model.translation}
    place = tmp_path / "made"
    measured = write_live_writer(
        of_framework(model), tasks, place, tmp_path / "given/sentences.txt", ["b", "a", "b"], page
    )
    rows = read_translations(SENTENCES)[:3]
    wanted = model.translation.metrics(
        model.translate([row["words"] for row in rows]), [row["translation"] for row in rows]
    )
    assert measured["translation_bleu"] == pytest.approx(wanted["bleu"])
    assert measured["translation_chrf copy"] > measured["translation_chrf"]  # of random weights
    facts = json.loads((place / "live.json").read_text("utf-8"))
    assert facts["scores"] == measured
    assert facts["sentences_file"] == "../given/sentences.txt"
    assert facts["scored"] == scored(measured, "translation")
    assert (place / "words.txt").read_text("utf-8") == "a\nb\n"
    assert all((place / name).is_file() for name in facts["loads"])
    assert not (place / "reader.onnx").exists()
    assert "| translation_bleu int8 |" in (place / "README.md").read_text("utf-8")


def test_the_models_of_the_pages_are_trained_as_they_say() -> None:
    found = train_translator_model(TINY, progress=False)
    again = train_translator_model(TINY, progress=False)
    assert not found.training
    for ours, theirs in zip(found.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    model = train_framework_model(TINY, progress=False)
    assert [*model.tasks] == ["tags", "translation"]
    with pytest.raises(ValueError, match="width must be even"):
        TranslatorSizes(width=5)


def test_rows_are_split_as_a_reader_types_them() -> None:
    rows = typed_rows(atlas.load(20)["train"])
    for row, given in zip(rows, atlas.load(20)["train"], strict=True):
        assert row["words"] == words_of(given["text"])
        assert len(row["tags"]) == len(row["words"])
        assert row["translation"] == given["translation"]["fr"]
