"""What experts, levels of them and adapters of several tasks cost beside what they are made of."""

import time

import pytest
import side_by_side
import torch

from mtl_utils.data import Batch, Inputs
from mtl_utils.nn import FeedForwardLayers, TransformerEncoder
from mtl_utils.sharing import (
    PLE,
    HyperAdapters,
    MixtureOfExperts,
    Sharing,
    TaskAdapters,
    TaskLoRA,
    trace_norm,
)

VOCABULARY, REPEATS = 100, 7
INPUTS = Inputs(
    torch.randint(VOCABULARY, (16, 64), generator=torch.Generator().manual_seed(0)),
    torch.ones(16, 64, dtype=torch.bool),
)


def times(name, ours, theirs) -> float:
    with side_by_side.threads(1):
        return 1 / side_by_side.ratio(name, ours, theirs, REPEATS, min, time.process_time)


def encoder(width: int = 128) -> TransformerEncoder:
    torch.manual_seed(0)
    return TransformerEncoder(VOCABULARY, width, 2, 4)


def test_tokens_sent_to_experts_cost_little_more_than_one_network_for_all() -> None:
    """Top 2 of 8 experts multiply as much as a network of twice the width of an expert."""
    trunk, tokens = encoder(256).cut(0)[0], torch.randn(16, 64, 256, requires_grad=True)
    sharing = MixtureOfExperts(trunk, [FeedForwardLayers(256, 1024) for _ in range(8)], top_k=2)
    sharing._read = lambda batch: tokens  # what both read
    network = FeedForwardLayers(256, 2048)

    def experts() -> None:
        sharing(Batch(INPUTS), ["a"]).hidden["a"].sum().backward()

    def dense() -> None:
        network(tokens, INPUTS.mask).sum().backward()

    # measured: 1.09
    assert times("top 2 of 8 experts; a network of as many multiplications", experts, dense) < 1.25


def test_levels_cost_little_more_than_their_experts() -> None:
    sharing = PLE.from_encoder(encoder(), ["a", "b"], num_shared_experts=2)

    def levels() -> None:
        sum(
            hidden.sum() for hidden in sharing(Batch(INPUTS), ["a", "b"]).hidden.values()
        ).backward()

    def experts() -> None:
        read = sharing.trunk(INPUTS)
        made = [expert(read, INPUTS.mask) for expert in sharing.levels[0].experts()]
        sum(hidden.sum() for hidden in made).backward()

    # measured: 1.00
    assert times("progressive layered extraction; its experts", levels, experts) < 1.1


@pytest.mark.parametrize("kind", [TaskAdapters, HyperAdapters, TaskLoRA])
def test_a_batch_of_four_tasks_costs_little_more_than_one_of_one(kind: type[Sharing]) -> None:
    sharing = kind(encoder(), ["a", "b", "c", "d"])

    def batch_of(rows: list[str]) -> None:
        sharing.encode(INPUTS, rows).sum().backward()

    found = times(
        f"{kind.__name__}, a batch of four tasks; of one",
        lambda: batch_of(["a", "b", "c", "d"] * 4),
        lambda: batch_of(["a"] * 16),
    )
    assert found < 1.15  # measured: 1.05


def test_a_trace_norm_costs_a_part_of_the_decomposition() -> None:
    copies = torch.randn(2, 4000, 64, requires_grad=True)

    def ours() -> None:
        torch.autograd.grad(trace_norm(copies), copies)

    def decomposed() -> None:
        torch.autograd.grad(torch.linalg.svdvals(copies.flatten(1)).sum(), copies)

    # measured: 0.18
    assert times("the trace norm of two embeddings; their decomposition", ours, decomposed) < 0.5
