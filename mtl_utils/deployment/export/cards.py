"""The card of an exported model, for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.saving.cards import cell, write_card

_MOST_LABELS = 20

_DIFFERS = (
    "*Differs by*: the largest difference from PyTorch on random ids of other lengths and with "
    "padding, relative to the greatest output where that is above 1."
)


def write_export_card(place: Path, content: Mapping[str, Any]) -> None:
    """Write the card of a text model.

    Args:
        place: The folder; its files are there already. Of those that were exported and are not
            there, as where eight bits alone are kept, the card says nothing.
        content: What ``export.json`` holds.
    """
    differences, int8_differences = content["differs_by"], content["int8_differs_by"]
    lines = ["# An exported model", ""]
    lines += [
        "| task | kind | labels | trained on | differs by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, task in content["tasks"].items():
        apart = f"{differences[name]:.1e}"
        if int8_differences is not None:
            apart += f", int8 {int8_differences[name]:.1e}"
        trained = cell(content["data"].get(name, "not said"))
        lines.append(f"| {cell(name)} | {task['kind']} | {_listed(task)} | {trained} | {apart} |")
    of_pairs = all(task["pair"] for task in content["tasks"].values())
    second = ', second=["Another."]' if of_pairs else ""
    known = content.get("language")
    told = f', languages="{known["names"][0]}"' if known else ""
    told += ", pictures=[picture]" if content.get("picture") else ""
    whole = (place / "model.onnx").is_file()
    loading = "" if whole else ", int8=True"
    hint = "  # int8=True: eight bits" if whole and int8_differences else ""
    code = [
        f'model = deployment.OnnxModel.load("this folder"{loading}){hint}',
        f'model.predict(["A text."]{second}{told})',
    ]
    lines += ["", _DIFFERS, ""]
    if known:
        names = ", ".join(cell(name) for name in known["names"])
        lines += [f"It is told the language of each text, by number from 0: {names}.", ""]
    if content.get("picture"):
        size = content["picture"]["size"]
        lines += [f"It reads pictures of {f'{size} by {size} pixels' if size else 'any size'}.", ""]
    lines += [*_use(content, code), *_scores(content), *_files(place, content)]
    write_card(place, "\n".join(lines) + "\n")


def write_translator_card(place: Path, content: Mapping[str, Any]) -> None:
    """Write the card of a model that translates.

    Args:
        place: The folder; its files are there already.
        content: What ``writer.json`` holds.
    """
    lines = ["# An exported model that translates", ""]
    lines += ["| task | kind | labels | trained on |", "| --- | --- | --- | --- |"]
    kinds = {name: (task["kind"], _listed(task)) for name, task in content["tasks"].items()}
    for name, (kind, labels) in ({content["writes"]: ("translation", "")} | kinds).items():
        trained = cell(content["data"].get(name, "not said"))
        lines.append(f"| {cell(name)} | {kind} | {labels} | {trained} |")
    code = [
        'model = deployment.OnnxWriter.load("this folder")',
        'model.translate(["A sentence."])',
    ]
    lines += [
        "",
        f"It writes greedily. Its graphs differ from PyTorch by {content['differs_by']:.1e} at "
        "most, on sentences of several lengths, relative to the greatest output where that is "
        "above 1.",
        "",
    ]
    lines += [*_use(content, code), *_scores(content), *_files(place, content)]
    write_card(place, "\n".join(lines) + "\n")


def write_language_model_card(place: Path, content: Mapping[str, Any]) -> None:
    """Write the card of a language model.

    Args:
        place: The folder; its files are there already.
        content: What ``language_model.json`` holds.
    """
    small, known = content["int8_differs_by"], content["vocabulary"] is not None
    tokens = "with its vocabulary" if known else "without its vocabulary: it reads ids alone"
    trained = ", ".join(f"{cell(name)}: {cell(data)}" for name, data in content["data"].items())
    eights = "" if small is None else f", that of eight bits by {small:.1e}"
    lines = [
        "# An exported language model",
        "",
        f"{content['num_layers']} layers of width {content['width']} over "
        f"{content['vocab_size']} tokens, {tokens}. Trained on: {trained or 'not said'}.",
        "",
        f"Its graph differs from PyTorch by {content['differs_by']:.1e} at most{eights}, on random "
        "ids of other lengths, relative to the greatest output where that is above 1.",
        "",
    ]
    hint = "" if small is None else "  # int8=True: eight bits"
    code = [f'model = deployment.OnnxLanguageModel.load("this folder"){hint}']
    code += ['model.perplexity([["A", "sentence", "."]])'] if known else []
    code += ["model.sample(input_ids, 40)"]
    lines += [*_use(content, code), *_scores(content), *_files(place, content)]
    write_card(place, "\n".join(lines) + "\n")


def _listed(task: Mapping[str, Any]) -> str:
    labels = [cell(label) for label in task.get("labels", ())]
    more = f", … ({len(labels)})" if len(labels) > _MOST_LABELS else ""
    return ", ".join(labels[:_MOST_LABELS]) + more


def _use(content: Mapping[str, Any], code: list[str]) -> list[str]:
    licence = f"Licence of the weights: {content['licence'] or 'not said'}."
    return [licence, "", "```python", "from mtl_utils import deployment", "", *code, "```"]


def _scores(content: Mapping[str, Any]) -> list[str]:
    if not content["scores"]:
        return []
    lines = ["", "| score | value |", "| --- | --- |"]
    return lines + [f"| {cell(name)} | {value:.4g} |" for name, value in content["scores"].items()]


def _files(place: Path, content: Mapping[str, Any]) -> list[str]:
    lines = ["", "| file | bytes | SHA-256 |", "| --- | --- | --- |"]
    for name, digest in content["sha256"].items():
        if (place / name).is_file():
            lines.append(f"| {name} | {(place / name).stat().st_size:,} | `{digest}` |")
    made = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return [*lines, "", f"Made with {made}; ONNX opset {content['opset']}."]
