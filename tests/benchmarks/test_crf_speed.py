"""The CRF against pytorch-crf, side by side: 64 sentences of up to 40 tokens, 11 tags."""

from collections.abc import Callable, Iterator

import pytest
import side_by_side
import torch
import torchcrf
from torch import Tensor

from mtl_utils.nn import LinearChainCRF

ROWS, LONGEST, TAGS = 64, 40, 11
REPEATS = 30

Batch = tuple[Tensor, Tensor, Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compare on one thread: on a busy machine waiting for a second one would be measured."""
    with side_by_side.threads(1):
        yield


def some_batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(LONGEST // 2, LONGEST + 1, (ROWS,), generator=generator)
    lengths[0] = LONGEST
    emissions = torch.randn(ROWS, LONGEST, TAGS, generator=generator, requires_grad=True)
    tags = torch.randint(TAGS, (ROWS, LONGEST), generator=generator)
    return emissions, tags, torch.arange(LONGEST) < lengths.unsqueeze(1)


def models() -> tuple[LinearChainCRF, torchcrf.CRF]:
    torch.manual_seed(0)
    ours, theirs = LinearChainCRF(TAGS), torchcrf.CRF(TAGS, batch_first=True)
    with torch.no_grad():
        ours.start.copy_(theirs.start_transitions)
        ours.transitions.copy_(theirs.transitions)
        ours.end.copy_(theirs.end_transitions)
    return ours, theirs


def ratio(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    return side_by_side.ratio(f"{name}, pytorch-crf", ours, theirs, REPEATS, min)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_a_training_step_is_no_slower(scale: float) -> None:
    """With transitions that are multiplied out (scale 1) and with those added up in log space."""
    ours, theirs = models()
    emissions, tags, mask = some_batch()
    with torch.no_grad():
        for model in (ours, theirs):
            model.transitions.mul_(scale / model.transitions.abs().max())

    def our_step() -> Tensor:
        emissions.grad = None
        loss = -ours.log_likelihood(emissions, tags, mask).sum()
        loss.backward()
        return loss.detach()

    def their_step() -> Tensor:
        emissions.grad = None
        loss = -theirs(emissions, tags, mask, reduction="sum")
        loss.backward()
        return loss.detach()

    torch.testing.assert_close(our_step(), their_step(), rtol=1e-5, atol=0)
    assert ratio(f"training step, transitions up to {scale:g}", our_step, their_step) > 1


def test_decoding_is_no_slower() -> None:
    ours, theirs = models()
    emissions, _, mask = some_batch()
    with torch.no_grad():
        assert ours.decode(emissions, mask) == theirs.decode(emissions, mask)
        found = ratio(
            "decoding",
            lambda: ours.decode(emissions, mask),
            lambda: theirs.decode(emissions, mask),
        )
    assert found > 1
