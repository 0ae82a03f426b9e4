"""Numbers for texts: loss and gradients against PyTorch, measures against SciPy."""

import math

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.nn import functional

from mtl_utils.data import BatchLoader, Example, Vocabulary, WordTokenizer, collate, encode_text
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Regression, compared_means, mean_state
from mtl_utils.training import Trainer, TrainerConfig, evaluate_losses

NAN = math.nan
ROWS = [([4, 5], 1.5), ([6], None), ([7, 8, 9], -100.0), ([4], 0.25)]
values = st.floats(-1e3, 1e3, allow_subnormal=False)
few = st.sampled_from([0.0, 0.5, 1.0, 3.0])  # with ties


def batch_of(rows=ROWS):
    return collate([Example(ids, {"score": value}) for ids, value in rows])


def states_of(batch, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch.inputs.mask.shape, width)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def encoded():
    return encode_text(WordTokenizer(Vocabulary.from_tokens(["a"])), "a")


# The loss.


def test_the_loss_is_that_of_pytorch_in_units_of_the_spread():
    task = Regression("score", pooling="mean", mean=-20.0, spread=40.0)
    head, batch = task.head(6).double(), batch_of()
    hidden = states_of(batch)
    known = [0, 2, 3]
    wanted = (torch.tensor([1.5, -100.0, 0.25], dtype=torch.float64) + 20) / 40
    found = head.output(mean_state(hidden, batch.inputs))[known, 0]
    expected = functional.mse_loss(found, wanted)
    loss = head.loss(head(hidden, batch), batch)
    torch.testing.assert_close(loss, expected)
    mine, theirs = (torch.autograd.grad(value, hidden)[0] for value in (loss, expected))
    torch.testing.assert_close(mine, theirs)
    assert not mine[1].any()
    assert int(head.count(batch)) == 3


def test_the_loss_is_1_where_the_mean_is_predicted():
    numbers = [1.0, 4.0, 2.5, 9.0, NAN]
    task = Regression("score").standardised(numbers)
    assert (task.mean, task.spread) == (np.mean(numbers[:4]), np.std(numbers[:4]))
    head = task.head(3)
    torch.nn.init.zeros_(head.output.weight)
    torch.nn.init.zeros_(head.output.bias)
    batch = batch_of([([4], number) for number in numbers])
    hidden = torch.randn(5, 1, 3)
    torch.testing.assert_close(head.loss(head(hidden, batch), batch), torch.tensor(1.0))
    assert head.predict(hidden, batch) == pytest.approx([task.mean] * 5)


def test_nothing_is_counted_and_nothing_moves_where_all_is_missing():
    batch = batch_of([([4], NAN), ([5, 6], 0.5)])
    batch.labels["score"][1] = NAN
    head = Regression("score").head(6).double()
    hidden = states_of(batch)
    loss = head.loss(head(hidden, batch), batch)
    assert loss == 0
    loss.backward()
    gradients = [hidden.grad, *(parameter.grad for parameter in head.parameters())]
    assert not any(gradient.any() for gradient in gradients)
    assert int(head.count(batch)) == 0
    assert head.compare(hidden, batch) == [None, None]


def test_labels_of_another_kind_or_number():
    batch = batch_of([([4], 3), ([5], None)])
    head = Regression("score").head(6)
    with pytest.raises(TypeError, match=r"'score' must be numbers with a point.*got torch.int64"):
        head.loss(torch.zeros(2), batch)
    with pytest.raises(ValueError, match=r"'score' are one a row: expected \[3\], got \[2\]"):
        head.loss(torch.zeros(3), batch)


# Predictions.


def test_predictions_are_in_the_units_of_the_data_and_within_bounds():
    batch = batch_of()
    hidden = states_of(batch).float()
    free = Regression("score", mean=3.0, spread=10.0)
    head = free.head(6).eval()
    expected = (3.0 + 10.0 * head(hidden, batch)).tolist()
    assert head.predict(hidden, batch) == pytest.approx(expected)
    bounded = Regression("score", mean=3.0, spread=10.0, bounds=(2.5, 3.5)).head(6)
    bounded.load_state_dict(head.state_dict())
    within = [min(max(number, 2.5), 3.5) for number in expected]
    assert within != expected
    assert bounded.predict(hidden, batch) == pytest.approx(within)
    torch.testing.assert_close(
        bounded.loss(bounded(hidden, batch), batch), head.loss(head(hidden, batch), batch)
    )
    pairs = head.compare(hidden, batch)
    assert pairs[1] is None
    assert [pair[1] for pair in pairs if pair] == [1.5, -100.0, 0.25]
    with pytest.raises(NotImplementedError, match="RegressionHead, the head of 'score', has no"):
        head.probabilities(hidden, batch)


def test_the_scale_is_kept_with_the_weights():
    stored = Regression("score", mean=3.0, spread=2.0).head(4).state_dict()
    head = Regression("score").head(4)
    head.load_state_dict(stored)
    assert (float(head.mean), float(head.spread)) == (3.0, 2.0)


def test_a_pair_is_compared():
    segments = [[0, 0, 1], [0, 1]]
    examples = [Example([5] * len(s), {"score": 0.5}, s) for s in segments]
    batch = collate(examples)
    task = Regression("score", texts=("a", "b"), pooling="compare")
    head, hidden = task.head(6).double(), states_of(batch)
    torch.testing.assert_close(
        head(hidden, batch), head.output(compared_means(hidden, batch.inputs))[:, 0]
    )
    assert head.reads(batch.inputs)
    assert not head.reads(batch_of().inputs)
    with pytest.raises(ValueError, match="no segment ids"):
        head(states_of(batch_of()), batch_of())
    with pytest.raises(ValueError, match="pooling must be one of"):
        Regression("score", pooling="compare")


