"""Runs on threads and their events in the relational store: in order, and one at a time on each thread.

That each is worked on is DBOS's business; an attempt that another has followed is told so by what it writes.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import RowMapping, ScalarSelect, Select, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from memory.database.database import Database
from memory.database.tables import RUN_EVENTS, THREAD_RUNS, THREADS
from memory.errors import AlreadyExists, RollbackAsked, RunLost, ThreadBusy, UnknownRun
from memory.records.base import Record
from memory.server.threads import Json, Standing, leave, lock, moment, new_thread

RunStatus = Literal["pending", "running", "success", "error", "timeout", "interrupted"]
Strategy = Literal["reject", "enqueue", "interrupt", "rollback"]
CancelAction = Literal["interrupt", "rollback"]
UNFINISHED = ("pending", "running")


class ThreadRun(Record):
    """One run on a thread, as it was asked for and as far as it came."""

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    status: RunStatus = "pending"
    metadata: Json = {}
    request: Json = {}
    """The body of the request that asked for it."""
    strategy: Strategy = "enqueue"
    created_at: datetime
    updated_at: datetime
    starts_at: datetime
    cancel: CancelAction | None = None
    """What whoever works on it has been asked to do with it."""
    attempt: int = 0
    """How often work on it has begun."""
    error: Json | None = None
    checkpoint_id: str | None = None
    """The last checkpoint that it left."""

    @property
    def finished(self) -> bool:
        """Whether nothing of it is still to come."""
        return self.status not in UNFINISHED


class RunEvent(Record):
    """One event of a run; `data` is JSON text, ready to be sent."""

    number: int
    name: str
    data: str


class ThreadRuns:
    """The runs on threads of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, run: ThreadRun, *, create_thread: bool, thread_metadata: Json, owner: str | None = None
    ) -> tuple[ThreadRun, ...]:
        """Queues the run and returns the unfinished ones before it, which its strategy may end.

        `owner` is whose thread is created.

        Raises UnknownThread unless `create_thread`, ValueError for another graph's thread, ThreadBusy if it
        is not to wait, AlreadyExists.
        """
        now = self._now()
        async with self._database.begin() as connection:
            if create_thread:
                thread = new_thread(run.thread_id, owner, thread_metadata, now)
                await connection.execute(self._database.insert_once(THREADS).values(thread))
            before = await lock(connection, run.thread_id, now)
            if (holds := before["metadata"].get("graph_id", run.graph_id)) != run.graph_id:
                raise ValueError(f"thread {run.thread_id} belongs to graph {holds!r}: take another thread")
            others = await _runs(connection, _unfinished(run.thread_id))
            if others and run.strategy == "reject":
                raise ThreadBusy(
                    f"thread {run.thread_id} is busy with run {others[0].run_id}: wait for it, or send"
                    " another multitask_strategy"
                )
            add = self._database.insert_once(THREAD_RUNS).values(_columns(run))
            if (await connection.execute(add.returning(THREAD_RUNS.c.id))).first() is None:
                raise AlreadyExists(f"run {run.run_id} exists already")
            values = {"status": "busy", "metadata": thread_metadata | before["metadata"]}
            await connection.execute(update(THREADS).where(THREADS.c.id == run.thread_id).values(values))
            return others

    async def next(self, thread_id: str) -> ThreadRun | None:
        """The thread's first waiting run, if it is due and none is worked on."""
        async with self._database.begin() as connection:
            waiting = await _runs(connection, _unfinished(thread_id))
        return _next(waiting, self._now())

    async def claim(self, run_id: str) -> ThreadRun | None:
        """The run, now running: another attempt at it. None if it has ended or is gone.

        Raises ThreadBusy if it is not its turn yet. That no two run at once on a thread is for the database's
        index to see to, whatever two processes believe.
        """
        now = self._now()
        its = select(THREAD_RUNS.c.thread_id).where(THREAD_RUNS.c.id == run_id).scalar_subquery()
        try:
            async with self._database.begin() as connection:
                # Written first, as `lock` does, for SQLite locks on writing only.
                await connection.execute(update(THREADS).where(THREADS.c.id == its).values(updated_at=now))
                waiting = await _runs(connection, _unfinished(its))
                run = next((run for run in waiting if run.run_id == run_id), None)
                if run is None:
                    return None
                if run.status == "pending" and run != _next(waiting, now):
                    raise ThreadBusy(f"run {run_id} waits for its turn")
                return await _begin(connection, run, now)
        except IntegrityError:
            raise ThreadBusy(f"run {run_id} waits for its turn") from None

    async def due(self) -> tuple[str, ...]:
        """Threads on which a run could begin now."""
        running = select(THREAD_RUNS.c.thread_id).where(THREAD_RUNS.c.status == "running")
        query = (
            select(THREAD_RUNS.c.thread_id)
            .where(THREAD_RUNS.c.status == "pending", THREAD_RUNS.c.starts_at <= self._now())
            .where(THREAD_RUNS.c.thread_id.not_in(running))
            .distinct()
        )
        async with self._database.begin() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def to_cancel(self, run_ids: Collection[str]) -> tuple[ThreadRun, ...]:
        """Those of the runs that somebody asked to cancel."""
        query = select(THREAD_RUNS).where(THREAD_RUNS.c.id.in_(run_ids), THREAD_RUNS.c.cancel.is_not(None))
        async with self._database.begin() as connection:
            return await _runs(connection, query)

    async def cancel(self, run_id: str, action: CancelAction) -> ThreadRun | None:
        """Asks whoever works on the run to end it, and ends a waiting one at once; None if it has ended."""
        run = await self.get(run_id)
        now = self._now()
        this = THREAD_RUNS.c.id == run_id
        async with self._database.begin() as connection:
            before = await lock(connection, run.thread_id, now)
            found = await _runs(connection, select(THREAD_RUNS).where(this))
            if not found or found[0].finished:
                return None
            (run,) = found
            if run.status == "running":
                await connection.execute(
                    update(THREAD_RUNS).where(this).values(cancel=action, updated_at=now)
                )
                return run
            if action == "rollback":
                await connection.execute(delete(THREAD_RUNS).where(this))
            else:
                values = {"status": "interrupted", "cancel": action, "updated_at": now}
                await connection.execute(update(THREAD_RUNS).where(this).values(values))
            if not await _is_busy(connection, run.thread_id):
                values = {"status": _standing(before).status}
                await connection.execute(update(THREADS).where(THREADS.c.id == run.thread_id).values(values))
            return run

    async def finish(
        self,
        run: ThreadRun,
        status: RunStatus,
        standing: Standing,
        *,
        checkpoint_id: str | None,
        forget: bool = False,
        expire: bool = False,
    ) -> bool:
        """Ends a run with what it left of the thread; `forget` deletes it, `expire` its thread.

        Returns whether others wait on the thread. Raises RunLost if there was another attempt at it since,
        RollbackAsked if it was asked to leave nothing and `forget` is not set.
        """
        now = self._now()
        this = (THREAD_RUNS.c.id == run.run_id, THREAD_RUNS.c.attempt == run.attempt)
        values = {
            "status": status,
            "error": standing.error,
            "checkpoint_id": checkpoint_id,
            "updated_at": now,
        }
        heeded = () if forget else (THREAD_RUNS.c.cancel.is_distinct_from("rollback"),)
        async with self._database.begin() as connection:
            before = await lock(connection, run.thread_id, now)
            change = delete(THREAD_RUNS) if forget else update(THREAD_RUNS).values(values)
            done = await connection.execute(change.where(*this, *heeded))
            if done.rowcount == 0:
                (now_is,) = await _runs(connection, select(THREAD_RUNS).where(*this)) or (None,)
                if now_is is not None:
                    raise RollbackAsked(f"run {run.run_id} is to be undone")
                raise RunLost(f"run {run.run_id} is worked on elsewhere")
            busy = await _is_busy(connection, run.thread_id)
            await leave(connection, before, standing, "busy" if busy else standing.status, now)
            if expire and not busy:
                gone = {"ttl_strategy": "delete", "expires_at": now}
                await connection.execute(update(THREADS).where(THREADS.c.id == run.thread_id).values(gone))
        return busy

    async def get(self, run_id: str, thread_id: str | None = None) -> ThreadRun:
        """Raises UnknownRun, for a run of another thread too."""
        query = select(THREAD_RUNS).where(THREAD_RUNS.c.id == run_id)
        async with self._database.begin() as connection:
            found = await _runs(connection, query)
        if not found or thread_id not in (None, found[0].thread_id):
            raise UnknownRun(f"no run {run_id} on this thread" if thread_id else f"no run {run_id}")
        return found[0]

    async def list(
        self, thread_id: str, *, status: RunStatus | None = None, limit: int = 10, offset: int = 0
    ) -> tuple[ThreadRun, ...]:
        """A thread's runs, newest first."""
        query = select(THREAD_RUNS).where(THREAD_RUNS.c.thread_id == thread_id)
        if status is not None:
            query = query.where(THREAD_RUNS.c.status == status)
        order = (THREAD_RUNS.c.created_at.desc(), THREAD_RUNS.c.id)
        async with self._database.begin() as connection:
            return await _runs(connection, query.order_by(*order).offset(offset).limit(limit))

    async def since(self, thread_id: str, run: ThreadRun | None) -> tuple[ThreadRun, ...]:
        """A thread's runs that were asked for after that one, or all, oldest first."""
        query = select(THREAD_RUNS).where(THREAD_RUNS.c.thread_id == thread_id)
        if run is not None:
            order = tuple_(THREAD_RUNS.c.created_at, THREAD_RUNS.c.id)
            query = query.where(order > tuple_(run.created_at.timestamp(), run.run_id))
        async with self._database.begin() as connection:
            return await _runs(connection, query.order_by(THREAD_RUNS.c.created_at, THREAD_RUNS.c.id))

    async def unfinished(self, thread_id: str | None = None) -> tuple[ThreadRun, ...]:
        """Runs that wait or are worked on, oldest first."""
        async with self._database.begin() as connection:
            return await _runs(connection, _unfinished(thread_id))

    async def delete(self, run_id: str) -> None:
        """Deletes a finished run with its events. Raises UnknownRun, ThreadBusy."""
        if not (await self.get(run_id)).finished:
            raise ThreadBusy(f"run {run_id} has not ended: cancel it first")
        async with self._database.begin() as connection:
            await connection.execute(delete(THREAD_RUNS).where(THREAD_RUNS.c.id == run_id))

    async def append(self, run_id: str, events: Sequence[RunEvent]) -> None:
        """Keeps events. Raises RunLost if another attempt has written some of the numbers, or it is gone."""
        try:
            async with self._database.begin() as connection:
                await connection.execute(
                    insert(RUN_EVENTS), [{"run_id": run_id, **event.model_dump()} for event in events]
                )
        except IntegrityError:
            raise RunLost(f"run {run_id} was deleted, or is worked on elsewhere") from None

    async def events(self, run_id: str, after: int = 0) -> tuple[RunStatus | None, tuple[RunEvent, ...]]:
        """How the run stands (None: it is gone), and its events past number `after`.

        All events that the status implies are among them.
        """
        status = select(THREAD_RUNS.c.status).where(THREAD_RUNS.c.id == run_id)
        query = (
            select(RUN_EVENTS)
            .where(RUN_EVENTS.c.run_id == run_id, RUN_EVENTS.c.number > after)
            .order_by(RUN_EVENTS.c.number)
        )
        async with self._database.begin() as connection:
            now = (await connection.execute(status)).scalar_one_or_none()
            rows = (await connection.execute(query)).mappings().all()
        return now, tuple(RunEvent(number=r["number"], name=r["name"], data=r["data"]) for r in rows)

    async def last_number(self, run_id: str) -> int:
        """The number of the run's last event, or 0."""
        query = select(func.max(RUN_EVENTS.c.number)).where(RUN_EVENTS.c.run_id == run_id)
        async with self._database.begin() as connection:
            return (await connection.execute(query)).scalar_one() or 0

    def _now(self) -> float:
        return self._database.now().timestamp()


