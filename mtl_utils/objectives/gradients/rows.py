"""The gradients of K tasks as lengths and directions, in K numbers instead of P."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mtl_utils.arguments import check_tensor
from mtl_utils.objectives.gradients.cones import Array, nearest_to_zero

#: So near zero a mean of directions is zero: gradients in single precision that cancel do so to
#: their last digit, and a Gramian in double precision tells no more.
STATIONARY = 1e-7
#: Above it the smallest eigenvalue of the directions' Gramian is known well enough.
_WELL_CONDITIONED = 1e-3
_COLUMNS = 2**18

#: A block of columns of a Jacobian: for each task ``[p]``, or ``None`` where it is zero.
Piece = Sequence[Tensor | None]


class Rows:
    r"""K gradients, turned so that K coordinates hold them: lengths and directions.

    What follows depends on the Gramian :math:`G = JJ^\top` alone. Its square roots are directions
    :math:`D` with :math:`DD^\top = N^{-1} G N^{-1}`, where N has the lengths: so gradients of very
    different lengths lose nothing of their angles.

    Args:
        lengths: ``[K]``.
        directions: ``[K, R]``, of length 1, or 0 where a gradient is zero.
        accuracy: The relative error of a number that they were made from.
    """

    def __init__(self, lengths: Array, directions: Array, accuracy: float) -> None:
        self.lengths, self.directions, self.accuracy = lengths, directions, accuracy
        self.there = lengths > 0

    @classmethod
    def of_gram(cls, gram: Tensor) -> Rows:
        """Take the square root of a Gramian.

        Args:
            gram: ``[K, K]``.

        Raises:
            TypeError: If it is no tensor of floating-point numbers.
            ValueError: If it is not square, empty, not finite, not symmetric, or has a negative
                eigenvalue.
        """
        check_gram(gram)
        lengths, cosines = _cosines(gram.detach().cpu().double().numpy())
        accuracy = _accuracy(gram.dtype)
        # Of a Gramian the root is taken, and its error with it.
        return cls(lengths, _root(cosines), float(np.sqrt(accuracy)))

    @classmethod
    def of_pieces(cls, pieces: Sequence[Piece]) -> Rows:
        """Take the gradients themselves, a block of parameters after the other.

        Args:
            pieces: The blocks; at least one of them has a gradient.
        """
        gram: Tensor | float = 0.0
        for block in _blocks(pieces):
            gram = gram + block @ block.T
        assert isinstance(gram, Tensor)
        lengths, cosines = _cosines(gram.cpu().numpy())
        there = next(g for piece in pieces for g in piece if g is not None)
        accuracy = _accuracy(there.dtype)
        eigenvalues = np.linalg.eigvalsh(cosines[np.ix_(lengths > 0, lengths > 0)])
        if not len(eigenvalues) or eigenvalues[0] > _WELL_CONDITIONED:
            return cls(lengths, _root(cosines), accuracy)
        # The Gramian has squared what directions differ by: look at them themselves.
        return cls(lengths, _triangle(pieces, lengths), accuracy)

    @property
    def cosines(self) -> Array:
        """``[K, K]``, 0 in the rows of gradients that are zero."""
        return self.directions @ self.directions.T

    @cached_property
    def shares(self) -> Array:
        """Which mixture ``[K]`` of the directions comes nearest to zero; 0 where a row is zero."""
        found = np.zeros(len(self.lengths))
        if self.there.any():
            found[self.there] = nearest_to_zero(self.directions[self.there])
        return found

    @cached_property
    def stationary(self) -> bool:
        """Whether a mixture of the gradients is zero, to rounding."""
        if not self.there.all():
            return True
        distance = float(np.linalg.norm(self.directions.T @ self.shares))
        return distance <= max(STATIONARY, len(self.lengths) * self.accuracy)

    def weights(self, of_directions: Array) -> Array:
        """Return weights of gradients from weights of their directions.

        Args:
            of_directions: ``[K]``.
        """
        found = np.zeros(len(self.lengths))
        np.divide(of_directions, self.lengths, out=found, where=self.there)
        return found


def check_gram(gram: Tensor) -> None:
    """Refuse what is no Gramian.

    Args:
        gram: ``[K, K]``.

    Raises:
        TypeError: If it is no tensor of floating-point numbers.
        ValueError: If it is not square, empty, not finite, not symmetric, or with a negative
            eigenvalue.
    """
    check_tensor("gram", gram, "[K, K]", "floating-point")
    if gram.shape[0] != gram.shape[1] or not len(gram):
        raise ValueError(f"gram must be square with K ≥ 1, got one of shape {list(gram.shape)}")
    if not bool(torch.isfinite(gram).all()):
        raise ValueError(f"gram of shape {list(gram.shape)} must be finite, got nan or infinity")
    exact = gram.detach().cpu().double().numpy()
    lengths = np.sqrt(np.clip(np.diag(exact), 0, None))
    scales = np.outer(lengths, lengths) + np.finfo(np.float64).tiny
    allowed = 16 * len(gram) * _accuracy(gram.dtype)
    uneven = np.abs(exact - exact.T) > allowed * scales
    negative = np.diag(exact) < 0
    cosines = (exact + exact.T) / (2 * scales)
    if uneven.any() or negative.any() or np.linalg.eigvalsh(cosines)[0] < -allowed:
        raise ValueError(
            "gram must be jacobian @ jacobian.T, symmetric and without negative eigenvalues, got "
            f"another one of shape {list(gram.shape)}"
        )


def mixed(pieces: Iterable[Piece], weights: Array) -> Iterable[Tensor | None]:
    """Yield the weighted sums of gradients, in their own precision.

    Args:
        pieces: The gradients by blocks of parameters.
        weights: ``[K]``.
    """
    for piece in pieces:
        total: Tensor | None = None
        for gradient, weight in zip(piece, weights.tolist(), strict=True):
            if gradient is None:
                continue
            if total is None:
                total = torch.zeros_like(gradient, dtype=_exact(gradient))
            if weight:
                total.add_(gradient, alpha=weight)
        like = next((gradient for gradient in piece if gradient is not None), None)
        yield None if total is None or like is None else total.to(like.dtype)


def _exact(tensor: Tensor) -> torch.dtype:
    """Return the precision to sum in; MPS has no double one."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def _blocks(pieces: Iterable[Piece]) -> Iterable[Tensor]:
    """Yield ``[K, p]`` in double precision, of few columns at a time."""
    for piece in pieces:
        like = next((gradient for gradient in piece if gradient is not None), None)
        if like is None:
            continue
        for start in range(0, like.numel(), _COLUMNS):
            width = min(_COLUMNS, like.numel() - start)
            block = torch.empty(len(piece), width, dtype=_exact(like), device=like.device)
            for row, gradient in zip(block, piece, strict=True):
                if gradient is None:
                    row.zero_()
                else:
                    row.copy_(gradient.reshape(-1)[start : start + _COLUMNS])
            yield block


