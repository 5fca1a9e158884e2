"""Calls under way at once, of which one that fails ends the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def gather_limited(calls: Iterable[Callable[[], Awaitable[_T]]], at_once: int) -> list[_T]:
    """The results in the order of the calls, of which at most `at_once` run at a time.

    Where one fails the others are cancelled. Raises what the first failure is, not a group.
    """
    slots = asyncio.Semaphore(at_once)

    async def one(call: Callable[[], Awaitable[_T]]) -> _T:
        async with slots:
            return await call()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(call)) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
