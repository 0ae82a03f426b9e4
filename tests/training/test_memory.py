"""Memory counted term by term and followed tensor by tensor, and layers computed twice."""

from __future__ import annotations

import pytest
import torch
from launched_runs import deep_model
from tiny_training import TinyLoader, tiny_model

from mtl_utils.nn import BiLSTMEncoder, recompute_layers
from mtl_utils.training import Memory, Trainer, TrainerConfig, count_memory, peak_bytes, saved_bytes


def test_what_a_product_keeps() -> None:
    weight = torch.zeros(3, 5, requires_grad=True)
    rows = torch.zeros(7, 3)
    assert saved_bytes(lambda: rows @ weight) == 4 * 21  # of the weight the rows, not the weight
    assert saved_bytes(lambda: (rows @ weight).exp()) == 4 * (21 + 35)
    assert saved_bytes(lambda: (rows @ weight).exp(), apart_from=[rows]) == 4 * 35
    assert saved_bytes(lambda: rows.exp()) == 0


def test_the_greatest_memory_at_one_time() -> None:
    def chain() -> None:
        first = torch.ones(100)
        second = first + 1
        del first
        third = second * 2
        del second
        third.add_(1)

    assert peak_bytes(chain) == 4 * 200
    there = torch.ones(1000)
    assert peak_bytes(lambda: there.view(10, 100).add_(1)) == 0


def test_a_pass_back_is_followed() -> None:
    weight = torch.ones(50, 50, requires_grad=True)

    def step() -> None:
        (weight @ weight).exp().sum().backward()

    # exp's result is kept; on the way back there are two gradients of the product's two sides.
    least = 4 * 2500 * 3
    assert least <= peak_bytes(step) <= 4 * 2500 * 6


def test_terms_of_a_model() -> None:
    model = deep_model(dtype=torch.float32)
    model.sharing.encoder.embedding.weight.requires_grad_(False)
    numbers = sum(p.numel() for p in model.parameters())
    trained = numbers - model.sharing.encoder.embedding.weight.numel()
    batch = TinyLoader().batch(0, 0)
    memory = count_memory(model, batch)
    assert memory.parameters == 4 * numbers
    assert memory.gradients == 4 * trained
    assert memory.optimizer == 8 * trained
    assert memory.total == 4 * numbers + 12 * trained + memory.activations
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    losses = model(batch)
    sum(losses.by_task.values()).backward()
    optimizer.step()
    kept = [v for s in optimizer.state.values() for n, v in s.items() if n != "step"]
    assert sum(4 * v.numel() for v in kept) == memory.optimizer


def test_activations_grow_with_the_rows() -> None:
    model = deep_model()
    found = [count_memory(model, TinyLoader(rows=rows).batch(0, 0)).activations for rows in (4, 8)]
    assert 1.8 < found[1] / found[0] < 2.2


def test_shards_share_all_but_activations() -> None:
    memory = Memory(8, 8, 16, 100)
    assert memory.sharded(4) == Memory(2, 2, 4, 100)
    assert memory.sharded(3).parameters == 3
    with pytest.raises(ValueError, match="num_processes"):
        memory.sharded(0)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_layers_that_are_computed_again_have_the_same_gradients(dropout: float) -> None:
    """With dropout too: what was drawn is drawn again."""
    batch = TinyLoader().batch(0, 0)
    found = []
    for on in (False, True):
        model = deep_model(dropout)
        assert recompute_layers(model, on) == 2
        torch.manual_seed(0)
        losses = model(batch)
        sum(losses.by_task.values()).backward()
        found.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=0, atol=0, msg=name)


def test_they_keep_less_and_only_while_training() -> None:
    batch = TinyLoader(rows=16).batch(0, 0)
    model = deep_model()
    plain = count_memory(model, batch).activations
    recompute_layers(model)
    assert count_memory(model, batch).activations < 0.5 * plain
    model.eval()
    assert count_memory(model, batch).activations == pytest.approx(plain, rel=0.1)
    model.train()
    recompute_layers(model, False)
    assert count_memory(model, batch).activations == plain


def test_a_run_goes_on_whether_layers_are_computed_again_or_not(tmp_path) -> None:
    for on, epochs in ((False, 1), (True, 2)):
        model = deep_model()
        recompute_layers(model, on)
        config = TrainerConfig(epochs=epochs, schedule="constant")
        history = Trainer(model, config, checkpoint=tmp_path / "a.pt", progress=False).fit(
            TinyLoader()
        )
    assert len(history) == 2


def test_what_cannot_be_computed_again() -> None:
    for module in (BiLSTMEncoder(9, 4), tiny_model()):
        with pytest.raises(ValueError, match="no layers of a Transformer"):
            recompute_layers(module)
