"""A temporary PostgreSQL cluster on loopback.

Uses Debian's server, because aegra needs the extension uuid-ossp. PostgreSQL refuses to run as root, so root
starts it as an unprivileged user.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.api.environments import INSTALL_SECONDS, Unavailable
from benchmarks.api.processes import free_port

ROLE = "bench"
USERS = ("postgres", "nobody")
"""The first of these users that exists runs the server for root."""
DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Cluster:
    """A running server."""

    port: int

    def create(self, name: str) -> str:
        """Creates an empty database and returns its URL."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{name}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Starts a cluster with default settings; stops and deletes it on exit. Raises Unavailable."""
    binaries = _binaries()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="nightschool-postgresql-"))
    port = free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    try:
        if user is not None:
            shutil.chown(folder, user)
        _run(
            [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", ROLE, "-A", "trust", "-E", "UTF8"],
            user,
        )
        _run([*control, "-l", str(folder / "server.log"), "-o", options, "start"], user)
        try:
            yield Cluster(port)
        finally:
            _run([*control, "-m", "immediate", "stop"], user)  # the data is deleted anyway
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    """The folder of initdb and pg_ctl; as root, installs Debian's package if it is missing."""
    if (found := _installed_binaries()) is not None:
        return found
    install = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        try:
            subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_SECONDS, env=env)
        except (subprocess.SubprocessError, OSError) as error:
            raise Unavailable(f"PostgreSQL cannot be installed: {error}") from error
        if (found := _installed_binaries()) is not None:
            return found
    raise Unavailable(f"PostgreSQL is not installed: run `{' '.join(install)}`")


def _installed_binaries() -> Path | None:
    """The folder of the newest Debian version, or of the initdb on PATH."""
    versions = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def _user() -> str | None:
    """The user to run the server as; None for the current one."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in USERS:
        if name in names:
            return name
    raise Unavailable("PostgreSQL refuses to run as root, and there is no other user")


def _run(command: Sequence[str], user: str | None) -> None:
    # No pipes: the server would inherit them and keep them open. It writes its own log.
    quiet = subprocess.DEVNULL
    try:
        subprocess.run(command, check=True, stdout=quiet, stderr=quiet, user=user, cwd="/", timeout=120)
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f"PostgreSQL cannot be started: {error}") from error
