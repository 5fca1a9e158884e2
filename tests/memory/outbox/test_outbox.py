"""The outbox folder and its DBOS queue: published files stay as they are, and nothing is queued twice.

What every outbox does is in tests/conformance/test_outbox.py.
"""

import asyncio
import multiprocessing
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from memory.errors import CorruptRecord, StoreUnavailable, UnknownRun
from memory.outbox import files as outbox
from memory.outbox.base import Progress, TrainingResult
from memory.outbox.dbos import QUEUE, DbosOutbox, queue_onto
from memory.outbox.volatile import VolatileOutbox
from memory.records.feedback import PreferenceSet
from memory.records.runs import Growth
from tests.support.adapters import curriculum
from tests.support.preferences import preference_set

DONE = TrainingResult(status="candidate", adapter="lamps-v1-1f9c2a7e", reason="all gates passed")


def test_a_published_curriculum_reads_back_equal_under_its_digest(tmp_path: Path) -> None:
    digest = outbox.publish(tmp_path, curriculum())
    assert digest == curriculum().digest
    assert outbox.read(tmp_path, digest) == curriculum()
    assert [path.name for path in tmp_path.iterdir()] == [f"{digest}.json"]


def test_publishing_again_leaves_the_file_untouched(tmp_path: Path) -> None:
    digest = outbox.publish(tmp_path, curriculum())
    written = (tmp_path / f"{digest}.json").stat()
    assert outbox.publish(tmp_path, curriculum()) == digest
    assert (tmp_path / f"{digest}.json").stat().st_mtime_ns == written.st_mtime_ns


def test_an_altered_curriculum_is_refused_by_reader_and_publisher(tmp_path: Path) -> None:
    digest = outbox.publish(tmp_path, curriculum())
    path = tmp_path / f"{digest}.json"
    path.write_text(path.read_text().replace("green", "blue"))
    with pytest.raises(CorruptRecord, match="altered"):
        outbox.read(tmp_path, digest)
    with pytest.raises(CorruptRecord, match="altered"):
        outbox.publish(tmp_path, curriculum())


@pytest.mark.parametrize("content", ["", "{", '{"topic": "x"}', "\x00\x01"])
def test_a_file_that_is_no_curriculum_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / f"{'0' * 64}.json").write_text(content)
    with pytest.raises(CorruptRecord, match="not a curriculum"):
        outbox.read(tmp_path, "0" * 64)


def test_a_preference_set_is_a_file_of_its_own_kind(tmp_path: Path) -> None:
    made = preference_set()
    digest = outbox.publish(tmp_path, made)
    assert [path.name for path in tmp_path.iterdir()] == [f"{digest}.preferences.json"]
    assert outbox.read(tmp_path, digest, PreferenceSet) == made
    with pytest.raises(UnknownRun, match="no curriculum"):
        outbox.read(tmp_path, digest)


def test_an_altered_preference_set_is_refused(tmp_path: Path) -> None:
    digest = outbox.publish(tmp_path, preference_set())
    path = tmp_path / f"{digest}.preferences.json"
    path.write_text(path.read_text().replace("Fine", "Bad"))
    with pytest.raises(CorruptRecord, match="altered"):
        outbox.read(tmp_path, digest, PreferenceSet)
    path.write_text(curriculum().model_dump_json())
    with pytest.raises(CorruptRecord, match="not a preference set"):
        outbox.read(tmp_path, digest, PreferenceSet)


def test_a_missing_curriculum_is_an_unknown_run(tmp_path: Path) -> None:
    with pytest.raises(UnknownRun):
        outbox.read(tmp_path, "0" * 64)


async def test_a_queue_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="training queue"):
        DbosOutbox(tmp_path, f"sqlite:///{tmp_path}/missing/training.db")


async def test_a_queue_that_breaks_while_it_is_open_is_an_unavailable_store(tmp_path: Path) -> None:
    box = DbosOutbox(tmp_path, f"sqlite:///{tmp_path}/training.db")
    with closing(sqlite3.connect(tmp_path / "training.db")) as connection:
        connection.execute("DROP TABLE workflow_status")
    for call in (box.submit(curriculum(), run_id="r1"), box.result("0" * 64), box.progress("0" * 64)):
        with pytest.raises(StoreUnavailable, match="training queue"):
            await call
    box.close()


async def test_a_curriculum_is_queued_once_however_often_it_is_submitted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/training.db"
    first, second = DbosOutbox(tmp_path, url), DbosOutbox(tmp_path, url)
    jobs = await asyncio.gather(*(o.submit(curriculum(), run_id="r1") for o in (first, second, first)))
    assert {job.digest for job in jobs} == {curriculum().digest}
    assert len(first._client.list_workflows()) == 1
    assert await second.result(curriculum().digest) is None
    assert (await second.progress(curriculum().digest)).phase == "waiting"
    first.close()
    second.close()


