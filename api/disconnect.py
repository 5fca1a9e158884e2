"""Client disconnects: work for a client that goes away before its reply is cancelled.

What that work leaves behind is its own business; runs that must outlive their client are durable elsewhere.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The work's result, once the request's body has been read.

    Raises ClientDisconnect, the work cancelled, if the client goes away first; else what the work raises.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return await task
    finally:
        await _end(task, gone)


async def drawn(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The source's items, drawn by one task of its own, which is cancelled when this is closed.

    So different tasks may take them in turn: LangGraph's streams must be drawn by the task that began them.
    """
    items: asyncio.Queue[T | None] = asyncio.Queue()
    task = asyncio.create_task(_draw(source, items))
    try:
        while (item := await items.get()) is not None:
            yield item
        await task
    finally:
        await _end(task)


async def _end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancels the tasks and waits for them.

    Shielded, because servers cancel again and again until we return, and a second cancellation would reach
    LangGraph while it cleans up after the first: its nodes would then go on, with nobody to stop them.
    """
    for task in tasks:
        task.cancel()
    await asyncio.shield(asyncio.gather(*tasks, return_exceptions=True))


async def _draw(source: AsyncIterator[T], items: "asyncio.Queue[T | None]") -> None:
    try:
        async for item in source:
            items.put_nowait(item)
    finally:
        items.put_nowait(None)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
