"""Errors of users: one line each, which says where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

USER_ERRORS = (
    *(ValueError, TypeError, LookupError, OSError, FloatingPointError, NotImplementedError),
    ImportError,
)
"""What is shown as one line. What the package refuses is one of these."""


class Refused(ValueError):
    """What a user asked for cannot be done; the message says why and what to do."""


def one_line(error: BaseException) -> str:
    """Return an error as one line, with the notes that say in which row it was.

    Args:
        error: The error.
    """
    quoted = isinstance(error, KeyError) and len(error.args) == 1
    message = str(error.args[0] if quoted else error) or type(error).__name__
    notes = getattr(error, "__notes__", [])
    return " ".join(" ".join([message, *map(str, notes)]).split())


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put in front of an error where in the file its cause stands.

    Args:
        where: The table.

    Raises:
        Refused: In place of an error of a value.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError) as error:
        raise Refused(f"{where}: {one_line(error)}") from error
