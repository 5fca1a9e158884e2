"""Adding and studying a model in a process of its own, which tells others how far it is.

Run as `python -m agent.models.task FOLDER WORK add|study -- MODEL`, where FOLDER is that of the added models
and WORK is for unfinished studies. The kernel frees the lock when the process ends, so that a task whose lock
is free and which has not ended was killed. Whoever may write into the folder stops a task by its id, because
a number of a process means nothing in another container.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from agent.errors import EngineError, ModelError, ModelTaskRunning
from agent.models.catalogue import shipped_catalogue
from agent.models.store import ModelStore
from memory.file_locks import file_lock, is_locked
from memory.records.base import Record

Action = Literal["add", "study"]
Status = Literal["running", "done", "failed", "stopped"]
STATE, LOCK, STOP = ".task.json", ".task.lock", ".task.stop"
BUSY = 3
"""Exit code if another task runs."""
SHOWN_EVERY = 0.5
"""Seconds between two records of a task's progress, and between two looks whether it shall stop."""
STOP_SECONDS = 10.0
"""How long a task that shall stop may take to clean up."""


class ModelTask(Record):
    """A model that is added or studied, or the last one that was."""

    id: str
    action: Action
    model: str
    """What is added, or the name of what is studied."""
    status: Status
    step: str = ""
    """What it is doing, or what it came to."""
    done: int = Field(0, ge=0)
    total: int = Field(0, ge=0)
    """Of the step, in its own units; 0 if unknown."""
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None


class TaskProgress:
    """Writes a task's progress to the folder of the models; what adding and studying report to."""

    def __init__(
        self, folder: Path, task: ModelTask, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._task = folder, task
        self._monotonic, self._written = monotonic, float("-inf")
        self._write()

    def say(self, what: str) -> None:
        """A new step begins."""
        self._change(step=what, done=0, total=0)
        self._write()

    def read(self, done: int, of: int) -> None:
        """`done` more bytes of `of` were read."""
        self._change(done=self._task.done + done, total=of)
        if self._monotonic() - self._written >= SHOWN_EVERY:
            self._write()

    def stage(self, what: str, total: int) -> Callable[[], object]:
        """A step with a number of parts begins; the result is called after each."""
        self._change(step=what, done=0, total=total)
        self._write()
        return lambda: self.read(1, total)

    def end(self, status: Status, step: str, now: datetime) -> None:
        """The task has ended."""
        self._change(status=status, step=step, done=0, total=0, ended_at=now)
        self._write()

    def _change(self, **fields: object) -> None:
        self._task = self._task.model_copy(update=fields)

    def _write(self) -> None:
        self._written = self._monotonic()
        unfinished = self._folder / f"{STATE}.unfinished"
        unfinished.write_text(self._task.model_dump_json(), encoding="utf-8")
        unfinished.replace(self._folder / STATE)


def current_task(folder: Path) -> ModelTask | None:
    """The task that runs, or else the last one; None if there was none.

    One that was killed is `stopped`. Raises OSError for a folder that may not be read.
    """
    task = _read(folder)
    if task is None or task.status != "running" or is_locked(folder / LOCK):
        return task
    task = _read(folder)  # it may have ended between the two looks
    if task is None or task.status != "running":
        return task
    return task.model_copy(update={"status": "stopped", "step": "its process was killed"})


def stop_task(folder: Path) -> ModelTask | None:
    """Asks the running task to end, whichever process started it; None if none runs. Raises OSError."""
    task = current_task(folder)
    if task is None or task.status != "running":
        return None
    (folder / STOP).write_text(task.id, encoding="utf-8")
    return task


def _read(folder: Path) -> ModelTask | None:
    try:
        return ModelTask.model_validate_json((folder / STATE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Does the task; 0 if it succeeded, BUSY if another one runs."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        busy = ModelTaskRunning("another model is being added or studied")
        with file_lock(options.folder / LOCK, busy=busy, seconds=1.0):  # others look whether it is held
            return _run(options)
    except ModelTaskRunning as error:
        print(error, file=sys.stderr)
        return BUSY


def _run(options: argparse.Namespace) -> int:
    task = ModelTask(
        id=options.id,
        action=options.action,
        model=options.model,
        status="running",
        step="starting",
        started_at=datetime.now(UTC),
    )
    progress = TaskProgress(options.folder, task)
    status: Status = "failed"
    step = "an unexpected error: see models.log in the service's folder"
    threading.Thread(target=_watch, args=(options.folder, task.id, progress), daemon=True).start()
    try:
        step = _done(options, progress)
        status = "done"
    except KeyboardInterrupt:
        status, step = "stopped", "stopped; a study goes on where it was"
    except (ModelError, EngineError, OSError) as error:
        step = str(error)
    finally:
        progress.end(status, step, datetime.now(UTC))
    return 0 if status == "done" else 1


def _done(options: argparse.Namespace, progress: TaskProgress) -> str:
    """Does it, and says what it came to; the heavy imports come after the task has said that it runs."""
    store = ModelStore(options.folder)
    if options.action == "add":
        from agent.models.add_model import add_model

        added = add_model(options.model, store, shipped_catalogue(), progress, name=options.name)
        return f"{added.name} was added"
    from agent.models.study.added import study_added

    studied = study_added(options.model, store, options.work, progress.stage, gpu_share=options.gpu_share)
    return f"{options.model}: {asyncio.run(studied).card.verdict}"


def _watch(folder: Path, id: str, progress: TaskProgress) -> None:
    """Interrupts the process once it shall stop, and ends it if it does not, as in a download that hangs."""
    stop = folder / STOP
    while not (stop.is_file() and stop.read_text(encoding="utf-8") == id):
        time.sleep(SHOWN_EVERY)
    stop.unlink(missing_ok=True)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(STOP_SECONDS)
    progress.end("stopped", "stopped at once; a study goes on where it was", datetime.now(UTC))
    os._exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agent.models.task", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("action", choices=("add", "study"))
    parser.add_argument("model")
    parser.add_argument("--id", default="task", help="by which the task is stopped")
    parser.add_argument("--name", default=None, help="for the added model")
    parser.add_argument("--gpu-share", type=float, default=None)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
