"""Sets of labels that are entity tags: recognised however they are spelled, and constrained."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.tasks.label_names import check_labels
from mtl_utils.tasks.spans import OUTSIDE, split_tag

UNNAMED_TYPE = "entity"
"""What entities are called whose tags name no type: bare ``B`` and ``I``."""

_PREFIXED = re.compile(r"(?P<letter>[A-Za-z])[-_:./|](?P<kind>.+)", re.DOTALL)
_SUFFIXED = re.compile(r"(?P<kind>.+)[-_:./|](?P<letter>[A-Z])", re.DOTALL)
_LETTERS = "BIESLU"
_ADVICE = (
    'Convert them to IOB2 ("O", "B-PER", "I-PER", ...) first, with tasks.convert_tags, or say '
    'scheme="plain" if they are no entity tags.'
)


def as_iob2(labels: Sequence[str], scheme: str = "auto") -> tuple[str, ...] | None:
    """Return labels as IOB2 tags, if that is what they are.

    Recognised are ``B-PER`` and ``I-PER``; ``b-per``; ``B_PER`` and the like; and bare ``B`` and
    ``I``, whose entities are all of one type.

    Args:
        labels: The labels, in the order of their ids.
        scheme: ``"auto"`` looks at them; ``"iob2"`` insists; ``"plain"`` says that they are none.

    Returns:
        As many IOB2 tags; ``None`` if the labels are no entity tags.

    Raises:
        ValueError: If they are entity tags of another scheme, some are IOB2 tags and some are not,
            ``scheme="iob2"`` and they are none, or there is no such ``scheme``.
    """
    if scheme not in ("auto", "iob2", "plain"):
        raise ValueError(f'scheme must be "auto", "iob2" or "plain", got {scheme!r}')
    if scheme == "plain":
        return None
    found = _recognised(labels)
    if found is None and scheme == "iob2":
        raise ValueError(f"These labels are no IOB2 tags: {list(labels)!r:.200}. {_ADVICE}")
    if found is not None:
        _split(found)  # what may follow what, [C, C], is large where there are many labels
    return found


def iob2_constraints(labels: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Say which IOB2 tags may come first, and which may follow which.

    Args:
        labels: The tags, in the order of their ids.

    Returns:
        Boolean ``[C]``, False for ``I-`` tags, and boolean ``[C, C]`` (from, to), False where an
        ``I-`` tag follows anything but a ``B-`` or ``I-`` tag of its type. Any tag may come last.

    Raises:
        ValueError: If a label is none of IOB2, an ``I-`` tag has no ``B-`` tag of its type, there
            are no labels, or one occurs twice.
        TypeError: If a label is no string, or the labels have no order.
    """
    split = _split(labels)
    start = torch.tensor([prefix != "I" for prefix, _ in split])
    inside = ~start
    types = {kind: number for number, kind in enumerate(dict.fromkeys(kind for _, kind in split))}
    numbers = torch.tensor([types[kind] for _, kind in split])
    return start, ~inside | (numbers.unsqueeze(1) == numbers)


def _split(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return letter and type of IOB2 tags, or refuse what cannot be such."""
    check_labels(labels)
    split = [split_tag(label) for label in labels]
    begun = {kind for prefix, kind in split if prefix == "B"}
    for prefix, kind in split:
        if prefix == "I" and kind not in begun:
            raise ValueError(
                f"I-{kind} can never occur, since there is no B-{kind}: {list(labels)!r:.200}. "
                'Convert IOB1 tags with tasks.convert_tags(tags, "iob1"); or say '
                'scheme="plain" if these are no entity tags.'
            )
    return split


def _recognised(labels: Sequence[str]) -> tuple[str, ...] | None:
    marked = [label for label in labels if label.startswith(("B-", "I-"))]
    others = sorted(set(labels) - {*marked, OUTSIDE})
    if marked and not others:
        return tuple(labels)
    outside = {"O", "o"}.intersection(labels)
    rest = [label for label in labels if label not in outside]
    if _bare(rest):
        return tuple(
            OUTSIDE if label in outside else f"{label.upper()}-{UNNAMED_TYPE}" for label in labels
        )
    found = [_PREFIXED.fullmatch(label) for label in rest]
    letters = [match["letter"].upper() if match else "" for match in found]
    if rest and all(letter in ("B", "I") for letter in letters):
        tags = {
            label: f"{letter}-{match['kind']}"
            for label, letter, match in zip(rest, letters, found, strict=True)
            if match
        }
        made = set(tags.values())
        paired = any(f"I-{tag[2:]}" in made for tag in made if tag[0] == "B")
        if outside or paired:
            return _unique([tags.get(label, OUTSIDE) for label in labels], labels)
    _refuse_others(labels, rest, outside, marked, others)
    return None


def _bare(rest: Sequence[str]) -> bool:
    """Whether these are ``B`` and ``I`` without a type, in one case."""
    return sorted(rest) in (["B", "I"], ["b", "i"])


def _unique(tags: list[str], labels: Sequence[str]) -> tuple[str, ...]:
    if len(set(tags)) != len(tags):
        raise ValueError(
            f"Several labels are spellings of one IOB2 tag: {list(labels)!r:.200}. {_ADVICE}"
        )
    return tuple(tags)


def _refuse_others(
    labels: Sequence[str],
    rest: Sequence[str],
    outside: set[str],
    marked: Sequence[str],
    others: Sequence[str],
) -> None:
    """Refuse entity tags of other schemes, and entity tags beside other labels."""
    if marked and outside:
        raise ValueError(
            f"Expected IOB2 tags or none, got {marked[0]!r} beside {others[0]!r}. {_ADVICE}"
        )
    if not outside or not rest:
        return
    bare = {"B", "I"} <= {label.upper() for label in rest} and all(
        len(label) == 1 and label.upper() in _LETTERS for label in rest
    )
    for pattern in (_PREFIXED, _SUFFIXED):
        found = [match for label in rest if (match := pattern.fullmatch(label))]
        found = [match for match in found if match["letter"].upper() in _LETTERS]
        kinds = {(match["letter"].upper(), match["kind"]) for match in found}
        paired = any(("B", kind) in kinds and ("I", kind) in kinds for _, kind in kinds)
        if bare or len(found) == len(rest) or paired:
            raise ValueError(
                f"These look like entity tags, but not like IOB2 tags alone: "
                f"{list(labels)!r:.200}. {_ADVICE}"
            )
