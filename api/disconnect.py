"""Client disconnects: cancels the work for a client that disconnects before it gets its reply.

Runs that must outlive their client are started by the executor instead.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def cancel_on_disconnect(request: Request, work: Awaitable[T]) -> T:
    """Awaits the work, unless the client disconnects first. The request's body must have been read.

    Raises ClientDisconnect after cancelling the work; else what the work raises.
    """
    task, disconnect = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return await task
    finally:
        await _cancel(task, disconnect)


async def in_own_task(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yields the source's items from one task, which is cancelled when this generator is closed.

    LangGraph's streams must be iterated by a single task; this generator may be iterated by several.
    """
    items: asyncio.Queue[T | None] = asyncio.Queue()
    task = asyncio.create_task(_fill(source, items))
    try:
        while (item := await items.get()) is not None:
            yield item
        await task
    finally:
        await _cancel(task)


async def _cancel(*tasks: "asyncio.Future[Any]") -> None:
    """Cancels the tasks and waits for them.

    Shielded, because servers cancel repeatedly, and a second cancellation would interrupt LangGraph's
    clean-up after the first and leave its nodes running.
    """
    for task in tasks:
        task.cancel()
    await asyncio.shield(asyncio.gather(*tasks, return_exceptions=True))


async def _fill(source: AsyncIterator[T], items: "asyncio.Queue[T | None]") -> None:
    try:
        async for item in source:
            items.put_nowait(item)
    finally:
        items.put_nowait(None)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
