"""Additions to LangGraph's savers: copy a thread, thin it out, undo one run.

Opens nothing (`checkpoints` does). How messages are kept is in `chains`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import aiosqlite
import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg_pool import AsyncConnectionPool

from memory.checkpoints import message_chains as chains
from memory.checkpoints.message_chains import ChainedSaver, Statement

Pool = AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]]
INTERRUPT = "__interrupt__"
"""Channel under which LangGraph keeps that a step waits."""
NULL_TASK_ID = "00000000-0000-0000-0000-000000000000"
"""LangGraph's task for what no step wrote: answers and changes that came with a command."""
LINKING = 0x6C696E6B
"""First number of the PostgreSQL advisory locks under which a thread's messages are linked."""
CHECKPOINTS = "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata"
WRITES = "checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, {}"


class _Saver(ChainedSaver):
    """What both do alike; they differ in names, and in how JSON is read."""

    TABLES: ClassVar[Mapping[str, str]]
    """The columns of each table, without its thread."""
    WRITES: ClassVar[str]
    """The table of what steps wrote."""
    RUN_ID: ClassVar[str]
    """The run that made a checkpoint."""

    async def acopy_thread(
        self, source_thread_id: str, target_thread_id: str, *, until: str | None = None
    ) -> None:
        """Copies the checkpoints and writes of one thread to another.

        `until` is the last checkpoint to copy; what was written from there on is left out.
        """
        ends = dict.fromkeys(self.TABLES, "'' <=")
        ends |= {"checkpoints": "checkpoint_id <=", self.WRITES: "checkpoint_id <"}
        await self._run(
            *(
                (
                    f"INSERT INTO {table} (thread_id, {columns}) SELECT ?, {columns} FROM {table}"
                    f" WHERE thread_id = ? AND (CAST(? AS TEXT) IS NULL OR {ends[table]} ?)",
                    (target_thread_id, source_thread_id, until, until),
                )
                for table, columns in self.TABLES.items()
            )
        )
        if until is not None:
            await self.drop_unreferenced_links(target_thread_id)

    async def aundo_run(self, thread_id: str, run_id: str) -> None:
        """Deletes what one run left on its thread, and what became of the interrupt that it went on from.

        The steps that waited there wait again: answers, what they wrote and a command's change are gone.
        On PostgreSQL values that only it wrote, messages aside, stay until the thread is pruned or deleted.
        """
        its = f"thread_id = ? AND {self.RUN_ID} = ?"
        made = f"SELECT checkpoint_id FROM checkpoints WHERE {its}"
        head = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
        delete = f"DELETE FROM {self.WRITES} WHERE thread_id = ?"
        await self._run(
            (f"{delete} AND checkpoint_id IN ({made})", (thread_id, thread_id, run_id)),
            (f"DELETE FROM checkpoints WHERE {its}", (thread_id, run_id)),
            (
                f"{delete} AND checkpoint_id IN ({head}) AND (task_id = ? OR channel <> ? AND task_id IN"
                f" (SELECT task_id FROM {self.WRITES} WHERE thread_id = ? AND channel = ?"
                f" AND checkpoint_id IN ({head})))",
                (thread_id, thread_id, NULL_TASK_ID, INTERRUPT, thread_id, INTERRUPT, thread_id),
            ),
        )
        await self.drop_unreferenced_links(thread_id)


class SqliteSaver(_Saver, AsyncSqliteSaver):
    """The SQLite saver, with the methods that LangGraph's contract names and its own saver lacks."""

    TABLES: ClassVar = {
        "checkpoints": CHECKPOINTS,
        "writes": WRITES.format("value"),
        chains.TABLE: chains.COLUMNS,
    }
    WRITES: ClassVar = "writes"
    RUN_ID: ClassVar = "json_extract(metadata, '$.run_id')"

    def __init__(self, connection: aiosqlite.Connection, *, serde: SerializerProtocol | None = None) -> None:
        super().__init__(connection, serde=serde)
        self._linking = asyncio.Lock()

    @asynccontextmanager
    async def _alone(self, thread_id: str) -> AsyncIterator[None]:
        async with self._linking:  # no other process works on the file
            yield

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes the threads' checkpoints, all but the latest in each namespace if it is to be kept."""
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
            for statement, parameters in statements:
                await cursor.execute(statement, parameters)
            await self.conn.commit()

    async def _rows(self, query: str, parameters: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        async with self.lock, self.conn.execute(query, parameters) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]


class PostgresSaver(_Saver, AsyncPostgresSaver):
    """The PostgreSQL saver, with the methods that LangGraph's contract names and its own saver lacks.

    And with one promise more: what a step wrote is kept before the checkpoint that follows from it, so that
    after a crash no step is without its result. LangGraph's own writes them in any order.
    """

    TABLES: ClassVar = {
        "checkpoints": CHECKPOINTS,
        "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob",
        "checkpoint_writes": WRITES.format("blob"),
        chains.TABLE: chains.COLUMNS,
    }
    WRITES: ClassVar = "checkpoint_writes"
    RUN_ID: ClassVar = "metadata ->> 'run_id'"

    def __init__(self, pool: Pool, serde: SerializerProtocol) -> None:
        super().__init__(pool, serde=serde)
        self._pool = pool
        self._in_turn = asyncio.Lock()
        self._linking = asyncio.Lock()

    @asynccontextmanager
    async def _alone(self, thread_id: str) -> AsyncIterator[None]:
        # One of ours at a time: more would hold connections that the first still needs.
        async with self._linking, self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LINKING, thread_id))
            yield

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See the base class."""
        async with self._in_turn:
            return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See the base class."""
        async with self._in_turn:
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
"""Either does the same."""
