"""Runs on threads and their events in the relational store: in order, and one at a time on each thread.

A run is claimed by a process and names it as its worker. An attempt that another process has taken over fails
with RunLost at its next write.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    RowMapping,
    ScalarSelect,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from memory.database.database import Database
from memory.database.page_size import require_small_page
from memory.database.tables import RUN_EVENTS, THREAD_RUNS, THREADS, UNFINISHED_RUN
from memory.errors import AlreadyExists, RollbackAsked, RunLost, ThreadBusy, UnknownRun
from memory.records.base import Record
from memory.server.threads import Json, ThreadOutcome, check_quota, lock, moment, new_thread, record_outcome

RunStatus = Literal["pending", "running", "success", "error", "timeout", "interrupted"]
Strategy = Literal["reject", "enqueue", "interrupt", "rollback"]
CancelAction = Literal["interrupt", "rollback"]
UNFINISHED = ("pending", "running")


class ThreadRun(Record):
    """One run on a thread: its request and its progress."""

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    status: RunStatus = "pending"
    metadata: Json = {}
    request: Json = {}
    """What to do, as JSON; see `graphs.server.run_spec.RunRequest`."""
    strategy: Strategy = "enqueue"
    created_at: datetime
    updated_at: datetime
    starts_at: datetime
    cancel: CancelAction | None = None
    """What its worker has been asked to do with it."""
    attempt: int = 0
    """How many times work on it has begun."""
    worker: str | None = None
    """Name of the lease of the process that works on it, or that still has to send its webhook."""
    error: Json | None = None
    checkpoint_id: str | None = None
    """Its last checkpoint."""
    owner: str | None = None
    """Owner of its thread; set while the run is worked on."""
    asked_by: str | None = None
    """Owner of the key that asked for it."""

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
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
        self,
        run: ThreadRun,
        *,
        create_thread: bool,
        thread_metadata: Json,
        owner: str | None = None,
        worker: str | None = None,
        events: Sequence[RunEvent] = (),
        quota: int | None = None,
    ) -> tuple[ThreadRun, tuple[ThreadRun, ...]]:
        """Queues the run; returns it with the thread's unfinished runs, which its strategy may end.

        If there are none and the run is due, the worker begins its first attempt in the same transaction,
        with its first events. `owner` owns the thread if it is created. Raises UnknownThread unless
        `create_thread`, ValueError if the thread belongs to another graph, ThreadBusy if the run rejects
        waiting, AlreadyExists, QuotaReached if `quota` runs of the graph are unfinished for its owner.
        """
        now = self._now()
        async with self._database.begin() as connection:
            if create_thread:
                thread = new_thread(run.thread_id, owner, thread_metadata, now)
                await connection.execute(self._database.insert_once(THREADS).values(thread))
            before = await lock(connection, run.thread_id, now)
            if (holds := before["metadata"].get("graph_id", run.graph_id)) != run.graph_id:
                raise ValueError(f"thread {run.thread_id} belongs to graph {holds!r}: take another thread")
            if quota is not None and before["owner"] is not None:
                await check_quota(connection, run.graph_id, before["owner"], quota)
            others = await _runs(connection, _unfinished(run.thread_id))
            if others and run.strategy == "reject":
                raise ThreadBusy(
                    f"thread {run.thread_id} is busy with run {others[0].run_id}: wait for it, or send"
                    " another multitask_strategy"
                )
            begins = worker is not None and not others and run.starts_at.timestamp() <= now
            if begins:
                run = run.model_copy(
                    update={"status": "running", "attempt": 1, "worker": worker, "owner": before["owner"]}
                )
            add = self._database.insert_once(THREAD_RUNS).values(_columns(run))
            if (await connection.execute(add.returning(THREAD_RUNS.c.id))).first() is None:
                raise AlreadyExists(f"run {run.run_id} exists already")
            if begins and events:
                await connection.execute(insert(RUN_EVENTS), _event_rows(run.run_id, events))
            values = {"status": "busy", "metadata": thread_metadata | before["metadata"]}
            await connection.execute(update(THREADS).where(THREADS.c.id == run.thread_id).values(values))
            return run, others

    async def next(self, thread_id: str) -> ThreadRun | None:
        """The thread's first pending run, if it is due and no run is active."""
        async with self._database.begin() as connection:
            waiting = await _runs(connection, _unfinished(thread_id))
        return _next(waiting, self._now())

    async def claim(self, run_id: str, worker: str) -> ThreadRun | None:
        """Begins an attempt at the run for the worker; None if it has ended, is taken, or has to wait.

        A run that the worker is working on already gets another attempt. The database's unique index makes
        sure that only one run per thread is active.
        """
        now = self._now()
        its = select(THREAD_RUNS.c.thread_id).where(THREAD_RUNS.c.id == run_id).scalar_subquery()
        try:
            async with self._database.begin() as connection:
                # Written first, as `lock` does, for SQLite locks on writing only.
                await connection.execute(update(THREADS).where(THREADS.c.id == its).values(updated_at=now))
                unfinished = await _runs(connection, _unfinished(its))
                run = next((run for run in unfinished if run.run_id == run_id), None)
                if run is None or run not in (_next(unfinished, now), *_active(unfinished, worker)):
                    return None
                return await _begin(connection, run, worker, now)
        except IntegrityError:
            return None

    async def take_over(self, run: ThreadRun, worker: str) -> ThreadRun | None:
        """Begins another attempt at a run whose worker is gone; None if somebody else was faster."""
        async with self._database.begin() as connection:
            return await _begin(connection, run, worker, self._now())

    async def orphans(self, worker: str, active: Collection[str] = ()) -> tuple[ThreadRun, ...]:
        """Runs of other processes, living or not, and finished ones whose webhook they have not sent.

        Also the worker's own running ones that are not among its `active` ones: it failed to begin them.
        """
        running = THREAD_RUNS.c.status == "running"
        query = select(THREAD_RUNS).where(
            or_(
                and_(running, THREAD_RUNS.c.worker.is_distinct_from(worker)),
                and_(running, THREAD_RUNS.c.id.not_in(active)),
                and_(~running, THREAD_RUNS.c.worker != worker),
            )
        )
        async with self._database.begin() as connection:
            return await _runs(connection, query.order_by(THREAD_RUNS.c.created_at))

    async def release(self, worker: str) -> None:
        """Gives up all runs of a worker that closes; other processes take them over at once."""
        query = update(THREAD_RUNS).where(THREAD_RUNS.c.worker == worker, THREAD_RUNS.c.status == "running")
        async with self._database.begin() as connection:
            await connection.execute(query.values(worker=None))

    async def webhook_sent(self, run_id: str) -> None:
        """Records that the webhook of a finished run is on its way."""
        query = update(THREAD_RUNS).where(THREAD_RUNS.c.id == run_id, ~UNFINISHED_RUN)
        async with self._database.begin() as connection:
            await connection.execute(query.values(worker=None))

    async def due(self) -> tuple[str, ...]:
        """Threads on which a run could start now."""
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
        """Those of the runs that are to be cancelled."""
        query = select(THREAD_RUNS).where(THREAD_RUNS.c.id.in_(run_ids), THREAD_RUNS.c.cancel.is_not(None))
        async with self._database.begin() as connection:
            return await _runs(connection, query)

    async def cancel(self, run_id: str, action: CancelAction, worker: str) -> ThreadRun | None:
        """Asks the run's worker to end it, or ends a waiting run at once; None if it has ended.

        `worker` then has to send the webhook of the waiting run.
        """
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
                values |= {"worker": worker} if run.request.get("webhook") else {}
                await connection.execute(update(THREAD_RUNS).where(this).values(values))
            if not await _is_busy(connection, run.thread_id):
                values = {"status": _outcome(before).status}
                await connection.execute(update(THREADS).where(THREADS.c.id == run.thread_id).values(values))
            return run

    async def finish(
        self,
        run: ThreadRun,
        status: RunStatus,
        outcome: ThreadOutcome,
        *,
        checkpoint_id: str | None,
        forget: bool = False,
        expire: bool = False,
        give_up: bool = False,
    ) -> bool:
        """Ends a run and records the thread's state; `forget` deletes the run, `expire` its thread.

        Returns whether other runs wait on the thread. Raises RunLost if there was another attempt since, and
        RollbackAsked if the run is to be rolled back, unless `forget` says that it was, or `give_up` that it
        cannot be.
        """
        now = self._now()
        this = (THREAD_RUNS.c.id == run.run_id, THREAD_RUNS.c.attempt == run.attempt)
        values = {
            "status": status,
            "error": outcome.error,
            "checkpoint_id": checkpoint_id,
            "updated_at": now,
        }
        if not run.request.get("webhook"):
            values["worker"] = None
        heeded = () if forget or give_up else (THREAD_RUNS.c.cancel.is_distinct_from("rollback"),)
        async with self._database.begin() as connection:
            before = await lock(connection, run.thread_id, now)
            change = delete(THREAD_RUNS) if forget else update(THREAD_RUNS).values(values)
            done = await connection.execute(change.where(*this, *heeded))
            if done.rowcount == 0:
                (now_is,) = await _runs(connection, select(THREAD_RUNS).where(*this)) or (None,)
                if now_is is not None:
                    raise RollbackAsked(f"run {run.run_id} is to be rolled back")
                raise RunLost(f"run {run.run_id} was taken over by another process")
            busy = await _is_busy(connection, run.thread_id)
            await record_outcome(connection, before, outcome, "busy" if busy else outcome.status, now)
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
        """A thread's runs, newest first. Raises ValueError for a page that would be too large."""
        query = select(THREAD_RUNS).where(THREAD_RUNS.c.thread_id == thread_id)
        if status is not None:
            query = query.where(THREAD_RUNS.c.status == status)
        page = query.order_by(THREAD_RUNS.c.created_at.desc(), THREAD_RUNS.c.id).offset(offset).limit(limit)
        async with self._database.begin() as connection:
            await require_small_page(connection, page, THREAD_RUNS.c.request, THREAD_RUNS.c.metadata)
            return await _runs(connection, page)

    async def since(self, thread_id: str, run: ThreadRun | None) -> tuple[ThreadRun, ...]:
        """A thread's runs that were created after that one, or all, oldest first."""
        query = select(THREAD_RUNS).where(THREAD_RUNS.c.thread_id == thread_id)
        if run is not None:
            order = tuple_(THREAD_RUNS.c.created_at, THREAD_RUNS.c.id)
            query = query.where(order > tuple_(run.created_at.timestamp(), run.run_id))
        async with self._database.begin() as connection:
            return await _runs(connection, query.order_by(THREAD_RUNS.c.created_at, THREAD_RUNS.c.id))

    async def unfinished(self, thread_id: str | None = None) -> tuple[ThreadRun, ...]:
        """Runs that are pending or running, oldest first."""
        async with self._database.begin() as connection:
            return await _runs(connection, _unfinished(thread_id))

    async def delete(self, run_id: str) -> None:
        """Deletes a finished run with its events. Raises UnknownRun, ThreadBusy."""
        if not (await self.get(run_id)).finished:
            raise ThreadBusy(f"run {run_id} has not ended: cancel it first")
        async with self._database.begin() as connection:
            await connection.execute(delete(THREAD_RUNS).where(THREAD_RUNS.c.id == run_id))

    async def append(self, run_id: str, events: Sequence[RunEvent]) -> None:
        """Stores events. Raises RunLost if another attempt used one of the numbers, or the run is deleted."""
        try:
            async with self._database.begin() as connection:
                await connection.execute(insert(RUN_EVENTS), _event_rows(run_id, events))
        except IntegrityError:
            raise RunLost(f"run {run_id} was deleted or taken over by another process") from None

    async def events(self, run_id: str, after: int = 0) -> tuple[RunStatus | None, tuple[RunEvent, ...]]:
        """The run's status (None: it was deleted), and its events after number `after`.

        A final status comes with all events.
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

    async def drop_events(self, before: datetime, *, limit: int) -> int:
        """Deletes the events of runs that ended before then, of at most `limit` runs; returns of how many."""
        ended = (
            select(THREAD_RUNS.c.id)
            .where(~UNFINISHED_RUN, THREAD_RUNS.c.updated_at < before.timestamp())
            .where(select(RUN_EVENTS.c.run_id).where(RUN_EVENTS.c.run_id == THREAD_RUNS.c.id).exists())
            .limit(limit)
        )
        async with self._database.begin() as connection:
            run_ids = list((await connection.execute(ended)).scalars())
            await connection.execute(delete(RUN_EVENTS).where(RUN_EVENTS.c.run_id.in_(run_ids)))
        return len(run_ids)

    async def last_number(self, run_id: str) -> int:
        """The number of the run's last event, or 0."""
        query = select(func.max(RUN_EVENTS.c.number)).where(RUN_EVENTS.c.run_id == run_id)
        async with self._database.begin() as connection:
            return (await connection.execute(query)).scalar_one() or 0

    def now(self) -> datetime:
        """The current time by the database's clock."""
        return self._database.now()

    def _now(self) -> float:
        return self._database.now().timestamp()


