"""Supervision of child processes: ordered start, health, restart with backoff, and one clean stop.

Knows nothing of what the children do; `components` says which ones a service consists of.
"""

import asyncio
import io
import os
import re
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from agent.engines.child_process import die_with_parent

Check = Callable[[], Awaitable[bool]]
Say = Callable[[str, str], None]
"""Called with a component's name and one line."""

FAILED_STARTS = 3
"""Starts in a row that may end before the component was ready; then the service gives up and says why."""
CRASHES = 5
"""Crashes after having been ready, each within a minute of the one before, that mean the same."""
CALM_SECONDS = 60.0
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
CHECK_SECONDS = 5.0
HUNG_SECONDS = 90.0
"""A component whose health check has failed for this long, though it runs, is restarted."""
GRACE_SECONDS = 4.0
"""Between asking to stop and killing; two rounds of it fit into the ten seconds that a stop may take."""
DRAIN_SECONDS = 1.0
"""For the last output of a child that has ended, should something else still hold its pipe open."""
BAD_CONFIGURATION = 2
"""A child with this exit status says that trying again is pointless."""
LOG_BYTES = 20_000_000


@dataclass(frozen=True)
class Component:
    """One child process and how to tell that it works."""

    name: str
    command: tuple[str, ...]
    healthy: Check | None = None
    """Asked every few seconds; a component without it is ready once it prints `ready_line`."""
    ready_line: str | None = None
    after: tuple[str, ...] = ()
    """Components that must be ready before this one starts; it is stopped before them."""
    start_seconds: float = 180.0


class GaveUp(Exception):
    """A component cannot be kept running; the message holds its last words."""


@dataclass
class _Child:
    """What is known about a component's process."""

    component: Component
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    began: float = 0.0
    """Seconds of the monotonic clock when its process was started."""
    process: asyncio.subprocess.Process | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=25))


