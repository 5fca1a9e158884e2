"""Starts the processes of a benchmark on free ports, waits for them, and stops them at the end of a block."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

START_SECONDS = 180.0
STOP_SECONDS = 20.0


class NotReady(RuntimeError):
    """A process exited or did not answer in time; the message has the end of its log."""


def free_port() -> int:
    """A loopback port that is free at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    *,
    ready: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a command, and waits until the URL `ready` answers successfully. Raises NotReady."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command), stdout=out, stderr=out, env=os.environ | dict(env or {}), cwd=cwd
        )
    try:
        if ready is not None:
            _await(process, ready, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def service(
    home: Path, engine_url: str, module: Sequence[str] = ("api.cli.main", "api")
) -> Iterator[tuple[str, int]]:
    """Runs one api process on SQLite with its graph store; yields its URL and process id."""
    with services(home, engine_url, module=module) as ((url, pid),):
        yield url, pid


@contextmanager
def services(
    home: Path,
    engine_url: str,
    *,
    count: int = 1,
    database_url: str | None = None,
    module: Sequence[str] = ("api.cli.main", "api"),
) -> Iterator[list[tuple[str, int]]]:
    """Runs api processes that share a graph store; yields the URL and process id of each.

    More than one needs a PostgreSQL `database_url`.
    """
    env = settings(home, engine_url)
    if database_url is not None:
        env["NIGHTSCHOOL_DATABASE_URL"] = database_url
    python = [sys.executable, "-m"]
    with ExitStack() as stack:
        stack.enter_context(running([*python, "api.cli.main", "graph"], home / "graph.log", env=env))
        processes = []
        for number in range(count):
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            process = stack.enter_context(
                running(
                    [*python, *module],
                    home / f"api-{number}.log",
                    ready=f"{url}/healthz",
                    env=env | {"NIGHTSCHOOL_API_PORT": str(port)},
                )
            )
            processes.append((url, process.pid))
        yield processes


def settings(home: Path, engine_url: str) -> dict[str, str]:
    """Environment variables with the settings of a service; creates its home folder."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "NIGHTSCHOOL_HOME": str(home),
        "NIGHTSCHOOL_ENGINE_URL": engine_url,
        "NIGHTSCHOOL_LOG_LEVEL": "warning",
    }


def resident_megabytes(pid: int) -> float:
    """Resident memory of the process. Raises RuntimeError if it has ended."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no memory: it has ended")


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5.0, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise NotReady(f"{process.args!r} does not answer: {log.read_text(errors='replace')[-2000:]}")