def _accuracy(dtype: torch.dtype) -> float:
    return float(torch.finfo(dtype).eps)


def _cosines(gram: Array) -> tuple[Array, Array]:
    """Return lengths ``[K]`` and cosines ``[K, K]``."""
    lengths = np.sqrt(np.clip(np.diag(gram), 0, None))
    scales = np.outer(lengths, lengths)
    cosines = np.zeros_like(gram)
    np.divide((gram + gram.T) / 2, scales, out=cosines, where=scales > 0)
    return lengths, cosines


def _root(cosines: Array) -> Array:
    eigenvalues, vectors = np.linalg.eigh(cosines)
    kept = eigenvalues > len(cosines) * np.finfo(np.float64).eps
    root: Array = vectors[:, kept] * np.sqrt(eigenvalues[kept])
    return root


def _triangle(pieces: Sequence[Piece], lengths: Array) -> Array:
    """Return directions from a QR decomposition, a block of parameters at a time."""
    scales = np.where(lengths > 0, lengths, 1.0)
    triangle = np.zeros((0, len(lengths)))
    for block in _blocks(pieces):
        columns = (block / torch.as_tensor(scales).to(block)[:, None]).T
        part = torch.linalg.qr(columns, mode="r").R.cpu().double().numpy()
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, part]), mode="r"))
    directions: Array = triangle.T
    return directions
