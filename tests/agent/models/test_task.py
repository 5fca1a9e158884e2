"""A model is added or studied in a process of its own, which says how far it is and can be stopped."""

import fcntl
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.models.store import ModelStore
from agent.models.task import LOCK, STOP, ModelTask, TaskProgress, current_task, main, stop_task
from memory.file_locks import file_lock, is_locked
from tests.agent.models.test_add_model import model
from tests.support.model_task import PROCESS

NOW = datetime(2026, 11, 30, tzinfo=UTC)
RUNNING = ModelTask(id="1", action="add", model="m", status="running", started_at=NOW)


def test_progress_is_written_at_each_step_and_now_and_then_within_one(tmp_path: Path) -> None:
    now = 0.0
    progress = TaskProgress(tmp_path, RUNNING, monotonic=lambda: now)
    with file_lock(tmp_path / LOCK):
        progress.say("downloading")
        progress.read(10, 100)
        task = current_task(tmp_path)
        assert task is not None
        assert (task.step, task.done, task.total) == ("downloading", 0, 0)
        now = 1.0
        progress.read(10, 100)
        task = current_task(tmp_path)
        assert task is not None
        assert (task.done, task.total) == (20, 100)
        progress.stage("asking it", 2)()
        progress.end("done", "go", NOW)
    task = current_task(tmp_path)
    assert task is not None
    assert (task.status, task.step, task.ended_at) == ("done", "go", NOW)


def test_a_killed_task_is_stopped_and_a_damaged_record_is_none(tmp_path: Path) -> None:
    assert current_task(tmp_path) is None
    TaskProgress(tmp_path, RUNNING)
    task = current_task(tmp_path)
    assert task is not None
    assert (task.status, task.step) == ("stopped", "its process was killed")
    assert stop_task(tmp_path) is None
    (tmp_path / ".task.json").write_text("{")
    assert current_task(tmp_path) is None


def test_a_folder_is_added_by_a_task(tmp_path: Path) -> None:
    models, source = tmp_path / "models", model(tmp_path / "mine")
    assert main([str(models), str(tmp_path / "work"), "add", "--name", "small", "--", str(source)]) == 0
    task = current_task(models)
    assert task is not None
    assert (task.status, task.step) == ("done", "small was added")
    assert ModelStore(models).names() == ("small",)


@pytest.mark.parametrize(("action", "said"), [("add", "is not a catalogue model"), ("study", "was added")])
def test_what_fails_says_why(action: str, said: str, tmp_path: Path) -> None:
    assert main([str(tmp_path / "models"), str(tmp_path / "work"), action, "--", "no such"]) == 1
    task = current_task(tmp_path / "models")
    assert task is not None
    assert task.status == "failed"
    assert said in task.step


def test_one_task_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file_lock(tmp_path / LOCK):
        assert main([str(tmp_path), str(tmp_path), "study", "--", "m"]) == 3
    assert "another model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m", "stopped; a study goes on where it was"),
        ("deaf", "stopped at once; a study goes on where it was"),
    ],
)
def test_a_running_task_is_stopped_by_whoever_asks(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / STOP).write_text("an earlier one")
    command = [sys.executable, "-m", PROCESS, str(tmp_path), str(tmp_path), "study", "--id", "7", "--", name]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 60
        while (task := current_task(tmp_path)) is None or task.step != "asking it":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (task.id, task.status, task.total) == ("7", "running", 10)
        assert stop_task(tmp_path) == task
        assert process.wait(30) == 1
    finally:
        process.kill()
    task = current_task(tmp_path)
    assert task is not None
    assert (task.status, task.step) == ("stopped", said)


def test_many_may_look_at_once_whether_a_task_runs(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("a") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(tmp_path / LOCK)
    with file_lock(tmp_path / LOCK):
        assert is_locked(tmp_path / LOCK)
