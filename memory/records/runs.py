"""Records of learn runs: their lessons, who let them through, what the trainer is handed, how a run ended."""

from typing import Literal

from memory.records.base import AdapterName, Digest, Domain, Record


class Approval(Record):
    """Who let a run's lessons through, or stopped them, and why."""

    approved: bool
    by: str
    reason: str = ""


class Job(Record):
    """One training job, whole: the worker needs nothing else but the folders it was started with."""

    digest: Digest
    domain: Domain
    run_id: str


class Lesson(Record):
    """One lesson of a learn run. Its curriculum lies in the outbox, under the digest."""

    digest: Digest
    facts: int
    pairs: int
    held_out: int
    adapter: AdapterName | None = None
    """The version that it was promoted as; None before that."""


class LessonsDone(Record):
    """How many lessons of a learn run are promoted, and how many it has."""

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
    """None where the run had no lesson yet."""
