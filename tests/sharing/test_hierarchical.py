"""Tasks at layers of their own choice: which layers a loss moves, and what holds them."""

import copy

import pytest
import torch
from tiny_sharing import (
    EXACT,
    TASKS,
    WIDTH,
    all_encoders,
    batch_of,
    bilstm,
    encoders,
    gradient,
    model_of,
    moved,
    total,
)

from mtl_utils.nn import CachedEncoder, LSTMEncoder, NoLayers, ProjectedEncoder
from mtl_utils.sharing import HardSharing, HierarchicalSharing
from mtl_utils.training import Callback, Trainer, TrainerConfig

DEPTH = dict(zip(TASKS, (1, 2, 3), strict=True))


def deep(encoder):
    torch.manual_seed(0)
    return encoder(num_layers=3)


@all_encoders
@pytest.mark.parametrize("num_layers", [1, 3])
def test_an_encoder_is_its_embeddings_and_its_layers(encoder, num_layers):
    torch.manual_seed(0)
    whole, inputs = encoder(num_layers=num_layers), batch_of().inputs
    state = torch.get_rng_state()
    embeddings, layers = whole.layers()
    assert torch.equal(torch.get_rng_state(), state)
    assert len(layers) == whole.num_layers == num_layers
    hidden = embeddings(inputs)
    assert hidden.shape[-1] == WIDTH
    for layer in layers:
        hidden = layer(hidden, inputs.mask)
    torch.testing.assert_close(hidden, whole(inputs), **EXACT)
    count = sum(p.numel() for part in (embeddings, *layers) for p in part.parameters())
    assert count == sum(p.numel() for p in whole.parameters())
    theirs = {id(p) for p in whole.parameters()}
    assert not any(id(p) in theirs for part in (embeddings, *layers) for p in part.parameters())


def test_the_layers_of_an_encoder_that_remembers():
    encoder = CachedEncoder(deep(bilstm), freeze=True)
    embeddings, layers = encoder.layers()
    assert isinstance(embeddings, CachedEncoder)
    assert len(layers) == 3
    assert not any(p.requires_grad for layer in layers for p in layer.parameters())


def test_encoders_that_cannot_be_taken_apart():
    with pytest.raises(TypeError, match=r"ProjectedEncoder cannot be taken apart.*num_layers"):
        HierarchicalSharing(ProjectedEncoder(bilstm()), DEPTH)
    without = bilstm()
    without.lstm = NoLayers()
    with pytest.raises(ValueError, match=r"encoder must have at least one layer.*of 0 layers"):
        HierarchicalSharing(without, DEPTH)


@all_encoders
def test_all_tasks_at_the_top_is_hard_sharing(encoder):
    whole, batch = deep(encoder), batch_of()
    hierarchical = model_of(HierarchicalSharing(whole, dict.fromkeys(TASKS, 3)))
    hard = model_of(HardSharing(copy.deepcopy(whole)))
    hard.heads.load_state_dict(hierarchical.heads.state_dict())
    losses = [model(batch) for model in (hierarchical, hard)]
    torch.testing.assert_close(losses[0].by_task, losses[1].by_task, **EXACT)
    torch.testing.assert_close(losses[0].features, losses[1].features, **EXACT)
    assert losses[0].penalty.item() == 0
    norms = [
        sum(g.square().sum() for g in gradient(model, total(loss)).values())
        for model, loss in zip((hierarchical, hard), losses, strict=True)
    ]
    torch.testing.assert_close(*norms, **EXACT)
    assert all(hierarchical.sharing.task_parameters(task) == [] for task in TASKS)


@all_encoders
def test_each_task_reads_the_states_of_its_layer_and_moves_nothing_above(encoder):
    whole, batch = deep(encoder), batch_of()
    model = model_of(HierarchicalSharing(whole, DEPTH))
    embeddings, layers = whole.layers()
    hidden, expected = embeddings(batch.inputs), {}
    for task, layer in zip(TASKS, layers, strict=True):
        hidden = layer(hidden, batch.inputs.mask)
        expected[task] = hidden
    torch.testing.assert_close(dict(model.sharing(batch, TASKS).hidden), expected, **EXACT)
    for task, loss in model(batch).by_task.items():
        found = {name.split(".")[2] for name in moved(model, loss) if "sharing.layers" in name}
        assert found == {str(place) for place in range(DEPTH[task])}


