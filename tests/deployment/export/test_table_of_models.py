"""The table of chapter 23 says of every model of the book whether it can be exported."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from exported_models import TAGS, TEXTS, byte_pairs, small_model
from shared_models import WAYS, shared_model
from test_exported_pictures import FUSIONS, pictured
from test_exported_tagger import tagger
from test_exported_transformers_that_write import transformer
from test_onnx_writer import framework, translator

from mtl_utils import deployment, models, nn, sharing, tasks
from mtl_utils.commands import main
from mtl_utils.deployment.export.sharing_forms import sharing_form
from mtl_utils.nn.fusion import PictureFusion

pytest.importorskip("onnxruntime")

CHAPTERS = Path(__file__).parents[3] / "chapters"
TITLE = "| model | chapters | exported | how, or why not |"
UNSTORED = "Seq2Seq over a Transformer"
"""It has a function of one's own, which makes its decoder, and no command can load it."""

Rows = dict[str, tuple[str, str]]


def cells(chapter: Path) -> list[str]:
    return ["".join(c["source"]) for c in json.loads(chapter.read_text("utf-8"))["cells"]]


def table() -> Rows:
    """By the name in the table: chapters, and whether it is exported."""
    (cell,) = (c for c in cells(CHAPTERS / "23_deployment.ipynb") if TITLE in c)
    found: Rows = {}
    for line in cell[cell.index(TITLE) :].splitlines()[2:]:
        if not line.startswith("|"):
            break
        kinds, chapters, exported, why = (part.strip() for part in line.strip("|").split("|"))
        assert exported in ("yes", "no")
        assert why
        names = [name.strip().replace("`", "") for name in kinds.split(",")]
        assert not set(names) & set(found)
        found |= dict.fromkeys(names, (chapters, exported))
    return found


TABLE = table()


def public() -> set[str]:
    """Every class of the book that holds parameters or counts and does a model's work."""
    found = {name for name in models.__all__ if hasattr(getattr(models, name), "load")}
    kinds = {name: getattr(sharing, name) for name in sharing.__all__}
    held = {name: kind for name, kind in kinds.items() if isinstance(kind, type)}
    found |= {n for n, k in held.items() if issubclass(k, sharing.Sharing | nn.Encoder)}
    fusions = (name for name in nn.__all__ if isinstance(getattr(nn, name), type))
    found |= {n for n in fusions if issubclass(getattr(nn, n), PictureFusion)}
    return (found | {"LanguageEmbedding"}) - {"Sharing", "PictureFusion"}


def test_every_model_is_in_the_table_and_nothing_else() -> None:
    assert {name.split()[0] for name in TABLE} == public()


def test_chapters_of_the_table_use_what_they_are_named_for() -> None:
    sources = {path.name[:2]: "\n".join(cells(path)) for path in CHAPTERS.glob("*.ipynb")}
    for name, (chapters, _) in TABLE.items():
        kind = name.split()[0]
        named = [c for c in re.findall(r"\d\d", chapters) if re.search(rf"\b{kind}\b", sources[c])]
        assert named or kind == "ThreeTaskModel", name  # which chapter 06 uses by another name


def three_tasks(kind: type[models.ThreeTaskModel]) -> models.TextModel:
    torch.manual_seed(0)
    if kind is models.MultiTaskTransformer:
        sizes = {"vocab_size": 300, "hidden_size": 8, "num_layers": 1, "num_heads": 2}
        return kind.from_texts(TEXTS, ("a", "b"), TAGS, **sizes).eval()
    model = small_model("bert")
    given = {"classes": ("a", "b"), "tags": TAGS, "tokenizer": model.tokenizer}
    if kind is models.PretrainedTextModel:
        return kind(model.sharing.encoder.configuration, **given).eval()
    return kind(model.sharing, **given).eval()


def bare() -> models.MultiTaskModel:
    shared = sharing.HardSharing(nn.LSTMEncoder(9, 4))
    return models.MultiTaskModel(shared, [tasks.Classification("topic", ("a", "b"))])


def counts() -> models.NGramLanguageModel:
    return models.NGramLanguageModel(2).fit([["a", "b"]])


def told_languages() -> models.TextModel:
    tokenizer = byte_pairs()
    embedding = nn.LanguageEmbedding(tokenizer.vocab_size, 8, 2)
    encoder = nn.BiLSTMEncoder(tokenizer.vocab_size, 8, 1, embedding=embedding)
    topic = tasks.Classification("topic", ("a", "b"))
    shared = sharing.HardSharing(encoder)
    names = ("en", "ja")
    return models.TextModel(shared, [topic], tokenizer, language="language", languages=names)


MODELS: dict[str, Callable[[], Any]] = {
    "NGramLanguageModel": counts,
    "LSTMLanguageModel": lambda: models.LSTMLanguageModel(9, 4),
    "Seq2Seq with attention": translator,
    "Tagger": tagger,
    "BiLSTMFramework": framework,
    "TextModel": lambda: small_model("lstm"),
    "MultiTaskModel": bare,
    "LanguageEmbedding": told_languages,
} | {
    kind.__name__: lambda kind=kind: three_tasks(kind)
    for kind in (models.ThreeTaskModel, models.MultiTaskTransformer, models.PretrainedTextModel)
}


@pytest.mark.parametrize("name", MODELS)
def test_the_command_exports_what_the_table_says(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MODELS[name]().save(tmp_path / "model")
    rc = main(["export", str(tmp_path / "model"), str(tmp_path / "out")])
    said = capsys.readouterr()
    if TABLE[name][1] == "yes":
        assert (rc, said.err) == (0, "")
        assert (tmp_path / "out/README.md").is_file()
    else:
        assert rc == 2
        assert "cannot be exported" in said.err
        assert len(said.err.splitlines()) == 1
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("way", WAYS)
def test_ways_of_sharing_are_what_the_table_says(way: str) -> None:
    """Those that have a form are run as graphs in the tests of exported ways of sharing."""
    exported = TABLE[way.split(",")[0]][1] == "yes"
    model = shared_model(way, "lstm")
    if exported:
        assert sharing_form(model.sharing) is not None
    else:
        with pytest.raises(TypeError, match="cannot be exported"):
            sharing_form(model.sharing)


def test_what_no_command_can_load_is_exported_from_python(tmp_path: Path) -> None:
    assert TABLE[UNSTORED][1] == "yes"
    deployment.export_translator(transformer(), tmp_path / "out", ["Rain."])
    assert (tmp_path / "out/README.md").is_file()


@pytest.mark.parametrize("kind", FUSIONS)
def test_the_command_exports_what_reads_pictures(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TABLE[kind][1] == "yes"
    pictured(kind).save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == ""


def test_what_is_left_is_refused() -> None:
    assert TABLE["SharedDecoder"][1] == "no"
    with pytest.raises(TypeError, match="SharedDecoder cannot be exported"):
        sharing_form(framework().sharing)


def test_all_that_is_tried_is_in_the_table() -> None:
    ways = {way.split(",")[0] for way in WAYS}
    assert set(TABLE) == {*MODELS, *ways, *FUSIONS, "SharedDecoder", UNSTORED}
