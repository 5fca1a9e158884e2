"""The graph spec of the learn graph: validates its input, and begins, continues and fails its runs."""

import uuid
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.models.card import require_teachable
from graphs.learn import build
from graphs.model_exploration import not_driving
from graphs.night_approval import NIGHT
from graphs.report import explained_outcome, store_outcome
from graphs.server.graph_spec import ClientRights, FailureKind, Graph, validated, validated_update
from graphs.server.run_attempt import thread_config
from graphs.server.run_spec import RunRequest, RunSpec
from graphs.state import NO_OWN_LIMITS, Explorer, LearnState, RequestedLimits, Runtime, WebUse, event
from graphs.turn_log import scrubbed
from memory.checkpoints.savers import Saver
from memory.errors import AlreadyExists, UnknownRun
from memory.records.access import Access
from memory.records.approvals import ApprovalPolicy, ApprovalRecord
from memory.records.base import Digest, Domain, Record
from memory.records.interactions import Gap
from memory.records.runs import Approval, Outcome
from memory.server.audit import Action
from memory.server.keys import LOCAL_OPERATOR
from memory.server.runs import ThreadRuns
from memory.server.threads import Json

GRAPH = "learn"
LONGEST_SUBJECT = 500
"""Characters of a topic or question."""
MAX_RUNS = 1000
"""Latest runs on the thread that are looked at."""
ShortText = Annotated[str, Field(min_length=1, max_length=LONGEST_SUBJECT)]


class LearnPlan(Record):
    """What a run learns or forgets: all the input that its initial state is made from."""

    run_id: str
    subject: str
    whole: bool
    domain: Domain | None = None
    gap_id: str | None = None
    approval: ApprovalPolicy
    begun_at: datetime
    sources: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    bounds: RequestedLimits = NO_OWN_LIMITS
    web: WebUse = "no"
    explorer: Explorer = "rules"
    forget: Digest | None = None
    because: str = ""


class Decision(Record):
    """A person's decision on the lessons that a run shows for approval."""

    approved: bool
    reason: str = Field("", max_length=2000)
    digests: tuple[Digest, ...] = Field((), max_length=100)
    """Of the lessons that were shown, as the run `asks` about them. The decision is then refused if others
    have taken their place; without them it is about those that the run shows now."""


class LearnOptions(BaseModel):
    """Options that an assistant of the learn graph may set."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain | None = None
    approval: ApprovalPolicy | None = None


class LearnInput(LearnOptions):
    """What to learn: a whole topic, or the answer to one question, which may be that of an open gap."""

    topic: str | None = Field(None, max_length=LONGEST_SUBJECT)
    question: str | None = Field(None, max_length=LONGEST_SUBJECT)
    gap_id: str | None = Field(None, max_length=100)
    sources: tuple[ShortText, ...] = Field((), max_length=100)
    """Names of the documents to learn from; empty for all."""
    questions: tuple[ShortText, ...] = Field((), max_length=50)
    """Questions to ask before and after; by default the first ones about the topic."""
    limits: RequestedLimits = NO_OWN_LIMITS
    """Lower limits than the service's."""
    web: WebUse = "no"
    """Whether the run may search the web: as `fallback` if the library has no answer, or `always`. Nothing
    from the web is taught unless two independent sites agree on it."""
    explorer: Explorer = "rules"
    """Who decides what is looked up: rules, or the served model by tool calls, if its card allows that."""

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if sum(part is not None for part in (self.topic, self.question, self.gap_id)) != 1:
            raise ValueError("send exactly one of topic, question and gap_id")
        return self


