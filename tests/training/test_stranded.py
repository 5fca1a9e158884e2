"""Jobs that the worker cannot end, because its disk or the queue's database failed it."""

import errno
import threading

import pytest
from sqlalchemy.exc import OperationalError

from training.stranded import STRANDED_SECONDS, Stranded, StrandedJobs


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def jobs(clock: Clock, *pending: str) -> StrandedJobs:
    return StrandedJobs(lambda ids: set(ids) & set(pending), clock)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        OperationalError("UPDATE", {}, Exception("database or disk is full")),
    ],
    ids=["full disk", "broken disk", "full database"],
)
def test_a_job_that_the_disk_or_the_database_failed_goes_on_in_the_next_worker(
    error: Exception,
) -> None:
    watching = jobs(Clock())
    watching.check()
    ended = threading.Event()

    def work() -> None:
        try:
            with watching.watched("a"):
                raise error
        finally:
            ended.set()

    threading.Thread(target=work, daemon=True).start()
    assert not ended.wait(0.2), "DBOS would record the failure as the job's end"
    with pytest.raises(Stranded, match=r"No space left|Input/output|disk is full"):
        watching.check()


def test_any_other_error_is_the_jobs_own() -> None:
    watching = jobs(Clock())
    with pytest.raises(FileNotFoundError), watching.watched("a"):
        raise FileNotFoundError(errno.ENOENT, "no such file")
    watching.check()


def test_a_job_whose_end_is_not_on_record_in_time_is_stranded() -> None:
    clock = Clock()
    watching = jobs(clock, "lost")
    for each in ("lost", "recorded"):
        with watching.watched(each):
            pass
    clock.now = STRANDED_SECONDS - 1
    watching.check()
    clock.now = STRANDED_SECONDS
    with pytest.raises(Stranded, match="the end of lost could not be recorded"):
        watching.check()


def test_a_job_that_failed_by_itself_is_also_stranded_if_that_is_not_on_record() -> None:
    clock = Clock()
    watching = jobs(clock, "a")
    with pytest.raises(RuntimeError), watching.watched("a"):
        raise RuntimeError("a bug")
    clock.now = STRANDED_SECONDS
    with pytest.raises(Stranded):
        watching.check()
