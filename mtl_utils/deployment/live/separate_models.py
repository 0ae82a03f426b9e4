"""One model per task beside the one of chapter 06's page: what the switch of its box asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mtl_utils.deployment.export.text_model import CONTENT, INT8_GRAPH
from mtl_utils.deployment.export.tokenizer_files import FILE as TOKENIZER
from mtl_utils.deployment.live.atlas_model import TASKS, AtlasSizes, train_on_tasks
from mtl_utils.deployment.live.folder import FACTS, FRESH, write_facts
from mtl_utils.deployment.live.hand_written import read_sentences
from mtl_utils.deployment.live.text_page import put_text_model
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
        folder: What :func:`mtl_utils.deployment.live.text_page.write_live_model` wrote; it holds
            ``fresh.txt``, on which they are measured.

    Returns:
        What was measured, in eight bits.

    Raises:
        ValueError: If the sentences cannot be read, or a tokenizer is another.
    """
    facts = read_json(folder / FACTS)
    rows = read_sentences(folder / FRESH)
    scores: dict[str, float] = {}
    for task, model in models.items():
        place = folder / FOLDER / task
        scores |= put_text_model(model, place, rows, facts, precisions=[True]).scores
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
