"""An outbox in RAM, for tests: each job ends at once with a given result."""

import json
from collections.abc import Mapping

from memory.errors import UnknownRun
from memory.outbox.base import Progress, QueueCounts, TrainingResult, count_results, job_of
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.runs import Job, JobKind


class VolatileOutbox:
    """Curricula and preference sets in dicts, and scripted results."""

    def __init__(self, results: Mapping[Digest, TrainingResult] | TrainingResult) -> None:
        """`results` is one result for all jobs, or results by digest; a job without a result never ends."""
        self._results = results
        self.published: dict[Digest, Curriculum] = {}
        self.submitted: dict[Digest, Curriculum] = {}
        self.published_preferences: dict[Digest, PreferenceSet] = {}
        self.submitted_preferences: dict[Digest, PreferenceSet] = {}

    async def publish(self, record: Curriculum | PreferenceSet) -> Digest:
        if isinstance(record, Curriculum):
            self.published.setdefault(record.digest, record)
        else:
            self.published_preferences.setdefault(record.digest, record)
        return record.digest

    async def submit(self, record: Curriculum | PreferenceSet, *, run_id: str) -> Job:
        json.dumps(record.model_dump(mode="json"))  # fails like the real outbox if not serializable
        if isinstance(record, Curriculum):
            self.submitted.setdefault(record.digest, record)
        else:
            self.published_preferences.setdefault(record.digest, record)
            self.submitted_preferences.setdefault(record.digest, record)
        return job_of(record, run_id)

    async def curriculum(self, digest: Digest) -> Curriculum:
        curriculum = self.submitted.get(digest) or self.published.get(digest)
        if curriculum is None:
            raise UnknownRun(f"no curriculum {digest}: submit it first")
        return curriculum

    async def preferences(self, digest: Digest) -> PreferenceSet:
        preferences = self.published_preferences.get(digest)
        if preferences is None:
            raise UnknownRun(f"no preference set {digest}: build it first")
        return preferences

    async def preference_digests(self) -> tuple[Digest, ...]:
        return tuple(self.published_preferences)

    async def digests(self) -> tuple[tuple[JobKind, Digest], ...]:
        lessons = dict.fromkeys((*self.published, *self.submitted))
        preferences = self.published_preferences
        return (*(("lesson", each) for each in lessons), *(("preferences", each) for each in preferences))

    async def delete(self, digest: Digest) -> None:
        for stored in (self.published, self.submitted):
            stored.pop(digest, None)
        for sets in (self.published_preferences, self.submitted_preferences):
            sets.pop(digest, None)

    async def progress(self, digest: Digest) -> Progress:
        result = await self.result(digest)
        return Progress(phase="waiting" if result is None else "done")

    async def result(self, digest: Digest) -> TrainingResult | None:
        if digest not in self.submitted and digest not in self.submitted_preferences:
            raise UnknownRun(f"{digest} was never submitted: submit it first")
        if isinstance(self._results, TrainingResult):
            return self._results
        return self._results.get(digest)

    async def queue(self) -> QueueCounts:
        results = [await self.result(digest) for digest in (*self.submitted, *self.submitted_preferences)]
        ended = [result for result in results if result is not None]
        return count_results(ended, waiting=len(results) - len(ended))
