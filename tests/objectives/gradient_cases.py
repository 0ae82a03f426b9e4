"""Jacobians of every kind, and what tells solutions, in more than double precision."""

from __future__ import annotations

from itertools import combinations

import mpmath
import numpy as np
import torch

KINDS = (
    *("random", "conflicting", "agreeing", "parallel", "some parallel", "opposite", "rescaled"),
    *("zero", "a zero", "low rank", "agreeing in low rank", "near"),
    *("scales", "agreeing scales", "opposite scales", "low rank scales"),
)


def jacobian(kind: str, tasks: int, parameters: int, seed: int = 0, single: bool = False):
    """Return ``[K, P]`` in double precision, its numbers in single precision if asked for."""
    draw = np.random.default_rng([KINDS.index(kind), tasks, parameters, seed])
    found = draw.standard_normal((tasks, parameters))
    if kind == "conflicting":
        found -= 0.95 * found.mean(0)
    if kind.startswith("agreeing"):
        found += 1.0
    if kind == "parallel":
        found = np.outer(draw.uniform(0.1, 3, tasks), found[0])
    if kind == "some parallel":
        found[tasks // 2 :] = found[: tasks - tasks // 2] * draw.uniform(0.1, 3)
    if kind in ("opposite", "opposite scales", "rescaled"):
        for even in range(0, tasks - 1, 2):
            found[even + 1] = -found[even] * (draw.uniform(0.1, 5) if kind == "rescaled" else 1)
    if kind == "zero":
        found *= 0
    if kind == "a zero":
        found[draw.integers(tasks)] = 0
    if "low rank" in kind:
        rank = max(1, tasks // 2)
        left = draw.standard_normal((tasks, rank))
        left = left if kind == "low rank" else np.abs(left)
        found = left @ draw.standard_normal((rank, parameters))
    if kind == "near":
        found = found[:1] + 1e-3 * found
    if "scales" in kind:
        found *= 10 ** draw.uniform(-6, 6, (tasks, 1))
    if single:
        found = found.astype(np.float32).astype(np.float64)
    return torch.from_numpy(found)


def cases(seeds: int = 1):
    """Yield every kind with one task to sixteen, few parameters and many, in both precisions."""
    for kind in KINDS:
        for tasks in (1, 2, 3, 6, 16):
            for parameters in (3, 30):
                for seed in range(seeds):
                    single = (tasks + parameters + seed) % 2 == 0
                    yield kind, jacobian(kind, tasks, parameters, seed, single)


def precise(tensor) -> np.ndarray:
    return tensor.double().numpy().astype(np.longdouble)


def lengths_and_directions(rows):
    lengths = np.sqrt((rows**2).sum(1))
    return lengths, rows / np.where(lengths > 0, lengths, 1)[:, None]


def shortest_mixture(rows) -> float:
    """Return the least squared length in a convex hull, from the planes of all its faces."""
    best = np.inf
    for size in range(1, len(rows) + 1):
        for chosen in combinations(range(len(rows)), size):
            part = np.asarray(rows[list(chosen)], dtype=np.float64)
            # The nearest point of the plane through them, and whether it lies between them.
            bordered = np.block([[part @ part.T, np.ones((size, 1))], [np.ones((1, size)), 0]])
            solution = np.linalg.lstsq(bordered, np.append(np.zeros(size), 1.0), rcond=None)[0]
            weights = solution[:size]
            if weights.min() >= -1e-12 and abs(weights.sum() - 1) < 1e-9:
                best = min(best, float(((weights @ part) ** 2).sum()))
    return best


def exact_shortest(rows, support) -> float:
    """Return the least squared length in a hull, with 60 digits, if its corners are as given."""
    with mpmath.workdps(60):
        exact = mpmath.matrix(np.asarray(rows, dtype=np.float64).tolist())
        gram = exact * exact.T
        size = len(support)
        bordered = mpmath.ones(size + 1)
        bordered[size, size] = 0
        for a, i in enumerate(support):
            for b, j in enumerate(support):
                bordered[a, b] = gram[i, j]
        right = mpmath.matrix([0] * size + [1])
        solution = mpmath.lu_solve(bordered, right)
        weights = mpmath.matrix(len(rows), 1)
        for place, i in enumerate(support):
            assert solution[place] > 0
            weights[i] = solution[place]
        gains = gram * weights
        value = (weights.T * gains)[0]
        assert min(gains) >= value * (1 - mpmath.mpf(10) ** -20)
        return float(value)
