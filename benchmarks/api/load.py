"""Load generator: latency of sequential requests, and throughput of concurrent clients.

A request that raises ends the measurement.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

Ask = Callable[[], Awaitable[object]]


async def in_turn(asks: Sequence[Ask], times: int) -> list[np.ndarray]:
    """Latencies in seconds, `times` for each request; the requests alternate, so conditions are equal."""
    seconds: list[list[float]] = [[] for _ in asks]
    for _ in range(times):
        for ask, took in zip(asks, seconds, strict=True):
            started = time.perf_counter()
            await ask()
            took.append(time.perf_counter() - started)
    return [np.asarray(took) for took in seconds]


async def together(ask: Ask, clients: int, total: int) -> float:
    """Requests per second of concurrent clients; each sends its next request after the last reply."""
    left = total

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await ask()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return total / (time.perf_counter() - started)
