"""Noisy gates: chances against drawing again and again, variation by hand, and what they mend."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_sharing import EXACT, TASKS, WIDTH, batch_of, bilstm, model_of

from mtl_utils.nn import FeedForwardLayers
from mtl_utils.sharing import PLE, MixtureOfExperts, MMoE
from mtl_utils.sharing.gates import Gate, chances_of_being_kept, squared_variation

seeds = st.integers(0, 2**31)
EXPERTS = 4
KINDS = {
    "experts": lambda **more: MixtureOfExperts(bilstm(), networks(), **more),
    "MMoE": lambda **more: MMoE(bilstm(), networks(), TASKS, **more),
    "PLE": lambda **more: PLE(
        bilstm(), [networks(3)], {task: [networks(1)] for task in TASKS}, **more
    ),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def networks(number=EXPERTS):
    return [FeedForwardLayers(WIDTH, 6).double() for _ in range(number)]


def draw(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_chances_are_how_often_an_expert_is_kept_when_its_noise_is_drawn_again(number):
    logits, spread = draw(1, EXPERTS), 0.2 + draw(2, EXPERTS).abs()
    drawn = logits + draw(3, EXPERTS) * spread
    found = chances_of_being_kept(logits, spread, drawn, number)
    times = 40_000
    for expert in range(EXPERTS):
        again = drawn.repeat(times, 1)
        again[:, expert] = logits[expert] + draw(10 + expert, times) * spread[expert]
        kept = (again.topk(number).indices == expert).any(dim=1).double().mean().item()
        error = math.sqrt(kept * (1 - kept) / times)
        assert found[expert].item() == pytest.approx(kept, abs=4 * error + 1e-4)


@given(seeds, st.integers(1, 3))
def test_chances_by_the_equation(seed, number):
    logits, spread = draw(seed, EXPERTS), 0.2 + draw(seed + 1, EXPERTS).abs()
    drawn = logits + draw(seed + 2, EXPERTS) * spread
    found = chances_of_being_kept(logits, spread, drawn, number)
    for expert in range(EXPERTS):
        others = torch.cat([drawn[:expert], drawn[expert + 1 :]]).sort(descending=True).values
        margin = (logits[expert] - others[number - 1]) / spread[expert]
        expected = 0.5 * (1 + math.erf(margin.item() / math.sqrt(2)))
        assert found[expert].item() == pytest.approx(expected, abs=1e-12)


def test_all_experts_are_kept_for_certain_where_none_is_left_out():
    logits = draw(1, 2, EXPERTS)
    assert torch.equal(
        chances_of_being_kept(logits, logits.exp(), logits, EXPERTS), torch.ones_like(logits)
    )


def test_the_variation_by_hand_and_its_limits():
    values = torch.tensor([[[1.0, 0.0], [0.0, 3.0], [9.0, 9.0]]])
    counted = torch.tensor([[True, True, False]])
    assert squared_variation(values, counted).item() == pytest.approx(((1 - 2) / 2) ** 2)
    everywhere = torch.ones(1, 3, dtype=torch.bool)
    assert squared_variation(torch.full((1, 3, EXPERTS), 0.2), everywhere).item() < 1e-12
    one_hot = torch.zeros(1, 3, EXPERTS)
    one_hot[..., 2] = 1
    assert squared_variation(one_hot, everywhere).item() == pytest.approx(EXPERTS - 1)
    none = one_hot.clone().requires_grad_()
    nothing = squared_variation(none, ~everywhere)
    nothing.backward()
    assert nothing.item() == 0
    assert not none.grad.any()


@pytest.mark.parametrize("per", ["token", "text"])
def test_without_noise_a_noisy_gate_is_one_without(per):
    batch = batch_of()
    states, mask = draw(1, *batch.inputs.mask.shape, WIDTH), batch.inputs.mask
    noisy, plain = Gate(WIDTH, EXPERTS, per, 2, True), Gate(WIDTH, EXPERTS, per, 2)
    plain.linear.load_state_dict(noisy.linear.state_dict())
    noisy, plain = noisy.double().eval(), plain.double().eval()
    assert torch.equal(noisy(states, mask).weights, plain(states, mask).weights)
    assert plain(states, mask).chances is None
    torch.manual_seed(0)
    weights = noisy.train()(states, mask).weights
    assert not torch.equal(weights, plain(states, mask).weights)
    assert ((weights > 0).sum(dim=-1) == 2).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), **EXACT)


def test_the_noise_is_as_wide_as_it_is_said_to_be():
    gate = Gate(WIDTH, 2, "token", 1, True).double()
    with torch.no_grad():
        gate.linear.weight.zero_()
        gate.noise.weight.copy_(draw(1, 2, WIDTH))
    states = draw(2, 1, 1, WIDTH).expand(1, 20_000, WIDTH)
    torch.manual_seed(0)
    gate.linear.weight.data[0] = 0.5
    spread = torch.nn.functional.softplus(gate.noise(states))[0, 0]
    margin = (gate.linear(states)[0, 0] @ torch.tensor([1.0, -1.0], dtype=torch.float64)).item()
    expected = 0.5 * (1 + math.erf(margin / spread.norm().item() / math.sqrt(2)))
    kept = gate(states, torch.ones(1, 20_000, dtype=torch.bool)).weights[0, :, 0].mean().item()
    assert kept == pytest.approx(expected, abs=0.02)


@kinds
def test_the_penalty_is_the_variation_of_importance_and_load(kind):
    torch.manual_seed(0)
    sharing = KINDS[kind](top_k=1, noisy=True, balance_strength=0.5).double().eval()
    batch = batch_of()
    found = sharing(batch, TASKS)
    counted, task = batch.inputs.mask, "ner"
    if kind == "PLE":
        states = sharing.trunk(batch.inputs).masked_fill(~counted.unsqueeze(-1), 0.0)
        gate = sharing.levels[0].gates[task]
    else:
        states = sharing._read(batch)
        gate = sharing.gate if kind == "experts" else sharing.task_gates[task]
    said = gate(states, counted)
    expected = 0.0
    for values in (said.weights, said.chances):
        sums = values[counted].sum(dim=0)
        expected += 0.5 * (sums.var(correction=0) / sums.mean() ** 2).item()
    assert found.penalty_by_task[task].item() == pytest.approx(expected)
    assert found.penalty.item() == pytest.approx(sum(found.penalty_by_task.values()).item())


@kinds
def test_models_with_noise_are_trained_and_give_the_same_answers_again(kind):
    torch.manual_seed(0)
    model, batch = model_of(KINDS[kind](top_k=2, noisy=True, balance_strength=0.1)), batch_of()
    losses = model(batch)
    (sum(losses.by_task.values()) + losses.penalty).backward()
    noises = [p for name, p in model.named_parameters() if "noise" in name]
    assert noises
    assert all(p.grad.any() for p in noises)
    assert model.predict(batch) == model.predict(batch)


def test_a_gate_that_has_collapsed_is_spread_by_its_penalty():
    torch.manual_seed(0)
    sharing = MixtureOfExperts(
        bilstm(), networks(), top_k=1, noisy=True, balance_strength=1.0
    ).double()
    batch = batch_of()
    with torch.no_grad():  # all that is read has a positive first number: one expert has it all
        sharing.trunk.lstm.requires_grad_(False)
        states = sharing._read(batch)[batch.inputs.mask]
        sharing.gate.linear.weight.zero_()
        sharing.gate.linear.weight[0] = 3 * states.mean(dim=0) / states.mean(dim=0).norm() ** 2

    def shares():
        """Average over draws of the noise what experts are given."""
        states = sharing._read(batch)
        drawn = [sharing.gate(states, batch.inputs.mask).weights for _ in range(200)]
        return torch.stack(drawn)[:, batch.inputs.mask].mean(dim=(0, 1)).detach()

    before = shares()
    optimizer = torch.optim.Adam(sharing.gate.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        sharing(batch, TASKS).penalty.backward()
        optimizer.step()
    assert before.max() > 0.9
    assert shares().max() < 0.4
    assert shares().min() > 0.1


def test_noise_needs_a_number_of_experts_to_keep():
    for make in KINDS.values():
        with pytest.raises(ValueError, match="noisy=True needs top_k"):
            make(noisy=True)
