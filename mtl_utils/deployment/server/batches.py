"""Requests that come close together, read as one batch by one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

#: Answers for the items of requests of one kind, one an item, in their order.
Answer = Callable[[Any, list[Any]], Sequence[Any]]


@dataclass(eq=False)
class _Waiting:
    kind: Hashable
    items: Sequence[Any]
    answers: asyncio.Future[list[Any]] = field(repr=False)


class FullQueueError(Exception):
    """As many requests wait as may."""


class RequestBatches:
    """Gathers requests and answers them batch by batch.

    Only whole requests share a batch, and only those of one kind: what the model is asked must be
    the same. Each is checked before it joins: what is found wrong then costs its neighbours
    nothing. If a batch fails all the same, its requests are tried one by one, so that the one at
    fault fails alone. One that is cancelled before its batch begins is left out.

    Args:
        answer: Called with a kind and items, in one thread, never twice at a time.
        max_batch: Items of a batch; a request of more is one of its own.
        max_wait: How many seconds the first of a batch waits for others.
        max_waiting: Requests that may wait.
        check: Called with a kind and the items of one request, in the same thread; what it raises
            is what that request gets.
        told: Called with the number of requests and of items of each batch that was answered.
    """

    def __init__(
        self,
        answer: Answer,
        *,
        max_batch: int,
        max_wait: float,
        max_waiting: int,
        check: Callable[[Any, Sequence[Any]], None] = lambda kind, items: None,
        told: Callable[[int, int], None] = lambda requests, items: None,
    ) -> None:
        self._answer, self._check, self._told = answer, check, told
        self.max_batch, self.max_wait, self.max_waiting = max_batch, max_wait, max_waiting
        self._waiting: list[_Waiting] = []
        self._came = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; from within an event loop."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Answer what waits, then end."""
        self._stopping = True
        self._came.set()
        if self._loop is not None:
            await self._loop
        self._thread.shutdown()

    @property
    def is_stopping(self) -> bool:
        """Whether no more is taken."""
        return self._stopping

    @property
    def num_waiting(self) -> int:
        """How many requests wait for their batch."""
        return len(self._waiting)

    async def ask(self, kind: Hashable, items: Sequence[Any]) -> list[Any]:
        """Return the answers of a request, once its batch was read.

        Args:
            kind: Requests of the same kind may share a batch.
            items: The items, at least one.

        Raises:
            FullQueueError: If too many wait, or it is stopping.
        """
        if self._stopping or len(self._waiting) >= self.max_waiting:
            raise FullQueueError
        one = _Waiting(kind, items, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._came.set()
        try:
            return await one.answers
        finally:
            if one in self._waiting:  # whoever asked has gone
                self._waiting.remove(one)

    async def _run(self) -> None:
        while True:
            idle = False
            while not self._waiting:
                if self._stopping:
                    return
                idle = True
                self._came.clear()
                await self._came.wait()
            if idle and self.max_wait > 0:  # while the model was at work, others have come anyway
                await self._more()
            batch = self._taken()
            await self._answered(await self._checked(batch))

    async def _more(self) -> None:
        """Wait until a batch is full, or for as long as the first of it may wait."""
        try:
            async with asyncio.timeout(self.max_wait):
                while self._waiting and not self._is_full() and not self._stopping:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            pass

    def _is_full(self) -> bool:
        return sum(len(one.items) for one in self._waiting) >= self.max_batch

    def _taken(self) -> list[_Waiting]:
        """Take the first request, and what fits beside it, out of what waits."""
        if not self._waiting:
            return []
        taken = [self._waiting[0]]
        size = len(taken[0].items)
        for one in self._waiting[1:]:
            if one.kind == taken[0].kind and size + len(one.items) <= self.max_batch:
                taken.append(one)
                size += len(one.items)
        chosen = set(map(id, taken))
        self._waiting = [one for one in self._waiting if id(one) not in chosen]
        return taken

    async def _checked(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Return the requests that may share a batch; the others have failed."""
        run = asyncio.get_running_loop().run_in_executor
        errors = await run(self._thread, lambda: [self._error(one) for one in batch])
        for one, error in zip(batch, errors, strict=True):
            if error is not None:
                _fail(one, error)
        return [one for one in batch if not one.answers.done()]

    def _error(self, one: _Waiting) -> Exception | None:
        try:
            self._check(one.kind, one.items)
        except Exception as error:
            return error
        return None

    async def _answered(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        run = asyncio.get_running_loop().run_in_executor
        items = [item for one in batch for item in one.items]
        try:
            answers = list(await run(self._thread, self._answer, batch[0].kind, items))
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            for one in batch:
                if not one.answers.done():
                    await self._answered([one])
            return
        self._told(len(batch), len(items))
        place = 0
        for one in batch:
            if not one.answers.done():
                one.answers.set_result(answers[place : place + len(one.items)])
            place += len(one.items)


def _fail(one: _Waiting, error: Exception) -> None:
    if not one.answers.done():
        one.answers.set_exception(error)
