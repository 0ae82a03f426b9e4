"""The server itself, over FastAPI; imported when one is made."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mtl_utils.data.splitting import split_words
from mtl_utils.deployment.onnx_model import OnnxModel
from mtl_utils.deployment.request_batches import FullQueueError, RequestBatches
from mtl_utils.deployment.server_limits import RefusedRequestError, ServerLimits
from mtl_utils.deployment.server_metrics import TEXT_TYPE, ServerMetrics
from mtl_utils.models import TextModel

_CLOSED = 499  # what servers write down where the client has gone
_PATHS = ("/predict", "/health", "/metrics", "/openapi.json")
_SHOWN = 80

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


class _Server:
    """A model behind an application.

    Args:
        model: The model.
        limits: What is taken.
        one_pass: Whether all tasks read texts as words.
    """

    def __init__(self, model: TextModel | OnnxModel, limits: ServerLimits, one_pass: bool) -> None:
        self.model, self.limits, self.one_pass = model, limits, one_pass
        self.names = list(model.tasks)
        self.metrics = ServerMetrics()
        self.batches: RequestBatches | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        self.batches = RequestBatches(
            self.answer,
            max_batch=self.limits.max_batch,
            max_wait=self.limits.max_wait_ms / 1000,
            max_waiting=self.limits.max_waiting,
            told=self.metrics.count_batch,
        )
        self.batches.start()
        yield
        await self.batches.stop()

    def answer(self, kind: Any, items: list[Any]) -> Sequence[Any]:
        """Predict for items of one kind; called in the thread of the model."""
        tasks, pairs, probabilities = kind
        second = [other for _, other in items] if pairs else None
        found: list[Any] = self.model.predict(
            [self._read(text) for text, _ in items],
            None if tasks is None else list(tasks),
            second=second,
            probabilities=probabilities,
        )
        return found

    def _read(self, text: GivenText) -> GivenText:
        if not self.one_pass or not isinstance(text, str):
            return text
        return [word.text for word in split_words(text)]

    async def predict(self, request: Request) -> Response:
        asked = self.checked(_parsed(await _body(request, self.limits.max_body)))
        second = [None] * len(asked.texts) if asked.second is None else asked.second
        items = list(zip(asked.texts, second, strict=True))
        tasks = None if asked.tasks is None else tuple(asked.tasks)
        kind = (tasks, asked.second is not None, asked.probabilities)
        found = await self._unless_gone(request, kind, items)
        if found is None:
            return Response(status_code=_CLOSED)
        self.metrics.count_predictions(found)
        return JSONResponse({"predictions": found})

    async def _unless_gone(self, request: Request, kind: Any, items: list[Any]) -> Any:
        """Return what was predicted, or ``None`` if the client did not wait for it."""
        assert self.batches is not None
        answer = asyncio.ensure_future(self.batches.ask(kind, items))
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            return await answer if answer.done() else None
        except FullQueueError:
            raise RefusedRequestError(
                503,
                "busy",
                "Too many requests wait, or the server is stopping; come again",
                given=self.batches.num_waiting,
                expected=f"at most {self.limits.max_waiting} waiting requests",
            ) from None
        except (ValueError, TypeError, LookupError, NotImplementedError) as error:
            message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
            notes = " ".join(getattr(error, "__notes__", []))
            raise RefusedRequestError(
                422, "not_read", f"{message} {notes}".strip(), expected="texts that the model reads"
            ) from error
        finally:
            answer.cancel()
            gone.cancel()

    def checked(self, asked: PredictRequest) -> PredictRequest:
        """Refuse what is of the right types and still cannot be answered."""
        if len(asked.texts) > self.limits.max_texts:
            raise RefusedRequestError(
                422,
                "too_many_texts",
                f"Too many texts in one request: {len(asked.texts)}",
                given=len(asked.texts),
                expected=f"at most {self.limits.max_texts}",
                where="texts",
            )
        if asked.second is not None and len(asked.second) != len(asked.texts):
            raise RefusedRequestError(
                422,
                "unpaired",
                f"{len(asked.second)} second texts for {len(asked.texts)} texts",
                given=len(asked.second),
                expected=f"{len(asked.texts)}, one a text",
                where="second",
            )
        for name in ("texts", "second"):
            for place, text in enumerate(getattr(asked, name) or ()):
                self._check_length(f"{name}[{place}]", text)
        for place, task in enumerate(asked.tasks or ()):
            if task not in self.names:
                raise RefusedRequestError(
                    422,
                    "unknown_task",
                    f"There is no task {task!r:.{_SHOWN}}",
                    given=task[:_SHOWN],
                    expected=self.names,
                    where=f"tasks[{place}]",
                )
        return asked

    def _check_length(self, where: str, text: GivenText) -> None:
        length = len(text) if isinstance(text, str) else sum(map(len, text)) + len(text)
        if length > self.limits.max_length:
            raise RefusedRequestError(
                422,
                "too_long",
                f"A text is too long: {length} characters",
                given=length,
                expected=f"at most {self.limits.max_length} characters",
                where=where,
            )

    async def health(self) -> dict[str, Any]:
        """Say that the server answers, and for what."""
        return {"status": "ok", "tasks": self.names}

    async def numbers(self) -> Response:
        """Counts and latencies, as Prometheus reads them."""
        assert self.batches is not None
        text = self.metrics.text(self.batches.num_waiting)
        return PlainTextResponse(text, media_type=TEXT_TYPE)


class _Counting:
    """Counts every request by its path and status, outside of everything that may fail.

    Args:
        app: What answers.
        metrics: Where to.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, statuses = time.perf_counter(), [500]

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            path = scope["path"] if scope["path"] in _PATHS else "other"
            self.metrics.count_request(path, statuses[-1], time.perf_counter() - began)


