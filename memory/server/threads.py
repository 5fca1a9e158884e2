"""Threads in the relational store: their metadata, status and expiry.

Runs are in `memory.server.runs`, checkpoints in LangGraph's saver; this holds what lists and filters need.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, RowMapping, Select, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.database import Database
from memory.database.page_size import require_small, require_small_page
from memory.database.tables import THREAD_RUNS, THREADS, UNFINISHED_RUN
from memory.errors import AlreadyExists, QuotaReached, ThreadBusy, UnknownThread
from memory.records.base import Record

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
TtlStrategy = Literal["delete", "keep_latest"]
Json = dict[str, Any]

PAGE = 20
"""Rows read at once where a filter has to look into their JSON."""
MOST_METADATA_BYTES = 100_000
"""Metadata of a thread, as JSON; each change adds to it."""
GRACE_SECONDS = 60.0
"""How long an expired thread stays hidden before it is deleted: clients may still read the end of its run."""


class Ttl(Record):
    """How long a thread lives after its last use, and what happens then."""

    minutes: float = Field(gt=0, le=60 * 24 * 366 * 10)
    strategy: TtlStrategy = "delete"


class Thread(Record):
    """A thread as lists show it; `values` and `interrupts` are plain JSON, as of its last run or update."""

    thread_id: str
    owner: str | None = None
    """Its creator; None where authentication is off."""
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime
    status: ThreadStatus = "idle"
    metadata: Json = {}
    values: Json | None = None
    interrupts: dict[str, list[Json]] = {}
    error: Json | None = None
    ttl: Ttl | None = None
    expires_at: datetime | None = None


class Search(Record):
    """Which threads, in which order."""

    owner: str | None = None
    """Only threads of this owner; None for all."""
    hidden: tuple[str, ...] = ()
    """Graphs whose threads are left out."""
    ids: tuple[str, ...] = ()
    status: ThreadStatus | None = None
    metadata: Json = {}
    values: Json = {}
    limit: int = 10
    offset: int = 0
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"


class ThreadOutcome(Record):
    """A thread's state after a run or an update."""

    values: Json | None
    interrupts: dict[str, list[Json]] = {}
    unfinished: bool = False
    """The graph stopped before its end and has a next step."""
    error: Json | None = None

    @property
    def status(self) -> ThreadStatus:
        """The thread's status while no run is active."""
        if self.error is not None:
            return "error"
        return "interrupted" if self.unfinished else "idle"


