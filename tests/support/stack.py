"""A whole service for tests: `nightschool up` as a user starts it, on free ports, in its own home."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.cli.client import Client, connect
from examples.demo import free_ports

NIGHTSCHOOL = Path(sys.executable).parent / "nightschool"
MARKS = {"engine": "api_server", "worker": "training.worker", "graph": "redis-server", "api": "api.cli.main"}
"""What only that component's command line holds."""
READY_SECONDS = 600
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Stack:
    """A running service."""

    client: Client
    url: str
    process: "subprocess.Popen[bytes]"
    log: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of ours towards this service."""
        command = [str(NIGHTSCHOOL), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )

    def pid(self, name: str) -> int:
        """Process id of the component that runs now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            if MARKS[name].encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        raise AssertionError(f"no {name} runs")

    def said(self, text: str) -> int:
        """How many lines of the console hold the text."""
        return sum(text in line for line in self.log.read_text().splitlines())

    def await_said(self, pattern: str, *, times: int = 1, seconds: float = READY_SECONDS) -> None:
        """Waits until that many lines match."""
        deadline = time.monotonic() + seconds
        while len(re.findall(pattern, self.log.read_text(), re.MULTILINE)) < times:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, f"no {pattern!r} in\n{self.log.read_text()[-4000:]}"
            time.sleep(0.1)


@contextmanager
def stack(home: Path, **settings: str) -> Iterator[Stack]:
    """A service, ready on entering and stopped on leaving; it may use all cores, as a user's does."""
    (api_port,) = free_ports(1)
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"} | {
        "NIGHTSCHOOL_HOME": str(home),
        "NIGHTSCHOOL_API_PORT": str(api_port),
        "COLUMNS": "200",
        **settings,
    }
    log = home.parent / f"{home.name}-up.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [str(NIGHTSCHOOL), "up"], env=environment, stdout=output, stderr=output, umask=0o022
        ) as process,
        connect(f"http://127.0.0.1:{api_port}", None) as client,
    ):
        running = Stack(
            client=client,
            url=f"http://127.0.0.1:{api_port}",
            process=process,
            log=log,
            environment=environment,
        )
        try:
            running.await_said("^Nightschool is ready")
            yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(3 * STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
