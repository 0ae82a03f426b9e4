"""The box of chapter 02: a translation from English to French, and where the model looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_utils import atlas
from mtl_utils.deployment.export.writing_model import of_translator
from mtl_utils.deployment.live.translator_model import TranslatorSizes, train_translator_model
from mtl_utils.deployment.live.typed_words import words_as_typed
from mtl_utils.deployment.live.writer_page import WriterPage
from mtl_utils.models import Seq2Seq

ATLAS = "Atlas, the book's generated corpus of short news"
OF_ATLAS: dict[str, Any] = {
    "licence": "MIT, as the book",
    "ask": "An English sentence",
    "button": "Translate",
}
"""What stands around every box that translates Atlas."""

NOTE = (
    "It knows the events of that corpus and nothing else: what Atlas does not tell of comes "
    "out as something that it does. It writes greedily, piece by piece."
)
"""What the scores of every such box do not say."""

FACTS: dict[str, Any] = OF_ATLAS | {
    "title": "English to French, for one small world",
    "data": {"translation": ATLAS},
    "note": NOTE,
    "examples": [
        ["On Thursday, an earthquake shook Santiago.", ""],
        ["Norway and Kenya signed a treaty in October.", ""],
        ["The striker Omar Diallo signed for Valencia for $8 million.", ""],
        ["Profit at Brightwell Motors rose by 12 percent, the company said.", ""],
        ["My sister bakes bread.", ""],
    ],
}
"""What stands around the box."""


def known_words() -> Sequence[str]:
    """Return the English words of the training data, as a reader's are split."""
    return words_as_typed(atlas.load(TranslatorSizes().sentences)["train"]["text"])


PAGE = WriterPage(
    FACTS,
    train_translator_model,
    Seq2Seq.load,
    known_words,
    of_translator,
    lambda model: [model.translation],
)
"""The box."""
