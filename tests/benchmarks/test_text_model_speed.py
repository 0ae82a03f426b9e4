"""Three tasks on raw texts by one model, and by three pipelines of Hugging Face of that size."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import side_by_side
import torch
import transformers

from mtl_utils import atlas
from mtl_utils.data import PretrainedTokenizer
from mtl_utils.models import TextModel
from mtl_utils.nn import PretrainedEncoder, packaged_encoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging

LABELS = tuple(f"class {number}" for number in range(6))
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    found = list(atlas.load(800)["train"]["text"])
    random.Random(0).shuffle(found)
    return found[:320]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged encoder with heads, as pipelines want it: one folder a task."""
    root, source = tmp_path_factory.mktemp("pipelines"), packaged_encoder()
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    for name, kind, number in (
        ("topic", transformers.AutoModelForSequenceClassification, len(LABELS)),
        ("mood", transformers.AutoModelForSequenceClassification, len(LABELS)),
        ("names", transformers.AutoModelForTokenClassification, len(TAGS)),
    ):
        kind.from_pretrained(source, num_labels=number).save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return root


def test_one_model_is_faster_than_a_pipeline_for_each_task(texts: list[str], folder: Path) -> None:
    source = packaged_encoder()
    tasks = [
        Classification("topic", LABELS),
        Classification("mood", LABELS),
        Tagging("names", TAGS),
    ]
    encoder = PretrainedEncoder(source)
    tokenizer = PretrainedTokenizer.from_pretrained(source)
    model = TextModel(HardSharing(encoder), tasks, tokenizer).eval()
    kinds = {"topic": "text-classification", "mood": "text-classification"}
    pipelines = [
        transformers.pipeline(
            kinds.get(name, "token-classification"), model=str(folder / name), device="cpu"
        )
        for name in ("topic", "mood", "names")
    ]

    def ours() -> None:
        assert len(model.predict(texts)) == len(texts)

    def theirs() -> None:
        with torch.inference_mode():
            for pipeline in pipelines:
                assert len(pipeline(texts, batch_size=32)) == len(texts)

    assert side_by_side.ratio("three tasks on raw texts", ours, theirs, repeats=3) > 1.5