class Threads:
    """The threads of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        thread_id: str,
        *,
        owner: str | None,
        metadata: Json,
        ttl: Ttl | None = None,
        exist_ok: bool = False,
    ) -> Thread:
        """A new thread, or the owner's that is there if `exist_ok`.

        Raises AlreadyExists, and ValueError for too much metadata.
        """
        _require_small(metadata)
        now = self._database.now().timestamp()
        values = new_thread(thread_id, owner, metadata, now, ttl)
        add = self._database.insert_once(THREADS).values(values).returning(THREADS)
        async with self._database.begin() as connection:
            row = (await connection.execute(add)).mappings().first()
        if row is not None:
            return _thread(row)
        if not (exist_ok and await self.open_to(owner, thread_id)):
            raise AlreadyExists(f"thread {thread_id} exists: send if_exists=do_nothing to use it")
        return await self.get(thread_id)

    async def get(self, thread_id: str, *, expired: bool = False) -> Thread:
        """Raises UnknownThread, also for an expired one that waits for its deletion, unless `expired`."""
        query = select(THREADS).where(THREADS.c.id == thread_id)
        async with self._database.begin() as connection:
            if not expired:
                query = query.where(self._visible())
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise unknown(thread_id)
        return _thread(row)

    async def open_to(self, owner: str | None, thread_id: str) -> bool:
        """Whether the owner may use the thread id: it is theirs or new. Without an owner all are open."""
        if owner is None:
            return True
        query = select(THREADS.c.owner).where(THREADS.c.id == thread_id)
        async with self._database.begin() as connection:
            row = (await connection.execute(query)).first()
        return row is None or row[0] == owner

    async def amend(self, thread_id: str, *, metadata: Json, ttl: Ttl | None = None) -> Thread:
        """Merges the metadata into the thread's, and sets a new time to live if one is given.

        Raises UnknownThread, and ValueError for another graph or too much metadata.
        """
        now = self._database.now().timestamp()
        async with self._database.begin() as connection:
            before = await lock(connection, thread_id, now)
            graph = before["metadata"].get("graph_id")
            if graph is not None and metadata.get("graph_id", graph) != graph:
                raise ValueError(
                    f"the thread's graph, {graph}, cannot be changed: leave metadata.graph_id out"
                )
            values: Json = {"metadata": before["metadata"] | metadata}
            _require_small(values["metadata"])
            if ttl is not None:
                values |= lifetime(ttl, now)
            await connection.execute(update(THREADS).where(THREADS.c.id == thread_id).values(values))
        return await self.get(thread_id)

    async def record(self, thread_id: str, outcome: ThreadOutcome) -> None:
        """Records the state after an update outside a run; a busy thread stays busy."""
        now = self._database.now().timestamp()
        async with self._database.begin() as connection:
            before = await lock(connection, thread_id, now)
            status = "busy" if before["status"] == "busy" else outcome.status
            await record_outcome(connection, before, outcome, status, now)

    @asynccontextmanager
    async def idle(self, thread_id: str) -> AsyncIterator[Callable[[ThreadOutcome], Awaitable[None]]]:
        """Keeps runs and other changes off a thread without runs; yields what records its state after one.

        Within the block, use nothing else of the database: on SQLite it has one connection, which is taken.
        Raises UnknownThread, and ThreadBusy while a run is unfinished.
        """
        now = self._database.now().timestamp()
        runs = select(THREAD_RUNS.c.id).where(THREAD_RUNS.c.thread_id == thread_id, UNFINISHED_RUN).limit(1)
        async with self._database.begin() as connection:
            before = await lock(connection, thread_id, now)
            if (run_id := (await connection.execute(runs)).scalar()) is not None:
                raise ThreadBusy(f"thread {thread_id} is busy with run {run_id}: wait for it or cancel it")

            async def record(outcome: ThreadOutcome) -> None:
                await record_outcome(connection, before, outcome, outcome.status, now)

            yield record

    async def delete(self, thread_id: str) -> None:
        """Deletes the thread with its runs and their events. Raises UnknownThread."""
        async with self._database.begin() as connection:
            done = await connection.execute(delete(THREADS).where(THREADS.c.id == thread_id))
        if done.rowcount == 0:
            raise unknown(thread_id)

    async def search(self, wanted: Search) -> tuple[Thread, ...]:
        """Threads that match, in order. Raises ValueError for a page that would be too large."""
        query, found = self._query(wanted), list[Thread]()
        if not wanted.metadata and not wanted.values:
            query = query.offset(wanted.offset).limit(wanted.limit)
            async with self._database.begin() as connection:
                await require_small_page(connection, query, THREADS.c["values"], THREADS.c.metadata)
                rows = (await connection.execute(query)).mappings()
                return tuple(_thread(row) for row in rows)
        skipped, size = 0, 0
        async for row in self._matching(query, wanted):
            if skipped < wanted.offset:
                skipped += 1
                continue
            found.append(_thread(row))
            size += len(json.dumps((row["values"], row["metadata"])))
            require_small(size)
            if len(found) == wanted.limit:
                break
        return tuple(found)

    async def count(self, wanted: Search) -> int:
        """How many match, whatever the limit."""
        count = 0
        async for _ in self._matching(self._query(wanted), wanted):
            count += 1
        return count

    async def expired(self) -> tuple[tuple[str, TtlStrategy], ...]:
        """Expired threads: those to prune, and those to delete once GRACE_SECONDS are over."""
        now = self._database.now().timestamp()
        query = select(THREADS.c.id, THREADS.c.ttl_strategy).where(
            THREADS.c.status != "busy",
            or_(
                and_(THREADS.c.ttl_strategy == "keep_latest", THREADS.c.expires_at <= now),
                THREADS.c.expires_at <= now - GRACE_SECONDS,
            ),
        )
        return tuple((row["id"], row["ttl_strategy"]) for row in await self._page(query.limit(PAGE)))

    async def renew(self, thread_id: str) -> None:
        """Gives a thread that was pruned to its latest state another lifetime."""
        now = self._database.now().timestamp()
        async with self._database.begin() as connection:
            before = await lock(connection, thread_id, now)
            if (ttl := _ttl(before)) is not None:
                values = lifetime(ttl, now)
                await connection.execute(update(THREADS).where(THREADS.c.id == thread_id).values(values))

    def _visible(self) -> ColumnElement[bool]:
        now = self._database.now().timestamp()
        return or_(
            THREADS.c.expires_at.is_(None), THREADS.c.expires_at > now, THREADS.c.ttl_strategy != "delete"
        )

    def _query(self, wanted: Search) -> Select[Any]:
        query = select(THREADS).where(self._visible())
        if wanted.owner is not None:
            query = query.where(THREADS.c.owner == wanted.owner)
        if wanted.hidden:
            graph = THREADS.c.metadata["graph_id"].as_string()
            query = query.where(or_(graph.is_(None), graph.not_in(wanted.hidden)))
        if wanted.ids:
            query = query.where(THREADS.c.id.in_(wanted.ids))
        if wanted.status is not None:
            query = query.where(THREADS.c.status == wanted.status)
        column = THREADS.c["id" if wanted.sort_by == "thread_id" else wanted.sort_by]
        return query.order_by(column.asc() if wanted.sort_order == "asc" else column.desc(), THREADS.c.id)

    async def _matching(self, query: Select[Any], wanted: Search) -> AsyncIterator[RowMapping]:
        start = 0
        while rows := await self._page(query.offset(start).limit(PAGE)):
            for row in rows:
                if contains(row["metadata"], wanted.metadata) and contains(
                    row["values"] or {}, wanted.values
                ):
                    yield row
            start += PAGE

    async def _page(self, query: Select[Any]) -> Sequence[RowMapping]:
        async with self._database.begin() as connection:
            return list((await connection.execute(query)).mappings())


def contains(value: Any, wanted: Any) -> bool:
    """Whether the JSON value contains the filter: objects by key, everything else by equality."""
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(
            k in value and contains(value[k], w) for k, w in wanted.items()
        )
    return type(value) is type(wanted) and bool(value == wanted)


def new_thread(
    thread_id: str, owner: str | None, metadata: Json, now: float, ttl: Ttl | None = None
) -> dict[str, Any]:
    """The row of a new thread, idle."""
    return {
        "id": thread_id,
        "owner": owner,
        "created_at": now,
        "updated_at": now,
        "state_updated_at": now,
        "status": "idle",
        "metadata": metadata,
        "interrupts": {},
    } | (lifetime(ttl, now) if ttl is not None else {})


async def lock(connection: AsyncConnection, thread_id: str, now: float) -> RowMapping:
    """Locks the thread's row until the transaction ends and returns it.

    The row is written, because SQLite locks on writes only. Raises UnknownThread.
    """
    touch = update(THREADS).where(THREADS.c.id == thread_id).values(updated_at=now).returning(THREADS)
    row: RowMapping | None = (await connection.execute(touch)).mappings().first()
    if row is None:
        raise unknown(thread_id)
    return row


async def record_outcome(
    connection: AsyncConnection, before: RowMapping, outcome: ThreadOutcome, status: ThreadStatus, now: float
) -> None:
    """Writes the thread's state and restarts its time to live."""
    ttl = _ttl(before)
    values = {
        "values": outcome.values,
        "interrupts": outcome.interrupts,
        "error": outcome.error,
        "status": status,
        "state_updated_at": now,
    } | (lifetime(ttl, now) if ttl is not None else {})
    await connection.execute(update(THREADS).where(THREADS.c.id == before["id"]).values(values))


