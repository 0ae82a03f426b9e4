"""Erasing what a straight line can read: the least change that takes a property out of states."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_utils.arguments import check_number, check_seed, check_tensor, check_whole
from mtl_utils.interpretation.probes import check_pairs, number_of_labels


@dataclass(frozen=True)
class Eraser:
    r"""A projection of states, :math:`h \mapsto h - A\,(h - m)`.

    Args:
        mean: :math:`m`, ``[D]``.
        removal: :math:`A`, ``[D, D]``, an oblique projection onto what is taken out.
        rank: How many dimensions that has.
    """

    mean: Tensor
    removal: Tensor
    rank: int

    def __call__(self, states: Tensor) -> Tensor:
        """Erase.

        Args:
            states: ``[..., D]``.

        Returns:
            The same shape and precision.

        Raises:
            TypeError: If they are no tensor of floating-point numbers.
            ValueError: If they have another width.
        """
        check_tensor("states", states, "[..., D]", "floating-point")
        if states.shape[-1] != len(self.mean):
            raise ValueError(
                f"states must be [..., {len(self.mean)}] as those of the fit, got "
                f"{list(states.shape)}"
            )
        mean, removal = self.mean.to(states), self.removal.to(states)
        return states - (states - mean) @ removal.T


def fit_eraser(
    states: Tensor, labels: Tensor, *, num_labels: int | None = None, tolerance: float = 1e-8
) -> Eraser:
    r"""Take out of states what linear probes read of labels, changing them least.

    .. math:: A = W^+ P\, W, \qquad W = \Sigma_{hh}^{-1/2}

    where P projects orthogonally onto the columns of :math:`W \Sigma_{hy}`, the whitened
    covariances of states with labels. It is least-squares concept erasure (LEACE, Belrose et al.,
    2023): afterwards states have no covariance with any label, so that no linear probe of a convex
    loss does better on these data than one that sees no states, and among all affine maps of which
    this is true it moves states least in the mean of squares. On other data that holds as far as
    covariances are the same there.

    Args:
        states: ``[N, D]``.
        labels: Ids ``[N]``.
        num_labels: Number of labels, C; one more than the greatest id if ``None``.
        tolerance: Directions whose variance is a smaller part of the greatest are taken for none.

    Raises:
        TypeError: If something is no tensor of its kind, or a setting of another type.
        ValueError: If shapes do not fit, an id does not exist, or a setting is outside its range.
    """
    check_pairs(states, labels)
    check_number("tolerance", tolerance, above=0, below=1)
    size = number_of_labels(labels, num_labels)
    mean, whiten, back = _whitening(states, tolerance)
    centred = states.detach().double() - mean
    one_hot = torch.nn.functional.one_hot(labels, size).double()
    covariance = centred.T @ (one_hot - one_hot.mean(dim=0)) / len(states)  # [D, C]
    left, values, _ = torch.linalg.svd(whiten @ covariance, full_matrices=False)
    # Whitened covariances of one-hot labels are at most 1, whatever the scale of the states.
    rank = int((values > 1e-7).sum())
    return _removing(mean, whiten, back, left[:, :rank])


def random_eraser(states: Tensor, rank: int, *, seed: int = 0, tolerance: float = 1e-8) -> Eraser:
    """Take as many directions out of states, but drawn at random: the control of an erasure.

    They are drawn uniformly among the directions of whitened states, as those of a property are
    found there, so that each carries the same variance there (Elazar et al., 2021, take as many
    random directions as the control of amnesic probing).

    Args:
        states: ``[N, D]``.
        rank: How many directions.
        seed: Seed of the draw.
        tolerance: See :func:`fit_eraser`.

    Raises:
        TypeError: If something is no tensor of its kind, or a setting of another type.
        ValueError: If there are no states, or a setting is outside its range.
    """
    check_tensor("states", states, "[N, D]", "floating-point")
    if not len(states):
        raise ValueError(f"states must be at least one, got {list(states.shape)}")
    check_number("tolerance", tolerance, above=0, below=1)
    check_seed("seed", seed)
    mean, whiten, back = _whitening(states, tolerance)
    there = round(float((back @ whiten).trace()))  # the rank of the states
    check_whole("rank", rank, least=0, most=there)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(len(mean), rank, generator=generator, dtype=torch.float64).to(mean.device)
    directions, _ = torch.linalg.qr(whiten @ back @ drawn)
    return _removing(mean, whiten, back, directions)


def _whitening(states: Tensor, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean ``[D]``, and the square roots of the covariance's inverse and of itself."""
    states = states.detach().double()
    mean = states.mean(dim=0)
    centred = states - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(states))
    kept = values > tolerance * values.max().clamp(min=0)
    roots = values.clamp(min=0).sqrt()
    inverse = torch.where(kept, 1 / roots.clamp(min=1e-300), 0.0)
    whiten = vectors @ torch.diag(inverse) @ vectors.T
    back = vectors @ torch.diag(torch.where(kept, roots, 0.0)) @ vectors.T
    return mean, whiten, back


def _removing(mean: Tensor, whiten: Tensor, back: Tensor, directions: Tensor) -> Eraser:
    removal = back @ directions @ directions.T @ whiten
    return Eraser(mean, removal, directions.shape[1])
