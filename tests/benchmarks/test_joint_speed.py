"""A joint training on four data sets, and a loop written by hand over the same batches."""

from __future__ import annotations

import copy
import random
import time

import side_by_side
import torch

from mtl_utils.data import BytePairTokenizer
from mtl_utils.models import TextModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, MultiLabel, Regression, Tagging
from mtl_utils.training import TrainerConfig

MOST, WIDTH, ROWS, SIZE = 1.02, 256, 1600, 32
WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nrst"]
LABELS = tuple(f"label {number}" for number in range(6))


def model_and_data() -> tuple[TextModel, dict[str, list[dict[str, object]]]]:
    draw = random.Random(0)

    def text() -> list[str]:
        return draw.choices(WORDS, k=draw.randint(8, 24))

    data: dict[str, list[dict[str, object]]] = {
        "topic": [{"text": " ".join(text()), "label": draw.choice(LABELS)} for _ in range(ROWS)],
        "score": [{"text": " ".join(text()), "value": draw.random()} for _ in range(ROWS)],
        "moods": [
            {"text": " ".join(text()), "labels": draw.sample(LABELS, 2)} for _ in range(ROWS)
        ],
        "names": [
            {"tokens": words, "tags": draw.choices(LABELS, k=len(words))}
            for words in (text() for _ in range(ROWS))
        ],
    }
    pieces = BytePairTokenizer.train([" ".join(WORDS)] * 3, 500)
    tasks = [
        Classification("topic", LABELS, "mean"),
        Regression("score", pooling="mean"),
        MultiLabel("moods", LABELS, pooling="mean"),
        Tagging("names", LABELS),
    ]
    torch.manual_seed(0)
    return TextModel(HardSharing(BiLSTMEncoder(pieces.vocab_size, WIDTH)), tasks, pieces), data


def test_the_trainer_costs_next_to_nothing() -> None:
    """Its checks, shares of gradients (once in these 50 steps) and history are all in it."""
    first, data = model_and_data()
    loader = first.loader(data, batch_size=SIZE)
    config = TrainerConfig(epochs=1)

    def trained() -> None:
        model = copy.deepcopy(first)
        model.fit(loader, config=config, progress=False)

    def by_hand() -> None:
        model = copy.deepcopy(first).train()
        encoder, heads = model.sharing.encoder, model.heads
        optimizer = torch.optim.AdamW(
            model.parameters(),
            config.learning_rate,
            config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
        for batches in loader.batches(0):
            optimizer.zero_grad()
            losses = []
            for task, batch in batches.items():
                head = heads[task]
                losses.append(head.loss(head(encoder(batch.inputs), batch), batch))
            sum(losses).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.step()

    with side_by_side.threads(1):
        times = side_by_side.ratio(
            "four data sets jointly", trained, by_hand, 5, min, time.process_time
        )
    assert 1 / times < MOST
