"""Data sets drawn by their sizes: tempered, capped, or with a temperature that is annealed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_choice, check_number, check_several, check_sizes, check_whole
from mtl_utils.data.content import Plain, parts_content
from mtl_utils.data.loading import Loader
from mtl_utils.training.sampling.drawn import DrawnBatches

#: What the names of ways to draw stand for: temperatures, of which the last makes all sizes equal.
_TEMPERATURES = {"size": 1.0, "sqrt": 2.0, "uniform": float("inf")}


class SampledBatches(DrawnBatches):
    """Every step takes a batch of one data set, drawn anew with a probability by its size.

    A data set of nₖ batches is drawn with the probability pₖ = nₖ^(1/T) / Σⱼ nⱼ^(1/T), where T is
    the temperature (Devlin et al., 2019; Arivazhagan et al., 2019). At T = 1 every row of every
    data set is read equally often; at T = 2 the sizes count by their square roots (Stickland &
    Murray, 2019); a high T draws all data sets alike. Batches are counted, not rows:
    if all have as many rows, that is the same. :attr:`probabilities` and :attr:`passes` say what
    became of the sizes. For turns that are fixed instead of drawn see :class:`AlternatingBatches`.

    Which data set a step takes depends on ``seed`` and the number of the epoch alone, so a run that
    is resumed goes on as if nothing had happened, and all processes draw alike. Each data set goes
    on where it was when it was last drawn, through all its batches before any comes again.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        by: ``"size"`` (T = 1), ``"sqrt"`` (T = 2), ``"uniform"`` (all alike) or a temperature T
            greater than 0.
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.
            With ``by="size"`` an epoch then reads each data set once, in the mean over epochs.
        seed: What the draws depend on.
        limit: The largest number of batches that a data set counts for: min(nₖ, limit) stands in
            the place of nₖ, so that no data set crowds out the others (Raffel et al., 2020, who
            count examples). ``None`` sets none.
        drops_stopped: Whether data sets of which all tasks have been stopped (``task_patience`` of
            :class:`TrainerConfig`) are drawn no more; see :class:`DrawnBatches`.

    Raises:
        ValueError: If there is no data set, one is empty, ``by`` is no such name or not greater
            than 0, ``num_batches`` or ``limit`` is below 1, or the seed is negative.
        TypeError: If something is no loader, no flag, or a number no number.
    """

    def __init__(
        self,
        loaders: Sequence[Loader],
        by: str | float = "size",
        num_batches: int | None = None,
        seed: int = 0,
        limit: int | None = None,
        drops_stopped: bool = False,
    ) -> None:
        super().__init__(loaders, num_batches, seed, drops_stopped)
        if isinstance(by, str):
            check_choice("by", by, tuple(_TEMPERATURES))
            self.temperature = _TEMPERATURES[by]
        else:
            check_number("by", by, above=0)
            self.temperature = float(by)
        if limit is not None:
            check_whole("limit", limit, least=1)
        self.limit = limit

    @property
    def probabilities(self) -> tuple[float, ...]:
        """With which probability a step takes each data set, in their order."""
        return tuple(self.shares().tolist())

    @property
    def passes(self) -> tuple[float, ...]:
        """How often an epoch reads each data set, such as 0.5 or 100, in the mean over epochs."""
        return _passes(self, self.probabilities)

    def shares(self, epoch: int = 0) -> NDArray[np.float64]:
        """Return with which probability a step takes each data set, ``[K]``.

        Args:
            epoch: Of no account.
        """
        return _tempered(self.loaders, 1 / self.temperature, self.limit)

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the settings, and what each part says."""
        return {
            "kind": type(self).__qualname__,
            "num_batches": self.num_batches,
            "temperature": str(self.temperature),
            "seed": self.seed,
            # Checkpoints of before there were a limit and a dropping of data sets have neither.
            **({} if self.limit is None else {"limit": self.limit}),
            **({"drops_stopped": True} if self.drops_stopped else {}),
            **parts_content(self.loaders),
        }


