"""Right answers of other types, and the words of the checks, of the exercises of chapter 11."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from mtl_utils import data, exercises, models, nn, objectives, relations, sharing, tasks

BY_HAND: dict[str, Any] = {
    "cosine": 0.8,
    "affinity": [0.28, 0.4375],
    "first_order": [0.32, 2],
    "embedding": [1, 4],
    "transfer": [-3, 4],
    "value": [4, 5],
}
KINDS = (list, tuple, np.array, torch.tensor)


class _Point(nn.Encoder):
    width = 2

    def __init__(self) -> None:
        super().__init__()
        self.theta = torch.nn.Parameter(torch.zeros(2, dtype=torch.double))

    def forward(self, inputs: data.Inputs) -> Tensor:
        return self.theta.expand(*inputs.input_ids.shape, 2)


class _Made(models.MultiTaskModel):
    """Two tasks whose losses are functions of the point that they share and of the batch."""

    def __init__(self) -> None:
        heads = [tasks.Classification(name, ["x", "y"]) for name in "ab"]
        super().__init__(sharing.HardSharing(_Point()), heads)

    def losses(self, theta: Tensor, batch: data.Batch) -> list[Tensor]:
        optima = torch.tensor([[2.0, 0.0], [4.0, 3.0]], dtype=torch.double)
        return [(theta - optimum).square().sum() / 2 for optimum in optima]

    def forward(self, batches: Any) -> objectives.Losses:
        (theta,) = self.shared_parameters()
        of_all = isinstance(batches, data.Batch)
        batch = batches if of_all else next(iter(batches.values()))
        by_task = dict(zip("ab", self.losses(theta, batch), strict=True))
        if not of_all:
            by_task = {task: by_task[task] for task in batches}
        counts = dict.fromkeys(by_task, torch.tensor(1.0))
        return objectives.Losses(by_task, torch.tensor(0.0), None, counts)


class _Slopes(_Made):
    """The gradient is (1, -2) for a text with the label 0, and (-1, 2) with the label 1."""

    def losses(self, theta: Tensor, batch: data.Batch) -> list[Tensor]:
        (labels, *_) = batch.labels.values()
        way = (1 - 2 * labels).double().mean()
        return [way * (theta[0] - 2 * theta[1])] * 2


def _batch(*labels: int) -> data.Batch:
    return data.collate([data.Example([1], dict.fromkeys("ab", label)) for label in labels])


def test_the_signs_worked_by_hand_are_those_of_the_package() -> None:
    model, batch = _Made(), _batch(0)
    losses = list(model(batch).by_task.values())
    (theta,) = model.shared_parameters()
    rows = [torch.autograd.grad(loss, theta, retain_graph=True)[0] for loss in losses]
    gradients = torch.stack(rows)
    assert np.isclose(relations.cosines(gradients)[0, 1], BY_HAND["cosine"])
    found = relations.lookahead_affinity(model, batch, 0.5)
    assert np.allclose([found.loc["a", "b"], found.loc["b", "a"]], BY_HAND["affinity"])
    product = 0.5 * gradients[0] @ gradients[1]
    first = [float((product / loss).detach()) for loss in reversed(losses)]
    assert np.allclose(first, BY_HAND["first_order"])
    tiny = relations.lookahead_affinity(model, batch, 1e-6) * 0.5 / 1e-6
    assert np.allclose([tiny.loc["a", "b"], tiny.loc["b", "a"]], first, rtol=1e-4)


def test_the_embedding_worked_by_hand_is_that_of_the_package() -> None:
    class Loader:
        num_batches = 1

        def batches(self, *_: int, **__: int) -> Iterator[data.Batch]:
            yield _batch(0, 1)

        def digest(self) -> str:
            return "two texts"

    found = relations.task_embeddings(_Slopes(), Loader())
    assert found["a"].tolist() == BY_HAND["embedding"]


def test_transfer_and_values_worked_by_hand_are_those_of_the_package() -> None:
    scores = [("a", None, 60.0), ("b", None, 70.0), ("a", "b", 64.0), ("b", "a", 67.0)]
    runs = pd.DataFrame(scores, columns=["task", "partner", "score"]).assign(seed=0)
    found = relations.transfer_matrix(runs)
    assert [found.loc["a", "b"], found.loc["b", "a"]] == BY_HAND["transfer"]
    rows = [[0.0, -3.0, 2.0], [4.0, 0.0, 4.0], [0.0, 1.0, 0.0]]
    of_pairs = relations.pairwise_scores(pd.DataFrame(rows, list("abc"), list("abc")))
    together = sum(of_pairs["a", "b", "c"].values())
    apart = relations.best_groups(of_pairs, 2, disjoint=True)
    assert set(apart.groups) == {("a",), ("b", "c")}
    assert [together, apart.score] == BY_HAND["value"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    rows = {key: kind(row) for key, row in BY_HAND.items() if isinstance(row, list)}
    assert exercises.check_relations_by_hand({**BY_HAND, **rows}).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "cosine": torch.tensor(0.8), "affinity": [0.28, 0.44]}
    given |= {"first_order": [Fraction(8, 25), np.int64(2)]}
    assert exercises.check_relations_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    wrong = {**BY_HAND, "affinity": [0.4375, 0.28], "value": [8, 5]}
    told = exercises.check_relations_by_hand(wrong).message
    assert told.startswith("Number 1 of 'affinity' is not 0.4375.")
    assert "0.28" not in told
    told = exercises.check_relations_by_hand({**BY_HAND, "value": [8, 5]}).message
    assert told.startswith("Number 1 of 'value' is not 8.")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_relations_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_an_agreement_may_be_of_any_type_and_is_that_of_the_package(kind: Any) -> None:
    def agreement(first: Any, second: Any) -> Any:
        names = list("abcd"[: len(first)])
        tables = [pd.DataFrame(table, names, names) for table in (first, second)]
        return kind(relations.rank_agreement(*tables))

    assert exercises.check_pair_agreement(agreement).passed


@pytest.mark.parametrize("kind", [Tensor.tolist, Tensor.numpy, Tensor.double])
def test_a_covariance_may_be_of_any_kind(kind: Any) -> None:
    def covariance(weights: Tensor) -> Any:
        return kind(sharing.task_covariance(weights.double(), smoothing=1e-9))

    assert exercises.check_learnt_covariance(covariance).passed


def _report(kind: Any, beside: list[float], alone: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(beside, alone)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"beside": kind(beside), "alone": kind(alone), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_a_partner_costs_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [71.0, 69.0, 70.5], [76.0, 75.5, 74.5], shown)
    assert report["mean"] < 0
    assert exercises.check_same_sentences(report).passed
    turned = exercises.check_same_sentences(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_same_sentences(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [57.0, 55.0, 60.5], [56.0, 58.0, 57.0], False)
    assert exercises.check_same_sentences(report).passed
    assert "holds zero" in exercises.check_same_sentences(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("beside", "alone", "mean", "half_width", "shown"), ...)
    assert exercises.check_same_sentences(empty).state == "unanswered"
