"""File locks between processes: the system frees a lock when its holder ends, even if that is killed."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, *, busy: Exception | None = None) -> Iterator[None]:
    """Holds the lock file, which is created if missing.

    Waits for another holder, also one in this process, or raises `busy` instead if it is given.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if busy is None else fcntl.LOCK_NB))
        except BlockingIOError:
            assert busy is not None, "only a lock that does not wait can be busy"
            raise busy from None
        yield
