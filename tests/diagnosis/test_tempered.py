"""Losses at the best temperature: held against SciPy, and deaf to how sure a model is."""

import random

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn.functional import cross_entropy

from mtl_utils import data, models, nn, sharing, tasks
from mtl_utils.diagnosis.rows import block_losses, blocks_of
from mtl_utils.diagnosis.tempered import tempered_losses

LABELS = ("red", "green", "blue")


def rows_of(count, model):
    """Rows of which a model that was never trained says the labels two times in three."""
    generator = random.Random(0)
    found = []
    for n in range(count):
        ids = generator.choices(range(4, 12), k=generator.randint(1, 6))
        said = model.predict(data.collate([data.Example(ids)]), ["colour", "tags"])
        colour, tags = said["colour"][0], said["tags"][0]
        labels = {"tags": [_mostly(tag, generator) for tag in tags]}
        if n % 3:
            labels |= {"colour": _mostly(colour, generator), "length": float(len(ids))}
        found.append(data.Example(ids, labels))
    return (tuple(found[: count // 2]), tuple(found[count // 2 :]))


def _mostly(label, generator):
    return label if generator.random() < 0.5 else generator.randrange(3)


def model_of(crf=False):
    torch.manual_seed(0)
    goals = [
        tasks.Classification("colour", LABELS, pooling="mean", scale="uniform", smoothing=0.1),
        tasks.Tagging("tags", LABELS, scheme="plain", crf=crf),
        tasks.Regression("length"),
    ]
    model = models.MultiTaskModel(sharing.HardSharing(nn.BiLSTMEncoder(12, 8)), goals)
    with torch.no_grad():
        for task in ("colour", "tags"):
            model.head(task).output.weight.mul_(8)
    return model


@pytest.mark.parametrize("task", ["colour", "tags"])
def test_losses_are_those_of_the_temperature_that_scipy_finds(task):
    model = model_of().eval()
    sets = rows_of(60, model)
    parts = []
    for batch in blocks_of(sets, 0):
        if task in batch.labels and bool((batch.labels[task] >= 0).any()):
            hidden = model.sharing(batch, [task]).hidden[task]
            scores = model.head(task)(hidden, batch).detach().double().flatten(end_dim=-2)
            texts = int((batch.labels[task].view(len(hidden), -1) >= 0).any(dim=1).sum())
            parts.append((scores, batch.labels[task].flatten(), texts))

    def losses(log_sharpness):
        sharpness = np.exp(log_sharpness)
        found = [cross_entropy(s * sharpness, labels, reduction="sum") for s, labels, _ in parts]
        return np.array(found)

    bounds = {"bounds": (-4, 4), "method": "bounded", "options": {"xatol": 1e-9}}
    best = minimize_scalar(lambda x: losses(x).sum(), **bounds).x
    found = tempered_losses(model, sets, 0)[task]
    assert found == pytest.approx(losses(best) / [texts for *_, texts in parts], rel=1e-5)
    assert len(found) == len(block_losses(model, sets, 0)[task])


@pytest.mark.parametrize("crf", [False, True])
def test_how_sure_a_model_is_does_not_count(crf):
    model = model_of(crf)
    sets = rows_of(60, model)
    before, plain = tempered_losses(model, sets, 0), block_losses(model, sets, 0)
    with torch.no_grad():
        for task in ("colour", "tags"):
            for weight in (model.head(task).output.weight, model.head(task).output.bias):
                weight.mul_(3)
        if crf:
            for weight in model.head("tags").crf.parameters():
                weight.mul_(3)
    after, louder = tempered_losses(model, sets, 0), block_losses(model, sets, 0)
    for task in ("colour", "tags"):
        assert after[task] == pytest.approx(before[task], rel=1e-5)
        assert not np.allclose(louder[task], plain[task], rtol=0.05)


def test_a_task_without_probabilities_has_its_plain_losses():
    model = model_of()
    sets = rows_of(30, model)
    plain, found = block_losses(model, sets, 0), tempered_losses(model, sets, 0)
    assert found["length"].tolist() == plain["length"].tolist()
    assert model.training
    assert model.head("colour").temperature is None
