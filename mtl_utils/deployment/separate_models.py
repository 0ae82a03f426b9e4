"""One model per task beside the one of chapter 06's page: what the switch of its box asks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.deployment.atlas_model import TASKS, AtlasSizes, train_on_tasks
from mtl_utils.deployment.export import CONTENT, INT8_GRAPH, export_onnx, note_scores
from mtl_utils.deployment.hand_written import read_sentences, scores_of
from mtl_utils.deployment.live_page import FRESH, PAGE, write_facts
from mtl_utils.deployment.onnx_model import OnnxModel
from mtl_utils.deployment.tokenizer_files import FILE as TOKENIZER
from mtl_utils.files import read_json
from mtl_utils.models import TextModel

FOLDER = "separate"
"""Of the models, in the folder of the one for all tasks."""


def train_separate_models(
    sizes: AtlasSizes | None = None, *, seed: int = 0, progress: bool = True
) -> dict[str, TextModel]:
    """Train a model per task as the one for all is trained, three times as long in all.

    Each has an encoder of the same size, begins with the same weights of it, and reads the same
    texts in the same order for as many steps, with the labels of its task alone.

    Args:
        sizes: How much; the sizes of the page if ``None``.
        seed: Of the first weights and of the order.
        progress: Whether to show a bar.

    Returns:
        The models, by task.
    """
    sizes = AtlasSizes() if sizes is None else sizes
    return {task: train_on_tasks([task], sizes, seed, progress) for task in TASKS}


def write_separate_models(models: Mapping[str, TextModel], folder: Path) -> dict[str, float]:
    """Write the models into the folder of the one for all, with what they score.

    Args:
        models: The models, by task, each with that one task and the tokenizer of the one for all.
        folder: What :func:`mtl_utils.deployment.live_page.write_live_model` wrote; it holds
            ``fresh.txt``, on which they are measured.

    Returns:
        What was measured, in eight bits.

    Raises:
        ValueError: If the sentences cannot be read, or a tokenizer is another.
    """
    facts = read_json(folder / PAGE)
    rows = read_sentences(folder / FRESH)
    scores: dict[str, float] = {}
    for task, model in models.items():
        place = folder / FOLDER / task
        scores |= _write(model, place, rows, facts)
        if (place / TOKENIZER).read_bytes() != (folder / TOKENIZER).read_bytes():
            raise ValueError(
                f"The model of {task!r} has another tokenizer than the one for all tasks in "
                f"{folder}, whose pieces the page gives to both; train them on the same texts"
            )
    facts["separate"] = {
        "folders": {task: f"{FOLDER}/{task}" for task in models},
        "loads": [CONTENT, INT8_GRAPH],
        "scores": scores,
    }
    write_facts(folder, facts)
    return scores


def _write(
    model: TextModel, place: Path, rows: list[dict[str, Any]], facts: Mapping[str, Any]
) -> dict[str, float]:
    data = {name: facts["data"][name] for name in model.tasks}
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "export"
        export_onnx(model, made, int8=True, data=data, licence=facts["licence"])
        found = scores_of(OnnxModel.load(made, int8=True), rows)
        measured = {f"{name} int8": value for name, value in found.items()}
        note_scores(made, measured)
        for name in (CONTENT, TOKENIZER, INT8_GRAPH, "README.md"):
            shutil.copyfile(made / name, place / name)
    return measured
