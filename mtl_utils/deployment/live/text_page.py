"""The page of a model that labels texts, and the folder that it is alive in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.export.text_model import (
    CONTENT,
    GRAPH,
    INT8_GRAPH,
    export_onnx,
    note_scores,
)
from mtl_utils.deployment.export.tokenizer_files import FILE as TOKENIZER
from mtl_utils.deployment.live.folder import (
    FACTS,
    FRESH,
    PRECISIONS,
    SENTENCES,
    WORDS,
    Measured,
    in_eight_bits,
    put_measured,
    write_facts,
    write_words,
)
from mtl_utils.deployment.live.hand_written import read_sentences, scores_of, scores_without_looking
from mtl_utils.deployment.live.page import Page
from mtl_utils.files import read_json
from mtl_utils.models import TextModel
from mtl_utils.saving.cards import CARD

LOADED = (CONTENT, TOKENIZER, WORDS, INT8_GRAPH)
"""What the page loads of a model, beside the runtime."""


@dataclass(frozen=True)
class TextPage(Page[TextModel]):
    """The page of a model that labels texts; ``facts`` have ``titles`` of tasks, and ``measures``.

    ``measures`` are what scores are called, by their names.
    """

    def put(self, model: TextModel, folder: Path) -> list[str]:
        """Write a model into the folder of the page.

        Args:
            model: The model.
            folder: The folder, with what :func:`write_live_model` reads.

        Returns:
            Its scores in single precision and in eight bits, a line for each of ``measures``.

        Raises:
            ValueError: If the sentences cannot be read.
        """
        found = write_live_model(model, folder, self.words(), self.facts)
        names = self.facts["measures"]
        return [f"{n}: {found[n]:.3f}, in eight bits {found[f'{n} int8']:.3f}" for n in names]


def write_live_model(
    model: TextModel, folder: Path, words: Sequence[str], page: Mapping[str, Any]
) -> dict[str, float]:
    """Write a model for the page: its graph in eight bits, and what the page shows around it.

    Args:
        model: The model.
        folder: Where to; it holds ``sentences.txt``, on which the model is measured, and perhaps
            ``fresh.txt``, on which it is measured too.
        words: The words of the training data.
        page: The facts of a :class:`TextPage`.

    Returns:
        What was measured on the sentences, in single precision and (``int8``) as the page has it.

    Raises:
        ValueError: If the sentences cannot be read.
    """
    rows = read_sentences(folder / SENTENCES)
    found = put_text_model(model, folder, rows, page)
    write_words(folder, words)
    facts = dict(page) | {"scores": found.scores}
    facts["bytes"] = {name: found.sizes[name] for name in (GRAPH, INT8_GRAPH)}
    facts["loads"] = list(LOADED)
    blind = scores_without_looking(OnnxModel.load(folder, int8=True), rows)
    write_facts(folder, facts | {"sentences": len(rows), "without_looking": blind})
    if (folder / FRESH).is_file():
        measure_fresh(folder)
    return found.scores


def put_text_model(
    model: TextModel,
    folder: Path,
    rows: list[dict[str, Any]],
    page: Mapping[str, Any],
    precisions: Sequence[bool] = PRECISIONS,
) -> Measured:
    """Put what is exported of a model into a folder, measured.

    Args:
        model: The model.
        folder: Where to; made if it is not there.
        rows: What :func:`mtl_utils.deployment.live.hand_written.read_sentences` returned.
        page: The facts of its page, of which ``data`` and ``licence`` are for the card.
        precisions: In which it is measured: whether in eight bits.
    """
    data = {name: text for name, text in page["data"].items() if name in model.tasks}

    def export(made: Path) -> None:
        export_onnx(model, made, int8=True, data=data, licence=page["licence"])

    def measure(made: Path, int8: bool) -> dict[str, float]:
        return scores_of(OnnxModel.load(made, int8=int8), rows)

    kept = (CONTENT, TOKENIZER, INT8_GRAPH, CARD)
    return put_measured(folder, kept, export, measure, precisions=precisions, note=note_scores)


def measure_fresh(folder: Path) -> dict[str, float]:
    """Measure a model as the page has it on ``fresh.txt``, and note what was found for the page.

    Args:
        folder: What :func:`write_live_model` wrote.

    Returns:
        The scores.

    Raises:
        ValueError: If the sentences cannot be read.
    """
    rows = read_sentences(folder / FRESH)
    model = OnnxModel.load(folder, int8=True)
    found = scores_of(model, rows)
    facts = read_json(folder / FACTS)
    facts["fresh"] = {
        "sentences": len(rows),
        "scores": in_eight_bits(found),
        "without_looking": scores_without_looking(model, rows),
    }
    write_facts(folder, facts)
    return found
