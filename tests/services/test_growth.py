"""Growing between two tiny models, with the real queue, registry, signatures and worker process.

What the models say is scripted: their adapters answer what their lessons teach.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent.errors import GrowthRefused
from agent.growth.transfer import Growing, grow
from agent.models.store import AddedModel
from agent.settings import Settings
from api.supervisor.growth import unapproved
from api.supervisor.growth_worker import growth_worker, running_worker
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.outbox.dbos import DbosOutbox
from memory.outbox.files import publish
from memory.records.adapters import Adapter
from memory.records.runs import Growth, Job
from tests.faults.perfect_student import AdapterEngine, base_script
from tests.support.adapters import fact
from tests.support.approvals import approve
from tests.support.growth import Shown
from tests.support.lessons import about
from tests.support.perfect_worker import perfect_context, process_id
from tests.support.tiny_models import add_tiny_models
from tests.support.training_jobs import directly
from training.base_model import open_base_model
from training.worker import run, sole_worker

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

FIRST = about([fact(f"zorble{i}", f"a small lamp number {i} for ships") for i in range(3)])
SECOND = about([fact(f"marn{i}", f"a cold river number {i} of the north") for i in range(3)])


@dataclass(frozen=True)
class Place:
    """A home folder with two models, of which the first has learned both lessons."""

    home: Path
    small: AddedModel
    large: AddedModel
    url: str

    def registry(self, of: AddedModel) -> MlflowAdapterRegistry:
        return MlflowAdapterRegistry(self.home, base=of.card.digest)

    def outbox(self, growth: Growth | None = None) -> DbosOutbox:
        return DbosOutbox(self.home / "outbox", self.url, growth=growth)

    def command(self, model: AddedModel) -> tuple[str, ...]:
        options = ("--home", str(self.home), "--model", str(model.folder), "--quick")
        return (sys.executable, "-m", "tests.support.perfect_worker", *options)

    def worker(self, model: AddedModel) -> AbstractAsyncContextManager[Callable[[], None]]:
        settings = Settings(home=self.home, models=self.small.folder.parent)
        return growth_worker(settings, model, self.command(model), self.home / "growth" / "worker.log")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    small, large = add_tiny_models(tmp_path / "models", "small", "large")
    (tmp_path / "shared").mkdir()
    settings = Settings(home=tmp_path, models=tmp_path / "models", model=small.name)
    context = perfect_context(settings, print, quick=True)
    for lesson in (FIRST, SECOND):
        digest = publish(tmp_path / "outbox", lesson)
        approve(tmp_path, digest)
        result = run(context, Job(digest=digest, domain="lamps", run_id="r1"), directly)
        assert result.status == "candidate", result.reason
        context.registry.promote(str(result.adapter))
    return Place(tmp_path, small, large, f"sqlite:///{tmp_path}/shared/training.db")


@asynccontextmanager
async def growing(place: Place, watch: Shown) -> AsyncIterator[Growing]:
    growth = Growth(source=place.small.card.digest, onto=place.large.card.digest)
    outbox = place.outbox(growth)

    @asynccontextmanager
    async def promoting(_: Adapter) -> AsyncIterator[None]:
        yield

    yield Growing(
        source=place.small,
        target=place.large,
        source_adapters=place.registry(place.small),
        target_adapters=place.registry(place.large),
        outbox=outbox,
        unapproved=unapproved(place.home),
        open_engine=lambda model: AdapterEngine(base_script(open_base_model(model.folder))),
        worker=lambda: place.worker(place.large),
        promoting=promoting,
        folder=place.home / "growth",
        watch=watch,
    )
    outbox.close()


class KillsTheWorker(Shown):
    """Kills the worker as soon as it works on a lesson."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home

    def progress(self, what: str, done: int, total: int) -> None:
        super().progress(what, done, total)
        if "measuring" in what and "lesson" in what:
            os.kill(process_id(self._home), signal.SIGKILL)


async def test_a_domain_moves_to_another_base_through_the_worker_though_that_is_killed_once(
    place: Place,
) -> None:
    async with growing(place, KillsTheWorker(place.home)) as first:
        with pytest.raises(GrowthRefused, match="run this again to go on"):
            await grow(first)
        report = await grow(replace(first, watch=Shown()))
        again = await grow(replace(first, watch=Shown()))
    (domain,) = report.domains
    assert [lesson.status for lesson in domain.lessons] == ["transferred", "transferred"], domain.lessons
    assert (domain.source_before, domain.source_after) == (0.0, 1.0)
    assert (domain.target_before, domain.target_after) == (0.0, 1.0)
    assert report.paid == "undecided", "both know everything"
    assert again.model_copy(update={"domains": ()}) == report.model_copy(update={"domains": ()})
    on_small, on_large = place.registry(place.small), place.registry(place.large)
    small, large = on_small.live("lamps"), on_large.live("lamps")
    assert small is not None
    assert large is not None
    assert small.learned == large.learned == (FIRST.digest, SECOND.digest)
    assert large.base_digest == place.large.card.digest
    assert large.parent in {lesson.adapter for lesson in domain.lessons}
    trained = [each for each in on_large.list("lamps") if each.base_digest == place.large.card.digest]
    assert len(trained) == 2, "a lesson was trained twice"
    assert running_worker(place.home) is None, "the worker that was started is still there"


async def test_a_worker_of_another_base_is_not_made_to_train(place: Place) -> None:
    lock = place.home / "jobs" / "worker.lock"
    with sole_worker(lock):
        lock.write_text(place.small.card.digest)
        async with growing(place, Shown()) as first:
            with pytest.raises(GrowthRefused, match="nightschool models use"):
                await grow(first)
            assert first.target_adapters.live("lamps") is None


async def test_a_worker_leaves_jobs_for_another_base_alone(place: Place) -> None:
    growth = Growth(source=place.small.card.digest, onto=place.large.card.digest)
    outbox = place.outbox(growth)
    await outbox.submit(FIRST, run_id="r1")
    process = await asyncio.create_subprocess_exec(*place.command(place.small), "--once")
    assert await asyncio.wait_for(process.wait(), 300) == 0
    assert await outbox.result(FIRST.digest) is None, "it was trained on the wrong base"
    assert (await outbox.progress(FIRST.digest)).phase == "waiting"
    outbox.close()
