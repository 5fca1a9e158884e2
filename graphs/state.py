"""The states of the graphs, as stored in checkpoints, and the runtime that holds their dependencies."""

import asyncio
import operator
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from pydantic import Field
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from agent.chat.abstention import AbstentionReason
from agent.chat.no_answer import Closest
from agent.chat.routing import Route, Routes
from agent.engines.base import Engine, FinishReason, Reply, Sampling, ToolCall
from agent.experiments.active import ActiveExperiments
from agent.learning.candidate_pairs import WrittenPairs
from agent.learning.critique import Judge
from agent.learning.teachers.base import Teacher
from agent.learning.teachers.rules import RulesTeacher
from agent.learning.web_exploration import WebExploration, WebReport
from agent.models.card import ModelCard
from agent.nights.scoring.live import AttemptBudget
from agent.privacy.scrubbing import Scrubber
from graphs.meter import Meter, NoMeter
from memory.adapters.base import AdapterRegistry
from memory.database.database import Database
from memory.embedding.embedder import Embedder
from memory.episodic.base import EpisodicMemory
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.answers import AnswerArchive
from memory.nights.store import NightStore
from memory.outbox.base import Outbox, TrainingResult
from memory.records.access import SHARED, Access
from memory.records.adapters import Adapter
from memory.records.approvals import ApprovalPolicy
from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.experiments import Assignment
from memory.records.interactions import ChatOutcome, Gap, Intent, Uncertainty, UnsurePolicy
from memory.records.knowledge import Citation, Critique, Findings
from memory.records.runs import Approval, Job, JobKind, Lesson, Outcome
from memory.semantic.base import SemanticMemory
from memory.server.approvals import Approvals
from memory.server.audit import AuditLog
from memory.server.grants import Grants

StartRun = Callable[[Any], Awaitable[Any]]
"""Queues the run of a RunSpec (`graphs.server.run_spec`), and returns its ThreadRun."""
LearnGap = Callable[["Runtime", Gap, str], Awaitable[None]]
"""Starts the learn run with this id about the gap; safe to repeat."""
Update = dict[str, Any]
"""What a step returns: its changes to the state."""


Explorer = Literal["rules", "model"]
"""Who decides what a learn run looks up: rules, or the served model by tool calls."""
WebUse = Literal["no", "fallback", "always"]
"""`fallback`: the web is searched if the library has no answer; `always`: before the library."""
STEPS_OF_A_LESSON = 7
"""Graph steps of each lesson but the first: next_lesson, then hand_over, train and promote, perhaps twice."""


class Limits(Record):
    """The service's limits on a learn run: its duration, its retries, and how much it may teach."""

    max_refinements: int = 3
    recursion: int = 40
    """Graph steps of a run of one lesson; see `steps`."""
    step_attempts: int = 3
    run_seconds: float = 3600.0
    """Seconds of work, such as exploring and writing, after which the circuit breaker ends the run. Waiting
    for approval does not count, and training has its own limit."""
    training_seconds: float = 1800.0
    """Longest wait for any progress in the training of a lesson."""
    poll_seconds: float = 0.5
    facts_per_lesson: int = 240
    lessons_per_run: int = 8
    facts_per_run: int | None = None
    """Facts in all lessons of a run; None for as many as the lessons hold."""
    rewordings: int = 2
    """Rewordings of a question that chat tries before it opens a gap; each is one more model call."""

    @property
    def steps(self) -> int:
        """Most graph steps of a run."""
        return self.recursion + STEPS_OF_A_LESSON * (self.lessons_per_run - 1)

    @property
    def facts(self) -> int:
        """Most facts that one run may teach."""
        capacity = self.facts_per_lesson * self.lessons_per_run
        return capacity if self.facts_per_run is None else min(capacity, self.facts_per_run)


class RequestedLimits(Record):
    """Limits that a caller sets for one run. They can only lower the service's."""

    minutes: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Minutes of work."""
    refinements: int | None = Field(None, ge=0)
    facts: int | None = Field(None, ge=1)
    """Facts in all lessons of the run."""
    lessons: int | None = Field(None, ge=1)

    def within(self, limits: Limits) -> Limits:
        """The limits of the run: the lower of these and the service's."""
        seconds = limits.run_seconds if self.minutes is None else 60 * self.minutes
        refinements = limits.max_refinements if self.refinements is None else self.refinements
        lessons = limits.lessons_per_run if self.lessons is None else self.lessons
        fewer = self.facts is not None and self.facts < limits.facts
        return limits.model_copy(
            update={
                "run_seconds": min(seconds, limits.run_seconds),
                "max_refinements": min(refinements, limits.max_refinements),
                "lessons_per_run": min(lessons, limits.lessons_per_run),
                "facts_per_run": self.facts if fewer else limits.facts_per_run,
            }
        )


NO_OWN_LIMITS = RequestedLimits()

CountTokens = Callable[[str | None, int], Awaitable[None]]
"""Called with the owner and the tokens of each turn."""


