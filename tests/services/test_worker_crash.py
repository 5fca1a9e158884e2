"""The worker as a process of its own: killed in mid-training, it ends the job exactly once."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.outbox.dbos import DbosOutbox
from memory.records.curricula import Curriculum
from tests.support.adapters import fact
from tests.support.approvals import approve
from tests.support.lessons import about
from tests.support.preferences import preference_set
from tests.support.tiny_model import FOLDER as TINY
from training.jobs import ATTEMPTS

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


def lesson(count: int) -> Curriculum:
    return about([fact(f"zorble{i}", f"a small lamp number {i} for ships") for i in range(count)])


@contextmanager
def worker(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "training.worker",
            "--home",
            str(home),
            "--model",
            str(TINY),
            "--quick",
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], text: str, seconds: float = 240) -> list[str]:
    """All lines up to the one that holds `text`; a process that says nothing more is killed in time."""
    assert process.stdout is not None
    lines: list[str] = []
    deadline = threading.Timer(seconds, process.kill)
    deadline.start()
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if text in line:
                return lines
    finally:
        deadline.cancel()
    raise AssertionError(f"{text!r} never came: " + "\n".join(lines[-30:]))


def wait_for_step(box: DbosOutbox, digest: str, seconds: float = 120) -> None:
    """Returns as soon as a training step has been reported, however fast the machine is."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        progress = asyncio.run(box.progress(digest))
        assert progress.phase != "done", "the job ended before it could be killed: give it more to learn"
        if progress.phase == "training" and progress.done:
            return
        time.sleep(0.05)
    raise AssertionError("no training step was reported")


def wait_for_result(box: DbosOutbox, digest: str, seconds: float = 300) -> TrainingResult:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        result = asyncio.run(box.result(digest))
        if result is not None:
            return result
        time.sleep(0.5)
    raise AssertionError("the job did not end")


def test_a_worker_killed_in_mid_training_resumes_and_registers_once(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    box = DbosOutbox(tmp_path / "outbox", f"sqlite:///{tmp_path}/shared/training.db")
    approve(tmp_path, lesson(72).digest)
    job = asyncio.run(box.submit(lesson(72), run_id="r1"))
    with worker(tmp_path) as first:
        read_until(first, "ready")
        wait_for_step(box, job.digest)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=30)
    assert asyncio.run(box.result(job.digest)) is None
    with worker(tmp_path) as second:
        read_until(second, "ready")
        result = wait_for_result(box, job.digest)
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=60) == 0
    assert result.status in ("candidate", "rejected"), result.reason
    made = MlflowAdapterRegistry(tmp_path).list()  # a lesson that fails its gates is tried once more
    assert [adapter.version for adapter in made] == list(range(1, len(made) + 1))
    assert len(made) <= ATTEMPTS
    assert made[-1].name == result.adapter
    assert not list((tmp_path / "adapters").glob(".*")), "an unfinished folder was left behind"
    assert asyncio.run(box.progress(job.digest)).phase == "done"
    again = asyncio.run(box.submit(lesson(72), run_id="r2"))
    assert asyncio.run(box.result(again.digest)) == result, "the same curriculum was queued a second time"
    box.close()


def test_a_worker_killed_in_mid_training_of_preferences_resumes_and_registers_once(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    box = DbosOutbox(tmp_path / "outbox", f"sqlite:///{tmp_path}/shared/training.db")
    tastes = preference_set("general", count=160)
    approve(tmp_path, tastes.digest)
    job = asyncio.run(box.submit(tastes, run_id="r1"))
    with worker(tmp_path) as first:
        read_until(first, "ready")
        wait_for_step(box, job.digest, seconds=300)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=30)
    assert asyncio.run(box.result(job.digest)) is None
    with worker(tmp_path) as second:
        read_until(second, "ready")
        result = wait_for_result(box, job.digest)
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=60) == 0
    assert result.status in ("candidate", "rejected"), result.reason
    (made,) = MlflowAdapterRegistry(tmp_path).list()
    assert (made.name, made.curriculum) == (result.adapter, None)
    assert made.preferences == (job.digest,)
    assert not list((tmp_path / "adapters").glob(".*")), "an unfinished folder was left behind"
    again = asyncio.run(box.submit(preference_set("general", count=160), run_id="r2"))
    assert asyncio.run(box.result(again.digest)) == result, "the same set was queued a second time"
    box.close()


def test_a_second_worker_on_the_same_home_is_refused(tmp_path: Path) -> None:
    with worker(tmp_path) as first:
        read_until(first, "ready")
        with worker(tmp_path) as second:
            lines = read_until(second, "another worker")
            assert second.wait(timeout=60) == 2
            assert "stop it first" in lines[-1]
