"""An outbox that trains each job when it is waited for, with the worker's own steps in a new process."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from memory.errors import UnknownRun
from memory.outbox import files as outbox
from memory.outbox.base import Progress, QueueCounts, TrainingResult, count_results, job_of
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.runs import Job, JobKind


class InlineOutbox:
    """Jobs and results are files, so that a job which was broken off is trained again."""

    def __init__(self, folder: Path, train: Callable[[Job], TrainingResult]) -> None:
        self._folder, self._train = folder, train

    async def publish(self, record: Curriculum | PreferenceSet) -> Digest:
        """See Outbox.publish."""
        return await asyncio.to_thread(outbox.publish, self._folder, record)

    async def submit(self, record: Curriculum | PreferenceSet, *, run_id: str) -> Job:
        """See Outbox.submit."""
        await self.publish(record)
        job, path = job_of(record, run_id), self._path("jobs", record.digest)
        if not path.exists():
            outbox.write_atomically(path, job.model_dump_json())
        return job

    async def curriculum(self, digest: Digest) -> Curriculum:
        """See Outbox.curriculum."""
        return await asyncio.to_thread(outbox.read, self._folder, digest)

    async def preferences(self, digest: Digest) -> PreferenceSet:
        """See Outbox.preferences."""
        return await asyncio.to_thread(outbox.read, self._folder, digest, PreferenceSet)

    async def preference_digests(self) -> tuple[Digest, ...]:
        """See Outbox.preference_digests."""
        return await asyncio.to_thread(outbox.preference_digests, self._folder)

    async def digests(self) -> tuple[tuple[JobKind, Digest], ...]:
        """See Outbox.digests."""
        return await asyncio.to_thread(outbox.digests, self._folder)

    async def delete(self, digest: Digest) -> None:
        """See Outbox.delete."""
        await asyncio.to_thread(outbox.delete, self._folder, digest)

    async def progress(self, digest: Digest) -> Progress:
        """See Outbox.progress."""
        return Progress(phase="done")

    async def result(self, digest: Digest) -> TrainingResult | None:
        """See Outbox.result; trains the job if it has not been trained."""
        path = self._path("results", digest)
        if not path.exists():
            try:
                job = Job.model_validate_json(self._path("jobs", digest).read_text(encoding="utf-8"))
            except FileNotFoundError:
                raise UnknownRun(f"{digest} was never submitted") from None
            result = await asyncio.to_thread(self._train, job)
            outbox.write_atomically(path, result.model_dump_json())
        return TrainingResult.model_validate_json(path.read_text(encoding="utf-8"))

    async def queue(self) -> QueueCounts:
        """See Outbox.queue."""
        paths = (self._folder / "results").glob("*.json")
        texts = [path.read_text(encoding="utf-8") for path in paths]
        return count_results(TrainingResult.model_validate_json(text) for text in texts)

    def curricula(self) -> tuple[Curriculum, ...]:
        """All lessons that were handed over."""
        jobs = (
            Job.model_validate_json(path.read_text(encoding="utf-8"))
            for path in sorted((self._folder / "jobs").glob("*.json"))
        )
        return tuple(outbox.read(self._folder, job.digest) for job in jobs if job.kind == "lesson")

    def preference_sets(self) -> tuple[PreferenceSet, ...]:
        """All preference sets that were handed over or published."""
        digests = outbox.preference_digests(self._folder)
        return tuple(outbox.read(self._folder, digest, PreferenceSet) for digest in digests)

    def _path(self, kind: str, digest: Digest) -> Path:
        return self._folder / kind / f"{digest}.json"


def trained_in_own_process(home: Path, model: Path | None, quick: bool, job: Job) -> TrainingResult:
    """Trains the job in a new process, to free its memory: several in one process grew to 18 GB."""
    if model is None:
        raise ValueError("there is no model to train")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_train, home, model, quick, job).result()


def _train(home: Path, model: Path, quick: bool, job: Job) -> TrainingResult:
    from agent.logs import printer
    from agent.settings import read_settings
    from training import worker

    settings, say = read_settings(home=home, model=str(model)), printer("training.worker", "text")
    context = worker.open_context(settings, say, quick=quick)

    def step(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return work()

    if job.kind == "preferences":
        return worker.run_preferences(worker.open_preferences(context, quick=quick), job, step)
    return worker.run(context, job, step)
