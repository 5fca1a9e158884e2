"""Owns runs that learn or forget as durable work: started, resumed, approved, and recovered after a crash.

The order of steps is in `learn`. DBOS makes sure that a run is worked on; the checkpoint says where it was.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal, cast

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphRecursionError
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from agent.errors import AgentError
from graphs.learn import build
from graphs.report import as_told, conclude
from graphs.state import ApprovalPolicy, Event, LearnState, Runtime, event
from memory.errors import StorageError
from memory.records import Approval, Digest, Domain, Outcome, Record

log = logging.getLogger(__name__)

WORKFLOW = "learn"
EXECUTOR = "api"
VERSION = "1"
"""Version of the workflow, not of the code: a restarted or upgraded api takes up what its forerunner left."""
GIVEN_UP = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
"""What DBOS calls a workflow that ended without a result."""
MOST_RUNS = 1000
LONGEST_SUBJECT = 500
"""Characters of a topic or question."""


class Plan(Record):
    """What to learn, or to forget: all that a run needs to begin."""

    run_id: str
    subject: str
    whole: bool
    domain: Domain | None = None
    gap_id: str | None = None
    approval: ApprovalPolicy
    begun_at: datetime
    forget: Digest | None = None
    because: str = ""


class Standing(Record):
    """Where a run is: `asks` is what a person has to decide, while it waits for one."""

    status: Literal["running", "waiting", "ended"]
    next: tuple[str, ...] = ()
    asks: dict[str, Any] | None = None


Work = Callable[[dict[str, Any], dict[str, Any] | None], Coroutine[Any, Any, str]]


class LearnRuns:
    """The learn runs of one process, over the graph compiled with its saver."""

    def __init__(self, runtime: Runtime, saver: BaseCheckpointSaver[str], work: Work) -> None:
        """`work` is the durable form of `drive`: plan and decision as JSON values."""
        self._runtime = runtime
        self._work = work
        self._graph: CompiledStateGraph[LearnState, Runtime, LearnState, LearnState] = build(
            runtime.limits
        ).compile(checkpointer=saver)
        self._live: dict[str, list[Event]] = {}
        """Events of the runs worked on: those in the checkpoint, then what the step under way has said."""

    async def start(
        self,
        subject: str,
        *,
        whole: bool,
        domain: Domain | None = None,
        approval: ApprovalPolicy | None = None,
        gap_id: str | None = None,
    ) -> str:
        """Begins a run about a topic (`whole`) or a question and returns its id at once.

        Raises ValueError for an empty or over-long subject.
        """
        subject = " ".join(subject.split())
        if not 0 < len(subject) <= LONGEST_SUBJECT:
            raise ValueError(f"a topic or question needs 1 to {LONGEST_SUBJECT} characters")
        plan = Plan(
            run_id=self._runtime.new_id(),
            subject=subject,
            whole=whole,
            domain=domain,
            gap_id=gap_id,
            approval=approval or self._runtime.approval,
            begun_at=self._runtime.clock(),
        )
        return await self._begin(plan)

    async def forget(self, domain: Domain, digest: Digest, *, because: str = "") -> str:
        """Begins a run that takes the curriculum out of its domain and returns its id at once."""
        plan = Plan(
            run_id=self._runtime.new_id(),
            subject=f"forget {digest[:12]}",
            whole=True,
            domain=domain,
            approval="auto",
            begun_at=self._runtime.clock(),
            forget=digest,
            because=because,
        )
        return await self._begin(plan)

    async def approve(self, run_id: str, decision: Approval) -> None:
        """Lets a waiting run go on, or ends it; saying the same again before it does changes nothing.

        Raises UnknownRun, and ValueError unless it waits, or if the opposite was said first.
        """
        standing = await self.standing(run_id)
        if standing.status != "waiting":
            raise ValueError(f"run {run_id} does not wait for approval: it is {standing.status}")
        workflow_id = _approval_id(run_id)
        await self._enqueue(workflow_id, await self._plan(run_id), decision)
        queued = await DBOS.get_workflow_status_async(workflow_id)
        assert queued is not None, "it was queued just now"
        assert queued.input is not None, "it was queued with its plan and the decision"
        first = Approval.model_validate(queued.input["args"][1])
        if first.approved != decision.approved:
            verb = "approved" if first.approved else "declined"
            raise ValueError(f"run {run_id} does not wait for approval: {first.by} has {verb} it")

    async def resume(self, run_id: str) -> None:
        """Takes a run up again that stopped or failed before its end. Raises UnknownRun, ValueError."""
        standing = await self.standing(run_id)
        if standing.status != "ended" or not standing.next:
            raise ValueError(f"run {run_id} cannot be resumed: it is {standing.status}")
        await self._enqueue(f"{run_id}:resume:{self._runtime.new_id()}", await self._plan(run_id), None)

    async def standing(self, run_id: str) -> Standing:
        """Where the run is now. Raises UnknownRun."""
        record = await self._runtime.database.run(run_id)
        snapshot = await self._graph.aget_state(_config(run_id))
        if run_id in self._live:
            return Standing(status="running", next=snapshot.next)
        if record.outcome is not None:
            return Standing(status="ended", next=snapshot.next)
        if snapshot.interrupts:
            return Standing(status="waiting", next=snapshot.next, asks=snapshot.interrupts[0].value)
        return Standing(status="running", next=snapshot.next)

    async def events(self, run_id: str) -> tuple[Event, ...]:
        """The run's progress so far, oldest first. Raises UnknownRun."""
        if run_id in self._live:
            return tuple(self._live[run_id])
        record = await self._runtime.database.run(run_id)
        if record.report is not None:
            return tuple(Event.model_validate(line) for line in record.report["events"])
        return tuple((await self._graph.aget_state(_config(run_id))).values.get("events", ()))

    async def tidy(self) -> None:
        """Ends runs that nobody works on: noted but never queued, or given up by the queue."""
        for record in await self._runtime.database.runs(limit=MOST_RUNS):
            if record.outcome is None and (outcome := await _abandoned(record.id)) is not None:
                plan = Plan(
                    run_id=record.id,
                    subject=record.subject,
                    whole=record.whole,
                    domain=record.domain,
                    gap_id=record.gap_id,
                    approval=self._runtime.approval,
                    begun_at=record.started_at,
                )
                await self._break_off(plan, outcome)

    async def drive(self, plan: Plan, decision: Approval | None) -> str:
        """Works on the run from its last checkpoint until it ends or waits; returns which of both."""
        config = _config(plan.run_id, self._runtime.limits.recursion)
        snapshot = await self._graph.aget_state(config)
        if snapshot.interrupts and decision is None:
            return "waiting"
        if snapshot.values and not snapshot.next:
            return "ended"
        self._live[plan.run_id] = list(snapshot.values.get("events", ()))
        try:
            outcome = await self._advance(plan, _entry(plan, snapshot, decision), config)
        finally:
            self._live.pop(plan.run_id, None)
        return outcome

    async def _advance(
        self, plan: Plan, entry: "LearnState | Command[Any] | None", config: RunnableConfig
    ) -> str:
        live = self._live[plan.run_id]
        durable = len(live)
        try:
            async for mode, chunk in self._graph.astream(
                entry,
                config,
                context=self._runtime,
                stream_mode=["updates", "custom"],
                durability="sync",
            ):
                if mode == "custom":
                    live.append(cast(Event, chunk))
                elif told := _events(chunk):
                    live[durable:] = told  # which begin with what the step reported on its way
                    durable = len(live)
        except GraphRecursionError as error:
            await self._break_off(plan, Outcome(status="stopped", reason=f"too many steps: {error}"))
        except (AgentError, StorageError, ValueError) as error:
            log.warning("run %s failed: %s", plan.run_id, error)
            await self._break_off(plan, Outcome(status="failed", reason=str(error)))
        except Exception as error:
            reason = f"a fault in Nightschool itself, {type(error).__name__}: {error}; please report it"
            await self._break_off(plan, Outcome(status="failed", reason=reason))
            raise
        snapshot = await self._graph.aget_state(config)
        return "waiting" if snapshot.interrupts else "ended"

    async def _break_off(self, plan: Plan, outcome: Outcome) -> None:
        """Ends a run outside its graph, which keeps the checkpoint from which it can be resumed."""
        values = (await self._graph.aget_state(_config(plan.run_id))).values
        told = self._live.get(plan.run_id) or values.get("events", [])
        state = cast(LearnState, {**_begin(plan), **values, "outcome": outcome})
        outcome = as_told(state)
        said = event(self._runtime, "report", f"{outcome.status}: {outcome.reason}")
        await conclude({**state, "outcome": outcome, "events": [*told, said]}, self._runtime)

    async def _plan(self, run_id: str) -> Plan:
        values = (await self._graph.aget_state(_config(run_id))).values
        return Plan(
            run_id=run_id,
            subject=values["subject"],
            whole=values["whole"],
            domain=values["domain"],
            gap_id=values["gap_id"],
            approval=values["approval_policy"],
            begun_at=values["working_since"],
            forget=values.get("forget"),
            because=values.get("because", ""),
        )

    async def _begin(self, plan: Plan) -> str:
        await self._runtime.database.start_run(
            plan.run_id,
            subject=plan.subject,
            whole=plan.whole,
            domain=plan.domain,
            gap_id=plan.gap_id,
            now=plan.begun_at,
        )
        if plan.gap_id is not None:
            await self._runtime.database.set_gap(plan.gap_id, "learning", plan.run_id)
        await self._enqueue(plan.run_id, plan, None)
        return plan.run_id

    async def _enqueue(self, workflow_id: str, plan: Plan, decision: Approval | None) -> None:
        """Starts the workflow; one id never runs twice, so a repeated approval changes nothing."""
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(
                self._work,
                plan.model_dump(mode="json"),
                decision.model_dump(mode="json") if decision else None,
            )


