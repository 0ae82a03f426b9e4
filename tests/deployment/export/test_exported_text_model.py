"""Exported models give what PyTorch gives: other lengths, padding, every task, labels by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from exported_models import SECOND, TAGS, TEXTS, small_model, whole_words

from mtl_utils import deployment, nn, tasks
from mtl_utils.commands import main
from mtl_utils.deployment.export import checking, graph, places, text_model
from mtl_utils.models import TextModel
from mtl_utils.sharing import HardSharing

KINDS = ("bilstm", "lstm", "projected", "transformer", "causal", "bert", "gpt2")


@pytest.fixture(scope="module", params=KINDS)
def exported(request, tmp_path_factory):
    """A model, and the folder that it was exported to."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    model = small_model(request.param)
    deployment.export_onnx(model, folder, int8=True)
    return model, folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The same of a Transformer, for what does not depend on the encoder."""
    folder = tmp_path_factory.mktemp("plain") / "model"
    model = small_model("transformer")
    deployment.export_onnx(
        model, folder, data={"topic": "Atlas"}, scores={"f1": 0.5}, licence="MIT"
    )
    return model, folder


def same(found, expected):
    """Whether predictions are the same labels, and numbers but for rounding."""
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert list(mine) == list(theirs)
        for name, value in theirs.items():
            if isinstance(value, float):
                assert mine[name] == pytest.approx(value, abs=1e-4)
            else:
                assert mine[name] == value, name


def test_graphs_give_the_numbers_of_the_model_at_lengths_they_were_not_traced_with(exported):
    model, folder = exported
    trials = [(1,), (3, 1, 2), (8, 13), (30, 1, 29), (90, 4)]
    found = checking.largest_difference(model, folder / "model.onnx", trials, seed=5)
    assert set(found) == set(model.tasks)
    assert max(found.values()) < 1e-4


def test_labels_are_those_of_the_model(exported):
    model, folder = exported
    loaded = deployment.OnnxModel.load(folder)
    same(loaded.predict(TEXTS), model.predict(TEXTS))
    same(loaded.predict(TEXTS, second=SECOND), model.predict(TEXTS, second=SECOND))
    words = [text.split() for text in TEXTS]
    same(loaded.predict(words, max_tokens=30), model.predict(words))
    labels = {str(row) for row in loaded.predict(TEXTS)}
    assert len(labels) > 2, "a model that says one thing of all would show nothing"


def test_probabilities_are_those_of_the_model(exported):
    model, folder = exported
    loaded = deployment.OnnxModel.load(folder)
    options = {"second": SECOND, "probabilities": True}
    pairs = zip(loaded.predict(TEXTS, **options), model.predict(TEXTS, **options), strict=True)
    for mine, theirs in pairs:
        assert numbers(mine) == pytest.approx(numbers(theirs), abs=1e-4)


def numbers(value):
    """All numbers of a nested prediction, in order."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [value]


def weight_bytes(path):
    """Bytes of all weights of a graph, those of what surrounds them left out."""
    onnx = pytest.importorskip("onnx")
    stored = onnx.load(str(path)).graph.initializer
    return sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in stored)


def test_eight_bits_are_smaller_and_close(exported):
    model, folder = exported
    whole, small = (folder / name for name in ("model.onnx", "model.int8.onnx"))
    used = {node.op_type for node in __import__("onnx").load(str(small)).graph.node}
    recurrent = "DynamicQuantizeLSTM" in used
    assert recurrent or "MatMulInteger" in used
    found = checking.largest_difference(model, small)
    assert 1e-4 < max(found.values()) < 0.6  # nine tiny heads of random weights
    loaded = deployment.OnnxModel.load(folder, int8=True)
    assert [list(row) for row in loaded.predict(TEXTS)] == [list(r) for r in model.predict(TEXTS)]
    assert weight_bytes(small) < 0.5 * weight_bytes(whole)


def test_long_texts_are_read_in_windows_or_refused_as_by_the_model(tmp_path):
    model = small_model("transformer", max_length=24, long="windows")
    deployment.export_onnx(model, tmp_path / "model")
    loaded = deployment.OnnxModel.load(tmp_path / "model")
    long = [" ".join([TEXTS[0]] * 4), TEXTS[1]]
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        expected = model.predict(long)
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        same(loaded.predict(long), expected)
    assert len(expected[0]["names"]) > 24
    model.long = "error"
    deployment.export_onnx(model, tmp_path / "model")
    with pytest.raises(ValueError, match="longer than the 24"):
        deployment.OnnxModel.load(tmp_path / "model").predict(long)


def test_a_calibrated_model_keeps_its_temperature(tmp_path):
    model = small_model("bilstm")
    for name in ("topic", "chained", "names", "moods"):
        model.head(name).temperature = torch.tensor(2.5)
    deployment.export_onnx(model, tmp_path / "model")
    loaded = deployment.OnnxModel.load(tmp_path / "model")
    found = loaded.predict(TEXTS, probabilities=True)
    assert numbers(found) == pytest.approx(
        numbers(model.predict(TEXTS, probabilities=True)), abs=1e-4
    )


