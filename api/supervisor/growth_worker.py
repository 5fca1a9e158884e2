"""The training worker of `nightschool models grow`: the running one, or one that is started for its time."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from agent.engines.child_process import die_with_parent
from agent.errors import GrowthRefused
from agent.models.store import AddedModel
from agent.settings import SHARED, Settings
from memory.file_locks import file_lock

LOCK = Path("jobs/worker.lock")
"""Below the home folder; while it is locked, it holds the digest of the worker's base model."""
STOP_SECONDS = 30.0
SHOWN = 5
"""Lines of the worker's log in an error message."""


class _Busy(Exception):
    """A worker of this home folder runs already."""


def running_worker(home: Path) -> str | None:
    """The digest of the base model that the running worker of a home folder trains; None if none runs.

    It is empty while the worker starts.
    """
    path = home / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(path, busy=_Busy()):
            path.write_text("", encoding="ascii")
            return None
    except _Busy:
        return path.read_text(encoding="ascii")


@asynccontextmanager
async def growth_worker(
    settings: Settings, target: AddedModel, command: Sequence[str], log: Path
) -> AsyncIterator[Callable[[], None]]:
    """Has a worker that trains the target: the running one, or one started with `command`, which stops after.

    The function that it gives raises GrowthRefused if the worker that was started has ended. Raises
    GrowthRefused if the running worker trains another model.
    """
    home = settings.home.resolve()
    digest = await asyncio.to_thread(running_worker, home)
    if digest is not None:
        if digest != target.card.digest:
            raise GrowthRefused(
                f"a worker of another base model runs in {home}: stop the service, or select {target.name}"
                " with `nightschool models use` and start the service again"
            )
        yield lambda: None
        return
    (home / SHARED).mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    process = _start(command, log)

    def check() -> None:
        if process.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN:]
            raise GrowthRefused(
                f"the training worker ended with code {process.returncode}: {' / '.join(lines)} (all of it is"
                f" in {log}); run this again to go on"
            )

    try:
        yield check
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("w", encoding="utf-8") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=die_with_parent()
        )
