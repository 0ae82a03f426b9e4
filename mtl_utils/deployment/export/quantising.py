"""Weights in eight bits: at best a quarter of the size, at a price that is to be measured."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtl_utils.deployment.optional import needed


def write_int8(source: Path, target: Path) -> None:
    """Write a graph with the weights of matrices and embeddings in eight bits.

    What is computed is quantised as it comes (dynamically). Signed weights are multiplied wrongly
    on processors with AVX2 and without VNNI, where two products overflow the 16 bits between; so
    weights are unsigned, and with an LSTM, whose kernel takes them otherwise, seven bits wide.

    Args:
        source: The graph in single precision.
        target: Where to.

    Raises:
        ImportError: If onnx or onnxruntime is not installed.
    """
    quantization: Any = needed("onnxruntime.quantization")
    onnx: Any = needed("onnx")
    kinds = {node.op_type for node in onnx.load(str(source)).graph.node}
    recurrent = "LSTM" in kinds
    with _silent():
        quantization.quantize_dynamic(
            str(source),
            str(target),
            weight_type=quantization.QuantType.QInt8
            if recurrent
            else quantization.QuantType.QUInt8,
            reduce_range=recurrent,
        )


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Leave out the advice to prepare the model first, which gains nothing here."""
    logger = logging.getLogger()
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
