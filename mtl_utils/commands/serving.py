"""``serve``: a trained model that answers over HTTP."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from mtl_utils import deployment
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.using import loaded
from mtl_utils.deployment.export.onnx_language_model import CONTENT as LANGUAGE_MODEL_CONTENT
from mtl_utils.deployment.export.onnx_writer import CONTENT as WRITER_CONTENT
from mtl_utils.deployment.export.text_model import CONTENT


def serve(options: argparse.Namespace, limits: Mapping[str, Any]) -> None:
    """Serve a model until the process is told to stop.

    Args:
        options: ``folder``, ``own``, ``host``, ``port``, ``int8`` and ``one_pass``.
        limits: Arguments of :class:`mtl_utils.deployment.ServerLimits`; ``None`` for the default.

    Raises:
        Refused: If there is no model, it writes, or eight bits were asked of one that has none.
        ValueError: If a limit is outside its range.
        OSError: If it cannot listen there.
    """
    given = {name: value for name, value in limits.items() if value is not None}
    deployment.serve(
        _model(options),
        host=options.host,
        port=options.port,
        limits=deployment.ServerLimits(**given),
        one_pass=options.one_pass,
    )


def _model(options: argparse.Namespace) -> Any:
    if (options.folder / CONTENT).is_file():
        return deployment.OnnxModel.load(options.folder, int8=options.int8)
    for content in (WRITER_CONTENT, LANGUAGE_MODEL_CONTENT):
        if (options.folder / content).is_file():
            raise Refused(
                f"{options.folder} holds an exported model that writes ({content}), which is not "
                "served: give the folder of a text model or a tagger, saved or exported"
            )
    if options.int8:
        raise Refused("--int8 is for an exported model: `export RUN OUTPUT --int8`, then serve it")
    return loaded(options.folder, options.own)
