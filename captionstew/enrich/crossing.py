"""Asks cross into the thread of an event loop and answers cross back, never more than a bounded number of them."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from math import inf
from typing import Protocol

from captionstew.enrich.engine import Answer, Ask
from captionstew.enrich.flow import STEP, flow


class Answering(Protocol):
    """What is asked in the event loop."""

    async def check(self) -> None:
        """Ready, or an error that says why not."""

    async def answered(self, ask: Ask) -> Answer:
        """The answer to one ask."""


def crossed(
    asks: Iterable[Ask],
    enter: Callable[[], AbstractAsyncContextManager[Answering]],
    workers: int,
    most_tokens: float = inf,
) -> Iterator[Answer]:
    """The answers of `workers` coroutines, as they come; what one of them raises rises when all before are taken.

    As many asks again wait beside those at work, so that a caller who is busy does not starve the servers.
    """
    crossing = _Crossing(enter, workers)
    try:
        yield from flow(asks, 2 * workers + STEP, crossing.send, crossing.receive, most_tokens)
    finally:
        crossing.close()


class _Crossing:
    def __init__(self, enter: Callable[[], AbstractAsyncContextManager[Answering]], workers: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._asks: asyncio.Queue[Ask] = asyncio.Queue()
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()  # None: the loop has ended
        self._work = self._loop.create_task(self._main(enter, workers))
        self._thread = threading.Thread(target=self._turn, name="asks", daemon=True)
        self._thread.start()

    def send(self, asks: list[Ask]) -> None:
        """They are in the loop's queue."""
        self._loop.call_soon_threadsafe(self._arrive, asks)

    def receive(self, block: bool) -> Answer:
        """The next answer; queue.Empty if there is none yet, and what ended the loop if there will be none."""
        answer = self._answers.get(block=block)
        if answer is None:
            self._work.result()
            raise AssertionError("the loop has ended with asks unanswered")
        return answer

    def close(self) -> None:
        """The loop and its thread have ended; what was under way is forgotten."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join()
        self._loop.close()

    def _turn(self) -> None:
        self._loop.run_until_complete(asyncio.wait([self._work]))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._answers.put(None)

    def _arrive(self, asks: list[Ask]) -> None:
        for ask in asks:
            self._asks.put_nowait(ask)

    async def _main(self, enter: Callable[[], AbstractAsyncContextManager[Answering]], workers: int) -> None:
        async with enter() as answering:
            await answering.check()
            tasks = [asyncio.create_task(self._serve(answering.answered)) for _ in range(workers)]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, answered: Callable[[Ask], Awaitable[Answer]]) -> None:
        while True:
            self._answers.put(await answered(await self._asks.get()))
