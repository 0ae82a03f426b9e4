"""Language modelling as a task: numbers by hand, on causal states alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Batch, Example, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, LSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import LanguageModeling

VOCABULARY, WIDTH = 9, 6
sentences = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=6)


def make(seed=0, **settings):
    torch.manual_seed(seed)
    encoder = LSTMEncoder(VOCABULARY, WIDTH, dropout=0.0)
    task = LanguageModeling("lm", VOCABULARY, **settings)
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
