"""Processes that tests kill with kill -9 and start again, and a trainer for them that trains nothing."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memory.outbox.dbos import QUEUE, VERSION, WORKFLOW
from tests.support.adapters import adapter

Start = Callable[..., "subprocess.Popen[str]"]
"""Starts the process with arguments after its home folder."""


@contextmanager
def processes(module: str, home: Path) -> Iterator[Start]:
    """Starts processes of the module on a home folder; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", module, str(home), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate(timeout=10)


def line(process: "subprocess.Popen[str]", beginning: str) -> str:
    """The process's next line that begins so."""
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith(beginning):
            return text.strip()
    assert process.stderr is not None
    pytest.fail(f"the process ended before it said {beginning!r}: {process.stderr.read()[-2000:]}")


@contextmanager
def idle_trainer(home: Path) -> Iterator[list[str]]:
    """A worker on the home's queue that trains nothing and notes each digest that it is given."""
    from dbos import DBOS, DBOSPortableJSONSerializer

    done: list[str] = []
    DBOS(
        config={
            "name": "nightschool-worker",
            "system_database_url": f"sqlite:///{home / 'training.db'}",
            "application_version": VERSION,
            "executor_id": "worker",
            "serializer": DBOSPortableJSONSerializer(),
            "console_log_level": "ERROR",
        }
    )

    @DBOS.workflow(name=WORKFLOW)
    def train(job: dict[str, str]) -> dict[str, str]:
        done.append(job["digest"])
        return {"status": "candidate", "adapter": adapter("rust").name, "reason": "all gates passed"}

    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=0.2)
    yield done
    DBOS.destroy(destroy_registry=True)
