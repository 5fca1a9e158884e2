"""Owns what our LangGraph savers can do beyond LangGraph's own: copy a thread, thin it out, undo one run.

Opens nothing (`checkpoints` does), and never looks into a checkpoint's values.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg_pool import AsyncConnectionPool

Pool = AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]]
RESUME = "__resume__"
"""Channel under which LangGraph keeps the answer to an interrupt."""
SQLITE_COLUMNS = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata",
    "writes": "checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value",
}
POSTGRES_COLUMNS = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata",
    "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob",
    "checkpoint_writes": "checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob",
}

UNTIL = {
    "checkpoints": "checkpoint_id <=",
    "writes": "checkpoint_id <",
    "checkpoint_writes": "checkpoint_id <",
    "checkpoint_blobs": "'' <=",
}
"""What a copy up to a checkpoint takes: its writes are what was done from it on, and blobs are shared."""


class SqliteSaver(AsyncSqliteSaver):
    """The SQLite saver, with the methods that LangGraph's contract names and its own saver lacks."""

    async def acopy_thread(
        self, source_thread_id: str, target_thread_id: str, *, until: str | None = None
    ) -> None:
        """Copies the checkpoints and writes of one thread to another.

        `until` is the last checkpoint to copy; what was written from there on is left out.
        """
        await self._run(
            *(
                (
                    f"INSERT INTO {table} (thread_id, {columns}) SELECT ?, {columns} FROM {table}"
                    f" WHERE thread_id = ? AND (? IS NULL OR {UNTIL[table]} ?)",
                    (target_thread_id, source_thread_id, until, until),
                )
                for table, columns in SQLITE_COLUMNS.items()
            )
        )

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

    async def aforget_run(self, thread_id: str, run_id: str) -> None:
        """Deletes what one run left on its thread, and the answer that it gave to an interrupt before it."""
        its = "thread_id = ? AND json_extract(metadata, '$.run_id') = ?"
        head = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
        await self._run(
            (
                "DELETE FROM writes WHERE thread_id = ?"
                f" AND checkpoint_id IN (SELECT checkpoint_id FROM checkpoints WHERE {its})",
                (thread_id, thread_id, run_id),
            ),
            (
                f"DELETE FROM checkpoints WHERE {its}",
                (thread_id, run_id),
            ),
            (
                f"DELETE FROM writes WHERE thread_id = ? AND channel = ? AND checkpoint_id IN ({head})",
                (thread_id, RESUME, thread_id),
            ),
        )

    async def _run(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        await self.setup()
        async with self.lock, self.conn.cursor() as cursor:
            for statement, parameters in statements:
                await cursor.execute(statement, parameters)
            await self.conn.commit()


class PostgresSaver(AsyncPostgresSaver):
    """The PostgreSQL saver, with the methods that LangGraph's contract names and its own saver lacks.

    And with one promise more: what a step wrote is kept before the checkpoint that follows from it, so that
    after a crash no step is without its result. LangGraph's own writes them in any order.
    """

    def __init__(self, pool: Pool, serde: SerializerProtocol) -> None:
        super().__init__(pool, serde=serde)
        self._in_turn = asyncio.Lock()

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

    async def acopy_thread(
        self, source_thread_id: str, target_thread_id: str, *, until: str | None = None
    ) -> None:
        """Copies the checkpoints and writes of one thread to another, with all blobs.

        `until` is the last checkpoint to copy; what was written from there on is left out.
        """
        await self._run(
            *(
                (
                    f"INSERT INTO {table} (thread_id, {columns}) SELECT %s, {columns} FROM {table}"
                    f" WHERE thread_id = %s AND (%s::text IS NULL OR {UNTIL[table]} %s)",
                    (target_thread_id, source_thread_id, until, until),
                )
                for table, columns in POSTGRES_COLUMNS.items()
            )
        )

    async def aforget_run(self, thread_id: str, run_id: str) -> None:
        """Deletes what one run left on its thread, and the answer that it gave to an interrupt before it.

        Values that only it wrote stay behind until the thread is pruned or deleted.
        """
        made = "SELECT checkpoint_id FROM checkpoints WHERE thread_id = %s AND metadata ->> 'run_id' = %s"
        head = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = %s AND checkpoint_ns = ''"
        await self._run(
            (
                f"DELETE FROM checkpoint_writes WHERE thread_id = %s AND checkpoint_id IN ({made})",
                (thread_id, thread_id, run_id),
            ),
            (
                "DELETE FROM checkpoints WHERE thread_id = %s AND metadata ->> 'run_id' = %s",
                (thread_id, run_id),
            ),
            (
                "DELETE FROM checkpoint_writes"
                f" WHERE thread_id = %s AND channel = %s AND checkpoint_id IN ({head})",
                (thread_id, RESUME, thread_id),
            ),
        )

    async def _run(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        async with self._cursor() as cursor, cursor.connection.transaction():
            for statement, parameters in statements:
                await cursor.execute(statement, parameters)


Saver = SqliteSaver | PostgresSaver
"""Either does the same."""
