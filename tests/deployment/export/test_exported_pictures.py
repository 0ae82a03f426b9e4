"""Encoders of text and pictures as a graph that reads both, whoever has a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported_models import TAGS, TEXTS, byte_pairs, encoder_of

from mtl_utils import deployment, nn
from mtl_utils.commands import main
from mtl_utils.deployment.export import checking
from mtl_utils.models import TextModel
from mtl_utils.nn.rebuilding import Rebuildable
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging

pytest.importorskip("onnxruntime")

FUSIONS = ["EarlyFusion", "LateFusion", "CrossAttentionFusion"]
DRAW = np.random.default_rng(0)
PICTURES = [DRAW.integers(0, 256, (12, 20, 3), np.uint8) for _ in TEXTS]
SOME: list[Any] = [PICTURES[0], None, PICTURES[2], None, PICTURES[4]]


def pictured(
    kind: str, text: str = "transformer", reads: nn.PictureEncoder | None = None, **options: Any
) -> TextModel:
    torch.manual_seed(3)
    tokenizer = byte_pairs()
    encoder = encoder_of(text, tokenizer.vocab_size)
    sizes = {"num_heads": 2} if kind == "CrossAttentionFusion" else {}
    fused = getattr(nn, kind)(encoder, reads or nn.ConvolutionalPictures(12, 2), **sizes)
    kinds: list[Any] = [Classification("topic", ("a", "b", "c"), "mean"), Tagging("names", TAGS)]
    model = TextModel(HardSharing(fused), kinds, tokenizer, picture="picture", **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def same(found: Any, expected: Any) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert mine["topic"] == pytest.approx(theirs["topic"], abs=1e-4)
        for one, other in zip(mine["names"], theirs["names"], strict=True):
            assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "text"),
    [(kind, "transformer") for kind in FUSIONS]
    + [("LateFusion", "bilstm"), ("CrossAttentionFusion", "bert"), ("EarlyFusion", "causal")],
)
def test_a_graph_reads_texts_and_pictures_as_the_model_does(
    kind: str, text: str, tmp_path: Path
) -> None:
    model = pictured(kind, text)
    found = deployment.export_onnx(model, tmp_path / "out")
    assert max(found.values()) < 1e-4
    trials = [(1,), (3, 1, 2), (8, 13), (30, 1, 29), (75, 4)]
    found = checking.largest_difference(model, tmp_path / "out/model.onnx", trials, seed=5)
    assert max(found.values()) < 1e-4
    exported = deployment.OnnxModel.load(tmp_path / "out")
    said: dict[str, Any] = {}
    for name, pictures in {"all": PICTURES, "some": SOME, "none": [None] * len(TEXTS)}.items():
        options: dict[str, Any] = {"pictures": pictures, "probabilities": True}
        said[name] = exported.predict(TEXTS, **options)
        same(said[name], model.predict(TEXTS, **options))
    same(exported.predict(TEXTS, probabilities=True), said["none"])
    both = zip(said["all"], said["none"], strict=True)
    moved = max(abs(one["topic"][c] - other["topic"][c]) for one, other in both for c in "abc")
    assert moved > 0.005  # or the graph could leave pictures out
    smaller = [picture[:9, :7] for picture in PICTURES]
    assert exported.predict(TEXTS, pictures=smaller) == model.predict(TEXTS, pictures=smaller)


class Halves(Rebuildable):
    """A network that knows pictures of 16 by 16 pixels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3 * 16 * 8, 6)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        left, right = pictures.chunk(2, dim=3)
        return torch.stack([self.linear(half.flatten(1)) for half in (left, right)], dim=1)


def test_a_pretrained_network_reads_pictures_of_one_size(tmp_path: Path) -> None:
    reads = nn.PretrainedPictures(Halves(), 6, 12)
    model = pictured("LateFusion", reads=reads, picture_size=16)
    deployment.export_onnx(model, tmp_path / "out", int8=True)
    exported = deployment.OnnxModel.load(tmp_path / "out")
    options: dict[str, Any] = {"pictures": SOME, "probabilities": True}
    same(exported.predict(TEXTS, **options), model.predict(TEXTS, **options))  # scaled by both
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "It reads pictures of 16 by 16 pixels." in card
    assert 'model.predict(["A text."], pictures=[picture])' in card
    with pytest.raises(ValueError, match=r"make the TextModel with picture_size="):
        deployment.export_onnx(pictured("LateFusion", reads=reads), tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_what_is_no_picture_for_it_is_refused(tmp_path: Path) -> None:
    class Own(nn.ConvolutionalPictures):
        """A class of one's own may do anything."""

    with pytest.raises(TypeError, match="pictures of the kind Own cannot be exported; expected"):
        deployment.export_onnx(pictured("LateFusion", reads=Own(12, 2)), tmp_path / "out")
    deployment.export_onnx(pictured("LateFusion"), tmp_path / "out")
    exported = deployment.OnnxModel.load(tmp_path / "out")
    with pytest.raises(
        ValueError, match=r"Expected pictures \[B, 3, H, W\].* got \[2, 4, 12, 20\]"
    ):
        exported.predict(["Rain."], pictures=[np.zeros((12, 20, 4), np.uint8)])
    with pytest.raises(ValueError, match="must have one shape"):
        exported.predict(["Rain.", "Rain."], pictures=[PICTURES[0], PICTURES[0][:6]])
    with pytest.raises(ValueError, match="got 2 for 1"):
        exported.predict(["Rain."], pictures=PICTURES[:2])


def test_rows_are_measured_with_their_pictures(tmp_path: Path) -> None:
    model = pictured("EarlyFusion")
    deployment.export_onnx(model, tmp_path / "out")
    exported = deployment.OnnxModel.load(tmp_path / "out")
    rows = [
        {"text": text, "label": "abc"[place % 3], "picture": SOME[place]}
        for place, text in enumerate(TEXTS)
    ]
    said = [one["topic"] for one in exported.predict(TEXTS, ["topic"], pictures=SOME)]
    right = np.mean([name == row["label"] for name, row in zip(said, rows, strict=True)])
    found = deployment.measured(exported, {"topic": model.text_tasks["topic"]}, rows)
    assert found["topic_accuracy"] == pytest.approx(right)


def test_the_command_writes_eight_bits_too(tmp_path: Path) -> None:
    pictured("CrossAttentionFusion").save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), "--int8", str(tmp_path / "out")]) == 0
    small = deployment.OnnxModel.load(tmp_path / "out", int8=True)
    assert len(small.predict(TEXTS, pictures=SOME)) == len(TEXTS)
