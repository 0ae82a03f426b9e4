"""Several labels a text: loss and gradients against PyTorch, measures against scikit-learn."""

import math

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional

from mtl_utils.data import (
    Batch,
    BatchLoader,
    Example,
    Vocabulary,
    WordTokenizer,
    collate,
    encode_text,
)
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import MultiLabel, balanced_weights, mean_state
from mtl_utils.training import Trainer, TrainerConfig

LABELS = ("joy", "fear", "awe")
TASK = MultiLabel("moods", LABELS)
ROWS = [([4, 5], [1, 0, 1]), ([6], None), ([7, 8, 9, 4], [0, 0, 0]), ([4], [1, None, 0])]
KNOWN = torch.tensor([[1, 1, 1], [0, 0, 0], [1, 1, 1], [1, 0, 1]]).bool()
TARGETS = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0]]).double()
ENCODED = encode_text(WordTokenizer(Vocabulary.from_tokens(["a"])), "a")
subsets = st.lists(st.lists(st.integers(0, 3), unique=True), min_size=1, max_size=8)


def batch_of(rows=ROWS):
    return collate([Example(ids, {"moods": labels}) for ids, labels in rows])


def states_of(batch, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch.inputs.mask.shape, width)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


# The loss.


@pytest.mark.parametrize("weights", [None, {"joy": 3.0, "awe": 0.5}])
@pytest.mark.parametrize(
    ("scale", "divisor"), [("token", 8), ("text", 3), ("uniform", 8 * math.log(2))]
)
def test_the_loss_is_that_of_pytorch(weights, scale, divisor):
    task = MultiLabel("moods", LABELS, pooling="mean", positive_weights=weights, scale=scale)
    head, batch = task.head(6).double(), batch_of()
    hidden = states_of(batch)
    logits = head.output(mean_state(hidden, batch.inputs))
    by_order = None if weights is None else torch.tensor([3.0, 1.0, 0.5]).double()
    expected = (
        functional.binary_cross_entropy_with_logits(
            logits[KNOWN],
            TARGETS[KNOWN],
            pos_weight=None if by_order is None else by_order.expand(4, 3)[KNOWN],
            reduction="sum",
        )
        / divisor
    )
    loss = head.loss(head(hidden, batch), batch)
    torch.testing.assert_close(loss, expected)
    mine, theirs = (torch.autograd.grad(value, hidden)[0] for value in (loss, expected))
    torch.testing.assert_close(mine, theirs)
    assert not mine[1].any()
    assert int(head.count(batch)) == (3 if scale == "text" else 8)


def test_nothing_is_counted_and_nothing_moves_where_all_is_missing():
    batch = batch_of([([4], [None] * 3), ([5, 6], [None] * 3)])
    head, hidden = TASK.head(6).double(), states_of(batch)
    loss = head.loss(head(hidden, batch), batch)
    loss.backward()
    gradients = [hidden.grad, *(parameter.grad for parameter in head.parameters())]
    assert loss == 0
    assert not any(gradient.any() for gradient in gradients)
    assert int(head.count(batch)) == 0
    assert head.compare(hidden, batch) == [None, None]


def test_padding_of_labels_beside_longer_texts_says_nothing():
    # Three tokens and three labels look like a label a token, which reach as far as the inputs.
    rows = [([4, 5, 6], [1, 0, 1]), ([4, 5, 6, 7, 8], None), ([9], None)]
    batch, plain = batch_of(rows), batch_of(rows[:1])
    assert batch.labels["moods"].shape == (3, 5)
    head, hidden = TASK.head(6).double(), states_of(batch)
    torch.testing.assert_close(
        head.loss(head(hidden, batch), batch), head.loss(head(hidden[:1, :3], plain), plain)
    )
    assert [pair and pair[1] for pair in head.compare(hidden, batch)] == [[0, 2], None, None]
    (_, filler) = BatchLoader(
        [Example(ids, {"moods": labels}) for ids, labels in [([4], [1, 0, 1]), ([5], None)]],
        batch_size=1,
        shuffle=False,
    )
    assert filler.labels["moods"].shape == (1, 1)
    assert head.loss(head(hidden[2:, :1], filler), filler) == 0


