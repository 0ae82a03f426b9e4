"""Masked language modelling: what is hidden and how often, what is computed, and going on."""

import pytest
import torch
from torch.nn import functional

from mtl_utils.data import (
    Batch,
    BatchLoader,
    Example,
    Vocabulary,
    WordTokenizer,
    collate,
    encode_text,
)
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, MaskedBatches, MaskedLanguageModeling, masked
from mtl_utils.training import JointBatches, Trainer, TrainerConfig, evaluate_losses

VOCABULARY, MASK = 50, 4
SPECIAL = (0, 1, 2, 3)
TASK = MaskedLanguageModeling("mlm", VOCABULARY, MASK, special_ids=SPECIAL)


def texts(count=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for number in range(count):
        length = 5 + number % 4
        rows.append([2, *torch.randint(5, VOCABULARY, (length,), generator=generator).tolist(), 3])
    return rows


def hidden_batch(rows, width=8, seed=0):
    batch = collate(masked([Example(ids) for ids in rows], TASK, seed=3))
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch.inputs.mask.shape, width)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_(), batch


# What is hidden.


def test_tokens_are_hidden_as_often_as_in_bert():
    ids = torch.randint(5, VOCABULARY, (400, 500), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = 2, 3
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[:, 300:] = False
    read, labels = TASK.hide(ids, mask, torch.Generator().manual_seed(1))
    chosen = labels != -100
    assert not chosen[:, 300:].any()
    assert not chosen[:, 0].any()
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(read[~chosen], ids[~chosen])
    drawn = read[chosen]
    share = chosen[:, 1:300].double().mean()
    masks, kept = (drawn == MASK).double().mean(), (drawn == ids[chosen]).double().mean()
    # 18,000 are chosen: four standard errors of the shares.
    assert share == pytest.approx(0.15, abs=0.004)
    assert masks == pytest.approx(0.8, abs=0.012)
    assert kept == pytest.approx(0.1 + 0.1 / 45, abs=0.01)
    assert set(drawn.tolist()) == {MASK, *range(5, VOCABULARY)}


def test_examples_are_masked_for_good_and_alike():
    examples = [Example(ids, {"topic": 1}) for ids in texts()]
    once, again, other = (masked(examples, TASK, seed) for seed in (0, 0, 1))
    assert once == again
    assert once != other
    for example, made in zip(examples, once, strict=True):
        assert set(made.labels) == {"mlm"}
        for given, read, label in zip(
            example.input_ids, made.input_ids, made.labels["mlm"], strict=True
        ):
            assert (given == read) if label == -100 else (label == given)


# What is computed.


@pytest.mark.parametrize("scale", ["token", "text", "uniform"])
def test_the_loss_is_that_of_pytorch_at_hidden_tokens(scale):
    rows = texts(12)
    hidden, batch = hidden_batch(rows)
    task = MaskedLanguageModeling("mlm", VOCABULARY, MASK, special_ids=SPECIAL, scale=scale)
    head = task.head(8).double()
    labels = batch.labels["mlm"]
    total = functional.cross_entropy(
        head.output(hidden).flatten(0, 1), labels.flatten(), reduction="sum"
    )
    number, several = (labels != -100).sum(), (labels != -100).any(dim=1).sum()
    assert number > several
    divisor = {"token": number, "text": several, "uniform": number * torch.tensor(50.0).log()}
    expected = total / divisor[scale]
    outputs = head(hidden, batch)
    assert outputs.shape == (number, VOCABULARY)  # nothing is computed for the others
    loss = head.loss(outputs, batch)
    torch.testing.assert_close(loss, expected, check_dtype=False)
    mine, theirs = (torch.autograd.grad(value, hidden)[0] for value in (loss, expected))
    torch.testing.assert_close(mine, theirs)
    assert int(head.count(batch)) == (several if scale == "text" else number)
    assert list(head.buffers()) == []


def test_nothing_is_counted_where_nothing_is_hidden():
    batch = collate([Example([2, 3], {"mlm": [-100, -100]})])
    head = TASK.head(8)
    hidden = torch.randn(1, 2, 8, requires_grad=True)
    loss = head.loss(head(hidden, batch), batch)
    loss.backward()
    assert loss == 0
    assert not hidden.grad.any()
    assert not head.output.weight.grad.any()
    assert head.compare(hidden, batch) == [None]
    assert head.predict(hidden, batch) == [[]]
    with pytest.raises(ValueError, match=r"'mlm' are one a token: states \[1, 3, 8\] need"):
        head(torch.zeros(1, 3, 8), batch)


def test_masks_are_filled_and_hidden_tokens_compared():
    hidden, batch = hidden_batch(texts(6))
    head = TASK.head(8).double()
    best = head.output(hidden).argmax(dim=-1)
    ids, labels = batch.inputs.input_ids, batch.labels["mlm"]
    assert head.predict(hidden, batch) == [best[row][ids[row] == MASK].tolist() for row in range(6)]
    for row, pair in enumerate(head.compare(hidden, batch)):
        counted = labels[row] != -100
        expected = (best[row][counted].tolist(), labels[row][counted].tolist())
        assert pair == (expected if counted.any() else None)
    assert TASK.metrics([[5, 6], [7]], [[5, 9], [7]]) == {"accuracy": 2 / 3}


# Batches.


def seen(batches):
    return [
        (batch.inputs.input_ids.tolist(), batch.labels["mlm"].tolist())
        for batch in (b if isinstance(b, Batch) else b["mlm"] for b in batches)
    ]


def test_other_tokens_are_hidden_in_every_epoch_and_the_same_in_every_validation():
    loader = BatchLoader([Example(ids) for ids in texts()], batch_size=6, seed=1)
    batches = MaskedBatches(loader, TASK, seed=2)
    assert seen(batches.batches(1)) == seen(batches.batches(1))
    by_text = []
    for epoch in (0, 1):
        plan = [index for part in loader.plan(epoch) for index in part]
        rows = [row for _, labels in seen(batches.batches(epoch)) for row in labels]
        by_text.append({i: [v != -100 for v in row] for i, row in zip(plan, rows, strict=True)})
    assert by_text[0] != by_text[1]
    assert seen(batches.once()) == seen(batches.once()) == seen(batches.batches(0))
    assert seen(batches.batches(1, 3)) == seen(batches.batches(1))[3:]
    assert batches.digest() != MaskedBatches(loader, TASK, seed=3).digest()


def test_several_processes_read_what_one_would():
    loader = BatchLoader([Example(ids) for ids in texts(20)], batch_size=6)
    batches = MaskedBatches(loader, TASK)
    whole = seen(batches.batches(2))
    parts = [seen(batches.batches(2, rank=rank, world_size=2)) for rank in (0, 1)]
    for (ids, labels), first, second in zip(whole, *parts, strict=True):
        assert (first[0], first[1]) == (ids[::2], labels[::2])
        assert (second[0], second[1]) == (ids[1::2], labels[1::2])


def test_other_tasks_read_the_text_as_it_is():
    examples = [Example(ids, {"topic": 1}) for ids in texts(8)]
    loader = BatchLoader(examples, batch_size=4)
    task = MaskedLanguageModeling("mlm", VOCABULARY, MASK, special_ids=SPECIAL, share=0.5)
    for given, plain in zip(MaskedBatches(loader, task).batches(1), loader.batches(1), strict=True):
        assert set(given) == {"topic", "mlm"}
        assert torch.equal(given["topic"].inputs.input_ids, plain.inputs.input_ids)
        assert not torch.equal(given["mlm"].inputs.input_ids, plain.inputs.input_ids)
        assert set(given["mlm"].labels) == {"mlm"}


def test_a_text_is_its_own_label_and_refused_where_nothing_of_it_is_hidden():
    words = WordTokenizer(Vocabulary.from_tokens([f"w{n}" for n in range(40)]))
    text = " ".join(f"w{n}" for n in range(20))
    encoded = encode_text(words, text)
    labels = TASK.target({"text": text}, encoded)
    assert TASK.read({"text": text}) == (text, None)
    assert [label for label in labels if label != -100] == encoded.input_ids[1:-1][1:]
    assert encoded.input_ids[1] == MASK  # the first word of this vocabulary, never hidden
    examples = [encoded.example({"mlm": labels}), Example([2, *range(5, 25), 3])]
    head, plain = TASK.head(8), collate(examples)
    hidden = torch.randn(*plain.inputs.mask.shape, 8)
    with pytest.raises(ValueError, match=r"None of 19 tokens.*'mlm' is hidden.*MaskedBatches\("):
        head.loss(head(hidden, plain), plain)
    with pytest.raises(ValueError, match="None of 19 tokens"):
        head.compare(hidden, plain)
    (batch,) = MaskedBatches(BatchLoader(examples, batch_size=2, shuffle=False), TASK).batches()
    counted = batch.labels["mlm"] != -100
    assert counted[0].any()
    assert not counted[1].any()  # which has no label of the task
    assert head.loss(head(hidden, batch), batch) > 0
    assert any(label != -100 for label in masked(examples, TASK)[1].labels["mlm"])


# Training.


def test_it_is_learnt_beside_a_task_and_goes_on_bit_for_bit_where_it_was_cut(tmp_path):
    # After n comes n + 1, so that a hidden token can be told from its neighbours.
    generator = torch.Generator().manual_seed(0)
    starts = torch.randint(5, 12, (48,), generator=generator).tolist()
    task = MaskedLanguageModeling("mlm", 18, MASK, special_ids=SPECIAL, share=0.3, scale="token")
    topic = Classification("topic", ("low", "high"), pooling="mean")
    plain = BatchLoader([Example(range(n, n + 6)) for n in starts], batch_size=8, seed=1)
    labelled = [Example(range(n, n + 6), {"topic": int(n > 8)}) for n in starts]
    loader = JointBatches([MaskedBatches(plain, task), BatchLoader(labelled, batch_size=8)])

    def trained(epochs, checkpoint=None, cut=None):
        torch.manual_seed(0)
        encoder = TransformerEncoder(18, 32, 1, 2, dropout=0.1)
        model = MultiTaskModel(HardSharing(encoder), [task, topic])
        config = TrainerConfig(
            epochs=epochs,
            max_steps=cut,
            learning_rate=5e-3,
            schedule="constant",
            checkpoint_every=5,
        )
        Trainer(model, config, checkpoint=checkpoint, progress=False).fit(loader)
        return model

    whole = trained(30)
    trained(30, tmp_path / "run.pt", cut=47)  # in the middle of an epoch
    resumed = trained(30, tmp_path / "run.pt")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    measured = whole.evaluate(loader)
    assert measured["mlm_accuracy"] > 0.6
    assert measured["topic_accuracy"] == 1.0
    assert evaluate_losses(whole, loader)["mlm"] < 1.5 < torch.tensor(13.0).log()
