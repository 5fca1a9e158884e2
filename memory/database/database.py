"""The relational store for gaps and learn runs, on SQLite (WAL mode) or PostgreSQL.

Interactions and feedback are in `memory.feedback`, graph state in `memory.checkpoints`, training jobs in
`memory.outbox`.
"""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import (
    URL,
    ColumnElement,
    RowMapping,
    Select,
    Table,
    delete,
    event,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from memory.database.schema import migrate
from memory.database.tables import GAPS, NOT_CLOSED, RUNS, THREADS
from memory.database.visibility import readable_rows
from memory.errors import StoreUnavailable, UnknownGap, UnknownRun
from memory.language.text import key
from memory.records.access import EVERYTHING, Access
from memory.records.base import Record
from memory.records.interactions import Correction, Gap, GapStatus
from memory.records.runs import Outcome

BUSY_SECONDS = 10.0
"""How long a write waits for another process's write to finish."""
MAX_CORRECTIONS = 20
"""Corrections that a gap keeps; whoever verifies one needs no more."""

Clock = Callable[[], datetime]


class RunRecord(Record):
    """One learn run: its request, and its outcome once it has ended."""

    id: str
    subject: str
    whole: bool
    domain: str | None
    """None until the run has found one, unless its request named one."""
    gap_id: str | None
    started_at: datetime
    finished_at: datetime | None = None
    asked_by: str | None = None
    """Owner of the key that asked for it; it cannot be approved by the same."""
    outcome: Outcome | None = None
    report: dict[str, Any] | None = None

    @property
    def status(self) -> str:
        """`running`, or the status of its outcome."""
        return self.outcome.status if self.outcome else "running"


def utc_now() -> datetime:
    """The current time in UTC, timezone-aware."""
    return datetime.now(UTC)


class Database:
    """The relational store. Every method raises StoreUnavailable if the database cannot be reached."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        """Takes an engine whose database is fully migrated; `open_database` provides one."""
        self._engine = engine
        self._clock = clock

    @property
    def shared(self) -> bool:
        """Whether several api processes may use it at once; only one may use a SQLite file."""
        return self._engine.dialect.name != "sqlite"

    async def open_gap(self, gap: Gap) -> Gap:
        """Saves a gap and returns it, or returns the owner's existing gap for the same question and domain.

        A question can have only one gap an owner that is not closed; spelling variants count as the same. If
        the existing gap was merged into another, that other gap is returned.
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
                    owner=gap.owner,
                    body=gap.model_dump(mode="json"),
                )
            )
            existing = select(GAPS).where(
                GAPS.c.domain == gap.domain,
                GAPS.c.question_key == key(gap.question),
                GAPS.c.owner.is_not_distinct_from(gap.owner),
                NOT_CLOSED,
            )
            row = (await connection.execute(existing)).mappings().first()
            if row and row["merged_into"]:
                row = await _lock_gap(connection, row["merged_into"])
            return _gap(row) if row else gap

    async def gaps(
        self, status: GapStatus | None = None, *, access: Access, limit: int = 100
    ) -> tuple[Gap, ...]:
        """Gaps, oldest first; all that may be read, or those with this status."""
        readable = readable_rows(access, GAPS)
        query = select(GAPS).where(readable).order_by(GAPS.c.opened_at, GAPS.c.id).limit(limit)
        if status is not None:
            query = query.where(GAPS.c.status == status)
        return tuple(_gap(row) for row in await self._rows(query))

    async def gap(self, gap_id: str, *, access: Access) -> Gap:
        """The gap with this id. Raises UnknownGap, also if it may not be read."""
        rows = await self._rows(select(GAPS).where(GAPS.c.id == gap_id, readable_rows(access, GAPS)))
        if not rows:
            raise _unknown_gap(gap_id)
        return _gap(rows[0])

    async def set_gap(self, gap_id: str, status: GapStatus, run_id: str | None = None) -> Gap:
        """Sets a gap's status, and its run unless `run_id` is None. Raises UnknownGap.

        A closed gap stays closed if another gap for the same question is open. Closing a gap also closes the
        gaps merged into it.
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
        return await self.gap(gap_id, access=EVERYTHING)

    async def add_correction(self, gap_id: str, correction: Correction) -> Gap:
        """Adds a correction to the gap, in place of the one of the same interaction, and returns the gap.

        Only the latest MAX_CORRECTIONS are kept. Raises UnknownGap.
        """
        async with self.begin() as connection:
            gap = _gap(row := await _lock_gap(connection, gap_id))
            others = [each for each in gap.corrections if each.interaction_id != correction.interaction_id]
            corrections = [each.model_dump(mode="json") for each in (*others, correction)][-MAX_CORRECTIONS:]
            body = row["body"] | {"corrections": corrections}
            await connection.execute(update(GAPS).where(GAPS.c.id == gap_id).values(body=body))
        return await self.gap(gap_id, access=EVERYTHING)

    async def dismiss_gap(self, gap_id: str) -> Gap:
        """Marks the gap as not to be learned. Raises UnknownGap, or ValueError unless it is open."""
        async with self.begin() as connection:
            row = _require_idle(await _lock_gap(connection, gap_id))
            if row["status"] == "closed":
                raise ValueError(f"gap {gap_id} is closed: there is nothing to dismiss")
            await connection.execute(update(GAPS).where(GAPS.c.id == gap_id).values(status="dismissed"))
        return await self.gap(gap_id, access=EVERYTHING)

    async def delete_gap(self, gap_id: str) -> None:
        """Deletes the gap and the gaps merged into it; their runs stay.

        Raises UnknownGap, or ValueError while a run is learning it.
        """
        async with self.begin() as connection:
            _require_idle(await _lock_gap(connection, gap_id))
            deleted = select(GAPS.c.id).where(or_(GAPS.c.id == gap_id, GAPS.c.merged_into == gap_id))
            await connection.execute(update(RUNS).where(RUNS.c.gap_id.in_(deleted)).values(gap_id=None))
            ids = (await connection.execute(deleted)).scalars().all()
            await connection.execute(delete(GAPS).where(GAPS.c.id.in_(ids)))

    async def merge_gap(self, gap_id: str, into: str) -> Gap:
        """Merges a gap into the gap `into`, and returns that one with the keywords and corrections of both.

        Gaps already merged into this one move along. Merging again changes nothing. Raises UnknownGap, or
        ValueError if the two are the same, if one of them is closed, if a run is learning this one, or if
        `into` is dismissed.
        """
        if gap_id == into:
            raise ValueError("a gap cannot be merged into itself: name another one")
        async with self.begin() as connection:
            rows = {id: await _lock_gap(connection, id) for id in sorted((gap_id, into))}
            merged, target = _gap(_require_idle(rows[gap_id])), _gap(rows[into])
            if merged.status == "closed" or target.status in ("closed", "dismissed"):
                raise ValueError("merge only gaps that are not closed, and not into a dismissed one")
            keywords = [*dict.fromkeys((*target.keywords, *merged.keywords))]
            moved = update(GAPS).where(or_(GAPS.c.id == gap_id, GAPS.c.merged_into == gap_id))
            await connection.execute(moved.values(status="dismissed", merged_into=into))
            corrections = [
                each.model_dump(mode="json")
                for each in dict.fromkeys((*target.corrections, *merged.corrections))
            ]
            changes = {"keywords": keywords, "corrections": corrections[-MAX_CORRECTIONS:]}
            body = rows[into]["body"] | changes
            await connection.execute(update(GAPS).where(GAPS.c.id == into).values(body=body))
        return await self.gap(into, access=EVERYTHING)

    async def start_run(
        self,
        run_id: str,
        *,
        subject: str,
        whole: bool,
        domain: str | None,
        gap_id: str | None,
        now: datetime,
        asked_by: str | None = None,
    ) -> None:
        """Records that a run was requested; recording it again changes nothing.

        Raises UnknownGap if `gap_id` names a gap that does not exist.
        """
        if gap_id is not None:
            await self.gap(gap_id, access=EVERYTHING)
        async with self.begin() as connection:
            await connection.execute(
                self.insert_once(RUNS).values(
                    id=run_id,
                    subject=subject,
                    whole=whole,
                    domain=domain,
                    gap_id=gap_id,
                    started_at=now.timestamp(),
                    asked_by=asked_by,
                )
            )

    async def set_run_domain(self, run_id: str, domain: str) -> None:
        """Records the domain that a run has found, by which others may see the run."""
        async with self.begin() as connection:
            await connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(domain=domain))

    async def finish_run(self, run_id: str, outcome: Outcome, report: dict[str, Any]) -> None:
        """Records a run's outcome; a resumed run may overwrite it. Raises UnknownRun."""
        values = {
            "outcome": outcome.model_dump(mode="json"),
            "report": report,
            "finished_at": self._clock().timestamp(),
        }
        async with self.begin() as connection:
            result = await connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(values))
        if result.rowcount == 0:
            raise UnknownRun(f"no run {run_id}: it was never started on this database")

    async def runs(self, *, owner: str | None = None, limit: int = 100) -> tuple[RunRecord, ...]:
        """Runs, newest first; all of them, or those on the owner's threads."""
        query = select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.id).limit(limit)
        if owner is not None:
            query = query.join(THREADS, THREADS.c.id == RUNS.c.id).where(THREADS.c.owner == owner)
        return tuple(_run(row) for row in await self._rows(query))

    async def run(self, run_id: str) -> RunRecord:
        """The run with this id. Raises UnknownRun."""
        rows = await self._rows(select(RUNS).where(RUNS.c.id == run_id))
        if not rows:
            raise UnknownRun(f"no run {run_id}: `GET /v1/learn` lists all runs")
        return _run(rows[0])

    async def run_counts(self) -> Mapping[str, int]:
        """How many learn runs there are of each status."""
        return await self._counts(func.coalesce(RUNS.c.outcome["status"].as_string(), "running"))

    async def gap_counts(self) -> Mapping[str, int]:
        """How many gaps there are of each status."""
        return await self._counts(GAPS.c.status)

    async def _counts(self, status: ColumnElement[str]) -> Mapping[str, int]:
        async with self.begin() as connection:
            query = select(status.label("word"), func.count()).group_by("word")
            return {row[0]: row[1] for row in await connection.execute(query)}

    def now(self) -> datetime:
        """The current time by the database's clock."""
        return self._clock()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()

    def insert_once(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that does nothing if the row already exists (ON CONFLICT DO NOTHING)."""
        return self._insert(table).on_conflict_do_nothing()

    def upsert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that replaces a row with the same primary key (ON CONFLICT DO UPDATE)."""
        new, keys = self._insert(table), [column.name for column in table.primary_key]
        changes = {column.name: new.excluded[column.name] for column in table.c if column.name not in keys}
        return new.on_conflict_do_update(index_elements=keys, set_=changes)

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        insert = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        return insert(table)

    async def _rows(self, query: Select[Any]) -> list[RowMapping]:
        async with self.begin() as connection:
            return list((await connection.execute(query)).mappings())

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Opens a transaction: committed on success, rolled back on error. Passes IntegrityError through."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise StoreUnavailable(
                f"the database {self._engine.url!r} cannot be reached: {reason}", part="the database"
            ) from error


