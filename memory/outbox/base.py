"""The outbox protocol: hands curricula over to the training worker and reads progress and results back.

Curricula are immutable; each is queued only once, after its approval.
"""

from typing import Literal, Protocol

from pydantic import Field

from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.runs import Job

Phase = Literal["waiting", "preparing", "training", "measuring", "registering", "done"]


class Progress(Record):
    """The progress of a training job: `done` of `total` units of its current phase."""

    phase: Phase
    done: int = Field(0, ge=0)
    total: int = Field(0, ge=0)
    message: str = ""


class TrainingResult(Record):
    """How a training job ended; `reason` says which checks passed, or why there is no servable adapter."""

    status: Literal["candidate", "rejected", "failed"]
    adapter: str | None
    reason: str
    full: bool = False
    """Whether it was rejected because the domain's adapter cannot hold more on this base model."""


class Outbox(Protocol):
    """Queues curricula for training and reports on them; raises UnknownRun for a digest never submitted."""

    async def publish(self, curriculum: Curriculum) -> Digest:
        """Stores a curriculum without queueing it."""
        ...

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        """Stores and queues a curriculum; one that is queued, running or trained is not queued again."""
        ...

    async def curriculum(self, digest: Digest) -> Curriculum:
        """The stored curriculum. Raises CorruptRecord if it was altered."""
        ...

    async def progress(self, digest: Digest) -> Progress:
        """The current progress of its training job."""
        ...

    async def result(self, digest: Digest) -> TrainingResult | None:
        """The result of its training job; None until it has ended."""
        ...
