"""Combining the gradients of tasks: what every method is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_choice, check_kind, check_strings, check_tensor
from mtl_utils.objectives.base import Balancer, Losses, check_step
from mtl_utils.objectives.gradients.backpropagation import CombinedBackward
from mtl_utils.objectives.gradients.cones import Array
from mtl_utils.objectives.gradients.rows import Piece, Rows, mixed

#: What the gradients that a combiner sees are taken by: shared parameters, or shared features.
On = Literal["parameters", "features"]


@dataclass(frozen=True)
class Combination:
    r"""What a combiner made of the gradients of K tasks.

    Args:
        direction: ``[P]``; the update is a step against it.
        weights: ``[K]`` in double precision, with which it is :math:`J^\top w`; ``None`` where it
            is no weighted sum of whole gradients.
        stationary: Whether a mixture of the gradients is zero, to rounding: then no step lowers
            the losses of all tasks, to first order.
    """

    direction: Tensor
    weights: Tensor | None
    stationary: bool


class Combiner(Balancer):
    r"""Turns the gradients of K tasks into one update of what they share.

    As a balancer it takes the gradient of each task's loss in a backward pass of its own: K passes,
    each through what that task's loss depends on, whether tasks have the same batch or each its
    own. What one task alone moves gets that task's own gradient, and the penalty is added as it is.
    Tasks that are not in a step, and those whose gradient is zero, as that of a loss of 0 is, are
    left out of it. Losses in half precision are scaled as the trainer says, and gradients that are
    not finite are passed on as they are, so that the trainer sees them.

    In several processes the gradient of each task is averaged over them first, and what is drawn
    is what the first one draws: all combine the Jacobian of the whole batch, and come to the same
    update. Losses must come scaled so that the mean of their gradients is that of the whole batch,
    as the trainer scales them.

    Args:
        on: ``"parameters"`` combines gradients on the parameters that tasks share. ``"features"``
            combines those on the shared representation ``[B, T, D]`` instead, and passes the result
            through the encoder once (Sener and Koltun, 2018): cheaper, where one batch has the
            labels of all tasks and all that is shared is below the features.

    Attributes:
        stationary: Whether a mixture of the gradients of the last step was zero; ``None`` before
            it, where a method does not look, and where all were zero or one was not finite.

    Raises:
        ValueError: If ``on`` is something else.
    """

    remembered = frozenset({"stationary"})
    averages = True

    def __init__(self, on: On = "parameters") -> None:
        super().__init__()
        check_choice("on", on, get_args(On))
        self.on: On = on
        self.stationary: bool | None = None

    def combine(
        self,
        jacobian: Tensor,
        *,
        tasks: Sequence[str] | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Combine gradients.

        Args:
            jacobian: ``[K, P]``, the gradient of a task in each row.
            tasks: Their names, for methods that remember something of a task; ``"0"``, ``"1"``, ...
                unless given.
            generator: What methods draw from that draw; PyTorch's global one unless given.

        Returns:
            ``[P]``, in the precision of the Jacobian; what decides about it is computed in double
            precision.

        Raises:
            ValueError: If there is no row, a number is not finite, or ``tasks`` are not one a row.
            TypeError: If something is of another kind.
        """
        return self.combination(jacobian, tasks=tasks, generator=generator).direction

    def combination(
        self,
        jacobian: Tensor,
        *,
        tasks: Sequence[str] | None = None,
        generator: torch.Generator | None = None,
    ) -> Combination:
        """Combine gradients, and say how.

        Args:
            jacobian: See :meth:`combine`.
            tasks: Likewise.
            generator: Likewise.

        Raises:
            ValueError: As :meth:`combine`.
            TypeError: As :meth:`combine`.
        """
        check_jacobian(jacobian)
        names = checked_tasks(tasks, len(jacobian))
        check_generator(generator)
        (direction,), weights, stationary = self._combined(
            [list(jacobian.detach())], names, generator
        )
        if stationary is None:
            stationary = Rows.of_pieces([list(jacobian.detach())]).stationary
        assert direction is not None
        found = None if weights is None else _on_device(weights, jacobian)
        return Combination(direction, found, stationary)

    def backward(
        self,
        losses: Losses,
        model: torch_nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        """Add the combined gradient to what is shared, its own to the rest.

        Args:
            losses: The losses of one batch.
            model: The model that they come from; it has ``shared_parameters()``.
            backward: How to back-propagate a scalar.

        Raises:
            ValueError: With ``on="features"``, if there are no features, as where tasks have
                batches of their own, or something that tasks share is reached otherwise.
            TypeError: If ``losses`` are none of a model, or the model does not say what is shared.
        """
        check_step(losses)
        passes = CombinedBackward(model, backward)
        self.stationary = None  # where there is nothing to combine

        def combine(pieces: list[Piece], tasks: list[str]) -> list[Tensor | None]:
            found, _, self.stationary = self._combined(pieces, tasks, None)
            return found

        if self.on == "features":
            passes.on_features(losses, combine)
        else:
            passes.on_parameters(losses, combine)

    def _combined(
        self, pieces: list[Piece], tasks: list[str], generator: torch.Generator | None
    ) -> tuple[list[Tensor | None], Array | None, bool | None]:
        """Return directions by blocks of parameters, weights ``[K]``, and whether it is stationary.

        Args:
            pieces: Gradients by blocks; at least one of them has a gradient.
            tasks: Names of the K tasks.
            generator: What to draw from.
        """
        raise NotImplementedError


class GramCombiner(Combiner):
    r"""A combiner whose direction is :math:`J^\top w` with weights that the Gramian tells.

    Args:
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``on`` is something else.
    """

    def weights(
        self,
        gram: Tensor,
        *,
        tasks: Sequence[str] | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        r"""Return the weights of gradients.

        Squares lose half of the digits: where gradients nearly hang on each other,
        :meth:`Combiner.combine`, which sees them, is more exact.

        Args:
            gram: :math:`G = JJ^\top`, ``[K, K]``.
            tasks: See :meth:`Combiner.combine`.
            generator: Likewise.

        Returns:
            ``[K]``, in double precision.

        Raises:
            ValueError: If it is not square, symmetric and finite, or has a negative eigenvalue, or
                ``tasks`` are not one a row.
            TypeError: If something is of another kind.
        """
        rows = Rows.of_gram(gram)
        names = checked_tasks(tasks, len(gram))
        check_generator(generator)
        return _on_device(self._weights(rows, names, generator), gram)

    def _combined(
        self, pieces: list[Piece], tasks: list[str], generator: torch.Generator | None
    ) -> tuple[list[Tensor | None], Array | None, bool | None]:
        rows = Rows.of_pieces(pieces)
        weights = self._weights(rows, tasks, generator)
        return list(mixed(pieces, weights)), weights, rows.stationary

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        """Return the weights ``[K]``.

        Args:
            rows: Lengths and directions.
            tasks: Names of the K tasks.
            generator: What to draw from.
        """
        raise NotImplementedError


def check_jacobian(jacobian: Tensor) -> None:
    """Refuse what is no Jacobian.

    Args:
        jacobian: ``[K, P]``.

    Raises:
        TypeError: If it is no tensor of floating-point numbers.
        ValueError: If it has another number of dimensions, no number, or one that is not finite.
    """
    check_tensor("jacobian", jacobian, "[K, P]", "floating-point")
    if not jacobian.numel():
        raise ValueError(
            f"jacobian must have a row a task and a column a parameter, got one of shape "
            f"{list(jacobian.shape)}"
        )
    if not bool(torch.isfinite(jacobian).all()):
        raise ValueError(
            f"jacobian of shape {list(jacobian.shape)} must be finite, got nan or infinity"
        )


def checked_tasks(tasks: Sequence[str] | None, number: int) -> list[str]:
    """Return names of tasks.

    Args:
        tasks: The names, or ``None``.
        number: How many rows there are.

    Raises:
        TypeError: If they are no strings.
        ValueError: If there is another number of them, or one occurs twice.
    """
    if tasks is None:
        return [str(place) for place in range(number)]
    check_strings("tasks", tasks, distinct=True)
    if len(tasks) != number:
        raise ValueError(f"tasks must be {number} names, one a row, got {list(tasks)}")
    return list(tasks)


def check_generator(generator: torch.Generator | None) -> None:
    """Refuse what draws no random numbers.

    Args:
        generator: The generator, or ``None``.

    Raises:
        TypeError: If it is something else.
    """
    if generator is not None:
        check_kind("generator", generator, torch.Generator, "a torch.Generator or None")


def _on_device(weights: Array, like: Tensor) -> Tensor:
    found = torch.from_numpy(weights)
    return found if like.device.type == "mps" else found.to(like.device)
