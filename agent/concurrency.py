"""Bounded concurrency: runs async calls a few at a time and cancels the rest when one fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def gather_limited(calls: Iterable[Callable[[], Awaitable[_T]]], limit: int) -> list[_T]:
    """Runs the calls, at most `limit` at a time, and returns their results in order.

    If one fails, the others are cancelled and its exception is raised (not an exception group).
    """
    slots = asyncio.Semaphore(limit)

    async def run(call: Callable[[], Awaitable[_T]]) -> _T:
        async with slots:
            return await call()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(call)) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
