"""What stays, what is new and what moves when a model is adapted; weights by number of classes."""

import math

import pytest
import torch

from mtl_utils.data import BatchLoader, Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, TransformerEncoder
from mtl_utils.objectives import FixedWeights
from mtl_utils.sharing import HardSharing, SoftSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import JointBatches, Trainer, TrainerConfig
from mtl_utils.transfer import adapted, class_scaled_weights

ROWS = [
    Example([1, 2, 3], {"kind": 0, "tags": [0, 1, 2]}),
    Example([4, 5], {"kind": 1, "tags": [1, 0]}),
]


def _model(encoder=None):
    torch.manual_seed(0)
    tasks = [Classification("kind", ("a", "b"), pooling="mean"), Tagging("tags", ("x", "y", "z"))]
    return MultiTaskModel(HardSharing(encoder or BiLSTMEncoder(20, 8, dropout=0.5)), tasks)


def test_without_a_step_it_says_what_the_joint_model_says():
    model = _model()
    other = adapted(model, "tags")
    assert list(other.tasks) == ["tags"]
    assert list(model.tasks) == ["kind", "tags"]
    assert other.compare(ROWS)["tags"] == model.compare(ROWS)["tags"]
    assert not {id(p) for p in model.parameters()} & {id(p) for p in other.parameters()}


def test_a_new_task_reads_the_old_encoder_with_a_new_head():
    model = _model()
    other = adapted(model, Classification("event", ("p", "q", "r")))
    assert list(other.tasks) == ["event"]
    before = model.sharing.state_dict()
    assert all(torch.equal(before[k], v) for k, v in other.sharing.state_dict().items())
    with pytest.raises(ValueError, match="has a task 'tags' already"):
        adapted(model, Tagging("tags", ("x", "y", "z")))


def _moved(model, moves):
    other = adapted(model, "kind", moves=moves)
    before = {name: value.clone() for name, value in other.named_parameters()}
    config = TrainerConfig(1, learning_rate=0.1)
    rows = [Example(row.input_ids, {"kind": row.labels["kind"]}) for row in ROWS]
    Trainer(other, config, progress=False).fit(BatchLoader(rows, batch_size=2))
    return {n for n, p in other.named_parameters() if not torch.equal(before[n], p)}


@pytest.mark.parametrize(
    "encoder", [lambda: BiLSTMEncoder(20, 8), lambda: TransformerEncoder(20, 8, 2, 2, 8)]
)
def test_only_what_is_to_move_moves(encoder):
    heads = {"heads.kind.output.weight", "heads.kind.output.bias"}
    assert _moved(_model(encoder()), "head") == heads
    biases = _moved(_model(encoder()), "biases")
    assert heads < biases
    assert all(name.rpartition(".")[2].startswith("bias") for name in biases - heads)
    assert any(name.endswith("weight") for name in _moved(_model(encoder()), "all") - heads)


def test_what_is_held_has_no_dropout():
    other = adapted(_model(), "kind", moves="head").train()
    assert not any(part.training for part in other.sharing.encoder.modules())
    assert other.heads["kind"].training


def test_soft_sharing_keeps_only_its_own_part_moving():
    encoders = {"kind": BiLSTMEncoder(20, 8), "tags": BiLSTMEncoder(20, 8)}
    tasks = [Classification("kind", ("a", "b"), pooling="mean"), Tagging("tags", ("x", "y"))]
    model = MultiTaskModel(SoftSharing(encoders, ["lstm"]), tasks)
    assert adapted(model, "kind").compare(ROWS)["kind"] == model.compare(ROWS)["kind"]


def test_weights_of_classes_are_one_over_the_loss_of_a_guess():
    tasks = [Classification("kind", tuple("abcd")), Classification("one", ("a",))]
    assert class_scaled_weights(tasks) == {"kind": 1 / math.log(4), "one": 1.0}


def _gradient(scale, weights):
    torch.manual_seed(0)
    tasks = [
        Classification("kind", ("a", "b"), pooling="mean", scale=scale),
        Tagging("tags", ("x", "y", "z"), scale=scale),
    ]
    model = MultiTaskModel(HardSharing(BiLSTMEncoder(20, 8)), tasks)
    batch = next(iter(JointBatches([BatchLoader(ROWS, batch_size=2)]).batches()))
    losses = model(batch)
    weights = class_scaled_weights(tasks) if weights else dict.fromkeys(model.tasks, 1.0)
    FixedWeights(weights).backward(losses, model)
    return [parameter.grad for parameter in model.parameters()]


def test_they_are_the_scale_uniform_outside_the_loss():
    for ours, theirs in zip(_gradient("token", True), _gradient("uniform", False), strict=True):
        torch.testing.assert_close(ours, theirs)
