"""Notices jobs that the worker can no longer end because its disk or database failed it.

DBOS resumes a job only when its worker starts, so the worker ends itself, and its supervisor starts it again.
"""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

STRANDED_SECONDS = 10.0
"""Within this time DBOS records the outcome of a job, unless it failed to."""


DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def is_outage(error: Exception) -> bool:
    """Whether the disk or the queue's database failed, whatever the job."""
    return isinstance(error, OperationalError) or (isinstance(error, OSError) and error.errno in DISK_ERRORS)


class Stranded(Exception):
    """A job that this process cannot end, but the next one can resume."""


class StrandedJobs:
    """The jobs of this process, by workflow id; `pending` returns those ids that are on record as running."""

    def __init__(
        self, pending: Callable[[list[str]], set[str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pending = pending
        self._clock = clock
        self._ended: dict[str, float] = {}
        self._failure: Exception | None = None

    @contextmanager
    def watched(self, workflow: str) -> Iterator[None]:
        """Runs a job.

        If the disk or the database fails, this does not return: DBOS would record that as the job's end.
        """
        try:
            yield
        except Exception as error:
            if is_outage(error):
                self._failure = error
                threading.Event().wait()
            raise
        finally:
            self._ended[workflow] = self._clock()

    def check(self) -> None:
        """Raises Stranded if a job failed that way, or ended without a record of it."""
        if self._failure is not None:
            raise Stranded(f"{type(self._failure).__name__}: {self._failure}")
        late = [id for id, at in list(self._ended.items()) if self._clock() - at >= STRANDED_SECONDS]
        if not late:
            return
        if lost := self._pending(late):
            raise Stranded(f"the end of {', '.join(sorted(lost))} could not be recorded")
        for each in late:
            del self._ended[each]
