"""Batches of data sets that are apart: their order, their processes, and training on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, count, cycle, islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from tiny_training import Stopped, TinyEncoder, same_weights, tiny_model, weights_of
from torch.nn import functional

from mtl_utils.data import MISSING_LABEL, Batch, BatchLoader, Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.objectives import FixedWeights
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import (
    AlternatingBatches,
    CheckpointError,
    JointBatches,
    SampledBatches,
    Trainer,
    TrainerConfig,
    evaluate_losses,
)

NAMES = ("a", "b", "c")
Step = dict[str, Batch]


def numbered(name: str, size: int, batch_size: int, seed: int = 0) -> BatchLoader:
    """Return a data set whose ids and labels say which example they are from."""
    examples = [Example([index + 1] * (1 + index % 3), {name: index}) for index in range(size)]
    return BatchLoader(examples, batch_size=batch_size, seed=seed)


def numbers(step: Mapping[str, Batch]) -> dict[str, list[int]]:
    """Return the examples of a step, by task."""
    assert all(step[task].labels.keys() == {task} for task in step)
    return {task: batch.labels[task].tolist() for task, batch in step.items()}


def endless(loader: BatchLoader) -> Iterator[Batch]:
    """Go through a data set again and again."""
    return chain.from_iterable(loader.batches(epoch) for epoch in count())


def joint_by_hand(loaders: list[BatchLoader]) -> Iterator[Step]:
    """Yield the steps of a run without an end."""
    streams = {name: endless(loader) for name, loader in zip(NAMES, loaders, strict=False)}
    while True:
        yield {name: next(stream) for name, stream in streams.items()}


def alternating_by_hand(loaders: list[BatchLoader], turns: list[int]) -> Iterator[Step]:
    """Yield the steps of a run without an end."""
    streams = [endless(loader) for loader in loaders]
    for place in cycle(range(len(loaders))):
        for _ in range(turns[place]):
            yield {NAMES[place]: next(streams[place])}


def sampled_by_hand(sampler: SampledBatches, loaders: list[BatchLoader]) -> Iterator[Step]:
    """Yield the steps of a run without an end: which data sets are drawn, each read on and on."""
    streams = {name: endless(loader) for name, loader in zip(NAMES, loaders, strict=False)}
    for epoch in count():
        for (name,) in list(sampler.batches(epoch)):
            yield {name: next(streams[name])}


@st.composite
def samplers(draw: Any, at_random: bool = True) -> tuple[Any, Any, list[BatchLoader]]:
    """A sampler, how to make the steps of its run by hand, and its data sets."""
    sizes = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=1, max_size=3))
    loaders = [numbered(name, *size) for name, size in zip(NAMES, sizes, strict=False)]
    num_batches = draw(st.none() | st.integers(1, 12))
    kind = draw(st.sampled_from(["joint", "alternating", *(["sampled"] if at_random else [])]))
    if kind == "joint":
        return JointBatches(loaders, num_batches), lambda: joint_by_hand(loaders), loaders
    if kind == "sampled":
        by = draw(st.sampled_from(["size", "sqrt", "uniform", 0.3, 5]))
        drawn = SampledBatches(loaders, by, num_batches, seed=draw(st.integers(0, 3)))
        return drawn, lambda: sampled_by_hand(drawn, loaders), loaders
    turns = draw(st.lists(st.integers(1, 3), min_size=len(sizes), max_size=len(sizes)))
    given_turns = None if set(turns) == {1} else turns
    sampler = AlternatingBatches(loaders, given_turns, num_batches)
    return sampler, lambda: alternating_by_hand(loaders, turns), loaders


# The order.


@given(samplers(), st.integers(0, 4), st.data())
def test_a_position_is_all_there_is_to_resume(made: Any, epoch: int, data: st.DataObject) -> None:
    sampler, by_hand, _ = made
    start = data.draw(st.integers(0, sampler.num_batches))
    begin, end = epoch * sampler.num_batches + start, (epoch + 1) * sampler.num_batches
    expected = [numbers(step) for step in islice(by_hand(), begin, end)]
    next(sampler.batches(data.draw(st.integers(0, 4))))  # what was read before changes nothing
    assert [numbers(step) for step in sampler.batches(epoch, start)] == expected
    if start == 0 and epoch == 0:
        assert [numbers(step) for step in sampler.batches()] == expected


@given(samplers())
def test_nothing_comes_again_before_all_has_come(made: Any) -> None:
    sampler, _, loaders = made
    sizes = {name: len(loader.examples) for name, loader in zip(NAMES, loaders, strict=False)}
    seen = {name: Counter(dict.fromkeys(range(size), 0)) for name, size in sizes.items()}
    for step in chain.from_iterable(map(sampler.batches, range(5))):
        for task, indices in numbers(step).items():
            seen[task].update(indices)
            assert max(seen[task].values()) - min(seen[task].values()) <= 1


def test_joint_batches_worked_by_hand() -> None:
    long, short = numbered("a", 5, 2), numbered("b", 2, 1)
    sampler = JointBatches([long, short])
    assert sampler.num_batches == 3
    first, second = ([numbers(step) for step in sampler.batches(epoch)] for epoch in (0, 1))
    plans = [short.plan(epoch) for epoch in range(3)]
    assert [step["a"] for step in first] == long.plan(0)
    assert [step["a"] for step in second] == long.plan(1)
    assert [step["b"] for step in first] == [*plans[0], plans[1][0]]
    assert [step["b"] for step in second] == [plans[1][1], *plans[2]]
    assert [list(step) for step in first] == [["a", "b"]] * 3


def test_alternating_batches_worked_by_hand() -> None:
    loaders = [numbered("a", 4, 1), numbered("b", 3, 1)]
    sampler = AlternatingBatches(loaders, [2, 1])
    assert sampler.num_batches == 7
    turns = ["".join(map("".join, sampler.batches(epoch))) for epoch in (0, 1)]
    assert turns == ["aabaaba", "abaabaa"]
    assert "".join(map("".join, AlternatingBatches(loaders).batches())) == "abababa"
    third = list(map(numbers, sampler.batches(0)))[2]
    assert third == {"b": loaders[1].plan(0)[0]}
    assert numbers(next(sampler.batches(1))) == {"a": loaders[0].plan(1)[1]}  # its sixth turn


def drawn(sampler: SampledBatches, epochs: int) -> Counter[str]:
    return Counter(name for epoch in range(epochs) for name, *_ in sampler.batches(epoch))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("size", (100 / 129, 25 / 129, 4 / 129)),
        (1.0, (100 / 129, 25 / 129, 4 / 129)),
        ("sqrt", (10 / 17, 5 / 17, 2 / 17)),
        (2, (10 / 17, 5 / 17, 2 / 17)),
        ("uniform", (1 / 3, 1 / 3, 1 / 3)),
        (0.5, (10000 / 10641, 625 / 10641, 16 / 10641)),
        (1e-3, (1.0, 0.0, 0.0)),
    ],
)
def test_data_sets_are_drawn_with_the_probabilities_of_the_formula(by: Any, expected: Any) -> None:
    loaders = [numbered("a", 100, 1), numbered("b", 50, 2), numbered("c", 4, 1)]
    sampler = SampledBatches(loaders, by, num_batches=2000, seed=5)
    assert sampler.probabilities == pytest.approx(expected, abs=1e-12)
    assert sampler.passes == pytest.approx(
        [2000 * p / n for p, n in zip(expected, (100, 25, 4), strict=True)], abs=1e-9
    )
    seen = drawn(sampler, 3)
    for name, probability in zip(NAMES, expected, strict=True):
        low, high = binom.interval(0.9999, 6000, probability)
        assert low <= seen[name] <= high


def test_draws_do_not_depend_on_one_another() -> None:
    """Each of the nine pairs of neighbours is as frequent as independence has it."""
    sampler = SampledBatches([numbered(name, 1, 1) for name in NAMES], num_batches=9000, seed=1)
    names = [name for name, *_ in sampler.batches()]
    pairs = Counter(zip(names[::2], names[1::2], strict=True))
    low, high = binom.interval(0.9999, 4500, 1 / 9)
    assert len(pairs) == 9
    assert all(low <= number <= high for number in pairs.values())


def test_an_epoch_of_sampled_batches_is_all_batches_unless_told_and_the_seed_decides() -> None:
    def order(epoch: int, **settings: Any) -> str:
        loaders = [numbered("a", 30, 1), numbered("b", 12, 1)]
        return "".join(map("".join, SampledBatches(loaders, **settings).batches(epoch)))

    assert len(order(0)) == 42
    assert len(order(0, num_batches=7)) == 7
    assert order(0) == order(0, seed=0) == order(0, by=1.0)
    assert (
        len({order(0), order(1), order(0, seed=1), order(1, seed=1), order(0, by="uniform")}) == 5
    )


def test_num_batches_is_where_an_epoch_ends_and_not_where_the_data_do() -> None:
    short = JointBatches([numbered("a", 5, 1)], num_batches=2)
    order = [numbers(step)["a"] for epoch in range(5) for step in short.batches(epoch)]
    plan = numbered("a", 5, 1).plan
    assert order == [*plan(0), *plan(1)]


# Tasks and their batches.


def tagged(size: int = 7, batch_size: int = 2, seed: int = 1) -> BatchLoader:
    """Return texts of the tiny model with tags."""
    generator = torch.Generator().manual_seed(seed)
    draws = [torch.randint(4, (3 + i % 3, 2), generator=generator) for i in range(size)]
    examples = [Example((5 * d[:, 0] + 1).tolist(), {"tags": d[:, 1].tolist()}) for d in draws]
    return BatchLoader(examples, batch_size=batch_size, seed=seed)


def classified(size: int = 5, batch_size: int = 1, seed: int = 4) -> BatchLoader:
    """Return texts of the tiny model with topics."""
    examples = [Example([3, 4 + i, 9 + i][: 2 + i % 2], {"topic": i % 3}) for i in range(size)]
    return BatchLoader(examples, batch_size=batch_size, seed=seed)


def both() -> BatchLoader:
    """Return texts that have tags and a topic."""
    examples = [Example([i, 1 + i], {"tags": [i % 4, 0], "topic": i % 3}) for i in range(5)]
    return BatchLoader(examples, batch_size=2)


def test_tasks_of_one_data_set_share_its_batch_and_one_pass() -> None:
    other = BatchLoader([Example([7, 8], {"more": [1, 2]})], batch_size=1)
    for step in JointBatches([both(), other]).batches():
        assert step["tags"] is step["topic"] is not step["more"]
        assert list(step) == ["tags", "topic", "more"]
    model = tiny_model()
    passes = []
    model.sharing.encoder.register_forward_hook(lambda *call: passes.append(call))
    model(next(JointBatches([both()]).batches()))
    assert len(passes) == 1
    model(next(JointBatches([tagged(), classified()]).batches()))
    assert len(passes) == 3


def test_samplers_may_be_nested() -> None:
    joint = JointBatches([numbered("a", 4, 1), numbered("b", 2, 1)])
    sampler = AlternatingBatches([joint, numbered("c", 3, 1)])
    steps = [numbers(step) for step in sampler.batches()]
    assert steps[0::2] == [numbers(step) for step in joint.batches()]
    assert [step["c"] for step in steps[1::2]] == numbered("c", 3, 1).plan()
    assert list(map(list, JointBatches([joint, numbered("c", 3, 1)]).batches())) == [[*"abc"]] * 4


@given(samplers(), st.integers(2, 5), st.integers(0, 2), st.data())
def test_processes_share_the_rows_of_every_batch(
    made: Any, world_size: int, epoch: int, data: st.DataObject
) -> None:
    sampler = made[0]
    start = data.draw(st.integers(0, sampler.num_batches))
    shards = [sampler.batches(epoch, start, rank, world_size) for rank in range(world_size)]
    for whole, *parts in zip(sampler.batches(epoch, start), *shards, strict=True):
        assert all(part.keys() == whole.keys() for part in parts)
        for task, batch in whole.items():
            for rank, part in enumerate(parts):
                ids, labels = part[task].inputs.input_ids, part[task].labels[task]
                if rank < len(batch):
                    assert torch.equal(ids, batch.inputs.input_ids[rank::world_size])
                    assert torch.equal(labels, batch.labels[task][rank::world_size])
                else:
                    assert labels.tolist() == [MISSING_LABEL]


def test_a_task_may_be_in_one_joint_data_set_only() -> None:
    for other in (tagged(3), JointBatches([tagged(3)])):
        with pytest.raises(ValueError, match=r"Two data sets have labels of 'tags'.*two names"):
            next(JointBatches([both(), other]).batches())
    steps = AlternatingBatches([both(), tagged(3)]).batches()
    assert [set(step) for step in steps] == [{"tags", "topic"}, {"tags"}] * 2 + [{"tags", "topic"}]


class Nothing:
    """A data set without batches."""

    num_batches = 0

    def batches(self, *position: int) -> Iterator[Batch]:
        return iter(())


@pytest.mark.parametrize(
    ("message", "make"),
    [
        (r"at least one data set .* got \[\] batches", lambda a: JointBatches([])),
        (r"at least one data set .* got \[\] batches", lambda a: AlternatingBatches([])),
        (r"none without batches, got \[2, 0\]", lambda a: JointBatches([a, Nothing()])),
        (r"none without batches, got \[0, 2\]", lambda a: AlternatingBatches([Nothing(), a])),
        ("num_batches must be at least 1, got 0", lambda a: JointBatches([a], num_batches=0)),
        ("num_batches must be at least 1, got -1", lambda a: AlternatingBatches([a], None, -1)),
        (r"each of 2 data sets, got \[1\]", lambda a: AlternatingBatches([a, a], [1])),
        (r"each of 1 data sets, got \[1, 2\]", lambda a: AlternatingBatches([a], [1, 2])),
        (r"at least 1, .* got \[2, 0\]", lambda a: AlternatingBatches([a, a], [2, 0])),
        (r"each of 1 data sets, got \[\]", lambda a: AlternatingBatches([a], [])),
        (r"at least one data set .* got \[\] batches", lambda a: SampledBatches([])),
        (
            r"by must be one of .*'sqrt'.*, got 'squareroot'",
            lambda a: SampledBatches([a], "squareroot"),
        ),
        ("by must be finite and greater than 0, got 0", lambda a: SampledBatches([a], 0)),
    ],
)
def test_errors_of_samplers(message: str, make: Any) -> None:
    with pytest.raises(ValueError, match=message):
        make(numbered("a", 2, 1))


# Training.


SAMPLERS = {
    "joint": lambda: JointBatches([tagged(), classified()]),
    "alternating": lambda: AlternatingBatches([tagged(), classified()], [2, 1], 7),
    "sampled": lambda: SampledBatches([tagged(), classified()], "sqrt", 7, seed=2),
}
WEIGHTS = {"tags": 0.3, "topic": 2.0}
CONFIG = TrainerConfig(epochs=3, learning_rate=0.02, checkpoint_every=2)


def steps_by_hand(name: str, epochs: int) -> list[Step]:
    tags, topic = endless(tagged()), endless(classified())
    if name == "joint":
        return [{"tags": next(tags), "topic": next(topic)} for _ in range(5 * epochs)]
    if name == "sampled":
        turns = chain.from_iterable(
            "".join("a" if "tags" in step else "b" for step in SAMPLERS[name]().batches(epoch))
            for epoch in range(epochs)
        )
    else:
        turns = islice(cycle("aab"), 7 * epochs)
    return [{"tags": next(tags)} if t == "a" else {"topic": next(topic)} for t in turns]


@pytest.mark.parametrize("name", SAMPLERS)
def test_weights_and_history_equal_those_of_a_loop_by_hand(name: str) -> None:
    config = TrainerConfig(
        epochs=3, learning_rate=0.02, schedule="constant", optimizer="adam", clip_norm=None
    )
    ours, theirs = (tiny_model(dropout=0.0, dtype=torch.float64) for _ in range(2))
    trainer = Trainer(ours, config, balancer=FixedWeights(WEIGHTS), progress=False)
    history = trainer.fit(SAMPLERS[name](), JointBatches([tagged(3), classified(2)]))

    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.02, fused=True)
    measured: list[tuple[str, int, float]] = []
    for batches in steps_by_hand(name, 3):
        optimizer.zero_grad()
        for task, batch in batches.items():
            loss = theirs(batch).by_task[task]
            (WEIGHTS[task] * loss).backward()
            counted = int((batch.labels[task] != MISSING_LABEL).sum())
            measured.append((task, counted, float(loss.detach())))
        optimizer.step()
    for weight, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-9, atol=1e-12)
    size = len(measured) // 3
    for epoch, row in enumerate(history.to_dict("records")):
        rows = pd.DataFrame(measured[epoch * size : (epoch + 1) * size], columns=["t", "n", "l"])
        sums = (rows["l"] * rows["n"]).groupby(rows["t"]).sum() / rows.groupby("t")["n"].sum()
        assert {t: row[f"train_{t}"] for t in WEIGHTS} == pytest.approx(dict(sums), rel=1e-9)
    alone = evaluate_losses(ours, tagged(3)) | evaluate_losses(ours, classified(2))
    last = history.iloc[-1]
    assert {task: last[f"validation_{task}"] for task in WEIGHTS} == pytest.approx(alone)


class Interrupted:
    """Ends the session after so many steps of it."""

    def __init__(self, loader: Any, step: int) -> None:
        self.loader, self.left, self.num_batches = loader, step, loader.num_batches
        self.digest = loader.digest

    def batches(self, *position: int) -> Iterator[Step]:
        for batches in self.loader.batches(*position):
            if self.left == 0:
                raise Stopped
            self.left -= 1
            yield batches


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_that_is_stopped_ends_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    def session(path: Path, train: Any) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
        model = tiny_model(seed=0)
        history = Trainer(model, CONFIG, checkpoint=path, progress=False).fit(train)
        return weights_of(model), history.drop(columns="seconds")

    expected, history = session(tmp_path / "whole.pt", SAMPLERS[name]())
    for stops in ((2,), (3, 5), (7, 4, 3), (6, 0, 2)):
        path = tmp_path / f"{stops}.pt"
        for step in stops:
            with pytest.raises(Stopped):
                session(path, Interrupted(SAMPLERS[name](), step))
        weights, rows = session(path, SAMPLERS[name]())
        assert same_weights(weights, expected)
        pd.testing.assert_frame_equal(rows, history, check_exact=True)
    assert not same_weights(expected, weights_of(tiny_model()))


@pytest.mark.parametrize("sampler", [JointBatches, AlternatingBatches, SampledBatches])
def test_a_checkpoint_is_of_all_data_sets(sampler: Any, tmp_path: Path) -> None:
    def fit(*loaders: BatchLoader, **settings: Any) -> None:
        trainer = Trainer(tiny_model(), CONFIG, checkpoint=tmp_path / "run.pt", progress=False)
        trainer.fit(sampler(loaders, **settings))

    fit(tagged(), classified())
    fit(tagged(), classified())
    for other in ((tagged(seed=2), classified()), (tagged(), classified(seed=5))):
        with pytest.raises(CheckpointError, match=r"training data.part [12]: "):
            fit(*other)
    with pytest.raises(CheckpointError, match="num_batches is"):
        fit(tagged(), classified(6))
    if sampler is AlternatingBatches:
        with pytest.raises(CheckpointError, match=r"turns is '\[1, 1\]' there and '\[1, 2\]' here"):
            fit(tagged(), classified(), turns=[1, 2])
    if sampler is SampledBatches:
        with pytest.raises(CheckpointError, match=r"temperature is '1.0' there and '2.0' here"):
            fit(tagged(), classified(), by="sqrt")
        with pytest.raises(CheckpointError, match=r"seed is 0 there and 1 here"):
            fit(tagged(), classified(), seed=1)


# Measuring.


def unequal() -> tuple[BatchLoader, BatchLoader]:
    """Return 40 rows with tags and 6 with topics, in batches of 2."""
    return tagged(40, 2), classified(6, 2)


ARRANGED = {
    "joint": lambda a, b: JointBatches([a, b]),
    "joint, cut short": lambda a, b: JointBatches([a, b], 2),
    "alternating": lambda a, b: AlternatingBatches([a, b]),
    "alternating in turns, cut short": lambda a, b: AlternatingBatches([b, a], [3, 1], 5),
    "sampled": lambda a, b: SampledBatches([a, b], "sqrt"),
    "sampled, nested": lambda a, b: SampledBatches([JointBatches([a], 3), b], 3.0, 9),
    "nested": lambda a, b: JointBatches([AlternatingBatches([JointBatches([a], 3)]), b]),
    "twice": lambda a, b: AlternatingBatches([a, b, AlternatingBatches([b, a], [2, 2]), b]),
}


def mean_by_hand(model: Any, loader: BatchLoader, task: str) -> float:
    """Return the mean loss over all labels of a task of one data set."""
    sums, count = 0.0, 0
    for batch in loader.batches():
        logits = model.head(task)(model.sharing(batch, [task]).hidden[task], batch)
        labels = batch.labels[task].flatten()
        sums += float(functional.cross_entropy(logits.flatten(0, -2), labels, reduction="sum"))
        count += int((labels != MISSING_LABEL).sum())
    return sums / count


@pytest.mark.parametrize("name", ARRANGED)
@torch.no_grad()
def test_what_is_measured_is_every_row_once(name: str) -> None:
    loaders = unequal()
    model = tiny_model(dtype=torch.float64).eval()
    expected = {
        task: mean_by_hand(model, loader, task)
        for task, loader in zip(("tags", "topic"), loaders, strict=True)
    }
    sampler = ARRANGED[name](*loaders)
    assert evaluate_losses(model, sampler) == pytest.approx(expected, rel=1e-12)
    # The first epoch is something else: rows come twice, or not at all.
    rows = Counter(
        (task, tuple(ids))
        for step in sampler.batches(0)
        for task, batch in step.items()
        for ids in batch.inputs.input_ids.tolist()
    )
    once = Counter(
        (task, tuple(ids))
        for step in sampler.once()
        for task, batch in step.items()
        for ids in batch.inputs.input_ids.tolist()
    )
    assert rows != once


@given(samplers(), st.integers(0, 2))
def test_once_is_every_example_once(made: Any, nesting: int) -> None:
    sampler, _, loaders = made
    for _ in range(nesting):
        sampler = AlternatingBatches([sampler, loaders[0]], num_batches=3)
    seen: dict[str, list[int]] = {}
    for step in sampler.once():
        for task, indices in numbers(step).items():
            seen.setdefault(task, []).extend(indices)
    expected = {n: list(range(len(a.examples))) for n, a in zip(NAMES, loaders, strict=False)}
    assert {task: sorted(indices) for task, indices in seen.items()} == expected


@pytest.mark.parametrize("name", ARRANGED)
def test_the_trainer_validates_on_every_row_once(name: str) -> None:
    loaders = unequal()
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    history = Trainer(model, TrainerConfig(epochs=1), progress=False).fit(
        JointBatches(list(loaders), 3), ARRANGED[name](*loaders)
    )
    alone = evaluate_losses(model, loaders[0]) | evaluate_losses(model, loaders[1])
    found = {task: history[f"validation_{task}"].iloc[0] for task in alone}
    assert found == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("name", ARRANGED)
def test_metrics_are_of_every_row_once(name: str) -> None:
    kinds = [Tagging("tags", tuple("abcd")), Classification("topic", tuple("xyz"))]
    torch.manual_seed(0)
    model = MultiTaskModel(HardSharing(TinyEncoder()), kinds)
    loaders = unequal()
    expected = model.evaluate(loaders[0]) | model.evaluate(loaders[1])
    sampler = ARRANGED[name](*loaders)
    assert model.evaluate(sampler) == pytest.approx(expected, rel=1e-12)
    rows = model.compare(sampler)
    assert [sum(row is not None for row in rows[task]) for task in ("tags", "topic")] == [40, 6]


class Endless:
    """A loader of one's own whose epoch does not end where it says."""

    num_batches = 2

    def batches(self, *position: int) -> Iterator[Batch]:
        return (next(tagged().batches()) for _ in count())


