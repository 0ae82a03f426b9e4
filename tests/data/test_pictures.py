"""Pictures beside texts, from a cell of a table to a batch, and through all that changes inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mtl_utils.data import Batch, BatchLoader, Example, Inputs, collate
from mtl_utils.data.content import examples_digest, loader_content
from mtl_utils.data.pictures import picture_pixels
from mtl_utils.interpretation import without_words

IDS = torch.tensor([[4, 5, 6], [7, 8, 0]])
MASK = torch.tensor([[True, True, True], [True, True, False]])
PICTURES = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
PRESENT = torch.tensor([True, False])


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)


def test_pictures_go_where_their_rows_go() -> None:
    inputs = Inputs(IDS, MASK, pictures=PICTURES, has_picture=PRESENT)
    picked = inputs.rows(torch.tensor([1, 0, 1]))
    assert torch.equal(picked.pictures, PICTURES[[1, 0, 1]])
    assert picked.has_picture.tolist() == [False, True, False]
    begun = inputs.columns(1)
    assert begun.input_ids.shape == (2, 1)
    assert torch.equal(begun.pictures, PICTURES)
    assert torch.equal(begun.has_picture, PRESENT)
    moved = Batch(inputs).to("cpu").inputs
    assert torch.equal(moved.pictures, PICTURES)
    assert torch.equal(without_words(inputs, 1).pictures, PICTURES)


def test_pictures_alone_are_of_every_row() -> None:
    assert Inputs(IDS, MASK, pictures=PICTURES).has_picture.all()
    assert Inputs(IDS, MASK).has_picture is None


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"pictures": PICTURES[0]}, ValueError, r"pictures \[B, C, H, W\]"),
        ({"pictures": PICTURES[:1]}, ValueError, "B = 2 rows"),
        ({"pictures": (255 * PICTURES).byte()}, TypeError, "floating-point pictures"),
        ({"has_picture": PRESENT}, ValueError, "no pictures"),
        ({"pictures": PICTURES, "has_picture": PRESENT.long()}, TypeError, "boolean has_picture"),
        ({"pictures": PICTURES, "has_picture": PRESENT[:1]}, ValueError, r"has_picture \[B\]"),
        ({"pictures": "a"}, TypeError, "pictures"),
    ],
)
def test_what_does_not_fit_is_refused(given, error, message) -> None:
    with pytest.raises(error, match=message):
        Inputs(IDS, MASK, **given)


def test_a_batch_has_the_pictures_of_its_examples() -> None:
    batch = collate([Example([4, 5], picture=pixels()), Example([6]), Example([7], picture=None)])
    assert batch.inputs.has_picture.tolist() == [True, False, False]
    assert batch.inputs.pictures.shape == (3, 3, 4, 5)
    expected = torch.from_numpy(pixels()).permute(2, 0, 1) / 255
    torch.testing.assert_close(batch.inputs.pictures[0], expected)
    assert not batch.inputs.pictures[1:].any()
    assert collate([Example([4])]).inputs.pictures is None


def test_pictures_of_two_sizes_do_not_make_a_batch() -> None:
    other = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="one shape"):
        collate([Example([4], picture=pixels()), Example([5], picture=other)])


def test_a_picture_of_pil_is_its_pixels_over_white() -> None:
    assert np.array_equal(picture_pixels(Image.fromarray(pixels())), pixels())
    half = np.zeros((2, 2, 4), np.uint8)
    half[0, 0] = (200, 100, 0, 128)
    found = picture_pixels(Image.fromarray(half))
    share = 128 / 255
    assert found[0, 0].tolist() == [
        round(share * colour + (1 - share) * 255) for colour in (200, 100, 0)
    ]
    assert (found[1, 1] == 255).all()
    grey = np.array([[0, 255]], np.uint8)
    assert picture_pixels(Image.fromarray(grey)).tolist() == [[[0] * 3, [255] * 3]]
    assert picture_pixels(None) is None
    assert picture_pixels(float("nan")) is None


@pytest.mark.parametrize("size", [3, 9, 20])
def test_pictures_are_scaled_as_pil_scales_them(size: int) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    expected = np.asarray(Image.fromarray(whole).resize((size, size)))
    assert np.array_equal(picture_pixels(Image.fromarray(whole), size), expected)
    assert np.array_equal(picture_pixels(whole, size), expected)
    assert np.array_equal(picture_pixels(whole[..., :1], size), expected[..., :1])
    assert picture_pixels(None, size) is None
    assert picture_pixels(expected, size) is expected


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("picture.png", TypeError),
        (pixels() / 255, TypeError),
        (pixels()[0], ValueError),
        (np.zeros((0, 4, 3), np.uint8), ValueError),
    ],
)
def test_what_is_no_picture_is_refused(cell, error) -> None:
    with pytest.raises(error, match="picture must"):
        picture_pixels(cell)


def test_digests_tell_pictures_apart_and_leave_texts_as_they_were() -> None:
    plain = [Example([4, 5]), Example([6])]
    with_one = [replace(plain[0], picture=pixels()), plain[1]]
    digests = {examples_digest(rows) for rows in (plain, with_one, with_one[::-1])}
    digests.add(examples_digest([replace(plain[0], picture=pixels(1)), plain[1]]))
    assert len(digests) == 4
    # Of the commit before there were pictures: a training that was stopped then goes on.
    assert examples_digest(plain) == "9454d42b19b509070c6c44087d80d5da"

    class Bare:
        num_batches = 1

        def __init__(self, rows) -> None:
            self.loader = BatchLoader(rows, batch_size=2, shuffle=False)

        def batches(self, *args):
            return self.loader.batches(*args)

    before = "digest 20f9480df16ba4d6f20ebd89289e010e"
    assert loader_content(Bare(plain))["first epoch"] == before
    assert loader_content(Bare(with_one))["first epoch"] != before
