"""Combiners of gradients against the conditions that tell their solutions, and closed forms."""

import math

import numpy as np
import pytest
import torch
from gradient_cases import (
    cases,
    exact_shortest,
    jacobian,
    lengths_and_directions,
    precise,
    shortest_mixture,
)
from scipy.optimize import nnls

from mtl_utils.objectives import (
    IMTLG,
    MGDA,
    AlignedMTL,
    CAGrad,
    FairGrad,
    GradDrop,
    GradVac,
    NashMTL,
    PCGrad,
    UPGrad,
)

BY_GRAM = (MGDA, UPGrad, CAGrad, NashMTL, FairGrad, IMTLG, AlignedMTL, PCGrad, GradVac)
ALL = (*BY_GRAM, GradDrop)


@pytest.mark.parametrize("method", ALL)
def test_there_is_always_an_answer(method):
    for place, (kind, rows) in enumerate(cases()):
        for given in (rows if place % 2 else rows.float(),):
            found = method().combination(given)
            assert torch.isfinite(found.direction).all(), kind
            assert found.direction.dtype == given.dtype
            assert found.direction.shape == given.shape[1:]
            if found.weights is None:
                continue
            assert torch.isfinite(found.weights).all(), kind
            mixed = found.weights @ given.double()
            scale = (found.weights[:, None] * given.double()).norm(dim=1).max()
            torch.testing.assert_close(
                found.direction.double(), mixed, rtol=2e-7, atol=1e-12 * float(scale)
            )


def test_mgda_is_within_1e_6_of_the_quadratic_programme():
    """For a mixture p, the least squared length is at least 2 min g_k p - p p."""
    for kind, rows in cases(2):
        weights = precise(MGDA().combination(rows).weights)
        assert weights.min() >= 0
        assert abs(weights.sum() - 1) <= 1e-12
        exact = precise(rows)
        point = weights @ exact
        value = point @ point
        least = max(0, 2 * (exact @ point).min() - value)
        smallest = (exact**2).sum(1).min()
        if value - least > 1e-6 * smallest:  # where lengths differ much the bound is not exact
            least = exact_shortest(exact, np.flatnonzero(weights).tolist())
        assert value - least <= 1e-6 * smallest, kind


@pytest.mark.parametrize("tasks", [2, 3, 5])
@pytest.mark.parametrize("kind", ["random", "conflicting", "agreeing", "opposite", "low rank"])
def test_mgda_is_the_nearest_face(kind, tasks):
    rows = jacobian(kind, tasks, 4)
    found = MGDA().combine(rows)
    assert float(found @ found) == pytest.approx(shortest_mixture(rows.numpy()), abs=1e-10)


def test_nash_mtl_solves_its_equations():
    solved = 0
    for kind, rows in cases(2):
        found = NashMTL().combination(rows)
        if found.stationary:
            assert not found.direction.any()
            assert not found.weights.any()
            continue
        solved += 1
        weights, exact = precise(found.weights), precise(rows)
        assert np.abs(weights * (exact @ (weights @ exact)) - 1).max() <= 1e-6, kind
        assert weights.min() > 0
        assert float(found.direction.norm()) == pytest.approx(math.sqrt(len(rows)))
    assert solved > 100


def test_stationary_is_where_zero_is_a_mixture_of_the_directions():
    for kind, rows in cases():
        lengths, directions = lengths_and_directions(precise(rows))
        # Independent of our own: scipy's solution of min |D' x|^2 + (1 - sum x)^2.
        system = np.vstack([directions.T, np.ones(len(rows))]).astype(np.float64)
        shares, _ = nnls(system, np.append(np.zeros(rows.shape[1]), 1.0))
        near = np.linalg.norm(directions.T.astype(np.float64) @ shares) / shares.sum()
        expected = near <= 3e-7 or not lengths.all()
        assert MGDA().combination(rows).stationary == expected, (kind, len(rows), near)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_fairgrad_solves_its_equations(alpha):
    for kind, rows in cases():
        found = FairGrad(alpha).combination(rows)
        if found.stationary:
            assert not found.direction.any()
            continue
        weights, exact = precise(found.weights), precise(rows)
        gains = exact @ (weights @ exact)
        assert np.abs(weights ** (1 / np.longdouble(alpha)) * gains - 1).max() <= 1e-6, kind


def test_fairgrad_with_alpha_1_is_nash_mtl():
    rows = jacobian("agreeing", 5, 12)
    torch.testing.assert_close(FairGrad(1.0).combine(rows), NashMTL().combine(rows))