async def supervise(
    components: Sequence[Component],
    *,
    logs: Path,
    say: Say,
    note: Say,
    on_ready: Callable[[float], None],
    stop: asyncio.Event,
) -> None:
    """Runs the components until `stop` is set, then stops them, dependants first.

    Calls `on_ready` with the seconds it took, once all have been ready. Output goes to NAME.log in the folder
    `logs`, which must exist, and line by line to `say`; what happens to the components goes to `note`.
    Raises GaveUp when a component does not come up or keeps crashing.
    """
    began = time.monotonic()
    children = {c.name: _Child(c) for c in components}
    keepers = [asyncio.create_task(_keep(child, children, logs, say, note)) for child in children.values()]
    stopped = asyncio.create_task(stop.wait())
    ready = asyncio.create_task(_all_ready(children))
    try:
        await asyncio.wait({*keepers, stopped, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            on_ready(time.monotonic() - began)
            await asyncio.wait({*keepers, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _stop_all(children, note)
        for task in (*keepers, stopped, ready):
            task.cancel()
        ends = await asyncio.gather(*keepers, stopped, ready, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _all_ready(children: Mapping[str, _Child]) -> None:
    for child in children.values():
        await child.ready.wait()


async def _keep(child: _Child, children: Mapping[str, _Child], logs: Path, say: Say, note: Say) -> None:
    """Starts the component again whenever it ends. Raises GaveUp."""
    name = child.component.name
    for other in child.component.after:
        await children[other].ready.wait()
    failed_starts = crashes = 0
    last_crash = -CALM_SECONDS
    while not child.stopping:
        status, was_ready = await _run(child, logs, say, note)
        if child.stopping:
            return
        now = time.monotonic()
        if was_ready:
            failed_starts = 0
            crashes = crashes + 1 if now - last_crash < CALM_SECONDS else 1
            last_crash = now
        else:
            failed_starts += 1
        what = f"ended with {_status(status)}"
        if not was_ready and status == BAD_CONFIGURATION:
            raise GaveUp(_last_words(child, f"{what} and cannot be started like this", logs))
        if failed_starts >= FAILED_STARTS or crashes >= CRASHES:
            again = (
                f"{failed_starts} starts failed" if failed_starts else f"it crashed {crashes} times in a row"
            )
            raise GaveUp(_last_words(child, f"{what}; {again}", logs))
        pause = BACKOFF_SECONDS[min(failed_starts + crashes - 1, len(BACKOFF_SECONDS) - 1)]
        note(name, f"{what}; starting it again in {pause:g} s")
        await asyncio.sleep(pause)


async def _run(child: _Child, logs: Path, say: Say, note: Say) -> tuple[int, bool]:
    """One life of the component: its exit status, and whether it ever was ready."""
    component = child.component
    child.last_lines.clear()
    child.ended.clear()
    path = logs / f"{component.name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    # Not asyncio's own pipe: its `wait` returns only once all who inherited the pipe have closed it.
    read_end, write_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *component.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    except OSError as error:
        os.close(read_end)
        raise GaveUp(f"{component.name}: {component.command[0]} cannot be started: {error}") from error
    finally:
        os.close(write_end)
    child.process, child.began = process, time.monotonic()
    note(component.name, "starting")
    with path.open("ab") as log, os.fdopen(read_end, "rb", buffering=0) as output:
        reading = asyncio.create_task(_read(child, output, log, say, note))
        watching = asyncio.create_task(_watch(child, process, note))
        try:
            status = await process.wait()
            _signal(process, signal.SIGKILL)  # whatever it started and left behind
            await asyncio.wait({reading}, timeout=DRAIN_SECONDS)
        finally:
            watching.cancel()
            reading.cancel()
            await asyncio.gather(watching, reading, return_exceptions=True)
            was_ready = child.ready.is_set()
            child.ready.clear()
            child.ended.set()
    return status, was_ready


async def _read(child: _Child, output: io.FileIO, log: BinaryIO, say: Say, note: Say) -> None:
    pattern = child.component.ready_line and re.compile(child.component.ready_line)
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), output)
    while chunk := await _line(stream):
        log.write(chunk)
        log.flush()
        line = chunk.decode(errors="replace").rstrip()
        child.last_lines.append(line)
        say(child.component.name, line)
        if pattern and pattern.search(line):
            _mark_ready(child, note)


def _mark_ready(child: _Child, note: Say) -> None:
    if not child.ready.is_set():
        child.ready.set()
        note(child.component.name, f"ready after {time.monotonic() - child.began:.1f} s")


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, or the next 64 KiB of one that does not end; empty at the end of the stream."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)


async def _watch(child: _Child, process: asyncio.subprocess.Process, note: Say) -> None:
    """Asks for the component's health; ends a process that is not ready in time, or hangs later."""
    component = child.component
    since = time.monotonic()
    while True:
        if component.healthy is None:
            if child.ready.is_set():
                return
        elif await component.healthy():
            since = time.monotonic()
            _mark_ready(child, note)
        limit = HUNG_SECONDS if child.ready.is_set() else component.start_seconds
        if time.monotonic() - since > limit:
            state = "no longer answers" if child.ready.is_set() else "is not ready"
            note(component.name, f"{state} after {limit:.0f} s: ending it")
            _signal(process, signal.SIGKILL)
            return
        await asyncio.sleep(CHECK_SECONDS if child.ready.is_set() else 0.2)


async def _stop_all(children: Mapping[str, _Child], note: Say) -> None:
    """Stops dependants before what they depend on."""
    for child in children.values():
        child.stopping = True
    left = {name: child for name, child in children.items() if child.process and not child.ended.is_set()}
    while left:
        needed = {other for child in left.values() for other in child.component.after}
        now = {name: child for name, child in left.items() if name not in needed}
        await asyncio.gather(*(_stop(child, note) for child in now.values()))
        left = {name: child for name, child in left.items() if name not in now}


async def _stop(child: _Child, note: Say) -> None:
    assert child.process is not None
    if child.process.returncode is None:
        child.process.terminate()
    try:
        await asyncio.wait_for(child.ended.wait(), GRACE_SECONDS)
    except TimeoutError:
        note(child.component.name, f"did not stop within {GRACE_SECONDS:g} s: killing it")
        _signal(child.process, signal.SIGKILL)
        await child.ended.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signals the child's whole process group, which outlives the child where it left children behind."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _status(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _last_words(child: _Child, what: str, logs: Path) -> str:
    name = child.component.name
    lines = "\n".join(f"  {line}" for line in child.last_lines) or "  (it printed nothing)"
    return f"{name} {what}. Its last lines:\n{lines}\nAll of its output: {logs / f'{name}.log'}"
