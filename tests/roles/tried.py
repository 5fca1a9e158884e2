"""What each role of deploy/roles.sql may do in PostgreSQL, by trying it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from memory.database.database import open_database
from memory.outbox.dbos import SCHEMA, open_queue

ROLES_SQL = (Path(__file__).parents[2] / "deploy" / "roles.sql").read_text(encoding="utf-8")
ROLES = ("nightschool_api", "nightschool_approver", "nightschool_worker")
SCHEMAS = ("public", "nightschool_api", "dbos", SCHEMA)

ACTS = {
    "read": "SELECT * FROM {table} LIMIT 0",
    "add": "INSERT INTO {table} DEFAULT VALUES",
    "change": "UPDATE {table} SET {column} = DEFAULT WHERE false",
    "delete": "DELETE FROM {table} WHERE false",
}
"""Each needs the one privilege, which PostgreSQL checks before anything else about the statement."""

APPROVE = "INSERT INTO approvals VALUES ('d', 'teach', 'r', 'a', 'b', 'human', '', 0, 's')"
FORBIDDEN = (
    ("nightschool_api", APPROVE),
    ("nightschool_api", "UPDATE approvals SET approved_by = 'eve'"),
    ("nightschool_api", "DELETE FROM approvals"),
    ("nightschool_api", "INSERT INTO verifications VALUES ('d', 'r', 0)"),
    ("nightschool_api", "UPDATE api_keys SET scope = 'admin'"),
    ("nightschool_api", "INSERT INTO grants VALUES ('eve', 'lamps', true, 0)"),
    ("nightschool_api", "UPDATE audit_log SET by = 'eve'"),
    ("nightschool_api", "DELETE FROM audit_log"),
    ("nightschool_api", "TRUNCATE audit_log"),
    ("nightschool_api", "ALTER TABLE audit_log DISABLE TRIGGER ALL"),
    ("nightschool_api", "DROP TABLE approvals"),
    ("nightschool_api", "CREATE TABLE public.approvals_of_mine (digest text)"),
    ("nightschool_api", "UPDATE alembic_version SET version_num = '0001'"),
    ("nightschool_api", "CREATE TABLE training.mine (x int)"),
    ("nightschool_api", "SET ROLE nightschool_approver"),
    ("nightschool_api", "CREATE ROLE eve SUPERUSER"),
    ("nightschool_approver", "SELECT * FROM interactions"),
    ("nightschool_approver", "SELECT * FROM api_keys"),
    ("nightschool_approver", "DELETE FROM approvals"),
    ("nightschool_approver", "DELETE FROM audit_log"),
    ("nightschool_approver", f"SELECT * FROM {SCHEMA}.workflow_status"),
    ("nightschool_worker", "SELECT * FROM interactions"),
    ("nightschool_worker", "SELECT * FROM feedback"),
    ("nightschool_worker", "SELECT * FROM gaps"),
    ("nightschool_worker", "SELECT * FROM api_keys"),
    ("nightschool_worker", "SELECT * FROM secrets"),
    ("nightschool_worker", "SELECT * FROM threads"),
    ("nightschool_worker", APPROVE),
    ("nightschool_worker", "UPDATE approvals SET approved_by = 'eve'"),
    ("nightschool_worker", "INSERT INTO verifications VALUES ('d', 'r', 0)"),
    ("nightschool_worker", "UPDATE audit_log SET by = 'eve'"),
    ("nightschool_worker", "CREATE TABLE public.mine (x int)"),
    ("nightschool_worker", "SELECT * FROM nightschool_api.checkpoints"),
)
"""What each role must be denied."""


class Allowed(NamedTuple):
    """Acts that each role may do with a table, in the order of ROLES."""

    table: str
    """With its schema, except for `public`."""
    acts: tuple[tuple[str, ...], ...]


async def make_database(url: str) -> None:
    """Makes the tables and roles in an empty database, as deploy/README.md has it done."""
    await (await open_database(url)).aclose()
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(2):  # it is safe to run again
            connection.execute(ROLES_SQL)


def make_queue(url: str) -> None:
    """Makes the training queue's tables, as the worker does when it starts before the api."""
    open_queue(as_role(url, "nightschool_worker")).destroy()


def as_role(url: str, role: str) -> str:
    """The URL of the same database for another role."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def is_denied(url: str, role: str, statement: str | sql.Composed) -> bool:
    """Whether the role lacks the privilege for the statement, whose effect is rolled back."""
    address = make_url(as_role(url, role)).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        try:
            connection.execute(statement)  # type: ignore[arg-type]  # literal strings of ours
        except psycopg.errors.InsufficientPrivilege:
            return True
        except psycopg.errors.IntegrityError:
            return False
        finally:
            connection.rollback()
    return False


def allowed(url: str) -> list[Allowed]:
    """Each act of each role on each table."""
    with psycopg.connect(url) as connection:
        tables = _tables(connection)
    found = []
    for schema, table, column in tables:
        names = {"table": sql.Identifier(schema, table), "column": sql.Identifier(column)}
        acts = tuple(
            tuple(
                act for act, text in ACTS.items() if not is_denied(url, role, sql.SQL(text).format(**names))
            )
            for role in ROLES
        )
        found.append(Allowed(table if schema == "public" else f"{schema}.{table}", acts))
    return found


def _tables(connection: psycopg.Connection) -> Iterable[tuple[str, str, str]]:
    """Schema, name and first column of each table."""
    query = (
        "SELECT table_schema, table_name, min(column_name) FROM information_schema.columns"
        " JOIN information_schema.tables USING (table_schema, table_name)"
        " WHERE table_schema = ANY(%s) AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'"
        " GROUP BY table_schema, table_name ORDER BY table_schema = 'public' DESC, table_schema, table_name"
    )
    return connection.execute(query, (list(SCHEMAS),)).fetchall()
