"""What the graphs carry: the runtime they are given, and the state that their checkpoints keep.

Holds no step and no order; those are in `learn` and `chat`.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from pydantic import Field
from typing_extensions import TypedDict  # whose schema pydantic can write before Python 3.12

from agent.chat.abstention import AbstentionReason
from agent.chat.routing import Route, Routes
from agent.engines.base import Engine, FinishReason, Reply, Sampling, ToolCall
from agent.learning.candidate_pairs import WrittenPairs
from agent.learning.critique import Judge
from agent.learning.teachers.base import Teacher
from agent.learning.teachers.rules import RulesTeacher
from agent.models.card import ModelCard
from memory.adapters.base import AdapterRegistry
from memory.database.database import Database
from memory.embedding.embedder import Embedder
from memory.episodic.base import EpisodicMemory
from memory.outbox.base import Outbox, TrainingResult
from memory.records.adapters import Adapter
from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.interactions import ChatOutcome, Intent, Uncertainty, UnsurePolicy
from memory.records.knowledge import Citation, Critique, Findings
from memory.records.runs import Approval, Job, Lesson, Outcome
from memory.semantic.base import SemanticMemory

ApprovalPolicy = Literal["auto", "human"]
Update = dict[str, Any]
"""What a step changes of its graph's state."""


STEPS_OF_A_LESSON = 7
"""After the first one: it is taken up, handed over, trained and promoted, perhaps the latter three twice."""


class Limits(Record):
    """What keeps a learn run from going on for ever, and how much it may teach."""

    max_refinements: int = 3
    recursion: int = 40
    """Graph steps of a run of one lesson; see `steps`."""
    step_attempts: int = 3
    run_seconds: float = 3600.0
    """Seconds of exploring and writing after which the circuit breaker ends the run; a person's thinking time
    is not work, and each lesson's training has a limit of its own."""
    training_seconds: float = 1800.0
    """Of one lesson."""
    poll_seconds: float = 0.5
    facts_per_lesson: int = 240
    lessons_per_run: int = 8
    facts_per_run: int | None = None
    """Fewer than these lessons hold; None for as many."""
    rewordings: int = 2
    """Wordings in which chat asks again before it opens a gap, each one more model call."""

    @property
    def steps(self) -> int:
        """Graph steps of a whole run."""
        return self.recursion + STEPS_OF_A_LESSON * (self.lessons_per_run - 1)

    @property
    def facts(self) -> int:
        """Facts that one run may teach."""
        room = self.facts_per_lesson * self.lessons_per_run
        return room if self.facts_per_run is None else min(room, self.facts_per_run)


class Bounds(Record):
    """What one run asks for; it may ask for less than the service allows, and not for more."""

    minutes: float | None = Field(None, gt=0)
    """Of work."""
    refinements: int | None = Field(None, ge=0)
    facts: int | None = Field(None, ge=1)
    """In all its lessons."""
    lessons: int | None = Field(None, ge=1)

    def within(self, limits: Limits) -> Limits:
        """The service's limits, where this run does not ask for less."""
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


UNBOUND = Bounds()


@dataclass(frozen=True)
class Runtime:
    """Everything that a node may need, passed through LangGraph's runtime context."""

    engine: Engine
    episodic: EpisodicMemory
    semantic: SemanticMemory
    database: Database
    outbox: Outbox
    registry: AdapterRegistry
    routes: Routes
    base: Route
    """Where questions go that no adapter knows: default domain, no adapter, the base model's gate."""
    base_name: str
    """Name under which clients ask for the base model."""
    card: ModelCard
    """What is known about the base model."""
    embedder: Embedder
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    approval: ApprovalPolicy = "auto"
    unsure: UnsurePolicy = "abstain"
    limits: Limits = field(default_factory=Limits)
    teacher: Teacher = field(default_factory=RulesTeacher)
    judge: Judge | None = None
    """A larger model's opinion of findings; None leaves it to the rules."""


class Event(Record):
    """One line of a run's progress."""

    at: datetime
    step: str
    message: str
    figures: dict[str, float | int | str] = {}


class Attempt(Record):
    """One question as the base model, or the live adapter, answered it before learning."""

    question: str
    answer: str
    uncertainty: Uncertainty
    references: tuple[str, ...] = ()
    """Right answers, as far as the facts in memory give any."""
    right: bool | None = None
    """None where no reference is known."""


