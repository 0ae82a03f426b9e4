"""Searches drawn as trees, from the empty beginning at the top to longer ones below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtl_utils.arguments import check_number, check_text, check_whole, shown
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box

#: Beginnings that stand side by side, so that their letters can be read on a phone.
MOST_LEAVES = 7
_KINDS = {"best": "head", "ended": "head", "kept": "layer", "open": "layer", "dropped": "text"}
_PALE = ("open", "dropped")


@dataclass(eq=False)
class _Beginning:
    """A beginning of a text: what was written, its probability and what became of it."""

    tokens: tuple[str, ...]
    probability: float
    fate: str = "dropped"
    longer: list[_Beginning] = field(default_factory=list)

    @property
    def leaves(self) -> int:
        return sum(one.leaves for one in self.longer) or 1


def beam_tree(
    following: Mapping[str, Mapping[str, float]],
    beam_size: int = 2,
    steps: int = 2,
    start: str = "<bos>",
    end: str = ".",
) -> Diagram:
    """Draw what a beam search looks at, with the probability of each beginning.

    At each step all beginnings that were kept are made one token longer. Of the longer ones the
    ``beam_size`` best that have not ended are kept, those that end among the ``beam_size`` best
    have ended, and the others are dropped, as in :func:`mtl_utils.nn.beam_search`. Those that
    would be kept after the last step are open: they could go on. The best that has ended is marked.

    Args:
        following: For each token the probabilities of what may follow it; those of 0 are left out.
        beam_size: 1 searches greedily, and stops at the first end.
        steps: Tokens that are written.
        start: The token before the first.
        end: The token that ends a text.

    Raises:
        TypeError: If ``following`` is no mapping of mappings, or another argument is not of its
            kind.
        ValueError: If a token has no row, a probability is outside [0, 1], nothing can follow, or
            more than seven beginnings would stand side by side.
    """
    _check_rows(following)
    check_whole("beam_size", beam_size, least=1)
    check_whole("steps", steps, least=1)
    check_text("start", start)
    check_text("end", end)
    root = _Beginning((), 1.0, "kept")
    _search(root, following, beam_size, steps, (start, end))
    if not root.longer:
        raise ValueError(
            f"following must have a probability above 0 after {start!r}, got {shown(following)}"
        )
    if root.leaves > MOST_LEAVES:
        raise ValueError(
            f"following, beam_size and steps must give at most {MOST_LEAVES} beginnings side by "
            f"side, got {root.leaves} of {shown(following)}"
        )
    boxes, arrows = [Box("root", start, "text", (0, 0), (1, root.leaves))], []
    pending = [(root, "root", 0)]
    while pending:
        parent, name, column = pending.pop(0)
        for one in parent.longer:
            of_one = " ".join(one.tokens)
            label = f"{of_one}\n{one.probability:.2g}\n{one.fate}"
            role = "neutral" if one.fate in _PALE else 0
            at, span = (len(one.tokens), column), (1, one.leaves)
            boxes.append(Box(of_one, label, _KINDS[one.fate], at, span, role))
            arrows.append(Arrow(name, of_one))
            pending.append((one, of_one, column))
            column += one.leaves
    size = "greedy search" if beam_size == 1 else f"a beam search that keeps {beam_size}"
    columns = (1.0,) * root.leaves
    return Diagram(size, tuple(boxes), tuple(arrows), columns, gap=8, row_gap=18)


def _search(
    root: _Beginning,
    following: Mapping[str, Mapping[str, float]],
    beam_size: int,
    steps: int,
    marks: tuple[str, str],
) -> None:
    """Grow the tree below its root, and say of each beginning what becomes of it."""
    start, end = marks
    going, ended = [root], []
    for _ in range(steps):
        for one in going:
            before = one.tokens[-1] if one.tokens else start
            if before not in following:
                name = "a token" if one.tokens else "start"
                raise ValueError(
                    f"{name} must have a row in following, got {before!r} and {shown(following)}"
                )
            one.longer = [
                _Beginning((*one.tokens, token), one.probability * probability)
                for token, probability in following[before].items()
                if probability > 0
            ]
        found = sorted((b for one in going for b in one.longer), key=lambda b: -b.probability)
        over = [one for one in found[:beam_size] if one.tokens[-1] == end]
        going = [one for one in found if one.tokens[-1] != end][:beam_size]
        if beam_size == 1 and over:
            going = []
        for one, fate in [*((o, "ended") for o in over), *((g, "kept") for g in going)]:
            one.fate = fate
        ended += over
    for one in going:
        one.fate = "open"
    if ended:
        max(ended, key=lambda one: one.probability).fate = "best"


def _check_rows(following: Mapping[str, Mapping[str, float]]) -> None:
    if not isinstance(following, Mapping):
        raise TypeError(f"following must be rows of probabilities by token, got {shown(following)}")
    for token, row in following.items():
        check_text("A token of following", token)
        if not isinstance(row, Mapping):
            raise TypeError(
                f"following[{token!r}] must be probabilities by token, got {shown(row)}"
            )
        for one, probability in row.items():
            check_text(f"A token of following[{token!r}]", one)
            check_number(f"following[{token!r}][{one!r}]", probability, least=0)
            if probability > 1:
                raise ValueError(
                    f"following[{token!r}][{one!r}] must be at most 1, got {probability}"
                )
