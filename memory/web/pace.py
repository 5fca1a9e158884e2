"""The pace of requests: at most one request to a host in each interval."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

SECONDS = 1.0
"""Between the starts of two requests to one host, unless its robots.txt asks for more."""
MAX_HOSTS = 10_000
"""Hosts whose last request is remembered."""


class HostPace:
    """Spaces the requests to each host; those to different hosts do not wait for each other."""

    def __init__(
        self,
        seconds: float = SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._next: LRUCache[str, float] = LRUCache(MAX_HOSTS)
        """When each host may be asked again."""
        self._own: LRUCache[str, float] = LRUCache(MAX_HOSTS)
        """The interval that a host asks for."""

    def slow_down(self, host: str, seconds: float) -> None:
        """Keeps at least this interval between later requests to the host."""
        self._own[host] = seconds

    async def wait(self, host: str) -> None:
        """Returns when the host may be sent a request, which the caller then sends."""
        now = self._clock()
        start = max(now, self._next.get(host, now))
        self._next[host] = start + max(self._seconds, self._own.get(host, 0.0))
        if start > now:
            await self._sleep(start - now)
