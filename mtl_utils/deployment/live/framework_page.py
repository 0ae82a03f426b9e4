"""The box of chapter 04: entities and a translation, from one pass of the encoder."""

from __future__ import annotations

from typing import Any

from mtl_utils.deployment.export.writing_model import of_framework
from mtl_utils.deployment.live.framework_model import train_framework_model
from mtl_utils.deployment.live.translator_page import ATLAS, NOTE, OF_ATLAS, known_words
from mtl_utils.deployment.live.writer_page import WriterPage
from mtl_utils.models import BiLSTMFramework

FACTS: dict[str, Any] = OF_ATLAS | {
    "title": "Entities and a translation from one pass of the encoder",
    "data": {"tags": ATLAS, "translation": ATLAS},
    "note": NOTE,
    "examples": [
        ["Researchers from the University of Bologna explored the Amazon.", ""],
        ["Anna Lindqvist won the Tour of Portugal on Sunday.", ""],
        ["The price of coffee rose in Egypt in March.", ""],
        ["Sporting Porto beat Leeds United by 2-1.", ""],
        ["My sister bakes bread.", ""],
    ],
}
"""What stands around the box."""

PAGE = WriterPage(
    FACTS,
    train_framework_model,
    BiLSTMFramework.load,
    known_words,
    of_framework,
    lambda model: [model.tagging, model.translation],
    measured_beside="translator",
)
"""The box, whose model is measured on the sentences of chapter 02."""
