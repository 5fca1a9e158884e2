"""Runs that learn or forget: started, approved, resumed, and told of, each on a thread of its own id.

The order of steps is in `learn`; that they are worked on, and survive a crash, is the executor's business.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Literal

from agent.models.card import require_teachable
from graphs import lessons
from graphs.server.executor import Executor
from graphs.server.learn_spec import GRAPH, Plan, named, note
from graphs.server.run_attempt import thread_config
from graphs.server.run_spec import Order, Steer
from graphs.state import UNBOUND, ApprovalPolicy, Bounds, Event, Runtime
from memory.errors import AlreadyExists, UnknownRun
from memory.records.base import Digest, Domain, Record
from memory.records.runs import Approval, LessonsDone
from memory.server.runs import RunEvent

MOST_RUNS = 1000


class Standing(Record):
    """Where a run is: `asks` is what a person has to decide, while it waits for one."""

    status: Literal["running", "waiting", "ended"]
    next: tuple[str, ...] = ()
    asks: dict[str, Any] | None = None
    lessons: LessonsDone | None = None
    """None before they are written."""


class LearnRuns:
    """The learn runs, as the REST surface and the commands start, decide on and tell of them."""

    def __init__(self, runtime: Runtime, executor: Executor) -> None:
        self._runtime = runtime
        self._executor = executor
        self._graph = executor.served[GRAPH].graph

    async def start(
        self,
        subject: str,
        *,
        whole: bool,
        domain: Domain | None = None,
        approval: ApprovalPolicy | None = None,
        gap_id: str | None = None,
        sources: Sequence[str] = (),
        questions: Sequence[str] = (),
        bounds: Bounds = UNBOUND,
        owner: str | None = None,
    ) -> str:
        """Begins a run about a topic (`whole`) or a question and returns its id at once.

        Raises ValueError for an empty or over-long subject, and NotTeachable where no lesson can be held.
        """
        require_teachable(self._runtime.card)
        return await self._start(
            Plan(
                run_id=self._runtime.new_id(),
                subject=named(subject),
                whole=whole,
                domain=domain,
                gap_id=gap_id,
                approval=approval or self._runtime.approval,
                begun_at=self._runtime.clock(),
                sources=tuple(sources),
                questions=tuple(questions),
                bounds=bounds,
            ),
            owner,
        )

    async def forget(self, domain: Domain, digest: Digest, *, because: str = "") -> str:
        """Begins a run that takes the curriculum out of its domain and returns its id at once.

        Raises NotTeachable, for what stays is taught anew.
        """
        require_teachable(self._runtime.card)
        return await self._start(
            Plan(
                run_id=self._runtime.new_id(),
                subject=f"forget {digest[:12]}",
                whole=True,
                domain=domain,
                approval="auto",
                begun_at=self._runtime.clock(),
                forget=digest,
                because=because,
            )
        )

    async def approve(self, run_id: str, decision: Approval) -> None:
        """Lets a waiting run go on, or ends it; saying the same again before it does changes nothing.

        Raises UnknownRun, ValueError unless it waits, or if the opposite was said first, and NotTeachable for
        an approval where no lesson can be held.
        """
        standing = await self.standing(run_id)
        deciding = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run_id}:approval"))
        if standing.status == "waiting":
            answer = Steer(answers=True, resume=decision.model_dump(mode="json"))
            try:
                order = Order(command=answer)
                await self._executor.start(run_id, GRAPH, order, assistant_id=GRAPH, run_id=deciding)
                return
            except AlreadyExists:
                pass  # somebody was quicker
        try:
            first = Order.model_validate((await self._executor.runs.get(deciding)).request)
        except UnknownRun:
            raise ValueError(f"run {run_id} does not wait for approval: it is {standing.status}") from None
        assert first.command is not None, "it is what the run is about"
        said = Approval.model_validate(first.command.resume)
        if standing.status == "ended" or said.approved != decision.approved:
            verb = "approved" if said.approved else "declined"
            raise ValueError(f"run {run_id} does not wait for approval: {said.by} has {verb} it")

    async def cancel(self, run_id: str, *, by: str, reason: str = "") -> None:
        """Ends a run where it is, from where it can be resumed; one that waits for a person is declined.

        Raises UnknownRun, and ValueError for a run that has ended.
        """
        standing = await self.standing(run_id)
        if standing.status == "waiting":
            await self.approve(run_id, Approval(approved=False, by=by, reason=reason or "cancelled"))
            return
        active = await self._executor.runs.unfinished(run_id)
        if not active:
            raise ValueError(f"run {run_id} cannot be cancelled: it has ended")
        for run in active:
            await self._executor.cancel(run.run_id)

    async def resume(self, run_id: str) -> None:
        """Takes a run up again that stopped or failed before its end.

        Raises UnknownRun, ValueError, and NotTeachable where no lesson can be held.
        """
        standing = await self.standing(run_id)
        if standing.status != "ended" or not standing.next:
            raise ValueError(f"run {run_id} cannot be resumed: it is {standing.status}")
        require_teachable(self._runtime.card)
        await self._executor.start(run_id, GRAPH, Order(), assistant_id=GRAPH)

    async def standing(self, run_id: str) -> Standing:
        """Where the run is now. Raises UnknownRun."""
        active = await self._executor.runs.unfinished(run_id)
        record = await self._runtime.database.run(run_id)
        snapshot = await self._graph.aget_state(thread_config(run_id))
        here = Standing(status="ended", next=snapshot.next, lessons=lessons.done(snapshot.values))
        if active or (record.outcome is None and not snapshot.next):
            return here.model_copy(update={"status": "running"})
        if record.outcome is None and snapshot.interrupts:
            return here.model_copy(update={"status": "waiting", "asks": snapshot.interrupts[0].value})
        return here

    async def events(self, run_id: str) -> tuple[Event, ...]:
        """The run's progress so far, oldest first. Raises UnknownRun."""
        record = await self._runtime.database.run(run_id)
        active = await self._executor.runs.unfinished(run_id)
        if record.report is not None and not active:
            return tuple(Event.model_validate(line) for line in record.report["events"])
        told = (await self._executor.runs.events(active[0].run_id))[1] if active else ()
        # Read after them: what a step had said on its way is then among its events, or still to be added.
        durable = (await self._graph.aget_state(thread_config(run_id))).values.get("events", [])
        return (*durable, *(line for line in underway(told) if line not in durable))

    async def tidy(self) -> None:
        """Ends runs that nobody works on: noted but never queued, or given up outside their graph."""
        for record in await self._runtime.database.runs(limit=MOST_RUNS):
            if record.outcome is not None:
                continue
            latest = await self._executor.runs.list(record.id, limit=1)
            if not latest:
                reason = "the service stopped before this run began: start it again"
                await self._executor.served[GRAPH].broke_off(record.id, "stopped", reason)
            elif latest[0].error is not None:
                await self._executor.served[GRAPH].broke_off(record.id, "failed", latest[0].error["message"])

    async def _start(self, plan: Plan, owner: str | None = None) -> str:
        await note(plan, self._runtime)
        order = Order(input=plan.model_dump(mode="json"))
        await self._executor.start(
            plan.run_id, GRAPH, order, assistant_id=GRAPH, create_thread=True, owner=owner
        )
        return plan.run_id


def underway(events: Sequence[RunEvent]) -> list[Event]:
    """What the latest attempt has reported on its way, in finished steps too."""
    lines: list[Event] = []
    for told in events:
        if told.name == "metadata":  # another attempt: what the step under way had said was lost
            lines = []
        elif told.name == "custom":
            lines.append(Event.model_validate_json(told.data))
    return lines
