"""Starts Python code from an answer in a separate, isolated process (`sandbox_child`); says how it ended.

The child gives up all privileges in new Linux namespaces before it runs a line of the code. Where the
machine does not allow that, nothing is run and the status is `unavailable`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Literal

from agent.nights.scoring.sandbox_child import STATUSES
from memory.records.base import Record

CHILD = Path(__file__).with_name("sandbox_child.py")
WALL_SECONDS = 5.0
"""Longest time that code may take, sleeping included; the child's limits on CPU and memory are its own."""
LONGEST_SOURCE = 20_000
"""Characters of code that are run; they fit into a pipe, so that writing them cannot block."""
LONGEST_OUTPUT = 10_000
"""Bytes of output after which the code is stopped."""

RunStatus = Literal[
    "ran", "syntax", "raised", "wrong", "incomplete", "memory", "time", "output", "crashed", "unavailable"
]
"""`wrong`: an example prints something else than it says. `incomplete`: the code is a fragment, or needs
input, files, the network or a package, so that nothing is known. `crashed`: it was ended by a signal."""


class SandboxRun(Record):
    """How a piece of code ended, and what it printed."""

    status: RunStatus
    output: str = ""
    seconds: float


def run_python(source: str, *, wall_seconds: float = WALL_SECONDS) -> SandboxRun:
    """Runs the code, or its examples if it holds `>>>` prompts. Blocks for `wall_seconds` at most."""
    began = time.monotonic()
    if len(source) > LONGEST_SOURCE:
        return SandboxRun(status="incomplete", output="too long to run", seconds=0.0)
    with tempfile.TemporaryDirectory(prefix="nightschool-sandbox-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(CHILD), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        late = threading.Event()

        def stop_late() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(wall_seconds, stop_late)
        timer.start()
        try:
            output = _exchange(process, source)
        finally:
            timer.cancel()
            _kill(process)
            code = process.wait()
    seconds = time.monotonic() - began
    text = output[:LONGEST_OUTPUT].decode(errors="replace")
    if late.is_set():
        return SandboxRun(status="time", output=text, seconds=seconds)
    if len(output) > LONGEST_OUTPUT:
        return SandboxRun(status="output", output=text, seconds=seconds)
    return SandboxRun(status=STATUSES.get(code, "crashed"), output=text, seconds=seconds)


def _exchange(process: subprocess.Popen[bytes], source: str) -> bytes:
    """Sends the code and reads its output, up to one byte more than is allowed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(source.encode(errors="replace"))
        process.stdin.close()
    chunks: list[bytes] = []
    room = LONGEST_OUTPUT + 1
    while room > 0 and (chunk := process.stdout.read(room)):
        chunks.append(chunk)
        room -= len(chunk)
    if room > 0:
        process.wait()
    process.stdout.close()
    return b"".join(chunks)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and its child, which share a process group of their own."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
