"""Handover of curricula to the trainer: immutable files, each queued exactly once, and only once approved.

Trains nothing and judges nothing; what a worker writes back is read here, never changed.
"""

import asyncio
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field, ValidationError

from memory.errors import CorruptRecord, StoreUnavailable, UnknownRun
from memory.records import Curriculum, Digest, Record
from memory.runs import Job

if TYPE_CHECKING:
    from dbos import DBOSClient

QUEUE = "training"
WORKFLOW = "train"
VERSION = "1"
"""Version of the workflow's steps: a worker resumes only jobs that were queued under its own version."""

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


# Files


def write_atomically(path: Path, text: str) -> None:
    """Writes `text` so that a reader, or a crash, sees either the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def publish(folder: Path, curriculum: Curriculum) -> Digest:
    """Writes the curriculum to `folder`/DIGEST.json; publishing it again changes nothing.

    Raises CorruptRecord if a file of that name holds anything else.
    """
    digest = curriculum.digest
    path = folder / f"{digest}.json"
    if path.exists():
        read(folder, digest)
        return digest
    write_atomically(path, curriculum.model_dump_json())
    return digest


def read(folder: Path, digest: Digest) -> Curriculum:
    """The published curriculum; raises UnknownRun if there is none, CorruptRecord if it was altered."""
    path = folder / f"{digest}.json"
    try:
        curriculum = Curriculum.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UnknownRun(f"no curriculum {digest} in {folder}: its file is gone, so learn again") from None
    except ValidationError as error:
        raise CorruptRecord(f"{path} is not a curriculum: remove it and learn again ({error})") from error
    if curriculum.digest != digest:
        raise CorruptRecord(f"{path} was altered: its content is not what its name says; remove it")
    return curriculum


def progress_path(folder: Path, digest: Digest) -> Path:
    """Where the worker keeps the progress of a job."""
    return folder / "progress" / f"{digest}.json"


def report_progress(folder: Path, digest: Digest, progress: Progress) -> None:
    """Called by the worker: replaces what `progress` tells about the job."""
    write_atomically(progress_path(folder, digest), progress.model_dump_json())


# Queue


@contextmanager
def _reached(what: str = "the training queue") -> Iterator[None]:
    """DBOS passes on what its database raises."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreUnavailable(
            f"{what} cannot be used: check that its folder is there, is writable and has space ({error})"
        ) from error


class DbosOutbox:
    """The outbox over a folder and a DBOS queue; the workflow id is the digest, so nothing trains twice.

    Every method raises StoreUnavailable if the queue or the folder cannot be used.
    """

    def __init__(self, folder: Path, database_url: str) -> None:
        """Opens both, creating what is missing. Raises StoreUnavailable."""
        self._folder = folder
        self._client = open_queue(database_url)

    async def publish(self, curriculum: Curriculum) -> Digest:
        with _reached():
            return await asyncio.to_thread(publish, self._folder, curriculum)

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        return await asyncio.to_thread(self._submit, curriculum, run_id)

    @_reached()
    def _submit(self, curriculum: Curriculum, run_id: str) -> Job:
        job = Job(digest=publish(self._folder, curriculum), domain=curriculum.domain, run_id=run_id)
        status = self._status(job.digest)
        if status is not None and _made_nothing(status):
            self._client.delete_workflow(job.digest)
            status = None
        if status is None:
            progress_path(self._folder, job.digest).unlink(missing_ok=True)
            self._client.enqueue(
                {
                    "workflow_name": WORKFLOW,
                    "queue_name": QUEUE,
                    "workflow_id": job.digest,
                    "app_version": VERSION,
                },
                job.model_dump(mode="json"),
            )
        return job

    async def curriculum(self, digest: Digest) -> Curriculum:
        with _reached():
            return await asyncio.to_thread(read, self._folder, digest)

    async def progress(self, digest: Digest) -> Progress:
        if await asyncio.to_thread(self._status, digest) is None:
            raise UnknownRun(f"curriculum {digest} was never handed over")
        try:
            text = progress_path(self._folder, digest).read_text(encoding="utf-8")
        except FileNotFoundError:
            return Progress(phase="waiting", message="waiting for a training worker")
        return Progress.model_validate_json(text)

    async def result(self, digest: Digest) -> TrainingResult | None:
        status = await asyncio.to_thread(self._status, digest)
        if status is None:
            raise UnknownRun(f"curriculum {digest} was never handed over")
        if status["status"] == "SUCCESS":
            return TrainingResult.model_validate(status["output"])
        if _failed(status):
            return TrainingResult(status="failed", adapter=None, reason=_failure(status))
        return None

    @_reached()
    def _status(self, digest: Digest) -> Mapping[str, object] | None:
        found = self._client.list_workflows(workflow_ids=[digest])
        if not found:
            return None
        return {"status": found[0].status, "output": found[0].output, "error": found[0].error}

    def close(self) -> None:
        """Closes the connections to the queue."""
        self._client.destroy()


def _failed(status: Mapping[str, object]) -> bool:
    return status["status"] in {"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}


def _made_nothing(status: Mapping[str, object]) -> bool:
    """Whether the job ended without any adapter, so that asking again is a retry and trains nothing twice."""
    output = status["output"]
    return _failed(status) or (isinstance(output, dict) and output.get("status") == "failed")


def _failure(status: Mapping[str, object]) -> str:
    if status["status"] == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return "the training worker died each time it worked on this: see its log, then learn again"
    if status["status"] == "CANCELLED":
        return "the training job was cancelled"
    return f"the training worker failed: {status['error']}"


def open_queue(database_url: str) -> "DBOSClient":
    """A client of the training queue, which is created if it is missing. Raises StoreUnavailable.

    Job and result travel as JSON: DBOS's default serializer is pickle.
    """
    from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer  # 1.3 s, which `--help` need not pay

    with _reached(f"the training queue at {database_url}"):
        DBOS.migrate(database_url)
        return DBOSClient(system_database_url=database_url, serializer=DBOSPortableJSONSerializer())


class VolatileOutbox:
    """The fake that ships: keeps everything in this object and ends each job as scripted."""

    def __init__(self, results: Mapping[Digest, TrainingResult] | TrainingResult) -> None:
        """`results` by digest, or one for every job; a digest without a result never ends."""
        self._results = results
        self.published: dict[Digest, Curriculum] = {}
        self.submitted: dict[Digest, Curriculum] = {}

    async def publish(self, curriculum: Curriculum) -> Digest:
        self.published.setdefault(curriculum.digest, curriculum)
        return curriculum.digest

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        json.dumps(curriculum.model_dump(mode="json"))  # what cannot be written cannot be handed over
        self.submitted.setdefault(curriculum.digest, curriculum)
        return Job(digest=curriculum.digest, domain=curriculum.domain, run_id=run_id)

    async def curriculum(self, digest: Digest) -> Curriculum:
        found = self.submitted.get(digest) or self.published.get(digest)
        if found is None:
            raise UnknownRun(f"no curriculum {digest}: submit it first")
        return found

    async def progress(self, digest: Digest) -> Progress:
        ended = await self.result(digest)
        return Progress(phase="waiting" if ended is None else "done")

    async def result(self, digest: Digest) -> TrainingResult | None:
        if digest not in self.submitted:
            raise UnknownRun(f"curriculum {digest} was never handed over")
        if isinstance(self._results, TrainingResult):
            return self._results
        return self._results.get(digest)
