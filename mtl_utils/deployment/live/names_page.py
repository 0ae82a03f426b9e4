"""The box of chapter 03: the names in what a reader types."""

from __future__ import annotations

from mtl_utils.deployment.live.names_data import english, names_to_choose
from mtl_utils.deployment.live.names_model import NamesSizes, train_names_model
from mtl_utils.deployment.live.text_page import TextPage
from mtl_utils.models import TextModel

FACTS = {
    "title": "People, organisations and places in a sentence of yours",
    "data": {
        "tags": (
            "Universal NER: sentences of its English treebanks EWT and PUD, and names of its "
            "Danish, German, Portuguese and Swedish ones and of Atlas"
        )
    },
    "licence": "CC BY-SA 4.0",
    "note": (
        "The sentences were written before a model was trained, and had no say in how it is "
        "trained; the validation split chose."
    ),
    "titles": {"tags": "Entities"},
    "measures": {
        "tags_f1": "entities at a strict F1 of",
        "tags_accuracy": "tags of words right in",
    },
    "examples": [
        ["The Bank of America raised its rates.", ""],
        ["Paris Jackson flew from Paris to Jackson, Mississippi.", ""],
        ["Does Dr. Nguyen still work at the hospital in Haifa?", ""],
        ["Angela ate an apple while Apple's shares fell in New York.", ""],
        ["In may will and bill met mark near reading.", ""],
    ],
}
"""What stands around the box."""


def known_words() -> list[str]:
    """Return the words of the sentences, and of the names, that are read in training."""
    sentences = english("train")
    names = names_to_choose(sentences, NamesSizes().atlas)
    read = {word for sentence in sentences for word in sentence.words}
    return sorted(read.union(word for kind in names.values() for name in kind for word in name))


PAGE = TextPage(FACTS, train_names_model, TextModel.load, known_words)
"""The box."""
