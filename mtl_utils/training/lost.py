"""When a process of a training is gone: how the others notice, and what they say."""

from __future__ import annotations

from datetime import timedelta

#: The other processes wait while the first one validates.
LONGEST_WAIT = timedelta(hours=3)

#: What gloo, NCCL and the store say when another end of a connection is no more.
_SIGNS = (
    *("connection closed by peer", "connection reset by peer", "broken pipe", "socket closed"),
    *("connection refused", "remote process exited", "connection was likely closed"),
    *("timed out waiting", "nccl communicator was aborted", "failed to recv, got 0 bytes"),
)


class LostProcessError(RuntimeError):
    """A process of a training ended before the others were done."""


def is_lost_peer(error: BaseException) -> bool:
    """Tell whether an error says that another process has gone.

    Args:
        error: What a process raised.
    """
    if isinstance(error, LostProcessError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS)


def lost_peer(error: BaseException, step: int) -> LostProcessError:
    """Say in words of this book what a connection that broke means.

    Args:
        error: What was raised.
        step: Steps that this process had done.
    """
    return LostProcessError(
        f"Another process of this training has ended after about {step} steps, so this one cannot "
        "go on. Look for what that one said, or who killed it; with a checkpoint the same call "
        f"goes on from there. The connection said: {str(error).strip().splitlines()[0]:.200}"
    )
