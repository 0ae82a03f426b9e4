"""Samplers by the names that a file or a table of settings has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from mtl_utils.arguments import check_number, nearest, shown
from mtl_utils.data.loading import Loader
from mtl_utils.training.sampling.alternating import AlternatingBatches
from mtl_utils.training.sampling.joint import JointBatches
from mtl_utils.training.sampling.learning_progress import LearningProgressBatches
from mtl_utils.training.sampling.sampled import AnnealedBatches, SampledBatches
from mtl_utils.training.sampling.uncertainty import UncertaintyBatches

#: What a sampler is asked for by: a name, a temperature, or a name as ``kind`` and its arguments.
Sampling = str | float | Mapping[str, Any]

_KINDS: dict[str, tuple[Callable[..., Loader], dict[str, Any]]] = {
    "joint": (JointBatches, {}),
    "turns": (AlternatingBatches, {}),
    "size": (SampledBatches, {"by": "size"}),
    "sqrt": (SampledBatches, {"by": "sqrt"}),
    "uniform": (SampledBatches, {"by": "uniform"}),
    "temperature": (SampledBatches, {}),
    "annealed": (AnnealedBatches, {}),
    "uncertainty": (UncertaintyBatches, {}),
    "learning_progress": (LearningProgressBatches, {}),
}


def sampler_of(
    loaders: Sequence[Loader],
    sampling: Sampling = "joint",
    *,
    num_batches: int | None = None,
    seed: int = 0,
) -> Loader:
    """Return several data sets as one, which shares the steps as it is asked to.

    Args:
        loaders: One a data set.
        sampling: ``"joint"`` (a batch of each in every step), ``"turns"``, ``"size"``, ``"sqrt"``,
            ``"uniform"``, ``"uncertainty"``, ``"learning_progress"``, or a temperature; or such a
            name as ``kind`` beside arguments of the sampler, such as
            ``{"kind": "size", "limit": 100}`` or ``{"kind": "annealed", "epochs": 10}``.
        num_batches: Steps that make an epoch; what the sampler takes by itself if ``None``.
        seed: Of the draws.

    Raises:
        ValueError: If there is no such sampling, an argument is outside its range, or
            ``"annealed"`` is without its ``epochs``.
        TypeError: If it is neither a name nor a number nor a mapping, or there is no such argument.
    """
    kind, own = _read(sampling)
    make, settings = _KINDS[kind]
    known = set(signature(make).parameters) - {"loaders", *settings}
    for name in own:
        if name not in known:
            raise TypeError(
                f"sampling {kind!r} has no argument {name!r}{nearest(name, sorted(known))}"
            )
    given = {"num_batches": num_batches, "seed": seed}
    given = {n: value for n, value in given.items() if n in known and value is not None}
    if kind == "annealed" and "epochs" not in own:
        raise ValueError(
            'sampling "annealed" needs the number of epochs of the training, as in '
            '{"kind": "annealed", "epochs": 10}'
        )
    return make(loaders, **{**settings, **given, **own})


def check_sampling(sampling: Any) -> None:
    """Refuse what names no way of sharing the steps.

    Args:
        sampling: What was given.

    Raises:
        ValueError: If there is no such way.
        TypeError: If it is neither a name nor a number nor a mapping with its ``kind``.
    """
    _read(sampling)


def with_epochs(sampling: Any, epochs: int) -> Any:
    """Fill in how many epochs a training has, where the sampling has to know.

    Args:
        sampling: As :func:`sampler_of` takes it.
        epochs: Of the training.
    """
    if sampling == "annealed":
        return {"kind": sampling, "epochs": epochs}
    if isinstance(sampling, Mapping) and sampling.get("kind") == "annealed":
        return {"epochs": epochs, **sampling}
    return sampling


def _read(sampling: Any) -> tuple[str, dict[str, Any]]:
    """Return the kind of a sampler and its arguments."""
    if isinstance(sampling, Mapping):
        if "kind" not in sampling:
            raise ValueError(
                f"sampling needs its kind, one of {sorted(_KINDS)}, got {dict(sampling)!r:.80}"
            )
        own = {str(name): value for name, value in sampling.items() if name != "kind"}
        return _kind(sampling["kind"]), own
    if isinstance(sampling, bool) or not isinstance(sampling, str | int | float):
        raise TypeError(
            f"sampling must be the name of a way, a temperature or a mapping with its kind, got "
            f"{shown(sampling)}"
        )
    if isinstance(sampling, str):
        return _kind(sampling), {}
    check_number("sampling", sampling, above=0)
    return "temperature", {"by": sampling}


def _kind(kind: Any) -> str:
    if not isinstance(kind, str) or kind not in _KINDS:
        names = [name for name in _KINDS if name != "temperature"]
        raise ValueError(f"sampling must be one of {names} or a temperature, got {kind!r:.60}")
    return kind