def submit_in_a_process(folder: str, starts_at: float) -> None:
    """Submits at that time; run in a process of its own."""
    box = DbosOutbox(Path(folder), f"sqlite:///{folder}/training.db")
    time.sleep(max(0.0, starts_at - time.time()))
    asyncio.run(box.submit(curriculum(), run_id="r1"))
    box.close()


async def test_a_failed_job_that_several_submit_again_is_queued_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that a worker has begun would otherwise be deleted by the slower one, and trained twice."""
    url = f"sqlite:///{tmp_path}/training.db"
    box = DbosOutbox(tmp_path, url)
    job = await box.submit(curriculum(), run_id="r1")
    client, deleted = box._client, []
    client.cancel_workflow(job.digest)
    delete, other = client.delete_workflow, DbosOutbox(tmp_path, url)

    def slow_delete(workflow_id: str) -> None:
        time.sleep(0.2)  # long enough for the other to see the failed job, if it may
        deleted.append(workflow_id)
        delete(workflow_id)

    monkeypatch.setattr(client, "delete_workflow", slow_delete)
    monkeypatch.setattr(other._client, "delete_workflow", slow_delete)
    await asyncio.gather(*(each.submit(curriculum(), run_id="r1") for each in (box, other, box, other)))
    assert deleted == [job.digest]
    assert [each.status for each in client.list_workflows()] == ["ENQUEUED"]
    box.close()
    other.close()


@pytest.mark.services
async def test_processes_that_submit_a_failed_job_at_once_queue_it_once(tmp_path: Path) -> None:
    box = DbosOutbox(tmp_path, f"sqlite:///{tmp_path}/training.db")
    job = await box.submit(curriculum(), run_id="r1")
    box._client.cancel_workflow(job.digest)
    spawn = multiprocessing.get_context("spawn")
    starts_at = time.time() + 8
    processes = [spawn.Process(target=submit_in_a_process, args=(str(tmp_path), starts_at)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert [each.status for each in box._client.list_workflows()] == ["ENQUEUED"]
    box.close()


async def test_progress_that_the_worker_reports_is_what_the_api_reads(tmp_path: Path) -> None:
    box = DbosOutbox(tmp_path, f"sqlite:///{tmp_path}/training.db")
    job = await box.submit(curriculum(), run_id="r1")
    told = Progress(phase="training", done=3, total=7, message="loss 0.5")
    outbox.report_progress(tmp_path, job.digest, told)
    assert await box.progress(job.digest) == told
    box.close()


async def test_a_trained_lesson_is_trained_once_more_for_each_base_that_it_moves_to(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/training.db"
    here = DbosOutbox(tmp_path, url)
    bases = ["ab" * 32, "cd" * 32]
    there = [DbosOutbox(tmp_path, url, growth=Growth(onto=base, source="ef" * 32)) for base in bases]
    digest = (await here.submit(curriculum(), run_id="r1")).digest
    with pytest.raises(UnknownRun):
        await there[0].result(digest)
    for box in (*there, *there):
        await box.submit(curriculum(), run_id="r2")
    queued = here._client.list_workflows()
    assert sorted(job.workflow_id for job in queued) == sorted(
        [digest, *(f"{digest}.{base[:16]}" for base in bases)]
    )
    assert {job.queue_name for job in queued} == {QUEUE, *map(queue_onto, bases)}
    outbox.report_progress(tmp_path, f"{digest}.{bases[0][:16]}", Progress(phase="training"))
    assert [(await box.progress(digest)).phase for box in (here, *there)] == [
        "waiting",
        "training",
        "waiting",
    ]
    for box in (here, *there):
        box.close()


async def test_a_job_that_broke_off_ends_failed_and_may_be_submitted_again(tmp_path: Path) -> None:
    box = DbosOutbox(tmp_path, f"sqlite:///{tmp_path}/training.db")
    job = await box.submit(curriculum(), run_id="r1")
    box._client.cancel_workflow(job.digest)
    result = await box.result(job.digest)
    assert result is not None
    assert result.status == "failed"
    await box.submit(curriculum(), run_id="r2")
    assert await box.result(job.digest) is None
    box.close()


async def test_the_shipped_fake_ends_jobs_as_scripted() -> None:
    box = VolatileOutbox(DONE)
    job = await box.submit(curriculum(), run_id="r1")
    assert await box.result(job.digest) == DONE
    assert (await box.progress(job.digest)).phase == "done"