class LearnSpec:
    """The learn graph. A thread holds one learn run and has its id."""

    name = GRAPH
    description = "Explores a topic or a gap, writes a verified curriculum, and trains an adapter on it."
    stored_modes: tuple[str, ...] = ("custom",)
    """Custom events are the progress within a step."""
    input: type[BaseModel] = LearnInput
    options: type[BaseModel] = LearnOptions
    rights = ClientRights(
        keys=frozenset(
            {
                "subject", "whole", "sources", "questions", "bounds", "approval_policy",
                "query", "keywords", "refinements", "findings", "draft",
            }
        ),
        goto=frozenset({"attempt", "detect", "explore", "critique", "refine", "curriculum", "verify"}),
        as_node=frozenset({"attempt", "detect", "explore", "critique", "refine", "curriculum"}),
    )  # fmt: skip
    """What a lesson is made from may be changed, because all of it is verified and judged afterwards."""

    def __init__(self, runtime: Runtime, saver: Saver) -> None:
        self._runtime = runtime
        self.recursion_limit = runtime.limits.steps
        self.graph: Graph = build(runtime.limits).compile(checkpointer=saver)

    async def validate_input(self, thread_id: str, values: Json, options: Json, access: Access) -> Json:
        """See GraphSpec.validate_input: the plan. Raises AlreadyExists, NotTeachable and like `plan`."""
        require_teachable(self._runtime.card)
        request: LearnInput = validated(LearnInput, options | values, "input")
        try:
            await self._runtime.database.run(thread_id)
        except UnknownRun:
            return (await self.plan(thread_id, request, access)).model_dump(mode="json")
        raise AlreadyExists(
            f"thread {thread_id} already has a learn run: resume it without input, or use another thread"
        )

    async def plan(self, run_id: str, request: LearnInput, access: Access) -> LearnPlan:
        """The plan of a new run of a caller with this access.

        Raises UnknownGap, DomainClosed, and ValueError for an empty or too long subject or unknown sources.
        """
        subject = request.topic or request.question or ""
        if request.gap_id is not None:
            gap = await self._runtime.database.gap(request.gap_id, access=access)
            access.require_write(gap.domain)  # the run changes the gap
            subject = gap.question
        self._check_web(request)
        self._check_explorer(request)
        subject, *questions = await scrubbed([subject, *request.questions], self._runtime.scrubber)
        if request.domain is not None:
            access.require_write(request.domain)
        if request.sources:
            teachable = access.to_teach(request.domain)
            readable = await self._runtime.episodic.documents(access=teachable)
            if unknown := set(request.sources) - {each.source for each in readable}:
                raise ValueError(f"no document {min(unknown)!r}: `GET /v1/documents` lists them")
        return LearnPlan(
            run_id=run_id,
            subject=one_line(subject),
            whole=request.topic is not None,
            domain=request.domain,
            gap_id=request.gap_id,
            approval=self._policy(request.approval),
            begun_at=self._runtime.clock(),
            sources=request.sources,
            questions=tuple(questions),
            bounds=request.limits,
            web=request.web,
            explorer=request.explorer,
        )

    async def initial_state(
        self, thread_id: str, accepted: Json, *, asked_by: str | None, streamed: bool
    ) -> Json:
        """See GraphSpec.initial_state; also records the run, and is safe to repeat."""
        plan = LearnPlan.model_validate(accepted)
        await record_plan(plan, self._runtime, asked_by)
        return dict(_initial_state(plan))

    async def update_on_resume(self, thread_id: str, values: Json, *, asked_by: str | None) -> Json:
        """See GraphSpec.update_on_resume: time limits restart; a fork is a new run and closes no gap.

        Who continues it cannot approve it, nor can who asked for the original of a fork. The state says so,
        because clients may delete the runs of a thread.

        Raises ValueError for a state that no run has made.
        """
        if "run_id" not in values:
            raise ValueError(f"thread {thread_id} has no learn run: send input to start one")
        now = self._runtime.clock()
        editors = {asked_by}
        changes: Json = {"worked_seconds": -values.get("worked_seconds", 0.0)}
        if values["run_id"] != thread_id:
            editors |= await self._askers(values["run_id"])
            with suppress(UnknownRun):  # it was forgotten
                editors.add((await self._runtime.database.run(values["run_id"])).asked_by)
            await self._runtime.database.start_run(
                thread_id,
                subject=values["subject"],
                whole=values["whole"],
                domain=values["domain"],
                gap_id=None,
                now=now,
                asked_by=asked_by,
            )
            changes |= {"run_id": thread_id, "gap_id": None}
        return changes | {"editors": tuple(sorted(filter(None, editors)))}

    def validate_answer(self, value: Any, by: str) -> Any:
        """See GraphSpec.validate_answer: a person's decision. Raises NotTeachable for an approval
        if the model cannot be taught.
        """
        decision: Decision = validated(Decision, value, "command.resume")
        if decision.approved:
            require_teachable(self._runtime.card)
        return Approval(by=by, **dict(decision)).model_dump(mode="json")

    async def record_answer(self, thread_id: str, answer: Any, *, checkpoint_id: str | None = None) -> None:
        """See GraphSpec.record_answer: approves the lessons that the run shows, by their digests.

        Raises OwnApproval for whoever asked for the run or for a part of it, or changed it, and ValueError
        for a decision on other lessons than these.
        """
        answers = [answer] if "approved" in answer else list(answer.values())
        decision = Approval.model_validate(answers[0])
        snapshot = await self.graph.aget_state(thread_config(thread_id, checkpoint_id))
        if not snapshot.interrupts:
            raise ValueError("nothing to resume: the thread is not waiting at an interrupt")
        run, digests = await self._runtime.database.run(thread_id), snapshot.interrupts[0].value["digests"]
        if decision.digests and set(decision.digests) != set(digests):
            raise ValueError(
                "digests: the run asks about other lessons than these by now: look at them, and decide again"
            )
        askers = await self._askers(thread_id) | set(snapshot.values.get("editors", ()))
        action: Action = "curriculum.approve" if decision.approved else "curriculum.decline"
        details = {"digests": digests, "reason": decision.reason}
        async with self._runtime.audit.acting(action, by=decision.by, subject=run.id, details=details):
            for digest in digests if decision.approved else ():
                await self._runtime.approvals.record(
                    ApprovalRecord(
                        digest=digest,
                        run_id=run.id,
                        asked_by=decision.by if decision.by in askers else run.asked_by or LOCAL_OPERATOR,
                        approved_by=decision.by,
                        policy="human",
                        reason=decision.reason,
                        approved_at=self._runtime.clock(),
                    )
                )

    async def record_update(self, thread_id: str, values: Json, *, by: str) -> None:
        """See GraphSpec.record_update: the audit log says who changed what is to be approved."""
        await self._runtime.audit.record(
            "curriculum.edit", by=by, subject=thread_id, details={"keys": sorted(values)}
        )

    def validate_update(self, values: Json, by: str) -> Json:
        """See GraphSpec.validate_update: approval can only be made stricter, and not by who changes this."""
        if "subject" in values:
            values = values | {"subject": one_line(str(values["subject"]))}
        changes = validated_update(LearnState, values, self.rights.keys)
        if changes.get("approval_policy") == "auto":
            raise ValueError("approval_policy: a person's approval cannot be made unnecessary afterwards")
        return changes | {"editors": (by,)}

    async def _askers(self, thread_id: str) -> frozenset[str | None]:
        """Who has started or continued the run, other than by an answer."""
        runs = await ThreadRuns(self._runtime.database).list(thread_id, limit=MAX_RUNS)
        requests = [(run.asked_by, RunRequest.model_validate(run.request).command) for run in runs]
        return frozenset(by for by, command in requests if command is None or not command.answers)

    def _check_web(self, request: LearnInput) -> None:
        """Raises ValueError for a run that may not use the web."""
        if request.web == "no":
            return
        if self._runtime.web is None:
            raise ValueError(
                "web: this service has no search API: set NIGHTSCHOOL_SEARCH_APIS (docs/guides/web.md), or"
                " leave `web` out"
            )
        if request.sources:
            raise ValueError("web: a run learns either from the named sources or also from the web: send one")

    def _check_explorer(self, request: LearnInput) -> None:
        """Raises ValueError for a run that the served model may not drive."""
        if request.explorer == "model" and not self._runtime.card.may_explore:
            raise ValueError(f"explorer: {not_driving(self._runtime.card)}")

    def _policy(self, requested: ApprovalPolicy | None) -> ApprovalPolicy:
        """Raises ValueError for `auto` where the service asks a person."""
        if requested == "auto" and self._runtime.approval == "human":
            raise ValueError(
                "approval: this service has a person approve what is learned: send `human`, or leave it out"
            )
        return requested or self._runtime.approval

    async def record_failure(self, thread_id: str, kind: FailureKind, reason: str) -> None:
        """See GraphSpec.record_failure: the run gets an outcome and a report, and can be resumed."""
        try:
            record = await self._runtime.database.run(thread_id)
        except UnknownRun:
            return  # it failed before it was recorded
        recorded: LearnState = {
            "run_id": record.id,
            "subject": record.subject,
            "whole": record.whole,
            "domain": record.domain,
            "gap_id": record.gap_id,
            "approval_policy": self._runtime.approval,
        }
        values = (await self.graph.aget_state(thread_config(thread_id))).values
        state: LearnState = {**recorded, **values, "outcome": Outcome(status=kind, reason=reason)}  # type: ignore[typeddict-item]
        outcome = explained_outcome(state)
        reported = event(self._runtime, "report", f"{outcome.status}: {outcome.reason}")
        events = [*values.get("events", []), reported]
        await store_outcome({**state, "outcome": outcome, "events": events}, self._runtime)