class AnnealedBatches(DrawnBatches):
    """Draws by size at first and nearly alike at the end (Stickland & Murray, 2019).

    In epoch e of E, a data set of nₖ batches is drawn with a probability proportional to nₖ^αₑ,
    with αₑ = first - (first - last) (e - 1) / (E - 1). Theirs falls from 1 to 0.2, so that the
    training ends with all tasks in nearly equal parts. After E epochs the last α stays.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        epochs: E, how many epochs the training has.
        first: α of the first epoch, in [0, 1]. With a single epoch there is no other.
        last: α of the last epoch, in [0, 1].
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.
        seed: What the draws depend on.
        drops_stopped: Whether data sets of which all tasks have been stopped are drawn no more; see
            :class:`DrawnBatches`.

    Raises:
        ValueError: If there is no data set, one is empty, ``epochs`` or ``num_batches`` is below 1,
            an exponent is outside [0, 1], or the seed is negative.
        TypeError: If something is no loader, no flag, or a number no number.
    """

    def __init__(
        self,
        loaders: Sequence[Loader],
        epochs: int,
        first: float = 1.0,
        last: float = 0.2,
        num_batches: int | None = None,
        seed: int = 0,
        drops_stopped: bool = False,
    ) -> None:
        super().__init__(loaders, num_batches, seed, drops_stopped)
        check_sizes(epochs=epochs)
        check_number("first", first, least=0, most=1)
        check_number("last", last, least=0, most=1)
        self.epochs, self.first, self.last = epochs, float(first), float(last)

    def exponent(self, epoch: int) -> float:
        """Return α of an epoch.

        Args:
            epoch: The epoch, from 0.
        """
        done = min(epoch / (self.epochs - 1), 1.0) if self.epochs > 1 else 0.0
        return self.first - (self.first - self.last) * done

    @property
    def passes(self) -> tuple[float, ...]:
        """How often an epoch reads each data set, in the mean over all epochs."""
        shares = np.mean([self.shares(epoch) for epoch in range(self.epochs)], axis=0)
        return _passes(self, shares.tolist())

    def shares(self, epoch: int = 0) -> NDArray[np.float64]:
        """Return with which probability a step of an epoch takes each data set, ``[K]``.

        Args:
            epoch: The epoch, from 0.
        """
        return _tempered(self.loaders, self.exponent(epoch))

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the settings, and what each part says."""
        return {
            "kind": type(self).__qualname__,
            "num_batches": self.num_batches,
            "epochs": self.epochs,
            "first": self.first,
            "last": self.last,
            "seed": self.seed,
            "drops_stopped": self.drops_stopped,
            **parts_content(self.loaders),
        }


def tempered_shares(
    sizes: Sequence[float], temperature: float = 1.0, limit: float | None = None
) -> list[float]:
    """Return with which probability data sets of some sizes are drawn at a temperature.

    pₖ = min(nₖ, limit)^(1/T) / Σⱼ min(nⱼ, limit)^(1/T), as :class:`SampledBatches` has it.

    Args:
        sizes: Numbers of rows or batches, each greater than 0, ``[K]``.
        temperature: T, greater than 0; infinity draws all alike.
        limit: What no size counts for more than; ``None`` sets none.

    Returns:
        ``[K]``, their sum 1.

    Raises:
        ValueError: If there are no sizes, or a number is not greater than 0.
        TypeError: If something is no number.
    """
    check_several("sizes", sizes, "numbers of rows")
    if len(sizes) == 0:
        raise ValueError(f"sizes must be those of at least one data set, got {sizes!r}")
    for place, size in enumerate(sizes):
        check_number(f"sizes[{place}]", size, above=0)
    if temperature != float("inf"):
        check_number("temperature", temperature, above=0)
    if limit is not None:
        check_number("limit", limit, above=0)
    return _shares(np.asarray(sizes, dtype=np.float64), 1 / temperature, limit).tolist()


def _tempered(
    loaders: Sequence[Loader], exponent: float, limit: int | None = None
) -> NDArray[np.float64]:
    sizes = np.asarray([loader.num_batches for loader in loaders], dtype=np.float64)
    return _shares(sizes, exponent, limit)


def _shares(
    sizes: NDArray[np.float64], exponent: float, limit: float | None = None
) -> NDArray[np.float64]:
    counted = sizes if limit is None else np.minimum(sizes, limit)
    logs = np.log(counted) * exponent
    shares: NDArray[np.float64] = np.exp(logs - logs.max())  # no overflow near temperature 0
    return shares / shares.sum()


def _passes(sampler: DrawnBatches, shares: Sequence[float]) -> tuple[float, ...]:
    return tuple(
        sampler.num_batches * share / loader.num_batches
        for share, loader in zip(shares, sampler.loaders, strict=True)
    )
