"""How runs on threads are worked on: one at a time on each, streamed into the store, cancelled, resumed.

How one is driven through its graph is in `driving`. What a dead process leaves is taken up from the last
checkpoint, which `durable` sees to. Which graphs there are is in `served`, what a run was asked to do in
`orders`.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from langgraph.types import StateSnapshot
from tenacity import before_sleep_log, retry, retry_if_exception_type, wait_exponential

from graphs.server import run_spec as orders
from graphs.server import serialization as wire
from graphs.server.durable import KEPT, Deliver, Durable, Fire, open_durable
from graphs.server.event_log import Bell, Journal
from graphs.server.graph_spec import Served
from graphs.server.run_attempt import Drive, Work, fault, thread_config
from graphs.server.run_spec import Order
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
from memory.server.runs import UNFINISHED, CancelAction, RunEvent, RunStatus, Strategy, ThreadRun, ThreadRuns
from memory.server.threads import Json, Standing, Threads

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
"""Between two looks for what other processes ask, or leave."""
CHORE_SECONDS = 2.0
COLLECT_SECONDS = 600.0
"""Between two looks for notes of DBOS's that can go."""
LONG_SECONDS = 5.0
"""Between two looks at a run that is worked on here, and so is heard of."""
LONGEST_WAIT = 30
"""Seconds between two attempts at a run whose events or end cannot be kept."""
MOST_AT_ONCE = 200
"""Runs that one process works on; others wait for their turn."""

Chore = Callable[["Executor"], Awaitable[None]]


