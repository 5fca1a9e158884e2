"""Background loops: each repeats a step for ever, outlives its failures, and says how it is doing."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from agent.errors import AgentError
from memory.errors import StorageError

log = logging.getLogger(__name__)

LONGEST_PAUSE = 10.0
"""Most seconds between a failure and the next attempt."""
STUCK_SECONDS = 120.0
"""A step that takes longer counts as stuck."""

_T = TypeVar("_T")


class Loop:
    """A step that is repeated for ever. It may fail: the loop logs that, pauses and goes on."""

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[object]],
        *,
        every: float,
        stuck_after: float = STUCK_SECONDS,
        waits_for: tuple[type[Exception], ...] = (),
    ) -> None:
        """`every` is the pause in seconds between two steps; a failing step is tried again after longer and
        longer pauses. A step that takes longer than `stuck_after` counts as stuck.

        `waits_for` are errors that say that something else is away, which has a check of its own: they are
        logged once, and count as no failure.
        """
        self.name = name
        self._step = step
        self._every = every
        self._stuck_after = stuck_after
        self._waits_for = waits_for
        self._waiting = False
        self._failures = 0
        self._reason = ""
        self._succeeded_at = self._begun_at = time.monotonic()
        self._working = False

    async def run(self) -> None:
        """Repeats the step until the task is cancelled."""
        while True:
            self._begun_at, self._working = time.monotonic(), True
            try:
                await self._step()
            except self._waits_for as error:
                if not self._waiting:
                    log.warning("%s: waits: %s", self.name, error)
                self._failures, self._waiting = 0, True
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._note(error)
                log.exception("%s: something in it was cancelled, will retry", self.name)
            except (AgentError, StorageError) as error:  # says what an operator can do
                self._note(error)
                log.error("%s: failed, will retry: %s", self.name, error)
            except Exception as error:
                self._note(error)
                log.exception("%s: failed, will retry", self.name)
            else:
                if self._failures:
                    log.info("%s: works again", self.name)
                self._failures, self._succeeded_at, self._waiting = 0, time.monotonic(), False
            self._working = False
            await asyncio.sleep(self._pause())

    @property
    def problem(self) -> str | None:
        """What is wrong with the loop; None if its last step succeeded and it is not stuck in another."""
        now = time.monotonic()
        if self._failures:
            return f"failing for {now - self._succeeded_at:.0f} s: {self._reason}"
        if self._working and now - self._begun_at > self._stuck_after:
            return f"stuck for {now - self._begun_at:.0f} s: see the log, and restart the api"
        return None

    def _note(self, error: BaseException) -> None:
        self._failures += 1
        self._reason = str(error) or type(error).__name__

    def _pause(self) -> float:
        if not self._failures:
            return self._every
        return min(LONGEST_PAUSE, max(self._every, 0.01) * 2.0 ** min(self._failures, 20))


class Loops:
    """The background loops of a process, for as long as the context lasts."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Loop, asyncio.Task[None]]] = {}

    async def __aenter__(self) -> "Loops":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends all loops."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, *loops: Loop) -> None:
        """Starts the loops; each name may be used once."""
        for loop in loops:
            assert loop.name not in self._running, f"two loops are named {loop.name!r}"
            self._running[loop.name] = (loop, asyncio.create_task(loop.run(), name=loop.name))

    @property
    def states(self) -> Mapping[str, str | None]:
        """What is wrong with each loop, by its name; None if nothing is."""
        return {
            name: "it ended: restart the api" if task.done() else loop.problem
            for name, (loop, task) in self._running.items()
        }


async def do_all(items: Iterable[_T], action: Callable[[_T], Awaitable[object]]) -> None:
    """Does the action for every item, also after it failed for one; then raises the first failure."""
    first: Exception | None = None
    for item in items:
        try:
            await action(item)
        except Exception as error:
            if first is not None:
                log.exception("also failed for %s", item)
            first = first or error
    if first is not None:
        raise first
