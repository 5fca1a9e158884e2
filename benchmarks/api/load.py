"""Load on a server, timed: one request after the other, or many at once.

Judges nothing; a reply that is no success ends the measurement.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

Ask = Callable[[], Awaitable[object]]


async def in_turn(asks: Sequence[Ask], times: int) -> list[np.ndarray]:
    """Seconds that each of them took, `times` each and by turns, so that all see the same machine."""
    seconds: list[list[float]] = [[] for _ in asks]
    for _ in range(times):
        for ask, took in zip(asks, seconds, strict=True):
            started = time.perf_counter()
            await ask()
            took.append(time.perf_counter() - started)
    return [np.asarray(took) for took in seconds]


async def together(ask: Ask, clients: int, total: int) -> float:
    """Requests per second that so many clients get, each asking anew once it has its answer."""
    left = total

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await ask()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return total / (time.perf_counter() - started)
