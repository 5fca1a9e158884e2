"""The executor: starts, follows and cancels runs on conversation threads, and takes over those of crashed
processes.

A run consists of a database row, an event log and the lease of the process that executes it. One attempt at a
run is in `run_attempt`.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import replace
from datetime import timedelta
from functools import partial

from langgraph.types import StateSnapshot
from tenacity import before_sleep_log, retry, retry_if_exception_type, wait_exponential

from agent.logs import RUN_ID
from agent.loops import Loop, Loops, do_all
from graphs.server import serialization
from graphs.server.background_jobs import (
    BackgroundJobs,
    FireCron,
    SendWebhook,
    open_background_jobs,
)
from graphs.server.event_log import EventLog, Notifier, metadata_event
from graphs.server.failure_message import bug_message
from graphs.server.graph_spec import GraphSpec
from graphs.server.retention import CLEANUP_SECONDS, delete_old_events
from graphs.server.run_attempt import ActiveRun, RunAttempt, thread_config
from graphs.server.run_spec import RunRequest, RunSpec, check
from graphs.state import Runtime
from memory.checkpoints.savers import Saver
from memory.errors import (
    RollbackAsked,
    RunLost,
    StorageError,
    StoreUnavailable,
    ThreadBusy,
    UnknownRun,
    UnknownThread,
)
from memory.records.access import Access
from memory.server.process_leases import ProcessLease, open_lease
from memory.server.runs import UNFINISHED, CancelAction, RunEvent, RunStatus, ThreadRun, ThreadRuns
from memory.server.threads import Json, ThreadOutcome, Threads

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""Interval at which other processes' requests are looked for."""
ORPHAN_CHECK_SECONDS = 2.0
"""Interval at which orphaned runs are looked for."""
LOCAL_POLL_SECONDS = 5.0
"""Interval of polling for a run of this process, which notifies its subscribers."""
LONGEST_RETRY = 30
"""Most seconds between two attempts to store a run's events or its end."""
MAX_CONCURRENT_RUNS = 200
"""Runs that one process works on, without those that wait; others stay pending."""
QUOTAS: Mapping[str, int] = {"learn": 50, "night": 50}
"""Most unfinished runs of a graph on the threads of one owner."""
PeriodicTask = Callable[["Executor"], Awaitable[None]]
NO_TASKS: Mapping[str, PeriodicTask] = {}


