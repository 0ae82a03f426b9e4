"""Description length: how many bits labels take for one who sees the states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from mtl_utils.arguments import check_number, check_several
from mtl_utils.interpretation.probes import check_pairs, fit_probe, number_of_labels

#: Shares of the data after which the probe of an online code is fitted again.
SHARES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class DescriptionLength:
    """What labels cost with a probe that learns as it goes, in bits.

    Args:
        online: Length of the online code.
        uniform: Length where every label is as likely as every other, N log2 C.
        portions: Bits of each portion of the data, in order.
    """

    online: float
    uniform: float
    portions: tuple[float, ...]

    @property
    def compression(self) -> float:
        """How many times shorter the code is than the uniform one."""
        return self.uniform / self.online if self.online else math.inf


def online_code(
    states: Tensor,
    labels: Tensor,
    *,
    num_labels: int | None = None,
    shares: Sequence[float] = SHARES,
    strength: float = 1e-3,
) -> DescriptionLength:
    r"""Send labels to one who has the states, portion by portion (Voita & Titov, 2020).

    .. math:: L = n_1 \log_2 C - \sum_i \sum_{n = n_i + 1}^{n_{i + 1}}
        \log_2 p_i(y_n \mid h_n), \qquad p_i = \frac{n_i\, \hat p_i + 1}{n_i + C}

    The first portion is sent uniformly; each further one with a probe :math:`\hat p_i` that is
    fitted to what was sent. It is smoothed as Laplace's rule smooths frequencies, so that a label
    not seen yet costs bits and not infinity. If states say nothing of labels, the probes are the
    frequencies, and this is Laplace's rule. What is easy to read off is learnt from few labels: the
    code measures the effort too, which accuracy at the end does not.

    Args:
        states: ``[N, D]``, in an order that says nothing: shuffle them before.
        labels: Ids ``[N]``.
        num_labels: Number of labels, C; one more than the greatest id if ``None``.
        shares: Where portions end, as shares of N that grow, the last of them 1.
        strength: See :func:`fit_probe`.

    Raises:
        TypeError: If something is no tensor of its kind, or a share no number.
        ValueError: If shapes do not fit, an id does not exist, or the shares do not grow to 1.
    """
    check_pairs(states, labels)
    size = number_of_labels(labels, num_labels)
    ends = _ends(shares, len(labels))
    portions = [ends[0] * math.log2(size)]
    for begin, end in pairwise(ends):
        probe = fit_probe(states[:begin], labels[:begin], num_labels=size, strength=strength)
        found = probe.log_probabilities(states[begin:end]).exp()
        smoothed = (begin * found + 1) / (begin + size)
        likely = smoothed.gather(1, labels[begin:end, None])
        portions.append(-float(likely.log2().sum()))
    return DescriptionLength(math.fsum(portions), len(labels) * math.log2(size), tuple(portions))


def _ends(shares: Sequence[float], count: int) -> list[int]:
    check_several("shares", shares, "numbers")
    for share in shares:
        check_number(f"each of shares {shares!r:.60}", share, least=0)
    if (
        not len(shares)
        or shares[0] <= 0
        or shares[-1] != 1
        or any(a >= b for a, b in pairwise(shares))
    ):
        raise ValueError(f"shares must be above 0, grow, and end with 1, got {shares!r:.80}")
    return sorted({max(1, round(share * count)) for share in shares})
