"""Supervision of child processes: ordered start, health checks, restart with backoff, clean stop.

The processes of the service are in `components`.
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
from typing import Any, BinaryIO

from agent.engines.child_process import die_with_parent

Check = Callable[[], Awaitable[bool]]
LineCallback = Callable[[str, str], None]
"""Called with a component's name and one line of text."""

MAX_FAILED_STARTS = 3
"""Consecutive starts that end before the component is ready, after which supervision gives up."""
MAX_CRASHES = 5
"""Crashes of a ready component, each within CRASH_WINDOW_SECONDS of the last, after which it gives up."""
CRASH_WINDOW_SECONDS = 60.0
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
CHECK_SECONDS = 5.0
"""Interval of health checks."""
HUNG_SECONDS = 90.0
"""A running component whose health check fails for this long is restarted."""
GRACE_SECONDS = 4.0
"""Time to stop before a process is killed; two rounds of it fit into the ten seconds that a stop may take."""
GONE_SECONDS = 15.0
"""Limit for waiting until all processes of a component are gone, before it is restarted: one that is killed
keeps its sockets, and its memory on a GPU, while the kernel frees its memory."""
DRAIN_SECONDS = 1.0
"""Limit for reading the last output of a dead process, in case another process holds its pipe open."""
BAD_CONFIGURATION = 2
"""Exit status of a process that a restart would not help, if it was never ready with this configuration."""
LOG_BYTES = 20_000_000
"""Size from which a log file is rotated at the next start."""


@dataclass(frozen=True)
class Component:
    """A process to supervise: its command and its health check."""

    name: str
    command: tuple[str, ...]
    healthy: Check | None = None
    """Checked every few seconds. Without it, the component is ready once it prints `ready_line`."""
    ready_line: str | None = None
    """A regular expression."""
    after: tuple[str, ...] = ()
    """Components that must be ready before this one starts, and that are stopped after it."""
    start_seconds: float = 180.0
    optional: bool = False
    """The service is ready without it, and goes on if it cannot be kept running."""
    identity: "Identity | None" = None
    """The user that it runs as; None for the one that runs the supervisor."""


@dataclass(frozen=True)
class Identity:
    """A system user, with its groups and the umask of its process."""

    user: str
    group: str
    extra_groups: tuple[str, ...] = ()
    umask: int = 0o077

    @property
    def options(self) -> dict[str, Any]:
        """What `subprocess.Popen` takes to start a process as this user."""
        groups = list(self.extra_groups)
        return {"user": self.user, "group": self.group, "extra_groups": groups, "umask": self.umask}


class GaveUp(Exception):
    """A component cannot be kept running; the message has its last lines of output."""


@dataclass
class _Child:
    """The state of a component's process."""

    component: Component
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    started_at: float = 0.0
    """Start of its process, in seconds of the monotonic clock."""
    process: asyncio.subprocess.Process | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=25))


