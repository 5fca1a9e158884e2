"""Learn runs: start, approve, cancel and resume them, read their status and progress.

Each is a run of the learn graph on a thread of the same id.
"""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, Literal

from cachetools import TTLCache

from agent.models.card import require_teachable
from graphs import lessons
from graphs.server.executor import Executor
from graphs.server.learn_spec import GRAPH, LearnInput, LearnPlan, LearnSpec, record_plan, run_spec
from graphs.server.run_attempt import thread_config
from graphs.server.run_spec import CommandSpec, RunRequest, RunSpec
from graphs.server.snapshots import unfinished_steps
from graphs.state import Event, Runtime
from memory.errors import AlreadyExists, QuotaReached, ThreadBusy, UnknownRun
from memory.records.approvals import ApprovalRecord
from memory.records.base import Digest, Domain, Record
from memory.records.runs import Approval, LessonsDone
from memory.server.keys import LOCAL_OPERATOR
from memory.server.runs import RunEvent

READ_SECONDS = 0.9
"""How long what was read of a followed run is shown to others who follow it."""
MAX_RUNS = 1000
"""Latest runs that `end_lost` looks at."""


class LearnStatus(Record):
    """The status of a learn run."""

    status: Literal["running", "waiting", "ended"]
    """`waiting` means for a person's approval."""
    next: tuple[str, ...] = ()
    """Steps that come next; an ended run that has some can be resumed."""
    asks: dict[str, Any] | None = None
    """The curriculum to decide on, while the run waits."""
    lessons: LessonsDone | None = None
    """None before they are written."""


