"""Learn runs: their lessons and approval, the training job, and the run's outcome."""

from typing import Literal

from memory.records.base import AdapterName, Digest, Domain, Record

JobKind = Literal["lesson", "preferences"]
Lever = Literal["curriculum", "distillation"]
"""What a growth job teaches: the curriculum alone, or with it the distributions of the source's adapter."""


class Approval(Record):
    """Who approved or declined a run's lessons, and why."""

    approved: bool
    by: str
    reason: str = ""
    digests: tuple[Digest, ...] = ()
    """Of the lessons that were shown to them; empty if they did not say."""


class Growth(Record):
    """What a lesson is taught for that moves from one base model to another."""

    onto: Digest
    """The base model that is to learn it; other workers leave the job alone."""
    source: Digest
    """The base model whose live adapter has learned it."""
    lever: Lever = "curriculum"


class Job(Record):
    """A training job as it is queued; the worker reads what it trains from the outbox by its digest."""

    digest: Digest
    domain: Domain
    run_id: str
    """The learn run that waits for it; for preferences, the request that submitted it."""
    kind: JobKind = "lesson"
    traceparent: str | None = None
    """The span that asked for it; None where no traces are recorded."""
    growth: Growth | None = None
    """Of a lesson that moves to another base model; None for one that the served base model learns."""

    @property
    def id(self) -> str:
        """Names the job in the queue: what it trains is trained once, and once on each base it grows onto, by
        each lever."""
        return job_id(self.digest, self.growth)


def job_id(digest: Digest, growth: Growth | None) -> str:
    """The name of the job that trains what has this digest."""
    if growth is None:
        return digest
    onto = f"{digest}.{growth.onto[:16]}"
    return onto if growth.lever == "curriculum" else f"{onto}.{growth.lever}"


class Lesson(Record):
    """One lesson of a learn run; its curriculum is in the outbox under the digest."""

    digest: Digest
    facts: int
    pairs: int
    held_out: int
    adapter: AdapterName | None = None
    """The adapter version it was promoted as; None before promotion."""


class LessonsDone(Record):
    """Progress of a learn run: lessons promoted so far, and lessons in total."""

    done: int
    total: int


class Outcome(Record):
    """How a learn run ended."""

    status: Literal[
        "learned", "forgotten", "rejected", "nothing_to_learn", "flagged", "discarded", "declined", "failed",
        "stopped",
    ]  # fmt: skip
    reason: str
    adapter: str | None = None
    lessons: LessonsDone | None = None
    """None if the run ended before it had a lesson."""
