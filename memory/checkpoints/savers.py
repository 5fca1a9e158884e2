"""LangGraph's checkpoint savers with additions: copy a thread, prune it, and undo runs.

`connect` opens them; `message_chains` stores their messages.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import aiosqlite
import ormsgpack
import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg_pool import AsyncConnectionPool

from memory.checkpoints import message_chains as chains
from memory.checkpoints.checkpoint_ids import follow
from memory.checkpoints.message_chains import ChainedSaver, Statement
from memory.database.raw_errors import translates_errors

Pool = AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]]
INTERRUPT = "__interrupt__"
"""LangGraph's channel for the interrupts of waiting steps."""
NULL_TASK_ID = "00000000-0000-0000-0000-000000000000"
"""LangGraph's task id for writes that came from no step: the resume values and updates of a command."""
LINK_LOCK = 0x6C696E6B
"""First key of the PostgreSQL advisory locks for a thread's message links; the second hashes the thread."""
CHECKPOINTS = "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata"
WRITES = "checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, {}"


_TRANSLATES_ERRORS = translates_errors(
    "the checkpoints",
    repeated=(
        "aget_tuple", "aput", "aput_writes", "adelete_thread", "aprune", "aundo_run", "adelete_for_runs",
        "athreads_holding", "drop_unreferenced_links",
    ),
    once=("acopy_thread",),  # a repeated insert fails if the first one was committed after all
    streams=("alist",),
)  # fmt: skip


class _ExtendedSaver(ChainedSaver):
    """The additions that both savers share; they differ in table names and JSON syntax."""

    TABLES: ClassVar[Mapping[str, str]]
    """The columns of each table, except `thread_id`."""
    WRITES: ClassVar[str]
    """Name of the table with the writes of steps."""
    BLOBS: ClassVar[Mapping[str, str]]
    """The column with serialized values of each table."""
    HOLDS: ClassVar[str]
    """SQL condition for such a column to hold some bytes."""
    RUN_ID: ClassVar[str]
    """SQL expression for the run id in a checkpoint's metadata."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See the base class. Whatever is written after it becomes the thread's latest state."""
        found = await super().aget_tuple(config)
        if found is not None:
            latest = found.checkpoint["id"]
            if get_checkpoint_id(config) is not None:
                query = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ?"
                place = config["configurable"]
                ((latest,),) = await self._rows(query, (place["thread_id"], place.get("checkpoint_ns", "")))
            follow(latest)
        return found

    async def acopy_thread(
        self, source_thread_id: str, target_thread_id: str, *, until: str | None = None
    ) -> None:
        """Copies the checkpoints and writes of one thread to another.

        `until` is the last checkpoint to copy; the writes that follow it are left out.
        """
        limits = dict.fromkeys(self.TABLES, "'' <=")
        limits |= {"checkpoints": "checkpoint_id <=", self.WRITES: "checkpoint_id <"}
        await self._run(
            *(
                (
                    f"INSERT INTO {table} (thread_id, {columns}) SELECT ?, {columns} FROM {table}"
                    f" WHERE thread_id = ? AND (CAST(? AS TEXT) IS NULL OR {limits[table]} ?)",
                    (target_thread_id, source_thread_id, until, until),
                )
                for table, columns in self.TABLES.items()
            )
        )
        if until is not None:
            await self.drop_unreferenced_links(target_thread_id)

    async def aundo_run(self, thread_id: str, run_id: str) -> None:
        """Deletes one run's checkpoints and writes, and restores the interrupt that it resumed.

        Interrupted steps wait again; the resume values, their writes and a command's update are deleted.
        On PostgreSQL, channel values that only this run wrote stay until the thread is pruned or deleted.
        """
        of_run = f"thread_id = ? AND {self.RUN_ID} = ?"
        checkpoints = f"SELECT checkpoint_id FROM checkpoints WHERE {of_run}"
        latest = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
        delete = f"DELETE FROM {self.WRITES} WHERE thread_id = ?"
        await self._run(
            (f"{delete} AND checkpoint_id IN ({checkpoints})", (thread_id, thread_id, run_id)),
            (f"DELETE FROM checkpoints WHERE {of_run}", (thread_id, run_id)),
            (
                f"{delete} AND checkpoint_id IN ({latest}) AND (task_id = ? OR channel <> ? AND task_id IN"
                f" (SELECT task_id FROM {self.WRITES} WHERE thread_id = ? AND channel = ?"
                f" AND checkpoint_id IN ({latest})))",
                (thread_id, thread_id, NULL_TASK_ID, INTERRUPT, thread_id, INTERRUPT, thread_id),
            ),
        )
        await self.drop_unreferenced_links(thread_id)

    async def athreads_holding(self, text: str) -> tuple[str, ...]:
        """The threads with a state that holds exactly this text as one of its strings."""
        packed = ormsgpack.packb(text)
        found: set[str] = set()
        for table, column in self.BLOBS.items():
            query = f"SELECT DISTINCT thread_id FROM {table} WHERE {self.HOLDS.format(column)}"
            found.update(thread_id for (thread_id,) in await self._rows(query, (packed,)))
        return tuple(sorted(found))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Undoes the runs on every thread; see `aundo_run`."""
        threads = f"SELECT DISTINCT thread_id FROM checkpoints WHERE {self.RUN_ID} = ?"
        for run_id in run_ids:
            for (thread_id,) in await self._rows(threads, (run_id,)):
                await self.aundo_run(thread_id, run_id)


@_TRANSLATES_ERRORS
class SqliteSaver(_ExtendedSaver, AsyncSqliteSaver):
    """LangGraph's SQLite saver with `aprune` and the methods of `_ExtendedSaver`, which it lacks."""

    TABLES: ClassVar = {
        "checkpoints": CHECKPOINTS,
        "writes": WRITES.format("value"),
        chains.TABLE: chains.COLUMNS,
    }
    WRITES: ClassVar = "writes"
    BLOBS: ClassVar = {"checkpoints": "checkpoint", "writes": "value", chains.TABLE: "message"}
    HOLDS: ClassVar = "instr({}, ?) > 0"
    RUN_ID: ClassVar = "json_extract(metadata, '$.run_id')"

    def __init__(self, connection: aiosqlite.Connection, *, serde: SerializerProtocol | None = None) -> None:
        super().__init__(connection, serde=serde)
        self._link_lock = asyncio.Lock()

    @asynccontextmanager
    async def _thread_lock(self, thread_id: str) -> AsyncIterator[None]:
        async with self._link_lock:  # enough, because only one process uses the file
            yield

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes the threads' checkpoints: all, or with `keep_latest` all but the latest per namespace."""
        for thread_id in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(thread_id)
                continue
            latest = (
                "(SELECT max(checkpoint_id) FROM checkpoints AS newer WHERE newer.thread_id = {0}.thread_id"
                " AND newer.checkpoint_ns = {0}.checkpoint_ns)"
            )
            await self._run(
                *(
                    (
                        f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id < {latest.format(table)}",
                        (thread_id,),
                    )
                    for table in ("writes", "checkpoints")
                ),
                ("UPDATE checkpoints SET parent_checkpoint_id = NULL WHERE thread_id = ?", (thread_id,)),
            )
            await self.drop_unreferenced_links(thread_id)

    async def _run(self, *statements: Statement) -> None:
        async with self.lock, self.conn.cursor() as cursor:
            try:
                for statement, parameters in statements:
                    await cursor.execute(statement, parameters)
                await self.conn.commit()
            except sqlite3.Error:
                await self.conn.rollback()  # else the next commit would include the first statements
                raise

    async def _rows(self, query: str, parameters: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        async with self.lock, self.conn.execute(query, parameters) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]


