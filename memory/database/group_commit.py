"""Group commit: writes that arrive while another is under way are committed together after it.

Knows no table; what a write is comes from outside.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Writes what is added, alone or in groups; each addition returns once it is written.

    One transaction for many costs little more than one for each, and the disk is waited for once.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        """`write` keeps all of a group or raises, and then everyone in it is told."""
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Returns once the item is kept. Raises what writing it raises."""
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((item, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._drain())
        await kept

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                (failed,) = await asyncio.gather(
                    self._write([item for item, _ in group]), return_exceptions=True
                )
                for _, kept in group:
                    if kept.cancelled():
                        continue
                    if failed is not None:
                        kept.set_exception(failed)
                    else:
                        kept.set_result(None)
        finally:
            self._writing = None
