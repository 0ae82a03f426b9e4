"""Translators over a Transformer, exported: token by token what the model writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_onnx_writer import TEXTS

from mtl_utils import deployment, nn
from mtl_utils.data import BytePairTokenizer, collate
from mtl_utils.deployment.export.transformer_writer import TransformerWriterForm
from mtl_utils.models import Seq2Seq

pytest.importorskip("onnxruntime")

POST_NORM: dict[str, Any] = {"norm_first": False, "norm_embeddings": True}
POST_NORM |= {"positions": "learned", "activation": "gelu"}


def transformer(num_layers: int = 2, read: int = 64, written: int = 64, **options: Any) -> Seq2Seq:
    """Weights are large enough to tell texts apart, and encoder and decoder of other widths."""
    torch.manual_seed(0)
    tokenizer = BytePairTokenizer.train(TEXTS * 2, 290)
    size = tokenizer.vocab_size
    encoder = nn.TransformerEncoder(size, 16, num_layers, 2, max_length=read, **options)

    def decoder(size: int, memory: int) -> nn.TransformerDecoder:
        sizes = {"memory_width": memory, "max_length": written}
        return nn.TransformerDecoder(size, 12, num_layers, 3, **sizes, **options)

    model = Seq2Seq(tokenizer, tokenizer, encoder=encoder, decoder=decoder, max_length=25)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(0.2 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize(("num_layers", "options"), [(1, {}), (2, POST_NORM)])
def test_it_writes_and_looks_as_the_model_does(
    num_layers: int, options: dict[str, Any], tmp_path: Path
) -> None:
    model = transformer(num_layers, **options)
    assert 0 <= deployment.export_translator(model, tmp_path / "out", int8=True) < 1e-4
    exported = deployment.OnnxWriter.load(tmp_path / "out")
    texts = [" ".join(text.split()) for text in (*TEXTS, "", "Rain in Oslo. " * 4)]
    assert exported.translate(texts) == model.translate(texts)  # in batches, with padding
    for text in texts:
        (found,) = model.search(collate([model.example(text)]))
        written = exported.write(text)
        assert (tuple(written.ids), written.finished) == (found.ids, found.finished)
        looked = model.align(text, found.ids).weights.numpy()
        np.testing.assert_allclose(written.weights, looked[: len(written.weights)], atol=1e-5)
    small = deployment.OnnxWriter.load(tmp_path / "out", int8=True)
    assert all(isinstance(text, str) for text in small.translate(texts))


def test_scores_of_given_tokens_are_those_of_the_model(tmp_path: Path) -> None:
    model = transformer()
    deployment.export_translator(model, tmp_path / "out", ["Rain."])
    exported, text = deployment.OnnxWriter.load(tmp_path / "out"), "Rain in Oslo. " * 3
    written = torch.randint(4, model.target.vocab_size, (63,)).tolist()
    joined = " ".join(text.split())
    wanted = model.align(joined, written).log_probabilities.numpy()
    state, scores = exported.read(exported.encode(text)[0]), []
    for token, following in zip(
        [model.target.bos_id, *written], [*written, model.target.eos_id], strict=True
    ):
        logits, state = exported.step(token, state)
        scores.append(logits[following] - np.logaddexp.reduce(logits))
    np.testing.assert_allclose(scores, wanted, atol=1e-4)


def test_what_it_has_no_positions_for_is_refused(tmp_path: Path) -> None:
    model = transformer(read=8)
    deployment.export_translator(model, tmp_path / "out")  # on sentences that it can read
    exported = deployment.OnnxWriter.load(tmp_path / "out")
    assert exported.translate(["Rain."]) == model.translate(["Rain."])
    with pytest.raises(ValueError, match="longer than the 8 positions of this model"):
        exported.write(TEXTS[2])
    with pytest.raises(ValueError, match="longer than the 8 positions"):
        deployment.export_translator(model, tmp_path / "out", TEXTS)
    assert deployment.OnnxWriter.load(tmp_path / "out").translate(["Rain."])  # is still there
    with pytest.raises(ValueError, match=r"max_length=25 tokens cannot .* with 24 positions"):
        deployment.export_translator(transformer(written=24), tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_decoder_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    class Own(nn.TransformerDecoder):
        """A class of one's own may do anything."""

    model = transformer()
    with pytest.raises(TypeError, match="of the kind Own cannot be exported; expected"):
        TransformerWriterForm("translation", Own(9, 4, 1, 2))
    decoder: Any = model.head("translation").decoder
    decoder.layers[1].attention.query = torch.nn.Sequential(
        decoder.layers[1].attention.query, torch.nn.Tanh()
    )  # a part that is called is exported as it is
    deployment.export_translator(model, tmp_path / "out", TEXTS)
    decoder.layers[1].self_attention.dropout.p = 0.5  # of no effect outside of training
    decoder.layers[1].self_attention.read = lambda memory: nn.KeyValues(
        *decoder.layers[1].attention.read(torch.zeros(*memory.shape[:2], 16))
    )
    with pytest.raises(RuntimeError, match="do not give what the model gives"):
        deployment.export_translator(model, tmp_path / "out", TEXTS)


def test_half_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="weights in half precision"):
        deployment.export_translator(transformer().half(), tmp_path / "out")