@dataclass(frozen=True)
class Runtime:
    """Dependencies of the graphs' nodes, passed to them as LangGraph's runtime context."""

    engine: Engine
    episodic: EpisodicMemory
    semantic: SemanticMemory
    database: Database
    interactions: InteractionLog
    feedback: FeedbackStore
    annotations: Annotations
    nights: NightStore
    answers: AnswerArchive
    """Good answers, which chat may give again to the same question."""
    grants: Grants
    """Who may use closed domains."""
    pseudonym_key: str
    """Key of the pseudonyms of users, kept in the database."""
    approvals: Approvals
    """Records outside all states: what was verified and approved."""
    outbox: Outbox
    registry: AdapterRegistry
    routes: Routes
    base: Route
    """Route of questions that match no adapter: the default domain, no adapter, the base model's gate."""
    base_name: str
    """Name by which clients request the base model."""
    card: ModelCard
    """Measured properties of the base model."""
    embedder: Embedder
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    """Seconds for measuring durations, whatever happens to the `clock`."""
    new_id: Callable[[], str]
    approval: ApprovalPolicy = "auto"
    unsure: UnsurePolicy = "abstain"
    limits: Limits = field(default_factory=Limits)
    teacher: Teacher = field(default_factory=RulesTeacher)
    judge: Judge | None = None
    """Judges findings with a larger model; None uses only the rules."""
    scrubber: Scrubber = field(default_factory=Scrubber)
    """Takes personal data out of what is logged."""
    owner: str | None = None
    """Owner of what a chat turn logs: that of the request, authenticated, and never read from a state."""
    access: Access = SHARED
    """What the run or request may read and write; by `owner`, see `for_owner`."""
    experiments: ActiveExperiments | None = None
    """The running experiments; None where no experiments are run."""
    model_folder: Path | None = None
    """Folder of the base model, with the questions of its evaluations; without it nights train nothing."""
    start_run: StartRun | None = None
    """Starts runs of other graphs; set by the executor for the runs that it executes."""
    excluded_owners: frozenset[str] = frozenset()
    """Owners whose turns no night uses."""
    second_attempts: AttemptBudget | None = None
    """Limits how many bad answers chat tries again from sources; None for none."""
    learn_gap: LearnGap | None = None
    """How nights start learn runs; None where they cannot."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """How runs wait for something outside, in seconds; a run that sleeps takes no place of another."""
    count_tokens: CountTokens | None = None
    """Counts the tokens of a turn against its owner's rate limit; None where there is none."""
    meter: Meter = field(default_factory=NoMeter)
    """Counts what is done, for the operator's metrics."""
    web: WebExploration | None = None
    """Explores the web for runs that may use it; None where no search API is configured."""
    audit_heads: Path | None = None
    """File of the audit log's hashes; None for none."""

    async def for_owner(self, owner: str | None) -> "Runtime":
        """The runtime of one owner's runs and requests; None for an admin. Raises StoreUnavailable."""
        return replace(self, owner=owner, access=await self.grants.access(owner))

    @property
    def audit(self) -> AuditLog:
        """The log of who approved, promoted, forgot or granted what."""
        return AuditLog(self.database, self.audit_heads)


class Event(Record):
    """One line of a run's progress."""

    at: datetime
    step: str
    message: str
    figures: dict[str, float | int | str] = {}


class Attempt(Record):
    """A question as the base model or the live adapter answered it without sources."""

    question: str
    answer: str
    uncertainty: Uncertainty
    references: tuple[str, ...] = ()
    """Correct answers, if the facts in memory give any."""
    right: bool | None = None
    """Whether the answer is correct; None without references."""


class FindingsSummary(Record):
    """Counts and sources of what exploration found."""

    query: str
    passages: int
    facts: int
    sources: tuple[str, ...]