# Rows.


def test_rows_are_read_by_column():
    task = Regression("score", texts=("a", "b"), value="rating")
    row = {"a": "x y", "b": ["z"], "rating": np.float32(0.5)}
    assert task.read(row) == ("x y", ["z"])
    assert Regression("score", texts=["a"]).read(row) == ("x y", None)
    assert task.target(row, encoded()) == 0.5
    assert task.target({"rating": 3}, encoded()) == 3.0
    assert type(task.target({"rating": 3}, encoded())) is float
    assert task.target({"rating": -100}, encoded()) == -100.0
    assert task.target({"rating": NAN}, encoded()) is None
    assert task.target({"rating": None}, encoded()) is None
    assert task.named([0.5, 1]) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("error", "message", "row"),
    [
        (TypeError, "The column 'value' of 'score' must be a number.*'3.5'", {"value": "3.5"}),
        (TypeError, "must be a number.*True", {"value": True}),
        (ValueError, r"must lie in \[0, 5\], got 5.5", {"value": 5.5}),
        (ValueError, "got inf", {"value": math.inf}),
    ],
)
def test_rows_that_have_no_number(error, message, row):
    with pytest.raises(error, match=message):
        Regression("score", bounds=(0, 5)).target(row, encoded())


def test_columns_that_hold_no_text():
    with pytest.raises(TypeError, match="The column 'text' must hold a text or words, got int 3"):
        Regression("score").read({"text": 3})


# Measures.


@settings(max_examples=60)
@given(st.lists(st.tuples(values | few, values | few), min_size=2, max_size=30))
def test_measures_are_those_of_scipy(pairs):
    found, expected = map(list, zip(*pairs, strict=True))
    measured = Regression("score").metrics(found, expected)
    assert measured["mse"] == pytest.approx(np.mean(np.subtract(found, expected) ** 2))
    if len(set(found)) == 1 or len(set(expected)) == 1:
        assert (measured["pearson"], measured["spearman"]) == (0.0, 0.0)
        return
    spread = min(np.std(found) / (1e-9 + np.abs(found).max()), np.std(expected))
    if spread > 1e-6:  # SciPy warns of what is nearly constant
        assert measured["pearson"] == pytest.approx(stats.pearsonr(found, expected)[0], abs=1e-9)
    assert measured["spearman"] == pytest.approx(stats.spearmanr(found, expected)[0], abs=1e-9)


def test_measures_leave_out_what_is_missing():
    task = Regression("score")
    whole = task.metrics([1.0, 2.0, 4.0], [2.0, 1.0, 5.0])
    assert task.metrics([1.0, 9.0, 2.0, 4.0, 0.0], [2.0, None, 1.0, 5.0, NAN]) == whole
    column = datasets.Dataset.from_dict({"v": [2.0, None, 1.0, 5.0, None]})["v"]
    assert task.metrics(torch.tensor([1.0, 9.0, 2.0, 4.0, 0.0]), column) == whole


@pytest.mark.filterwarnings("error")
def test_constant_and_boundless_predictions_are_measured_without_a_warning():
    task = Regression("score")
    constant = task.metrics([0.1, 0.1, 0.1], [1.0, 2.0, 3.0])
    assert (constant["pearson"], constant["spearman"]) == (0.0, 0.0)
    assert task.metrics([1e300, 2e300, 4e300], [1.0, 2.0, 4.0])["pearson"] == pytest.approx(1.0)
    lost = task.metrics([NAN, 1.0], [1.0, 2.0])
    assert all(math.isnan(value) for value in lost.values())


# Training.


def joint_model():
    torch.manual_seed(0)
    tasks = [
        Regression("score", pooling="mean", mean=4.5, spread=2.0),
        Classification("topic", ("low", "high"), pooling="mean"),
    ]
    return MultiTaskModel(HardSharing(BiLSTMEncoder(12, 16, dropout=0.0)), tasks)


def joint_examples():
    generator = torch.Generator().manual_seed(1)
    examples = []
    for number in range(60):
        ids = torch.randint(3, 12, (4,), generator=generator).tolist()
        mean = sum(ids) / 4
        labels = {"score": mean} if number % 3 else {"topic": int(mean > 7)}
        examples.append(Example(ids, labels))
    return examples


def test_it_is_learnt_beside_another_task_and_goes_on_bit_for_bit_where_it_was_cut(tmp_path):
    loader = BatchLoader(joint_examples(), batch_size=7, seed=3)

    def trained(epochs, checkpoint=None):
        model = joint_model()
        config = TrainerConfig(epochs=epochs, learning_rate=0.02, schedule="constant")
        Trainer(model, config, checkpoint=checkpoint, progress=False).fit(loader)
        return model

    whole = trained(16)
    trained(8, tmp_path / "run.pt")
    cut = trained(16, tmp_path / "run.pt")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, cut.state_dict()[name]), name
    measured = whole.evaluate(joint_examples())
    assert measured["score_pearson"] > 0.9
    assert measured["topic_accuracy"] > 0.9
    losses = evaluate_losses(whole, loader)
    assert losses["score"] == pytest.approx(measured["score_mse"] / 4, rel=1e-5)
