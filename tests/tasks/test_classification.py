"""Classifying texts and pairs: what is pooled, the loss, and scikit-learn's own numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional

from mtl_utils.data import Batch, Example, Inputs, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, TransformerEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, PairClassification

WIDTH, LABELS = 5, ("sport", "politics", "science", "culture")
EXACT = {"atol": 1e-9, "rtol": 1e-9}
TOPIC = Classification("topic", LABELS)
KINDS = [
    (Classification, "first"),
    (Classification, "mean"),
    (PairClassification, "first"),
    (PairClassification, "compare"),
    (PairClassification, "align"),
]
of_each_kind = pytest.mark.parametrize(("kind", "pooling"), KINDS)
seeds = st.integers(0, 2**31)
labels = st.sampled_from([-100, 0, 1, 2, 3])
# Of each row: its label and the lengths of its two texts.
rows_of_pairs = st.lists(
    st.tuples(labels, st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=5
)
ROWS = [(1, 2, 3), (-100, 1, 1), (3, 4, 2), (0, 1, 4)]


def make(kind, pooling, seed=0, **settings):
    """Return a head whose parameters are all drawn at random."""
    head = kind("topic", LABELS, pooling, **settings).head(WIDTH).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return head


def some_batch(rows, seed=0):
    """Return hidden states, nan at padding, and a batch of pairs."""
    examples = [
        Example([5] * (first + second), {"topic": label}, [0] * first + [1] * second)
        for label, first, second in rows
    ]
    batch = collate(examples)
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch.inputs.mask.shape, WIDTH)
    hidden = torch.randn(shape, generator=generator, dtype=torch.float64) * 3
    return hidden.masked_fill(~batch.inputs.mask.unsqueeze(2), torch.nan), batch


def aligned_by_hand(comparison, states, first):
    """Compare each token with those of the other text, one token after another."""
    texts, contrasts = (states[:first], states[first:]), []
    for text, other in (texts, texts[::-1]):
        contrasts.append([])
        for state in text:
            matches = [
                (comparison.match.weight @ state) @ (comparison.match.weight @ there)
                for there in other
            ]
            likeness = torch.stack(matches) / len(state) ** 0.5
            found = sum(
                share * there for share, there in zip(likeness.softmax(0), other, strict=True)
            )
            parts = torch.cat([state, found, (state - found).abs(), state * found])
            contrasts[-1].append(torch.relu(comparison.contrast(parts)))
    means = [sum(contrast) / len(contrast) for contrast in contrasts]
    return torch.cat([*means, *(torch.stack(contrast).amax(0) for contrast in contrasts)])


def pooled_by_hand(head, pooling, states, first):
    """What is pooled of one row, from its states ``[T, D]`` and the length of its first text."""
    if pooling == "align":
        return aligned_by_hand(head.pool.comparison, states, first)
    u, v = states[:first].mean(dim=0), states[first:].mean(dim=0)
    return {
        "first": states[0],
        "mean": states.mean(dim=0),
        "compare": torch.cat([u, v, (u - v).abs(), u * v]),
    }[pooling]


def logits_by_hand(head, pooling, hidden, rows):
    return torch.stack(
        [
            head.output.weight @ pooled_by_hand(head, pooling, states[: first + second], first)
            + head.output.bias
            for states, (_, first, second) in zip(hidden, rows, strict=True)
        ]
    )


@of_each_kind
@settings(max_examples=20)
@given(rows_of_pairs, seeds)
def test_logits_loss_and_predictions_are_those_of_each_row_by_hand(kind, pooling, rows, seed):
    hidden, batch = some_batch(rows, seed)
    head = make(kind, pooling, seed, smoothing=0.2)
    expected = logits_by_hand(head, pooling, hidden, rows)
    logits, targets = head(hidden, batch), batch.labels["topic"]
    torch.testing.assert_close(logits, expected, **EXACT)
    assert head.predict(hidden, batch) == expected.argmax(dim=1).tolist()
    assert head.count(batch) == (targets != -100).sum()
    if not head.count(batch):
        return
    loss = functional.cross_entropy(expected, targets)
    torch.testing.assert_close(head.loss(logits, batch), loss, **EXACT)
    head.train()  # smoothing is for training alone
    smoothed = functional.cross_entropy(expected, targets, label_smoothing=0.2)
    torch.testing.assert_close(head.loss(logits, batch), smoothed, **EXACT)


@of_each_kind
def test_a_missing_label_costs_nothing_and_moves_nothing(kind, pooling):
    hidden, batch = some_batch(ROWS)
    hidden = hidden.nan_to_num().requires_grad_()
    head = make(kind, pooling)
    head.loss(head(hidden, batch), batch).backward()
    moved = hidden.grad.flatten(1).any(dim=1)
    assert moved.tolist() == [label != -100 for label, _, _ in ROWS]
    assert not hidden.grad[~batch.inputs.mask].any()

    head.zero_grad()
    hidden.grad = None
    nothing = Batch(batch.inputs, {"topic": torch.full_like(batch.labels["topic"], -100)})
    loss = head.loss(head(hidden, nothing), nothing)
    loss.backward()
    assert loss.item() == 0
    assert head.count(nothing) == 0
    assert not hidden.grad.any()
    assert not any(p.grad.any() for p in head.parameters())


@of_each_kind
def test_dropout_acts_in_training_alone(kind, pooling):
    hidden, batch = some_batch(ROWS)
    head = make(kind, pooling, dropout=0.5)
    assert torch.equal(head(hidden, batch), head(hidden, batch))
    head.train()
    assert not torch.equal(head(hidden, batch), head(hidden, batch))
    assert head.predict(hidden, batch) == make(kind, pooling).predict(hidden, batch)


@of_each_kind
def test_a_text_without_tokens_is_scored_by_the_bias_alone(kind, pooling):
    inputs = Inputs(*(torch.zeros(2, 1, dtype=dtype) for dtype in (int, bool, int)))
    head = make(kind, pooling)
    hidden = torch.full((2, 1, WIDTH), torch.nan, dtype=torch.float64)
    assert torch.equal(head(hidden, Batch(inputs)), head.output.bias.expand(2, -1))


@pytest.mark.parametrize("pooling", ["first", "compare", "align"])
def test_pairs_need_segment_ids(pooling):
    hidden, batch = some_batch(ROWS)
    single = Batch(Inputs(batch.inputs.input_ids, batch.inputs.mask), batch.labels)
    head = make(PairClassification, pooling)
    for call in (head, head.predict):
        with pytest.raises(ValueError, match=r"no segment ids.*Make pairs with data\.encode_pair"):
            call(hidden, single)
    assert torch.equal(
        make(Classification, "first")(hidden, single), make(Classification, "first")(hidden, batch)
    )


# In a model.


def encoders():
    yield TransformerEncoder(20, 8, 1, 2, dropout=0.0), "first"
    yield BiLSTMEncoder(20, 8, dropout=0.0), "compare"


def test_neither_padding_nor_the_order_of_rows_matters_and_each_loss_moves_its_own_head():
    generator = torch.Generator().manual_seed(0)
    examples = [
        Example(
            torch.randint(4, 20, (a + b,), generator=generator).tolist(),
            {"topic": label, "inference": label if label < 3 else -100},
            [0] * a + [1] * b,
        )
        for label, a, b in ROWS
    ]
    for encoder, pooling in encoders():
        tasks = [
            Classification("topic", LABELS, "mean"),
            PairClassification("inference", LABELS[:3], pooling),
        ]
        model = MultiTaskModel(HardSharing(encoder), tasks).double().eval()
        together, backwards = model(collate(examples)), model(collate(examples[::-1]))
        predicted = model.predict(collate(examples))
        for task in ("topic", "inference"):
            loss = together.by_task[task]
            torch.testing.assert_close(backwards.by_task[task], loss, **EXACT)
            alone = [model(collate([example])) for example in examples]
            total = sum(part.by_task[task] * part.counts[task] for part in alone)
            torch.testing.assert_close(total / together.counts[task], loss, **EXACT)
            apart = [model.predict(collate([example]), [task])[task][0] for example in examples]
            assert apart == predicted[task]
            model.zero_grad()
            loss.backward(retain_graph=True)
            moved = {
                name.split(".")[1]
                for name, p in model.named_parameters()
                if name.startswith("heads.") and p.grad is not None
            }
            assert moved == {task}
            assert all(p.grad.any() for p in model.task_parameters(task))


# Metrics and names.


@given(st.lists(st.tuples(st.integers(0, 3), labels), min_size=1, max_size=12))
def test_metrics_are_those_of_scikit_learn(pairs):
    predictions, references = [p for p, _ in pairs], [r for _, r in pairs]
    counted = [(p, r) for p, r in pairs if r != -100]
    if not counted:
        with pytest.raises(ValueError, match="No row has a label of 'topic'"):
            TOPIC.metrics(predictions, references)
        return
    found, expected = zip(*counted, strict=True)
    assert TOPIC.metrics(predictions, references) == {
        "accuracy": pytest.approx(accuracy_score(expected, found)),
        "macro_f1": pytest.approx(f1_score(expected, found, average="macro", zero_division=0)),
    }


def test_ids_and_names_are_the_same():
    ids, names = [0, 3, 1], ["sport", "culture", "politics"]
    one = TOPIC.metrics(ids, [0, 3, 2])
    assert one == TOPIC.metrics(names, torch.tensor([0, 3, 2]))
    assert one == TOPIC.metrics(torch.tensor(ids), ["sport", "culture", "science"])
    assert one == {"accuracy": pytest.approx(2 / 3), "macro_f1": 0.5}
    assert [TOPIC.id_of(name) for name in names] == ids == [TOPIC.id_of(index) for index in ids]
    assert TOPIC.names(ids) == names == TOPIC.names(names)
    # A prediction is not looked at where nothing is expected.
    assert TOPIC.metrics([0, 99, "?"], [0, -100, -100])["accuracy"] == 1


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (KeyError, "'weather' is not a label of 'topic'", lambda: TOPIC.id_of("weather")),
        (ValueError, "4 is not the id of a label of 'topic'.*0 to 3", lambda: TOPIC.id_of(4)),
        (ValueError, "-1 is not the id of a label", lambda: TOPIC.names([0, -1])),
        (ValueError, "got 1 for 2", lambda: TOPIC.metrics([0], [0, 1])),
        (ValueError, "nothing to measure", lambda: TOPIC.metrics([], [])),
        (ValueError, "4 is not the id", lambda: TOPIC.metrics([4], [0])),
        (KeyError, "'x' is not a label", lambda: TOPIC.metrics([0], ["x"])),
        (ValueError, "at least one label and none twice", lambda: Classification("t", ())),
        (ValueError, "none twice, got", lambda: PairClassification("t", ("a", "b", "a"))),
        (
            ValueError,
            r"Classification has the poolings \['first', 'mean'\], got 'compare'",
            lambda: Classification("t", ("a",), "compare"),
        ),
        (
            ValueError,
            r"PairClassification has the poolings \['first', 'compare', 'align'\], got 'mean'",
            lambda: PairClassification("t", ("a",), "mean"),
        ),
        (
            ValueError,
            r"smoothing must lie in \[0, 1\]",
            lambda: Classification("t", ("a", "b"), smoothing=2),
        ),
        (
            ValueError,
            r"dropout must lie in \[0, 1\)",
            lambda: Classification("t", ("a", "b"), dropout=1),
        ),
    ],
)
def test_what_is_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ("Target 4 is not a class: 4 logits have the classes 0 to 3", torch.tensor([0, 4, 1, 1])),
        (r"need targets \[4\], got \[4, 2\]", torch.zeros(4, 2).long()),
    ],
)
def test_labels_that_do_not_fit(message, wrong):
    hidden, batch = some_batch(ROWS)
    head = make(Classification, "first")
    with pytest.raises(ValueError, match=message):
        head.loss(head(hidden, batch), Batch(batch.inputs, {"topic": wrong}))
