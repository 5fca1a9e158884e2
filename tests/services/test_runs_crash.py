"""kill -9 of the process that works on a learn run: it goes on where it was, and hands over exactly once."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memory.outbox.dbos import QUEUE, VERSION, WORKFLOW
from tests.support.adapters import adapter

pytestmark = pytest.mark.services

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process on the test's home folder; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(stop_at: str, *subject: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.support.learn_process", str(tmp_path), stop_at, *subject]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate(timeout=10)


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[list[str]]:
    """A worker that trains nothing and notes each digest that it is given."""
    from dbos import DBOS, DBOSPortableJSONSerializer

    done: list[str] = []
    DBOS(
        config={
            "name": "nightschool-worker",
            "system_database_url": f"sqlite:///{tmp_path / 'training.db'}",
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


def line(process: "subprocess.Popen[str]", beginning: str) -> str:
    """The process's next line that begins so."""
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith(beginning):
            return text.strip()
    assert process.stderr is not None
    pytest.fail(f"the process ended before it said {beginning!r}: {process.stderr.read()[-2000:]}")


@pytest.mark.parametrize("step", ["explore", "hand_over", "train"])
def test_a_killed_run_goes_on_and_hands_over_exactly_once(
    start: Start, trained: list[str], tmp_path: Path, step: str
) -> None:
    first = start(step, "Rust ownership")
    line(first, f"at {step}")
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=10)

    status, steps = line(start("nowhere"), "ended").split()[1:]
    assert status == "learned"
    assert steps.split(",") == [
        "attempt", "detect", "explore", "critique", "curriculum", "verify", "approve", "hand_over", "train",
        "promote", "report",
    ]  # fmt: skip
    assert len(trained) == 1
    assert [file.stem for file in (tmp_path / "outbox").glob("*.json")] == trained
