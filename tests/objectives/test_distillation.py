"""The loss of a student against PyTorch's divergence, and its gradient by Hinton et al."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mtl_utils.objectives import annealed_share, distillation_loss

numbers = st.lists(st.floats(-4, 4), min_size=3, max_size=3)
rows = st.lists(numbers, min_size=1, max_size=5)


def other(teacher: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return torch.randn(teacher.shape, generator=torch.Generator().manual_seed(seed)).double()


@given(rows, st.floats(0.5, 8.0), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_it_is_the_divergence_of_pytorch_times_the_square(
    given_rows: list[list[float]], temperature: float, seed: int
) -> None:
    teacher = torch.tensor(given_rows, dtype=torch.float64)
    student = other(teacher, seed)
    expected = temperature**2 * functional.kl_div(
        (student / temperature).log_softmax(-1),
        (teacher / temperature).softmax(-1),
        reduction="batchmean",
    )
    found = distillation_loss(student, teacher, temperature)
    assert float(found) == pytest.approx(float(expected), abs=1e-9)
    assert float(distillation_loss(teacher, teacher, temperature)) == pytest.approx(0.0, abs=1e-9)


@given(rows, st.floats(0, 1), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_mixed_with_labels_it_is_the_cross_entropy_of_the_mixed_target(
    given_rows: list[list[float]], share: float, seed: int
) -> None:
    """Clark et al. mix the targets; we mix the losses, which differ by what is not trained."""
    teacher = torch.tensor(given_rows, dtype=torch.float64)
    student = other(teacher, seed).requires_grad_()
    labels = torch.arange(len(teacher)) % 3
    q = teacher.softmax(-1)
    target = share * functional.one_hot(labels, 3).double() + (1 - share) * q
    theirs = functional.cross_entropy(student, target)
    hard = functional.cross_entropy(student, labels)
    ours = share * hard + (1 - share) * distillation_loss(student, teacher)
    entropy = -(q * q.log()).sum(-1).mean()
    assert float((theirs - ours).detach()) == pytest.approx(float((1 - share) * entropy), abs=1e-9)
    gradients = [torch.autograd.grad(loss, student)[0] for loss in (theirs, ours)]
    torch.testing.assert_close(*gradients)


def test_at_a_high_temperature_logits_are_matched_with_a_gradient_that_stays() -> None:
    teacher = torch.tensor([[2.0, -1.0, -1.0], [0.5, 0.0, -0.5]], dtype=torch.float64)
    student = (teacher.flip(1) * 0.7).requires_grad_()
    (found,) = torch.autograd.grad(distillation_loss(student, teacher, 1e4), student)
    # Hinton et al.: (z - v) / C for logits with mean 0, a mean over the rows here.
    torch.testing.assert_close(found, (student.detach() - teacher) / 3 / 2, atol=1e-4, rtol=1e-3)


def test_tags_count_where_words_begin_and_on_every_scale() -> None:
    teacher, student = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    counted = torch.tensor([[True, True, False], [True, False, False]])
    each = functional.kl_div(
        student.log_softmax(-1), teacher.log_softmax(-1), reduction="none", log_target=True
    ).sum(-1)
    total = float(each[counted].sum())
    for scale, divided in {"token": 3, "text": 2, "uniform": 3 * math.log(4)}.items():
        found = distillation_loss(student, teacher, 1.0, counted, scale)  # type: ignore[arg-type]
        assert float(found) == pytest.approx(total / divided, rel=1e-5)
    assert float(distillation_loss(student, teacher, 1.0, counted & False)) == 0.0


def test_the_share_rises_evenly_from_first_to_last() -> None:
    shares = [annealed_share(step, 5) for step in range(7)]
    assert shares == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1, 1])
    assert annealed_share(2, 5, 0.2, 0.6) == pytest.approx(0.4)
    assert annealed_share(0, 1) == 0.0
