"""Requests that share a batch: which do, what each gets, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from hang_guard import HANG_SECONDS
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.deployment.server.batches import FullQueueError, RequestBatches


class Model:
    """Answers an item with itself and its kind, once it is let go; remembers its batches."""

    def __init__(self, held: bool = False) -> None:
        self.batches: list[tuple[Any, list[Any]]] = []
        self.begun, self.free = threading.Event(), threading.Event()
        if not held:
            self.free.set()

    def __call__(self, kind: Any, items: list[Any]) -> list[Any]:
        self.batches.append((kind, list(items)))
        self.begun.set()
        assert self.free.wait(HANG_SECONDS)
        if "bad" in items:
            raise ValueError("a bad item")
        return [(kind, item) for item in items]


def run(
    test: Callable[[RequestBatches], Coroutine[Any, Any, Any]], model: Model, **settings: Any
) -> Any:
    async def within() -> Any:
        limits: dict[str, Any] = {"max_batch": 8, "max_wait": 0.0, "max_waiting": 100}
        batches = RequestBatches(model, **limits | settings)
        batches.start()
        try:
            return await test(batches)
        finally:
            model.free.set()
            await batches.stop()

    return asyncio.run(within())


async def held(batches: RequestBatches, model: Model) -> Awaitable[Any]:
    """Ask for something that keeps the model at work, so that what comes after it gathers."""
    first = asyncio.ensure_future(batches.ask("first", ["wait"]))
    await asyncio.to_thread(model.begun.wait)
    return first


def later(batches: RequestBatches, *asked: tuple[Any, list[Any]]) -> list[asyncio.Future[Any]]:
    return [asyncio.ensure_future(batches.ask(kind, items)) for kind, items in asked]


async def gathered(batches: RequestBatches, number: int) -> None:
    while batches.num_waiting < number:
        await asyncio.sleep(0)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), min_size=1, max_size=12),
    st.integers(1, 6),
)
@settings(max_examples=40, deadline=None)
def test_everybody_gets_their_own_answers_and_no_batch_is_too_large(
    asked: list[tuple[str, int]], max_batch: int
) -> None:
    model = Model(held=True)
    requests = [(k, [f"{i}.{j}" for j in range(n)]) for i, (k, n) in enumerate(asked)]

    async def test(batches: RequestBatches) -> list[Any]:
        first = await held(batches, model)
        waiting = later(batches, *requests)
        await gathered(batches, len(requests))
        model.free.set()
        await first
        return await asyncio.gather(*waiting)

    answers = run(test, model, max_batch=max_batch)
    assert answers == [[(kind, item) for item in items] for kind, items in requests]
    _, *read = model.batches
    assert sorted(i for _, items in read for i in items) == sorted(
        i for _, items in requests for i in items
    )
    longest = max(len(items) for _, items in requests)
    assert all(len(items) <= max(max_batch, longest) for _, items in read)
    alone = [items for _, items in read if len(items) > max_batch]
    assert all(items in [given for _, given in requests] for items in alone)


def test_what_gathers_while_the_model_works_is_one_batch_in_order() -> None:
    model = Model(held=True)

    async def test(batches: RequestBatches) -> None:
        first = await held(batches, model)
        waiting = later(batches, ("a", [1]), ("b", [2]), ("a", [3, 4]))
        await gathered(batches, 3)
        model.free.set()
        await asyncio.gather(first, *waiting)

    run(test, model)
    assert model.batches == [("first", ["wait"]), ("a", [1, 3, 4]), ("b", [2])]


def test_an_idle_model_waits_for_others_until_its_batch_is_full() -> None:
    model = Model()

    async def test(batches: RequestBatches) -> None:
        first = later(batches, ("a", [1, 2]))
        await gathered(batches, 1)
        for _ in range(50):  # whatever else runs, it goes on waiting
            await asyncio.sleep(0)
        assert model.batches == []
        await asyncio.gather(*first, *later(batches, ("a", [3])))

    run(test, model, max_batch=3, max_wait=HANG_SECONDS)
    assert model.batches == [("a", [1, 2, 3])]


def test_the_end_of_the_wait_reads_what_is_there_and_every_other_kind_after_it() -> None:
    model = Model()

    async def test(batches: RequestBatches) -> list[Any]:
        return await asyncio.gather(*later(batches, ("a", [1]), ("b", [2]), ("a", [3])))

    assert run(test, model, max_wait=1e-6) == [[("a", 1)], [("b", 2)], [("a", 3)]]


def test_one_that_fails_takes_no_other_with_it() -> None:
    model = Model(held=True)

    async def test(batches: RequestBatches) -> list[Any]:
        first = await held(batches, model)
        waiting = later(batches, ("a", [1]), ("a", ["bad"]), ("a", [2]))
        await gathered(batches, 3)
        model.free.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    good, bad, other = run(test, model)
    assert (good, other) == ([("a", 1)], [("a", 2)])
    assert isinstance(bad, ValueError)


def test_what_a_check_finds_costs_the_neighbours_nothing_and_counts_nowhere() -> None:
    model, told = Model(held=True), list[tuple[int, int]]()

    def check(kind: Any, items: Any) -> None:
        if items == ["odd"]:
            raise LookupError(f"{kind} has an odd item")

    async def test(batches: RequestBatches) -> list[Any]:
        first = await held(batches, model)
        waiting = later(batches, ("a", [1]), ("a", ["odd"]), ("a", [2, 3]), ("b", ["odd"]))
        await gathered(batches, 4)
        model.free.set()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    good, odd, other, alone = run(
        test, model, check=check, told=lambda requests, items: told.append((requests, items))
    )
    assert (good, other) == ([("a", 1)], [("a", 2), ("a", 3)])
    assert (str(odd), str(alone)) == ("a has an odd item", "b has an odd item")
    assert model.batches[1:] == [("a", [1, 2, 3])]
    assert told == [(1, 1), (2, 3)]


def test_only_batches_that_are_answered_are_counted() -> None:
    model, told = Model(held=True), list[tuple[int, int]]()

    async def test(batches: RequestBatches) -> None:
        first = await held(batches, model)
        waiting = later(batches, ("a", [1, 2]), ("a", ["bad"]), ("a", [3]))
        await gathered(batches, 3)
        model.free.set()
        await first
        await asyncio.gather(*waiting, return_exceptions=True)

    run(test, model, told=lambda requests, items: told.append((requests, items)))
    assert told == [(1, 1), (1, 2), (1, 1)]


def test_who_has_gone_before_the_batch_is_not_read() -> None:
    model = Model(held=True)

    async def test(batches: RequestBatches) -> None:
        first = await held(batches, model)
        gone, stays = later(batches, ("a", [1]), ("a", [2]))
        await gathered(batches, 2)
        gone.cancel()
        await gathered(batches, 1)
        while batches.num_waiting > 1:
            await asyncio.sleep(0)
        model.free.set()
        assert await stays == [("a", 2)]
        await first

    run(test, model)
    assert model.batches[1:] == [("a", [2])]


def test_who_goes_while_the_batch_is_read_harms_nobody() -> None:
    model = Model(held=True)

    async def test(batches: RequestBatches) -> Any:
        first = await held(batches, model)
        first.cancel()  # type: ignore[attr-defined]
        (second,) = later(batches, ("a", [1]))
        await gathered(batches, 1)
        model.free.set()
        return await second

    assert run(test, model) == [("a", 1)]


def test_one_more_than_may_wait_is_sent_away() -> None:
    model = Model(held=True)

    async def test(batches: RequestBatches) -> None:
        first = await held(batches, model)
        waiting = later(batches, ("a", [1]), ("a", [2]))
        await gathered(batches, 2)
        with pytest.raises(FullQueueError):
            await batches.ask("a", [3])
        model.free.set()
        await asyncio.gather(first, *waiting)

    run(test, model, max_waiting=2)


def test_what_waits_when_it_is_stopped_is_answered_and_nothing_else_taken() -> None:
    model = Model(held=True)

    async def test(batches: RequestBatches) -> Any:
        first = await held(batches, model)
        waiting = later(batches, ("a", [1]), ("b", [2]))
        await gathered(batches, 2)
        stopped = asyncio.ensure_future(batches.stop())
        await asyncio.sleep(0)
        with pytest.raises(FullQueueError):
            await batches.ask("a", [3])
        model.free.set()
        await stopped
        return await asyncio.gather(first, *waiting)

    assert run(test, model) == [[("first", "wait")], [("a", 1)], [("b", 2)]]
