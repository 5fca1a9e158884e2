"""Runs that learn or forget: started, approved, resumed, and told of, each on a thread of its own id.

The order of steps is in `learn`; that they are worked on, and survive a crash, is the executor's business.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.models.card import require_teachable
from graphs.executor import Executor
from graphs.learn import build
from graphs.orders import Order, Steer
from graphs.report import as_told, conclude
from graphs.served import BrokeOff, Graph, changed, valid
from graphs.state import UNBOUND, ApprovalPolicy, Bounds, Event, LearnState, Runtime, event
from memory.errors import AlreadyExists, UnknownRun
from memory.records import Digest, Domain, Record
from memory.runs import Approval, Outcome
from memory.savers import Saver
from memory.thread_runs import RunEvent
from memory.threads import Json

GRAPH = "learn"
KEPT = ("custom",)
"""Events that progress within a step is told from."""
MOST_RUNS = 1000
LONGEST_SUBJECT = 500
"""Characters of a topic or question."""
Named = Annotated[str, Field(min_length=1, max_length=LONGEST_SUBJECT)]


class Plan(Record):
    """What to learn, or to forget: all that a run needs to begin."""

    run_id: str
    subject: str
    whole: bool
    domain: Domain | None = None
    gap_id: str | None = None
    approval: ApprovalPolicy
    begun_at: datetime
    sources: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    bounds: Bounds = UNBOUND
    forget: Digest | None = None
    because: str = ""


class Standing(Record):
    """Where a run is: `asks` is what a person has to decide, while it waits for one."""

    status: Literal["running", "waiting", "ended"]
    next: tuple[str, ...] = ()
    asks: dict[str, Any] | None = None


class LearnOptions(BaseModel):
    """What an assistant of `learn` may set."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain | None = None
    approval: ApprovalPolicy | None = None


class LearnInput(LearnOptions):
    """What to learn: a topic whole, or what one question needs (asked anew, or an open gap)."""

    topic: str | None = Field(None, max_length=LONGEST_SUBJECT)
    question: str | None = Field(None, max_length=LONGEST_SUBJECT)
    gap_id: str | None = Field(None, max_length=100)
    sources: tuple[Named, ...] = Field((), max_length=100)
    """Documents to learn from, by the names under which they were read; none stand for all."""
    questions: tuple[Named, ...] = Field((), max_length=50)
    """Asked before and after, in place of the topic's own first questions."""
    limits: Bounds = UNBOUND

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if sum(part is not None for part in (self.topic, self.question, self.gap_id)) != 1:
            raise ValueError("name one of topic, question and gap_id")
        return self


