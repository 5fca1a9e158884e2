"""The learn graph on threads: what clients may ask of it, and how a run of it begins, goes on and breaks off.

Starting runs, deciding on them and telling of them is in `runs`.
"""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.models.card import require_teachable
from graphs.learn import build
from graphs.report import as_told, conclude
from graphs.server.graph_spec import BrokeOff, Graph, changed, valid
from graphs.server.run_attempt import thread_config
from graphs.state import UNBOUND, ApprovalPolicy, Bounds, LearnState, Runtime, event
from memory.checkpoints.savers import Saver
from memory.errors import AlreadyExists, UnknownRun
from memory.records.base import Digest, Domain, Record
from memory.records.runs import Approval, Outcome
from memory.server.threads import Json

GRAPH = "learn"
KEPT = ("custom",)
"""Events that progress within a step is told from."""
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
        self.recursion_limit = runtime.limits.steps
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
        if "handed_over_at" in values:
            now["handed_over_at"] = now["working_since"]  # the wait for the trainer, too
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
        values = (await self.graph.aget_state(thread_config(thread_id))).values
        state: LearnState = {**begun, **values, "outcome": Outcome(status=status, reason=reason)}  # type: ignore[typeddict-item]
        outcome = as_told(state)
        said = event(self._runtime, "report", f"{outcome.status}: {outcome.reason}")
        events = [*values.get("events", []), said]
        await conclude({**state, "outcome": outcome, "events": events}, self._runtime)


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
