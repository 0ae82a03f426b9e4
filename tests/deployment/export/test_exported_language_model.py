"""Language models, exported: one graph that is given its state, and what is drawn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_utils import deployment, training
from mtl_utils.commands import main
from mtl_utils.data import Vocabulary
from mtl_utils.deployment.export import language_model
from mtl_utils.models import LSTMLanguageModel

pytest.importorskip("onnxruntime")

SENTENCES = [["rain", "fell", "in", "oslo"], ["rain"], [], ["no", "rain", "fell", "in", "rome"]]
KNOWN = Vocabulary.from_tokens(word for words in SENTENCES[:3] for word in words)
WAYS: list[dict[str, Any]] = [{}, {"num_layers": 2, "tie_weights": False, "padding_id": 0}]


def language(**given: Any) -> LSTMLanguageModel:
    torch.manual_seed(0)
    model = LSTMLanguageModel(len(KNOWN), 8, **{"vocabulary": KNOWN} | given)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(0.3 * torch.randn_like(parameter))
    return model  # in training mode, as it is after training: dropout is none of the graph's


def ids(*shape: int) -> torch.Tensor:
    return torch.randint(len(KNOWN), shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("given", WAYS)
def test_scores_state_perplexity_and_continuations_are_those_of_the_model(
    given: dict[str, Any], tmp_path: Path
) -> None:
    model = language(**given)
    assert 0 <= deployment.export_language_model(model, tmp_path / "out") < 1e-4
    assert model.training
    exported = deployment.OnnxLanguageModel.load(tmp_path / "out")
    model.eval()
    read = ids(4, 31)
    expected, last = model(read)
    first, state = exported.score(read[:, :11])
    second, state = exported.score(read[:, 11:], state)
    close: dict[str, Any] = {"rtol": 0, "atol": 1e-4}
    torch.testing.assert_close(torch.cat([first, second], dim=1), expected, **close)
    torch.testing.assert_close(torch.stack(state), torch.stack(last), **close)
    loss = training.sentence_loss(model, SENTENCES, KNOWN)
    assert exported.perplexity(SENTENCES) == pytest.approx(training.perplexity(loss), abs=1e-4)
    options: dict[str, Any] = {"stop_id": KNOWN.eos_id, "forbidden_ids": [KNOWN.pad_id]}
    greedy = {"temperature": 0.0} | options
    assert torch.equal(exported.sample(read, 12, **greedy), model.sample(read, 12, **greedy))
    drawn = [
        one.sample(read, 12, top_p=0.9, **options, generator=torch.Generator().manual_seed(5))
        for one in (exported, model)
    ]
    assert torch.equal(*drawn)


def test_a_padded_text_has_the_scores_that_it_has_alone(tmp_path: Path) -> None:
    deployment.export_language_model(language(), tmp_path / "out")
    exported, read = deployment.OnnxLanguageModel.load(tmp_path / "out"), ids(2, 9)
    padded = read.clone()
    padded[1, 4:] = KNOWN.pad_id
    torch.testing.assert_close(exported.score(padded)[0][1, :4], exported.score(read[1:, :4])[0][0])


def test_the_folder_says_what_it_holds(tmp_path: Path) -> None:
    notes: dict[str, Any] = {"scores": {"test: perplexity": 9.5}, "data": {"text": "Atlas"}}
    deployment.export_language_model(
        language(), tmp_path / "out", int8=True, licence="MIT", **notes
    )
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "language_model.json", "model.onnx", "model.int8.onnx"}
    card = (tmp_path / "out/README.md").read_text("utf-8")
    for line in (
        "text: Atlas",
        "| test: perplexity | 9.5 |",
        "weights: MIT",
        "| model.int8.onnx |",
    ):
        assert line in card
    assert 'model.perplexity([["A", "sentence", "."]])' in card
    small = deployment.OnnxLanguageModel.load(tmp_path / "out", int8=True)
    assert small.vocabulary == KNOWN
    assert small.score(ids(2, 3))[0].shape == (2, 3, len(KNOWN))
    deployment.export_language_model(language(vocabulary=None), tmp_path / "out")
    assert not (tmp_path / "out/model.int8.onnx").exists()
    assert "reads ids alone" in (tmp_path / "out/README.md").read_text("utf-8")
    with pytest.raises(FileNotFoundError, match="export with int8=True"):
        deployment.OnnxLanguageModel.load(tmp_path / "out", int8=True)
    exported = deployment.OnnxLanguageModel.load(tmp_path / "out")
    assert exported.sample(ids(1, 2), 3, temperature=0.0).shape == (1, 5)
    with pytest.raises(ValueError, match="without a vocabulary and reads ids alone: use score"):
        exported.perplexity(SENTENCES)
    (tmp_path / "out/model.onnx").write_bytes(b"another")
    with pytest.raises(ValueError, match=r"model\.onnx is damaged"):
        deployment.OnnxLanguageModel.load(tmp_path / "out")


def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment.export_language_model(language(), tmp_path / "out")
    exported = deployment.OnnxLanguageModel.load(tmp_path / "out")
    _, state = exported.score(ids(2, 3))
    with pytest.raises(ValueError, match=r"state must be two tensors \[1, 3, 8\].* \[1, 2, 8\]"):
        exported.score(ids(3, 3), state)
    with pytest.raises(ValueError, match="no token to read; begin a text with"):
        exported.score(ids(2, 0))
    with pytest.raises(ValueError, match="Token id 99 is outside the vocabulary"):
        exported.score(torch.tensor([[99]]))
    with pytest.raises(ValueError, match="no sentence to measure"):
        exported.perplexity([])
    with pytest.raises(ValueError, match="weights in half precision"):
        deployment.export_language_model(language().half(), tmp_path / "never")
    other = language()
    with torch.no_grad():
        other.output.bias[3] += 0.1
    write = language_model._write_graph
    monkeypatch.setattr(language_model, "_write_graph", lambda model, path: write(other, path))
    with pytest.raises(RuntimeError, match=r"differ by 0\.\d+, more than"):
        deployment.export_language_model(language(), tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_the_command_exports_what_was_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    language().save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), "--int8", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "language model: differs from PyTorch by" in said
    assert "model.int8.onnx" in said
    assert deployment.OnnxLanguageModel.load(tmp_path / "out").vocabulary == KNOWN
