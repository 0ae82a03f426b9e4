"""How the exercises of the book check an answer.

A check is a short function that puts an answer through cases::

    @exercise("perplexity", wrong=[lambda loss: 2**loss, lambda loss: -math.exp(loss)])
    def check_perplexity(answer: Answer) -> None:
        \"\"\"Exercise of chapter 01: perplexity from a mean loss in nats.\"\"\"
        answer.gives(0.0, expected=1.0)
        answer.gives(math.log(8), expected=8.0, hint="The loss is in nats.")

In a notebook ``check_perplexity(perplexity)`` is the last line of the exercise's cell, and the
:class:`Verdict` that it returns is what the reader sees. Nothing is raised, so a notebook whose
exercises are unanswered runs to its end.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

__all__ = ["CHECKS", "Answer", "Exercise", "Verdict", "exercise"]

State = Literal["correct", "wrong", "unanswered"]

_SHOWN = 200  # characters of a value that a message quotes
_LISTED = 12  # numbers of a tensor that a message quotes; of more it has the shape


@dataclass(frozen=True)
class Verdict:
    """What a check found. Its ``repr`` is the sentence for the reader.

    Attributes:
        exercise: Name of the exercise.
        state: ``"correct"``, ``"wrong"`` or ``"unanswered"``.
        message: What was given, expected and got, where the answer is wrong.
    """

    exercise: str
    state: State
    message: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer is correct."""
        return self.state == "correct"

    def __repr__(self) -> str:
        head = f"Exercise {self.exercise}: "
        if self.state == "unanswered":
            return head + "not answered yet."
        return head + ("correct." if self.passed else f"not right yet.\n{self.message}")


@dataclass(frozen=True)
class Exercise:
    """A registered exercise.

    Attributes:
        name: Name of the exercise, as the reader sees it.
        check: Takes an answer and returns a verdict.
        wrong: Answers that the check must refuse, among them the likely slips.
    """

    name: str
    check: Callable[[Any], Verdict]
    wrong: Sequence[Any]


CHECKS: dict[str, Exercise] = {}
"""Every exercise defined so far, by name. Modules of exercises fill it when imported."""


class _UnansweredError(Exception):
    """The answer is still the stub."""


class _WrongError(Exception):
    """The answer failed a case; the message is for the reader."""


