"""Counting with sorted arrays against counting with dictionaries, side by side."""

import time
from collections import Counter

from mtl_utils import atlas
from mtl_utils.models import NGramLanguageModel

ORDER = 5


def with_dictionaries(sentences: list[list[str]]) -> Counter[tuple[str, ...]]:
    counts: Counter[tuple[str, ...]] = Counter()
    for words in sentences:
        padded = ["<bos>", *words, "<eos>"]
        for n in range(1, ORDER + 1):
            counts.update(tuple(padded[i : i + n]) for i in range(len(padded) - n + 1))
    return counts


def seconds(function: object, *arguments: object) -> float:
    began = time.perf_counter()
    function(*arguments)  # type: ignore[operator]
    return time.perf_counter() - began


def test_fitting_is_no_slower_than_counting_with_dictionaries() -> None:
    """The package also estimates discounts and back-off weights; dictionaries only count here."""
    sentences = [list(words) for words in atlas.load(12_000)["train"]["tokens"]]
    ours = min(seconds(NGramLanguageModel(ORDER).fit, sentences) for _ in range(3))
    theirs = min(seconds(with_dictionaries, sentences) for _ in range(3))
    print(f"\ndictionaries {theirs:.2f} s, sorted arrays {ours:.2f} s: {theirs / ours:.1f} times")
    assert theirs / ours > 1