async def open_database(url: str, *, clock: Clock = utc_now) -> Database:
    """Opens the database at a SQLAlchemy URL and migrates its schema to the latest version.

    `sqlite:///PATH` creates the file. Raises ValueError for an invalid URL, StoreUnavailable if the database
    cannot be opened or was written by a later version of Nightschool.
    """
    is_sqlite = parse_url(url).get_backend_name() == "sqlite"
    # SQLite has one writer at a time; queueing in the pool is quicker than retrying on a locked file.
    options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if is_sqlite else {"pool_pre_ping": True}
    engine = create_async_engine(
        async_url(url), hide_parameters=True, json_deserializer=_from_json, **options
    )
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    except CommandError as error:
        await engine.dispose()
        raise StoreUnavailable(
            f"the database {engine.url!r} was written by a later version of Nightschool: upgrade Nightschool"
            f" ({error})"
        ) from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        await engine.dispose()
        raise StoreUnavailable(
            f"the database {engine.url!r} cannot be opened: check that its folder exists, is writable and has"
            f" space ({error})"
        ) from error
    return Database(engine, clock)


def _from_json(text: str) -> Any:
    """The value of a JSON column. NaN and infinity, which no reply can contain, are read as None."""
    return json.loads(text, parse_constant=lambda _: None)


