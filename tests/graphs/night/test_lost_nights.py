"""At the start, nights without a run are ended, and those with one are left to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphs.server.executor import Executor
from graphs.server.night_runs import ENDED_EARLY, NEVER_QUEUED, end_lost_nights
from graphs.server.night_spec import NightSpec
from graphs.server.run_spec import RunRequest, RunSpec
from graphs.state import Runtime
from memory.checkpoints.connect import open_saver
from memory.server.process_leases import SoleProcess
from tests.support.nights import night
from tests.support.run_server import RecordedJobs


@pytest.fixture
async def executor(runtime: Runtime, tmp_path: Path) -> AsyncIterator[Executor]:
    """An executor that nobody supervises, so that queued runs stay queued."""
    async with open_saver(f"sqlite:///{tmp_path / 'checkpoints.db'}") as saver:
        executor = Executor(runtime, saver, (NightSpec(runtime, saver),), RecordedJobs(), SoleProcess())
        yield executor
        await executor.aclose()


async def queue(executor: Executor, night_id: str) -> str:
    """Queues the night's run for later, and returns its id."""
    spec = RunSpec(
        thread_id=night_id,
        graph_id="night",
        assistant_id="night",
        request=RunRequest(input={}),
        create_thread=True,
        delay_seconds=3600,
    )
    return (await executor.start(spec)).run_id


async def test_a_night_that_was_never_queued_ends_as_failed(runtime: Runtime, executor: Executor) -> None:
    await runtime.nights.begin(night("n1"))
    await runtime.nights.acquire("n1")
    await end_lost_nights(runtime, executor)
    lost = await runtime.nights.night("n1")
    assert (lost.status, lost.reason) == ("failed", NEVER_QUEUED)
    assert lost.ended_at is not None
    await runtime.nights.begin(night("n2"))
    assert await runtime.nights.acquire("n2")


async def test_a_night_whose_run_has_ended_is_stopped(runtime: Runtime, executor: Executor) -> None:
    await runtime.nights.begin(night("n1"))
    await executor.cancel(await queue(executor, "n1"))
    await end_lost_nights(runtime, executor)
    lost = await runtime.nights.night("n1")
    assert (lost.status, lost.reason) == ("stopped", ENDED_EARLY)


async def test_a_night_with_a_run_is_left_to_it(runtime: Runtime, executor: Executor) -> None:
    await runtime.nights.begin(night("n1"))
    await queue(executor, "n1")
    await end_lost_nights(runtime, executor)
    assert (await runtime.nights.night("n1")).status == "waiting"
