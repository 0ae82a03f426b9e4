"""Agreement of gradients on the same row: against a loop, and where it must be high or none."""

import itertools

import numpy as np
import pytest
import torch

from mtl_utils import data, models, nn, relations, sharing, tasks
from mtl_utils.diagnosis import row_agreement


def model_of(names=("a", "b")):
    torch.manual_seed(0)
    goals = [tasks.Classification(name, ["x", "y", "z"], pooling="mean") for name in names]
    return models.MultiTaskModel(sharing.HardSharing(nn.BiLSTMEncoder(30, 8, dropout=0.0)), goals)


def batches_of(labels, names=("a", "b"), seed=0):
    """One row a batch, of random words; ``labels`` by row, one a task, ``None`` for none."""
    generator = np.random.default_rng(seed)
    rows = []
    for row in labels:
        words = generator.integers(1, 30, size=6).tolist()
        given = {name: label for name, label in zip(names, row, strict=True) if label is not None}
        rows.append(data.collate([data.Example(words, given)]))
    return rows


def test_it_is_a_difference_of_means_of_cosines():
    model = model_of()
    batches = batches_of([(0, 1), (1, 1), (2, 0), (0, 2)])
    found = row_agreement(model, batches)
    gradients = [relations.task_gradients(model, batch) for batch in batches]

    def cosine(m, n):
        return float(torch.cosine_similarity(gradients[m]["a"], gradients[n]["b"], dim=0))

    same = np.mean([cosine(m, m) for m in range(4)])
    different = np.mean([cosine(m, n) for m, n in itertools.permutations(range(4), 2)])
    assert found.loc["a", "b"] == pytest.approx(same - different, abs=1e-5)
    assert found.loc["b", "a"] == pytest.approx(found.loc["a", "b"])
    assert np.isnan(found.loc["a", "a"])


def test_two_tasks_with_the_same_labels_and_head_agree_more_than_with_labels_of_other_rows():
    model = model_of()
    model.heads["b"].load_state_dict(model.heads["a"].state_dict())
    labels = np.random.default_rng(1).integers(0, 3, size=24).tolist()
    of_same = row_agreement(model, batches_of([(k, k) for k in labels])).loc["a", "b"]
    moved = [*labels[1:], labels[0]]
    of_other = row_agreement(model, batches_of(list(zip(labels, moved, strict=True)))).loc["a", "b"]
    assert of_same > of_other + 0.2


def test_tasks_that_stand_on_no_row_together_have_no_agreement():
    found = row_agreement(model_of(), batches_of([(0, None), (None, 1), (1, None), (None, 2)]))
    assert found.isna().all().all()


def test_the_model_and_its_gradients_stay():
    model = model_of().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    row_agreement(model, batches_of([(0, 1), (1, 2)]))
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
