"""File locks between processes: the system frees a lock when its holder ends, even if that is killed."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.05


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock file. Many may ask at once."""
    try:
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@contextmanager
def file_lock(path: Path, *, busy: Exception | None = None, seconds: float = 0.0) -> Iterator[None]:
    """Holds the lock file, which is created if missing.

    Waits for another holder, also one in this process. If `busy` is given, waits `seconds` and raises that.
    """
    with path.open("a") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if busy is None else fcntl.LOCK_NB))
                break
            except BlockingIOError:
                assert busy is not None, "only a lock that does not wait can be busy"
                if time.monotonic() >= deadline:
                    raise busy from None
                time.sleep(POLL_SECONDS)
        yield
