"""The outbox protocol: hands curricula and preference sets over to the training worker, reads results back.

Both are immutable; each is queued only once, after its approval.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, Protocol

from pydantic import Field

from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.runs import Growth, Job, JobKind
from memory.tracing import traceparent

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
    """Whether a lesson was rejected because the domain's adapter cannot hold more on this base model."""
    unsigned: bool = False
    """Whether the worker refused the job because a signature is missing or wrong: of its approval, or of the
    adapter to go on from."""


class QueueCounts(Record):
    """How many training jobs wait, are trained, and ended in the last 24 hours, by result."""

    waiting: int = 0
    training: int = 0
    candidates: int = 0
    rejected: int = 0
    failed: int = 0


def count_results(results: Iterable[TrainingResult], *, waiting: int = 0, training: int = 0) -> QueueCounts:
    """The counts of these results, beside the jobs that have not ended."""
    by_status = Counter(result.status for result in results)
    return QueueCounts(
        waiting=waiting,
        training=training,
        candidates=by_status["candidate"],
        rejected=by_status["rejected"],
        failed=by_status["failed"],
    )


class Outbox(Protocol):
    """Queues what is to be trained and reports on it; raises UnknownRun for a digest never submitted."""

    async def publish(self, record: Curriculum | PreferenceSet) -> Digest:
        """Stores a curriculum or a preference set without queueing it."""
        ...

    async def submit(self, record: Curriculum | PreferenceSet, *, run_id: str) -> Job:
        """Stores and queues it; what is queued, running or trained is not queued again."""
        ...

    async def curriculum(self, digest: Digest) -> Curriculum:
        """The stored curriculum. Raises CorruptRecord if it was altered."""
        ...

    async def preferences(self, digest: Digest) -> PreferenceSet:
        """The stored preference set. Raises CorruptRecord if it was altered."""
        ...

    async def preference_digests(self) -> tuple[Digest, ...]:
        """The digests of all stored preference sets, oldest first."""
        ...

    async def digests(self) -> tuple[tuple[JobKind, Digest], ...]:
        """All stored curricula and preference sets."""
        ...

    async def delete(self, digest: Digest) -> None:
        """Deletes a curriculum or preference set with its approval and progress; safe to repeat."""
        ...

    async def progress(self, digest: Digest) -> Progress:
        """The current progress of its training job."""
        ...

    async def result(self, digest: Digest) -> TrainingResult | None:
        """The result of its training job; None until it has ended."""
        ...

    async def queue(self) -> QueueCounts:
        """How many jobs wait, are trained, and ended lately."""
        ...


def job_of(record: Curriculum | PreferenceSet, run_id: str, growth: Growth | None = None) -> Job:
    """The training job of a record."""
    kind: JobKind = "lesson" if isinstance(record, Curriculum) else "preferences"
    return Job(
        digest=record.digest,
        domain=record.domain,
        run_id=run_id,
        kind=kind,
        traceparent=traceparent(),
        growth=growth,
    )
