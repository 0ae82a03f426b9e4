"""What a linear tagger sees: a word, its shape, and two words on either side; and its score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.feature_extraction import FeatureHasher


def hashed_windows(sentences: Iterable[Sequence[str]]) -> Any:
    """Describe every word of several sentences, by :func:`window_features`.

    Args:
        sentences: Their words.

    Returns:
        A sparse matrix of counts, one row a word, one column for each of 2^18 values of a hash.
    """
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False)
    return hasher.transform(chain.from_iterable(map(window_features, sentences)))


def strict_f1(
    predicted: Iterable[int], gold: Sequence[Sequence[int]], names: Sequence[str]
) -> float:
    """Score tags word by word as spans, each right if its borders and its type are.

    Args:
        predicted: An id for each word of all sentences, one after the other.
        gold: The right ids, sentence by sentence.
        names: Of the tags, in IOB2.
    """
    guesses = iter(predicted)
    right = [[names[tag] for tag in tags] for tags in gold]
    guessed = [[names[next(guesses)] for _ in tags] for tags in gold]
    return float(f1_score(right, guessed, mode="strict", scheme=IOB2))


def window_features(tokens: Sequence[str]) -> Iterator[list[str]]:
    """Describe each word of a sentence by a window of five words.

    Args:
        tokens: The words.

    Yields:
        Of each word the names of the features it has.
    """
    padded = ["<s>", "<s>", *tokens, "</s>", "</s>"]
    for position in range(2, len(tokens) + 2):
        yield _features(padded, position)


def _features(tokens: Sequence[str], position: int) -> list[str]:
    word, before, after = tokens[position], tokens[position - 1], tokens[position + 1]
    features = [f"word={word}", f"ends={word[-3:]}", f"begins={word[:3]}", f"shape={_shape(word)}"]
    for offset in (-2, -1, 1, 2):
        near = tokens[position + offset]
        features += [f"{offset}={near.lower()}", f"{offset} shape={_shape(near)}"]
    return [*features, f"between={before.lower()}|{after.lower()}", f"pair={before.lower()}|{word}"]


def _shape(word: str) -> str:
    classes = ("X" if c.isupper() else "x" if c.islower() else "9" for c in word)
    return "".join(classes)[:4]