class LearnRuns:
    """The learn runs of the service."""

    def __init__(self, runtime: Runtime, executor: Executor) -> None:
        self._runtime = runtime
        self._executor = executor
        spec = executor.graph_specs[GRAPH]
        assert isinstance(spec, LearnSpec), "the executor is opened with it"
        self._spec = spec
        self._graph = spec.graph
        self._reads: TTLCache[str, asyncio.Future[tuple[LearnStatus, tuple[Event, ...]]]]
        self._reads = TTLCache(maxsize=MAX_RUNS, ttl=READ_SECONDS)

    async def start(
        self, request: LearnInput, *, asked_by: str = LOCAL_OPERATOR, owner: str | None = None
    ) -> str:
        """Starts a run and returns its id at once. `owner` is that of its thread.

        Raises ValueError for an empty or too long subject, UnknownGap, and NotTeachable if the model cannot
        be taught.
        """
        require_teachable(self._runtime.card)
        plan = await self._spec.plan(self._runtime.new_id(), request, await self._executor.access(owner))
        return await self._start(plan, asked_by, owner)

    async def forget(
        self, domain: Domain, digest: Digest, *, because: str = "", asked_by: str = LOCAL_OPERATOR
    ) -> str:
        """Starts a run that removes the curriculum from its domain, and returns its id at once.

        `asked_by` must be an admin: that they asked is the approval, which is recorded. Raises NotTeachable
        if the model cannot be taught, because the remaining lessons are trained again.
        """
        require_teachable(self._runtime.card)
        run_id, now = self._runtime.new_id(), self._runtime.clock()
        asked = ApprovalRecord(
            digest=digest,
            act="forget",
            run_id=run_id,
            asked_by=asked_by,
            approved_by=asked_by,
            policy="admin",
            reason=because,
            approved_at=now,
        )
        await self._runtime.approvals.record(asked)
        return await self._start(
            LearnPlan(
                run_id=run_id,
                subject=f"forget {digest[:12]}",
                whole=True,
                domain=domain,
                approval=self._runtime.approval,
                begun_at=now,
                forget=digest,
                because=because,
            ),
            asked_by,
        )

    async def approve(self, run_id: str, decision: Approval) -> None:
        """Continues a waiting run, or ends it; repeating the decision changes nothing.

        Raises UnknownRun, ValueError if the run does not wait or the opposite was decided first, NotApproved
        if `decision.by` asked for the run, and NotTeachable if the model cannot be taught.
        """
        status = await self.status(run_id)
        approval_run_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run_id}:approval"))
        if status.status == "waiting":
            answer = decision.model_dump(mode="json", exclude={"by"})
            request = RunRequest(command=CommandSpec(answers=True, resume=answer))
            try:
                await self._continue(run_id, request, asked_by=decision.by, new_run_id=approval_run_id)
                return
            except (AlreadyExists, ThreadBusy):
                pass  # somebody else decided first
        try:
            first = RunRequest.model_validate((await self._executor.runs.get(approval_run_id)).request)
        except UnknownRun:
            raise ValueError(f"run {run_id} is not waiting for approval: it is {status.status}") from None
        assert first.command is not None, "the run was started with it"
        earlier = Approval.model_validate(first.command.resume)
        if status.status == "ended" or earlier.approved != decision.approved:
            verb = "approved" if earlier.approved else "declined"
            raise ValueError(f"run {run_id} is not waiting for approval: {earlier.by} has {verb} it")

    async def cancel(self, run_id: str, *, by: str, reason: str = "") -> None:
        """Stops a run, which can be resumed; a run that waits for approval is declined.

        Raises UnknownRun, and ValueError for a run that has ended.
        """
        status = await self.status(run_id)
        if status.status == "waiting":
            await self.approve(run_id, Approval(approved=False, by=by, reason=reason or "cancelled"))
            return
        active = await self._executor.runs.unfinished(run_id)
        if not active:
            raise ValueError(f"run {run_id} cannot be cancelled: it has ended")
        for run in active:
            await self._executor.cancel(run.run_id)

    async def resume(self, run_id: str, *, asked_by: str = LOCAL_OPERATOR) -> None:
        """Continues a run that stopped or failed.

        Raises UnknownRun, ValueError, and NotTeachable if the model cannot be taught.
        """
        status = await self.status(run_id)
        if status.status != "ended" or not status.next:
            raise ValueError(f"run {run_id} cannot be resumed: it is {status.status}")
        require_teachable(self._runtime.card)
        await self._continue(run_id, RunRequest(), asked_by=asked_by)

    async def status(self, run_id: str) -> LearnStatus:
        """Where the run is now. Raises UnknownRun."""
        active = await self._executor.runs.unfinished(run_id)
        record = await self._runtime.database.run(run_id)
        snapshot = await self._graph.aget_state(thread_config(run_id))
        unfinished = unfinished_steps(snapshot)
        status = LearnStatus(status="ended", next=unfinished, lessons=lessons.count_promoted(snapshot.values))
        if active or (record.outcome is None and not unfinished):
            return status.model_copy(update={"status": "running"})
        if record.outcome is None and snapshot.interrupts:
            return status.model_copy(update={"status": "waiting", "asks": snapshot.interrupts[0].value})
        return status

    async def events(self, run_id: str) -> tuple[Event, ...]:
        """The run's progress so far, oldest first. Raises UnknownRun."""
        record = await self._runtime.database.run(run_id)
        active = await self._executor.runs.unfinished(run_id)
        if record.report is not None and not active:
            return tuple(Event.model_validate(line) for line in record.report["events"])
        stored = (await self._executor.runs.events(active[0].run_id))[1] if active else ()
        # Read after the stored events, so that a step that ends in between is in one of the two.
        checkpointed = (await self._graph.aget_state(thread_config(run_id))).values.get("events", [])
        return (*checkpointed, *(line for line in progress(stored) if line not in checkpointed))

    async def follow(self, run_id: str) -> tuple[LearnStatus, tuple[Event, ...]]:
        """The run's status and progress, read at most once a second for all who follow it. Raises UnknownRun.

        A read takes 40 ms of the event loop, because it decodes the run's checkpoint.
        """
        read = self._reads.get(run_id)
        if read is None:
            read = self._reads[run_id] = asyncio.ensure_future(self._status_and_events(run_id))
        status, events = await asyncio.shield(read)
        if status.status != "running":
            self._reads.pop(run_id, None)  # it may be continued in the meantime
        return status, events

    async def _status_and_events(self, run_id: str) -> tuple[LearnStatus, tuple[Event, ...]]:
        # The status is read before the events, so that they are complete if the run has ended.
        return await self.status(run_id), await self.events(run_id)

    async def end_lost(self) -> None:
        """Ends runs that were recorded but never queued, or that failed outside their graph."""
        for record in await self._runtime.database.runs(limit=MAX_RUNS):
            if record.outcome is not None:
                continue
            latest = await self._executor.runs.list(record.id, limit=1)
            if not latest:
                reason = "the service stopped before this run began: start it again"
                await self._spec.record_failure(record.id, "stopped", reason)
            elif latest[0].error is not None:
                await self._spec.record_failure(record.id, "failed", latest[0].error["message"])

    async def _start(self, plan: LearnPlan, asked_by: str, owner: str | None = None) -> str:
        await record_plan(plan, self._runtime, asked_by)
        try:
            await self._executor.start(run_spec(plan, asked_by=asked_by, owner=owner))
        except QuotaReached as error:
            await self._spec.record_failure(plan.run_id, "stopped", str(error))
            raise
        return plan.run_id

    async def _continue(
        self, run_id: str, request: RunRequest, *, asked_by: str, new_run_id: str | None = None
    ) -> None:
        self._reads.pop(run_id, None)
        await self._executor.start(
            RunSpec(
                thread_id=run_id,
                graph_id=GRAPH,
                assistant_id=GRAPH,
                request=request,
                asked_by=asked_by,
                run_id=new_run_id,
            )
        )


def progress(events: Sequence[RunEvent]) -> list[Event]:
    """Progress reported by the latest attempt, in finished and unfinished steps."""
    lines: list[Event] = []
    for stored in events:
        if stored.name == "metadata":  # a new attempt repeats the unfinished step
            lines = []
        elif stored.name == "custom":
            lines.append(Event.model_validate_json(stored.data))
    return lines
