"""An outbox in RAM, for tests: each job ends at once with a given result."""

import json
from collections.abc import Mapping

from memory.errors import UnknownRun
from memory.outbox.base import Progress, TrainingResult
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.runs import Job


class VolatileOutbox:
    """Curricula in dicts, and scripted results."""

    def __init__(self, results: Mapping[Digest, TrainingResult] | TrainingResult) -> None:
        """`results` is one result for all jobs, or results by digest; a job without a result never ends."""
        self._results = results
        self.published: dict[Digest, Curriculum] = {}
        self.submitted: dict[Digest, Curriculum] = {}

    async def publish(self, curriculum: Curriculum) -> Digest:
        self.published.setdefault(curriculum.digest, curriculum)
        return curriculum.digest

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        json.dumps(curriculum.model_dump(mode="json"))  # fails like the real outbox if not serializable
        self.submitted.setdefault(curriculum.digest, curriculum)
        return Job(digest=curriculum.digest, domain=curriculum.domain, run_id=run_id)

    async def curriculum(self, digest: Digest) -> Curriculum:
        curriculum = self.submitted.get(digest) or self.published.get(digest)
        if curriculum is None:
            raise UnknownRun(f"no curriculum {digest}: submit it first")
        return curriculum

    async def progress(self, digest: Digest) -> Progress:
        result = await self.result(digest)
        return Progress(phase="waiting" if result is None else "done")

    async def result(self, digest: Digest) -> TrainingResult | None:
        if digest not in self.submitted:
            raise UnknownRun(f"curriculum {digest} was never submitted: submit it first")
        if isinstance(self._results, TrainingResult):
            return self._results
        return self._results.get(digest)
