"""kill -9 of the process that works on a learn run: it goes on where it was, and hands over exactly once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.crashes import Start, idle_trainer, line, processes

pytestmark = pytest.mark.services


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with processes("tests.support.learn_process", tmp_path) as start:
        yield start


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[list[str]]:
    with idle_trainer(tmp_path) as digests:
        yield digests


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
