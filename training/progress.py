"""Tells how far a training job is: to the outbox, for those who wait for it, and to the worker's log."""

import time
from collections.abc import Callable
from pathlib import Path

from memory.outbox.base import Progress
from memory.outbox.files import report_progress


class ProgressReporter:
    """Writes progress to the outbox at most twice a second, and to the log at most every five seconds."""

    def __init__(
        self, folder: Path, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._say = say
        self._clock = clock
        self._last: tuple[str, str] | None = None
        self._written_at = self._logged_at = float("-inf")

    def __call__(self, job: str, progress: Progress) -> None:
        """Reports progress, unless the last report was too recent; a new phase is always reported."""
        now = self._clock()
        new_phase = self._last != (job, progress.phase)
        self._last = (job, progress.phase)
        if new_phase or now - self._written_at >= 0.5:
            report_progress(self._folder, job, progress)
            self._written_at = now
        if new_phase or now - self._logged_at >= 5.0:
            count = f" {progress.done}/{progress.total}" if progress.total else ""
            self._say(f"{job[:8]}: {progress.phase}{count} {progress.message}".rstrip())
            self._logged_at = now
