"""The best that can be done with the words, with the picture, and with both, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

import numpy as np

from mtl_utils.arguments import check_number
from mtl_utils.atlas.names import LABELS
from mtl_utils.atlas.pictured import MEANINGS, ambiguous_names

Seen = tuple[Hashable, ...]
"""What somebody knows of a sentence."""


def best_scores(ambiguity: float = 0.3, picture_error: float = 0.1) -> dict[str, dict[str, float]]:
    r"""Return the best possible scores of the entity types of sentences with pictures.

    Whoever knows the names and the probabilities, and sees :math:`s`, says the likeliest type, and
    is right with probability

    .. math:: \sum_s \max_t \sum_{m \in t} p(m)\, p(s \mid m)

    over the meanings m of each type t. No model can do better on average, whatever its size. Where
    a type is a matter of chance it may be better for F1 to say nothing, which is reckoned with.

    Args:
        ambiguity: As for :func:`load`.
        picture_error: As for :func:`load`.

    Returns:
        By what is seen (``"nothing"`` but the frequencies, ``"picture"``, ``"text"``, ``"both"``)
        ``accuracy``, the share of names whose type is right, and ``f1`` of entities.

    Raises:
        ValueError: If a probability is outside [0, 1].
        TypeError: If one is no number.
    """
    check_number("ambiguity", ambiguity, least=0, most=1)
    check_number("picture_error", picture_error, least=0, most=1)
    everything = list(_cases(ambiguity, picture_error))
    views: dict[str, Callable[[Seen], Seen]] = {
        "nothing": lambda seen: (),
        "picture": lambda seen: seen[2:],
        "text": lambda seen: seen[:2],
        "both": lambda seen: seen,
    }
    return {name: _best(everything, view) for name, view in views.items()}


def _cases(ambiguity: float, picture_error: float) -> Iterator[tuple[Seen, str, float]]:
    """Yield all that can be seen, the type that is right, and how probable that is."""
    names = ambiguous_names()
    for name in names:
        for meaning in name.senses:
            drawn = 1 / len(names) / len(name.senses)
            for told, share in ((None, ambiguity), (meaning, 1 - ambiguity)):
                for shown in MEANINGS:
                    errs = picture_error / (len(MEANINGS) - 1)
                    seen = (name.english, told, shown)
                    shows = 1 - picture_error if shown == meaning else errs
                    yield seen, LABELS[meaning], drawn * share * shows


def _best(cases: list[tuple[Seen, str, float]], view: Callable[[Seen], Seen]) -> dict[str, float]:
    known: dict[Seen, dict[str, float]] = {}
    for seen, label, probability in cases:
        types = known.setdefault(view(seen), {})
        types[label] = types.get(label, 0.0) + probability
    likeliest = np.array([max(types.values()) for types in known.values()])
    mass = np.array([sum(types.values()) for types in known.values()])
    surest = np.argsort(-likeliest / np.maximum(mass, np.finfo(float).tiny))
    right, said = likeliest[surest].cumsum(), mass[surest].cumsum()
    return {"accuracy": float(likeliest.sum()), "f1": float((2 * right / (said + 1)).max())}
