"""An outbox in memory, whose jobs have ended before they are asked for: the fake that ships."""

import json
from collections.abc import Mapping

from memory.errors import UnknownRun
from memory.outbox.base import Progress, TrainingResult
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.runs import Job


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
