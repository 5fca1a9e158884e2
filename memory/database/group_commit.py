"""Group commit: writes that arrive while another is in progress are committed together afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Writes items in groups; `add` returns once its item is written.

    A transaction with many rows costs little more than one with a single row, and syncs to disk only once.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        """`write` must store the whole group or raise; its exception goes to every waiter of the group."""
        self._write = write
        self._queue: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Returns once the item is written. Raises whatever `write` raises."""
        written = asyncio.get_running_loop().create_future()
        self._queue.append((item, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain())
        await written

    async def _drain(self) -> None:
        try:
            while self._queue:
                group, self._queue = self._queue, []
                (error,) = await asyncio.gather(
                    self._write([item for item, _ in group]), return_exceptions=True
                )
                for _, written in group:
                    if written.cancelled():
                        continue
                    if error is not None:
                        written.set_exception(error)
                    else:
                        written.set_result(None)
        finally:
            self._writer = None
