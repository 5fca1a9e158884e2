"""The service as `nightschool up` starts it, on free ports, over a home folder that outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.engines.child_process import die_with_parent
from benchmarks.api.processes import NotReady, free_port

NIGHTSCHOOL = Path(sys.executable).parent / "nightschool"
READY = "Nightschool is ready"
READY_SECONDS = 900.0
STOP_SECONDS = 30.0


@contextmanager
def running_service(home: Path, model: str) -> Iterator[str]:
    """URL of the api, ready on entering and stopped on leaving. Raises NotReady."""
    home.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), home.with_name(f"{home.name}-up.log")
    env = os.environ | {
        "NIGHTSCHOOL_HOME": str(home.resolve()),
        "NIGHTSCHOOL_MODEL": model,
        "NIGHTSCHOOL_API_PORT": str(port),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(NIGHTSCHOOL), "up"], env=env, stdout=out, stderr=out, preexec_fn=die_with_parent()
        )
    try:
        _await(process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _await(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while READY not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotReady(f"`nightschool up` is not ready: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.3)
