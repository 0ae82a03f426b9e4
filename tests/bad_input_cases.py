"""What tests of bad inputs are made of: an entry point, good arguments, values that are bad."""

from __future__ import annotations

import atexit
import inspect
import math
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

NAN, INF = math.nan, math.inf
NOT_SIZES = (0, -1, 1.5, "3", None, True, NAN, [3])
NOT_OPTIONAL_SIZES = tuple(value for value in NOT_SIZES if value is not None)
NOT_COUNTS = (-1, 1.5, "3", None, True, NAN, [3])
NOT_PROBABILITIES = (-0.1, 1.0, 1.5, NAN, INF, "0.1", None, True, [0.1])
NOT_SHARES = (-0.1, 1.5, NAN, "0.1", None, True, [0.1])
NOT_POSITIVE = (0, -1.0, NAN, INF, "0.1", None, True, [0.1])
NOT_FLAGS = ("no", None, 0, 1.0, [True])
NOT_TENSORS = (None, 3, "text", [[1.0, 2.0]])
NOT_TEXTS = (None, 3, b"text", 1.5, ["text"])
NOT_WORDS = (None, 3, "text", b"text", [3], [None], [["a"]], {"a": 1})
NOT_CHOICES = ("nothing of the kind", "", None, 3, True)


def temporary_folder() -> Path:
    """Make an empty folder that is gone when the tests have ended."""
    folder = Path(tempfile.mkdtemp(prefix="bad-inputs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class Within:
    """A value of which a part is bad, which is what a message has to show.

    Args:
        value: What is given.
        part: What is bad about it.
    """

    value: Any
    part: Any


@dataclass(frozen=True)
class EntryPoint:
    """A public function, class or method, and how to call it wrongly.

    Args:
        name: As a reader would write it.
        call: What is called, with keywords.
        good: Makes arguments that it takes.
        bad: By argument, values that it must refuse.
        documented: The object whose docstring says what is raised; ``call`` if ``None``.
        called: Other words by which a message may name an argument, by argument.
    """

    name: str
    call: Callable[..., Any]
    good: Callable[[], dict[str, Any]]
    bad: Mapping[str, Sequence[Any]]
    documented: Any = None
    called: Mapping[str, str] = field(default_factory=dict)

    def cases(self) -> Iterator[tuple[EntryPoint, str, Any]]:
        """Yield each argument with each of its bad values."""
        for argument, values in self.bad.items():
            for value in values:
                yield self, argument, value

    def complaints(self, argument: str, value: Any) -> str:
        """Say what is wrong with how a bad value is met: nothing, if it is met well."""
        given, value = (value.value, value.part) if isinstance(value, Within) else (value, value)
        try:
            self.call(**(self.good() | {argument: given}))
        except Exception as error:
            return " ".join(self._unclear(error, argument, value))
        return "silent: it was taken without a word."

    def _unclear(self, error: Exception, argument: str, value: Any) -> Iterator[str]:
        message = str(error)
        documented = raised_by(self.documented or self.call)
        if not {kind.__name__ for kind in type(error).__mro__} & documented:
            yield f"undocumented: {type(error).__name__}: {message:.200}."
        if not (set(self.called.get(argument, argument).split("|")) & words(message)):
            yield f"the argument {argument!r} is not named: {message:.200}."
        if not any(text in message for text in appearances(value)):
            yield f"the value {value!r:.40} is not shown: {message:.200}."


def raised_by(thing: Any) -> set[str]:
    """Read the kinds of errors off the section *Raises* of a docstring."""
    text = inspect.getdoc(thing) or ""
    section = re.search(r"^Raises:\n((?:[ \t]+.*\n?|\n)+)", text, re.MULTILINE)
    return set(re.findall(r"^ {4}(\w+):", section[1], re.MULTILINE)) if section else set()


def words(message: str) -> set[str]:
    """Return the words of a message; an underscore joins, as in names of arguments."""
    return set(re.findall(r"\w+", message))


def appearances(value: Any) -> list[str]:
    """Return the ways in which a message may show a value."""
    if isinstance(value, Tensor):
        return [str(list(value.shape)), str(tuple(value.shape)), str(value.dtype)]
    if isinstance(value, torch.nn.Module) or callable(value):
        return [type(value).__name__, getattr(value, "__name__", "?")]
    if isinstance(value, list | tuple) and len(value) == 1:  # the one that is wrong is enough
        return [repr(value)[:20], *appearances(value[0])]
    if isinstance(value, Mapping) and len(value) == 1:  # likewise
        (key, only), *_ = value.items()
        return [
            repr(value)[:20],
            *(appearances(only) if isinstance(key, str) else appearances(key)),
        ]
    return [repr(value)[:20], str(value)[:20] or "''"]
