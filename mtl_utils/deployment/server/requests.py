"""What a request to the server says, or what is wrong with it.

A body is parsed in compiled code, and what it holds is looked at no further than the limits go: a
list that is too long is refused before its first item. So the work that a body makes is bounded by
its size, which the limits bound, and by nothing that its sender could choose.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from mtl_utils.deployment.server.limits import RefusedRequestError, ServerLimits

#: How many characters of what was given are shown.
SHOWN = 80

GivenText = str | list[str]


class PredictRequest(BaseModel):
    """What is asked of the model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    texts: Annotated[list[GivenText], Field(min_length=1, description="Strings, or lists of words")]
    second: Annotated[list[GivenText] | None, Field(description="The second text of each pair")] = (
        None
    )
    tasks: Annotated[list[str] | None, Field(min_length=1, description="These tasks alone")] = None
    probabilities: Annotated[bool, Field(description="Those of all labels")] = False


def parsed(body: bytes, limits: ServerLimits, names: Sequence[str]) -> PredictRequest:
    """Return what a body asks.

    Args:
        body: The body.
        limits: What is taken.
        names: Names of the tasks.

    Raises:
        RefusedRequestError: If it is no JSON, not of the types that are expected, or too much.
    """
    try:
        content = from_json(body)
    except ValueError as error:
        raise RefusedRequestError(
            400,
            "bad_json",
            f"The body is no JSON: {error}",
            given=_shown(body[:SHOWN]),
            expected='JSON such as {"texts": ["A text."]}',
        ) from None
    if not isinstance(content, dict):
        raise _wrong("The body", content, "a mapping", None)
    for name in content:
        if name not in PredictRequest.model_fields:
            expected = f"one of {list(PredictRequest.model_fields)}"
            raise _wrong(name[:SHOWN], content[name], expected, name[:SHOWN])
    if "texts" not in content:
        raise _wrong("texts", content, "a list of texts, which is missing", "texts")
    texts = _texts("texts", content["texts"], limits)
    second = content.get("second")
    if second is not None:
        second = _second(second, len(texts), limits)
    probabilities = content.get("probabilities", False)
    if not isinstance(probabilities, bool):
        raise _wrong("probabilities", probabilities, "true or false", "probabilities")
    return PredictRequest.model_construct(
        texts=texts, second=second, tasks=_tasks(content, names), probabilities=probabilities
    )


def _texts(name: str, texts: Any, limits: ServerLimits) -> list[GivenText]:
    if not isinstance(texts, list) or not texts:
        raise _wrong(name, texts, "a list of one text or more", name)
    if len(texts) > limits.max_texts:
        raise RefusedRequestError(
            422,
            "too_many_texts",
            f"Too many texts in one request: {len(texts)}",
            given=len(texts),
            expected=f"at most {limits.max_texts}",
            where=name,
        )
    for place, text in enumerate(texts):
        _check_text(f"{name}[{place}]", text, limits.max_length)
    return texts


def _second(second: Any, number: int, limits: ServerLimits) -> list[GivenText]:
    if isinstance(second, list) and len(second) != number:
        raise RefusedRequestError(
            422,
            "unpaired",
            f"{len(second)} second texts for {number} texts",
            given=len(second),
            expected=f"{number}, one a text",
            where="second",
        )
    return _texts("second", second, limits)


def _check_text(where: str, text: Any, most: int) -> None:
    if not isinstance(text, str | list):
        raise _wrong(where, text, "a string or a list of words", where)
    is_text = isinstance(text, str)
    # Each word counts one more, for the space after it: so a long list is refused unread.
    length = len(text) if is_text or len(text) > most else len(text) + _characters(where, text)
    if length > most:
        unit = "characters" if is_text or len(text) <= most else "words"
        raise RefusedRequestError(
            422,
            "too_long",
            f"A text is too long: {length} {unit}",
            given=length,
            expected=f"at most {most} characters",
            where=where,
        )


def _characters(where: str, words: Sequence[Any]) -> int:
    for word in words:
        if not isinstance(word, str):
            raise _wrong(where, word, "words that are strings", where)
    return sum(map(len, words))


def _tasks(content: Mapping[str, Any], names: Sequence[str]) -> list[str] | None:
    tasks = content.get("tasks")
    if tasks is None:
        return None
    if not isinstance(tasks, list) or not tasks:
        raise _wrong("tasks", tasks, "a list of one name or more", "tasks")
    for place, task in enumerate(tasks):  # ends at the latest where one comes again
        where = f"tasks[{place}]"
        if not isinstance(task, str):
            raise _wrong(where, task, "the name of a task", where)
        if task not in names:
            kind, message = "unknown_task", f"There is no task {task!r:.{SHOWN}}"
        elif task in tasks[:place]:
            kind, message = "repeated_task", f"The task {task!r} is asked for twice"
        else:
            continue
        raise RefusedRequestError(
            422, kind, message, given=task[:SHOWN], expected=list(names), where=where
        )
    return tasks


def _wrong(what: str, given: Any, expected: str, where: str | None) -> RefusedRequestError:
    message = f"{what}: expected {expected}"
    return RefusedRequestError(
        422, "wrong_type", message, given=_shown(given), expected=expected, where=where
    )


def _shown(given: Any) -> str:
    """Write what was given, without looking at all of it."""
    writer = reprlib.Repr()
    writer.maxstring = writer.maxother = SHOWN
    if isinstance(given, dict):  # reprlib would sort it
        given = dict(list(given.items())[:4])
    return writer.repr(given)[:SHOWN]
