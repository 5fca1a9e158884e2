"""The outbox on DBOS: a durable queue of training jobs beside a folder of what they train."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from memory.errors import StoreUnavailable, UnknownRun
from memory.file_locks import file_lock
from memory.outbox.base import Progress, QueueCounts, TrainingResult, count_results, job_of
from memory.outbox.files import delete, digests, preference_digests, progress_path, publish, read
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.runs import Growth, Job, JobKind, job_id

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

QUEUE = "training"
WORKFLOW = "train"
SCHEMA = "training"
"""PostgreSQL schema of the queue: the server's background jobs are in DBOS's own, of the same database."""
RECENTLY = timedelta(hours=24)
"""Jobs that ended within this time are counted."""
VERSION = "2"
"""Version of the workflow's steps; a worker resumes only jobs queued under the same version."""


@contextmanager
def _queue_errors(what: str = "the training queue") -> Iterator[None]:
    """Turns database errors, which DBOS passes through, into StoreUnavailable."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreUnavailable(
            f"{what} cannot be used: check that its folder exists, is writable and has space ({error})",
            part="the training queue",
        ) from error


class DbosOutbox:
    """The outbox over a folder and a DBOS queue. The workflow id is the job's, so nothing trains twice.

    Every method raises StoreUnavailable if the queue or the folder cannot be used.
    """

    def __init__(self, folder: Path, database_url: str, *, growth: Growth | None = None) -> None:
        """Opens the queue, and creates it if missing. With `growth`, jobs and results are those of what moves
        to that base model. Raises StoreUnavailable."""
        self._folder = folder
        self._growth = growth
        self._client = open_queue(database_url)

    async def publish(self, record: Curriculum | PreferenceSet) -> Digest:
        with _queue_errors():
            return await asyncio.to_thread(publish, self._folder, record)

    async def submit(self, record: Curriculum | PreferenceSet, *, run_id: str) -> Job:
        return await asyncio.to_thread(self._submit, record, run_id)  # which copies the trace's context

    @_queue_errors()
    def _submit(self, record: Curriculum | PreferenceSet, run_id: str) -> Job:
        publish(self._folder, record)
        job = job_of(record, run_id, self._growth)
        # Else two that see a failed job, also in other processes, would both delete and queue it.
        with file_lock(self._folder / ".submit.lock"):
            status = self._status(job.digest)
            if status is not None and _produced_no_adapter(status):
                self._client.delete_workflow(job.id)
                status = None
            if status is None:
                progress_path(self._folder, job.id).unlink(missing_ok=True)
                self._client.enqueue(
                    {
                        "workflow_name": WORKFLOW,
                        "queue_name": QUEUE if job.growth is None else queue_onto(job.growth.onto),
                        "workflow_id": job.id,
                        "app_version": VERSION,
                    },
                    job.model_dump(mode="json"),
                )
        return job

    async def curriculum(self, digest: Digest) -> Curriculum:
        with _queue_errors():
            return await asyncio.to_thread(read, self._folder, digest)

    async def preferences(self, digest: Digest) -> PreferenceSet:
        with _queue_errors():
            return await asyncio.to_thread(read, self._folder, digest, PreferenceSet)

    async def preference_digests(self) -> tuple[Digest, ...]:
        with _queue_errors():
            return await asyncio.to_thread(preference_digests, self._folder)

    async def digests(self) -> tuple[tuple[JobKind, Digest], ...]:
        with _queue_errors():
            return await asyncio.to_thread(digests, self._folder)

    async def delete(self, digest: Digest) -> None:
        with _queue_errors():
            await asyncio.to_thread(delete, self._folder, digest)

    async def progress(self, digest: Digest) -> Progress:
        if await asyncio.to_thread(self._status, digest) is None:
            raise _not_submitted(digest)
        try:
            path = progress_path(self._folder, job_id(digest, self._growth))
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Progress(phase="waiting", message="waiting for a training worker")
        return Progress.model_validate_json(text)

    async def result(self, digest: Digest) -> TrainingResult | None:
        status = await asyncio.to_thread(self._status, digest)
        if status is None:
            raise _not_submitted(digest)
        return _result(status)

    async def queue(self) -> QueueCounts:
        return await asyncio.to_thread(self._queue)

    @_queue_errors()
    def _queue(self) -> QueueCounts:
        since = (datetime.now(UTC) - RECENTLY).isoformat()
        ended = self._client.list_workflows(name=WORKFLOW, completed_after=since, load_input=False)
        open_jobs = self._client.list_workflows(
            name=WORKFLOW, status=["ENQUEUED", "PENDING"], load_input=False, load_output=False
        )
        training = sum(job.status == "PENDING" for job in open_jobs)
        results = [_result(_as_mapping(job)) for job in ended]
        return count_results(
            [result for result in results if result is not None],
            waiting=len(open_jobs) - training,
            training=training,
        )

    @_queue_errors()
    def _status(self, digest: Digest) -> Mapping[str, object] | None:
        workflows = self._client.list_workflows(workflow_ids=[job_id(digest, self._growth)])
        if not workflows:
            return None
        (workflow,) = workflows
        return _as_mapping(workflow)

    def close(self) -> None:
        """Closes the connections to the queue."""
        self._client.destroy()


def queue_onto(base: Digest) -> str:
    """The queue of what moves to this base model; its workers take jobs from it and from `QUEUE`."""
    return f"{QUEUE}-{base[:16]}"


def _as_mapping(workflow: "WorkflowStatus") -> Mapping[str, object]:
    return {"status": workflow.status, "output": workflow.output, "error": workflow.error}


def _result(status: Mapping[str, object]) -> TrainingResult | None:
    if status["status"] == "SUCCESS":
        return TrainingResult.model_validate(status["output"])
    if _failed(status):
        return TrainingResult(status="failed", adapter=None, reason=_failure(status))
    return None


def _not_submitted(digest: Digest) -> UnknownRun:
    return UnknownRun(f"{digest} was never submitted for training: learn the topic, or train the set, first")


def _failed(status: Mapping[str, object]) -> bool:
    return status["status"] in {"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}


def _produced_no_adapter(status: Mapping[str, object]) -> bool:
    """Whether the job ended without an adapter; submitting it again is then a retry."""
    output = status["output"]
    return _failed(status) or (isinstance(output, dict) and output.get("status") == "failed")


def _failure(status: Mapping[str, object]) -> str:
    if status["status"] == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return "the training worker crashed each time it ran this job: see its log, then learn again"
    if status["status"] == "CANCELLED":
        return "the training job was cancelled"
    return f"the training worker failed: {status['error']}"


def open_queue(database_url: str) -> "DBOSClient":
    """A client of the training queue, which is created if missing. Raises StoreUnavailable.

    Jobs and results are serialized as JSON; DBOS's default is pickle.
    """
    from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer  # here because the import takes 1.3 s

    with _queue_errors(f"the training queue at {make_url(database_url)!r}"):
        DBOS.migrate(database_url, schema=SCHEMA)
        return DBOSClient(
            system_database_url=database_url,
            dbos_system_schema=SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
        )
