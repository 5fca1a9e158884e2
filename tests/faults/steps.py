"""Steps of the work as a process reaches them: each is told, and one can be held until the fault is there.

This stands outside the product: in a child of the harness, it wraps the functions that begin a step. A file
`hold` in the control folder names the step to hold. The process that reaches it renames the file to `held`,
and stays in the step until there is a file `go`.
"""

import asyncio
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTROL = "NIGHTSCHOOL_FAULTS_CONTROL"
"""Environment variable of the control folder; only this module and the harness know it."""
POLL_SECONDS = 0.01


class Hold:
    """The harness's side: names the step to hold, waits until it is reached, lets it go on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def set(self, step: str) -> None:
        """From now on, the first process that reaches the step is held in it."""
        self.clear()
        draft = self._folder / "hold.draft"
        draft.write_text(step)
        draft.rename(self._folder / "hold")

    def reached(self) -> int | None:
        """The id of the process that is held; None as long as none is."""
        try:
            return int((self._folder / "held-by").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def go(self) -> None:
        """Lets it go on."""
        (self._folder / "go").touch()

    def clear(self) -> None:
        """Holds nothing."""
        for name in ("hold", "held", "held-by", "go"):
            (self._folder / name).unlink(missing_ok=True)


def _claimed(step: str) -> bool:
    """Whether this process is the one that shall be held here."""
    folder = Path(os.environ[CONTROL])
    try:
        if (folder / "hold").read_text() != step:
            return False
        (folder / "hold").rename(folder / "held")
    except FileNotFoundError:
        return False
    (folder / "held-by").write_text(str(os.getpid()))
    return True


def _released() -> bool:
    return (Path(os.environ[CONTROL]) / "go").exists()


async def reached(step: str) -> None:
    """Says that the step begins, and stays if it shall be held."""
    if _claimed(step):
        while not _released():  # noqa: ASYNC110  # another process makes the file
            await asyncio.sleep(POLL_SECONDS)


def reached_in_thread(step: str) -> None:
    """The same, for code that blocks."""
    if _claimed(step):
        while not _released():
            time.sleep(POLL_SECONDS)


def watch(owner: Any, name: str, step: str) -> None:
    """Wraps an async function or method of the owner, so that calling it is a step."""
    original = getattr(owner, name)

    @functools.wraps(original)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        await reached(step)
        return await original(*args, **kwargs)

    setattr(owner, name, wrapped)


def watch_blocking(owner: Any, name: str, step: str) -> None:
    """Wraps a function or method of the owner that blocks."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        reached_in_thread(step)
        return original(*args, **kwargs)

    setattr(owner, name, wrapped)


def watch_nodes(prefix: Callable[[str], str]) -> None:
    """Makes each node of each graph a step, named by `prefix`."""
    from langgraph.pregel import _runner

    original = _runner.arun_with_retry

    @functools.wraps(original)
    async def wrapped(task: Any, *args: Any, **kwargs: Any) -> Any:
        await reached(prefix(task.name))
        return await original(task, *args, **kwargs)

    _runner.arun_with_retry = wrapped


def watch_jobs() -> None:
    """Makes each durable step of a training job a step, named `worker NAME`."""
    from dbos import DBOS

    original = DBOS.run_step

    def wrapped(options: Any, work: Any, *args: Any, **kwargs: Any) -> Any:
        reached_in_thread(f"worker {options['name']}")
        return original(options, work, *args, **kwargs)

    DBOS.run_step = wrapped
