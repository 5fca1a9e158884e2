"""Children are started in order, brought back when they die, and all stopped with one word."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from api.supervisor import supervisor
from api.supervisor.supervisor import Component, GaveUp, supervise

WAITS = "print('up', flush=True)\nimport time\nwhile True: time.sleep(0.05)"


def child(name: str, code: str, *, after: tuple[str, ...] = ()) -> Component:
    """A Python child that is ready once it prints `up`."""
    return Component(name=name, command=(sys.executable, "-c", code), ready_line="^up", after=after)


class Heard:
    """What the supervisor said, and the event that stops it."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.stop = asyncio.Event()
        self.ready = asyncio.Event()

    async def supervise(self, parts: Sequence[Component], logs: Path) -> None:
        await supervise(
            parts,
            logs=logs,
            on_output=lambda name, line: self.lines.append((name, line)),
            on_event=lambda name, line: self.notes.append((name, line)),
            on_ready=lambda seconds: self.ready.set(),
            stop=self.stop,
        )

    def order(self, word: str) -> list[str]:
        return [name for name, note in self.notes if note.startswith(word)]


async def test_a_part_starts_only_once_what_it_needs_is_ready_and_all_stop_together(tmp_path: Path) -> None:
    heard = Heard()
    slow = "import time; time.sleep(0.3)\n" + WAITS
    running = asyncio.create_task(
        heard.supervise([child("api", WAITS, after=("store",)), child("store", slow)], tmp_path)
    )
    await asyncio.wait_for(heard.ready.wait(), 20)
    words = [(name, note.split()[0]) for name, note in heard.notes]
    assert words == [("store", "starting"), ("store", "ready"), ("api", "starting"), ("api", "ready")]
    heard.stop.set()
    await asyncio.wait_for(running, 10)
    assert (tmp_path / "store.log").read_text() == "up\n"


async def test_the_service_is_ready_and_goes_on_without_an_optional_part(tmp_path: Path) -> None:
    heard = Heard()
    console = replace(child("console", "raise SystemExit(2)"), optional=True)
    running = asyncio.create_task(heard.supervise([child("store", WAITS), console], tmp_path))
    await asyncio.wait_for(heard.ready.wait(), 20)
    async with asyncio.timeout(20):
        while not any("the service goes on without it" in note for _, note in heard.notes):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert not running.done()
    heard.stop.set()
    await asyncio.wait_for(running, 10)