@encoders
def test_whose_the_layers_are(encoder):
    sharing = HierarchicalSharing(deep(encoder), DEPTH)
    numbers = [id(p) for p in sharing.layers[2].parameters()]
    assert [id(p) for p in sharing.task_parameters("chunk")] == numbers
    assert sharing.task_parameters("pos") == sharing.task_parameters("ner") == []
    alone = HierarchicalSharing(deep(encoder), {"pos": 1})
    assert len(alone.layers) == 1
    assert len(alone.task_parameters("pos")) == len(list(alone.layers.parameters()))


@encoders
def test_only_the_layers_that_are_needed_are_run(encoder):
    sharing, calls = HierarchicalSharing(deep(encoder), DEPTH), []
    for layer in sharing.layers:
        layer.register_forward_hook(lambda *call: calls.append(call))
    sharing(batch_of(), ["ner"])
    assert len(calls) == 2


@encoders
def test_shortcuts_begin_as_nothing_and_add_the_embeddings(encoder):
    batch, whole = batch_of(), deep(encoder)
    plain = HierarchicalSharing(whole, DEPTH)
    sharing = HierarchicalSharing(whole, DEPTH, shortcuts=True).double()
    assert list(sharing.shortcuts) == ["1", "2"]  # above each task, and none above the last
    expected = plain(batch, TASKS).hidden
    found = sharing(batch, TASKS)
    assert found.features is None
    assert all(torch.equal(found.hidden[task], expected[task]) for task in TASKS)
    weight = torch.randn(WIDTH, WIDTH, dtype=torch.double)
    with torch.no_grad():
        sharing.shortcuts["1"].weight.copy_(weight)
    embeddings, (first, second, _) = whole.layers()
    embedded, mask = embeddings(batch.inputs), batch.inputs.mask
    by_hand = second(first(embedded, mask) + embedded @ weight.T, mask)
    torch.testing.assert_close(sharing(batch, TASKS).hidden["ner"], by_hand, **EXACT)


@pytest.mark.parametrize(
    ("depth", "features"),
    [((1, 1, 1), True), ((1, 1, 3), True), ((2, 3, 2), True), (DEPTH.values(), False)],
)
def test_features_are_there_where_all_that_is_shared_lies_below(depth, features):
    model, batch = (
        model_of(HierarchicalSharing(deep(bilstm), dict(zip(TASKS, depth, strict=True)))),
        batch_of(),
    )
    losses = model(batch)
    assert (losses.features is not None) == features
    if features:  # all gradients of what is shared come through them
        for loss in losses.by_task.values():
            through = torch.autograd.grad(loss, losses.features, retain_graph=True)[0]
            shared = model.shared_parameters()
            whole = torch.autograd.grad(loss, shared, retain_graph=True, materialize_grads=True)
            after = torch.autograd.grad(
                losses.features, shared, through, retain_graph=True, materialize_grads=True
            )
            torch.testing.assert_close(after, whole, **EXACT)


def test_successive_regularisation_is_the_squared_distance_from_what_is_remembered():
    model = model_of(HierarchicalSharing(deep(bilstm), DEPTH, successive_strength=0.5))
    batch, shared = batch_of(), model.sharing.shared_parameters()
    assert model(batch).penalty.item() == 0
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    count = sum(p.numel() for p in shared)
    penalty = model(batch).penalty
    torch.testing.assert_close(penalty.item(), 0.5 * 0.01 * count, **EXACT)
    found = torch.autograd.grad(penalty, shared)
    assert all(torch.allclose(value, torch.full_like(value, 0.1)) for value in found)
    twin = copy.deepcopy(model)
    twin.load_state_dict(model.state_dict())
    assert twin(batch).penalty.item() == penalty.item()
    model.sharing.remember()
    assert model(batch).penalty.item() == 0
    assert twin(batch).penalty.item() == penalty.item()
    with pytest.raises(ValueError, match="successive_strength is 0"):
        HierarchicalSharing(bilstm(), {"pos": 1}).remember()