async def _begin(connection: AsyncConnection, run: ThreadRun, now: float) -> ThreadRun:
    values = {"status": "running", "attempt": run.attempt + 1, "updated_at": now}
    change = update(THREAD_RUNS).where(THREAD_RUNS.c.id == run.run_id).values(values)
    (begun,) = await _runs(connection, change.returning(THREAD_RUNS))
    return begun


def _next(waiting: Sequence[ThreadRun], now: float) -> ThreadRun | None:
    """Whose turn it is among a thread's unfinished runs; None while one is worked on, or none is due."""
    if any(run.status == "running" for run in waiting):
        return None
    return next((run for run in waiting if run.starts_at.timestamp() <= now), None)


async def _is_busy(connection: AsyncConnection, thread_id: str) -> bool:
    return bool(await _runs(connection, _unfinished(thread_id).limit(1)))


async def _runs(
    connection: AsyncConnection, query: Select[Any] | ReturningUpdate[Any]
) -> tuple[ThreadRun, ...]:
    return tuple(_run(row) for row in (await connection.execute(query)).mappings())


def _unfinished(thread_id: "str | ScalarSelect[str] | None") -> Select[Any]:
    """The thread's runs, or all, that wait or are worked on, in the order in which they were asked for."""
    query = select(THREAD_RUNS).where(THREAD_RUNS.c.status.in_(UNFINISHED))
    if thread_id is not None:
        query = query.where(THREAD_RUNS.c.thread_id == thread_id)
    return query.order_by(THREAD_RUNS.c.created_at, THREAD_RUNS.c.id)


def _standing(row: RowMapping) -> Standing:
    unfinished = bool(row["interrupts"])
    return Standing(
        values=row["values"], interrupts=row["interrupts"], unfinished=unfinished, error=row["error"]
    )


def _columns(run: ThreadRun) -> Json:
    values = run.model_dump(exclude={"run_id", "created_at", "updated_at", "starts_at"})
    times = {name: getattr(run, name).timestamp() for name in ("created_at", "updated_at", "starts_at")}
    return values | times | {"id": run.run_id}


def _run(row: RowMapping) -> ThreadRun:
    values = {name: row[name] for name in ThreadRun.model_fields if name in row}
    times = {name: moment(row[name]) for name in ("created_at", "updated_at", "starts_at")}
    return ThreadRun(**values | times | {"run_id": row["id"]})