@_TRANSLATES_ERRORS
class PostgresSaver(_ExtendedSaver, AsyncPostgresSaver):
    """LangGraph's PostgreSQL saver with the methods of `_ExtendedSaver`, which it lacks.

    It also stores a step's writes before the checkpoint that follows, so that no result is missing after a
    crash; LangGraph's saver stores them in any order.
    """

    TABLES: ClassVar = {
        "checkpoints": CHECKPOINTS,
        "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob",
        "checkpoint_writes": WRITES.format("blob"),
        chains.TABLE: chains.COLUMNS,
    }
    WRITES: ClassVar = "checkpoint_writes"
    BLOBS: ClassVar = {"checkpoint_blobs": "blob", "checkpoint_writes": "blob", chains.TABLE: "message"}
    HOLDS: ClassVar = "position(? in {}) > 0"
    RUN_ID: ClassVar = "metadata ->> 'run_id'"

    def __init__(self, pool: Pool, serde: SerializerProtocol) -> None:
        super().__init__(pool, serde=serde)
        self._pool = pool
        self._put_lock = asyncio.Lock()
        self._link_lock = asyncio.Lock()

    @asynccontextmanager
    async def _thread_lock(self, thread_id: str) -> AsyncIterator[None]:
        # One at a time in this process: waiting ones would hold connections that the first still needs.
        async with self._link_lock, self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LINK_LOCK, thread_id))
            yield

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See the base class."""
        async with self._put_lock:
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See the base class."""
        async with self._put_lock:
            await super().aput_writes(config, writes, task_id, task_path)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See the base class."""
        await super().aprune(thread_ids, strategy=strategy)
        for thread_id in thread_ids:
            await self.drop_unreferenced_links(thread_id)

    async def _run(self, *statements: Statement) -> None:
        async with self._cursor() as cursor, cursor.connection.transaction():
            for statement, parameters in statements:
                await cursor.execute(statement.replace("?", "%s"), parameters)

    async def _rows(self, query: str, parameters: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        async with self._cursor() as cursor:
            await cursor.execute(query.replace("?", "%s"), parameters)
            return [tuple(row.values()) for row in await cursor.fetchall()]


Saver = SqliteSaver | PostgresSaver
"""The savers of the two databases; they have the same methods."""