@pytest.mark.parametrize("shortcuts", [False, True])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_with_a_task_more_or_less_weights_are_held_near_where_they_were_held(shortcuts, layer):
    """Layers that come to be shared were of one task before: nothing remembers them yet."""
    depth = {"pos": 1, "entities": 2}
    sharing = HierarchicalSharing(deep(bilstm), depth, shortcuts=shortcuts, successive_strength=0.5)
    with torch.no_grad():
        for parameter in sharing.parameters():
            parameter.add_(0.25)  # trained, and remembered
    sharing.remember()
    shared = len(sharing.shared_parameters())
    sharing.add_task("chunk", layer)
    assert sharing.drift().item() == 0
    assert (len(sharing.shared_parameters()) > shared) == (layer == 2)
    with torch.no_grad():
        for parameter in sharing.shared_parameters():
            parameter.add_(0.5)
    count = sum(parameter.numel() for parameter in sharing.shared_parameters())
    before = sharing.drift().item()
    assert before == pytest.approx(0.5 * 0.25 * count)
    sharing.remove_task("chunk")
    left = sum(parameter.numel() for parameter in sharing.shared_parameters())
    assert sharing.drift().item() == pytest.approx(0.5 * 0.25 * left)


class Batches:
    """Three batches, the same in each epoch."""

    num_batches = 3

    def batches(self, epoch, start=0, rank=0, world_size=1):
        yield from [batch_of(seed=seed) for seed in range(3)][start:]

    def digest(self):
        return "three batches"


class Watching(Callback):
    """Notes the weights that are shared after each step, and the penalties before them."""

    def __init__(self, model):
        self.model, self.weights, self.penalties = model, [], []

    def on_step(self, report):
        shared = self.model.shared_parameters()
        self.weights.append(torch.cat([p.detach().flatten() for p in shared]))
        self.penalties.append(report.penalty)


@pytest.mark.parametrize("max_steps", [None, 8])
def test_a_training_holds_weights_near_those_at_the_end_of_the_epoch_before(max_steps):
    strength = 0.5
    sharing = HierarchicalSharing(deep(bilstm), DEPTH, successive_strength=strength)
    model = model_of(sharing)
    first = torch.cat([p.detach().flatten() for p in model.shared_parameters()])
    watching = Watching(model)
    config = TrainerConfig(epochs=3, max_steps=max_steps, learning_rate=0.01, schedule="constant")
    Trainer(model, config, progress=False, callbacks=[watching]).fit(Batches())
    before = [first, *watching.weights[:-1]]  # of each step, the weights that it began with
    anchors = [(first, *(watching.weights[2::3]))[step // 3] for step in range(len(before))]
    for weights, anchor, penalty in zip(before, anchors, watching.penalties, strict=True):
        assert penalty == pytest.approx(strength * float((weights - anchor).square().sum()))
    assert watching.penalties[3] == 0
    assert watching.penalties[5] > 0
    # An epoch that was not read to its end is not remembered.
    expected = watching.weights[5 if max_steps else 8]
    held = [sharing.get_buffer(f"anchor_{n}") for n in range(len(model.shared_parameters()))]
    assert torch.equal(torch.cat([anchor.flatten() for anchor in held]), expected)


def test_without_successive_regularisation_an_epoch_leaves_nothing():
    sharing = HierarchicalSharing(deep(bilstm), DEPTH)
    sharing.epoch_ended()
    assert not list(sharing.buffers())


def test_states_are_causal_where_all_layers_below_are():
    assert HierarchicalSharing(LSTMEncoder(9, 4, 2), {"pos": 1}).causal("pos")
    assert not HierarchicalSharing(bilstm(), {"pos": 1}).causal("pos")


@pytest.mark.parametrize(
    ("depth", "error", "message"),
    [
        ({}, ValueError, "depth must have a layer for at least one task, got {}"),
        ({"pos": 4}, ValueError, r"depth\['pos'\] must be from 0 to 3, got 4"),
        ({"pos": "1"}, TypeError, r"depth\['pos'\] must be a whole number from 0 to 3"),
        ([1, 2], TypeError, "depth must be a mapping"),
    ],
)
def test_depths_that_are_refused(depth, error, message):
    with pytest.raises(error, match=message):
        HierarchicalSharing(deep(bilstm), depth)
