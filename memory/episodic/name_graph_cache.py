"""Keeps the name graph of a LanceDB table up to date as the table changes."""

import asyncio
import time

from lancedb.table import AsyncTable

from memory.episodic.name_graph import SCHEMA, NameGraph
from memory.vector_tables import store_errors

QUICK = 0.1
"""Seconds. A graph that was made this quickly is made again as soon as a search finds that the table changed;
one that took longer (50,000 passages and more) is made in the background, while searches use the last one."""
PAUSE = 10
"""Between two graphs that are made in the background lies this many times as long as the last one took."""


class NameGraphCache:
    """The table's graph, shared by all searches."""

    def __init__(self, table: AsyncTable) -> None:
        self._table = table
        self._lock = asyncio.Lock()
        self._graph: NameGraph | None = None
        self._version = -1
        self._seconds = 0.0
        """How long the last graph took."""
        self._made_at = 0.0
        self._background: asyncio.Task[NameGraph] | None = None

    async def current(self) -> NameGraph:
        """The graph of the table as it is, or was a moment ago. Raises StoreUnavailable."""
        async with store_errors("the passages"):
            version = await self._table.version()
        if self._graph is None or (version != self._version and self._seconds <= QUICK):
            return await self._make(version)
        if self._background is not None and self._background.done():
            done, self._background = self._background, None
            done.result()  # raises what it failed with
        if (
            version != self._version
            and self._background is None
            and time.monotonic() - self._made_at >= PAUSE * self._seconds
        ):
            self._background = asyncio.create_task(self._make(version))
        return self._graph

    async def _make(self, version: int) -> NameGraph:
        async with self._lock:
            if self._graph is None or self._version < version:
                start = time.monotonic()
                async with store_errors("the passages"):
                    rows = await self._table.query().select(SCHEMA.names).to_arrow()
                self._graph = await asyncio.to_thread(NameGraph, rows)
                self._version, self._made_at = version, time.monotonic()
                self._seconds = self._made_at - start
            return self._graph
