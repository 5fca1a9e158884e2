"""Handover of curricula to the trainer: immutable files, each queued exactly once, and only once approved.

Trains nothing and judges nothing; what a worker writes back is read here, never changed.
"""

from typing import Literal, Protocol

from pydantic import Field

from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.runs import Job

Phase = Literal["waiting", "preparing", "training", "measuring", "registering", "done"]


class Progress(Record):
    """How far a job is: `done` of `total` units of its phase."""

    phase: Phase
    done: int = Field(0, ge=0)
    total: int = Field(0, ge=0)
    message: str = ""


class TrainingResult(Record):
    """How a job ended; `reason` says why there is no servable adapter, or which checks it passed."""

    status: Literal["candidate", "rejected", "failed"]
    adapter: str | None
    reason: str
    full: bool = False
    """It was rejected because the domain's adapter cannot hold more on this base model."""


class Outbox(Protocol):
    """Hands curricula over and tells how they fare; raises UnknownRun for a digest never submitted."""

    async def publish(self, curriculum: Curriculum) -> Digest:
        """Keeps it to be submitted later; nothing is queued."""
        ...

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        """Publishes and queues it; a digest that is queued, running or trained is not queued again."""
        ...

    async def curriculum(self, digest: Digest) -> Curriculum:
        """What was published. Raises CorruptRecord if it was altered since."""
        ...

    async def progress(self, digest: Digest) -> Progress:
        """What the trainer is doing with it now."""
        ...

    async def result(self, digest: Digest) -> TrainingResult | None:
        """How it ended, or None while it has not."""
        ...
