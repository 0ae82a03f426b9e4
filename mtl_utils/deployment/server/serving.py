"""A small server: one model behind HTTP, for whatever asks it for labels."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, cast

from mtl_utils.arguments import check_flag, check_kind, check_path, check_text, check_whole
from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.export.text_model import CONTENT
from mtl_utils.deployment.optional import needed
from mtl_utils.deployment.server.limits import ServerLimits
from mtl_utils.models import TextModel, load

#: Seconds that connections have to end in when the server is stopped.
GRACE = 10


def create_app(
    model: TextModel | OnnxModel, limits: ServerLimits | None = None, *, one_pass: bool = False
) -> Any:
    """Make the application that answers for a model.

    ``POST /predict`` takes ``{"texts": [...], "second": [...], "tasks": [...], "probabilities":
    false}``, of which only the texts are needed, and gives ``{"predictions": [{task: label}]}``:
    what ``model.predict`` gives, of the words of each text if ``one_pass``. Requests that come
    close together are read as one batch. ``GET /health`` names the tasks, ``GET /metrics`` has
    counts and latencies in the form of Prometheus, the labels that were given among them. What is
    refused gets ``{"error": {"type", "message", "where", "given", "expected"}}`` and a status from
    400 to 503.

    Args:
        model: The model, or one that was exported.
        limits: What is taken; the defaults of :class:`ServerLimits` if ``None``.
        one_pass: Whether strings are split into words for all tasks, and not only for those that
            label words. All tasks then read the same, in one pass of the encoder; otherwise those
            share a pass that read the same.

    Returns:
        A FastAPI application, for any ASGI server, which runs it in one process a model and starts
        it with its lifespan, as servers do.

    Raises:
        ImportError: If fastapi is not installed.
        TypeError: If an argument is not of its kind.
        ValueError: If the model has no tokenizer to read texts with, is to be told the language of
            each, or reads pictures beside them.
    """
    check_kind("model", model, (TextModel, OnnxModel), "a TextModel or an OnnxModel")
    limits = ServerLimits() if limits is None else limits
    check_kind("limits", limits, ServerLimits, "ServerLimits")
    check_flag("one_pass", one_pass)
    if model.tokenizer is None:
        raise ValueError(
            f"The model {type(model).__name__} has no tokenizer, and a server reads texts"
        )
    if model.beside.language is not None:
        raise ValueError("The model is to be told the language of a text, which no request says")
    if model.beside.picture is not None:
        raise ValueError("The model reads a picture beside a text, which no request has")
    needed("fastapi", "serve")
    from mtl_utils.deployment.server.app import made_app

    return made_app(model, limits, one_pass)


def serve(
    model: TextModel | OnnxModel | str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: ServerLimits | None = None,
    one_pass: bool = False,
) -> None:
    """Answer for a model until the process is told to stop, by Ctrl-C or SIGTERM.

    It then takes no more, answers what waits, and ends.

    Args:
        model: The model, or the folder of one that was saved or exported.
        host: Address to listen at; that of this machine alone by default. There is no password: to
            be seen by others, put it behind a server that knows them.
        port: Port to listen at; any that is free if 0.
        limits: See :func:`create_app`.
        one_pass: See :func:`create_app`.

    Raises:
        ImportError: If fastapi or uvicorn is not installed.
        FileNotFoundError: If there is no model.
        TypeError: If an argument is not of its kind.
        ValueError: If the port does not exist, or as :func:`create_app`.
        OSError: If it cannot listen there.
    """
    check_text("host", host)
    check_whole("port", port, least=0, most=65535)
    if not isinstance(model, TextModel | OnnxModel):
        check_path("model", model)
        model = _read(Path(model))
    app = create_app(model, limits, one_pass=one_pass)
    uvicorn: Any = needed("uvicorn", "serve")
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        limit_concurrency=2 * (limits or ServerLimits()).max_waiting,
    )
    server = uvicorn.Server(config)
    try:
        with contextlib.suppress(KeyboardInterrupt):  # raised again once all is answered
            server.run()
    except SystemExit as error:  # uvicorn has logged why, and ends the process itself
        raise OSError(f"Cannot listen at {host}:{port}") from error


def _read(folder: Path) -> TextModel | OnnxModel:
    if (folder / CONTENT).is_file():
        return OnnxModel.load(folder)
    model = load(folder)
    check_kind("model", model, TextModel, "the folder of a model that reads texts")
    return cast(TextModel, model)
