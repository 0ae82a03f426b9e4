"""The server itself, over FastAPI; imported when one is made."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.server.batches import FullQueueError, RequestBatches
from mtl_utils.deployment.server.limits import BODY_SECONDS, RefusedRequestError, ServerLimits
from mtl_utils.deployment.server.metrics import TEXT_TYPE, ServerMetrics
from mtl_utils.deployment.server.reading import Kind, RequestReading
from mtl_utils.deployment.server.requests import SHOWN, PredictRequest, parsed
from mtl_utils.models import TextModel

_CLOSED = 499  # what servers write down where the client has gone
_PATHS = ("/predict", "/health", "/metrics", "/openapi.json")


class _Server:
    """A model behind an application.

    Args:
        model: The model.
        limits: What is taken.
        one_pass: Whether all tasks read texts as words.
    """

    def __init__(self, model: TextModel | OnnxModel, limits: ServerLimits, one_pass: bool) -> None:
        self.model, self.limits = model, limits
        self.names = list(model.tasks)
        self.reading = RequestReading(model, one_pass)
        self.metrics = ServerMetrics()
        self.batches: RequestBatches | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        self.batches = RequestBatches(
            self.answer,
            max_batch=self.limits.max_batch,
            max_wait=self.limits.max_wait_ms / 1000,
            max_waiting=self.limits.max_waiting,
            check=self.reading.check,
            told=self.metrics.count_batch,
        )
        self.batches.start()
        yield
        await self.batches.stop()

    def answer(self, kind: Kind, items: list[Any]) -> Sequence[Any]:
        """Predict for items of one kind; called in the thread of the model."""
        tasks, pairs, probabilities = kind
        second = [other for _, other in items] if pairs else None
        found: list[Any] = self.model.predict(
            [self.reading.text(text) for text, _ in items],
            None if tasks is None else list(tasks),
            second=second,
            probabilities=probabilities,
        )
        return found

    async def predict(self, request: Request) -> Response:
        body = await _body(request, self.limits.max_body)
        asked = parsed(body, self.limits, self.names)
        self.reading.check_pairs(asked)
        second = [None] * len(asked.texts) if asked.second is None else asked.second
        items = list(zip(asked.texts, second, strict=True))
        tasks = None if asked.tasks is None else tuple(asked.tasks)
        kind = (tasks, asked.second is not None, asked.probabilities)
        found = await self._unless_gone(request, kind, items)
        if found is None:
            return Response(status_code=_CLOSED)
        self.metrics.count_predictions(found, self.reading.thresholds)
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
            raise self._busy() from None
        finally:
            answer.cancel()
            gone.cancel()

    def _busy(self) -> RefusedRequestError:
        assert self.batches is not None
        if self.batches.is_stopping:
            given, expected = "a request while the server stops", "one when it runs again"
            return RefusedRequestError(
                503, "stopping", "The server is stopping", given=given, expected=expected
            )
        return RefusedRequestError(
            503,
            "busy",
            "Too many requests wait; come again",
            given=self.batches.num_waiting,
            expected=f"at most {self.limits.max_waiting - 1} others that wait",
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

        self.metrics.open_requests += 1
        try:
            await self.app(scope, receive, noted)
        finally:
            self.metrics.open_requests -= 1
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
    # A slash at the end is another path: a redirect would lead to whatever host the client named.
    pages: Any = {"docs_url": None, "redoc_url": None, "redirect_slashes": False}
    app = FastAPI(title="mtl_utils", lifespan=server.lifespan, **pages)
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
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise _too_large(f"more than {most}", most)
    except TimeoutError:
        raise RefusedRequestError(
            408,
            "too_slow",
            f"The body did not come within {BODY_SECONDS} seconds",
            given=f"{len(body)} bytes",
            expected=f"a whole body within {BODY_SECONDS} seconds",
        ) from None
    return bytes(body)


def _too_large(given: str, most: int) -> RefusedRequestError:
    return RefusedRequestError(
        413,
        "too_large",
        f"The body is too large: {given} bytes",
        given=given,
        expected=f"at most {most} bytes",
    )


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
    given = f"{request.method} {request.url.path[:SHOWN]}"
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
    given, expected = f"{request.method} {request.url.path[:SHOWN]}", "an answer"
    refused = RefusedRequestError(500, "internal", message, given=given, expected=expected)
    return await _refused(request, refused)