def run_spec(plan: LearnPlan, *, asked_by: str, owner: str | None = None) -> RunSpec:
    """The spec of the run that carries out the plan, on a thread of its own."""
    return RunSpec(
        thread_id=plan.run_id,
        graph_id=GRAPH,
        assistant_id=GRAPH,
        request=RunRequest(input=plan.model_dump(mode="json")),
        create_thread=True,
        owner=owner,
        asked_by=asked_by,
    )


async def learn_gap(runtime: Runtime, gap: Gap, run_id: str) -> None:
    """Starts the learn run with this id about the gap; safe to repeat. Raises StoreUnavailable."""
    assert runtime.start_run is not None, "the executor sets it"
    plan = LearnPlan(
        run_id=run_id,
        subject=gap.question,
        whole=False,
        domain=gap.domain,
        gap_id=gap.id,
        approval=runtime.approval,
        begun_at=runtime.clock(),
    )
    await record_plan(plan, runtime, NIGHT)
    spec = run_spec(plan, asked_by=NIGHT)
    with suppress(AlreadyExists):  # it was started before
        await runtime.start_run(spec.model_copy(update={"run_id": str(uuid.UUID(run_id))}))


async def record_plan(plan: LearnPlan, runtime: Runtime, asked_by: str | None) -> None:
    """Records the run and sets its gap to `learning`; safe to repeat.

    Raises UnknownGap.
    """
    await runtime.database.start_run(
        plan.run_id,
        subject=plan.subject,
        whole=plan.whole,
        domain=plan.domain,
        gap_id=plan.gap_id,
        now=plan.begun_at,
        asked_by=asked_by,
    )
    if plan.gap_id is not None:
        await runtime.database.set_gap(plan.gap_id, "learning", plan.run_id)


def one_line(subject: str) -> str:
    """A topic or question with its whitespace collapsed. Raises ValueError if it is empty or too long."""
    subject = " ".join(subject.split())
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ValueError(f"a topic or question must have 1 to {LONGEST_SUBJECT} characters")
    return subject


def _initial_state(plan: LearnPlan) -> LearnState:
    start: LearnState = {
        "run_id": plan.run_id,
        "subject": plan.subject,
        "whole": plan.whole,
        "domain": plan.domain,
        "gap_id": plan.gap_id,
        "approval_policy": plan.approval,
        "sources": plan.sources,
        "questions": plan.questions,
        "bounds": plan.bounds,
        "web": plan.web,
        "explorer": plan.explorer,
    }
    return start if plan.forget is None else {**start, "forget": plan.forget, "because": plan.because}
