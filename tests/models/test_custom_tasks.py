"""What is told to someone whose own task or head lacks a piece."""

import types
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from mtl_utils.data import Batch, Example, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Head

EXAMPLES = [Example([1, 2, 3], {"rating": 2}), Example([4, 5], {"rating": 1})]


BATCH = collate(EXAMPLES)


class RatingHead(Head):
    """Regression on the mean state."""

    def __init__(self, name, width):
        super().__init__(name)
        self.output = nn.Linear(width, 1)

    def forward(self, hidden, batch):
        return self.output(hidden.mean(dim=1)).squeeze(1)

    def loss(self, outputs, batch):
        return (outputs - batch.labels[self.task]).square().mean()

    def predict(self, hidden, batch):
        return self(hidden, batch).tolist()

    def compare(self, hidden, batch):
        return list(zip(self.predict(hidden, batch), batch.labels[self.task].tolist(), strict=True))


@dataclass
class Rating:
    """A task of one's own."""

    name: str = "rating"
    kind: type = RatingHead
    causal = False

    def head(self, width):
        return self.kind(self.name, width)

    def metrics(self, predictions, references):
        pairs = zip(predictions, references, strict=True)
        return {"error": sum(abs(a - b) for a, b in pairs) / len(references)}


def model_of(task):
    return MultiTaskModel(HardSharing(BiLSTMEncoder(9, 8)), [task])


def test_a_task_of_ones_own_works():
    model = model_of(Rating())
    assert model(collate(EXAMPLES)).by_task["rating"] > 0
    assert model.evaluate(EXAMPLES)["rating_error"] > 0


@pytest.mark.parametrize(
    ("error", "message", "method", "value"),
    [
        (NotImplementedError, r"WithoutIt defines no compare\(hidden, batch\)", "compare", None),
        (
            NotImplementedError,
            r"WithoutIt, the head of 'rating', defines no predict",
            "predict",
            None,
        ),
        (NotImplementedError, r"defines no loss\(outputs, batch\)", "loss", None),
        (NotImplementedError, r"defines no forward\(hidden, batch\)", "forward", None),
        (
            ValueError,
            r"WithoutIt.loss of 'rating' must return a scalar.*got shape \[2\]",
            "loss",
            lambda self, outputs, batch: outputs - batch.labels["rating"],
        ),
        (
            TypeError,
            "WithoutIt.loss of 'rating' must return a tensor.*got float",
            "loss",
            lambda self, outputs, batch: 0.5,
        ),
        (
            TypeError,
            r"got torch\.int64",
            "loss",
            lambda self, outputs, batch: batch.labels["rating"].sum(),
        ),
    ],
)
def test_a_head_that_lacks_a_piece(error, message, method, value):
    body = {method: getattr(Head, method) if value is None else value}
    kind = types.new_class("WithoutIt", (RatingHead,), exec_body=lambda names: names.update(body))
    model = model_of(Rating(kind=kind))
    uses = {"compare": lambda: model.evaluate(EXAMPLES), "predict": lambda: model.predict(BATCH)}
    with pytest.raises(error, match=message):
        uses.get(method, lambda: model(BATCH))()


class NoHead(nn.Linear):
    """A layer."""

    def __init__(self, name, width):
        super().__init__(width, 1)


class Unnamed(RatingHead):
    """A head that forgets its task."""

    def __init__(self, name, width):
        super().__init__("another", width)


@pytest.mark.parametrize(
    ("error", "message", "task"),
    [
        (TypeError, "Rating.head must return a tasks.Head.*returned NoHead", Rating(kind=NoHead)),
        (ValueError, "a Unnamed of the task 'another', not of 'rating'", Rating(kind=Unnamed)),
        (TypeError, r"got the class Rating itself; make one: Rating\(", Rating),
        (
            TypeError,
            "SimpleNamespace is no task, since it has no causal and no metrics",
            types.SimpleNamespace(name="x", head=RatingHead),
        ),
        (TypeError, "str is no task, since it has no name", "topic"),
        (TypeError, "The name of a Rating must be a string, got 3", Rating(name=3)),
    ],
)
def test_what_is_no_task(error, message, task):
    with pytest.raises(error, match=message):
        model_of(task)


def test_labels_that_are_no_tensor():
    inputs = collate(EXAMPLES).inputs
    with pytest.raises(TypeError, match="labels of 'rating' must be a tensor, got ndarray"):
        Batch(inputs, {"rating": np.zeros(2)})


def test_the_task_is_named_where_a_loss_refuses_its_labels():
    class Odd(RatingHead):
        def loss(self, outputs, batch):
            raise ValueError("Target 9 is not a class")

    with pytest.raises(ValueError, match="In the loss of 'rating': Target 9 is not a class"):
        model_of(Rating(kind=Odd))(collate(EXAMPLES))
    assert torch.is_tensor(model_of(Rating())(collate(EXAMPLES)).by_task["rating"])
