"""The pages of chapters 02 and 04: which model is alive in each, and what stands around its box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mtl_utils import atlas
from mtl_utils.deployment.framework_model import train_framework_model
from mtl_utils.deployment.live_page import SENTENCES
from mtl_utils.deployment.live_writer import write_live_writer
from mtl_utils.deployment.translator_model import TranslatorSizes, train_translator_model
from mtl_utils.deployment.typed_words import words_as_typed
from mtl_utils.deployment.writer_export import of_framework, of_translator
from mtl_utils.models import BiLSTMFramework, Seq2Seq

_ATLAS = "Atlas, the book's generated corpus of short news"
_COMMON: dict[str, Any] = {
    "licence": "MIT, as the book",
    "ask": "An English sentence",
    "button": "Translate",
}
TRANSLATOR: dict[str, Any] = _COMMON | {
    "title": "English to French, for one small world",
    "data": {"translation": _ATLAS},
    "note": (
        "It knows the events of that corpus and nothing else: what Atlas does not tell of comes "
        "out as something that it does. It writes greedily, piece by piece."
    ),
    "examples": [
        ["On Thursday, an earthquake shook Santiago.", ""],
        ["Norway and Kenya signed a treaty in October.", ""],
        ["The striker Omar Diallo signed for Valencia for $8 million.", ""],
        ["Profit at Brightwell Motors rose by 12 percent, the company said.", ""],
        ["My sister bakes bread.", ""],
    ],
}
"""What stands around the box of chapter 02."""

FRAMEWORK: dict[str, Any] = _COMMON | {
    "title": "Entities and a translation from one pass of the encoder",
    "data": {"tags": _ATLAS, "translation": _ATLAS},
    "note": (
        "It knows the events of that corpus and nothing else: what Atlas does not tell of comes "
        "out as something that it does. It writes greedily, piece by piece."
    ),
    "examples": [
        ["Researchers from the University of Bologna explored the Amazon.", ""],
        ["Anna Lindqvist won the Tour of Portugal on Sunday.", ""],
        ["The price of coffee rose in Egypt in March.", ""],
        ["Sporting Porto beat Leeds United by 2-1.", ""],
        ["My sister bakes bread.", ""],
    ],
}
"""What stands around the box of chapter 04."""


def write_translator(folder: Path, saved: Path | None) -> dict[str, float]:
    """Make the folder of chapter 02's model.

    Args:
        folder: The folder; it holds the sentences that the model is measured on.
        saved: A saved model, instead of training one.

    Returns:
        What was measured.
    """
    model = train_translator_model() if saved is None else Seq2Seq.load(saved)
    tasks = {model.translation.name: model.translation}
    sentences = folder / SENTENCES
    return write_live_writer(
        of_translator(model), tasks, folder, sentences, known_words(), TRANSLATOR
    )


def write_framework(folder: Path, saved: Path | None) -> dict[str, float]:
    """Make the folder of chapter 04's model, which is measured on chapter 02's sentences.

    Args:
        folder: The folder, beside that of chapter 02.
        saved: A saved model, instead of training one.

    Returns:
        What was measured.
    """
    model = train_framework_model() if saved is None else BiLSTMFramework.load(saved)
    tasks = {task.name: task for task in (model.tagging, model.translation)}
    sentences = folder.parent / "translator" / SENTENCES
    folder.mkdir(exist_ok=True)
    return write_live_writer(
        of_framework(model), tasks, folder, sentences, known_words(), FRAMEWORK
    )


WRITERS: dict[str, Callable[[Path, Path | None], dict[str, float]]] = {
    "translator": write_translator,
    "framework": write_framework,
}
"""What makes a folder, by the name of the folder."""


def known_words() -> Sequence[str]:
    """Return the English words of the training data, as a reader's are split."""
    return words_as_typed(atlas.load(TranslatorSizes().sentences)["train"]["text"])