class Answer:
    """A reader's answer, as a check sees it.

    Args:
        given: A function or class, or a value for exercises that ask for one.
    """

    def __init__(self, given: Any) -> None:
        self._given = given

    @property
    def value(self) -> Any:
        """The answer itself, for exercises that ask for a value instead of a function."""
        return _answered(self._given)

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Call the answer.

        Args:
            inputs: Positional arguments.
            named: Keyword arguments.

        Returns:
            What the answer returns. A result of ``None`` or ``...`` counts as unanswered and
            ends the check; so does ``NotImplementedError``. Any other exception makes the answer
            wrong.
        """
        function, call = self._function(inputs, named)
        try:
            result = function(*inputs, **named)
        except NotImplementedError as error:
            raise _UnansweredError from error
        except Exception as error:
            raise _WrongError(f"{call} raised {type(error).__name__}: {error}") from error
        return _answered(result)

    def _function(self, inputs: Any, named: Any) -> tuple[Callable[..., Any], str]:
        """Return what was given, which must be a function, and how a message writes its call."""
        function = _answered(self._given)
        if not callable(function):
            raise _WrongError(f"Expected a function, but was given {_quote(function)}.")
        name = getattr(function, "__name__", "answer")
        return function, f"{name}({_arguments(inputs, named)})"

    def gives(
        self, *inputs: Any, expected: Any, tolerance: float = 1e-5, hint: str = "", **named: Any
    ) -> None:
        """Require a result.

        Args:
            inputs: Positional arguments of the answer.
            expected: Number, text, tensor, array, or a nesting of lists, tuples and mappings of
                these. Numbers may come as tensors without dimensions, lists as tensors or arrays.
            tolerance: Largest difference allowed, absolute and relative to ``expected``.
            hint: A sentence for the reader whose result differs.
            named: Keyword arguments of the answer.
        """
        name = getattr(self._given, "__name__", "answer")
        call = f"{name}({_arguments(inputs, named)})"
        result = self(*inputs, **named)
        difference = _difference(result, expected, tolerance)
        if difference:
            self.fail(f"{call}: {difference}", hint)

    def refuses(self, *inputs: Any, error: type[Exception], hint: str = "", **named: Any) -> None:
        """Require that a call raises an exception.

        Args:
            inputs: Positional arguments of the answer.
            error: The kind of exception.
            hint: A sentence for the reader whose answer returns something.
            named: Keyword arguments of the answer.
        """
        function, call = self._function(inputs, named)
        try:
            result = _answered(function(*inputs, **named))
        except error:
            return
        except (_UnansweredError, NotImplementedError) as unanswered:
            raise _UnansweredError from unanswered
        except Exception as other:
            raise _WrongError(
                f"{call} raised {type(other).__name__} ({other}), expected {error.__name__}"
            ) from other
        self.fail(f"{call}: expected {error.__name__}, got {_quote(result)}", hint)

    def require(self, condition: bool, message: str, hint: str = "") -> None:
        """Require anything else.

        Args:
            condition: Whether the answer is right so far.
            message: What was given, expected and got.
            hint: A sentence that helps.
        """
        if not condition:
            self.fail(message, hint)

    def fail(self, message: str, hint: str = "") -> None:
        """End the check: the answer is wrong.

        Args:
            message: What was given, expected and got.
            hint: A sentence that helps.
        """
        raise _WrongError(f"{message}\nHint: {hint}" if hint else message)


def exercise(
    name: str, *, wrong: Sequence[Any]
) -> Callable[[Callable[[Answer], None]], Callable[[Any], Verdict]]:
    """Turn cases into a check that returns a :class:`Verdict`, and register it.

    Args:
        name: Name of the exercise, unique in the book.
        wrong: At least one answer that the check must refuse. A test calls the check with each,
            and one that slips through fails the build.

    Returns:
        A decorator for a function that takes an :class:`Answer` and returns nothing.

    Raises:
        ValueError: If ``wrong`` is empty or the name is taken.
    """
    if not wrong:
        raise ValueError(
            f"Exercise {name!r} names no wrong answer. Give at least one that its check must "
            "refuse, or nothing shows that the check can fail."
        )

    def decorate(cases: Callable[[Answer], None]) -> Callable[[Any], Verdict]:
        taken = CHECKS.get(name)
        if taken is not None and not _same_function(taken.check, cases):
            raise ValueError(
                f"Exercise {name!r} exists already, in {taken.check.__module__}. "
                "Exercise names are unique in the book: choose another."
            )

        @functools.wraps(cases)
        def check(answer: Any) -> Verdict:
            try:
                cases(Answer(answer))
            except _UnansweredError:
                return Verdict(name, "unanswered")
            except _WrongError as error:
                return Verdict(name, "wrong", str(error))
            return Verdict(name, "correct")

        CHECKS[name] = Exercise(name, check, tuple(wrong))
        return check

    return decorate


def as_number(given: Any) -> float:
    """Return an entry of an answer as a number, ``nan`` where it is none.

    Args:
        given: A number, or a tensor or array without dimensions.
    """
    if isinstance(given, bool | str):
        return math.nan
    try:
        return float(given)
    except (TypeError, ValueError):
        return math.nan


def _same_function(first: Callable[..., Any], second: Callable[..., Any]) -> bool:
    """Tell whether a module is being reloaded rather than a name used twice."""
    return (first.__module__, first.__qualname__) == (second.__module__, second.__qualname__)


def _answered(value: Any) -> Any:
    if value is None or value is ...:
        raise _UnansweredError
    return value


def _arguments(inputs: Sequence[Any], named: Mapping[str, Any]) -> str:
    parts = [_quote(value) for value in inputs]
    return ", ".join([*parts, *(f"{key}={_quote(value)}" for key, value in named.items())])


def _quote(value: Any) -> str:
    if isinstance(value, torch.Tensor | np.ndarray):
        kind = "tensor" if isinstance(value, torch.Tensor) else "array"
        few = math.prod(value.shape) <= _LISTED
        text = f"{kind}({value.tolist()})" if few else f"{kind} of shape {list(value.shape)}"
    elif callable(value):
        text = getattr(value, "__name__", type(value).__name__)
    else:
        text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _difference(got: Any, expected: Any, tolerance: float) -> str:
    """Say how a result differs from what was expected; an empty text where it does not."""
    if isinstance(expected, torch.Tensor | np.ndarray):
        return _array_difference(got, expected, tolerance)
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping) or set(got) != set(expected):
            return _expected(expected, got)
        keys: Sequence[Any] = list(expected)
    elif isinstance(expected, list | tuple):
        if not _is_row(got) or len(got) != len(expected):
            return _expected(expected, got)
        keys = range(len(expected))
    else:
        return "" if _equal(got, expected, tolerance) else _expected(expected, got)
    for key in keys:
        inner = _difference(got[key], expected[key], tolerance)
        if inner:
            return f"at [{key!r}] {inner}"
    return ""


def _expected(expected: Any, got: Any) -> str:
    return f"expected {_quote(expected)}, got {_quote(got)}."


def _is_row(got: Any) -> bool:
    """Tell whether it can stand for a list: a tensor of the right numbers is no wrong answer."""
    if isinstance(got, torch.Tensor | np.ndarray):
        return got.ndim > 0
    return isinstance(got, list | tuple)


def _equal(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(got, torch.Tensor | np.ndarray | np.generic) and got.ndim == 0:
        tolerance = max(tolerance, _rounding(got))
        got = got.item()
    if isinstance(expected, bool | str) or not isinstance(expected, int | float):
        return type(got) is type(expected) and bool(got == expected)
    if isinstance(got, bool) or not isinstance(got, int | float):
        return False
    return bool(np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True))


def _rounding(number: Any) -> float:
    """Return by how much a few operations round, of the precision that a reader computed in."""
    if isinstance(number, torch.Tensor):
        return 4 * torch.finfo(number.dtype).eps if number.is_floating_point() else 0.0
    return 4 * float(np.finfo(number.dtype).eps) if number.dtype.kind == "f" else 0.0


def _array_difference(got: Any, expected: Any, tolerance: float) -> str:
    kind, shape = type(expected).__name__, list(expected.shape)
    try:
        ours, theirs = _to_array(got), _to_array(expected)
    except (TypeError, ValueError):  # no numbers, or rows of different lengths
        return f"expected {kind} of shape {shape}, got {_quote(got)}."
    if ours.shape != theirs.shape:
        if not isinstance(got, torch.Tensor | np.ndarray):
            return f"expected {kind} of shape {shape}, got {_quote(got)}."
        return f"expected shape {shape}, got {list(ours.shape)}."
    close = np.isclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
    if close.all():
        return ""
    place = np.unravel_index(int(np.argmin(close)), close.shape)
    at = [int(index) for index in place]
    return f"expected {theirs[place].item():.6g} at {at}, got {ours[place].item():.6g}."


def _to_array(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().double().numpy()
    return np.asarray(value, dtype=np.float64)
