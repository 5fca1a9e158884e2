"""Interactions, gaps and runs in the relational store: SQLite in WAL mode, or PostgreSQL by its URL.

Graph state and training jobs are kept elsewhere (`checkpoints`, `outbox`).
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, RowMapping, Select, Table, delete, event, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from memory.database.group_commit import GroupCommit
from memory.database.tables import GAPS, INTERACTIONS, NOT_CLOSED, RUNS, THREADS
from memory.errors import StoreUnavailable, UnknownGap, UnknownRun
from memory.language.text import key
from memory.records.base import Record
from memory.records.interactions import Gap, GapStatus, Interaction
from memory.records.runs import Outcome

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 10.0
"""How long a write waits for another process's write to end."""
MIGRATING = 0x6D696772617465
"""Number of the PostgreSQL advisory lock under which processes bring the schema up to date, one by one."""

Clock = Callable[[], datetime]


class RunRecord(Record):
    """One learn run as it was asked for, and how it ended."""

    id: str
    subject: str
    whole: bool
    domain: str | None
    gap_id: str | None
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    report: dict[str, Any] | None = None

    @property
    def status(self) -> str:
        """`running`, or the status of its outcome."""
        return self.outcome.status if self.outcome else "running"


def utc_now() -> datetime:
    """The time of day, with its zone."""
    return datetime.now(UTC)


