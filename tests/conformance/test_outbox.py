"""What every outbox does with curricula and preference sets: the fake, and the folder with a DBOS queue."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from memory.errors import UnknownRun
from memory.outbox.base import Outbox, QueueCounts, TrainingResult
from memory.outbox.dbos import DbosOutbox
from memory.outbox.volatile import VolatileOutbox
from memory.records.base import Digest
from memory.records.runs import Job
from tests.support.adapters import curriculum
from tests.support.preferences import preference_set

LAMPS, CLOCKS = curriculum("lamps"), curriculum("clocks")
TASTES = preference_set("lamps")
UNKNOWN = "0" * 64
CANDIDATE = TrainingResult(status="candidate", adapter="lamps-v1-1f9c2a7e", reason="all gates passed")
RESULTS = [
    CANDIDATE,
    TrainingResult(status="rejected", adapter="lamps-v1-1f9c2a7e", reason="known facts were lost", full=True),
    TrainingResult(status="failed", adapter=None, reason="the model card measures nothing"),
]

End = Callable[[Digest, TrainingResult], None]
Opened = tuple[Outbox, End]


@pytest.fixture(params=["volatile", "dbos"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """An outbox, and the trainer's part: to end a job with a result."""
    if request.param == "volatile":
        results: dict[Digest, TrainingResult] = {}
        yield VolatileOutbox(results), results.__setitem__
        return
    dbos = DbosOutbox(tmp_path / "outbox", f"sqlite:///{tmp_path}/training.db")

    def end(digest: Digest, result: TrainingResult) -> None:
        """Writes what DBOS writes when the worker's workflow returns."""
        with closing(sqlite3.connect(tmp_path / "training.db")) as connection, connection:
            connection.execute(
                "UPDATE workflow_status SET status = 'PENDING' WHERE workflow_uuid = ?", (digest,)
            )
        assert dbos._client._sys_db.update_workflow_outcome(
            digest, "SUCCESS", output=json.dumps(result.model_dump(mode="json"))
        )

    yield dbos, end
    dbos.close()


@pytest.fixture
def outbox(opened: Opened) -> Outbox:
    return opened[0]


@pytest.fixture
def end(opened: Opened) -> End:
    return opened[1]


async def test_a_job_names_the_curriculum_its_domain_and_the_run(outbox: Outbox) -> None:
    job = await outbox.submit(LAMPS, run_id="r1")
    assert job == Job(digest=LAMPS.digest, domain="lamps", run_id="r1")


async def test_what_was_submitted_or_published_reads_back(outbox: Outbox) -> None:
    await outbox.submit(LAMPS, run_id="r1")
    assert await outbox.publish(CLOCKS) == CLOCKS.digest
    assert await outbox.curriculum(LAMPS.digest) == LAMPS
    assert await outbox.curriculum(CLOCKS.digest) == CLOCKS
    with pytest.raises(UnknownRun):
        await outbox.curriculum(UNKNOWN)


async def test_a_preference_set_is_a_job_of_its_own_kind(outbox: Outbox, end: End) -> None:
    job = await outbox.submit(TASTES, run_id="r1")
    assert job == Job(digest=TASTES.digest, domain="lamps", run_id="r1", kind="preferences")
    assert await outbox.result(TASTES.digest) is None
    end(TASTES.digest, CANDIDATE)
    assert await outbox.result(TASTES.digest) == CANDIDATE


async def test_preference_sets_read_back_and_are_listed_oldest_first(outbox: Outbox) -> None:
    later = preference_set("clocks")
    assert await outbox.preference_digests() == ()
    assert await outbox.publish(TASTES) == TASTES.digest
    await outbox.submit(later, run_id="r1")
    await outbox.publish(TASTES)
    assert await outbox.preferences(TASTES.digest) == TASTES
    assert await outbox.preference_digests() == (TASTES.digest, later.digest)


async def test_one_kind_is_never_read_as_the_other(outbox: Outbox) -> None:
    await outbox.publish(TASTES)
    await outbox.publish(LAMPS)
    with pytest.raises(UnknownRun, match="curriculum"):
        await outbox.curriculum(TASTES.digest)
    with pytest.raises(UnknownRun, match="preference set"):
        await outbox.preferences(LAMPS.digest)
    assert await outbox.preference_digests() == (TASTES.digest,)


async def test_what_was_never_submitted_has_no_progress_and_no_result(outbox: Outbox) -> None:
    await outbox.publish(LAMPS)
    for digest in (UNKNOWN, LAMPS.digest):
        with pytest.raises(UnknownRun):
            await outbox.result(digest)
        with pytest.raises(UnknownRun):
            await outbox.progress(digest)


async def test_a_published_curriculum_can_be_submitted(outbox: Outbox) -> None:
    await outbox.publish(LAMPS)
    await outbox.submit(LAMPS, run_id="r1")
    assert await outbox.publish(LAMPS) == LAMPS.digest
    assert await outbox.result(LAMPS.digest) is None


async def test_a_job_waits_without_a_result_until_it_ends(outbox: Outbox) -> None:
    await outbox.submit(LAMPS, run_id="r1")
    assert await outbox.result(LAMPS.digest) is None
    assert (await outbox.progress(LAMPS.digest)).phase == "waiting"


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.status)
async def test_a_job_ends_with_the_trainers_result(outbox: Outbox, end: End, result: TrainingResult) -> None:
    await outbox.submit(LAMPS, run_id="r1")
    end(LAMPS.digest, result)
    assert await outbox.result(LAMPS.digest) == result


async def test_one_job_ends_and_the_other_waits(outbox: Outbox, end: End) -> None:
    await outbox.submit(LAMPS, run_id="r1")
    await outbox.submit(CLOCKS, run_id="r2")
    end(LAMPS.digest, CANDIDATE)
    assert await outbox.result(LAMPS.digest) == CANDIDATE
    assert await outbox.result(CLOCKS.digest) is None


async def test_a_trained_curriculum_is_not_trained_again(outbox: Outbox, end: End) -> None:
    await outbox.submit(LAMPS, run_id="r1")
    end(LAMPS.digest, CANDIDATE)
    job = await outbox.submit(LAMPS, run_id="r2")
    assert job.digest == LAMPS.digest
    assert await outbox.result(LAMPS.digest) == CANDIDATE


async def test_submitting_at_once_makes_one_job(outbox: Outbox, end: End) -> None:
    jobs = await asyncio.gather(*(outbox.submit(LAMPS, run_id="r1") for _ in range(4)))
    assert {job.digest for job in jobs} == {LAMPS.digest}
    end(LAMPS.digest, CANDIDATE)
    assert await outbox.result(LAMPS.digest) == CANDIDATE


async def test_the_queue_counts_what_waits_and_what_ended_by_its_result(opened: Opened) -> None:
    outbox, end = opened
    assert await outbox.queue() == QueueCounts()
    for record in (LAMPS, CLOCKS, TASTES):
        await outbox.submit(record, run_id="run-1")
    assert (await outbox.queue()).waiting == 3
    end(LAMPS.digest, RESULTS[0])
    end(CLOCKS.digest, RESULTS[1])
    queue = await outbox.queue()
    assert (queue.candidates, queue.rejected, queue.failed) == (1, 1, 0)
    assert queue.waiting + queue.training == 1