def test_upgrad_is_the_mean_of_projections():
    """Each projection against scipy's non-negative least squares."""
    for kind, rows in cases():
        if "scales" in kind or kind == "rescaled":
            continue  # scipy sees these rows as they are
        found, exact = UPGrad().combine(rows), rows.numpy()
        expected = np.mean([g + exact.T @ nnls(exact.T, -g)[0] for g in exact], axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-6 * max(1, np.abs(exact).max()))


def test_upgrad_conflicts_with_none_and_is_linear_in_each_gradient():
    for kind, rows in cases():
        lengths, directions = lengths_and_directions(precise(rows))
        found = UPGrad().combination(rows)
        assert (directions @ precise(found.direction)).min() >= -1e-6 * lengths.max(), kind
    rows = jacobian("conflicting", 4, 9)
    # mean_k c_k pi(g_k), whatever the c_k that scale the rows are
    scales = torch.tensor([1e-3, 5.0, 1.0, 1e4], dtype=torch.float64)
    one_by_one = [
        UPGrad().combine(torch.where(torch.arange(4)[:, None] == k, 1e6, 1.0) * rows)
        for k in range(4)
    ]
    mean = UPGrad().combine(rows)
    parts = [(found - mean) / (1e6 - 1) for found in one_by_one]
    torch.testing.assert_close(
        UPGrad().combine(scales[:, None] * rows), (scales[:, None] * torch.stack(parts)).sum(0)
    )


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9, 2.0])
def test_cagrad_meets_its_first_order_conditions(c):
    """A way u off the mean, as long as the ball, and the same gain for all that have a part."""
    for kind, rows in cases():
        found, exact = CAGrad(c).combination(rows), precise(rows)
        lengths, directions = lengths_and_directions(exact)
        mean = exact.mean(0)
        size = np.sqrt(mean @ mean)
        if size <= 1e-14 * lengths.max():
            np.testing.assert_allclose(found.direction, np.float64(mean), atol=1e-15)
            continue
        parts = (precise(found.weights) - 1 / np.longdouble(len(rows))) * lengths / size
        way = directions.T @ parts
        gains = exact @ (mean / size + way)
        distance = float(np.sqrt(way @ way))
        inside = found.stationary and distance < c * (1 - 1e-9)
        assert inside or distance == pytest.approx(c, rel=1e-6), kind
        with_part = parts > 1e-9
        smallest = np.argmin(np.where(with_part, lengths, np.inf))
        demand = 0 if inside or not with_part.any() else gains[smallest]
        above = np.where(lengths > 0, (gains - demand) / np.where(lengths > 0, lengths, 1), 0)
        assert above.min() >= -1e-6, kind
        assert np.abs(parts * above).max() <= 1e-6, kind
        assert parts.min() >= -1e-9


def test_cagrad_without_a_ball_is_the_mean():
    rows = jacobian("conflicting", 4, 7)
    torch.testing.assert_close(CAGrad(0.0).combine(rows), rows.mean(0))


def test_imtl_g_has_equal_projections():
    for kind, rows in cases():
        found = IMTLG().combination(rows)
        if not found.weights.any():
            assert not found.direction.any()
            continue
        assert float(found.weights.sum()) == pytest.approx(1)
        direction = precise(found.direction)
        lengths, directions = lengths_and_directions(precise(rows))
        projections = (directions @ direction)[lengths > 0]
        assert np.ptp(projections) <= 1e-6 * np.sqrt(direction @ direction), kind


def test_imtl_g_is_the_closed_form_of_its_paper():
    rows = jacobian("random", 4, 9)
    units = rows / rows.norm(dim=1, keepdim=True)
    between, apart = rows[0] - rows[1:], units[0] - units[1:]
    others = rows[0] @ apart.T @ torch.linalg.inv(between @ apart.T)
    expected = torch.cat([1 - others.sum(keepdim=True, dim=0), others])
    torch.testing.assert_close(IMTLG().weights(rows @ rows.T), expected)


def test_aligned_mtl_gives_all_components_the_length_of_the_smallest():
    for kind in ("random", "agreeing", "conflicting", "low rank"):
        rows = jacobian(kind, 6, 9)
        left, values, right = torch.linalg.svd(rows, full_matrices=False)
        rank = 3 if kind == "low rank" else 6
        expected = values[rank - 1] * left[:, :rank].mean(0) @ right[:rank]
        torch.testing.assert_close(AlignedMTL().combine(rows), expected)