def distinct(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Both without repetitions, in order."""
    return tuple(dict.fromkeys((*first, *second)))


class LearnState(TypedDict, total=False):
    """The learn graph's state. Keys are absent until a step sets them."""

    run_id: str
    subject: str
    """The topic or the question, in the caller's words."""
    whole: bool
    """True for a topic, which is learned whole; False for a question, learned with related facts only."""
    domain: str | None
    """If the caller named none, None until the findings suggest one."""
    gap_id: str | None
    editors: Annotated[tuple[str, ...], distinct]
    """Owners of the keys that changed the state, here or in the run that this is a copy of; none of them
    approves."""
    approval_policy: ApprovalPolicy
    sources: tuple[str, ...]
    """Names of the documents to learn from; empty for all."""
    questions: tuple[str, ...]
    """Questions to ask before and after; by default the first ones about the topic."""
    bounds: RequestedLimits
    web: WebUse
    """Whether the run may use the web; absent for no."""
    explorer: Explorer
    """Who drives the exploration; absent for rules."""
    web_due: bool
    """The web is searched next."""
    explored: WebReport
    """What the web had; absent until it was searched."""
    worked_seconds: Annotated[float, operator.add]
    """Seconds of the finished steps that count towards `run_seconds`; 0 again after an approval and a
    resumption. Measured by a clock that no change of the time moves."""
    forget: Digest
    """The curriculum to forget, in a run that forgets one."""
    because: str
    """Why to forget it, in the caller's words."""
    attempts: tuple[Attempt, ...]
    keywords: tuple[str, ...]
    query: str
    refinements: int
    findings: Findings
    """Cleared in runs of several lessons, where every checkpoint would store it again."""
    found: FindingsSummary
    critique: Critique
    judgement: Critique
    """The critique at verification, of what the stores say. Whoever approves reads this one; it has a key of
    its own because a client may have the first critique run at the same time."""
    draft: WrittenPairs | None
    """Cleared after verification: the verified pairs are then in the curriculum."""
    curriculum: Curriculum
    """Curriculum of the current lesson, or of the first one."""
    lessons: tuple[Lesson, ...]
    """In teaching order. Those without an adapter are not taught yet; their curricula are in the outbox."""
    kept: int
    """Pairs that passed verification."""
    dropped: dict[str, int]
    """Pairs that failed verification, by reason."""
    left_out: dict[str, int]
    """Facts and passages that the lessons leave out, by reason."""
    approval: Approval
    job: Job
    training: TrainingResult
    adapter: Adapter
    asked_again: Attempt
    """The learned question, as chat answers it afterwards."""
    outcome: Outcome
    known: bool
    """The run ended because the model already answers correctly, so its gap is closed."""
    events: Annotated[list[Event], operator.add]


class ChatState(TypedDict, total=False):
    """The chat graph's state: the conversation and its latest turn."""

    messages: Annotated[list[AnyMessage], add_messages]
    """Oldest first. On a thread they accumulate; after a turn the last one is the answer."""
    requested: str | None
    """The model name in the request."""
    sampling: Sampling
    streamed: bool
    """The caller reads the answer token by token, so what was sent cannot be taken back."""
    unit: str | None
    """The user or conversation that the turn belongs to, if the caller named one."""
    store: bool
    """Whether the turn may be logged and may open a gap; True unless the caller forbade it."""
    started_at: datetime
    unsure: UnsurePolicy | None
    """What to do when unsure; None for the service's policy."""
    question: str
    """The text of the last user message."""
    standalone: str
    """The question without references to earlier messages, for routing and look-up."""
    intent: Intent
    route: Route
    assignment: Assignment | None
    """The unit's variant in the experiment that runs on the domain; set by the service only."""
    answer: str
    uncertainty: Uncertainty | None
    draft: Reply | None
    """The model's own answer, if it was unsure or the answer is still to be checked."""
    reworded: str | None
    """The rewording that was answered, if any."""
    reason: AbstentionReason | None
    """Why the sources did not help, or that they contradict each other."""
    closest: Closest | None
    """What comes nearest to an answer, if no source answers."""
    doubtful: tuple[str, ...]
    """Keywords of the question and of unsure tokens in the answer."""
    citations: tuple[Citation, ...]
    outcome: ChatOutcome
    tool_calls: tuple[ToolCall, ...]
    gap_id: str | None
    interaction_id: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason


class NightState(TypedDict, total=False):
    """The night graph's state. It names the night; what the night found and made is in its store."""

    night_id: str
    domain: str
    ending: Literal["skipped", "stopped", "failed"] | None
    """How the night ends if not as done; the next node is then the report."""
    reason: str
    tried: tuple[JobKind, ...]
    """What the night has tried to train."""
    training: JobKind | None
    """What the trainer is training for the night."""
    handed_over_at: datetime
    events: Annotated[list[Event], operator.add]


def event(runtime: Runtime, step: str, message: str, **figures: Any) -> Event:
    """A progress line stamped with the runtime's clock."""
    return Event(at=runtime.clock(), step=step, message=message, figures=figures)


def required_approval(state: LearnState, runtime: Runtime) -> ApprovalPolicy:
    """Who must approve what this run teaches: the stricter of the service's policy and the run's own."""
    return "human" if "human" in (runtime.approval, state.get("approval_policy")) else "auto"


def run_limits(state: LearnState, runtime: Runtime) -> Limits:
    """The limits of this run."""
    return state.get("bounds", NO_OWN_LIMITS).within(runtime.limits)


def check_time_limit(state: LearnState, runtime: Runtime) -> Outcome | None:
    """The circuit breaker: the outcome of a run that has worked longer than its limit, else None."""
    worked = state.get("worked_seconds", 0.0)
    limit = run_limits(state, runtime).run_seconds
    if worked <= limit:
        return None
    return Outcome(
        status="stopped",
        reason=f"the run exceeded its time limit: {worked:.0f} s of work, {limit:.0f} s allowed; "
        "learn a smaller topic, or raise NIGHTSCHOOL_RUN_MINUTES",
    )
