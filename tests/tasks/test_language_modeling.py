"""Language modelling as a task: numbers by hand, on causal states alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Batch, Example, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, LSTMEncoder
from mtl_utils.objectives import sequence_loss
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import LanguageModeling

VOCABULARY, WIDTH = 9, 6
EXACT = {"atol": 1e-12, "rtol": 1e-12}
sentences = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=6)


def make(seed=0, **settings):
    torch.manual_seed(seed)
    encoder = LSTMEncoder(VOCABULARY, WIDTH, dropout=0.0)
    scale = {} if "per" in settings else {"scale": "token"}
    task = LanguageModeling("lm", VOCABULARY, **scale, **settings)
    return MultiTaskModel(HardSharing(encoder), [task]).double().eval(), task


def batch_of(task, rows):
    return collate([Example(row, {task.name: task.label(row)}) for row in rows])


def by_hand(model, row):
    """Return the log-probability of each token after the first, one prefix after the other."""
    encoder, output = model.sharing.encoder, model.head("lm").output
    found = []
    for position in range(1, len(row)):
        prefix = torch.tensor([row[:position]])
        state = encoder.lstm(encoder.embedding.weight[prefix])[0][0, -1]
        logits = output.weight @ state + output.bias
        found.append(float((logits[row[position]] - logits.logsumexp(0)).detach()))
    return found


def test_a_label_is_the_next_token():
    task = LanguageModeling("lm", VOCABULARY)
    assert task.label([2, 5, 7, 3]) == [5, 7, 3, -100]
    assert task.label([2]) == [-100]


@settings(max_examples=25)
@given(st.lists(sentences, min_size=1, max_size=4), st.integers(0, 2**31))
def test_loss_predictions_and_perplexity_by_hand(rows, seed):
    model, task = make(seed)
    batch = batch_of(task, rows)
    expected = [by_hand(model, row) for row in rows]
    count = sum(map(len, expected))
    losses = model(batch)
    loss = -math.fsum(number for row in expected for number in row) / max(1, count)
    assert losses.by_task["lm"].item() == pytest.approx(loss, abs=1e-12)
    assert losses.counts["lm"].item() == count

    predicted = model.predict(batch)["lm"]
    assert [len(row) for row in predicted] == [len(row) - 1 for row in rows]
    for found, numbers in zip(predicted, expected, strict=True):
        assert found == pytest.approx(numbers, abs=1e-12)
    if count:
        perplexity = task.metrics(predicted, rows)["perplexity"]
        assert perplexity == pytest.approx(math.exp(losses.by_task["lm"].item()))


def test_labels_are_not_needed_to_predict():
    model, task = make()
    batch = batch_of(task, [[2, 4, 3], [2, 3]])
    unlabelled = Batch(batch.inputs)
    assert model.predict(unlabelled) == model.predict(batch)


def test_smoothing_is_for_training_alone():
    model, task = make(smoothing=0.2)
    batch = batch_of(task, [[2, 4, 6, 3], [2, 3]])
    hidden = model.sharing.encoder(batch.inputs)
    logits, targets = model.head("lm").output(hidden), batch.labels["lm"]
    for smoothing in (0.0, 0.2):
        model.train(smoothing > 0)
        expected = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), label_smoothing=smoothing
        )
        torch.testing.assert_close(model(batch).by_task["lm"], expected, atol=1e-12, rtol=1e-12)


@settings(max_examples=25)
@given(st.lists(sentences, min_size=1, max_size=4), st.integers(0, 2**31))
def test_a_loss_per_sequence_is_the_likelihood_of_whole_sequences(rows, seed):
    model, task = make(seed, per="sequence")
    batch = batch_of(task, rows)
    expected = [sum(by_hand(model, row)) for row in rows]
    count = sum(len(row) > 1 for row in rows)  # of one token nothing is predicted
    losses = model(batch)
    loss = losses.by_task["lm"]
    assert loss.item() == pytest.approx(-sum(expected) / max(1, count), abs=1e-12)
    assert losses.counts["lm"].item() == count
    logits = model.head("lm").output(model.sharing.encoder(batch.inputs))
    torch.testing.assert_close(loss, sequence_loss(logits, batch.labels["lm"]), **EXACT)

    per_token, _ = make(seed)
    of_tokens = per_token(batch)
    total = of_tokens.by_task["lm"] * of_tokens.counts["lm"]
    torch.testing.assert_close(loss * count, total, **EXACT)
    assert model.predict(batch) == per_token.predict(batch)


@pytest.mark.parametrize("per", ["token", "sequence"])
@settings(max_examples=20)
@given(
    rows=st.lists(sentences, min_size=1, max_size=5),
    unlabelled=st.sets(st.integers(0, 4)),
    cut=st.integers(0, 5),
)
def test_means_of_parts_weighted_by_counts_are_the_mean_of_the_whole(per, rows, unlabelled, cut):
    """A part may have no label at all."""
    model, task = make(per=per)
    batch = batch_of(task, rows)
    labels = batch.labels["lm"].clone()
    labels[[index for index in unlabelled if index < len(rows)]] = -100
    whole = model(Batch(batch.inputs, {"lm": labels}))
    total, counted = 0.0, 0
    for part in (slice(0, cut), slice(cut, len(rows))):
        indices = torch.arange(len(rows))[part]
        if len(indices):
            losses = model(Batch(batch.inputs.rows(indices), {"lm": labels[part]}))
            total = total + losses.by_task["lm"] * losses.counts["lm"]
            counted = counted + losses.counts["lm"]
    assert counted == whole.counts["lm"]
    torch.testing.assert_close(total, whole.by_task["lm"] * counted, **EXACT)


def test_a_loss_per_sequence_counts_rows_that_have_a_label():
    """One label is enough; a row without any neither counts nor moves anything."""
    model, task = make(per="sequence")
    batch = batch_of(task, [[2, 4, 3], [7, 8, 3], [2, 5, 3], [6]])
    labels = batch.labels["lm"].clone()
    labels[1] = -100
    labels[2, 0] = -100
    losses = model(Batch(batch.inputs, {"lm": labels}))
    assert losses.counts["lm"].item() == 2
    expected = sum(by_hand(model, [2, 4, 3])) + by_hand(model, [2, 5, 3])[1]
    assert losses.by_task["lm"].item() == pytest.approx(-expected / 2, abs=1e-12)
    losses.by_task["lm"].backward()
    read = model.sharing.encoder.embedding.weight.grad.any(dim=1)
    assert read.nonzero().flatten().tolist() == [2, 4, 5]

    model.zero_grad()
    losses = model(Batch(batch.inputs, {"lm": torch.full_like(labels, -100)}))
    losses.by_task["lm"].backward()
    assert losses.by_task["lm"].item() == losses.counts["lm"].item() == 0
    assert not any(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"per": "word"}, 'per must be "token" or "sequence", got \'word\''),
        (
            {"per": "sequence", "smoothing": 0.1},
            r"per sequence is not smoothed; got smoothing=0\.1",
        ),
    ],
)
def test_a_loss_that_does_not_exist(settings, message):
    with pytest.raises(ValueError, match=message):
        LanguageModeling("lm", VOCABULARY, **settings)


def test_a_model_that_reads_both_ways_is_refused():
    encoder = BiLSTMEncoder(VOCABULARY, WIDTH)
    with pytest.raises(ValueError, match=r"'lm' predicts the next token.*both directions.*LSTM"):
        MultiTaskModel(HardSharing(encoder), [LanguageModeling("lm", VOCABULARY)])


def test_a_uniform_model_is_as_uncertain_as_its_vocabulary():
    model, task = make()
    with torch.no_grad():
        model.head("lm").output.weight.zero_()
        model.head("lm").output.bias.fill_(3.0)
    rows = [[2, 4, 6, 3], [2, 3]]
    perplexity = task.metrics(model.predict(batch_of(task, rows))["lm"], rows)["perplexity"]
    assert perplexity == pytest.approx(VOCABULARY)


def test_a_hopeless_model_is_infinitely_uncertain():
    task = LanguageModeling("lm", VOCABULARY)
    assert task.metrics([[-800.0]], [[2, 3]]) == {"perplexity": math.inf}
    assert task.metrics([[-math.inf]], [[2, 3]]) == {"perplexity": math.inf}


@pytest.mark.parametrize(
    ("predictions", "references"),
    [
        ([], []),
        ([[]], [[2]]),
        ([[-1.0]], [[2, 3, 4]]),
        ([[-1.0]], [[2, 3], [2, 3]]),
        ([[-1.0, -1.0], [-1.0]], [[2, 3], [2, 3, 4]]),
    ],
)
def test_predictions_that_do_not_fit(predictions, references):
    with pytest.raises(ValueError, match="one log-probability for each token after the first"):
        LanguageModeling("lm", VOCABULARY).metrics(predictions, references)


@pytest.mark.parametrize(
    ("error", "message", "settings"),
    [
        (ValueError, "vocab_size must be at least 1, got 0", {"vocab_size": 0}),
        (ValueError, r"smoothing must lie in \[0, 1\], got 2", {"smoothing": 2}),
        (ValueError, r"smoothing must lie in \[0, 1\], got nan", {"smoothing": float("nan")}),
        (TypeError, r"smoothing must be a number in \[0, 1\], got str '0.1'", {"smoothing": "0.1"}),
    ],
)
def test_settings_out_of_range(error, message, settings):
    with pytest.raises(error, match=message):
        LanguageModeling("lm", **{"vocab_size": 5, **settings})
