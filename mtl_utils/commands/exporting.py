"""``export``: a trained model as a folder that other programs run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mtl_utils.commands import training
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.using import any_model, trained_as
from mtl_utils.deployment import export_language_model, export_onnx, export_translator
from mtl_utils.models import BiLSTMFramework, LSTMLanguageModel, Seq2Seq, Tagger, TextModel


def export(options: argparse.Namespace) -> str:
    """Export a model.

    Args:
        options: ``folder``, ``output``, ``int8``, ``licence`` and ``own``.

    Returns:
        What was written, and how far it is from the model.

    Raises:
        Refused: If there is no model, or one of a kind that cannot be exported.
        ValueError: If it has no tokenizer.
        TypeError: If it cannot be exported.
    """
    model = any_model(options.folder, options.own)
    data = {}
    if isinstance(model, TextModel):
        tables = {name: trained_as(options.folder, name) for name in model.text_tasks}
        data = {name: _named(table["data"]) for name, table in tables.items() if table.get("data")}
    notes: dict[str, Any] = {"data": data, "scores": _scores(options.folder)}
    notes |= {"int8": options.int8, "licence": options.licence}
    if isinstance(model, Seq2Seq | BiLSTMFramework):
        apart = export_translator(model, options.output, **notes)
        lines = [f"translation: differs from PyTorch by {apart:.1e}"]
    elif isinstance(model, TextModel | Tagger):
        found = export_onnx(model, options.output, **notes)
        lines = [f"{name}: differs from PyTorch by {value:.1e}" for name, value in found.items()]
    elif isinstance(model, LSTMLanguageModel):
        apart = export_language_model(model, options.output, **notes)
        lines = [f"language model: differs from PyTorch by {apart:.1e}"]
    else:
        raise Refused(
            f"{options.folder} holds a {type(model).__name__}, which cannot be exported; chapter "
            "23 has a table of what can"
        )
    sizes = (f"{p.name}: {p.stat().st_size:,} bytes" for p in sorted(options.output.iterdir()))
    return "\n".join([*lines, *sizes])


def _named(data: Any) -> str:
    return data if isinstance(data, str) else ", ".join(map(str, data.values()))


def _scores(folder: Path) -> dict[str, float]:
    """Return what the run measured, each score with its split."""
    path = folder / training.METRICS
    if not path.is_file():
        return {}
    found: training.Scores = json.loads(path.read_text("utf-8"))
    return {
        f"{split}: {metric}": value
        for split, scores in found.items()
        for metric, value in scores.items()
        if value is not None
    }
