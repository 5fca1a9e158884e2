"""The event log of a run: events are numbered, stored in batches, and announced to subscribers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from graphs.server import serialization
from memory.errors import RunLost
from memory.server.runs import RunEvent, ThreadRun, ThreadRuns

BATCH_SECONDS = 0.005
"""Events of this period are written together: each write waits for the disk."""


class Notifier:
    """Wakes this process's subscribers of a run."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def subscribed(self, run_id: str) -> Iterator[Callable[[float], Awaitable[None]]]:
        """Subscribes within the block; yields a function that waits for a notification, or that long."""
        event = asyncio.Event()
        self._subscribers.setdefault(run_id, set()).add(event)

        async def wait(seconds: float) -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)

        try:
            yield wait
        finally:
            subscribers = self._subscribers.get(run_id, set())
            subscribers.discard(event)
            if not subscribers:
                self._subscribers.pop(run_id, None)

    def notify(self, run_id: str) -> None:
        """Wakes all subscribers of the run."""
        for event in self._subscribers.pop(run_id, ()):
            event.set()


class EventLog:
    """The event log of one attempt; leaving the context waits until all events are stored."""

    def __init__(
        self,
        run: ThreadRun,
        runs: ThreadRuns,
        notifier: Notifier,
        on_lost: Callable[[str], None],
        *,
        stored: int | None = None,
    ) -> None:
        """`stored` events of the run exist already; None to count them, as after another attempt.

        `on_lost` is called with the run's id if another process has taken the run over.
        """
        self._run_id = run.run_id
        self._stored = 0 if stored is None and run.attempt == 1 else stored
        self._runs = runs
        self._notifier = notifier
        self._on_lost = on_lost
        self._pending: list[RunEvent] = []
        self._number = 0
        self._appended = asyncio.Event()
        self._closing = asyncio.Event()

    def append(self, name: str, data: Any) -> None:
        """Adds an event; it is serialised at once, because graphs go on changing their state."""
        self._number += 1
        self._pending.append(RunEvent(number=self._number, name=name, data=serialization.text(data)))
        self._appended.set()

    async def __aenter__(self) -> Self:
        if self._stored is None:
            self._stored = await self._runs.last_number(self._run_id)
        self._number = self._stored
        self._writing = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises RunLost and StoreUnavailable, unless the block raised something else."""
        self._closing.set()
        self._appended.set()
        if error is None:
            await self._writing
        else:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        while not (self._closing.is_set() and not self._pending):
            await self._appended.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), BATCH_SECONDS)
            self._appended.clear()
            batch, self._pending = self._pending, []
            if batch:
                try:
                    await self._runs.append(self._run_id, batch)
                except RunLost:
                    self._on_lost(self._run_id)
                    raise
                self._notifier.notify(self._run_id)


def metadata_event(run_id: str) -> RunEvent:
    """The first event of a run's first attempt."""
    return RunEvent(number=1, name="metadata", data=serialization.text({"run_id": run_id, "attempt": 1}))
