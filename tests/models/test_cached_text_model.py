"""A text model over a frozen encoder that remembers: trained, stored, resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from mtl_utils import atlas
from mtl_utils.data import PretrainedTokenizer
from mtl_utils.models import TextModel
from mtl_utils.nn import CachedEncoder, Encoder, PretrainedEncoder, packaged_encoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, PairClassification, Tagging
from mtl_utils.training import Callback, StopTraining, TrainerConfig


@pytest.fixture(scope="module")
def rows() -> Any:
    return atlas.load(120)


@pytest.fixture(scope="module")
def pairs() -> Any:
    return atlas.load_inference(60)


def made(rows: Any, cached: bool = True, **options: Any) -> TextModel:
    torch.manual_seed(0)
    folder = packaged_encoder()
    encoder: Encoder = PretrainedEncoder(folder)
    encoder.freeze()
    if cached:
        encoder = CachedEncoder(encoder, **options)
    features = rows["train"].features
    tasks = [
        Classification("topic", features["topic"].names, "mean", text="tokens", label="topic"),
        Tagging("names", features["ner_tags"].feature.names, tags="ner_tags"),
        PairClassification("relation", ("entailment", "neutral", "contradiction")),
    ]
    return TextModel(HardSharing(encoder), tasks, PretrainedTokenizer.from_pretrained(folder))


def encoder_of(model: TextModel) -> CachedEncoder:
    encoder = model.sharing.encoder
    assert isinstance(encoder, CachedEncoder)
    return encoder


def data(rows: Any, pairs: Any, split: str) -> dict[str, Any]:
    return {"topic": rows[split], "names": rows[split], "relation": pairs[split]}


def test_it_trains_as_the_encoder_without_a_memory_does(rows: Any, pairs: Any) -> None:
    """Texts are read once, whatever the task, the epoch and the batch."""
    config = TrainerConfig(epochs=3, learning_rate=0.01)
    train, validation = data(rows, pairs, "train"), data(rows, pairs, "validation")
    models = [made(rows, cached) for cached in (True, False)]
    histories = [
        model.fit(train, validation, config=config, progress=False).drop(columns="seconds")
        for model in models
    ]
    pd.testing.assert_frame_equal(*histories, rtol=1e-3, atol=1e-4)
    encoder = encoder_of(models[0])
    texts = [example for part in (train, validation) for example in distinct(models[0], part)]
    assert encoder.misses == len(set(texts))
    assert encoder.hits > 2 * encoder.misses
    told = models[0].predict(rows["test"]["text"][:5]), models[1].predict(rows["test"]["text"][:5])
    assert told[0] == told[1]


def distinct(model: TextModel, part: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what is read of each example."""
    examples = {id(rows): rows for rows in part.values()}.values()
    return [
        (*e.input_ids, "|", *(e.segment_ids or ()), "|", *(e.first_pieces or ()))
        for rows in examples
        for e in model.examples(rows, [n for n, given in part.items() if given is rows])
    ]


def test_it_is_stored_and_comes_back_frozen(rows: Any, tmp_path: Path) -> None:
    model = made(rows, max_bytes=10**7, alone=True)
    texts = rows["test"]["text"][:4]
    expected = model.predict(texts, probabilities=True)
    model.save(tmp_path / "model")
    size = sum(path.stat().st_size for path in (tmp_path / "model").iterdir())
    loaded = TextModel.load(tmp_path / "model")
    encoder = encoder_of(loaded)
    assert (encoder.max_bytes, encoder.alone, encoder.misses) == (10**7, True, 0)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert loaded.predict(texts, probabilities=True) == expected
    loaded.save(tmp_path / "again")  # with a memory that has something in it
    assert sum(path.stat().st_size for path in (tmp_path / "again").iterdir()) == size
    loaded.fit(rows["train"].select(range(8)), config=TrainerConfig(epochs=1), progress=False)


class Ends(Callback):
    """Ends the training after some steps, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, report: Any) -> None:
        if report.step == self.step:
            raise StopTraining


def test_a_training_goes_on_to_the_last_bit_where_each_text_is_read_alone(
    rows: Any, tmp_path: Path
) -> None:
    config = TrainerConfig(epochs=3, learning_rate=0.01)
    train, validation = rows["train"].select(range(24)), rows["validation"].select(range(6))
    settings: dict[str, Any] = {"config": config, "progress": False, "batch_size": 8}
    whole, ended, again = (made(rows, alone=True) for _ in range(3))
    expected = whole.fit(train, validation, **settings)
    ended.fit(train, validation, **settings, checkpoint=tmp_path / "run", callbacks=[Ends(4)])
    found = again.fit(train, validation, **settings, checkpoint=tmp_path / "run")
    for model in (ended, again):
        assert encoder_of(model).misses >= 24
    weights = whole.state_dict()
    assert all(torch.equal(each, weights[name]) for name, each in again.state_dict().items())
    pd.testing.assert_frame_equal(
        found.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True
    )
