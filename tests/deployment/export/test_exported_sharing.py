"""Every way of sharing as a graph: what PyTorch gives, at other lengths and with padding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from exported_models import TEXTS
from shared_models import WAYS, shared_model

from mtl_utils import deployment, sharing
from mtl_utils.deployment.export import checking
from mtl_utils.deployment.export.sharing_forms import EXPORTED

pytest.importorskip("onnxruntime")

ENCODERS = {"LanguageAdapters"}  # not over the encoder but in it; told the languages
KINDS = ["transformer", "bilstm"]
CASES = [(way, KINDS[place % 2]) for place, way in enumerate(sorted(WAYS.keys() - ENCODERS))]
OTHER_PARTS = [("CrossStitch", "bert"), ("SharedPrivate", "gpt2"), ("MMoE", "lstm")]
TRIED = [*CASES, *OTHER_PARTS]


@pytest.mark.parametrize(("way", "kind"), TRIED, ids=[f"{w}-{k}" for w, k in TRIED])
def test_a_graph_gives_what_the_model_gives(way: str, kind: str, tmp_path: Path) -> None:
    model = shared_model(way, kind)
    deployment.export_onnx(model, tmp_path / "model")
    trials = [(1,), (3, 1, 2), (8, 13), (30, 1, 29), (75, 4)]
    found = checking.largest_difference(model, tmp_path / "model/model.onnx", trials, seed=5)
    assert set(found) == {"topic", "names"}
    assert max(found.values()) < 1e-4
    loaded = deployment.OnnxModel.load(tmp_path / "model")
    assert loaded.predict(TEXTS) == model.predict(TEXTS)
    chances = zip(*(m.predict(TEXTS, probabilities=True) for m in (loaded, model)), strict=True)
    for mine, theirs in chances:
        assert mine["topic"] == pytest.approx(theirs["topic"], abs=1e-4)


def test_tasks_differ_so_that_one_for_all_would_be_seen() -> None:
    """Two heads over one state would agree with a graph that mixed tasks up."""
    for way in sorted(WAYS.keys() - ENCODERS - {"HardSharing", "MixtureOfExperts"}):
        model = shared_model(way, "bilstm")
        batch = next(iter(model.loader([{"tokens": ["Ada", "met"], "label": "a"}], shuffle=False)))
        with torch.no_grad():
            hidden = model.sharing(batch, ["topic", "names"]).hidden
        assert not torch.allclose(hidden["topic"], hidden["names"], atol=0.01), way


def test_every_way_of_sharing_is_tried() -> None:
    """One that is added later is exported, or named as one that is not."""
    known = {kind.__name__ for kind in EXPORTED}
    assert known | ENCODERS == {way.split(",")[0] for way in WAYS}
    public = {getattr(sharing, name) for name in sharing.__all__}
    kinds = {k for k in public if isinstance(k, type) and issubclass(k, sharing.Sharing)}
    assert kinds - {*EXPORTED} == {sharing.Sharing, sharing.SharedDecoder}


def test_the_model_stays_as_it_is(tmp_path: Path) -> None:
    model = shared_model("HierarchicalSharing", "bilstm").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drift = float(model.sharing.drift())
    deployment.export_onnx(model, tmp_path / "model")
    assert model.training
    assert drift > 0
    assert float(model.sharing.drift()) == drift
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


class OwnSharing(sharing.HardSharing):
    """It may do anything."""


def test_a_way_of_sharing_of_ones_own_is_named(tmp_path: Path) -> None:
    model = shared_model("HardSharing", "bilstm")
    model.sharing.__class__ = OwnSharing
    with pytest.raises(TypeError, match=r"shared by OwnSharing cannot be exported; .*BranchedSh"):
        deployment.export_onnx(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
