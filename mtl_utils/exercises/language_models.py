"""Checks of the exercises of chapter 01."""

import itertools
import math

import numpy as np

from mtl_utils.exercises.checking import Answer, as_number, exercise

__all__ = [
    "check_best_mixture",
    "check_continuation_count",
    "check_kneser_ney_by_hand",
]


@exercise(
    "kneser_ney_by_hand",
    wrong=[
        [2 / 3, 0.0, 2 / 3],  # no smoothing
        [5 / 12, 0.0, 5 / 12],  # discounted, and nothing given back
        [0.455, 0.080, 0.4583],  # occurrences instead of places
        [0.434, 0.0559, 0.472],  # no discount below
        [0.455, 0.080],
    ],
)
def check_kneser_ney_by_hand(answer: Answer) -> None:
    """Three Kneser-Ney probabilities of the three lines of the chapter."""
    found = answer.value
    hints = {
        "man after the": "It follows the twice, and in the whole text nothing but the precedes it.",
        "<eos> after the": "It never follows the, so all that it has comes from below: two places.",
        "the after <bos>": "Two lines begin with it; it is preceded by <bos> and by met.",
    }
    if not hasattr(found, "__len__") or len(found) != len(hints):
        answer.fail(f"expected three probabilities, got {found!r:.80}")
    below = {places: (places - 0.75) / 12 + 0.75 * 8 / 12 / 9 for places in (1, 2)}
    kept, spread = 1.25 / 3, 0.5
    expected = (kept + spread * below[1], spread * below[2], kept + spread * below[2])
    for (name, hint), right, given in zip(hints.items(), expected, found, strict=True):
        answer.require(
            math.isclose(as_number(given), right, abs_tol=1e-3),
            f"The probability of {name} is not {given!r:.40}.",
            hint,
        )


def _first_places(sentences: list[list[str]], word: str) -> int:
    padded = [["<bos>", *words] for words in sentences if word in words]
    return len({words[words.index(word) - 1] for words in padded})


def _joined(sentences: list[list[str]], word: str) -> int:
    words = ["<bos>", *itertools.chain(*sentences)]
    return len({before for before, after in itertools.pairwise(words) if after == word})


@exercise(
    "continuation_count",
    wrong=[
        _first_places,
        _joined,
        lambda sentences, word: sum(list(words).count(word) for words in sentences),
        lambda sentences, word: len({w for words in sentences for w in words}),
    ],
)
def check_continuation_count(answer: Answer) -> None:
    """Number of different words that a word follows."""
    sentences = [["new", "york"], ["in", "new", "york"], ["in", "oslo"], ["to", "oslo", "now"]]
    hint = "Collect the words that stand before it in a set; a sentence begins after <bos>."
    answer.gives(sentences, "york", expected=1, hint=hint)
    answer.gives(sentences, "oslo", expected=2, hint=hint)
    answer.gives([["oslo"], ["to", "oslo"]], "oslo", expected=2, hint=hint)
    answer.gives(sentences, "lima", expected=0, hint=hint)
    answer.gives([["b", "a", "c", "a"]], "a", expected=2, hint="Look at every place of the word.")
    hint = "What stands before the first word of a sentence is <bos>, not the sentence before."
    answer.gives([["oslo"], ["oslo"]], "oslo", expected=1, hint=hint)


@exercise(
    "best_mixture",
    wrong=[
        lambda first, second, weights: max(
            weights, key=lambda w: np.mean(w * np.asarray(first) + (1 - w) * np.asarray(second))
        ),
        lambda first, second, weights: weights[len(weights) // 2],
        lambda first, second, weights: min(
            weights,
            key=lambda w: np.mean(1 / (w * np.asarray(first) + (1 - w) * np.asarray(second))),
        ),
    ],
)
def check_best_mixture(answer: Answer) -> None:
    """The weight at which a mixture of two models has the lowest cross-entropy."""
    weights = [0.0, 0.25, 0.5, 0.75, 1.0]
    hint = "Average the logarithm of the mixed probabilities, not the probabilities."
    answer.gives([0.9, 0.1], [0.1, 0.9], weights, expected=0.5, hint=hint)
    answer.gives([0.9, 0.01], [0.3, 0.3], weights, expected=0.25, hint=hint)
    answer.gives([0.4, 0.4], [0.1, 0.2], weights, expected=1.0, hint=hint)
    answer.gives([0.4, 0.05, 0.3], [0.1, 0.6, 0.6], weights, expected=0.25, hint=hint)
