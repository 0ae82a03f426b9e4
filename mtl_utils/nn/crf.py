"""A linear-chain conditional random field: scores for whole sequences of tags."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_number, check_sizes, check_tensor
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.tag_search import by_position, check_emissions, viterbi

FORBIDDEN = -1e30
"""Score of what may not happen where a gradient is wanted: :math:`-\\infty` would make it nan."""

LARGEST_EXPONENT = 20.0
"""Transitions within this bound are multiplied instead of added up in log space; see _advance."""


class LinearChainCRF(torch_nn.Module):
    r"""Score a sequence of tags as a whole (Lafferty et al., 2001; Lample et al., 2016).

    .. math:: s(x, y) = a_{y_1} + \sum_t e_{t, y_t} + \sum_t A_{y_t, y_{t+1}} + b_{y_T}, \qquad
        \log p(y \mid x) = s(x, y) - \log \sum_{y'} \exp s(x, y')

    The scores :math:`a`, :math:`A` and :math:`b` are parameters and zero at first, so that an
    untrained field adds nothing to the emissions :math:`e`. They stay in log space, in single
    precision at least, whatever autocast asks for.

    Some sequences may be forbidden. Decoding never returns one. Training pays no attention to
    that, unless ``constrain_training`` is set: probabilities are then shared out among the allowed
    sequences, and a forbidden one among the training data is an error.

    Args:
        num_tags: Number of tags, C.
        allowed_start: Boolean ``[C]``, which tags may come first; all if ``None``.
        allowed: Boolean ``[C, C]`` (from, to), which tag may follow which; any if ``None``.
        allowed_end: Boolean ``[C]``, which tags may come last; all if ``None``.
        constrain_training: Whether only allowed sequences have a probability.

    Attributes:
        start: Scores ``[C]`` of the first tag.
        transitions: Scores ``[C, C]`` of a tag (row) and the next (column).
        end: Scores ``[C]`` of the last tag.

    Raises:
        ValueError: If ``num_tags`` is below 1, a constraint has another shape, or it leaves no tag
            to start or to end with.
        TypeError: If a constraint is not boolean.
    """

    allowed_start: Tensor
    allowed: Tensor
    allowed_end: Tensor

    def __init__(
        self,
        num_tags: int,
        allowed_start: Tensor | None = None,
        allowed: Tensor | None = None,
        allowed_end: Tensor | None = None,
        *,
        constrain_training: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(num_tags=num_tags)
        check_flag("constrain_training", constrain_training)
        self.num_tags = num_tags
        self.constrain_training = constrain_training
        self.start = torch_nn.Parameter(torch.zeros(num_tags))
        self.transitions = torch_nn.Parameter(torch.zeros(num_tags, num_tags))
        self.end = torch_nn.Parameter(torch.zeros(num_tags))
        given = {"allowed_start": allowed_start, "allowed": allowed, "allowed_end": allowed_end}
        for name, mask in given.items():
            shape = (num_tags, num_tags) if name == "allowed" else (num_tags,)
            # Not part of the state: constraints come from the labels, weights from training.
            self.register_buffer(name, _constraint(name, mask, shape), persistent=False)

    def extra_repr(self) -> str:
        """Name the size and what is forbidden, for ``print``."""
        forbidden = int((~self.allowed).sum())
        return f"{self.num_tags}, forbidden_transitions={forbidden}"

    def log_likelihood(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, sharpness: Tensor | None = None
    ) -> Tensor:
        """Return the log-probability of each sequence of tags.

        Args:
            emissions: Scores ``[B, T, C]`` of each tag at each position.
            tags: ``[B, T]``; what stands at padding is not read.
            mask: ``[B, T]``, True at tokens, which come first in each row.
            sharpness: What all scores are multiplied by, the inverse of a temperature, a scalar;
                not at all if ``None``.

        Returns:
            ``[B]`` in nats; 0 for a row without tokens.

        Raises:
            ValueError: If shapes do not fit, padding comes before a token, a tag does not exist
                or, with ``constrain_training``, a sequence is forbidden (seen on the CPU; a GPU is
                not asked, and returns minus infinity).
            TypeError: If the mask is not boolean.
        """
        emissions = self._checked(emissions, mask)
        # The same amount off all tags of a position changes no probability. It keeps the
        # difference of two large numbers from swallowing a small one.
        emissions = emissions - emissions.detach().amax(dim=2, keepdim=True)
        score = self.score(emissions, tags, mask)
        if sharpness is None:
            return score - self.log_partition(emissions, mask)
        check_tensor("sharpness", sharpness, "[]", "floating-point")
        sharpness = sharpness.to(emissions.device)
        if mask.shape[1] == 0:
            return score * sharpness
        scores = self._scores(FORBIDDEN if self.constrain_training else None)
        sharper = (part * sharpness for part in scores)
        return score * sharpness - _log_partition(emissions * sharpness, mask, *sharper)

    def score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        r"""Return :math:`s(x, y)` of each sequence of tags.

        Args:
            emissions: ``[B, T, C]``.
            tags: ``[B, T]``; what stands at padding is not read.
            mask: ``[B, T]``, True at tokens.

        Returns:
            ``[B]``; 0 for a row without tokens.

        Raises:
            ValueError: As :meth:`log_likelihood`.
            TypeError: If the mask is not boolean.
        """
        emissions = self._checked(emissions, mask)
        tags = self._checked_tags(tags, mask)
        if mask.shape[1] == 0:
            return self._nothing(emissions)
        start, transitions, end = self._scores(-torch.inf if self.constrain_training else None)
        emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)  # [B, T]
        moved = transitions[tags[:, :-1], tags[:, 1:]]  # [B, T - 1]
        last = (mask.sum(dim=1, keepdim=True) - 1).clamp(min=0)
        total = (
            start[tags[:, 0]]
            + emitted.masked_fill(~mask, 0.0).sum(dim=1)
            + moved.masked_fill(~mask[:, 1:], 0.0).sum(dim=1)
            + end[tags.gather(1, last).squeeze(1)]
        ).masked_fill(~mask[:, 0], 0.0)
        self._refuse(total, mask, "The sequence of tags")
        return total

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        r"""Return :math:`\log \sum_{y'} \exp s(x, y')`, by the forward algorithm.

        Args:
            emissions: ``[B, T, C]``.
            mask: ``[B, T]``, True at tokens.

        Returns:
            ``[B]``; 0 for a row without tokens. With ``constrain_training`` the sum is over the
            allowed sequences.

        Raises:
            ValueError: As :meth:`log_likelihood`.
            TypeError: If the mask is not boolean.
        """
        emissions = self._checked(emissions, mask)
        if mask.shape[1] == 0:
            return self._nothing(emissions)
        scores = self._scores(FORBIDDEN if self.constrain_training else None)
        total = _log_partition(emissions, mask, *scores)
        self._refuse(total, mask, "Every sequence of tags")
        return total

    def marginals(
        self,
        emissions: Tensor,
        mask: Tensor,
        *,
        constrained: bool | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        r"""Return the probability of each tag at each position.

        It is the derivative :math:`\partial \log Z / \partial e_{t, j}`: what automatic
        differentiation of the forward algorithm computes is the backward algorithm.

        Args:
            emissions: ``[B, T, C]``.
            mask: ``[B, T]``, True at tokens.
            constrained: Whether forbidden sequences have no probability, as they have none in
                decoding; as in training if ``None``.
            temperature: What all scores are divided by: above 1 probabilities are closer to one
                another.

        Returns:
            ``[B, T, C]``, which sum to one over C; zero at padding. No gradient flows through it.

        Raises:
            ValueError: As :meth:`log_likelihood`, or if the temperature is not greater than 0.
            TypeError: If the mask is not boolean, ``constrained`` neither, or the temperature no
                number.
        """
        if constrained is None:
            constrained = self.constrain_training
        check_flag("constrained", constrained)
        check_number("temperature", temperature, above=0)
        scores = (part.detach() for part in self._scores(FORBIDDEN if constrained else None))
        emissions = self._checked(emissions, mask) / temperature
        return chain_marginals(emissions, mask, *(part / temperature for part in scores))

    def decode(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """Return the best allowed sequence of tags of each row.

        Args:
            emissions: ``[B, T, C]``.
            mask: ``[B, T]``, True at tokens.

        Returns:
            A tag for each token, row by row; none for a row without tokens.

        Raises:
            ValueError: As :func:`viterbi`.
            TypeError: If the mask is not boolean.
        """
        return viterbi(self._checked(emissions, mask), mask, *self._scores(-torch.inf))

    def _nothing(self, emissions: Tensor) -> Tensor:
        """Return zeros ``[B]`` for rows of no length, with zero gradients rather than none."""
        parameters = self.start.sum() + self.transitions.sum() + self.end.sum()
        return emissions.sum(dim=(1, 2)) + 0 * parameters

    def _scores(self, forbidden: float | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return start, transitions and end, with a value at what is forbidden."""
        if forbidden is None:
            return self.start, self.transitions, self.end
        return (
            self.start.masked_fill(~self.allowed_start, forbidden),
            self.transitions.masked_fill(~self.allowed, forbidden),
            self.end.masked_fill(~self.allowed_end, forbidden),
        )

    def _checked(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Return emissions in the precision to work in, after a look at them."""
        check_emissions(emissions, mask, self.num_tags)
        precise = torch.promote_types(self.start.dtype, torch.float32)
        return emissions.to(torch.promote_types(emissions.dtype, precise))

    def _checked_tags(self, tags: Tensor, mask: Tensor) -> Tensor:
        """Return tags with 0 at padding, after a look at them."""
        check_tensor("tags", tags, "[B, T]", "integer")
        if tags.shape != mask.shape:
            raise ValueError(f"Expected tags {list(mask.shape)}, got {list(tags.shape)}")
        tags = tags.masked_fill(~mask, 0).long()
        outside = (tags < 0) | (tags >= self.num_tags)
        if tags.device.type == "cpu" and bool(outside.any()):
            raise ValueError(
                f"Tag {int(tags[outside][0])} does not exist: {self.num_tags} tags are 0 to "
                f"{self.num_tags - 1}. A token without a tag belongs outside the mask."
            )
        return tags

    def _refuse(self, total: Tensor, mask: Tensor, what: str) -> None:
        """Say which row is forbidden, where asking costs nothing (on the CPU)."""
        if not self.constrain_training or total.device.type != "cpu":
            return
        forbidden = total.isneginf().nonzero()
        if len(forbidden):
            row = int(forbidden[0])
            raise ValueError(
                f"{what} of row {row}, {int(mask[row].sum())} tokens long, is forbidden by the "
                "constraints. Correct the tags or the constraints, or train without "
                "constrain_training."
            )


def chain_marginals(
    emissions: Tensor, mask: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return the probability of each tag at each position, of sequences with given scores.

    Args:
        emissions: ``[B, T, C]``, in single precision at least.
        mask: ``[B, T]``, True at tokens, which come first in each row.
        start: ``[C]``; :data:`FORBIDDEN` or less forbids a first tag.
        transitions: ``[C, C]`` (from, to); likewise.
        end: ``[C]``; likewise.

    Returns:
        ``[B, T, C]``, which sum to one over C; zero at padding. No gradient flows through it.
    """
    if mask.numel() == 0:
        return torch.zeros_like(emissions)
    with torch.inference_mode(False), torch.enable_grad():
        leaf = emissions.detach().clone().requires_grad_()
        scores = (
            part.detach().clone().to(emissions.dtype).clamp(min=FORBIDDEN)
            for part in (start, transitions, end)
        )
        total = _log_partition(leaf, mask.clone(), *scores).sum()
        return torch.autograd.grad(total, leaf)[0]


def _log_partition(
    emissions: Tensor, mask: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return the logarithm of the sum over all sequences ``[B]``; 0 for a row without tokens."""
    with torch.autocast(emissions.device.type, enabled=False):
        alphas, offsets = _forward(by_position(emissions, mask), start, transitions)
    rows = torch.arange(len(mask), device=mask.device)
    last = (mask.sum(dim=1) - 1).clamp(min=0)
    total = (alphas[last, :, rows] + end).logsumexp(dim=1) + offsets[last, rows]
    total = total.masked_fill(total < FORBIDDEN / 2, -torch.inf)
    return total.masked_fill(~mask[:, 0], 0.0)


def _forward(
    steps: tuple[Tensor, ...], start: Tensor, transitions: Tensor
) -> tuple[Tensor, Tensor]:
    """Add up the scores of all ways to each tag.

    Returns:
        ``[T, C, B]`` less an offset ``[T, B]``. Scores far from zero would be rounded more than
        the differences between tags can bear.
    """
    advance = _advance(transitions)
    alphas, offsets = [start.unsqueeze(1) + steps[0]], [torch.zeros_like(steps[0][0])]
    for step in steps[1:]:
        offset = alphas[-1].detach().amax(dim=0)  # [B]
        alphas.append(advance(alphas[-1] - offset) + step)
        offsets.append(offset)
    return torch.stack(alphas), torch.stack(offsets).cumsum(dim=0)


def _advance(transitions: Tensor) -> Callable[[Tensor], Tensor]:
    r"""Return what maps scores ``[C, B]`` of tags, the greatest 0, to those of the next tags.

    :math:`\log \sum_i \exp(\alpha_i + A_{ij})` is a product of matrices between an exponential and
    a logarithm. That is exact as long as no :math:`A_{ij}` is large: the best tag alone makes each
    sum at least :math:`e^{-20}`, and what underflows beside it is below :math:`e^{-67}`.
    """
    # A GPU is not asked, since it would have to answer before going on.
    bounded = transitions.device.type == "cpu" and bool(
        transitions.detach().abs().max() <= LARGEST_EXPONENT
    )
    if bounded:
        weights = transitions.exp().t()  # [C, C] (to, from)
        return lambda alpha: (weights.to(alpha.dtype) @ alpha.exp()).log()
    from_to = transitions.unsqueeze(2)  # [C, C, 1]
    return lambda alpha: (alpha.unsqueeze(1) + from_to).logsumexp(dim=0)


def _constraint(name: str, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    if mask is None:
        return torch.ones(shape, dtype=torch.bool)
    check_mask(mask, name)
    if mask.shape != shape:
        raise ValueError(f"Expected {name} {list(shape)}, got {list(mask.shape)}")
    if len(shape) == 1 and not bool(mask.any()):
        raise ValueError(
            f"{name} of shape {list(mask.shape)} forbids all {len(mask)} tags; allow at least one"
        )
    return mask.clone()