@asynccontextmanager
async def open_runs(
    runtime: Runtime, saver: BaseCheckpointSaver[str], database_url: str
) -> AsyncIterator[LearnRuns]:
    """Opens the durable runs over a DBOS database and takes up those that a crash left unfinished.

    One per process, for DBOS allows one. Work in progress at closing is left as it stands in its
    checkpoint, and the next opening takes it up. `database_url` is a SQLAlchemy URL.
    """
    config: DBOSConfig = {
        "name": "nightschool",
        "system_database_url": database_url,
        "application_version": VERSION,
        "executor_id": EXECUTOR,
        "serializer": DBOSPortableJSONSerializer(),  # DBOS's own default is pickle
        "console_log_level": "ERROR",
        "enable_otlp": False,
    }
    DBOS(config=config)
    working: set[asyncio.Task[Any]] = set()

    @DBOS.workflow(name=WORKFLOW)
    async def work(plan: dict[str, Any], decision: dict[str, Any] | None) -> str:
        task = asyncio.current_task()
        assert task is not None, "DBOS runs workflows as tasks of the loop that launched it"
        working.add(task)
        task.add_done_callback(working.discard)
        given = Approval.model_validate(decision) if decision else None
        return await runs.drive(Plan.model_validate(plan), given)

    runs = LearnRuns(runtime, saver, work)
    DBOS.launch()
    try:
        await runs.tidy()
        yield runs
    finally:
        for task in tuple(working):
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)


