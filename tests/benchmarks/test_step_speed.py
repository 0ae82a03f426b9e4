"""Training steps that other work than matrix products made slow, against how they were done."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import side_by_side
import torch
from torch import nn

from mtl_utils.data import Batch, Inputs
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import AttentionDecoder, BiLSTMEncoder, PretrainedEncoder, packaged_encoder
from mtl_utils.objectives import scaled_loss
from mtl_utils.objectives.projection import projected_loss
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification

TARGETS, WIDTH, VOCABULARY = 1500, 256, 5000
LENGTHS = {"intent": 22, "entities": 11, "inference": 14, "question": 13}


def in_turns(name: str, ours: Callable[[], object], before: Callable[[], object]) -> float:
    with side_by_side.threads(1):
        return side_by_side.ratio(name, ours, before, 5, min, time.process_time)


def test_a_translator_takes_less_than_with_all_logits() -> None:
    """The size recorded on Multi30k; what is left are products of matrices and LSTMs."""
    torch.manual_seed(0)
    first = nn.ModuleList(
        [
            BiLSTMEncoder(VOCABULARY, WIDTH, 2, dropout=0.3),
            AttentionDecoder(VOCABULARY, WIDTH, WIDTH, dropout=0.3),
        ]
    )
    ids, targets = torch.randint(VOCABULARY, (2, TARGETS // 12, 12)).unbind()
    inputs = Inputs(ids, torch.ones_like(ids).bool())

    def stepping(parts: nn.ModuleList, by_parts: bool) -> Callable[[], None]:
        encoder, decoder = parts
        optimizer = torch.optim.AdamW(parts.parameters(), 1e-5, fused=by_parts)

        def step() -> None:
            optimizer.zero_grad()
            state = decoder.start(encoder(inputs), inputs.mask)
            if by_parts:
                hidden, _ = decoder.read(targets, state)
                loss = projected_loss(hidden, decoder.output, targets, smoothing=0.1)
            else:
                loss = scaled_loss(decoder(targets, state)[0], targets, smoothing=0.1)
            loss.backward()
            optimizer.step()

        return step

    before = copy.deepcopy(first)
    before[1].dropout = nn.Dropout(0.3)
    name = f"translating {TARGETS} tokens of {VOCABULARY}"
    assert in_turns(name, stepping(first, True), stepping(before, False)) > 1.05


def with_parts_of_torch(encoder: PretrainedEncoder) -> PretrainedEncoder:
    """Return a copy with the embedding and the dropout that it was read with."""
    changed = copy.deepcopy(encoder)
    changed.model.get_input_embeddings().__class__ = nn.Embedding
    for module in changed.modules():
        if isinstance(module, nn.Dropout):
            module.__class__ = nn.Dropout
    return changed


def test_fine_tuning_on_four_data_sets_takes_less_than_with_parts_of_torch() -> None:
    """A table of gradients a step and not a task, few random numbers, and fused Adam."""
    torch.manual_seed(0)
    encoder = PretrainedEncoder(packaged_encoder())
    tasks = [Classification(name, ("a", "b"), "mean") for name in LENGTHS]
    batches = {}
    for name, length in LENGTHS.items():
        ids = torch.randint(1000, 20_000, (16, length))
        labels = {name: torch.randint(2, (16,))}
        batches[name] = Batch(Inputs(ids, torch.ones_like(ids).bool()), labels)

    def stepping(encoder: PretrainedEncoder, fused: bool) -> Callable[[], None]:
        model = MultiTaskModel(HardSharing(encoder), tasks)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=fused)

        def step() -> None:
            optimizer.zero_grad()
            sum(model(batches).by_task.values()).backward()
            optimizer.step()

        return step

    before = stepping(with_parts_of_torch(encoder), fused=False)
    name = "fine-tuning MiniLM on four data sets"
    assert in_turns(name, stepping(encoder, fused=True), before) > 1.1
