"""Calls that run together keep their order and their limit, and fail as one."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.concurrency import gather_limited


async def test_results_come_in_order_and_no_more_run_than_are_allowed() -> None:
    running = most = 0

    async def square(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (9 - number))
        running -= 1
        return number * number

    calls: list[Callable[[], Awaitable[int]]] = [lambda n=n: square(n) for n in range(9)]  # type: ignore[misc]
    assert await gather_limited(calls, 3) == [n * n for n in range(9)]
    assert most == 3


async def test_one_that_fails_cancels_the_others_and_is_raised_itself() -> None:
    cancelled = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("the engine is gone")

    with pytest.raises(LookupError, match="the engine is gone"):
        await gather_limited([wait, fail], 2)
    assert cancelled.is_set()


async def test_no_calls_have_no_results() -> None:
    assert await gather_limited([], 3) == []
