"""The box of chapter 06: topic, entities and the relation of a pair, from one pass."""

from __future__ import annotations

from mtl_utils import atlas
from mtl_utils.deployment.live.atlas_model import AtlasSizes, train_atlas_model
from mtl_utils.deployment.live.text_page import TextPage
from mtl_utils.deployment.live.typed_words import words_as_typed
from mtl_utils.models import MultiTaskTransformer

_ATLAS = "Atlas, the book's generated corpus of short news"
FACTS = {
    "title": "One pass, three answers",
    "data": dict.fromkeys(("classification", "tags", "inference"), _ATLAS),
    "licence": "MIT, as the book",
    "note": (
        "In the last steps words that do not exist were put among those of the corpus. They were "
        "added after a first model had been measured on the first sentences, which so had a say in "
        "how it is trained; the fresh ones had none, and their scores are the ones to believe."
    ),
    "titles": {
        "classification": "Topic",
        "tags": "Entities",
        "inference": "The second sentence is",
    },
    "measures": {
        "classification_accuracy": "topic right in",
        "inference_accuracy": "relation right in",
        "tags_f1": "entities at a strict F1 of",
    },
    "second": True,
    "examples": [
        [
            "On Friday the University of Victoria found a deep cave.",
            "A deep cave was found by the University of Victoria on Wednesday.",
        ],
        ["Profit at Tessaro dropped by 12 percent in January.", "Profit at Tessaro declined."],
        ["Turkey signed a trade agreement with Jordan.", "Turkey signed a treaty with Peru."],
        ["Leeds United beat Brighton Rovers by 3-1 on Saturday.", "Brighton Rovers were defeated."],
        ["The singer Aisha Toure filled the stadium in Dakar twice.", ""],
    ],
}
"""What stands around the box."""


def known_words() -> list[str]:
    """Return the words of the training data, as a reader's are split."""
    sizes = AtlasSizes()
    pairs = atlas.load_inference(sizes.pairs, paraphrase=0.5)["train"]
    texts = {*pairs["premise"], *pairs["hypothesis"], *atlas.load(sizes.sentences)["train"]["text"]}
    return words_as_typed(texts)


PAGE = TextPage(FACTS, train_atlas_model, MultiTaskTransformer.load, known_words)
"""The box."""
