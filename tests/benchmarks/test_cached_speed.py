"""Heads over a frozen encoder: epochs after the first, with and without a memory of states."""

import time
from typing import Any

import side_by_side
import torch

from mtl_utils import atlas
from mtl_utils.data import PretrainedTokenizer
from mtl_utils.models import TextModel
from mtl_utils.nn import CachedEncoder, Encoder, PretrainedEncoder, packaged_encoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import TrainerConfig


def made(rows: Any, cached: bool) -> TextModel:
    torch.manual_seed(0)
    encoder: Encoder = PretrainedEncoder(packaged_encoder())
    encoder.freeze()
    features = rows.features
    tasks = [
        Classification("topic", features["topic"].names, "mean", text="tokens", label="topic"),
        Tagging("names", features["ner_tags"].feature.names, tags="ner_tags"),
    ]
    sharing = HardSharing(CachedEncoder(encoder) if cached else encoder)
    return TextModel(sharing, tasks, PretrainedTokenizer.from_pretrained(packaged_encoder()))


def test_further_epochs_are_several_times_as_fast() -> None:
    rows = atlas.load(200)["train"]
    models = {cached: made(rows, cached) for cached in (True, False)}
    loaders = {cached: model.loader(rows) for cached, model in models.items()}
    config = TrainerConfig(epochs=1, learning_rate=0.01)

    def epoch(cached: bool) -> Any:
        return models[cached].fit(loaders[cached], config=config, progress=False)

    with side_by_side.threads(1):
        name = "an epoch of heads over MiniLM, after the first"
        times = side_by_side.ratio(
            name, lambda: epoch(True), lambda: epoch(False), 3, min, time.process_time
        )
    assert times > 4
