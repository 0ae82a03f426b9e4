"""Ways of making one set of weights of several that began as one: on task vectors ``[K, P]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from mtl_utils.arguments import check_number, check_tensor


class Merging(Protocol):
    """A way of merging: :class:`Average`, :class:`TaskArithmetic`, :class:`TIES`, or your own.

    Attributes:
        needs_base: Whether the weights that all began with have to be known.
    """

    @property
    def needs_base(self) -> bool:
        """Whether the weights that all began with have to be known."""
        ...

    def combine(self, vectors: Tensor) -> Tensor:
        """Return what is to be added to the weights that all began with.

        Args:
            vectors: ``[K, P]``: what K trainings added to them.

        Returns:
            ``[P]``.
        """
        ...


@dataclass(frozen=True)
class Average:
    r"""The mean of the weights (Wortsman et al., 2022, who average trainings on one task).

    .. math:: \theta = \frac{1}{K} \sum_k \theta_k
    """

    needs_base = False

    def combine(self, vectors: Tensor) -> Tensor:
        """Return the mean.

        Args:
            vectors: ``[K, P]``: task vectors, or the weights themselves.

        Returns:
            ``[P]``.

        Raises:
            TypeError: If they are no tensor of floating-point numbers.
            ValueError: If they have another number of dimensions, or there are none.
        """
        return _checked(vectors).mean(dim=0)


@dataclass(frozen=True)
class TaskArithmetic:
    r"""The sum of what each training added, scaled (Ilharco et al., 2023).

    .. math:: \theta = \theta_0 + \lambda \sum_k \tau_k, \qquad \tau_k = \theta_k - \theta_0

    With :math:`\lambda = 1 / K` it is the average.

    Args:
        scale: :math:`\lambda`, to be tuned on validation rows; below 0 it makes a model worse at
            the tasks, which Ilharco et al. use to unlearn.

    Raises:
        ValueError: If it is no finite number.
        TypeError: If it is no number.
    """

    scale: float = 0.4
    needs_base = True

    def __post_init__(self) -> None:
        check_number("scale", self.scale)

    def combine(self, vectors: Tensor) -> Tensor:
        """Return the scaled sum.

        Args:
            vectors: Task vectors ``[K, P]``.

        Returns:
            ``[P]``.

        Raises:
            TypeError: As :meth:`Average.combine`.
            ValueError: As :meth:`Average.combine`.
        """
        return self.scale * _checked(vectors).sum(dim=0)


@dataclass(frozen=True)
class TIES:
    r"""Trim, elect a sign, merge what agrees with it (Yadav et al., 2023).

    Small changes are set to 0 (:func:`trimmed`); for each weight the sign of the sum of what is
    left is elected (:func:`elected_signs`); and the mean is taken over the changes with that sign
    alone (:func:`disjoint_mean`), since those that pull the other way or not at all would make it
    smaller.

    Args:
        keep: Which share of the largest changes of each training stays.
        scale: :math:`\lambda`, what the merged changes are multiplied by.

    Raises:
        ValueError: If ``keep`` is not above 0 and at most 1, or the scale no finite number.
        TypeError: If one is no number.
    """

    keep: float = 0.2
    scale: float = 1.0
    needs_base = True

    def __post_init__(self) -> None:
        check_number("keep", self.keep, above=0, most=1)
        check_number("scale", self.scale)

    def combine(self, vectors: Tensor) -> Tensor:
        """Return the merged changes.

        Args:
            vectors: Task vectors ``[K, P]``.

        Returns:
            ``[P]``.

        Raises:
            TypeError: As :meth:`Average.combine`.
            ValueError: As :meth:`Average.combine`.
        """
        left = trimmed(_checked(vectors), self.keep)
        return self.scale * disjoint_mean(left, elected_signs(left))


def trimmed(vectors: Tensor, keep: float) -> Tensor:
    """Set the smallest entries of each vector to 0.

    Args:
        vectors: ``[K, P]``.
        keep: Which share of the P entries stays, the largest by absolute value: their number is
            rounded down, but one at least, and what is as large as the smallest of them stays too.

    Returns:
        ``[K, P]``.

    Raises:
        ValueError: If ``keep`` is not above 0 and at most 1, or the shape is another.
        TypeError: If something is not of its kind.
    """
    check_number("keep", keep, above=0, most=1)
    sizes = _checked(vectors).abs()
    count = max(1, int(keep * vectors.shape[1]))
    least = sizes.kthvalue(vectors.shape[1] - count + 1, dim=1, keepdim=True).values
    return vectors.masked_fill(sizes < least, 0.0)


def elected_signs(vectors: Tensor) -> Tensor:
    """Return for each weight the sign of the sum over vectors: of what has most behind it.

    Args:
        vectors: ``[K, P]``.

    Returns:
        ``[P]``: -1, 0 or 1; 0 where the sum is 0, and nothing is merged.

    Raises:
        ValueError: If the shape is another.
        TypeError: If it is no tensor of floating-point numbers.
    """
    return _checked(vectors).sum(dim=0).sign()


def disjoint_mean(vectors: Tensor, signs: Tensor) -> Tensor:
    """Return the mean over those entries of each weight that have a given sign.

    Args:
        vectors: ``[K, P]``.
        signs: ``[P]``, such as :func:`elected_signs` returns.

    Returns:
        ``[P]``; 0 where no entry has that sign, or it is 0.

    Raises:
        ValueError: If shapes do not fit.
        TypeError: If something is no tensor of floating-point numbers.
    """
    check_tensor("signs", signs, "[P]", "floating-point")
    if signs.shape != _checked(vectors).shape[1:]:
        raise ValueError(
            f"signs must be one for each of {vectors.shape[1]} weights, got {list(signs.shape)}"
        )
    agrees = (vectors.sign() == signs) & (signs != 0)
    return (vectors * agrees).sum(dim=0) / agrees.sum(dim=0).clamp(min=1)


def _checked(vectors: Tensor) -> Tensor:
    check_tensor("vectors", vectors, "[K, P]", "floating-point")
    if not vectors.numel():
        raise ValueError(f"vectors must have numbers, got the shape {list(vectors.shape)}")
    return vectors