class ServedLearn:
    """The learn graph on threads; a thread holds one learn run, and has its id."""

    name = GRAPH
    description = "Explores a topic or a gap, writes a verified curriculum, and has an adapter trained on it."
    kept: tuple[str, ...] = KEPT
    input: type[BaseModel] = LearnInput
    options: type[BaseModel] = LearnOptions

    def __init__(self, runtime: Runtime, saver: Saver) -> None:
        self._runtime = runtime
        self.recursion_limit = runtime.limits.recursion
        self.graph: Graph = build(runtime.limits).compile(checkpointer=saver)

    async def accept(self, thread_id: str, given: Json, options: Json) -> Json:
        """See Served.accept: the plan. Raises AlreadyExists, UnknownGap, NotTeachable."""
        require_teachable(self._runtime.card)
        asked: LearnInput = valid(LearnInput, options | given, "input")
        try:
            await self._runtime.database.run(thread_id)
        except UnknownRun:
            subject = asked.topic or asked.question or ""
            if asked.gap_id is not None:
                subject = (await self._runtime.database.gap(asked.gap_id)).question
            plan = Plan(
                run_id=thread_id,
                subject=named(subject),
                whole=asked.topic is not None,
                domain=asked.domain,
                gap_id=asked.gap_id,
                approval=asked.approval or self._runtime.approval,
                begun_at=self._runtime.clock(),
                sources=asked.sources,
                questions=asked.questions,
                bounds=asked.limits,
            )
            return plan.model_dump(mode="json")
        raise AlreadyExists(
            f"thread {thread_id} holds a learn run already: resume it without input, or take another thread"
        )

    async def enter(self, thread_id: str, accepted: Json, *, streamed: bool) -> Json:
        """See Served.enter; notes the run, which noting it again does not change."""
        plan = Plan.model_validate(accepted)
        await note(plan, self._runtime)
        return dict(_begin(plan))

    async def resume(self, thread_id: str, values: Json) -> Json:
        """See Served.resume: the clock starts anew; a branch is a run of its own, and closes no gap."""
        now: Json = {"working_since": self._runtime.clock()}
        if values["run_id"] == thread_id:
            return now
        await self._runtime.database.start_run(
            thread_id,
            subject=values["subject"],
            whole=values["whole"],
            domain=values["domain"],
            gap_id=None,
            now=now["working_since"],
        )
        return now | {"run_id": thread_id, "gap_id": None}

    def answer(self, value: Any) -> Any:
        """See Served.answer: a person's decision. Raises NotTeachable where none is taught."""
        decision: Approval = valid(Approval, value, "command.resume")
        if decision.approved:
            require_teachable(self._runtime.card)
        return decision.model_dump(mode="json")

    def change(self, values: Json) -> Json:
        """See Served.change: whose run and whose gap it is stays."""
        for name in ("run_id", "gap_id"):
            if name in values:
                raise ValueError(f"{name} cannot be changed: it says which run this is")
        return changed(LearnState, values)

    async def broke_off(self, thread_id: str, status: BrokeOff, reason: str) -> None:
        """See Served.broke_off: the run's outcome and report; its checkpoint stays, to be resumed from."""
        try:
            record = await self._runtime.database.run(thread_id)
        except UnknownRun:
            return  # it had not begun
        begun: LearnState = {
            "run_id": record.id,
            "subject": record.subject,
            "whole": record.whole,
            "domain": record.domain,
            "gap_id": record.gap_id,
            "approval_policy": self._runtime.approval,
            "working_since": record.started_at,
        }
        values = (await self.graph.aget_state(_config(thread_id))).values
        state: LearnState = {**begun, **values, "outcome": Outcome(status=status, reason=reason)}  # type: ignore[typeddict-item]
        outcome = as_told(state)
        said = event(self._runtime, "report", f"{outcome.status}: {outcome.reason}")
        events = [*values.get("events", []), said]
        await conclude({**state, "outcome": outcome, "events": events}, self._runtime)


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
        snapshot = await self._graph.aget_state(_config(run_id))
        if active or (record.outcome is None and not snapshot.next):
            return Standing(status="running", next=snapshot.next)
        if record.outcome is None and snapshot.interrupts:
            return Standing(status="waiting", next=snapshot.next, asks=snapshot.interrupts[0].value)
        return Standing(status="ended", next=snapshot.next)

    async def events(self, run_id: str) -> tuple[Event, ...]:
        """The run's progress so far, oldest first. Raises UnknownRun."""
        record = await self._runtime.database.run(run_id)
        active = await self._executor.runs.unfinished(run_id)
        if record.report is not None and not active:
            return tuple(Event.model_validate(line) for line in record.report["events"])
        told = (await self._executor.runs.events(active[0].run_id))[1] if active else ()
        # Read after them: what a step had said on its way is then among its events, or still to be added.
        durable = (await self._graph.aget_state(_config(run_id))).values.get("events", [])
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


async def note(plan: Plan, runtime: Runtime) -> None:
    """Notes that a run was asked for; noting it again changes nothing. Raises UnknownGap."""
    await runtime.database.start_run(
        plan.run_id,
        subject=plan.subject,
        whole=plan.whole,
        domain=plan.domain,
        gap_id=plan.gap_id,
        now=plan.begun_at,
    )
    if plan.gap_id is not None:
        await runtime.database.set_gap(plan.gap_id, "learning", plan.run_id)


def named(subject: str) -> str:
    """A topic or question in one line. Raises ValueError for an empty or over-long one."""
    subject = " ".join(subject.split())
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ValueError(f"a topic or question needs 1 to {LONGEST_SUBJECT} characters")
    return subject


def underway(events: Sequence[RunEvent]) -> list[Event]:
    """What the latest attempt has reported on its way, in finished steps too."""
    lines: list[Event] = []
    for told in events:
        if told.name == "metadata":  # another attempt: what the step under way had said was lost
            lines = []
        elif told.name == "custom":
            lines.append(Event.model_validate_json(told.data))
    return lines


def _config(run_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": run_id}}


def _begin(plan: Plan) -> LearnState:
    start: LearnState = {
        "run_id": plan.run_id,
        "subject": plan.subject,
        "whole": plan.whole,
        "domain": plan.domain,
        "gap_id": plan.gap_id,
        "approval_policy": plan.approval,
        "working_since": plan.begun_at,
        "sources": plan.sources,
        "questions": plan.questions,
        "bounds": plan.bounds,
    }
    return start if plan.forget is None else {**start, "forget": plan.forget, "because": plan.because}
