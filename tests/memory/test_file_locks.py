"""File locks: one holder at a time, also within a process, and a lock ends with its block."""

import threading
from pathlib import Path

import pytest

from memory.file_locks import file_lock


def test_a_lock_that_is_held_is_busy_until_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        file_lock(path),
        pytest.raises(RuntimeError, match="taken"),
        file_lock(path, busy=RuntimeError("taken")),
    ):
        pytest.fail("two hold the lock")
    with file_lock(path, busy=RuntimeError("taken")):
        pass


def test_without_an_error_to_raise_the_second_waits_for_the_first(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []

    def second() -> None:
        with file_lock(path):
            order.append("second")

    waiting = threading.Thread(target=second)
    with file_lock(path):
        waiting.start()
        waiting.join(timeout=0.2)
        order.append("first")
    waiting.join(timeout=10)

    assert order == ["first", "second"]


def test_a_holder_that_is_about_to_end_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held, release = threading.Event(), threading.Event()

    def first() -> None:
        with file_lock(path):
            held.set()
            release.wait(10)

    holding = threading.Thread(target=first)
    holding.start()
    held.wait(10)
    threading.Timer(0.2, release.set).start()
    with file_lock(path, busy=RuntimeError("taken"), seconds=10.0):
        pass
    holding.join(10)
