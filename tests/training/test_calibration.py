"""Temperature scaling: a known temperature is found again, and it survives with the weights."""

import math

import pytest
import torch

from mtl_utils.data import BatchLoader, Example
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, MultiLabel, Regression, Tagging, calibration
from mtl_utils.tasks.temperature import LARGEST_TEMPERATURE, fit_temperature
from mtl_utils.training import calibrate, evaluate_losses

LABELS = ("a", "b", "c")
TASKS = {
    "classes": Classification("x", LABELS, pooling="mean", class_weights={"a": 3.0}),
    "several": MultiLabel("x", LABELS, pooling="mean"),
    "tags": Tagging("x", LABELS),
    "crf": Tagging("x", LABELS, crf=True),
}


def model_of(task):
    torch.manual_seed(0)
    model = MultiTaskModel(HardSharing(BiLSTMEncoder(60, 24, dropout=0.0)), [task])
    with torch.no_grad():
        for parameter in model.head("x").parameters():
            parameter.copy_(torch.randn_like(parameter) * 3)
    return model.eval()


def drawn(model, ids, true_temperature, generator):
    """Draw labels from the model's own distribution at a temperature."""
    examples = [Example(row) for row in ids]
    loader = BatchLoader(examples, batch_size=len(examples), shuffle=False)
    (batch,) = loader
    head = model.head("x")
    head.temperature = torch.tensor(true_temperature)
    with torch.no_grad():
        hidden = model.sharing(batch, ["x"]).hidden["x"]
        if getattr(head, "crf", None) is None:
            found = torch.tensor(head.probabilities(hidden, batch))
        else:
            return sampled_from_crf(head, head.output(hidden) / true_temperature, generator)
    head.temperature = None
    if isinstance(model.tasks["x"], MultiLabel):
        return torch.bernoulli(found, generator=generator).long().tolist()
    flat = torch.multinomial(found.flatten(0, -2), 1, generator=generator)
    return flat.view(found.shape[:-1]).tolist()


def sampled_from_crf(head, emissions, generator):
    """Draw among all sequences of two tags."""
    crf, temperature = head.crf, float(head.temperature)
    head.temperature = None
    scores = emissions[:, 0, :, None] + emissions[:, 1, None, :]
    ends = crf.start[:, None] + crf.transitions + crf.end
    pairs = (scores + ends.detach() / temperature).flatten(1).softmax(dim=1)
    chosen = torch.multinomial(pairs, 1, generator=generator).squeeze(1)
    return torch.stack([chosen // 3, chosen % 3], dim=1).tolist()


@pytest.mark.parametrize("true_temperature", [0.6, 2.5])
@pytest.mark.parametrize("kind", TASKS)
def test_a_known_temperature_is_found_again(kind, true_temperature):
    model = model_of(TASKS[kind])
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(4, 60, (6000, 2), generator=generator).tolist()
    labels = drawn(model, ids, true_temperature, generator)
    examples = [Example(row, {"x": label}) for row, label in zip(ids, labels, strict=True)]
    loader = BatchLoader(examples, batch_size=1000)
    before = evaluate_losses(model, loader)
    found = calibrate(model, loader)
    assert found["x"] == pytest.approx(true_temperature, rel=0.06)
    assert float(model.head("x").temperature) == pytest.approx(found["x"])
    assert evaluate_losses(model, loader) == before  # losses do not know it
    if kind == "classes":
        (batch,) = BatchLoader(examples, batch_size=6000, shuffle=False)
        with torch.no_grad():
            hidden = model.sharing(batch, ["x"]).hidden["x"]
        sure = torch.tensor(model.head("x").probabilities(hidden, batch))
        plain = model.head("x")(hidden, batch).softmax(dim=-1).detach()
        targets = batch.labels["x"]
        error = calibration(sure, targets).expected_error
        assert error < 0.03 < calibration(plain, targets).expected_error


def test_the_minimum_is_that_of_a_closed_form():
    # Of two classes with scores s and 0 and a share p of the first, sigmoid(s / T) = p.
    def likelihood(sharpness):
        scores = torch.tensor([2.0], dtype=torch.float64) * sharpness
        return -(
            7 * torch.nn.functional.logsigmoid(scores) + 3 * torch.nn.functional.logsigmoid(-scores)
        ).sum()

    assert fit_temperature(likelihood) == pytest.approx(2 / math.log(0.7 / 0.3), rel=1e-9)
    assert fit_temperature(lambda sharpness: -sharpness) == 1 / LARGEST_TEMPERATURE
    assert fit_temperature(lambda sharpness: sharpness) == LARGEST_TEMPERATURE


def test_it_survives_with_the_weights_and_is_for_tasks_with_labels():
    tasks = [TASKS["classes"], Regression("score")]

    def made():
        return MultiTaskModel(HardSharing(BiLSTMEncoder(9, 8)), tasks)

    model = made()
    rows = [([4, 5], 0), ([5, 6], 1), ([7], 2), ([6], 0)]
    loader = BatchLoader(
        [Example(ids, {"x": label, "score": 0.5}) for ids, label in rows], batch_size=2
    )
    found = calibrate(model, loader)
    assert list(found) == ["x"]
    other = made()
    other.load_state_dict(model.state_dict())
    assert float(other.head("x").temperature) == pytest.approx(found["x"])
    with pytest.raises(TypeError, match="'score', whose RegressionHead has no labels"):
        calibrate(model, loader, ["score"])
    unlabelled = BatchLoader([Example([4], {"score": 0.5})], batch_size=2)
    with pytest.raises(ValueError, match=r"no label of \['x'\] to calibrate by"):
        calibrate(model, unlabelled)
