"""The Fisher diagonal against gradients row by row; elastic weights and the joint optimum."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import NAMES, ROWS, TOPIC, config, fitted, hard

from mtl_utils.continual import Anchor, Elastic, anchored, fisher_diagonal, penalised
from mtl_utils.data import collate
from mtl_utils.models import TextModel
from mtl_utils.tasks import Regression, Tagging


def by_hand(model: TextModel, task: str, sampled: bool = False) -> dict[str, torch.Tensor]:
    """Square the gradient of each row's log-likelihood, written without the package's loss."""
    named = model.shared_weights()
    sums = {name: torch.zeros_like(p) for name, p in named.items()}
    examples = model.examples(ROWS[task], [task])
    generator = torch.Generator().manual_seed(5)
    for example in examples:
        batch = collate([example], model.tokenizer.pad_id)
        logits = model.head(task)(model.sharing(batch, [task]).hidden[task], batch)
        labels = batch.labels[task].reshape(-1)
        kept = labels != -100
        spoken = logits.log_softmax(-1).reshape(-1, logits.shape[-1])[kept]
        labels = labels[kept].unsqueeze(1)
        if sampled:
            chances = spoken.detach().float().exp()
            labels = torch.multinomial(chances, 1, generator=generator)
        likelihood = spoken.gather(1, labels).sum()
        gradients = torch.autograd.grad(likelihood, list(named.values()))
        for name, gradient in zip(named, gradients, strict=True):
            sums[name] += gradient**2 / len(examples)
    return sums


@pytest.mark.parametrize("task", ["topic", "names"])
@pytest.mark.parametrize("labels", ["given", "sampled"])
def test_it_is_the_mean_of_squares_of_the_gradients_of_rows(task: str, labels: str) -> None:
    model = hard().double()
    loader = model.loader({task: ROWS[task]}, batch_size=2, shuffle=False)
    found = fisher_diagonal(model, loader, [task], labels=labels, seed=5)  # type: ignore[arg-type]
    expected = by_hand(model, task, labels == "sampled")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-15)
    assert sum(float(value.sum()) for value in expected.values()) > 0


def test_the_square_of_the_mean_is_something_else() -> None:
    model = hard().double()
    loader = model.loader({"topic": ROWS["topic"]}, batch_size=5, shuffle=False)
    found = fisher_diagonal(model, loader, ["topic"], labels="given")
    named = model.shared_weights()
    loss = model(next(iter(loader))).by_task["topic"]
    of_batch = torch.autograd.grad(loss, list(named.values()))
    size = sum(float(g.square().sum()) for g in of_batch)
    assert sum(float(value.sum()) for value in found.values()) > 2 * size


def test_with_given_labels_it_is_another_number_and_falls_as_rows_are_learnt() -> None:
    model = fitted(hard(TOPIC), "topic", epochs=6).double()
    example = model.examples(ROWS["topic"][:1])[0]
    batch = collate([example], model.tokenizer.pad_id)
    weights = list(model.shared_weights().values())
    logits = model.head("topic")(model.sharing(batch, ["topic"]).hidden["topic"], batch)
    spoken = logits.log_softmax(-1)[0]
    chances = spoken.detach().exp().tolist()
    squares = [
        sum(
            float(gradient.square().sum())
            for gradient in torch.autograd.grad(spoken[label], weights, retain_graph=True)
        )
        for label in range(2)
    ]
    loader = model.loader(ROWS["topic"][:1], shuffle=False)

    def total(**settings) -> float:
        found = fisher_diagonal(model, loader, ["topic"], **settings)
        return sum(float(value.sum()) for value in found.values())

    right = example.labels["topic"]
    assert total(labels="given") == pytest.approx(squares[right])
    draws = [total(seed=seed) for seed in range(40)]
    assert all(min(abs(d - s) for s in squares) < 1e-9 * max(squares) for d in draws)
    share = sum(abs(d - squares[1 - right]) < 1e-9 * max(squares) for d in draws) / 40
    assert share == pytest.approx(chances[1 - right], abs=0.25)
    # With two labels the Fisher information is p (1 - p) |g|^2, and given ones (1 - p)^2 |g|^2.
    expected = chances[0] * squares[0] + chances[1] * squares[1]
    p = chances[right]
    assert squares[right] / expected == pytest.approx((1 - p) / p, rel=1e-6)
    assert 0.5 < p < 1.0


def test_frozen_weights_and_gradients_are_left_as_they_are() -> None:
    model = hard()
    model.sharing.requires_grad_(False)
    loader = model.loader({"topic": ROWS["topic"]}, shuffle=False)
    found = fisher_diagonal(model, loader, ["topic"], max_rows=2)
    assert sum(float(value.sum()) for value in found.values()) > 0
    assert not any(p.requires_grad for p in model.sharing.parameters())
    assert all(p.grad is None for p in model.parameters())


def test_heads_without_a_softmax_cannot_draw_labels() -> None:
    crf = Tagging("names", NAMES.labels, crf=True)
    model = hard(TOPIC, crf)
    loader = model.loader({"names": ROWS["names"]}, shuffle=False)
    with pytest.raises(TypeError, match="labels='sampled' needs a head with a softmax"):
        fisher_diagonal(model, loader, ["names"])
    assert fisher_diagonal(model, loader, ["names"], labels="given")
    scores = Regression("topic", texts=("text",), pooling="mean")
    numbers = hard(scores, NAMES)
    rows = [{"text": row["text"], "value": 1.0} for row in ROWS["topic"]]
    with pytest.raises(TypeError, match="RegressionHead"):
        fisher_diagonal(numbers, numbers.loader({"topic": rows}, shuffle=False))


def gaussian(count: int, seed: int, curvature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of a linear model with noise of variance 1, whose curvature is diagonal."""
    generator = torch.Generator().manual_seed(seed)
    width = len(curvature)
    basis, _ = torch.linalg.qr(torch.randn(count, width, generator=generator).double())
    inputs = basis * curvature.sqrt()  # [N, P], inputs.T @ inputs is diag(curvature)
    truth = torch.randn(width, generator=generator).double()
    return inputs, inputs @ truth + torch.randn(count, generator=generator).double()