def lifetime(ttl: Ttl, now: float) -> Json:
    """The columns that say when a thread expires."""
    return {
        "ttl_minutes": ttl.minutes,
        "ttl_strategy": ttl.strategy,
        "expires_at": now + ttl.minutes * 60,
    }


async def check_quota(connection: AsyncConnection, graph_id: str, owner: str, most: int) -> None:
    """Raises QuotaReached if so many runs of the graph on the owner's threads are unfinished."""
    query = (
        select(func.count())
        .select_from(THREAD_RUNS)
        .join(THREADS, THREADS.c.id == THREAD_RUNS.c.thread_id)
        .where(UNFINISHED_RUN, THREAD_RUNS.c.graph_id == graph_id, THREADS.c.owner == owner)
    )
    if (await connection.execute(query)).scalar_one() >= most:
        raise QuotaReached(f"{most} {graph_id} runs of {owner} are unfinished: wait for one, or cancel one")


def unknown(thread_id: str) -> UnknownThread:
    """The error for a thread that does not exist."""
    return UnknownThread(f"no thread {thread_id}: create it first, or send if_not_exists=create")


def moment(seconds: float) -> datetime:
    """A stored time as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def _ttl(row: RowMapping) -> Ttl | None:
    if row["ttl_minutes"] is None:
        return None
    return Ttl(minutes=row["ttl_minutes"], strategy=row["ttl_strategy"])


def _thread(row: RowMapping) -> Thread:
    return Thread(
        thread_id=row["id"],
        owner=row["owner"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        state_updated_at=moment(row["state_updated_at"]),
        status=row["status"],
        metadata=row["metadata"],
        values=row["values"],
        interrupts=row["interrupts"],
        error=row["error"],
        ttl=_ttl(row),
        expires_at=None if row["expires_at"] is None else moment(row["expires_at"]),
    )


def _require_small(metadata: Json) -> None:
    size = len(json.dumps(metadata))
    if size > MOST_METADATA_BYTES:
        raise ValueError(
            f"metadata: the thread would have {size:,} bytes (limit {MOST_METADATA_BYTES:,}):"
            " store large values as items of the store"
        )
