"""Starts processes in a fraction of a second: a parent that has imported everything forks each of them.

    python -m tests.faults.forking

It reads one request a line (JSON: role, environment, log, network namespace, arguments) and answers with
the process id. Importing the api takes ten seconds or more, and a pass starts it hundreds of times.
LanceDB says that its support of forks is experimental: a process that hangs at its start would show here.
"""

import ctypes
import json
import os
import selectors
import subprocess
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CLONE_NEWNET = 0x4000_0000
QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
"""Environment of the forking process: forks must not inherit a pool of threads that are not there."""


class Forks:
    """The forking process, as its parent sees it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | QUIET,
        )
        assert self._answer() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def start(
        self,
        role: str,
        environment: Mapping[str, str],
        log: Path,
        *,
        namespace: str | None = None,
        arguments: Sequence[str] = (),
    ) -> int:
        """Starts a process in a role of `children`, and returns its id."""
        assert self._process.stdin is not None
        request = {
            "role": role,
            "environment": dict(environment),
            "log": str(log),
            "namespace": namespace,
            "arguments": list(arguments),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the forking process ended: see above")
        return line.strip()


def main() -> None:
    """Imports, then forks by request until its input ends."""
    from tests.faults import children

    children.preload()
    warnings.filterwarnings("ignore", message="lancedb fork support", category=RuntimeWarning)
    print("ready", flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin, selectors.EVENT_READ)
    while True:
        reap()
        if not waiting.select(0.05):
            continue
        line = sys.stdin.readline()
        if not line:
            os._exit(0)  # libraries' threads would keep it
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            become(request, children.ROLES[request["role"]])
        print(child, flush=True)


def reap() -> None:
    """Takes leave of children that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def become(request: dict[str, Any], role: Any) -> None:
    """Runs the role in this process, which then ends."""
    status = 1
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # for as long as the process lives
        os.setsid()
        os.environ.update(request["environment"])
        if request["namespace"] is not None:
            join(request["namespace"])
        status = int(role(request["arguments"]) or 0)
    except BaseException:  # noqa: BLE001  # nothing of the child may return into its parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def join(namespace: str) -> None:
    """Moves this process into a network namespace of `ip netns`."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{namespace}").open("rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot join the network namespace {namespace}")


if __name__ == "__main__":
    main()
