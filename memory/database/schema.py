"""The schema's version: migrates a database to the latest one."""

from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6D696772617465
"""Number of the PostgreSQL advisory lock that lets only one process migrate the schema at a time."""


def migrate(connection: Connection) -> None:
    """Migrates the database unless it is of the latest version. Raises alembic's CommandError for a later
    one."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATION_LOCK})
    if MigrationContext.configure(connection).get_current_revision() == _latest_revision():
        return
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@lru_cache(maxsize=1)
def _latest_revision() -> str | None:
    """Read once, because it loads all migrations."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