def test_one_pass_reads_what_analyse_reads(tmp_path):
    torch.manual_seed(0)
    from mtl_utils.models import MultiTaskTransformer

    model = MultiTaskTransformer.from_texts(
        [*TEXTS, *SECOND], ("a", "b", "c"), TAGS, vocab_size=300, hidden_size=8, num_layers=1,
        num_heads=2, crf=True, pair_pooling="align",
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    deployment.export_onnx(model, tmp_path / "model")
    loaded = deployment.OnnxModel.load(tmp_path / "model")
    words = [text.split() for text in TEXTS]
    found = loaded.predict(words, second=SECOND, one_pass=True)
    expected = model.analyse(words, SECOND)
    assert [tuple(row.values()) for row in found] == [tuple(row) for row in expected]


def test_the_first_pass_of_padding_does_not_decide(plain, tmp_path):
    """What a tracer would get wrong: with branches on data one row would depend on another."""
    _, folder = plain
    session = checking.open_session(folder / "model.onnx")
    ids = np.array([[2, 5, 6, 7, 3]])
    alone = session.run(None, feed(ids, [5]))
    beside = session.run(None, feed(np.pad(np.repeat(ids, 2, 0), ((0, 0), (0, 6))), [5, 11]))
    for short, long in zip(alone, beside, strict=True):
        kept = long[0][:5] if short.ndim == 3 else long[0]
        np.testing.assert_allclose(kept, short[0], atol=1e-5)


def feed(ids, lengths):
    mask = (np.arange(ids.shape[1]) < np.array(lengths)[:, None]).astype(np.int64)
    values = (ids.astype(np.int64), mask, np.zeros_like(mask))
    return dict(zip(graph.INPUTS, values, strict=True))


def test_a_graph_of_another_model_is_refused(plain, tmp_path):
    model, folder = plain
    other = small_model("transformer")
    with torch.no_grad():
        other.head("topic").output.bias += 0.01
    with pytest.raises(RuntimeError, match=r"topic.*Nothing was written"):
        checking.check_graph(other, folder / "model.onnx")
    assert max(checking.check_graph(model, folder / "model.onnx").values()) < 1e-4


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: own_embedding(), "OwnEmbedding"),
        (lambda: small_model("bilstm", [tasks.Tagging("n", ("a", "b")), Own("own")]), "OwnHead"),
        (lambda: writes(), "LanguageModeling"),
    ],
    ids=["embedding", "own", "language model"],
)
def test_what_cannot_be_exported_is_named(make, named, tmp_path):
    with pytest.raises(TypeError, match=rf"{named}.*cannot be exported"):
        deployment.export_onnx(make(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


class OwnEmbedding(torch.nn.Embedding):
    """It may do anything."""


def own_embedding():
    size = whole_words().vocab_size
    encoder = nn.BiLSTMEncoder(size, 8, embedding=OwnEmbedding(size, 8))
    kinds = [tasks.Classification("topic", ("a", "b"))]
    return TextModel(HardSharing(encoder), kinds, whole_words())


def writes():
    encoder = nn.LSTMEncoder(whole_words().vocab_size, 8)
    task = tasks.LanguageModeling("next", whole_words().vocab_size)
    return TextModel(HardSharing(encoder), [task], whole_words())


class OwnHead(tasks.ClassificationHead):
    """It may do anything."""


class Own(tasks.Classification):
    def __init__(self, name):
        super().__init__(name, ("a", "b"))

    def head(self, width):
        return OwnHead(self, width)


def test_a_folder_says_what_it_holds(plain):
    _, folder = plain
    content = json.loads((folder / "export.json").read_text("utf-8"))
    card = (folder / "README.md").read_text("utf-8")
    assert content["data"] == {"topic": "Atlas"}
    assert content["versions"]["torch"] == torch.__version__
    for name, digest in content["sha256"].items():
        assert digest in card
        assert text_model.sha256(folder / name) == digest
    assert "| f1 | 0.5 |" in card
    assert "weights: MIT" in card
    assert content["tasks"]["chained"]["search"]["transitions"][0][2] is None  # O, then I-PER


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_a_model_in_half_precision_is_refused_and_can_be_exported_as_it_says(precision, tmp_path):
    model = small_model("bilstm").to(precision)
    kind = str(precision).removeprefix("torch.")
    with pytest.raises(ValueError, match=rf"weights in half precision \(.* is {kind}\).*float\(\)"):
        deployment.export_onnx(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    assert max(deployment.export_onnx(model.float(), tmp_path / "model").values()) < 1e-4


@pytest.mark.parametrize("value", [None, [1], "ab"])
@pytest.mark.parametrize("name", ["sha256", "tasks", "tokenizer"])
def test_a_description_that_lacks_something_is_refused(plain, tmp_path, name, value):
    _, folder = plain
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    content = json.loads((copy / "export.json").read_text("utf-8"))
    content = {key: part for key, part in content.items() if key not in (name, "digest")}
    (copy / "export.json").write_text(
        json.dumps(content | ({name: value} if value else {})), "utf-8"
    )
    with pytest.raises(ValueError, match=rf"export\.json is damaged: '{name}' must be .*again"):
        deployment.OnnxModel.load(copy)


def test_damage_is_found_and_strange_folders_stay(plain, tmp_path):
    model, folder = plain
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    data = bytearray((copy / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "model.onnx").write_bytes(data)
    with pytest.raises(ValueError, match=r"model\.onnx is damaged"):
        deployment.OnnxModel.load(copy)
    with pytest.raises(FileNotFoundError, match="int8=True"):
        deployment.OnnxModel.load(folder, int8=True)
    with pytest.raises(FileNotFoundError, match="no exported model"):
        deployment.OnnxModel.load(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear reader")
    with pytest.raises(FileExistsError, match="something else"):
        deployment.export_onnx(model, tmp_path / "mine")
    deployment.export_onnx(model, copy)  # an export is replaced
    assert deployment.OnnxModel.load(copy).predict(["Rain."])


@pytest.mark.parametrize("name", ["mask", "input_ids", "0", "/encoder/Add_output_0"])
def test_a_task_whose_name_the_graph_needs_is_refused_by_name(name, tmp_path):
    model = small_model("transformer", [tasks.Classification(name, ("a", "b"))])
    with pytest.raises(ValueError, match=rf"{name}.*another name"):
        deployment.export_onnx(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_and_links_survive_a_second_export(tmp_path):
    model = small_model("transformer", [tasks.Classification("topic", ("a", "b"))])
    place, link = tmp_path / "place", tmp_path / "link"
    link.symlink_to(place)
    for _ in range(2):  # first to where nothing is, then over an export
        deployment.export_onnx(model, link)
        assert link.is_symlink()
        assert (place / "model.onnx").is_file()
    (place / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        deployment.export_onnx(model, place)
    assert (place / "notes.txt").read_text() == "mine"
    assert deployment.OnnxModel.load(place).predict(["Rain."])
    assert {path.name for path in tmp_path.iterdir()} == {"place", "link"}


def test_a_folder_that_cannot_be_replaced_comes_back(tmp_path, monkeypatch):
    model = small_model("transformer", [tasks.Classification("topic", ("a", "b"))])
    deployment.export_onnx(model, tmp_path / "model")
    really, moves = places.os.replace, []

    def failing(source, target):
        moves.append(target)
        if len(moves) == 2:
            raise OSError("no room")
        really(source, target)

    monkeypatch.setattr(places, "os", SimpleNamespace(replace=failing, PathLike=os.PathLike))
    with pytest.raises(OSError, match="no room"):
        deployment.export_onnx(model, tmp_path / "model")
    assert deployment.OnnxModel.load(tmp_path / "model").predict(["Rain."])


def test_scores_are_those_of_the_model(plain):
    model, folder = plain
    rows = [
        {"text": text, "label": "abc"[i % 3], "tokens": text.split(), "tags": None}
        for i, text in enumerate(TEXTS)
    ]
    topic = {"topic": model.text_tasks["topic"]}
    found = deployment.measured(deployment.OnnxModel.load(folder), topic, rows)
    expected = model.evaluate({"topic": rows})
    assert found == pytest.approx(expected)
    with pytest.raises(KeyError, match="No task named 'other'"):
        deployment.measured(deployment.OnnxModel.load(folder), {"other": None}, rows)


def test_the_command_exports_and_refuses_in_one_line(plain, tmp_path, capsys):
    model, _ = plain
    model.save(tmp_path / "model")
    words = ["export", str(tmp_path / "model"), "--to", "onnx", "--int8", str(tmp_path / "out")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "topic: differs from PyTorch by" in said
    assert "model.int8.onnx" in said
    same(deployment.OnnxModel.load(tmp_path / "out").predict(TEXTS), model.predict(TEXTS))
    writes().save(tmp_path / "language")
    assert main(["export", str(tmp_path / "language"), str(tmp_path / "never")]) == 2
    assert "LanguageModelingHead, cannot be exported" in capsys.readouterr().err
    assert not (tmp_path / "never").exists()


def test_without_the_packages_the_error_says_what_to_install(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['onnxruntime'] = None\n"
        "from mtl_utils.deployment.optional import needed\n"
        "try:\n    needed('onnxruntime.quantization')\n"
        "except ImportError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install onnx onnxruntime" in said.stdout


def test_the_rooms_are_imported_without_them():
    """In a fresh process, every module but the app, which the server asks for when it starts."""
    code = (
        "import importlib, pkgutil, sys\n"
        "from mtl_utils import commands, deployment\n"
        "for room in (deployment, commands):\n"
        "    for found in pkgutil.walk_packages(room.__path__, f'{room.__name__}.'):\n"
        "        if not found.name.endswith(('.__main__', '.server.app')):\n"
        "            importlib.import_module(found.name)\n"
        "needed = ('onnx', 'onnxruntime', 'fastapi', 'uvicorn')\n"
        "print([name for name in needed if name in sys.modules])\n"
        "print(sum(name.startswith('mtl_utils.deployment.') for name in sys.modules) > 30)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.splitlines() == ["[]", "True"]