def test_aligned_mtl_with_lengths_of_many_sizes():
    """Orthogonal gradients: their principal components are they, whatever the lengths."""
    turned = torch.linalg.qr(jacobian("random", 5, 5)).Q
    rows = torch.tensor([1e6, 1e-6, 1.0, 1e3, 1e-3], dtype=torch.float64)[:, None] * turned
    torch.testing.assert_close(AlignedMTL().combine(rows), 1e-6 * turned.mean(0), rtol=1e-6, atol=0)


def test_two_gradients_by_hand():
    """Lengths 2 and 1, at an angle of 120 degrees."""
    rows = torch.tensor([[2.0, 0.0], [-0.5, math.sqrt(0.75)]], dtype=torch.float64)
    root = math.sqrt(3)
    # The foot of the height on the side between them, of squared length 7.
    expected = {
        MGDA: [2 - 2.5 * 5 / 7 - 2.5 / 7, 0],
        PCGrad: [1.5, root],  # (2 - 1/2, root/2) and (0, root/2)
        GradVac: [1.5, root],
        UPGrad: [0.75, root / 2],
        IMTLG: [1 / 3, root / 3],  # equal parts along both: (1, root) to a scale, on the side
        NashMTL: [1 / math.sqrt(2), math.sqrt(1.5)],  # along (1, root), of length root 2
    }
    height = (2 * root / 2) / math.sqrt(7)  # twice the area over the side
    found = MGDA().combine(rows)
    assert float(found.norm()) == pytest.approx(height)
    assert float(found @ (rows[0] - rows[1])) == pytest.approx(0, abs=1e-12)
    for method in (PCGrad, GradVac, UPGrad, NashMTL):
        torch.testing.assert_close(
            method().combine(rows), torch.tensor(expected[method], dtype=torch.float64)
        )
    d = IMTLG().combine(rows)
    assert float(d[1] / d[0]) == pytest.approx(root)


def test_nash_mtl_of_two_is_the_bisector():
    """alpha_k |g_k| = 1 / sqrt(1 + cos), in closed form."""
    rows = jacobian("random", 2, 6)
    cosine = torch.cosine_similarity(rows[0], rows[1], dim=0)
    expected = 1 / (rows.norm(dim=1) * torch.sqrt(1 + cosine))
    torch.testing.assert_close(NashMTL().weights(rows @ rows.T), expected)


def _surgery(rows, generator):
    """PCGrad as its paper writes it, on the gradients themselves."""
    total = torch.zeros_like(rows[0])
    for i, own in enumerate(rows):
        changed = own.clone()
        others = [j for j in range(len(rows)) if j != i]
        for place in torch.randperm(len(others), generator=generator).tolist():
            other = rows[others[place]]
            if changed @ other < 0:
                changed -= (changed @ other) / (other @ other) * other
        total += changed
    return total


@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_pcgrad_is_the_algorithm_of_its_paper(tasks):
    rows = jacobian("conflicting", tasks, 8)
    for seed in range(3):
        expected = _surgery(rows, torch.Generator().manual_seed(seed))
        found = PCGrad().combine(rows, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(found, expected)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            torch.testing.assert_close(PCGrad().combine(rows), expected)


def test_gradvac_turns_to_what_cosines_have_been():
    combiner = GradVac(beta=0.5)
    near = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    torch.testing.assert_close(combiner.combine(near, tasks=["a", "b"]), near.sum(0))
    assert combiner.targets == pytest.approx({("a", "b"): 0.3, ("b", "a"): 0.3})
    # At a right angle both turn to a cosine of 0.3, by 0.3 / sqrt(1 - 0.09) of the other.
    right = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    kept = combiner.state_dict()
    share = 0.3 / math.sqrt(1 - 0.09)
    # Names, not places, tell which average is whose.
    found = combiner.combine(right, tasks=["b", "a"])
    torch.testing.assert_close(found, torch.full((2,), 1 + share, dtype=torch.float64))
    other = GradVac(beta=0.5)
    other.load_state_dict(kept)
    torch.testing.assert_close(other.combine(right, tasks=["a", "b"]), found)
    torch.testing.assert_close(other.combine(right), right.sum(0))  # other names: no average yet


def test_graddrop_keeps_one_sign_a_parameter():
    rows = jacobian("random", 4, 2000)
    positive, negative = rows.clamp(min=0).sum(0), rows.clamp(max=0).sum(0)
    found = GradDrop().combine(rows, generator=torch.Generator().manual_seed(0))
    up = found > 0
    torch.testing.assert_close(found, torch.where(up, positive, negative))
    drawn = torch.rand(2000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    purity = (1 + rows.sum(0) / rows.abs().sum(0)) / 2
    torch.testing.assert_close(up, drawn < purity)
    torch.testing.assert_close(GradDrop(leak=1.0).combine(rows), rows.sum(0))


DETERMINED = (MGDA, UPGrad, CAGrad, NashMTL, FairGrad, IMTLG, AlignedMTL)


@pytest.mark.parametrize("method", DETERMINED)
@pytest.mark.parametrize("kind", ["random", "conflicting", "agreeing", "scales", "near"])
def test_the_order_of_tasks_does_not_matter(method, kind):
    rows = jacobian(kind, 6, 9)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    found, other = method().combination(rows), method().combination(rows[order])
    size = float(found.direction.norm())
    torch.testing.assert_close(found.direction, other.direction, rtol=1e-6, atol=1e-7 * size)
    size = float(found.weights.abs().max())
    torch.testing.assert_close(found.weights[order], other.weights, rtol=1e-6, atol=1e-9 * size)


@pytest.mark.parametrize("method", [MGDA, UPGrad, CAGrad, IMTLG, AlignedMTL])
@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1e4])
def test_scaled_gradients_give_a_scaled_direction(method, scale):
    for kind in ("conflicting", "agreeing", "opposite", "a zero"):
        rows = jacobian(kind, 5, 8)
        torch.testing.assert_close(
            method().combine(scale * rows) / scale, method().combine(rows), rtol=1e-9, atol=1e-12
        )


