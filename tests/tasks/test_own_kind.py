"""A kind of task of a reader's own, in under 40 lines: ordinal regression."""

import ast
import inspect
import itertools
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional

from mtl_utils.data import (
    BatchLoader,
    Example,
    Vocabulary,
    WordTokenizer,
    collate,
    encode_text,
    has_label,
)
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Head, TextTask, mean_state
from mtl_utils.training import Trainer, TrainerConfig


# What a reader writes: the thresholds of a scale are learnt, one logit is compared with all
# (McCullagh, 1980).
class StarsHead(Head):
    def __init__(self, task, width):
        super().__init__(task.name)
        self.score = nn.Linear(width, 1)
        self.first = nn.Parameter(torch.tensor(-1.0))
        self.steps = nn.Parameter(torch.zeros(task.levels - 2))

    def forward(self, hidden, batch):  # [B, levels - 1], log-odds of being above each threshold
        rises = functional.softplus(self.steps).cumsum(0)
        thresholds = torch.cat([self.first[None], self.first + rises])
        return self.score(mean_state(hidden, batch.inputs)) - thresholds

    def loss(self, outputs, batch):
        labels = batch.labels[self.task]
        known = has_label(labels)
        above = labels[:, None] > torch.arange(outputs.shape[1])
        losses = functional.binary_cross_entropy_with_logits(
            outputs, above.to(outputs.dtype), reduction="none"
        ).sum(dim=1)
        return losses.masked_fill(~known, 0.0).sum() / self.count(batch).clamp(min=1)

    def predict(self, hidden, batch):
        return (self(hidden, batch) > 0).sum(dim=1).tolist()

    def compare(self, hidden, batch):
        labels = batch.labels[self.task]
        pairs = zip(self.predict(hidden, batch), labels.tolist(), has_label(labels), strict=True)
        return [(found, wanted) if known else None for found, wanted, known in pairs]


@dataclass(frozen=True)
class Stars(TextTask):
    name: str
    levels: int
    text: str = "text"  # columns of a row
    label: str = "label"
    causal = False

    def target(self, row, encoded):
        return self.reference(row)

    def head(self, width):
        return StarsHead(self, width)

    def metrics(self, predictions, references):
        errors = [abs(a - b) for a, b in zip(predictions, references, strict=True)]
        return {"mae": sum(errors) / len(errors)}


TASK = Stars("stars", 5)


def some_batch():
    return collate(
        [
            Example([4, 5], {"stars": 0}),
            Example([6], {"stars": None}),
            Example([7] * 3, {"stars": 3}),
        ]
    )


def test_it_takes_less_than_40_lines():
    tree = ast.parse(inspect.getsource(StarsHead) + inspect.getsource(Stars))
    written = ast.unparse(tree).splitlines()
    assert sum(bool(line.strip()) for line in written) < 40


def test_it_reads_rows():
    encoded = encode_text(WordTokenizer(Vocabulary.from_tokens(["a"])), "a")
    assert TASK.read({"text": "a", "label": 3}) == ("a", None)
    assert TASK.target({"text": "a", "label": 3}, encoded) == 3
    assert TASK.target({"text": "a", "label": None}, encoded) is None


def test_its_loss_is_that_of_the_cumulative_model():
    head, batch = TASK.head(6).double(), some_batch()
    torch.nn.init.normal_(head.steps)
    hidden = torch.randn(3, 3, 6, dtype=torch.float64, requires_grad=True)
    outputs = head(hidden, batch)
    assert all(a > b for a, b in itertools.pairwise(outputs[0].tolist()))
    above = outputs.sigmoid()
    by_hand = -sum((1 - above[0, k]).log() for k in range(4)) - sum(
        above[2, k].log() for k in range(3)
    )
    expected = (by_hand - (1 - above[2, 3]).log()) / 2
    loss = head.loss(outputs, batch)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert not hidden.grad[1].any()


def test_it_costs_and_moves_nothing_where_all_is_missing():
    head, batch = TASK.head(6), some_batch()
    batch.labels["stars"].fill_(-100)
    hidden = torch.randn(3, 3, 6, requires_grad=True)
    loss = head.loss(head(hidden, batch), batch)
    loss.backward()
    assert loss == 0
    assert not hidden.grad.any()
    assert head.compare(hidden, batch) == [None] * 3


def test_it_trains_is_resumed_evaluated_and_predicts_beside_another_task(tmp_path):
    generator = torch.Generator().manual_seed(0)
    examples = []
    for number in range(80):
        ids = torch.randint(3, 8, (3,), generator=generator).tolist()
        stars = sum(ids) // 3 - 3
        labels = {"stars": stars} if number % 2 else {"topic": int(stars > 1)}
        examples.append(Example(ids, labels))
    loader = BatchLoader(examples, batch_size=8)

    def trained(epochs, checkpoint=None):
        torch.manual_seed(0)
        topic = Classification("topic", ("low", "high"), pooling="mean")
        model = MultiTaskModel(HardSharing(BiLSTMEncoder(9, 16, dropout=0.0)), [TASK, topic])
        config = TrainerConfig(epochs=epochs, learning_rate=0.03, schedule="constant")
        Trainer(model, config, checkpoint=checkpoint, progress=False).fit(loader)
        return model

    model = trained(24)
    trained(10, tmp_path / "run.pt")
    resumed = trained(24, tmp_path / "run.pt")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    measured = model.evaluate(examples)
    wanted = [example.labels["stars"] for example in examples if "stars" in example.labels]
    middle = sorted(wanted)[len(wanted) // 2]
    blind = TASK.metrics([middle] * len(wanted), wanted)["mae"]
    assert measured["stars_mae"] < blind / 3
    predicted = model.predict(collate(examples))["stars"]
    assert set(predicted) <= set(range(5))
    with pytest.raises(NotImplementedError, match="StarsHead, the head of 'stars', has no prob"):
        model.head("stars").probabilities(torch.zeros(1, 1, 16), collate(examples[:1]))
