"""SQLite connections for the event loop, which take a thread only for what may wait.

aiosqlite passes every single call to a thread and back, which takes far longer than most statements. Here
quick statements run on the event loop itself; commits, which wait for the disk, and statements that may touch
many rows run in aiosqlite's thread, as everything does while the thread is busy.
"""

import re
import sqlite3
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import aiosqlite

_QUICK_STATEMENT = re.compile(r"\s*(?:SELECT|WITH|UPDATE|INSERT\b.*?\bVALUES)\b", re.IGNORECASE | re.DOTALL)
_QUICK_CALLS = frozenset({"cursor", "fetchone", "fetchmany", "fetchall", "close", "rollback"})
_NOTHING = frozenset({"commit", "rollback"})
"""Calls that do nothing outside a transaction."""


class LoopConnection(aiosqlite.Connection):
    """A connection of aiosqlite whose quick statements run on the event loop."""

    def __init__(self, path: str, *, busy_seconds: float, isolation_level: str | None = "DEFERRED") -> None:
        """`busy_seconds` is how long a statement waits, in the thread, for another process's write."""
        super().__init__(
            partial(
                sqlite3.connect, path, timeout=0, isolation_level=isolation_level, check_same_thread=False
            ),
            iter_chunk_size=64,
        )
        self._thread.daemon = True  # a connection that was never closed must not keep the process alive
        self._busy_milliseconds = int(busy_seconds * 1000)
        self._in_thread = 0

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function of the connection or a cursor; aiosqlite does so for all its methods."""
        if self._in_thread == 0 and self._connection is not None and self._is_quick(fn, args):
            try:
                return fn(*args, **kwargs)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
        self._in_thread += 1
        try:
            return await super()._execute(self._waiting, fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        finally:
            self._in_thread -= 1

    def _is_quick(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        name = getattr(fn, "__name__", "")
        if name in ("execute", "executemany"):
            return _is_quick_statement(args[0])
        if name in _NOTHING and not self._conn.in_transaction:
            return True
        return name in _QUICK_CALLS

    def _waiting(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls the function in the thread; it waits for other processes that write."""
        if not _may_be_busy(fn):
            return fn(*args, **kwargs)
        connection = self._conn
        connection.execute(f"PRAGMA busy_timeout={self._busy_milliseconds}")
        try:
            return fn(*args, **kwargs)
        finally:
            connection.execute("PRAGMA busy_timeout=0")


def _may_be_busy(fn: Callable[..., Any]) -> bool:
    return getattr(fn, "__name__", "") in ("execute", "executemany", "executescript", "commit")


@lru_cache(1000)
def _is_quick_statement(statement: str) -> bool:
    return _QUICK_STATEMENT.match(statement) is not None