def test_nash_mtl_does_not_see_lengths():
    rows = jacobian("agreeing", 4, 8)
    scales = torch.tensor([1e-4, 1.0, 1e4, 30.0], dtype=torch.float64)[:, None]
    torch.testing.assert_close(NashMTL().combine(scales * rows), NashMTL().combine(rows))
    found = FairGrad(2.0).combine(1e4 * rows)
    # s^2 G w = w^(-1/2): w is s^(-4/3) as great, and d s^(-1/3).
    torch.testing.assert_close(found, 1e4 ** (-1 / 3) * FairGrad(2.0).combine(rows))


@pytest.mark.parametrize("method", [MGDA, UPGrad, NashMTL, FairGrad])
def test_no_task_loses_to_first_order(method):
    for kind, rows in cases():
        found = precise(method().combine(rows))
        lengths, directions = lengths_and_directions(precise(rows))
        scale = max(np.sqrt(found @ found), lengths.max() * (method is UPGrad))
        assert (directions @ found).min() >= -1e-6 * scale - 1e-9 * lengths.max(), kind


@pytest.mark.parametrize("method", BY_GRAM)
@pytest.mark.parametrize("kind", ["random", "conflicting", "agreeing", "scales"])
def test_weights_of_the_gramian_are_those_of_the_gradients(method, kind):
    rows = jacobian(kind, 5, 9)
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    found = method().weights(rows @ rows.T, generator=draws[0])
    expected = method().combination(rows, generator=draws[1]).weights
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-9 * float(expected.abs().max()))


@pytest.mark.parametrize("method", ALL)
def test_one_task_keeps_its_direction(method):
    rows = jacobian("random", 1, 6)
    found = method().combine(rows)
    scale = 1 / float(rows.norm()) if method is NashMTL else float(found.norm() / rows.norm())
    if method is CAGrad:
        assert scale == pytest.approx(1.5)
    elif method not in (NashMTL, FairGrad):
        assert scale == pytest.approx(1)
    torch.testing.assert_close(found, scale * rows[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", ALL)
def test_half_precision_is_combined_in_more(method, dtype):
    rows = jacobian("agreeing", 3, 10).to(dtype)
    found = method().combine(rows, generator=torch.Generator().manual_seed(0))
    exact = method().combine(rows.float(), generator=torch.Generator().manual_seed(0))
    assert found.dtype == dtype
    if method is not GradDrop:  # numbers are drawn in the same precision for both
        torch.testing.assert_close(found.float(), exact, rtol=1e-2, atol=1e-2)


def test_a_gramian_that_is_none():
    with pytest.raises(ValueError, match=r"gram must be .* symmetric and without negative"):
        MGDA().weights(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ValueError, match=r"gram must be .* symmetric and without negative"):
        MGDA().weights(torch.tensor([[1.0, 0.5], [0.1, 1.0]]))


def test_many_parameters_go_by_blocks(monkeypatch):
    rows = jacobian("near", 4, 40)
    expected = [method().combine(rows) for method in (MGDA, NashMTL)]
    monkeypatch.setattr("mtl_utils.objectives.gradients.rows._COLUMNS", 7)
    found = [method().combine(rows) for method in (MGDA, NashMTL)]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
