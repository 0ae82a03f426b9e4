"""Diagrams in words: the alternative text, made from the same parts as the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtl_utils.diagrams.lettering import spoken
from mtl_utils.diagrams.parts import Arrow, Box, Frame

_ARROWS = {
    "forward": "Arrows lead",
    "gradient": "Dashed arrows bring gradients back",
    "reversed": "A dashed arrow, its sign turned, brings a reversed gradient back",
}


def alternative(
    subject: str, boxes: Sequence[Box], arrows: Sequence[Arrow], frames: Sequence[Frame]
) -> str:
    """Say what a diagram shows: its frames, its arrows, then boxes that have neither.

    Args:
        subject: What it is a diagram of.
        boxes: The boxes.
        arrows: The arrows.
        frames: The frames.
    """
    names = {box.name: f"“{spoken(box.label)}”" for box in boxes}
    sentences = [f"Diagram of {spoken(subject)}."]
    for frame in frames:
        inside = joined([names[name] for name in frame.boxes])
        title = f"“{spoken(frame.caption)}”" if frame.caption else "without a caption"
        sentences.append(f"A frame {title} holds {inside}.")
    for frame in frames:
        around = f"“{spoken(frame.caption)}”" if frame.caption else f"with {names[frame.boxes[0]]}"
        names[frame.name] = f"the frame {around}"
    for kind, verb in _ARROWS.items():
        clauses = _clauses([arrow for arrow in arrows if arrow.kind == kind], names)
        if clauses:
            sentences.append(f"{verb} {'; '.join(clauses)}.")
    met = {name for arrow in arrows for name in (arrow.start, arrow.end)}
    met |= {name for frame in frames for name in frame.boxes}
    alone = [names[box.name] for box in boxes if box.name not in met]
    if alone:
        sentences.append(f"Beside them stands {joined(alone)}.")
    return " ".join(sentences)


def _clauses(arrows: Sequence[Arrow], names: Mapping[str, str]) -> list[str]:
    """Say from where to where arrows lead; what leads to the same is said once."""
    ends: dict[str, tuple[str, ...]] = {}
    for arrow in arrows:
        ends[arrow.start] = (*ends.get(arrow.start, ()), arrow.end)
    starts: dict[tuple[str, ...], list[str]] = {}
    for start, met in ends.items():
        starts.setdefault(met, []).append(start)
    entering = [arrow.end for arrow in arrows]
    clauses = []
    passed: set[tuple[str, ...]] = set()
    levels = _levels(arrows)
    order = sorted(starts.items(), key=lambda item: max(levels[start] for start in item[1]))
    for met, begun in order:
        if met in passed:
            continue
        passed.add(met)
        way = ""
        while len(met) == 1 and _goes_on(met[0], entering, ends, starts, passed):
            way += f" through {names[met[0]]}"
            met = ends[met[0]]
            passed.add(met)
        clauses.append(
            f"from {joined([names[name] for name in begun])}{way} "
            f"to {joined([names[name] for name in met])}"
        )
    return clauses


def _levels(arrows: Sequence[Arrow]) -> dict[str, int]:
    """Count the arrows from where nothing enters to each name, on the shortest way."""
    ends = {arrow.end for arrow in arrows}
    levels = {arrow.start: 0 for arrow in arrows if arrow.start not in ends}
    for _ in arrows:
        for arrow in arrows:
            if arrow.start in levels:
                levels.setdefault(arrow.end, levels[arrow.start] + 1)
    return {name: levels.get(name, len(arrows)) for a in arrows for name in (a.start, a.end)}


def _goes_on(
    name: str,
    entering: Sequence[str],
    ends: Mapping[str, tuple[str, ...]],
    starts: Mapping[tuple[str, ...], list[str]],
    passed: set[tuple[str, ...]],
) -> bool:
    """Tell whether one arrow enters something from which others leave that nothing else joins."""
    if entering.count(name) != 1 or name not in ends:
        return False
    return starts[ends[name]] == [name] and ends[name] not in passed


def joined(words: Sequence[str]) -> str:
    """Join words as a sentence does.

    Args:
        words: At least one.
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