def made_app(model: TextModel | OnnxModel, limits: ServerLimits, one_pass: bool) -> FastAPI:
    """Make the application.

    Args:
        model: The model.
        limits: What is taken.
        one_pass: Whether all tasks read texts as words.
    """
    server = _Server(model, limits, one_pass)
    # The pages /docs and /redoc load scripts from other hosts; /openapi.json is there.
    app = FastAPI(title="mtl_utils", lifespan=server.lifespan, docs_url=None, redoc_url=None)
    schema = {"application/json": {"schema": PredictRequest.model_json_schema()}}
    app.post("/predict", openapi_extra={"requestBody": {"required": True, "content": schema}})(
        server.predict
    )
    app.get("/health")(server.health)
    app.get("/metrics")(server.numbers)
    app.add_exception_handler(RefusedRequestError, _refused)
    app.add_exception_handler(AnyHTTPException, _of_http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(_Counting, metrics=server.metrics)
    return app


async def _body(request: Request, most: int) -> bytes:
    """Read a body, and stop where it is too large, whatever its header says."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > most):
        raise _too_large(declared[:18], most)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise _too_large(f"more than {most}", most)
    return bytes(body)


def _too_large(given: str, most: int) -> RefusedRequestError:
    return RefusedRequestError(
        413,
        "too_large",
        f"The body is too large: {given} bytes",
        given=given,
        expected=f"at most {most} bytes",
    )


def _parsed(body: bytes) -> PredictRequest:
    try:
        return PredictRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where, problem = _place(first["loc"]), first["msg"]
        given = f"{first['input']!r:.{_SHOWN}}"
        if first["type"] == "json_invalid":
            raise RefusedRequestError(
                400,
                "bad_json",
                f"The body is no JSON: {problem}",
                given=given,
                expected='JSON such as {"texts": ["A text."]}',
            ) from None
        raise RefusedRequestError(
            422,
            "wrong_type",
            f"{where or 'The body'}: {problem}",
            given=given,
            expected=problem,
            where=where or None,
        ) from None


def _place(location: tuple[int | str, ...]) -> str:
    """Write where in a request something stands; which kind of text was tried is left out."""
    named = [part for part in location if part not in ("str", "list[str]")]
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in named)
    return text.removeprefix(".")


async def _disconnected(request: Request) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedRequestError)
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return JSONResponse({"error": error.content}, error.status, headers)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException)
    given = f"{request.method} {request.url.path[:_SHOWN]}"
    refused = RefusedRequestError(
        error.status_code,
        "not_found" if error.status_code == 404 else "not_allowed",
        f"{given}: {error.detail}",
        given=given,
        expected="POST /predict, GET /health, GET /metrics, GET /openapi.json",
    )
    response = await _refused(request, refused)
    response.headers.update(error.headers or {})
    return response


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=_CLOSED)  # nobody reads it; it is counted


async def _failed(request: Request, error: Exception) -> Response:
    """Say that something failed, and not what: the traceback is in the server's log."""
    message = "The server failed; its log says why"
    return await _refused(request, RefusedRequestError(500, "internal", message))
