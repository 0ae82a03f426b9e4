"""Trees of beam searches: what is drawn is what a search does."""

from __future__ import annotations

import math
from itertools import product

import pytest
from drawn_diagrams import TOY
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils import diagrams

Rows = dict[str, dict[str, float]]
TOKENS = ("A", ".")


def _labels(diagram: diagrams.Diagram) -> dict[str, tuple[float, str]]:
    """Return probability and fate of each beginning that is drawn."""
    found = {}
    for box in diagram.boxes[1:]:
        name, probability, fate = box.label.split("\n")
        found[name] = float(probability), fate
    return found


def test_the_toy_of_chapter_02() -> None:
    """Worked by hand there."""
    greedy, wide = (_labels(diagrams.beam_tree(TOY, size)) for size in (1, 2))
    assert greedy == {
        "A": (0.6, "kept"),
        "B": (0.4, "dropped"),
        "A A": (0.21, "dropped"),
        "A B": (0.15, "dropped"),
        "A .": (0.24, "best"),
    }
    assert wide["B ."] == (0.36, "best")
    assert wide["A ."] == (0.24, "ended")
    assert {name for name, (_, fate) in wide.items() if fate == "dropped"} == {"B A", "B B"}
    assert {name for name, (_, fate) in wide.items() if fate == "open"} == {"A A", "A B"}
    assert {name for name, (_, fate) in wide.items() if fate == "kept"} == {"A", "B"}


def test_greedy_search_stops_at_its_first_end() -> None:
    """As `nn.greedy_search` does; a beam of one would go on from the A that did not end."""
    drawn = _labels(diagrams.beam_tree({t: {"A": 0.4, ".": 0.6} for t in ("<bos>", "A")}, 1, 3))
    assert drawn == {"A": (0.4, "dropped"), ".": (0.6, "best")}


_ROWS = st.fixed_dictionaries(
    {token: st.floats(0.05, 0.95).map(lambda p: {"A": p, ".": 1 - p}) for token in ("<bos>", "A")}
)


@settings(max_examples=40, deadline=None)
@given(_ROWS, st.integers(1, 3))
def test_a_wide_beam_marks_the_most_probable_of_all(rows: Rows, steps: int) -> None:
    sentences = {}
    for length in range(1, steps + 1):
        for tokens in product(TOKENS, repeat=length):
            if tokens[-1] == "." and "." not in tokens[:-1]:
                before = ("<bos>", *tokens)
                chances = (rows[a][b] for a, b in zip(before, tokens, strict=False))
                sentences[" ".join(tokens)] = math.prod(chances)
    drawn = _labels(diagrams.beam_tree(rows, beam_size=4, steps=steps))
    (best,) = (name for name, (_, fate) in drawn.items() if fate == "best")
    assert sentences[best] == pytest.approx(max(sentences.values()))
    for name, probability in sentences.items():
        assert drawn[name][0] == pytest.approx(probability, rel=0.06)  # two digits are written


def test_what_does_not_fit_or_cannot_follow_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 7 beginnings side by side, got 14"):
        diagrams.beam_tree(TOY, beam_size=4, steps=3)
    with pytest.raises(ValueError, match="a token must have a row in following, got 'A'"):
        diagrams.beam_tree({"<bos>": {"A": 1.0}}, steps=2)
