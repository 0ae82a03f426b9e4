"""Encoders of pictures and of both: what they read, and what they must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn as torch_nn
from torch.nn import functional
from transformers import ViTConfig, ViTModel

from mtl_utils import nn
from mtl_utils.data import Batch, Inputs
from mtl_utils.models import MultiTaskModel
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging

V, D = 20, 16
GENERATOR = torch.Generator().manual_seed(0)
IDS = torch.randint(4, V, (4, 6), generator=GENERATOR)
MASK = torch.arange(6) < torch.tensor([[6], [3], [5], [2]])
PICTURES = torch.rand(4, 3, 16, 16, generator=GENERATOR)
PRESENT = torch.tensor([True, False, True, False])
INPUTS = Inputs(IDS * MASK, MASK, pictures=PICTURES, has_picture=PRESENT)
EXACT = {"atol": 1e-5, "rtol": 1e-5}


def text(kind: str = "transformer") -> nn.Encoder:
    if kind == "bilstm":
        return nn.BiLSTMEncoder(V, D, dropout=0.0)
    return nn.TransformerEncoder(V, D, 2, 2, dropout=0.0, causal=kind == "causal")


def fusion(kind: str, reads: str = "transformer", **settings) -> nn.PictureFusion:
    torch.manual_seed(0)
    classes = {
        "early": nn.EarlyFusion,
        "late": nn.LateFusion,
        "cross-attention": nn.CrossAttentionFusion,
    }
    return classes[kind](text(reads), nn.ConvolutionalPictures(8, 2), **settings).eval()


KINDS = ("early", "late", "cross-attention")


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_the_place_of_a_missing_picture_is_not_read(kind: str) -> None:
    encoder = fusion(kind)
    expected = encoder(INPUTS)
    for wrong in (torch.nan, torch.inf, 3.0):
        pictures = PICTURES.clone()
        pictures[~PRESENT] = wrong
        given = replace(INPUTS, pictures=pictures)
        assert torch.equal(encoder(given)[MASK], expected[MASK])
        encoder(given)[MASK].sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_pictures_is_one_in_which_all_are_missing(kind: str) -> None:
    encoder = fusion(kind)
    missing = encoder(replace(INPUTS, has_picture=torch.zeros_like(PRESENT)))
    none = encoder(replace(INPUTS, pictures=None, has_picture=None))
    torch.testing.assert_close(missing[MASK], none[MASK], **EXACT)
    mixed = encoder(INPUTS)  # rows without among rows with one
    torch.testing.assert_close(mixed[~PRESENT][MASK[~PRESENT]], none[~PRESENT][MASK[~PRESENT]])
    assert not torch.allclose(mixed[0], none[0], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_read_their_own_picture_alone(kind: str) -> None:
    encoder = fusion(kind)
    found = encoder(INPUTS)
    for row in range(4):
        alone = encoder(INPUTS.rows(torch.tensor([row])))
        torch.testing.assert_close(alone[0][MASK[row]], found[row][MASK[row]], **EXACT)
    swapped = replace(INPUTS, pictures=PICTURES[[2, 1, 0, 3]])
    assert not torch.allclose(encoder(swapped)[0], found[0], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_modality_dropout_reads_rows_as_if_they_had_none(kind: str) -> None:
    encoder = fusion(kind, picture_dropout=0.9999999)
    none = encoder(replace(INPUTS, pictures=None, has_picture=None))
    kept = encoder(INPUTS)
    encoder.train()
    if kind == "cross-attention":
        encoder = encoder.eval()
        encoder.training = True  # its other dropout stays off
    torch.testing.assert_close(encoder(INPUTS)[MASK], none[MASK], **EXACT)
    assert not torch.allclose(kept[0], none[0], atol=1e-3)
    with pytest.raises(ValueError, match="picture_dropout"):
        fusion(kind, picture_dropout=1.0)


@pytest.mark.parametrize("reads", ["bilstm", "causal"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_encoder_of_texts_may_look_at_pictures(kind: str, reads: str) -> None:
    if kind == "early" and reads == "bilstm":
        with pytest.raises(TypeError, match="TransformerEncoder"):
            fusion(kind, reads)
        return
    encoder = fusion(kind, reads)
    found = encoder(INPUTS)
    assert found.shape == (4, 6, D)
    assert encoder.causal == (reads == "causal")
    if reads == "causal":  # no later token is seen, by way of the picture neither
        ids = INPUTS.input_ids.clone()
        ids[:, 3:] = 4
        torch.testing.assert_close(encoder(replace(INPUTS, input_ids=ids))[:, :3], found[:, :3])


@pytest.mark.parametrize("kind", KINDS)
def test_any_tasks_learn_from_both(kind: str) -> None:
    torch.manual_seed(0)
    tasks = [Tagging("tags", ("O", "B-A")), Classification("class", ("a", "b"))]
    model = MultiTaskModel(HardSharing(fusion(kind)), tasks)
    batch = Batch(
        INPUTS, {"tags": torch.where(MASK, 1, -100), "class": torch.tensor([0, 1, 0, -100])}
    )
    losses = model(batch)
    sum(losses.by_task.values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert [len(tags) for tags in model.predict(batch)["tags"]] == MASK.sum(1).tolist()


def test_late_fusion_is_what_its_equation_says() -> None:
    encoder = fusion("late")
    hidden = encoder.text(INPUTS)
    seen, there = encoder.read_pictures(INPUTS)
    assert there.sum(1).tolist() == [16, 1, 16, 1]
    mean = torch.stack([row[kept].mean(0) for row, kept in zip(seen, there, strict=True)])
    mean = functional.layer_norm(mean, (D,))
    joined = torch.cat([hidden, mean[:, None].expand(-1, 6, -1)], -1)
    mixed = functional.linear(joined, encoder.inner.weight, encoder.inner.bias)
    mixed = functional.linear(functional.gelu(mixed), encoder.outer.weight, encoder.outer.bias)
    torch.testing.assert_close(encoder(INPUTS), hidden + mixed, **EXACT)


def test_attention_over_the_picture_sums_to_one_where_there_is_one() -> None:
    encoder = fusion("cross-attention")
    weights = encoder.attention_weights(INPUTS)
    assert weights.shape == (4, 4, 6, 16)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 4, 6))
    assert (weights[1, ..., 0] == 1).all()  # the learnt vector


def test_convolutions_give_a_grid_row_by_row() -> None:
    torch.manual_seed(0)
    encoder = nn.ConvolutionalPictures(8, 2)
    found = encoder(PICTURES)
    assert found.shape == (4, 16, 8)
    changed = PICTURES.clone()
    changed[:, :, 12:, 12:] = 0  # the last corner
    differs = (encoder.layers[0][0](changed - 0.5) != encoder.layers[0][0](PICTURES - 0.5)).any(1)
    assert not differs[:, :5].any()
    assert differs[:, 7, 7].all()
    grid = encoder.layers(PICTURES - 0.5)
    torch.testing.assert_close(found[:, 7], grid[:, :, 1, 3])


@pytest.mark.parametrize(
    "shape", [(4, 1, 16, 16), (4, 3, 16), (4, 3, 2, 16)], ids=["grey", "flat", "tiny"]
)
def test_pictures_of_another_kind_are_refused(shape) -> None:
    with pytest.raises(ValueError, match="Expected pictures"):
        nn.ConvolutionalPictures(8, 2)(torch.zeros(shape))


class Grid(torch_nn.Module):
    """Patches of 4 by 4 pixels, and a normalisation that training would change."""

    def __init__(self, shape: str) -> None:
        super().__init__()
        self.shape = shape
        self.patches = torch_nn.Conv2d(3, 10, 4, 4)
        self.norm = torch_nn.BatchNorm2d(10)

    def forward(self, pictures):
        grid = self.norm(self.patches(pictures))
        parts = {"grid": grid, "parts": grid.flatten(2).transpose(1, 2), "one": grid.mean((2, 3))}
        return parts[self.shape]


@pytest.mark.parametrize(("shape", "count"), [("grid", 16), ("parts", 16), ("one", 1)])
def test_any_module_may_read_the_pictures(shape: str, count: int) -> None:
    torch.manual_seed(0)
    module = Grid(shape)
    encoder = nn.PretrainedPictures(module, 10, D, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    found = encoder.train()(PICTURES)
    assert found.shape == (4, count, D)
    assert not module.training
    assert not any(p.requires_grad for p in module.parameters())
    read = (PICTURES - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor(
        [0.2, 0.3, 0.4]
    )[:, None, None]
    expected = module(read)
    expected = expected[:, None] if shape == "one" else expected
    expected = expected.flatten(2).transpose(1, 2) if shape == "grid" else expected
    torch.testing.assert_close(found, encoder.output(expected))
    found.sum().backward()
    assert encoder.output.weight.grad is not None
    trained = nn.PretrainedPictures(Grid(shape), 10, D, frozen=False).train()
    trained(PICTURES).sum().backward()
    assert trained.module.patches.weight.grad is not None
    assert trained.module.training


def test_a_model_of_transformers_may_read_the_pictures() -> None:
    config = ViTConfig(
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    torch.manual_seed(0)
    vision = ViTModel(config, add_pooling_layer=False)
    encoder = nn.LateFusion(text(), nn.PretrainedPictures(vision, 12, D))
    assert encoder(INPUTS).shape == (4, 6, D)


def test_a_module_that_returns_something_else_is_named() -> None:
    with pytest.raises(ValueError, match="module must return"):
        nn.PretrainedPictures(Grid("grid"), 11, D)(PICTURES)
    with pytest.raises(TypeError, match="module must return a tensor"):
        nn.PretrainedPictures(torch_nn.ReLU(), 11, D)._vectors((PICTURES,))


def test_a_frozen_encoder_remembers_pictures_beside_texts(tmp_path: Path) -> None:
    encoder = fusion("late")
    cached = nn.CachedEncoder(encoder, freeze=True)
    torch.testing.assert_close(cached(INPUTS)[MASK], encoder(INPUTS)[MASK], **EXACT)
    assert cached.misses == 4
    pictures = PICTURES.clone()
    pictures[0], pictures[1] = 0.5, 0.5  # the second is not there
    other = replace(INPUTS, pictures=pictures)
    torch.testing.assert_close(cached(other)[MASK], encoder(other)[MASK], **EXACT)
    assert cached.misses == 5
