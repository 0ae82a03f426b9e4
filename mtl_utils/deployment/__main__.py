"""``python -m mtl_utils.deployment FOLDER``: makes a model that is alive in a chapter again.

The name of the folder says which: ``translator`` is that of chapter 02, ``framework`` that of
chapter 04, and any other that of chapter 06.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mtl_utils import atlas
from mtl_utils.data import split_words
from mtl_utils.deployment.atlas_model import AtlasSizes, train_atlas_model
from mtl_utils.deployment.live_page import write_live_model
from mtl_utils.deployment.writer_pages import WRITERS
from mtl_utils.models import MultiTaskTransformer

_ATLAS = "Atlas, the book's generated corpus of short news"
PAGE: dict[str, Any] = {
    "title": "One pass, three answers",
    "data": dict.fromkeys(("classification", "tags", "inference"), _ATLAS),
    "licence": "MIT, as the book",
    "note": (
        "In the last steps words that do not exist were put among those of the corpus. They were "
        "added after a first model had been measured on these same sentences; on others it may "
        "score lower."
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


def main() -> None:
    """Train the model, unless one is given, and write its folder."""
    parser = argparse.ArgumentParser(prog="python -m mtl_utils.deployment", description=__doc__)
    parser.add_argument(
        "folder",
        type=Path,
        help="where to, such as book/_static/live/atlas; its name says which model",
    )
    parser.add_argument("--model", type=Path, help="a saved model, instead of training one")
    options = parser.parse_args()
    if make := WRITERS.get(options.folder.resolve().name):
        for name, value in make(options.folder, options.model).items():
            print(f"{name}: {value:.3f}")
        return
    sizes = AtlasSizes()
    model = (
        train_atlas_model(sizes)
        if options.model is None
        else MultiTaskTransformer.load(options.model)
    )
    measured = write_live_model(model, options.folder, _words(sizes), PAGE)
    for name in PAGE["measures"]:
        print(f"{name}: {measured[name]:.3f}, in eight bits {measured[f'{name} int8']:.3f}")


def _words(sizes: AtlasSizes) -> list[str]:
    """Return the words of the training data, as a reader's are split."""
    pairs = atlas.load_inference(sizes.pairs, paraphrase=0.5)["train"]
    texts = {*pairs["premise"], *pairs["hypothesis"], *atlas.load(sizes.sentences)["train"]["text"]}
    parts = {
        part for text in texts for part in text.split()
    }  # few are different, and fast to split
    return [word.text for part in parts for word in split_words(part)]


if __name__ == "__main__":
    main()
