"""The loss over a large vocabulary by parts, against that of all logits at once."""

import pytest
import torch
from torch import nn

from mtl_utils.data import Batch, BytePairTokenizer, Inputs
from mtl_utils.nn import TransformerDecoder
from mtl_utils.objectives import projection, scaled_loss
from mtl_utils.objectives.projection import projected_loss
from mtl_utils.tasks import LanguageModeling, Translation

ROWS, LENGTH, WIDTH, SIZE = 5, 7, 6, 23
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(params=[1, 4 * SIZE, 20 * SIZE])
def by_parts(request, monkeypatch):
    """Logits of 1, 4 or 20 targets at a time."""
    monkeypatch.setattr(projection, "LARGEST_LOGITS", request.param)


def states_and_targets(missing=0.3):
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(ROWS, LENGTH, WIDTH, generator=draw, dtype=torch.float64)
    targets = torch.randint(SIZE, (ROWS, LENGTH), generator=draw)
    gone = torch.rand(ROWS, LENGTH, generator=draw) < missing
    return hidden, targets.masked_fill(gone, -100)


def with_gradients(loss_of, hidden, layer):
    """Return the loss and all its gradients, under a weight, as a balancer gives it one."""
    leaf = hidden.clone().requires_grad_()
    loss = loss_of(leaf, layer)
    return [loss, *torch.autograd.grad(0.7 * loss, [leaf, *layer.parameters()])]


@pytest.mark.parametrize("scale", ["token", "text", "uniform"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("bias", [True, False])
def test_equals_the_loss_of_all_logits(by_parts, scale, smoothing, bias) -> None:
    hidden, targets = states_and_targets()
    layer = nn.Linear(WIDTH, SIZE, bias=bias, dtype=torch.float64)
    found = with_gradients(
        lambda h, layer: projected_loss(h, layer, targets, scale, smoothing), hidden, layer
    )
    expected = with_gradients(
        lambda h, layer: scaled_loss(layer(h), targets, scale, smoothing), hidden, layer
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_finite_differences(by_parts) -> None:
    hidden, targets = states_and_targets()
    layer = nn.Linear(WIDTH, SIZE, dtype=torch.float64)

    def loss(states, weight, bias):
        given = nn.Linear(WIDTH, SIZE, dtype=torch.float64)
        del given.weight, given.bias
        given.weight, given.bias = weight, bias
        return projected_loss(states, given, targets, smoothing=0.1)

    inputs = (hidden.requires_grad_(), layer.weight.detach(), layer.bias.detach())
    assert torch.autograd.gradcheck(loss, inputs)


def test_nothing_to_count_costs_nothing_and_moves_nothing(by_parts) -> None:
    hidden, targets = states_and_targets(missing=2.0)
    layer = nn.Linear(WIDTH, SIZE, dtype=torch.float64)
    for found in with_gradients(lambda h, layer: projected_loss(h, layer, targets), hidden, layer):
        assert not found.any()


def test_frozen_parts_get_no_gradient_and_evaluation_keeps_none(by_parts) -> None:
    hidden, targets = states_and_targets()
    layer = nn.Linear(WIDTH, SIZE, dtype=torch.float64).requires_grad_(False)
    leaf = hidden.clone().requires_grad_()
    projected_loss(leaf, layer, targets).backward()
    assert leaf.grad is not None
    assert layer.weight.grad is None
    expected = scaled_loss(layer(hidden), targets)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(projected_loss(leaf, layer, targets), expected, **EXACT)
    assert not projected_loss(hidden, layer, targets).requires_grad


def test_what_was_changed_is_asked_itself(by_parts) -> None:
    hidden, targets = states_and_targets()
    layer = nn.Linear(WIDTH, SIZE, dtype=torch.float64)
    layer.register_forward_hook(lambda module, given, made: made / 2)
    expected = scaled_loss(layer(hidden), targets)
    torch.testing.assert_close(projected_loss(hidden, layer, targets), expected, **EXACT)


def test_bad_targets_are_refused(by_parts) -> None:
    hidden, targets = states_and_targets()
    layer = nn.Linear(WIDTH, SIZE, dtype=torch.float64)
    with pytest.raises(ValueError, match=f"Target {SIZE} is not a class: {SIZE} logits"):
        projected_loss(hidden, layer, targets.masked_fill(targets == -100, SIZE))
    with pytest.raises(ValueError, match="need targets"):
        projected_loss(hidden, layer, targets[:, :-1])
    with pytest.raises(ValueError, match="smoothing"):
        projected_loss(hidden, layer, targets, smoothing=2.0)


def heads():
    pieces = BytePairTokenizer.train(["one two three four five six seven"] * 3, 262)
    own = Translation("french", pieces, dropout=0.0)
    transformer = Translation(
        "french",
        pieces,
        decoder=lambda size, memory: TransformerDecoder(
            size, memory, 1, 2, dropout=0.0, memory_width=memory
        ),
    )
    shared = Translation("french", pieces, own_decoder=False)
    return [own, transformer, shared, LanguageModeling("french", pieces.vocab_size)]


@pytest.mark.parametrize("task", heads(), ids=["LSTM", "Transformer", "output", "continued"])
@pytest.mark.parametrize("training", [True, False])
def test_heads_have_the_same_loss_either_way(by_parts, task, training) -> None:
    torch.manual_seed(0)
    head = task.head(8).double().train(training)
    hidden = torch.randn(3, 6, 8, dtype=torch.float64)
    labels = torch.randint(4, 20, (3, 6))
    labels[1, 4:] = -100
    batch = Batch(Inputs(labels.clamp(min=0), torch.ones(3, 6).bool()), {"french": labels})
    found = with_gradients(lambda h, head: head.loss_of_states(h, batch), hidden, head)
    expected = with_gradients(lambda h, head: head.loss(head(h, batch), batch), hidden, head)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize("task", heads()[:1])
def test_a_head_that_defines_its_own_loss_is_asked_for_it(by_parts, task) -> None:
    head = task.head(8)
    head.loss = lambda outputs, batch: outputs.sum() * 0 + 3
    labels = torch.randint(4, 20, (3, 6))
    batch = Batch(Inputs(labels, torch.ones(3, 6).bool()), {"french": labels})
    assert head.loss_of_states(torch.randn(3, 6, 8), batch) == 3
