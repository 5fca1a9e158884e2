"""Load generator: latency of sequential requests and throughput of concurrent clients.

An exception from a request is raised to the caller.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

Request = Callable[[], Awaitable[object]]
"""Sends one request and reads its reply."""


async def interleaved_latencies(requests: Sequence[Request], times: int) -> list[np.ndarray]:
    """Latencies in seconds, `times` for each request.

    The requests alternate, so that all see the same load of the machine.
    """
    latencies: list[list[float]] = [[] for _ in requests]
    for _ in range(times):
        for send, of_request in zip(requests, latencies, strict=True):
            started = time.perf_counter()
            await send()
            of_request.append(time.perf_counter() - started)
    return [np.asarray(of_request) for of_request in latencies]


async def throughput(send: Request, clients: int, total: int) -> float:
    """Requests per second of concurrent clients; each sends its next request after the previous reply."""
    left = total

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await send()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return total / (time.perf_counter() - started)
