"""Atlas writes at least 5,000 sentences a second on one core (printed with ``make bench``)."""

import time
from collections.abc import Callable

import pytest

from mtl_utils import atlas


@pytest.mark.parametrize("load", [atlas.load, atlas.load_inference])
def test_sentences_a_second(load: Callable[[int], object]) -> None:
    load(10)  # reading the lexicon is not counted
    size = 20_000
    began = time.perf_counter()
    load(size)
    rate = size / (time.perf_counter() - began)
    print(f"\n{load.__name__}: {rate:,.0f} rows a second")
    assert rate > 5_000