class Executor:
    """The runs on threads, as this process starts, works on and follows them."""

    def __init__(self, runtime: Runtime, saver: Saver, served: Sequence[Served], durable: Durable) -> None:
        """The graphs have to be compiled with the saver, and `durable` has to be launched with `work`."""
        self._runtime = runtime
        self.saver = saver
        self.served: Mapping[str, Served] = {graph.name: graph for graph in served}
        database = runtime.database
        self.threads = Threads(database)
        self.runs = ThreadRuns(database)
        self._database = database
        self.durable = durable
        self._bell = Bell()
        """Rung for each event."""
        self._ends = Bell()
        """Rung for each end."""
        self._working: dict[str, Work] = {}

    async def start(
        self,
        thread_id: str,
        graph_id: str,
        order: Order,
        *,
        assistant_id: str = "",
        strategy: Strategy = "enqueue",
        metadata: Json | None = None,
        create_thread: bool = False,
        owner: str | None = None,
        after_seconds: float = 0.0,
        run_id: str | None = None,
    ) -> ThreadRun:
        """Queues a run and returns at once; it begins as soon as its thread is free.

        Raises ValueError, UnknownThread unless `create_thread`, ThreadBusy as `reject` has it, AlreadyExists.
        """
        order = orders.check(order, self.served[graph_id])
        now = self._database.now()
        run = ThreadRun(
            run_id=run_id or str(uuid.uuid4()),
            thread_id=thread_id,
            assistant_id=assistant_id,
            graph_id=graph_id,
            metadata=metadata or {},
            request=order.model_dump(mode="json"),
            strategy=strategy,
            created_at=now,
            updated_at=now,
            starts_at=now + timedelta(seconds=after_seconds),
        )
        labels = {"graph_id": graph_id, "assistant_id": assistant_id}
        others = await self.runs.add(run, create_thread=create_thread, thread_metadata=labels, owner=owner)
        if strategy in ("interrupt", "rollback"):
            for other in others:
                await self._cancel(other.run_id, "interrupt" if strategy == "interrupt" else "rollback")
        if not others and after_seconds == 0 and len(self._working) < MOST_AT_ONCE:
            await self.durable.begin(run.run_id)
        else:
            await self._advance(thread_id)
        return run

    async def cancel(self, run_id: str, action: CancelAction = "interrupt") -> None:
        """Ends a run; rolled back, nothing is left of it. Raises UnknownRun, ThreadBusy if it has ended."""
        await self.runs.get(run_id)
        if not await self._cancel(run_id, action):
            raise ThreadBusy(f"run {run_id} has ended already")

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[RunEvent]:
        """The run's events past number `after`, those to come too, until it has ended or is gone.

        Holds no connection while it waits.
        """
        while True:
            with self._bell.listening(run_id) as rung:
                status, events = await self.runs.events(run_id, after)
                if not events and status in UNFINISHED:
                    await rung(LONG_SECONDS if run_id in self._working else TICK_SECONDS)
            for event in events:
                after = event.number
                yield event
            if status not in UNFINISHED:
                return

    async def ended(self, run_id: str) -> ThreadRun | None:
        """The run once it has ended; None if it is gone then."""
        while True:
            with self._ends.listening(run_id) as rung:
                if run_id in self._working:
                    await rung(LONG_SECONDS)
                try:
                    run = await self.runs.get(run_id)
                except UnknownRun:
                    return None
                if run.finished:
                    return run
                if run_id not in self._working:
                    await rung(TICK_SECONDS)

    async def outcome(self, run: ThreadRun) -> Json:
        """The values that a run ended with, or `__error__`."""
        if run.status == "error":
            return {"__error__": run.error}
        return wire.outcome(await self.state(run.graph_id, run.thread_id, run.checkpoint_id))

    async def state(
        self, graph_id: str, thread_id: str, checkpoint_id: str | None = None, *, subgraphs: bool = False
    ) -> StateSnapshot:
        """The thread's state, now or at a checkpoint."""
        config = thread_config(thread_id, checkpoint_id)
        return await self.served[graph_id].graph.aget_state(config, subgraphs=subgraphs)

    async def settle(self, thread_id: str, *, seconds: float = 10.0) -> None:
        """Ends all that is going on on the thread, and waits for it. Raises ThreadBusy if it does not end."""
        deadline = time.monotonic() + seconds
        while unfinished := await self.runs.unfinished(thread_id):
            if time.monotonic() > deadline:
                raise ThreadBusy(f"run {unfinished[0].run_id} does not end: try again later")
            for run in unfinished:
                if run.cancel is None:
                    await self._cancel(run.run_id, "interrupt")
            await asyncio.sleep(0.02)

    async def watch(self, chores: Sequence[Chore]) -> None:
        """Begins what is due, takes up what was left, heeds what other processes ask; never returns."""
        done = collected = 0.0
        while True:
            try:
                if self._working:
                    for run in await self.runs.to_cancel(tuple(self._working)):
                        assert run.cancel is not None, "it was asked for by that"
                        self._stop(run.run_id, run.cancel)
                if time.monotonic() - done > CHORE_SECONDS:
                    done = time.monotonic()
                    await self.durable.take_over()
                    for chore in chores:
                        await chore(self)
                late = time.monotonic() - collected > COLLECT_SECONDS
                if late and not await self.durable.collect(self._database.now() - KEPT):
                    collected = time.monotonic()  # nothing is left; else runs do not wait for the next page
                for thread_id in await self.runs.due():
                    await self._advance(thread_id)
            except StorageError as error:
                log.warning("runs are not looked after for now: %s", error)
            except Exception:
                log.exception("runs are no longer looked after: restart the api")
                raise
            await asyncio.sleep(TICK_SECONDS)

    async def aclose(self) -> None:
        """Stops working; runs stay as they stand in their checkpoints, for the next process to take up."""
        tasks = tuple(work.task for work in self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cancel(self, run_id: str, action: CancelAction) -> bool:
        run = await self.runs.cancel(run_id, action)
        if run is not None and run.status == "running":
            self._stop(run_id, action)
        elif run is not None:
            await self._tell(run_id)
        self._bell.ring(run_id)
        self._ends.ring(run_id)
        return run is not None

    def _stop(self, run_id: str, action: CancelAction) -> None:
        if (work := self._working.get(run_id)) is not None:
            work.stop(action)

    async def _advance(self, thread_id: str) -> None:
        if len(self._working) < MOST_AT_ONCE and (run := await self.runs.next(thread_id)) is not None:
            await self.durable.begin(run.run_id)

    @retry(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_exponential(max=LONGEST_WAIT),
        before_sleep=before_sleep_log(log, logging.ERROR),
    )
    async def work(self, run_id: str) -> None:
        """Works on a run as soon as it is its turn, until it has ended, however long a store is away."""
        if run_id in self._working:
            return  # it is in good hands
        task = asyncio.current_task()
        assert task is not None, "workflows run as tasks"
        work = self._working[run_id] = Work(task)
        try:
            if (run := await self._turn(run_id)) is not None:
                work.stopped = run.cancel
                await self._see_through(run)
            if run is None or run.request.get("webhook") is not None:
                await self._tell(run_id)
        finally:
            del self._working[run_id]
            self._bell.ring(run_id)
            self._ends.ring(run_id)

    async def _tell(self, run_id: str) -> None:
        """Has the run's webhook told of its end, if it has one; a run that was undone has ended nowhere."""
        try:
            run = await self.runs.get(run_id)
        except UnknownRun:
            return
        url = Order.model_validate(run.request).webhook
        if url is not None and run.finished:
            ended = {"run_id": run_id, "thread_id": run.thread_id, "status": run.status}
            told = run.model_dump(include={"assistant_id", "metadata", "created_at", "updated_at"})
            body = wire.text(told | ended | {"values": await self.outcome(run)})
            await self.durable.tell(run_id, url, body)

    async def _turn(self, run_id: str) -> ThreadRun | None:
        while True:
            with self._bell.listening(run_id) as rung:
                try:
                    return await self.runs.claim(run_id)
                except ThreadBusy:  # another process was quicker to begin, or the clock is back
                    await rung(TICK_SECONDS)

    async def _see_through(self, run: ThreadRun) -> None:
        order = Order.model_validate(run.request)
        try:
            async with Journal(run, self.runs, self._bell, self._lost) as journal:
                journal.say("metadata", {"run_id": run.run_id, "attempt": run.attempt})
                drive = Drive(run, order, self.served[run.graph_id], journal, self.runs, self._runtime)
                status, error = await drive.through(self._working[run.run_id])
            others = await self._finish(run, order, status, error)
        except (RunLost, UnknownThread) as lost:
            log.warning("stopped working: %s", lost)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("run %s cannot be worked on", run.run_id)
            await self._give_up(run, error)
        else:
            self._bell.ring(run.run_id)
            self._ends.ring(run.run_id)
            if others:
                await self._advance(run.thread_id)

    async def _finish(self, run: ThreadRun, order: Order, status: RunStatus, error: Json | None) -> bool:
        """Returns whether others wait on the thread."""
        served = self.served[run.graph_id]
        rolled_back = status == "interrupted" and self._working[run.run_id].stopped == "rollback"
        if rolled_back:
            await self.saver.aundo_run(run.thread_id, run.run_id)
        snapshot = await served.graph.aget_state(thread_config(run.thread_id))
        try:
            return await self.runs.finish(
                run,
                status,
                wire.standing(snapshot, error),
                checkpoint_id=snapshot.config["configurable"].get("checkpoint_id"),
                forget=rolled_back,
                expire=order.on_completion == "delete",
            )
        except RollbackAsked:
            self._working[run.run_id].stopped = "rollback"
            return await self._finish(run, order, "interrupted", None)

    async def _give_up(self, run: ThreadRun, error: Exception) -> None:
        """Ends a run that cannot even be ended in order, as when its checkpoints cannot be read."""
        told = {"error": type(error).__name__, "message": fault(error)}
        await self.runs.finish(run, "error", Standing(values=None, error=told), checkpoint_id=None)

    def _lost(self, run_id: str) -> None:
        """Stops work on a run that another process writes the events of."""
        if (work := self._working.get(run_id)) is not None:
            work.task.cancel()


@asynccontextmanager
async def open_executor(
    runtime: Runtime,
    saver: Saver,
    served: Sequence[Served],
    url: str,
    chores: Sequence[Chore] = (),
    outside: "Callable[[Executor], tuple[Deliver, Fire]] | None" = None,
) -> AsyncIterator[Executor]:
    """Opens the runs on threads and takes up those that were left unfinished; `chores` run every 2 seconds.

    `url` is the SQLAlchemy URL of DBOS's own tables. `outside` makes what delivers webhooks and what fires
    crons, where there are any. Raises StoreUnavailable.

    Work in progress at closing is left as it stands in its checkpoint, and the next opening takes it up.
    """
    async with open_durable(url) as durable:
        executor = Executor(runtime, saver, served, durable)
        durable.launch(executor.work, *(_nowhere if outside is None else outside(executor)))
        watching = asyncio.create_task(executor.watch(chores))
        try:
            yield executor
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await executor.aclose()


async def _nobody(*_: str) -> None:
    raise AssertionError("there are no webhooks and no crons here")


_nowhere = (_nobody, _nobody)
