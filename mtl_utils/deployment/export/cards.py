"""The card of an exported model, for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.saving.cards import cell, write_card

_MOST_LABELS = 20


def write_export_card(place: Path, content: Mapping[str, Any]) -> None:
    """Write the card.

    Args:
        place: The folder; its files are there already.
        content: What ``export.json`` holds.
    """
    differences, int8_differences = content["differs_by"], content["int8_differs_by"]
    lines = ["# An exported model", ""]
    lines += [
        "| task | kind | labels | trained on | differs by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, task in content["tasks"].items():
        labels = [cell(label) for label in task.get("labels", ())]
        listed = ", ".join(labels[:_MOST_LABELS])
        listed += f", … ({len(labels)})" if len(labels) > _MOST_LABELS else ""
        apart = f"{differences[name]:.1e}"
        if int8_differences is not None:
            apart += f", int8 {int8_differences[name]:.1e}"
        trained = cell(content["data"].get(name, "not said"))
        lines.append(f"| {cell(name)} | {task['kind']} | {listed} | {trained} | {apart} |")
    lines += [
        "",
        "*Differs by*: the largest difference from PyTorch on random ids of other lengths and with "
        "padding, relative to the greatest output where that is above 1.",
        "",
        f"Licence of the weights: {content['licence'] or 'not said'}.",
        "",
        "```python",
        "from mtl_utils import deployment",
        "",
        'model = deployment.OnnxModel.load("this folder")'
        + ("  # int8=True: eight bits" if int8_differences else ""),
        'model.predict(["A text."])',
        "```",
    ]
    if content["scores"]:
        lines += ["", "| score | value |", "| --- | --- |"]
        lines += [f"| {cell(name)} | {value:.4g} |" for name, value in content["scores"].items()]
    lines += ["", "| file | bytes | SHA-256 |", "| --- | --- | --- |"]
    for name, digest in content["sha256"].items():
        lines.append(f"| {name} | {(place / name).stat().st_size:,} | `{digest}` |")
    made = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    lines += ["", f"Made with {made}; ONNX opset {content['opset']}."]
    write_card(place, "\n".join(lines) + "\n")