class Database:
    """The relational store; every method raises StoreUnavailable if it cannot be reached."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        """Over an engine whose database is at the latest migration; see `open_database`."""
        self._engine = engine
        self._clock = clock
        self._interactions = GroupCommit(self._save_interactions)

    async def save_interaction(self, interaction: Interaction) -> None:
        """Keeps a chat turn; saving it again changes nothing."""
        await self._interactions.add(interaction)

    async def _save_interactions(self, interactions: Sequence[Interaction]) -> None:
        rows = [
            {
                "id": interaction.id,
                "domain": interaction.domain,
                "created_at": interaction.created_at.timestamp(),
                "body": interaction.model_dump(mode="json"),
            }
            for interaction in interactions
        ]
        async with self.begin() as connection:
            await connection.execute(self.insert_once(INTERACTIONS), rows)

    async def interactions(self, *, domain: str | None = None, limit: int = 100) -> tuple[Interaction, ...]:
        """Chat turns, newest first."""
        query = select(INTERACTIONS).order_by(INTERACTIONS.c.created_at.desc(), INTERACTIONS.c.id)
        if domain is not None:
            query = query.where(INTERACTIONS.c.domain == domain)
        return tuple(Interaction.model_validate(row["body"]) for row in await self._rows(query.limit(limit)))

    async def open_gap(self, gap: Gap) -> Gap:
        """Keeps a gap and returns it, or the one that already stands for this question in this domain.

        Only a closed gap makes room for another; spelling variants of a question count as one. For a merged
        gap the one that it was merged into is returned.
        """
        async with self.begin() as connection:
            await connection.execute(
                self.insert_once(GAPS).values(
                    id=gap.id,
                    domain=gap.domain,
                    question_key=key(gap.question),
                    status=gap.status,
                    run_id=gap.run_id,
                    opened_at=gap.opened_at.timestamp(),
                    body=gap.model_dump(mode="json"),
                )
            )
            standing = select(GAPS).where(
                GAPS.c.domain == gap.domain, GAPS.c.question_key == key(gap.question), NOT_CLOSED
            )
            row = (await connection.execute(standing)).mappings().first()
            if row and row["merged_into"]:
                row = await _locked(connection, row["merged_into"])
            return _gap(row) if row else gap

    async def gaps(self, status: GapStatus | None = None, *, limit: int = 100) -> tuple[Gap, ...]:
        """Gaps, oldest first."""
        query = select(GAPS).order_by(GAPS.c.opened_at, GAPS.c.id).limit(limit)
        if status is not None:
            query = query.where(GAPS.c.status == status)
        return tuple(_gap(row) for row in await self._rows(query))

    async def gap(self, gap_id: str) -> Gap:
        """Raises UnknownGap."""
        rows = await self._rows(select(GAPS).where(GAPS.c.id == gap_id))
        if not rows:
            raise UnknownGap(f"no gap {gap_id}: `nightschool gaps` lists those that are open")
        return _gap(rows[0])

    async def set_gap(self, gap_id: str, status: GapStatus, run_id: str | None = None) -> Gap:
        """Moves a gap on, and notes the run that works on it unless `run_id` is None. Raises UnknownGap.

        A gap cannot be opened again while another stands for its question: it then stays closed. With a gap
        those close that were merged into it.
        """
        values = {"status": status} | ({} if run_id is None else {"run_id": run_id})
        try:
            async with self.begin() as connection:
                await connection.execute(update(GAPS).where(GAPS.c.id == gap_id).values(values))
                if status == "closed":
                    merged = update(GAPS).where(GAPS.c.merged_into == gap_id)
                    await connection.execute(merged.values(status=status))
        except IntegrityError:
            pass
        return await self.gap(gap_id)

    async def dismiss_gap(self, gap_id: str) -> Gap:
        """Notes that nobody wants the gap learned. Raises UnknownGap, and ValueError unless it is open."""
        async with self.begin() as connection:
            row = _at_rest(await _locked(connection, gap_id))
            if row["status"] == "closed":
                raise ValueError(f"gap {gap_id} is closed: there is nothing to dismiss")
            await connection.execute(update(GAPS).where(GAPS.c.id == gap_id).values(status="dismissed"))
        return await self.gap(gap_id)

    async def delete_gap(self, gap_id: str) -> None:
        """Removes the gap, and those that were merged into it; runs that were about them stay.

        Raises UnknownGap, and ValueError while a run works on it.
        """
        async with self.begin() as connection:
            _at_rest(await _locked(connection, gap_id))
            gone = select(GAPS.c.id).where(or_(GAPS.c.id == gap_id, GAPS.c.merged_into == gap_id))
            await connection.execute(update(RUNS).where(RUNS.c.gap_id.in_(gone)).values(gap_id=None))
            ids = (await connection.execute(gone)).scalars().all()
            await connection.execute(delete(GAPS).where(GAPS.c.id.in_(ids)))

    async def merge_gap(self, gap_id: str, into: str) -> Gap:
        """Lets the gap `into` stand for this one's question too, and returns it with the keywords of both.

        What was merged into this one moves along. Raises UnknownGap, and ValueError for one and the same gap,
        a closed one, one that a run works on, or an `into` that is dismissed.
        """
        if gap_id == into:
            raise ValueError("a gap cannot be merged into itself: name another one")
        async with self.begin() as connection:
            rows = {id: await _locked(connection, id) for id in sorted((gap_id, into))}
            merged, standing = _gap(_at_rest(rows[gap_id])), _gap(rows[into])
            if merged.status == "closed" or standing.status in ("closed", "dismissed"):
                raise ValueError("only gaps that are not closed are merged, and only into one not dismissed")
            keywords = [*dict.fromkeys((*standing.keywords, *merged.keywords))]
            moved = update(GAPS).where(or_(GAPS.c.id == gap_id, GAPS.c.merged_into == gap_id))
            await connection.execute(moved.values(status="dismissed", merged_into=into))
            body = rows[into]["body"] | {"keywords": keywords}
            await connection.execute(update(GAPS).where(GAPS.c.id == into).values(body=body))
        return await self.gap(into)

    async def start_run(
        self, run_id: str, *, subject: str, whole: bool, domain: str | None, gap_id: str | None, now: datetime
    ) -> None:
        """Notes that a run was asked for; noting it again changes nothing.

        Raises UnknownGap if it is to close a gap that was never opened.
        """
        if gap_id is not None:
            await self.gap(gap_id)
        async with self.begin() as connection:
            await connection.execute(
                self.insert_once(RUNS).values(
                    id=run_id,
                    subject=subject,
                    whole=whole,
                    domain=domain,
                    gap_id=gap_id,
                    started_at=now.timestamp(),
                )
            )

    async def finish_run(self, run_id: str, outcome: Outcome, report: dict[str, Any]) -> None:
        """Notes how a run ended; a run that was resumed may end again. Raises UnknownRun."""
        values = {
            "outcome": outcome.model_dump(mode="json"),
            "report": report,
            "finished_at": self._clock().timestamp(),
        }
        async with self.begin() as connection:
            done = await connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(values))
        if done.rowcount == 0:
            raise UnknownRun(f"no run {run_id}: it was never started here")

    async def runs(self, *, owner: str | None = None, limit: int = 100) -> tuple[RunRecord, ...]:
        """Runs, newest first: those on the owner's threads, or all."""
        query = select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.id).limit(limit)
        if owner is not None:
            query = query.join(THREADS, THREADS.c.id == RUNS.c.id).where(THREADS.c.owner == owner)
        return tuple(_run(row) for row in await self._rows(query))

    async def run(self, run_id: str) -> RunRecord:
        """Raises UnknownRun."""
        rows = await self._rows(select(RUNS).where(RUNS.c.id == run_id))
        if not rows:
            raise UnknownRun(f"no run {run_id}: `GET /v1/learn` lists those that were started")
        return _run(rows[0])

    def now(self) -> datetime:
        """The time, by the clock that the database was opened with."""
        return self._clock()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()

    def insert_once(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that changes nothing where a constraint says that it is there already."""
        made = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        return made(table).on_conflict_do_nothing()

    async def _rows(self, query: Select[Any]) -> list[RowMapping]:
        async with self.begin() as connection:
            return list((await connection.execute(query)).mappings())

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed whole, or not at all. IntegrityError is for the caller to explain."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise StoreUnavailable(
                f"the database {self._engine.url!r} cannot be reached: {reason}"
            ) from error


async def open_database(url: str, *, clock: Clock = utc_now) -> Database:
    """Opens a database by its SQLAlchemy URL and brings its schema up to date.

    `sqlite:///PATH` creates the file. Raises ValueError for a URL that is none, StoreUnavailable when the
    database cannot be opened or was written by a later version.
    """
    in_file = parse_url(url).get_backend_name() == "sqlite"
    # SQLite has one writer at a time: taking turns here is quicker than finding the file locked.
    options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if in_file else {"pool_pre_ping": True}
    engine = create_async_engine(async_url(url), hide_parameters=True, **options)
    if in_file:
        event.listen(engine.sync_engine, "connect", _configure)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    except CommandError as error:
        await engine.dispose()
        raise StoreUnavailable(
            f"{engine.url!r} was written by a later version of Nightschool: upgrade ({error})"
        ) from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        await engine.dispose()
        raise StoreUnavailable(
            f"the database {engine.url!r} cannot be opened: check that its folder exists, is writable and has"
            f" space ({error})"
        ) from error
    return Database(engine, clock)


def async_url(url: str) -> str:
    """The URL with the asynchronous driver that we use for its database. Raises as `parse_url` does."""
    parsed = parse_url(url)
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}[parsed.get_backend_name()]
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


def parse_url(url: str) -> URL:
    """A URL of SQLite or PostgreSQL. Raises ValueError for any other.

    Raises StoreUnavailable if a SQLite file's folder does not exist: found out later, it costs a thread.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(
            f"{url!r} is no database URL: use sqlite:///PATH or postgresql://HOST/NAME"
        ) from None
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ValueError(f"{parsed.get_backend_name()} is not supported: use sqlite or postgresql")
    in_file = parsed.get_backend_name() == "sqlite" and parsed.database not in {None, "", ":memory:"}
    if in_file and not Path(str(parsed.database)).parent.is_dir():
        raise StoreUnavailable(f"{parsed.database}: check its folder, which does not exist")
    return parsed


def _configure(connection: Any, _record: object) -> None:
    """Durable: WAL with a sync at each commit. Patient: waits for other writers. Strict: foreign keys."""
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={int(BUSY_SECONDS * 1000)}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATING})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _gap(row: RowMapping) -> Gap:
    columns = {name: row[name] for name in ("status", "run_id", "merged_into")}
    return Gap.model_validate(row["body"] | columns)


async def _locked(connection: AsyncConnection, gap_id: str) -> RowMapping:
    """The gap's row, which nobody else changes until the transaction ends. Raises UnknownGap."""
    query = select(GAPS).where(GAPS.c.id == gap_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise UnknownGap(f"no gap {gap_id}: `nightschool gaps` lists those that are open")
    return row


def _at_rest(row: RowMapping) -> RowMapping:
    """The gap's row. Raises ValueError while a run works on the gap."""
    if row["status"] == "learning":
        raise ValueError(f"run {row['run_id']} works on gap {row['id']}: cancel it first")
    return row


def _run(row: RowMapping) -> RunRecord:
    times = {
        name: None if row[name] is None else datetime.fromtimestamp(row[name], UTC)
        for name in ("started_at", "finished_at")
    }
    return RunRecord.model_validate({**row, **times})
