"""Pictures beside texts: scaled to the size of the model, in rows and with texts, and stored."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mtl_utils import data, models, nn, sharing, tasks

TEXTS = ["a red sign", "a blue sign", "no sign at all"]
TOKENIZER = data.BytePairTokenizer.train(TEXTS, 280)
WHOLE = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9 + seed, 7, 3), np.uint8))
    for seed in (0, 1)
]
PICTURES = [*WHOLE, None]
SCALED = [one and one.resize((8, 8)) for one in PICTURES]


def made(**settings) -> models.TextModel:
    torch.manual_seed(0)
    text = nn.BiLSTMEncoder(TOKENIZER.vocab_size, 8, dropout=0.0)
    reader = nn.LateFusion(text, nn.ConvolutionalPictures(8))
    colour = tasks.Classification("colour", ["red", "blue"], label="colour")
    settings = {"picture": "photo", **settings}
    return models.TextModel(sharing.HardSharing(reader), [colour], TOKENIZER, **settings)


def rows_with(pictures: list) -> list[dict]:
    return [
        {"text": text, "photo": photo, "colour": "red"}
        for text, photo in zip(TEXTS, pictures, strict=True)
    ]


def test_pictures_of_any_size_are_read_as_those_that_were_scaled(tmp_path: Path) -> None:
    model, bare = made(picture_size=8), made()
    expected = bare.predict(rows_with(SCALED), probabilities=True)
    assert model.predict(rows_with(PICTURES), probabilities=True) == expected
    assert model.predict(TEXTS, pictures=PICTURES, probabilities=True) == expected
    assert model.predict(TEXTS, probabilities=True) != expected
    assert model.evaluate(rows_with(PICTURES)) == bare.evaluate(rows_with(SCALED))
    shapes = [
        e.picture is not None and e.picture.shape for e in model.examples(rows_with(PICTURES))
    ]
    assert shapes == [(8, 8, 3), (8, 8, 3), False]
    model.save(tmp_path / "model")
    again = models.load(tmp_path / "model")
    assert again.beside == model.beside
    assert again.predict(rows_with(PICTURES), probabilities=True) == expected


def test_pictures_of_two_sizes_are_refused_where_none_is_said() -> None:
    with pytest.raises(ValueError, match="must have one shape"):
        made().predict(rows_with(PICTURES))


def test_a_size_is_that_of_a_column() -> None:
    with pytest.raises(ValueError, match="picture_size=8 is that of pictures, and no column"):
        made(picture=None, picture_size=8)