def test_a_loader_without_once_is_read_for_one_epoch() -> None:
    model = tiny_model()
    plain = tagged()
    assert evaluate_losses(model, Plain(plain)) == evaluate_losses(model, plain)
    with pytest.raises(ValueError, match=r"must have 2 batches.* had more than 2"):
        evaluate_losses(model, Endless())
    with pytest.raises(ValueError, match=r"Epoch 1 of the training .* 2 batches.* more than 2"):
        Trainer(model, TrainerConfig(epochs=1), progress=False).fit(Endless())


class Plain:
    """A loader of one's own with nothing but what it must have."""

    def __init__(self, loader: BatchLoader) -> None:
        self.loader, self.num_batches = loader, loader.num_batches

    def batches(self, *position: int) -> Iterator[Batch]:
        return self.loader.batches(*position)


@pytest.mark.parametrize("wrong", [[], {}, iter(()), 3, None, "data"])
def test_what_is_no_loader(wrong: Any) -> None:
    model = tiny_model()
    calls = [
        lambda: evaluate_losses(model, wrong),
        lambda: JointBatches([wrong]),
        lambda: AlternatingBatches([tagged(), wrong]),
        lambda: Trainer(model, progress=False).fit(wrong),
    ]
    if not isinstance(wrong, (list, str)):
        calls += [lambda: model.compare(wrong), lambda: model.evaluate(wrong)]
    for call in calls:
        with pytest.raises(TypeError, match="Expected a loader such as BatchLoader"):
            call()


