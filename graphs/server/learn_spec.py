"""The graph spec of the learn graph: its input, how its runs begin, continue and fail."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.models.card import require_teachable
from graphs.learn import build
from graphs.report import as_told, conclude
from graphs.server.graph_spec import FailureKind, Graph, changed, valid
from graphs.server.run_attempt import thread_config
from graphs.server.run_spec import RunRequest, RunSpec
from graphs.state import UNBOUND, ApprovalPolicy, Bounds, LearnState, Runtime, event
from memory.checkpoints.savers import Saver
from memory.errors import AlreadyExists, UnknownRun
from memory.records.base import Digest, Domain, Record
from memory.records.runs import Approval, Outcome
from memory.server.threads import Json

GRAPH = "learn"
LONGEST_SUBJECT = 500
"""Characters of a topic or question."""
Named = Annotated[str, Field(min_length=1, max_length=LONGEST_SUBJECT)]


class LearnPlan(Record):
    """What a run learns or forgets: everything that it needs to begin."""

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
    """What an assistant of the learn graph may set."""

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


class LearnSpec:
    """The learn graph. A thread holds one learn run and has its id."""

    name = GRAPH
    description = "Explores a topic or a gap, writes a verified curriculum, and has an adapter trained on it."
    stored_modes: tuple[str, ...] = ("custom",)
    """Progress within a step."""
    input: type[BaseModel] = LearnInput
    options: type[BaseModel] = LearnOptions

    def __init__(self, runtime: Runtime, saver: Saver) -> None:
        self._runtime = runtime
        self.recursion_limit = runtime.limits.steps
        self.graph: Graph = build(runtime.limits).compile(checkpointer=saver)

    async def validate_input(self, thread_id: str, values: Json, options: Json) -> Json:
        """See GraphSpec.validate_input: the plan. Raises AlreadyExists, UnknownGap, NotTeachable."""
        require_teachable(self._runtime.card)
        request: LearnInput = valid(LearnInput, options | values, "input")
        try:
            await self._runtime.database.run(thread_id)
        except UnknownRun:
            return (await self.plan(thread_id, request)).model_dump(mode="json")
        raise AlreadyExists(
            f"thread {thread_id} holds a learn run already: resume it without input, or take another thread"
        )

    async def plan(self, run_id: str, request: LearnInput) -> LearnPlan:
        """The plan of a new run. Raises UnknownGap, ValueError for an empty or too long subject."""
        subject = request.topic or request.question or ""
        if request.gap_id is not None:
            subject = (await self._runtime.database.gap(request.gap_id)).question
        return LearnPlan(
            run_id=run_id,
            subject=one_line(subject),
            whole=request.topic is not None,
            domain=request.domain,
            gap_id=request.gap_id,
            approval=request.approval or self._runtime.approval,
            begun_at=self._runtime.clock(),
            sources=request.sources,
            questions=request.questions,
            bounds=request.limits,
        )

    async def initial_state(self, thread_id: str, accepted: Json, *, streamed: bool) -> Json:
        """See GraphSpec.initial_state; records the run, once however often it is called."""
        plan = LearnPlan.model_validate(accepted)
        await record_plan(plan, self._runtime)
        return dict(_begin(plan))

    async def update_on_resume(self, thread_id: str, values: Json) -> Json:
        """See GraphSpec.update_on_resume: time limits restart; a fork is a new run and closes no gap."""
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

    def validate_answer(self, value: Any) -> Any:
        """See GraphSpec.validate_answer: a person's decision. Raises NotTeachable where none is taught."""
        decision: Approval = valid(Approval, value, "command.resume")
        if decision.approved:
            require_teachable(self._runtime.card)
        return decision.model_dump(mode="json")

    def validate_update(self, values: Json) -> Json:
        """See GraphSpec.validate_update: the run's id and its gap cannot change."""
        for name in ("run_id", "gap_id"):
            if name in values:
                raise ValueError(f"{name} cannot be changed: it says which run this is")
        return changed(LearnState, values)

    async def record_failure(self, thread_id: str, kind: FailureKind, reason: str) -> None:
        """See GraphSpec.record_failure: the run gets an outcome and a report, and can be resumed."""
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
        state: LearnState = {**begun, **values, "outcome": Outcome(status=kind, reason=reason)}  # type: ignore[typeddict-item]
        outcome = as_told(state)
        said = event(self._runtime, "report", f"{outcome.status}: {outcome.reason}")
        events = [*values.get("events", []), said]
        await conclude({**state, "outcome": outcome, "events": events}, self._runtime)


def run_spec(plan: LearnPlan, *, owner: str | None = None) -> RunSpec:
    """The run that carries the plan out, on a thread of its own."""
    return RunSpec(
        thread_id=plan.run_id,
        graph_id=GRAPH,
        assistant_id=GRAPH,
        request=RunRequest(input=plan.model_dump(mode="json")),
        create_thread=True,
        owner=owner,
    )


async def record_plan(plan: LearnPlan, runtime: Runtime) -> None:
    """Records the run and that its gap is being learned; recording it again changes nothing.

    Raises UnknownGap.
    """
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


def one_line(subject: str) -> str:
    """A topic or question in one line. Raises ValueError for an empty or over-long one."""
    subject = " ".join(subject.split())
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ValueError(f"a topic or question needs 1 to {LONGEST_SUBJECT} characters")
    return subject


def _begin(plan: LearnPlan) -> LearnState:
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
