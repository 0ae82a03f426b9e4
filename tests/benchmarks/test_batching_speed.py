"""Batches of similar length within a budget of tokens against batches as they come, on Multi30k.

Both make as many batches of an epoch. A batch's work is a training step of a translator on two
threads; the tokens trained on per second are compared.
"""

from collections.abc import Callable

import pytest
import side_by_side
import torch

from mtl_utils.data import BatchLoader, BytePairTokenizer
from mtl_utils.data.batch import Batch
from mtl_utils.experiments import transformer, translation
from mtl_utils.models import Seq2Seq

BATCHES, REPEATS = 6, 5
CONFIGS = {
    "Transformer": (transformer.transformer, transformer.GERMAN_TO_ENGLISH),
    "BiLSTM": (translation.bilstm, translation.MULTI30K_CONFIGS[0]),
}


def epoch(model: Seq2Seq, batches: list[Batch]) -> Callable[[], None]:
    def run() -> None:
        for batch in batches:
            model.zero_grad()
            model(batch).by_task["translation"].backward()

    return run


def tokens(batch: Batch) -> int:
    """Count the tokens of a batch, sources and targets."""
    return int(batch.inputs.mask.sum() + (batch.labels["translation"] >= 0).sum())


@pytest.mark.real_data
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_budget_of_tokens_is_faster_than_plain_padding(kind: str) -> None:
    make, config = CONFIGS[kind]
    pairs = translation.multi30k("de-en")["train"]
    source, target = (
        BytePairTokenizer.train(texts, config["vocab_size"], lowercase=True)
        for texts in (pairs.sources, pairs.targets)
    )
    torch.manual_seed(0)
    model = make(config, source, target)
    examples = model.examples(pairs.sources, pairs.targets)
    budget = BatchLoader(examples, max_tokens=config["max_tokens"])
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0)).tolist()
    plain = BatchLoader(
        [examples[i] for i in order],
        batch_size=round(len(examples) / budget.num_batches),
        shuffle=False,
    )
    assert plain.num_batches == pytest.approx(budget.num_batches, rel=0.02)
    found = {}
    for name, loader in (("ours", budget), ("theirs", plain)):
        batches = [batch for batch, _ in zip(loader.batches(), range(BATCHES), strict=False)]
        found[name] = epoch(model, batches), sum(map(tokens, batches))
        print(f"\n{name}: {loader.padding_share():.0%} of the places are padding", end="")
    with side_by_side.threads(2):
        runs = {name: run for name, (run, _) in found.items()}
        seconds = side_by_side.seconds(runs, REPEATS)
    speed = {name: read / seconds[name] for name, (_, read) in found.items()}
    times = speed["ours"] / speed["theirs"]
    print(f"\n{kind}: {speed['ours']:,.0f} tokens a second, plainly padded {speed['theirs']:,.0f}:")
    print(f"{times:.2f} times")
    assert times > 1