async def supervise(
    components: Sequence[Component],
    *,
    logs: Path,
    on_output: LineCallback,
    on_event: LineCallback,
    on_ready: Callable[[float], None],
    stop: asyncio.Event,
) -> None:
    """Runs the components until `stop` is set, then stops them, dependants first.

    Calls `on_ready` with the seconds it took, once all are ready. Output goes to NAME.log in the folder
    `logs`, which must exist, and line by line to `on_output`; `on_event` gets starts, ends and restarts.
    Raises GaveUp if a component does not start or keeps crashing.
    """
    started_at = time.monotonic()
    children = {c.name: _Child(c) for c in components}
    supervising = [
        asyncio.create_task(_look_after(child, children, logs, on_output, on_event))
        for child in children.values()
    ]
    stopped = asyncio.create_task(stop.wait())
    ready = asyncio.create_task(_all_ready(children))
    try:
        await asyncio.wait({*supervising, stopped, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            on_ready(time.monotonic() - started_at)
            await asyncio.wait({*supervising, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _stop_all(children, on_event)
        for task in (*supervising, stopped, ready):
            task.cancel()
        ends = await asyncio.gather(*supervising, stopped, ready, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _all_ready(children: Mapping[str, _Child]) -> None:
    for child in children.values():
        if not child.component.optional:
            await child.ready.wait()


async def _look_after(
    child: _Child, children: Mapping[str, _Child], logs: Path, on_output: LineCallback, on_event: LineCallback
) -> None:
    """Keeps the component running until it is stopped. Raises GaveUp unless it is optional."""
    try:
        await _keep_running(child, children, logs, on_output, on_event)
    except GaveUp as error:
        if not child.component.optional:
            raise
        for line in f"the service goes on without it: {error}".splitlines():
            on_event(child.component.name, line)
        await asyncio.Event().wait()  # until the others end, and this is cancelled


async def _keep_running(
    child: _Child, children: Mapping[str, _Child], logs: Path, on_output: LineCallback, on_event: LineCallback
) -> None:
    """Runs the component, and restarts it whenever it ends. Raises GaveUp."""
    name = child.component.name
    for other in child.component.after:
        await children[other].ready.wait()
    failed_starts = crashes = 0
    last_crash = -CRASH_WINDOW_SECONDS
    ever_ready = False
    while not child.stopping:
        status, was_ready = await _run(child, logs, on_output, on_event)
        if child.stopping:
            return
        now = time.monotonic()
        ever_ready = ever_ready or was_ready
        if was_ready:
            failed_starts = 0
            crashes = crashes + 1 if now - last_crash < CRASH_WINDOW_SECONDS else 1
            last_crash = now
        else:
            failed_starts += 1
        ending = f"ended with {_status_text(status)}"
        if not ever_ready and status == BAD_CONFIGURATION:
            raise GaveUp(
                _with_last_lines(child, f"{ending} and cannot be started with this configuration", logs)
            )
        if failed_starts >= MAX_FAILED_STARTS or crashes >= MAX_CRASHES:
            count = (
                f"{failed_starts} starts failed" if failed_starts else f"it crashed {crashes} times in a row"
            )
            raise GaveUp(_with_last_lines(child, f"{ending}; {count}", logs))
        pause = BACKOFF_SECONDS[min(failed_starts + crashes - 1, len(BACKOFF_SECONDS) - 1)]
        on_event(name, f"{ending}; restarting it in {pause:g} s")
        await asyncio.sleep(pause)
        assert child.process is not None
        await _all_gone(child.process)


async def _run(
    child: _Child, logs: Path, on_output: LineCallback, on_event: LineCallback
) -> tuple[int, bool]:
    """Runs the component's process once; returns its exit status and whether it was ever ready."""
    component = child.component
    child.last_lines.clear()
    child.ended.clear()
    path = logs / f"{component.name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    # Not asyncio's own pipe: its `wait` returns only after all processes that inherited the pipe closed it.
    read_end, write_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *component.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
            preexec_fn=die_with_parent(),
            **(component.identity.options if component.identity else {}),
        )
    except OSError as error:
        os.close(read_end)
        raise GaveUp(f"{component.name}: {component.command[0]} cannot be started: {error}") from error
    finally:
        os.close(write_end)
    child.process, child.started_at = process, time.monotonic()
    on_event(component.name, "starting")
    with path.open("ab") as log, os.fdopen(read_end, "rb", buffering=0) as output:
        reading = asyncio.create_task(_read(child, output, log, on_output, on_event))
        watching = asyncio.create_task(_watch(child, process, on_event))
        try:
            status = await process.wait()
            _signal(process, signal.SIGKILL)  # kills processes that it left behind
            await asyncio.wait({reading}, timeout=DRAIN_SECONDS)
        finally:
            watching.cancel()
            reading.cancel()
            await asyncio.gather(watching, reading, return_exceptions=True)
            was_ready = child.ready.is_set()
            child.ready.clear()
            child.ended.set()
    return status, was_ready


async def _read(
    child: _Child, output: io.FileIO, log: BinaryIO, on_output: LineCallback, on_event: LineCallback
) -> None:
    pattern = child.component.ready_line and re.compile(child.component.ready_line)
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), output)
    while chunk := await _line(stream):
        log.write(chunk)
        log.flush()
        line = chunk.decode(errors="replace").rstrip()
        child.last_lines.append(line)
        on_output(child.component.name, line)
        if pattern and pattern.search(line):
            _mark_ready(child, on_event)


def _mark_ready(child: _Child, on_event: LineCallback) -> None:
    if not child.ready.is_set():
        child.ready.set()
        on_event(child.component.name, f"ready after {time.monotonic() - child.started_at:.1f} s")


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, or the next 64 KiB of a longer one; empty at the end of the stream."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)


async def _watch(child: _Child, process: asyncio.subprocess.Process, on_event: LineCallback) -> None:
    """Checks the component's health; kills a process that is not ready in time, or hangs later."""
    component = child.component
    last_healthy = time.monotonic()
    while True:
        if component.healthy is None:
            if child.ready.is_set():
                return
        elif await component.healthy():
            last_healthy = time.monotonic()
            _mark_ready(child, on_event)
        limit = HUNG_SECONDS if child.ready.is_set() else component.start_seconds
        if time.monotonic() - last_healthy > limit:
            problem = "no longer answers" if child.ready.is_set() else "is not ready"
            on_event(component.name, f"{problem} after {limit:.0f} s: killing it")
            _signal(process, signal.SIGKILL)
            return
        await asyncio.sleep(CHECK_SECONDS if child.ready.is_set() else 0.2)


async def _stop_all(children: Mapping[str, _Child], on_event: LineCallback) -> None:
    """Stops dependants before what they depend on."""
    for child in children.values():
        child.stopping = True
    left = {name: child for name, child in children.items() if child.process and not child.ended.is_set()}
    while left:
        dependencies = {other for child in left.values() for other in child.component.after}
        batch = {name: child for name, child in left.items() if name not in dependencies}
        await asyncio.gather(*(_stop(child, on_event) for child in batch.values()))
        left = {name: child for name, child in left.items() if name not in batch}


async def _stop(child: _Child, on_event: LineCallback) -> None:
    assert child.process is not None
    if child.process.returncode is None:
        child.process.terminate()
    try:
        await asyncio.wait_for(child.ended.wait(), GRACE_SECONDS)
    except TimeoutError:
        on_event(child.component.name, f"did not stop within {GRACE_SECONDS:g} s: killing it")
        _signal(child.process, signal.SIGKILL)
        await child.ended.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signals the process group, which may outlive the process itself."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


async def _all_gone(process: asyncio.subprocess.Process) -> None:
    """Waits until no process of the group is left, or GONE_SECONDS have passed."""
    last = time.monotonic() + GONE_SECONDS
    while time.monotonic() < last:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.1)


def _status_text(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _with_last_lines(child: _Child, problem: str, logs: Path) -> str:
    name = child.component.name
    lines = "\n".join(f"  {line}" for line in child.last_lines) or "  (it printed nothing)"
    return f"{name} {problem}. Its last lines:\n{lines}\nAll of its output: {logs / f'{name}.log'}"