# How often each data set is read.


@given(samplers(at_random=False))  # those have bounds above: their passes are a mean
def test_passes_are_what_many_epochs_read(made: Any) -> None:
    sampler, _, loaders = made
    epochs = 12 * (len(sampler.cycle) if isinstance(sampler, AlternatingBatches) else 1)
    counts = Counter(
        task for epoch in range(epochs) for step in sampler.batches(epoch) for task in step
    )
    read = [counts[name] / loader.num_batches for name, loader in zip(NAMES, loaders, strict=False)]
    assert [epochs * passes for passes in sampler.passes] == pytest.approx(read)


def test_passes_of_unequal_data_sets() -> None:
    large, small = numbered("a", 300, 1), numbered("b", 3, 1)
    assert JointBatches([large, small]).passes == (1.0, 100.0)
    assert AlternatingBatches([large, small]).passes == pytest.approx((0.505, 50.5))
    assert AlternatingBatches([large, small], [100, 1]).passes == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize(
    ("message", "make"),
    [
        (
            "num_batches must be a whole number at least 1, got float 2.5",
            lambda a: JointBatches([a], 2.5),
        ),
        (
            "num_batches must be a whole number at least 1, got str",
            lambda a: AlternatingBatches([a], None, "3"),
        ),
        (
            r"turns\[0\] must be a whole number, got float",
            lambda a: AlternatingBatches([a], [1.5]),
        ),
        ("Expected a list of loaders.*got BatchLoader", lambda a: JointBatches(a)),
        ("Expected a list of loaders.*got generator", lambda a: JointBatches(x for x in [a])),
    ],
)
def test_wrong_types_of_samplers(message: str, make: Any) -> None:
    with pytest.raises(TypeError, match=message):
        make(numbered("a", 2, 1))