@pytest.mark.parametrize(
    ("error", "message", "labels"),
    [
        (
            ValueError,
            r"must be \[4, 3\], a 0 or 1 for each label, got \[4, 4\]",
            [[0, 1, 0, 1]] * 4,
        ),
        (ValueError, r"must be \[4, 3\], a 0 or 1 for each label, got \[4, 2\]", [[0, 1]] * 4),
        (ValueError, r"must be \[4, 3\].* got \[4\]", [0, 1, 0, 1]),
        (ValueError, "got 2 for 'fear' in row 0", [[0, 2, 0]] * 4),
        (ValueError, "got -1 for 'joy' in row 0", [[-1, 0, 0]] * 4),
        (TypeError, "must be integers, 0, 1 or -100, got torch.float32", [[0.0, 1.0, 0.0]] * 4),
    ],
)
def test_labels_that_do_not_fit(error, message, labels):
    batch = Batch(batch_of().inputs, {"moods": torch.tensor(labels)})
    with pytest.raises(error, match=message):
        TASK.head(6).loss(torch.zeros(4, 3), batch)


# Predictions.


def test_what_is_likely_enough_is_predicted():
    batch = batch_of()
    head = MultiLabel("moods", LABELS, threshold=0.7).head(6).double().eval()
    hidden = states_of(batch) * 4
    expected = head(hidden, batch).sigmoid()
    torch.testing.assert_close(torch.tensor(head.probabilities(hidden, batch)).double(), expected)
    found = head.predict(hidden, batch)
    assert found == [[i for i in range(3) if row[i] >= 0.7] for row in expected.tolist()]
    assert 0 < sum(map(len, found)) < 12
    assert TASK.named(found) == [[LABELS[i] for i in row] for row in found]
    pairs = head.compare(hidden, batch)
    assert [pair and pair[1] for pair in pairs] == [[0, 2], None, [], [0]]
    assert pairs[0][0] == found[0]
    assert pairs[3][0] == [i for i in found[3] if i != 1]  # fear is not known there


# Rows.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["awe", "joy"], [1, 0, 1]),
        ([2, 0], [1, 0, 1]),
        ((0, 1), [1, 1, 0]),
        ([], [0, 0, 0]),
        (np.array([2]), [0, 0, 1]),
        ([True, False, True], [1, 0, 1]),
        (np.array([True, False, True]), [1, 0, 1]),
        (None, None),
        (math.nan, None),
    ],
)
def test_rows_are_read_by_name_and_by_id(given, expected):
    assert TASK.target({"labels": given}, ENCODED) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 0, 1], [1, 0, 1]),
        ([0, 0, 0], [0, 0, 0]),
        (np.array([1.0, 0.0, math.nan]), [1, 0, -100]),
        ([True, None, False], [1, -100, 0]),
        (None, None),
    ],
)
def test_a_vector_is_read_where_it_is_said_to_be_one(given, expected):
    task = MultiLabel("moods", LABELS, vector=True, text="t", labels_column="m")
    assert task.target({"m": given}, ENCODED) == expected
    assert task.read({"t": "a b", "m": given}) == ("a b", None)