async def _begin(connection: AsyncConnection, run: ThreadRun, worker: str, now: float) -> ThreadRun | None:
    values = {"status": "running", "attempt": run.attempt + 1, "worker": worker, "updated_at": now}
    change = (
        update(THREAD_RUNS)
        .where(THREAD_RUNS.c.id == run.run_id, THREAD_RUNS.c.attempt == run.attempt)
        .where(UNFINISHED_RUN)
        .values(values)
    )
    begun = await _runs(connection, change.returning(THREAD_RUNS))
    if not begun:
        return None
    owner = await connection.execute(select(THREADS.c.owner).where(THREADS.c.id == begun[0].thread_id))
    return begun[0].model_copy(update={"owner": owner.scalar_one_or_none()})


def _active(unfinished: Sequence[ThreadRun], worker: str) -> list[ThreadRun]:
    return [run for run in unfinished if run.status == "running" and run.worker == worker]


def _next(waiting: Sequence[ThreadRun], now: float) -> ThreadRun | None:
    """The next of a thread's unfinished runs; None while one is active or none is due."""
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
    """The pending and running runs of the thread, or of all, oldest first."""
    query = select(THREAD_RUNS).where(UNFINISHED_RUN)
    if thread_id is not None:
        query = query.where(THREAD_RUNS.c.thread_id == thread_id)
    return query.order_by(THREAD_RUNS.c.created_at, THREAD_RUNS.c.id)


def _outcome(row: RowMapping) -> ThreadOutcome:
    unfinished = bool(row["interrupts"])
    return ThreadOutcome(
        values=row["values"], interrupts=row["interrupts"], unfinished=unfinished, error=row["error"]
    )


def _event_rows(run_id: str, events: Sequence[RunEvent]) -> list[Json]:
    return [{"run_id": run_id, **event.model_dump()} for event in events]


def _columns(run: ThreadRun) -> Json:
    values = run.model_dump(exclude={"run_id", "owner", "created_at", "updated_at", "starts_at"})
    times = {name: getattr(run, name).timestamp() for name in ("created_at", "updated_at", "starts_at")}
    return values | times | {"id": run.run_id}


def _run(row: RowMapping) -> ThreadRun:
    values = {name: row[name] for name in ThreadRun.model_fields if name in row}
    times = {name: moment(row[name]) for name in ("created_at", "updated_at", "starts_at")}
    return ThreadRun(**values | times | {"run_id": row["id"]})
