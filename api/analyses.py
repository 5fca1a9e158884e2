"""Analyses of a whole library: one at a time, in a thread of their own, so that chat keeps the others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

Result = TypeVar("Result")


class Analyses:
    """The analyses of one process."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="analysis")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until no other analysis runs or has loaded what it reads."""
        async with self._lock:
            yield

    async def run(self, compute: Callable[[], Result]) -> Result:
        """Computes it in the thread of analyses."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, compute)

    async def aclose(self) -> None:
        """Ends the thread, after what it computes; what waits for it is cancelled."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
