"""Adding and studying a model in a process of its own, which tells others how far it is.

Run as `python -m agent.models.task FOLDER WORK add|study MODEL`, where FOLDER is that of the added models and
WORK is for unfinished studies. The kernel frees the lock when the process ends, so that a task whose lock is
free and which has not ended was killed.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from agent.errors import EngineError, ModelError, ModelTaskRunning
from agent.models.add_model import add_model
from agent.models.catalogue import shipped_catalogue
from agent.models.store import ModelStore
from agent.models.study.added import study_added
from memory.file_locks import file_lock
from memory.records.base import Record

Action = Literal["add", "study"]
Status = Literal["running", "done", "failed", "stopped"]
STATE, LOCK = ".task.json", ".task.lock"
SHOWN_EVERY = 0.5
"""Seconds between two records of a task's progress."""


class ModelTask(Record):
    """A model that is added or studied, or the last one that was."""

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
    pid: int


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
        self._write_sometimes()

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

    def _write_sometimes(self) -> None:
        if self._monotonic() - self._written >= SHOWN_EVERY:
            self._write()

    def _write(self) -> None:
        self._written = self._monotonic()
        unfinished = self._folder / f"{STATE}.unfinished"
        unfinished.write_text(self._task.model_dump_json(), encoding="utf-8")
        unfinished.replace(self._folder / STATE)


def current_task(folder: Path) -> ModelTask | None:
    """The task that runs, or else the last one; None if there was none.

    One that was killed is `stopped`.
    """
    try:
        task = ModelTask.model_validate_json((folder / STATE).read_bytes())
    except (OSError, ValidationError):
        return None
    if task.status == "running" and not _is_held(folder):
        return task.model_copy(update={"status": "stopped", "step": "its process was killed"})
    return task


def stop_task(folder: Path) -> bool:
    """Asks the running task to end, whichever process started it; False if none runs."""
    task = current_task(folder)
    if task is None or task.status != "running":
        return False
    with suppress(ProcessLookupError):
        os.kill(task.pid, signal.SIGTERM)
    return True


def _is_held(folder: Path) -> bool:
    try:
        with file_lock(folder / LOCK, busy=ModelTaskRunning("a model is being added or studied")):
            return False
    except ModelTaskRunning:
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Does the task; 0 if it succeeded, 3 if another one runs."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        busy = ModelTaskRunning("another model is being added or studied")
        with file_lock(options.folder / LOCK, busy=busy, seconds=1.0):  # others look whether it is held
            return _run(options)
    except ModelTaskRunning as error:
        print(error, file=sys.stderr)
        return 3


def _run(options: argparse.Namespace) -> int:
    begun = datetime.now(UTC)
    task = ModelTask(
        action=options.action, model=options.model, status="running", started_at=begun, pid=os.getpid()
    )
    progress, store = TaskProgress(options.folder, task), ModelStore(options.folder)
    status: Status = "failed"
    try:
        if options.action == "add":
            name = add_model(options.model, store, shipped_catalogue(), progress, name=options.name).name
            step = f"{name} was added"
        else:
            studied = study_added(
                options.model, store, options.work, progress.stage, gpu_share=options.gpu_share
            )
            step = f"{options.model}: {asyncio.run(studied).card.verdict}"
        status = "done"
    except KeyboardInterrupt:
        status, step = "stopped", "stopped; a study goes on where it was"
    except (ModelError, EngineError, OSError) as error:
        step = str(error)
    except BaseException as error:
        progress.end(
            "failed", f"an unexpected error ({type(error).__name__}): see the api's log", datetime.now(UTC)
        )
        raise
    progress.end(status, step, datetime.now(UTC))
    return 0 if status == "done" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agent.models.task", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("action", choices=("add", "study"))
    parser.add_argument("model")
    parser.add_argument("--name", default=None, help="for the added model")
    parser.add_argument("--gpu-share", type=float, default=None)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
