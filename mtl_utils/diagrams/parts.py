"""What a diagram is made of: boxes in a grid, arrows between them, frames around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mtl_utils.arguments import (
    check_choice,
    check_flag,
    check_strings,
    check_text,
    check_whole,
    shown,
)
from mtl_utils.plots import PALETTE

KINDS = ("text", "embedding", "layer", "head", "loss", "penalty", "mirror", "note")
ARROWS = ("forward", "gradient", "reversed")
ROLES = ("neutral", "shared")
BENDS = ("channel", "corner", "straight")
#: Tasks that have a colour of their own; the palette's last, grey, is that of what they share.
MOST_TASKS = len(PALETTE) - 1


@dataclass(frozen=True)
class Box:
    r"""A box of a diagram: a text, a layer, a head, a loss.

    Attributes:
        name: By which arrows and frames refer to it.
        label: What is written in it. Lines are broken where they have to be, and where it says so
            (``"\n"``). Between dollar signs stands mathematics, as in Matplotlib.
        kind: ``"text"``, ``"embedding"``, ``"layer"``, ``"head"``, ``"loss"``, ``"penalty"``,
            ``"mirror"`` (a reversal of the gradient) or ``"note"`` (words without a border). It
            decides the shape.
        at: Row and column of the cell of the grid where it stands, from the top left.
        span: Rows and columns that it takes.
        role: Whose it is, which decides the colour: ``"shared"``, ``"neutral"``, or the number of
            a task, from 0.
        tight: Whether it is only as high as its text, in the middle of its rows.

    Raises:
        TypeError: If a name or label is no string, a place is no pair of whole numbers, or
            ``tight`` no boolean.
        ValueError: If a label is empty, there is no such kind or role, or a place is negative.
    """

    name: str
    label: str
    kind: str
    at: tuple[int, int]
    span: tuple[int, int] = (1, 1)
    role: str | int = "neutral"
    tight: bool = False

    def __post_init__(self) -> None:
        check_written("name", self.name)
        check_written("label", self.label)
        check_flag("tight", self.tight)
        check_choice("kind", self.kind, KINDS)
        _check_pair("at", self.at, least=0)
        _check_pair("span", self.span, least=1)
        _check_role(self.role)


@dataclass(frozen=True)
class Arrow:
    """An arrow from a box or frame to another.

    Attributes:
        start: Name of the box or frame where it begins.
        end: Name of that to which it points.
        kind: ``"forward"`` (solid: what is computed), ``"gradient"`` (dashed: what comes back), or
            ``"reversed"`` (dashed: a gradient whose sign was turned).
        role: Whose it is, as that of a :class:`Box`.
        bend: How it goes where no straight line can: ``"channel"`` (through the gap before its
            end), ``"corner"`` (one turn, into the lower or upper side of its end) or
            ``"straight"`` (aslant, from side to side).

    Raises:
        TypeError: If a name is no string.
        ValueError: If it leads from something to itself, or there is no such kind, role or bend.
    """

    start: str
    end: str
    kind: str = "forward"
    role: str | int = "neutral"
    bend: str = "channel"

    def __post_init__(self) -> None:
        check_written("start", self.start)
        check_written("end", self.end)
        check_choice("kind", self.kind, ARROWS)
        check_choice("bend", self.bend, BENDS)
        _check_role(self.role)
        if self.start == self.end:
            raise ValueError(f"end must be another box than start, got {self.end!r} for both")


@dataclass(frozen=True)
class Frame:
    """A frame around some boxes, with a caption.

    Attributes:
        name: By which arrows refer to it.
        caption: What is written inside, over or under the boxes; nothing if empty.
        boxes: Names of the boxes in it.
        role: Whose it is, as that of a :class:`Box`.
        below: Whether the caption stands under the boxes, where arrows leave at the top.

    Raises:
        TypeError: If a name or the caption is no string, ``boxes`` no tuple of strings, or
            ``below`` no boolean.
        ValueError: If the name is empty, no box is in it or one twice, or there is no such role.
    """

    name: str
    caption: str
    boxes: tuple[str, ...]
    role: str | int = "neutral"
    below: bool = False

    def __post_init__(self) -> None:
        check_written("name", self.name)
        check_text("caption", self.caption)
        check_flag("below", self.below)
        check_strings("boxes", self.boxes, distinct=True)
        if not self.boxes:
            raise ValueError(f"boxes must be at least one name, got {self.boxes!r}")
        _check_role(self.role)


def check_written(name: str, value: Any) -> None:
    """Refuse what is no text, or nothing but white space.

    Args:
        name: What the message is to call it.
        value: The text.
    """
    check_text(name, value)
    if not value.strip():
        raise ValueError(f"{name} must say something, got {value!r}")


def _check_pair(name: str, value: Any, least: int) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(f"{name} must be a pair of a row and a column, got {shown(value)}")
    for number in value:
        check_whole(name, number, least=least)


def _check_role(role: Any) -> None:
    if isinstance(role, str):
        check_choice("role", role, ROLES)
        return
    check_whole("role", role, least=0)
    if role >= MOST_TASKS:
        raise ValueError(f"role must be a task from 0 to {MOST_TASKS - 1}, got {role}")
