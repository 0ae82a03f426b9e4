"""What a server takes, and how it says what it does not take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mtl_utils.arguments import check_number, check_sizes

#: Seconds in which the whole of a body has to come.
BODY_SECONDS = 30.0

#: The longest that a request may be made to wait for others, in milliseconds.
MOST_WAIT_MS = 60_000.0


@dataclass(frozen=True)
class ServerLimits:
    """How much a server takes at a time.

    Args:
        max_texts: Texts of a request.
        max_length: Characters of a text; of one that is given as words, of all its words. Texts
            of more tokens than the model reads are refused beside it, unless its ``long`` says
            otherwise.
        max_body: Bytes of a request.
        max_batch: Texts that are read at a time. Whole requests share a batch; one with more texts
            has a batch of its own.
        max_wait_ms: How long a request waits for others that could share its batch, in
            milliseconds, at most a minute, while the model has nothing else to do. While it has,
            requests gather anyway.
        max_waiting: Requests that may wait; one more is told to come again. A server holds at most
            twice as many connections.

    Raises:
        TypeError: If one is no number of its kind.
        ValueError: If one is below 1, or ``max_wait_ms`` negative or over a minute.
    """

    max_texts: int = 64
    max_length: int = 2000
    max_body: int = 1_000_000
    max_batch: int = 64
    max_wait_ms: float = 5.0
    max_waiting: int = 256

    def __post_init__(self) -> None:
        check_number("max_wait_ms", self.max_wait_ms, least=0, most=MOST_WAIT_MS)
        check_sizes(**{n: v for n, v in vars(self).items() if n != "max_wait_ms"})


class RefusedRequestError(Exception):
    """A request that gets no predictions.

    Args:
        status: Of HTTP.
        kind: A short name that programs can tell apart.
        message: What was wrong, for people.
        given: What was given there.
        expected: What would have been taken.
        where: The part of the request, such as ``"texts[2]"``; ``None`` if it is the whole.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        given: Any = None,
        expected: Any = None,
        where: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.content = {
            "type": kind,
            "message": message,
            "where": where,
            "given": given,
            "expected": expected,
        }