def _config(run_id: str, recursion_limit: int | None = None) -> RunnableConfig:
    config: RunnableConfig = {"configurable": {"thread_id": run_id}}
    return config if recursion_limit is None else {**config, "recursion_limit": recursion_limit}


def _approval_id(run_id: str) -> str:
    return f"{run_id}:approval"


async def _abandoned(run_id: str) -> Outcome | None:
    """How a run ended that has no outcome, or None if it is worked on or waits for a person."""
    queued = await DBOS.get_workflow_status_async(_approval_id(run_id))
    queued = queued or await DBOS.get_workflow_status_async(run_id)
    if queued is None:
        return Outcome(status="stopped", reason="the service stopped before this run began: start it again")
    if queued.status not in GIVEN_UP:
        return None
    reason = f"the work on this run ended with {queued.error or queued.status}: resume it, or start it again"
    return Outcome(status="failed", reason=reason)


def _begin(plan: Plan) -> LearnState:
    start: LearnState = {
        "run_id": plan.run_id,
        "subject": plan.subject,
        "whole": plan.whole,
        "domain": plan.domain,
        "gap_id": plan.gap_id,
        "approval_policy": plan.approval,
        "working_since": plan.begun_at,
    }
    return start if plan.forget is None else {**start, "forget": plan.forget, "because": plan.because}


def _entry(
    plan: Plan, snapshot: StateSnapshot, decision: Approval | None
) -> LearnState | Command[Any] | None:
    """What to enter the graph with: a new state, a person's decision, or None to go on where it was."""
    if not snapshot.values:
        return _begin(plan)
    if snapshot.interrupts and decision is not None:
        return Command(resume=decision.model_dump(mode="json"))
    return None


def _events(update: Any) -> list[Event]:
    """The progress lines in one chunk of updates, which maps a node's name to what it changed."""
    return [
        line for change in update.values() if isinstance(change, dict) for line in change.get("events", ())
    ]
