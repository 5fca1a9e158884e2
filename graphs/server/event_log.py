"""How a run's events reach the store and those who follow it: in order, in batches, and with a bell.

Knows no event by name, and reads nothing back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from graphs.server import serialization as wire
from memory.errors import RunLost
from memory.server.runs import RunEvent, ThreadRun, ThreadRuns

TOGETHER_SECONDS = 0.005
"""What is said within it is written together: nobody reads faster, and each write waits for the disk."""


class Bell:
    """Tells those in this process who wait for a run that there is news of it."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def listening(self, run_id: str) -> Iterator[Callable[[float], Awaitable[None]]]:
        """Listens within the block; what it gives waits so long, or until there is news since the entry."""
        event = asyncio.Event()
        self._listeners.setdefault(run_id, set()).add(event)

        async def wait(seconds: float) -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)

        try:
            yield wait
        finally:
            listeners = self._listeners.get(run_id, set())
            listeners.discard(event)
            if not listeners:
                self._listeners.pop(run_id, None)

    def ring(self, run_id: str) -> None:
        """Wakes whoever listens."""
        for event in self._listeners.pop(run_id, ()):
            event.set()


class Journal:
    """The events of one run while it is worked on; leaving it waits until all of them are kept."""

    def __init__(self, run: ThreadRun, runs: ThreadRuns, bell: Bell, lost: Callable[[str], None]) -> None:
        """`lost` is called once if the events cannot be kept because the run is no longer ours."""
        self._run_id = run.run_id
        self._first = run.attempt == 1
        self._runs = runs
        self._bell = bell
        self._lost = lost
        self._said: list[RunEvent] = []
        self._number = 0
        self._news = asyncio.Event()
        self._closing = asyncio.Event()

    def say(self, name: str, data: Any) -> None:
        """Adds an event; it is turned into JSON now, for a graph goes on changing what it holds."""
        self._number += 1
        self._said.append(RunEvent(number=self._number, name=name, data=wire.text(data)))
        self._news.set()

    async def __aenter__(self) -> Self:
        if not self._first:
            self._number = await self._runs.last_number(self._run_id)
        self._writing = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises RunLost, StoreUnavailable, unless something else was raised within."""
        self._closing.set()
        self._news.set()
        if error is None:
            await self._writing
        else:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        while not (self._closing.is_set() and not self._said):
            await self._news.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), TOGETHER_SECONDS)
            self._news.clear()
            batch, self._said = self._said, []
            if batch:
                try:
                    await self._runs.append(self._run_id, batch)
                except RunLost:
                    self._lost(self._run_id)
                    raise
                self._bell.ring(self._run_id)
