"""What a step of text with picture costs beside a step of the text and one of the picture."""

import time

import pytest
import side_by_side
import torch

from mtl_utils.data import Inputs
from mtl_utils.nn import (
    ConvolutionalPictures,
    CrossAttentionFusion,
    EarlyFusion,
    LateFusion,
    TransformerEncoder,
)

ROWS, LENGTH, WIDTH, REPEATS = 32, 32, 128, 9
GENERATOR = torch.Generator().manual_seed(0)
IDS = torch.randint(100, (ROWS, LENGTH), generator=GENERATOR)
MASK = torch.ones(ROWS, LENGTH, dtype=torch.bool)
PICTURES = torch.rand(ROWS, 3, 64, 64, generator=GENERATOR)
BOTH = Inputs(IDS, MASK, pictures=PICTURES)
TEXT = Inputs(IDS, MASK)


@pytest.mark.parametrize("kind", [EarlyFusion, LateFusion, CrossAttentionFusion])
def test_a_step_of_both_costs_little_more_than_the_sum_of_its_parts(kind: type) -> None:
    """The parts: the same texts without pictures, and the same pictures without texts."""
    torch.manual_seed(0)
    encoder = kind(TransformerEncoder(100, WIDTH, 4, 4), ConvolutionalPictures(WIDTH, num_layers=5))

    def together() -> None:
        encoder.zero_grad()
        encoder(BOTH).sum().backward()

    def apart() -> None:
        encoder.zero_grad()
        encoder.text(TEXT).sum().backward()
        encoder.pictures(PICTURES).sum().backward()

    with side_by_side.threads(1):
        found = 1 / side_by_side.ratio(
            f"{kind.__name__}; text and picture", together, apart, REPEATS, min, time.process_time
        )
    assert found < 1.2
