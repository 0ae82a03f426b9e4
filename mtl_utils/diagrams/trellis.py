"""The trellis of a conditional random field: every tag at every word, with its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mtl_utils.arguments import check_number, check_several, check_strings, shown
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box, Frame, check_written
from mtl_utils.diagrams.tasks import written

MOST_WORDS = 4
MOST_TAGS = 3


def trellis(
    words: Sequence[str],
    tags: Sequence[str],
    emissions: Sequence[Sequence[float]],
    transitions: Sequence[Sequence[float]],
) -> Diagram:
    r"""Draw all sequences of tags of a few words, and how Viterbi and the forward algorithm add up.

    A box is a tag at a word. It holds the emission, the best score of a sequence that ends there
    and the tag before it (Viterbi, 1967), and :math:`\log \sum \exp` of the scores of all sequences
    that do. First and last tags have no scores of their own. The best sequence is coloured; where
    several are best, the one whose tags come first.

    Args:
        words: Two to four words.
        tags: Two or three tags.
        emissions: A row for each word, a score for each tag.
        transitions: A row for each tag, the score of each tag after it.

    Raises:
        TypeError: If words or tags are no lists of strings, or scores no lists of numbers.
        ValueError: If there are fewer or more, a word or tag is empty, a tag occurs twice, or the
            scores are not as many as they should be.
    """
    _check_written("words", words, MOST_WORDS)
    _check_written("tags", tags, MOST_TAGS)
    if len(set(tags)) < len(tags):
        raise ValueError(f"tags must be different, got {shown(tags)}")
    _check_scores("emissions", emissions, len(words), len(tags))
    _check_scores("transitions", transitions, len(tags), len(tags))
    best, origins, sums = _run(emissions, transitions)
    path = [max(range(len(tags)), key=lambda tag: best[-1][tag])]
    for row in reversed(origins):
        path.append(row[path[-1]])
    path.reverse()
    boxes, arrows, frames = [], [], []
    for place, word in enumerate(words):
        names = tuple(f"{place} {tag}" for tag in range(len(tags)))
        for tag, name in enumerate(names):
            came = f" from {written(tags[origins[place - 1][tag]])}" if place else ""
            added = _number(sums[place][tag], ".2f")
            label = (
                f"{written(tags[tag])}: {_number(emissions[place][tag])}\n"
                f"best {_number(best[place][tag])}{came}\nsum {added}"
            )
            role = 0 if path[place] == tag else "neutral"
            boxes.append(Box(name, label, "layer", (tag + 1, place), role=role))
        frames.append(Frame(f"word {place}", written(word), names, below=True))
    for place in range(1, len(words)):
        for end in range(len(tags)):
            for start in range(len(tags)):
                role = 0 if path[place - 1 : place + 1] == [start, end] else "neutral"
                names = (f"{place - 1} {start}", f"{place} {end}")
                arrows.append(Arrow(*names, role=role, bend="straight"))
    steps = ", ".join(
        f"{written(before)}→{written(after)} " + _number(transitions[i][j], "+.4g")
        for i, before in enumerate(tags)
        for j, after in enumerate(tags)
    )
    boxes.append(Box("steps", f"steps: {steps}", "note", (0, 0), (1, len(words))))
    return Diagram(
        f"the trellis of {len(tags)} tags over {len(words)} words, the best sequence "
        f"{', '.join(written(tags[tag]) for tag in path)} being coloured",
        tuple(boxes),
        tuple(arrows),
        columns=(1,) * len(words),
        frames=tuple(frames),
        gap=64 if len(words) < MOST_WORDS else 46,
        row_gap=26,
    )


def _run(
    emissions: Sequence[Sequence[float]], transitions: Sequence[Sequence[float]]
) -> tuple[list[list[float]], list[list[int]], list[list[float]]]:
    """Return best scores, where they came from (from the second word on), and sums."""
    tags = range(len(transitions))
    best, sums = [list(map(float, emissions[0]))], [list(map(float, emissions[0]))]
    origins: list[list[int]] = []
    for row in emissions[1:]:
        before, added = best[-1], sums[-1]
        ways = [[before[i] + transitions[i][j] for i in tags] for j in tags]
        origins.append([way.index(max(way)) for way in ways])
        best.append([row[j] + max(ways[j]) for j in tags])
        sums.append([row[j] + _log_sum([added[i] + transitions[i][j] for i in tags]) for j in tags])
    return best, origins, sums


def _log_sum(scores: Sequence[float]) -> float:
    most = max(scores)
    return most + math.log(sum(math.exp(score - most) for score in scores))


def _number(value: float, written_as: str = ".4g") -> str:
    return format(float(value), written_as).replace("-", "−")


def _check_written(name: str, value: Sequence[str], most: int) -> None:
    check_strings(name, value)
    if not 2 <= len(value) <= most:
        raise ValueError(f"{name} must be 2 to {most}, got {shown(value)}")
    for text in value:
        check_written(name, text)


def _check_scores(name: str, value: Sequence[Sequence[float]], rows: int, columns: int) -> None:
    check_several(name, value, "rows of scores")
    for row in value:
        check_several(name, row, "rows of scores")
        for score in row:
            check_number(name, score)
    if len(value) != rows or any(len(row) != columns for row in value):
        raise ValueError(f"{name} must have {rows} rows of {columns} scores, got {shown(value)}")