class Executor:
    """Executes the runs of this process."""

    def __init__(
        self,
        runtime: Runtime,
        saver: Saver,
        graph_specs: Sequence[GraphSpec],
        jobs: BackgroundJobs,
        lease: ProcessLease,
    ) -> None:
        """The graphs have to be compiled with the saver."""
        self._runtime = runtime
        self.saver = saver
        self.graph_specs: Mapping[str, GraphSpec] = {spec.name: spec for spec in graph_specs}
        self._database = runtime.database
        self.threads = Threads(runtime.database)
        self.runs = ThreadRuns(runtime.database)
        self.jobs = jobs
        self._worker = lease.name
        self._lease = lease
        self._events, self._ends = Notifier(), Notifier()
        self._active: dict[str, ActiveRun] = {}
        self._answering = asyncio.Lock()
        self.loops = Loops()
        """Background loops of the process, also those of others than the executor."""

    async def start(self, spec: RunSpec) -> ThreadRun:
        """Queues a run and returns at once; it starts as soon as its thread is free.

        Raises ValueError, UnknownThread unless the thread is to be created, ThreadBusy for the strategy
        `reject` and for an answer while a run is unfinished, AlreadyExists, NotApproved.
        """
        graph_spec = self.graph_specs[spec.graph_id]
        request = check(spec.request, graph_spec, spec.asked_by)
        if (command := request.command) is None or not command.answers:
            return await self._queue(spec, request)
        async with self._answering:  # of two answers at once, one finds the run of the other
            if await self.runs.unfinished(spec.thread_id):
                raise ThreadBusy(f"thread {spec.thread_id} is busy: it was answered, or does not wait yet")
            at = request.checkpoint_id
            await graph_spec.record_answer(spec.thread_id, command.resume, checkpoint_id=at)
            return await self._queue(spec, request)

    async def _queue(self, spec: RunSpec, request: RunRequest) -> ThreadRun:
        now = self._database.now()
        run = ThreadRun(
            run_id=spec.run_id or str(uuid.uuid4()),
            thread_id=spec.thread_id,
            assistant_id=spec.assistant_id,
            graph_id=spec.graph_id,
            metadata=spec.metadata,
            request=request.model_dump(mode="json"),
            strategy=spec.strategy,
            asked_by=spec.asked_by,
            created_at=now,
            updated_at=now,
            starts_at=now + timedelta(seconds=spec.delay_seconds),
        )
        queued, others = await self.runs.add(
            run,
            create_thread=spec.create_thread,
            thread_metadata={"graph_id": spec.graph_id, "assistant_id": spec.assistant_id},
            owner=spec.owner,
            worker=self._worker if self._has_room else None,
            events=[metadata_event(run.run_id)],
            quota=None if request.input is None else QUOTAS.get(spec.graph_id),
        )
        for other in others if spec.strategy in ("interrupt", "rollback") else ():
            await self._cancel(other.run_id, "interrupt" if spec.strategy == "interrupt" else "rollback")
        if queued.worker is not None:
            self._launch(run.run_id, claimed=queued)
        elif not others and spec.delay_seconds == 0:
            self._launch(run.run_id)
        else:
            await self._launch_next(spec.thread_id)
        return run

    async def access(self, owner: str | None) -> Access:
        """What the runs of an owner may read and write."""
        return await self._runtime.grants.access(owner)

    async def cancel(self, run_id: str, action: CancelAction = "interrupt") -> None:
        """Ends a run; `rollback` also undoes it. Raises UnknownRun, ThreadBusy if it has ended."""
        await self.runs.get(run_id)
        if not await self._cancel(run_id, action):
            raise ThreadBusy(f"run {run_id} has already ended")

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[RunEvent]:
        """The run's events after number `after`, also future ones, until it has ended or is deleted.

        Holds no database connection while it waits.
        """
        while True:
            with self._events.subscribed(run_id) as notified:
                status, events = await self.runs.events(run_id, after)
                if not events and status in UNFINISHED:
                    await notified(LOCAL_POLL_SECONDS if run_id in self._active else POLL_SECONDS)
            for event in events:
                after = event.number
                yield event
            if status not in UNFINISHED:
                return

    async def wait(self, run_id: str) -> ThreadRun | None:
        """Waits for the run's end and returns it; None if it was deleted."""
        while True:
            with self._ends.subscribed(run_id) as notified:
                if run_id in self._active:
                    await notified(LOCAL_POLL_SECONDS)
                try:
                    run = await self.runs.get(run_id)
                except UnknownRun:
                    return None
                if run.finished:
                    return run
                if run_id not in self._active:
                    await notified(POLL_SECONDS)

    async def final_values(self, run: ThreadRun) -> Json:
        """Waits for the run's end and returns its outcome; after a rollback that from before it."""
        active = self._active.get(run.run_id)
        while active is not None and active is self._active.get(run.run_id) and active.outcome is None:
            with self._ends.subscribed(run.run_id) as notified:
                await notified(LOCAL_POLL_SECONDS)
        if active is not None and active.outcome is not None:
            return active.outcome
        finished = await self.wait(run.run_id)
        if finished is None:
            return serialization.outcome(await self.state(run.graph_id, run.thread_id))
        return await self.outcome(finished)

    async def outcome(self, run: ThreadRun) -> Json:
        """The values that a run ended with, or `__error__`."""
        if run.status == "error":
            return {"__error__": run.error}
        return serialization.outcome(await self.state(run.graph_id, run.thread_id, run.checkpoint_id))

    async def state(
        self, graph_id: str, thread_id: str, checkpoint_id: str | None = None, *, subgraphs: bool = False
    ) -> StateSnapshot:
        """The thread's state, now or at a checkpoint."""
        config = thread_config(thread_id, checkpoint_id)
        return await self.graph_specs[graph_id].graph.aget_state(config, subgraphs=subgraphs)

    async def cancel_all(self, thread_id: str, *, seconds: float = 10.0) -> None:
        """Cancels all runs of the thread and waits for their end. Raises ThreadBusy if one does not end."""
        deadline = time.monotonic() + seconds
        while unfinished := await self.runs.unfinished(thread_id):
            if time.monotonic() > deadline:
                raise ThreadBusy(f"run {unfinished[0].run_id} is still stopping: try again later")
            for run in unfinished:
                if run.cancel is None:
                    await self._cancel(run.run_id, "interrupt")
            await asyncio.sleep(0.02)

    def supervision(self, periodic_tasks: Mapping[str, PeriodicTask]) -> tuple[Loop, ...]:
        """The loops that look after runs; each goes on while another fails. `periodic_tasks` are by name."""
        return (
            Loop("due runs", self._launch_due, every=POLL_SECONDS),
            Loop("cancelled runs", self._stop_cancelled, every=POLL_SECONDS),
            Loop("orphaned runs", self._take_over_orphans, every=ORPHAN_CHECK_SECONDS),
            Loop("orphaned jobs", self.jobs.resume_orphans, every=ORPHAN_CHECK_SECONDS),
            Loop("old events", partial(delete_old_events, self.runs, self.jobs), every=CLEANUP_SECONDS),
            *(
                Loop(name, partial(task, self), every=ORPHAN_CHECK_SECONDS)
                for name, task in periodic_tasks.items()
            ),
        )

    async def aclose(self) -> None:
        """Stops working. Runs keep their last checkpoint, and the next process continues them."""
        tasks = [active.task for active in self._active.values() if active.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StorageError):  # else other processes wait for the lease to expire
            await self.runs.release(self._worker)

    async def _launch_due(self) -> None:
        await do_all(await self.runs.due(), self._launch_next)

    async def _stop_cancelled(self) -> None:
        if not self._active:
            return
        for run in await self.runs.to_cancel(tuple(self._active)):
            assert run.cancel is not None, "the query selects by it"
            if (active := self._active.get(run.run_id)) is not None:  # else it has just ended
                active.stop(run.cancel)

    async def _take_over_orphans(self) -> None:
        orphans = await self.runs.orphans(self._worker, tuple(self._active))
        others = frozenset(run.worker for run in orphans if run.worker not in (None, self._worker))
        expired = await self._lease.expired(frozenset(filter(None, others))) if others else frozenset()
        for run in orphans:
            if run.worker in others and run.worker not in expired:
                continue
            self._launch(run.run_id, orphan=run)

    async def _cancel(self, run_id: str, action: CancelAction) -> bool:
        run = await self.runs.cancel(run_id, action, self._worker)
        if run is not None and run.status == "pending":
            await self._send_webhook(run_id)
        elif run is not None and run_id in self._active:
            self._active[run_id].stop(action)
        self._events.notify(run_id)
        self._ends.notify(run_id)
        return run is not None

    async def _launch_next(self, thread_id: str) -> None:
        if self._has_room and (run := await self.runs.next(thread_id)) is not None:
            self._launch(run.run_id)

    @property
    def _has_room(self) -> bool:
        """Whether another run may be worked on; those that wait for something need no place."""
        return sum(not active.waiting for active in self._active.values()) < MAX_CONCURRENT_RUNS

    def _launch(
        self, run_id: str, *, claimed: ThreadRun | None = None, orphan: ThreadRun | None = None
    ) -> None:
        """Works on the run in a task of its own. If there is no room, a later tick finds the run again.

        A run that is claimed already is worked on in any case.
        """
        if run_id not in self._active and (claimed is not None or self._has_room):
            active = self._active[run_id] = ActiveRun(claimed=claimed)
            context = None if claimed is not None else Context()  # else that of another run or request
            active.task = asyncio.create_task(self._work(run_id, active, orphan), context=context)

    async def _work(self, run_id: str, active: ActiveRun, orphan: ThreadRun | None) -> None:
        RUN_ID.set(run_id)
        try:
            await self._work_on(run_id, active, orphan)
        except Exception:
            log.exception("run %s was abandoned after an unexpected error", run_id)
        finally:
            del self._active[run_id]
            self._events.notify(run_id)
            self._ends.notify(run_id)

    @retry(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_exponential(max=LONGEST_RETRY),
        before_sleep=before_sleep_log(log, logging.ERROR),
    )
    async def _work_on(self, run_id: str, active: ActiveRun, orphan: ThreadRun | None) -> None:
        """Claims the run and works on it to its end, retrying while a store is unavailable."""
        claimed, active.claimed = active.claimed, None
        run = claimed if claimed is not None else await self.runs.claim(run_id, self._worker)
        if run is None and orphan is not None:
            run = await self.runs.take_over(orphan, self._worker)
        if run is None:
            if orphan is not None and orphan.finished:
                await self._send_webhook(run_id)
            return
        active.stopped = active.stopped or run.cancel
        await self._execute(run, active, stored=None if claimed is None else 1)
        if run.request.get("webhook") is not None:
            await self._send_webhook(run_id)

    async def _send_webhook(self, run_id: str) -> None:
        """Sends the finished run's webhook, if it has one; a run that was rolled back has none."""
        try:
            run = await self.runs.get(run_id)
        except UnknownRun:
            return
        url = RunRequest.model_validate(run.request).webhook
        if url is not None and run.finished:
            ended = {"run_id": run_id, "thread_id": run.thread_id, "status": run.status}
            details = run.model_dump(include={"assistant_id", "metadata", "created_at", "updated_at"})
            try:
                body = serialization.text(details | ended | {"values": await self.outcome(run)})
            except StorageError:
                raise
            except Exception:  # such as a checkpoint that cannot be read: it would fail every time
                log.exception("the webhook of run %s cannot be sent", run_id)
            else:
                await self.jobs.send_webhook(run_id, url, body, run.owner)
            await self.runs.webhook_sent(run_id)

    async def _execute(self, run: ThreadRun, active: ActiveRun, stored: int | None) -> None:
        """`stored` is the number of events that were stored with the claim; None if there were none."""
        request = RunRequest.model_validate(run.request)
        try:
            async with EventLog(run, self.runs, self._events, self._on_lost, stored=stored) as event_log:
                if stored is None:
                    event_log.append("metadata", {"run_id": run.run_id, "attempt": run.attempt})
                graph_spec = self.graph_specs[run.graph_id]
                runtime = replace(
                    await self._runtime.for_owner(run.owner),
                    start_run=self.start,
                    sleep=partial(active.sleep, self._runtime.sleep),
                )
                attempt = RunAttempt(run, request, graph_spec, event_log, self.runs, runtime)
                status, error = await attempt.execute(active)
            others = await self._finish(run, request, active, status, error)
            self._runtime.meter.run_ended(run.graph_id, status)
        except (RunLost, UnknownThread) as lost:
            log.warning("stopped the attempt: %s", lost)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("run %s cannot be finished", run.run_id)
            await self._give_up(run, error)
        else:
            self._events.notify(run.run_id)
            self._ends.notify(run.run_id)
            if others:
                await self._launch_next(run.thread_id)

    async def _finish(
        self, run: ThreadRun, request: RunRequest, active: ActiveRun, status: RunStatus, error: Json | None
    ) -> bool:
        """Returns whether other runs wait on the thread."""
        graph = self.graph_specs[run.graph_id].graph
        rolled_back = status == "interrupted" and active.stopped == "rollback"
        if rolled_back:
            await self.saver.aundo_run(run.thread_id, run.run_id)
        snapshot = await graph.aget_state(thread_config(run.thread_id))
        try:
            others = await self.runs.finish(
                run,
                status,
                serialization.thread_outcome(snapshot, error),
                checkpoint_id=snapshot.config["configurable"].get("checkpoint_id"),
                forget=rolled_back,
                expire=request.on_completion == "delete",
            )
        except RollbackAsked:
            active.stopped = "rollback"
            return await self._finish(run, request, active, "interrupted", None)
        active.outcome = {"__error__": error} if status == "error" else serialization.outcome(snapshot)
        return others

    async def _give_up(self, run: ThreadRun, error: Exception) -> None:
        """Ends a run that cannot be finished normally, for example if its checkpoints are unreadable.

        A rollback that was requested cannot be done then either, so the run stays, with the error.
        """
        details = {"error": type(error).__name__, "message": bug_message(error, run.owner)}
        outcome = ThreadOutcome(values=None, error=details)
        try:
            await self.runs.finish(run, "error", outcome, checkpoint_id=None, give_up=True)
        except (RunLost, UnknownThread) as lost:
            log.warning("stopped the attempt: %s", lost)

    def _on_lost(self, run_id: str) -> None:
        """Stops the attempt at a run that another process has taken over."""
        if (active := self._active.get(run_id)) is not None and active.task is not None:
            active.task.cancel()


@asynccontextmanager
async def open_executor(
    runtime: Runtime,
    saver: Saver,
    graph_specs: Sequence[GraphSpec],
    url: str,
    periodic_tasks: Mapping[str, PeriodicTask] = NO_TASKS,
    make_senders: "Callable[[Executor], tuple[SendWebhook, FireCron]] | None" = None,
) -> AsyncIterator[Executor]:
    """Opens the executor and continues unfinished runs; `periodic_tasks` run every two seconds.

    `url` is the SQLAlchemy URL of DBOS's tables and of the process leases. `make_senders` returns what sends
    webhooks and fires crons. Raises StoreUnavailable.
    """
    async with open_lease(url) as lease, open_background_jobs(url, lease) as jobs:
        executor = Executor(runtime, saver, graph_specs, jobs, lease)
        jobs.launch(*((_unexpected, _unexpected) if make_senders is None else make_senders(executor)))
        try:
            async with executor.loops:
                executor.loops.start(*executor.supervision(periodic_tasks))
                yield executor
        finally:
            await executor.aclose()


async def _unexpected(*_: str) -> None:
    raise AssertionError("this executor was opened without webhooks and crons")
