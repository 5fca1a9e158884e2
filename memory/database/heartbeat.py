"""The heartbeat: a row that is written to see whether the database takes writes."""

import asyncio
import time
from collections.abc import Callable

from memory.database.database import Database
from memory.database.tables import HEARTBEAT

REST_SECONDS = 2.0
"""How long a write that succeeded stands for others, so that frequent checks cost little."""
ROW = 0


class Heartbeat:
    """Writes the heartbeat row of one database."""

    def __init__(self, database: Database, timer: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._timer = timer
        self._written_at = float("-inf")
        self._writing = asyncio.Lock()

    async def beat(self) -> None:
        """Writes the row, unless that succeeded in the last seconds. Raises StoreUnavailable."""
        async with self._writing:
            if self._timer() - self._written_at < REST_SECONDS:
                return
            row = {"id": ROW, "at": self._database.now().timestamp()}
            async with self._database.begin() as connection:
                await connection.execute(self._database.upsert(HEARTBEAT).values(row))
            self._written_at = self._timer()