class Found(Record):
    """What exploration found, in figures."""

    query: str
    passages: int
    facts: int
    sources: tuple[str, ...]


class LearnState(TypedDict, total=False):
    """The learn graph's state; a key that is absent has not been reached."""

    run_id: str
    subject: str
    """The topic or the question, as it was asked."""
    whole: bool
    """A topic is learned whole; a question only with its neighbourhood."""
    domain: str | None
    """None until exploration tells, where the caller named none."""
    gap_id: str | None
    approval_policy: ApprovalPolicy
    sources: tuple[str, ...]
    """Documents to learn from; none stand for all."""
    questions: tuple[str, ...]
    """Asked before and after, in place of the topic's own first questions."""
    bounds: Bounds
    working_since: datetime
    forget: Digest
    """Only in a run that takes this curriculum out of its domain."""
    because: str
    """Why it is to be forgotten, in the caller's words."""
    attempts: tuple[Attempt, ...]
    keywords: tuple[str, ...]
    query: str
    refinements: int
    findings: Findings
    """Emptied where several lessons follow, each of whose steps would keep it again."""
    found: Found
    critique: Critique
    draft: WrittenPairs | None
    """Cleared once verified: the curriculum then holds what is left of it."""
    curriculum: Curriculum
    """Of the lesson that is being taught, or is to be taught first."""
    lessons: tuple[Lesson, ...]
    """In their order; those that have no adapter yet are still to be taught, and lie in the outbox."""
    kept: int
    dropped: dict[str, int]
    left_out: dict[str, int]
    approval: Approval
    job: Job
    handed_over_at: datetime
    training: TrainingResult
    adapter: Adapter
    asked_again: Attempt
    """The question after it was learned, as chat answers it now."""
    outcome: Outcome
    known: bool
    """The run ended because the model already answers rightly, so its gap is closed."""
    events: Annotated[list[Event], operator.add]


class ChatState(TypedDict, total=False):
    """The chat graph's state: the conversation, and what is known of its last turn."""

    messages: Annotated[list[AnyMessage], add_messages]
    """Oldest first; on a thread they accumulate, and the last one answers."""
    requested: str | None
    """The model name that the caller asked for."""
    sampling: Sampling
    streamed: bool
    """The caller reads the answer as it comes, so that an unsure end cannot be taken back."""
    unit: str | None
    unsure: UnsurePolicy | None
    """The caller's policy; None for the service's."""
    question: str
    """The last user message, as it was asked."""
    standalone: str
    """The question made self-contained, to be routed and looked up."""
    intent: Intent
    route: Route
    answer: str
    uncertainty: Uncertainty | None
    draft: Reply | None
    """The model's own answer where it was unsure of it, or where it is still to be checked."""
    reworded: str | None
    """The wording that was answered, where it is not the caller's."""
    reason: AbstentionReason | None
    """Why the sources did not help, or that they contradict each other."""
    doubtful: tuple[str, ...]
    findings: Findings | None
    citations: tuple[Citation, ...]
    outcome: ChatOutcome
    tool_calls: tuple[ToolCall, ...]
    gap_id: str | None
    interaction_id: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason


def event(runtime: Runtime, step: str, message: str, **figures: Any) -> Event:
    """A progress line stamped with the runtime's clock."""
    return Event(at=runtime.clock(), step=step, message=message, figures=figures)


def limits_of(state: LearnState, runtime: Runtime) -> Limits:
    """What keeps this run within bounds: the service's limits, or its own smaller ones."""
    return state.get("bounds", UNBOUND).within(runtime.limits)


def tripped(state: LearnState, runtime: Runtime) -> Outcome | None:
    """The circuit breaker: an outcome once the run has worked longer than its limit, else None."""
    worked = (runtime.clock() - state["working_since"]).total_seconds()
    limit = limits_of(state, runtime).run_seconds
    if worked <= limit:
        return None
    return Outcome(
        status="stopped",
        reason=f"the run worked for {worked:.0f} s and its limit is {limit:.0f} s: "
        "learn a smaller topic, or raise NIGHTSCHOOL_RUN_MINUTES",
    )