@pytest.mark.parametrize(
    ("error", "message", "vector", "given"),
    [
        (ValueError, "'fear' of 'moods' is twice in labels.*vector=True", False, [1, 0, 1]),
        (ValueError, "3 is not the id of a label", False, [3]),
        (ValueError, "-1 is not the id of a label", False, [-1]),
        (KeyError, "'rage' is not a label", False, ["rage"]),
        (TypeError, "Expected several labels of 'moods', got 'joy'", False, "joy"),
        (TypeError, "got 1.0", False, [1.0, 0.0, 1.0]),
        (ValueError, "a 0 or 1 for each of 3 labels, got 2", True, [1, 0]),
        (ValueError, "a 0 or 1 for each label, got 2", True, [0, 1, 2]),
        (ValueError, "a 0 or 1 for each label, got 'joy'", True, ["joy", 0, 1]),
        (TypeError, "must be a list of a 0 or 1.*got str 'joy'", True, "joy"),
        (ValueError, "each of 3 labels, got 4", False, [True] * 4),
    ],
)
def test_rows_that_say_something_else(error, message, vector, given):
    task = MultiLabel("moods", LABELS, vector=vector)
    with pytest.raises(error, match=message):
        task.target({"labels": given}, ENCODED)


# Measures.


@settings(max_examples=80)
@given(st.data(), subsets)
def test_measures_are_those_of_scikit_learn(data, expected):
    size = len(expected)
    found = data.draw(
        st.lists(st.lists(st.integers(0, 3), unique=True), min_size=size, max_size=size)
    )
    task = MultiLabel("x", ("a", "b", "c", "d"))
    measured = task.metrics(found, expected)
    truth, guess = (np.array([task.label(row) for row in rows]) for rows in (expected, found))
    occurring = np.flatnonzero(truth.any(axis=0) | guess.any(axis=0))
    assert measured["accuracy"] == accuracy_score(truth, guess)
    micro = f1_score(truth, guess, average="micro", zero_division=0)
    assert measured["micro_f1"] == pytest.approx(micro)
    macro = (
        f1_score(truth, guess, labels=occurring, average="macro", zero_division=0)
        if len(occurring)
        else 0.0
    )
    assert measured["macro_f1"] == pytest.approx(macro)


def test_measures_take_names_and_columns_and_leave_out_what_is_not_known():
    found = [["joy"], ["fear", "awe"], []]
    whole = TASK.metrics(found[:2], [[0], [1]])
    assert TASK.metrics(found, [["joy"], ["fear"], None]) == whole
    # A column whose ids mean something else is read by its names.
    feature = datasets.List(datasets.ClassLabel(names=["fear", "joy"]))
    column = datasets.Dataset.from_dict(
        {"m": [[1], [0]]}, features=datasets.Features({"m": feature})
    )["m"]
    assert TASK.metrics(found[:2], column) == whole


# Weights.


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    column = ["joy", "awe", "joy", "joy", None, "awe", "joy"]
    known = [label for label in column if label]
    expected = compute_class_weight("balanced", classes=np.array(["joy", "awe"]), y=known)
    assert balanced_weights(LABELS, column) == pytest.approx(
        {"joy": expected[0], "awe": expected[1]}
    )
    tags = [[0, 2, 0], None, [0, -100], [2, 0]]
    assert balanced_weights(LABELS, tags) == balanced_weights(LABELS, [0, 2, 0, 0, 2, 0])


# Training.


def test_it_is_learnt_and_weights_survive_with_their_labels():
    torch.manual_seed(0)
    model = MultiTaskModel(
        HardSharing(BiLSTMEncoder(9, 16, dropout=0.0)),
        [MultiLabel("moods", LABELS, pooling="mean")],
    )
    generator = torch.Generator().manual_seed(1)
    texts = [torch.randint(4, 9, (5,), generator=generator).tolist() for _ in range(60)]
    examples = [Example(ids, {"moods": [int(n in ids) for n in (4, 5, 6)]}) for ids in texts]
    loader = BatchLoader(examples, batch_size=8)
    Trainer(model, TrainerConfig(epochs=20, learning_rate=0.02), progress=False).fit(loader)
    measured = model.evaluate(examples)
    assert measured["moods_micro_f1"] > 0.95
    assert measured["moods_accuracy"] > 0.9
    other = MultiLabel("moods", LABELS[::-1], pooling="mean").head(16)
    with pytest.raises(ValueError, match="in another order"):
        other.load_state_dict(TASK.head(16).state_dict())