def async_url(url: str) -> str:
    """The URL with our async driver for its database (aiosqlite or psycopg). Raises like `parse_url`."""
    parsed = parse_url(url)
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}[parsed.get_backend_name()]
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


def parse_url(url: str) -> URL:
    """Parses the URL of a SQLite or PostgreSQL database. Raises ValueError for any other URL.

    Raises StoreUnavailable if a SQLite file's folder does not exist; failing later would leak a driver
    thread.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(
            f"{url!r} is not a database URL: use sqlite:///PATH or postgresql://HOST/NAME"
        ) from None
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ValueError(f"{parsed.get_backend_name()} is not supported: use sqlite or postgresql")
    in_file = parsed.get_backend_name() == "sqlite" and parsed.database not in {None, "", ":memory:"}
    if in_file and not Path(str(parsed.database)).parent.is_dir():
        raise StoreUnavailable(f"{parsed.database} cannot be opened: check its folder, which does not exist")
    return parsed


def _configure_sqlite(connection: Any, _record: object) -> None:
    """Sets a new connection to WAL, sync on each commit, foreign keys, and a timeout for other writers."""
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={int(BUSY_SECONDS * 1000)}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _gap(row: RowMapping) -> Gap:
    columns = {name: row[name] for name in ("status", "run_id", "merged_into")}
    return Gap.model_validate(row["body"] | columns)


def _unknown_gap(gap_id: str) -> UnknownGap:
    return UnknownGap(f"no gap {gap_id}: `nightschool gaps` lists the open gaps")


async def _lock_gap(connection: AsyncConnection, gap_id: str) -> RowMapping:
    """The gap's row, locked until the transaction ends. Raises UnknownGap."""
    query = select(GAPS).where(GAPS.c.id == gap_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise _unknown_gap(gap_id)
    return row


def _require_idle(row: RowMapping) -> RowMapping:
    """The gap's row. Raises ValueError while a run is learning the gap."""
    if row["status"] == "learning":
        raise ValueError(f"run {row['run_id']} is learning gap {row['id']}: cancel the run first")
    return row


def _run(row: RowMapping) -> RunRecord:
    times = {
        name: None if row[name] is None else datetime.fromtimestamp(row[name], UTC)
        for name in ("started_at", "finished_at")
    }
    return RunRecord.model_validate({**row, **times})
