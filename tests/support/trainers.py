"""A trainer for tests of whole runs: it ends each job with an adapter on top of the live one."""

from collections.abc import Collection, Mapping

from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.runs import Job
from tests.support.adapters import adapter

REJECTED = TrainingResult(status="rejected", adapter=None, reason="target accuracy: 0.210, needs >= 0.50")


class FakeTrainer(VolatileOutbox):
    """The outbox and the trainer behind it; jobs are numbered from 1, in the order in which they end."""

    def __init__(
        self,
        registry: VolatileAdapterRegistry,
        *,
        ends: Mapping[int, TrainingResult] | None = None,
        busy: Collection[int] = (),
    ) -> None:
        """`ends` is how jobs end that make nothing to serve; the `busy` ones never end."""
        super().__init__({})
        self.registry = registry
        self._ends = dict(ends or {})
        self.busy = set(busy)
        self.ended: dict[Digest, TrainingResult] = {}
        self.jobs = 0
        """Those that have ended, a repeated one too."""

    @property
    def lessons(self) -> tuple[Curriculum, ...]:
        """What was handed over, in order."""
        return tuple(self.submitted.values())

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        ended = self.ended.get(curriculum.digest)
        if ended is not None and ended.status == "failed":
            del self.ended[curriculum.digest]
        return await super().submit(curriculum, run_id=run_id)

    async def result(self, digest: Digest) -> TrainingResult | None:
        await super().result(digest)  # raises UnknownRun
        if digest in self.ended or self.jobs + 1 in self.busy:
            return self.ended.get(digest)
        self.jobs += 1
        self.ended[digest] = self._trained(self.submitted[digest], self.jobs)
        return self.ended[digest]

    def _trained(self, curriculum: Curriculum, number: int) -> TrainingResult:
        end = self._ends.get(number)
        if end is not None and end.status == "failed":
            return end
        live = self.registry.live(curriculum.domain)
        version = 1 + len(self.registry.list(curriculum.domain))
        made = adapter(
            curriculum.domain, version, rejected=end is not None, digest=curriculum.digest
        ).model_copy(
            update={"parent": live.name if live else None, "rehearsed": live.learned if live else ()}
        )
        self.registry.register(made)
        if end is not None:
            return end.model_copy(update={"adapter": made.name})
        return TrainingResult(status="candidate", adapter=made.name, reason="all gates passed")
