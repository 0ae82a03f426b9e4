"""The folder of a model that is alive in a page: what is exported, measured and kept there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_utils.deployment.export.cards import write_export_card
from mtl_utils.deployment.export.text_model import CONTENT
from mtl_utils.files import read_json, whole_file
from mtl_utils.saving.cards import CARD

SENTENCES, FRESH = "sentences.txt", "fresh.txt"
"""Written by hand: what a model is measured on, and what had no say in how it is trained."""

WORDS, FACTS = "words.txt", "live.json"
PRECISIONS = (False, True)
"""In which a model is measured: whether in eight bits."""

Scores = dict[str, float]


@dataclass(frozen=True)
class Measured:
    """What is known of a model once its files are in the folder of its page.

    Args:
        scores: What it was measured at; those in eight bits end in `` int8``.
        sizes: Bytes of every file that was exported, of those too that the page does not need.
    """

    scores: Scores
    sizes: Mapping[str, int]


def put_measured(
    folder: Path,
    kept: Iterable[str],
    export: Callable[[Path], object],
    measure: Callable[[Path, bool], Mapping[str, float]],
    *,
    precisions: Sequence[bool] = PRECISIONS,
    note: Callable[[Path, Scores], object] | None = None,
) -> Measured:
    """Export a model, measure what was exported, and put the files that the page needs in place.

    Args:
        folder: Where to; made if it is not there.
        kept: Names of the files that are put there.
        export: Writes a model into an empty folder.
        measure: Returns the scores of what was exported to a folder, in eight bits or not.
        precisions: In which it is measured.
        note: Writes the scores into what was exported, before it is put in place.

    Returns:
        Scores and sizes.
    """
    scores: Scores = {}
    kept = list(kept)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "export"
        made.mkdir()
        export(made)
        for int8 in precisions:
            scores |= in_eight_bits(measure(made, int8)) if int8 else measure(made, int8)
        if note is not None:
            note(made, scores)
        folder.mkdir(parents=True, exist_ok=True)
        for name in kept:
            shutil.copyfile(made / name, folder / name)
        if CARD in kept:  # which is to speak of what is kept, and not of all that was exported
            write_export_card(folder, read_json(folder / CONTENT))
        sizes = {path.name: path.stat().st_size for path in made.iterdir()}
    return Measured(scores, sizes)


def in_eight_bits(scores: Mapping[str, float]) -> Scores:
    """Name scores as those of a model in eight bits.

    Args:
        scores: The scores.
    """
    return {f"{name} int8": value for name, value in scores.items()}


def write_words(folder: Path, words: Iterable[str]) -> None:
    """Write the words that a model has read, each once; the page marks others.

    Args:
        folder: Of the model.
        words: The words of its training data.
    """
    _write(folder / WORDS, "\n".join(sorted(set(words))) + "\n")


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what is known of a model, for the extension that makes its box.

    Args:
        folder: Of the model.
        facts: What is known.
    """
    _write(folder / FACTS, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a text whole or not at all."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))
