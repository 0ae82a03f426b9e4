"""Texts that are too long for a model, as windows that overlap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from mtl_utils.arguments import check_several, check_whole
from mtl_utils.data.tokenization import Tokenizer, check_tokenizer


@dataclass(frozen=True)
class Window:
    """A part of a text, ready to be read, and the words that it is to speak for.

    Args:
        input_ids: The part with the special tokens of a whole text or pair around it.
        segment_ids: For a pair, 0 up to what stands between the texts and 1 after it; else
            ``None``.
        positions: Where in ``input_ids`` the words begin that have most context in this window,
            one after the other.

    Raises:
        ValueError: If a position is none of the input ids, or there is not one segment id for each.
        TypeError: If one of them is not several, or a position no whole number.
    """

    input_ids: list[int]
    segment_ids: list[int] | None
    positions: list[int]

    def __post_init__(self) -> None:
        check_several("input_ids", self.input_ids, "ids")
        check_several("positions", self.positions, "positions")
        for at in self.positions:
            check_whole("each of positions", at, least=0, most=len(self.input_ids) - 1)
        if self.segment_ids is None:
            return
        check_several("segment_ids", self.segment_ids, "one item an input id")
        if len(self.segment_ids) != len(self.input_ids):
            raise ValueError(
                f"Expected one segment id an input id, got segment_ids {self.segment_ids!r:.60} "
                f"for {len(self.input_ids)}"
            )


def encode_windows(
    tokenizer: Tokenizer,
    words: Sequence[str],
    second: str | Sequence[str] | None = None,
    *,
    max_length: int | None,
    stride: int | None = None,
) -> list[Window]:
    """Encode a sentence as windows that overlap, every word in one of them where it sees most.

    A window begins with a word. How much context a word has in it is the number of pieces to the
    nearer end, where the end of the text itself does not count as one; among equal windows it is
    the first. A sentence that fits is one window: what :func:`encode_text` or
    :func:`encode_pair` makes.

    Args:
        tokenizer: Gives the pieces and the special tokens.
        words: The sentence.
        second: The second text of a pair, which stands after every window. It is cut to half of
            the room where both together are too long.
        max_length: The most ids that a window may have, special tokens included; ``None`` for no
            limit.
        stride: By how many pieces a window begins after the one before, rounded up to the beginning
            of a word; half the room if ``None``, so that each word has at least about a quarter of
            the room on both sides.

    Returns:
        The windows. Their ``positions``, one window after the other, are the words in order.

    Raises:
        ValueError: If ``max_length`` leaves no room for a piece, or ``stride`` is below 1 or
            larger than the room.
        TypeError: If something that should be text is not, a number is no whole one, or the
            tokenizer is none.
    """
    check_tokenizer(tokenizer)
    for name, value in (("max_length", max_length), ("stride", stride)):
        if value is not None:
            check_whole(name, value)
    pieces = tokenizer.encode_words(words)
    around = tokenizer.special_tokens
    head, tail, segment = list(around.start), list(around.end), 0
    total = len(pieces.ids)
    if second is not None:
        others = _ids(tokenizer, second)
        segment = len(around.between)
        if max_length is not None:
            free = max_length - len(head) - len(tail) - segment
            others = others[: max(free - total, free // 2, 0)]
        tail = [*around.between, *others, *tail]
    room = total if max_length is None else max_length - len(head) - len(tail)
    if room < min(total, 1):
        raise ValueError(
            f"max_length counts what stands around each window, {len(head) + len(tail)} ids, and "
            f"must leave room for a piece; got {max_length}"
        )
    first_pieces = pieces.first_pieces
    if stride is not None and (stride < 1 or stride > room < total):
        raise ValueError(f"stride must lie between 1 and the room of {room} pieces, got {stride}")
    starts = _starts(first_pieces, total, room, stride)
    windows = []
    for start, chosen in zip(starts, _shared_out(first_pieces, starts, total, room), strict=True):
        part = pieces.ids[start : start + room]
        segments = None
        if second is not None:
            first = len(head) + len(part) + segment
            segments = [0] * first + [1] * (len(tail) - segment)
        positions = [len(head) + piece - start for piece in chosen]
        windows.append(Window([*head, *part, *tail], segments, positions))
    return windows


def _ids(tokenizer: Tokenizer, text: str | Sequence[str]) -> list[int]:
    if isinstance(text, str):
        return tokenizer.encode(text)
    check_several("second", text, "words, or a text")
    return tokenizer.encode_words(text).ids


def _starts(first_pieces: Sequence[int], total: int, room: int, stride: int | None) -> list[int]:
    """Return where windows begin, the last one as early as it still reaches the end."""
    if total <= room:
        return [0]
    stride = max(1, room // 2) if stride is None else stride
    starts = [0]
    while starts[-1] + room < total:
        place = bisect_left(first_pieces, min(starts[-1] + stride, total - room))
        if place == len(first_pieces):
            break  # what is left belongs to a word that has begun
        starts.append(first_pieces[place])
    return starts


def _shared_out(
    first_pieces: Sequence[int], starts: Sequence[int], total: int, room: int
) -> list[list[int]]:
    """Give each first piece to the window in which it has most context."""
    shared: list[list[int]] = [[] for _ in starts]
    for piece in first_pieces:
        candidates = [w for w, start in enumerate(starts) if start <= piece < start + room]
        contexts = [_context(piece, starts[window], total, room) for window in candidates]
        shared[candidates[contexts.index(max(contexts))]].append(piece)
    return shared


def _context(piece: int, start: int, total: int, room: int) -> int:
    before = piece - start if start else total
    after = start + room - 1 - piece if start + room < total else total
    return min(before, after)