async def test_a_killed_part_is_started_again(tmp_path: Path) -> None:
    heard = Heard()
    code = "import os; print('pid', os.getpid(), flush=True)\n" + WAITS
    running = asyncio.create_task(heard.supervise([child("store", code)], tmp_path))
    await asyncio.wait_for(heard.ready.wait(), 20)
    os.kill(int(heard.lines[0][1].split()[1]), signal.SIGKILL)
    async with asyncio.timeout(20):
        while len(heard.order("ready")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert "ended with signal SIGKILL; restarting it in 0.5 s" in [note for _, note in heard.notes]
    heard.stop.set()
    await running


async def test_what_a_killed_part_left_behind_is_ended_too(tmp_path: Path) -> None:
    heard = Heard()
    code = """
        import os, subprocess, sys
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print("left", left.pid, os.getpid(), flush=True)
        print("up", flush=True)
        left.wait()
    """
    running = asyncio.create_task(heard.supervise([child("engine", textwrap.dedent(code))], tmp_path))
    await asyncio.wait_for(heard.ready.wait(), 20)
    _, grandchild, own = heard.lines[0][1].split()
    os.kill(int(own), signal.SIGKILL)
    async with asyncio.timeout(10):
        while _lives(int(grandchild)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    heard.stop.set()
    await running


async def test_a_part_that_was_ready_once_is_tried_again_whatever_its_next_start_ends_with(
    tmp_path: Path,
) -> None:
    """As the engine, whose socket a process of the killed one still had."""
    heard = Heard()
    code = f"""
        import os, pathlib, sys
        starts = pathlib.Path({str(tmp_path / "starts")!r})
        starts.write_text(starts.read_text() + "." if starts.exists() else ".")
        if len(starts.read_text()) == 2:
            sys.exit(2)
        print("pid", os.getpid(), flush=True)
    """
    running = asyncio.create_task(heard.supervise([child("engine", textwrap.dedent(code) + WAITS)], tmp_path))
    await asyncio.wait_for(heard.ready.wait(), 20)
    os.kill(int(heard.lines[0][1].split()[1]), signal.SIGKILL)
    async with asyncio.timeout(30):
        while len(heard.order("ready")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert len(heard.order("starting")) == 3
    heard.stop.set()
    await running


async def test_a_part_is_started_again_once_all_processes_of_the_last_one_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    asked: list[int] = []

    def dying(group: int, number: int) -> None:
        """As while the kernel frees the memory of a process that was killed."""
        if number == 0:
            asked.append(len(heard.order("starting")))
            if len(asked) == 5:
                raise ProcessLookupError
        else:
            killpg(group, number)

    killpg = os.killpg
    monkeypatch.setattr(supervisor.os, "killpg", dying)
    code = "import os; print('pid', os.getpid(), flush=True)\n" + WAITS
    running = asyncio.create_task(heard.supervise([child("engine", code)], tmp_path))
    await asyncio.wait_for(heard.ready.wait(), 20)
    os.kill(int(heard.lines[0][1].split()[1]), signal.SIGKILL)
    async with asyncio.timeout(20):
        while len(heard.order("ready")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert asked == [1] * 5
    heard.stop.set()
    await running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; print('no such model'); sys.exit(2)", "cannot be started with this configuration"),
        ("import sys; print('no such model'); sys.exit(1)", "3 starts failed"),
    ],
)
async def test_a_part_that_cannot_start_ends_the_service_with_its_last_words(
    tmp_path: Path, code: str, reason: str
) -> None:
    heard = Heard()
    with pytest.raises(GaveUp, match=reason) as caught:
        await asyncio.wait_for(heard.supervise([child("engine", code), child("store", WAITS)], tmp_path), 30)
    assert "no such model" in str(caught.value)
    assert str(tmp_path / "engine.log") in str(caught.value)


@pytest.mark.slow
async def test_a_part_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    heard = Heard()
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS
    running = asyncio.create_task(heard.supervise([child("engine", stubborn)], tmp_path))
    await asyncio.wait_for(heard.ready.wait(), 20)
    heard.stop.set()
    await asyncio.wait_for(running, 9)
    assert heard.order("did not stop") == ["engine"]


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(GaveUp, match="/no/such/program cannot be started"):
        await Heard().supervise([Component(name="store", command=("/no/such/program",))], tmp_path)


async def test_endless_lines_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    heard = Heard()
    code = (
        "import sys; sys.stdout.buffer.write(b'x' * 300_000 + b'\\xff\\n'); print('up', flush=True)\n" + WAITS
    )
    running = asyncio.create_task(heard.supervise([child("store", code)], tmp_path))
    await asyncio.wait_for(heard.ready.wait(), 20)
    heard.stop.set()
    await running
    assert sum(len(line) for _, line in heard.lines[:-1]) >= 300_000


PARENT = """
import asyncio, sys
from pathlib import Path
from tests.api.supervisor.test_supervisor import Heard, WAITS, child

async def main():
    heard = Heard()
    code = "import os; print('pid', os.getpid(), flush=True)\\n" + WAITS
    running = asyncio.create_task(heard.supervise([child("store", code)], Path(sys.argv[1])))
    await heard.ready.wait()
    print(heard.lines[0][1].split()[1], flush=True)
    await running

asyncio.run(main())
"""


def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while _lives(pid):
        assert time.monotonic() < deadline, "the child outlived its supervisor"
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
