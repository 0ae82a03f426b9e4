"""How much of a training step is more than its products of matrices: what is left to gain."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

import matrix_products
import pytest
import side_by_side
import torch

from mtl_utils.data import Batch, BytePairTokenizer, Example, Inputs, collate
from mtl_utils.models import MultiTaskModel, Seq2Seq
from mtl_utils.nn import Encoder, PretrainedEncoder, TransformerEncoder, packaged_encoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, PairClassification, Tagging

VOCABULARY = 2000
TOPICS, RELATIONS = ("a", "b", "c", "d", "e"), ("yes", "no", "open")
TAGS = (
    "O",
    *(f"{place}-{kind}" for kind in ("PER", "ORG", "GPE", "LOC", "MISC") for place in "BI"),
)
SETS = {"intent": 22, "entities": 11, "inference": 14, "question": 13}


def pairs(rows: int) -> Batch:
    """Pairs of sentences of 10 to 30 pieces, with a topic, a relation and tags of the first."""
    draw, made = random.Random(0), []
    for _ in range(rows):
        first, second = draw.randint(10, 30), draw.randint(10, 30)
        ids = draw.choices(range(4, VOCABULARY), k=first + second)
        tags = [draw.randrange(len(TAGS)) for _ in range(first)] + [-100] * second
        labels = {"topic": draw.randrange(5), "inference": draw.randrange(3), "entities": tags}
        made.append(Example(ids, labels, [0] * first + [1] * second))
    return collate(made)


def texts() -> dict[str, Batch]:
    """A batch of each of four data sets, of the lengths that they have."""
    found = {}
    for name, length in SETS.items():
        ids = torch.randint(1000, 20_000, (16, length))
        labels = {name: torch.randint(2, (16,))}
        found[name] = Batch(Inputs(ids, torch.ones_like(ids).bool()), labels)
    return found


def times_its_products(
    name: str, model: MultiTaskModel, batches: Batch | Mapping[str, Batch]
) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        sum(model(batches).by_task.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    step()
    with matrix_products.recorded() as calls:
        step()
    with side_by_side.threads(1):
        products = matrix_products.again(calls)
        return side_by_side.ratio(
            f"{name}: {len(calls)} products alone", products, step, 15, min, time.process_time
        )


@pytest.mark.parametrize(("width", "most"), [(96, 2.0), (256, 1.5)])
def test_a_step_of_the_multitask_transformer_is_mostly_its_products(
    width: int, most: float
) -> None:
    torch.manual_seed(0)
    encoder: Encoder = TransformerEncoder(
        VOCABULARY, width, 2, 4, 2 * width, dropout=0.0, max_length=160
    )
    tasks = [
        Classification("topic", TOPICS),
        Tagging("entities", TAGS, crf=True),
        PairClassification("inference", RELATIONS, pooling="align"),
    ]
    model = MultiTaskModel(HardSharing(encoder), tasks).train()
    assert times_its_products(f"three tasks, width {width}", model, pairs(32)) < most


def test_a_step_of_fine_tuning_is_mostly_its_products() -> None:
    torch.manual_seed(0)
    tasks = [Classification(name, ("a", "b"), "mean") for name in SETS]
    model = MultiTaskModel(HardSharing(PretrainedEncoder(packaged_encoder())), tasks).train()
    assert times_its_products("fine-tuning on four data sets", model, texts()) < 1.5


def test_a_step_of_the_translator_is_mostly_its_products() -> None:
    """Of the size recorded on Multi30k, its LSTMs among the products."""
    torch.manual_seed(0)
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghij", k=6)) for _ in range(6000)]
    pieces = BytePairTokenizer.train([" ".join(words)] * 3, 5000)
    model = Seq2Seq(pieces, pieces, 256, num_layers=2, dropout=0.3).train()
    sources = [" ".join(draw.choices(words, k=12)) for _ in range(64)]
    batch = collate(model.examples(sources, sources))
    assert times_its_products("translating 64 sentences", model, batch) < 1.5