def optimum(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.linalg.lstsq(inputs, targets.unsqueeze(1)).solution.squeeze(1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 30), st.integers(6, 30))
def test_where_curvature_is_diagonal_it_finds_the_joint_optimum(
    seed: int, old: int, new: int
) -> None:
    curvature = torch.tensor([5.0, 0.5, 2.0, 0.01]).double()
    old_inputs, old_targets = gaussian(old, seed, curvature)
    new_inputs, new_targets = gaussian(new, seed + 1, curvature.flip(0))
    # The Fisher information of a row of a Gaussian of variance 1 is its input squared.
    anchor = Anchor({"w": optimum(old_inputs, old_targets)}, {"w": old_inputs.square().mean(dim=0)})
    term = Elastic([anchor], strength=old / new)
    w = torch.zeros(4, dtype=torch.float64, requires_grad=True)

    def objective() -> torch.Tensor:
        loss = 0.5 * (new_inputs @ w - new_targets).square().mean()
        return loss + term.strength * anchor.penalty({"w": w})

    # A quadratic: its gradient is linear, so the optimum is where that vanishes.
    slope = torch.autograd.functional.hessian(
        lambda v: (
            0.5 * (new_inputs @ v - new_targets).square().mean()
            + term.strength * anchor.penalty({"w": v})
        ),
        w.detach(),
    )
    (gradient,) = torch.autograd.grad(objective(), w)
    found = w.detach() - torch.linalg.solve(slope, gradient)
    joint = optimum(torch.cat([old_inputs, new_inputs]), torch.cat([old_targets, new_targets]))
    torch.testing.assert_close(found, joint, rtol=1e-6, atol=1e-7)
    even = Anchor(anchor.weights, {"w": torch.ones(4).double()})
    assert float(even.penalty({"w": joint})) != pytest.approx(float(anchor.penalty({"w": joint})))


def test_the_penalty_by_hand() -> None:
    anchor = Anchor(
        {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[0.0]])},
        {"a": torch.tensor([4.0, 0.0]), "b": torch.tensor([[1.0]])},
    )
    now = {"a": torch.tensor([2.0, 9.0]), "b": torch.tensor([[3.0]]), "c": torch.ones(2)}
    assert float(anchor.penalty(now)) == 0.5 * (4.0 * 1.0 + 0.0 + 1.0 * 9.0)


def test_a_training_under_it_stays_nearer_the_firmer_it_is() -> None:
    def moved(strength: float | None, even: bool = False) -> float:
        model = fitted(hard(), "topic", epochs=2)
        loader = model.loader({"topic": ROWS["topic"]}, shuffle=False)
        anchor = Anchor.even(model) if even else anchored(model, loader, ["topic"], labels="given")
        terms = () if strength is None else (Elastic([anchor], strength),)
        before = {name: p.detach().clone() for name, p in model.shared_weights().items()}
        with penalised(model, *terms):
            history = fitted_history(model)
        if strength:
            assert history["train_penalty"].iloc[-1] > 0
        now = model.shared_weights()
        return sum(float((now[n].detach() - p).square().sum()) for n, p in before.items())

    def fitted_history(model: TextModel):
        data = {"names": ROWS["names"]}
        return model.fit(data, config=config(epochs=4), progress=False, batch_size=5)

    free = moved(None)
    assert moved(0.0) == pytest.approx(free)
    assert moved(1e4, even=True) < 0.2 * free
    assert moved(3e4) < 0.8 * free


def test_nothing_is_added_in_evaluation_or_afterwards() -> None:
    model = hard()
    anchor = Anchor.even(model)
    with torch.no_grad():
        for weight in model.shared_weights().values():
            weight.add_(1.0)
    batch = next(iter(model.loader({"topic": ROWS["topic"]})))
    with penalised(model, Elastic([anchor], 2.0)):
        assert float(model(batch).penalty.detach()) == 0.0
        model.train()
        size = sum(p.numel() for p in anchor.weights.values())
        assert float(model(batch).penalty.detach()) == pytest.approx(2.0 * 0.5 * size, rel=1e-5)
    assert float(model(batch).penalty.detach()) == 0.0


def test_a_checkpoint_belongs_to_a_training_under_the_same_terms(tmp_path) -> None:
    def run(strength: float) -> None:
        model = hard()
        with penalised(model, Elastic([Anchor.even(model)], strength)):
            model.fit(
                {"names": ROWS["names"]},
                config=config(),
                progress=False,
                checkpoint=tmp_path / "run.pt",
            )

    run(1.0)
    run(1.0)
    with pytest.raises(Exception, match="strength is 1"):
        run(2.0)
