"""Nights in the relational store, with their scores, revisions, statements, topics and golden pairs."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, Table, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.database import Database
from memory.database.tables import (
    ANSWER_SCORES,
    FORGOTTEN_UNITS,
    GOLDEN_PAIRS,
    INTERACTIONS,
    NIGHTS,
    REVISIONS,
    STATEMENTS,
    SURPRISES,
    TOPICS,
    UNFINISHED_NIGHT,
)
from memory.database.visibility import usable_rows
from memory.errors import AlreadyExists, UnknownGolden, UnknownNight, UnknownRevision
from memory.nights.rows import batches, equal, existing, made, night_made
from memory.records.access import EVERYTHING, Access
from memory.records.base import Digest, Record
from memory.records.nights import (
    AnswerScore,
    GoldenPair,
    GoldenStatus,
    Night,
    Revision,
    RevisionStatus,
    Statement,
    StatementStatus,
    StepReport,
    Surprise,
    Topic,
)

AnyRecord = TypeVar("AnyRecord", bound=Record)


class NightStore:
    """The nights of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, night: Night) -> Night:
        """Stores a new night, which waits; a stored one with the same id is returned as it is.

        Raises AlreadyExists if another night of the domain waits or runs.
        """
        row = _night_row(night.model_copy(update={"status": "waiting"}))
        mine = select(NIGHTS).where(NIGHTS.c.id == night.id)
        async with self._database.begin() as connection:
            await connection.execute(self._database.insert_once(NIGHTS).values(row))
            stored = (await connection.execute(mine)).mappings().first()
        if stored is None:
            raise await self._domain_is_busy(night)
        return _night(stored)

    async def acquire(self, night_id: str) -> bool:
        """Lets the waiting night run, unless another one runs; True if it runs now, or ran already.

        Raises UnknownNight, and ValueError for a night that has ended.
        """
        waits = update(NIGHTS).where(NIGHTS.c.id == night_id, NIGHTS.c.status == "waiting")
        try:
            async with self._database.begin() as connection:
                await connection.execute(waits.values(status="running"))
        except IntegrityError:
            return False
        night = await self.night(night_id)
        if night.status != "running":
            raise ValueError(f"night {night_id} has ended ({night.status}): start a new one, or resume it")
        return True

    async def reopen(self, night_id: str) -> Night:
        """Lets a night that has ended wait again; one that has not ended is returned as it is.

        Raises UnknownNight, and AlreadyExists if another night of the domain waits or runs.
        """
        try:
            async with self._database.begin() as connection:
                night = await _find_night(connection, night_id, lock=True)
                if night.status not in ("waiting", "running"):
                    changes = {"status": "waiting", "reason": "", "ended_at": None}
                    night = night.model_copy(update=changes | {"resumed_at": self._database.now()})
                    await _update_night(connection, night)
        except IntegrityError as error:
            raise await self._domain_is_busy(await self.night(night_id)) from error
        return night

    async def night(self, night_id: str) -> Night:
        """The night with this id. Raises UnknownNight."""
        async with self._database.begin() as connection:
            return await _find_night(connection, night_id)

    async def update(self, night: Night) -> None:
        """Replaces the stored night. Raises UnknownNight, and AlreadyExists if it must not run now."""
        try:
            async with self._database.begin() as connection:
                await _find_night(connection, night.id, lock=True)
                await _update_night(connection, night)
        except IntegrityError as error:
            raise AlreadyExists(f"night {night.id} cannot be {night.status} beside another one") from error

    async def add_step(self, night_id: str, step: StepReport) -> None:
        """Adds the report of a step, in place of an earlier one of the same step. Raises UnknownNight."""
        async with self._database.begin() as connection:
            night = await _find_night(connection, night_id, lock=True)
            steps = {each.step: each for each in night.steps} | {step.step: step}
            await _update_night(connection, night.model_copy(update={"steps": tuple(steps.values())}))

    async def unfinished(self) -> tuple[Night, ...]:
        """The nights of all domains that wait or run."""
        async with self._database.begin() as connection:
            rows = await connection.execute(select(NIGHTS).where(UNFINISHED_NIGHT).order_by(NIGHTS.c.id))
            return tuple(_night(row) for row in rows.mappings())

    async def nights(
        self, *, domain: str | None = None, access: Access = EVERYTHING, limit: int = 50
    ) -> tuple[Night, ...]:
        """Nights, newest first; all of them, or the domain's."""
        query = select(NIGHTS).where(*equal(NIGHTS, domain=domain), usable_rows(access, NIGHTS))
        query = query.order_by(NIGHTS.c.began_at.desc(), NIGHTS.c.id).limit(limit)
        async with self._database.begin() as connection:
            return tuple(_night(row) for row in (await connection.execute(query)).mappings())

    async def save_scores(self, scores: Sequence[AnswerScore]) -> None:
        """Saves scores, in place of earlier ones of the same answer and scorer.

        Those of turns that have been deleted meanwhile are left out.
        """
        if not scores:
            return
        rows = [
            {
                "interaction_id": score.interaction_id,
                "scorer": score.scorer,
                "created_at": score.created_at.timestamp(),
                "body": score.model_dump(mode="json"),
            }
            for score in scores
        ]
        await self._save_for_turns(ANSWER_SCORES, rows)

    async def scores(
        self, interaction_ids: Sequence[str], *, scorer: str | None = None
    ) -> dict[str, AnswerScore]:
        """The newest score of each of these answers that has one; by this scorer, or by any."""
        newest: dict[str, AnswerScore] = {}
        for ids in batches(interaction_ids):
            query = select(ANSWER_SCORES.c.body).where(ANSWER_SCORES.c.interaction_id.in_(ids))
            query = query.where(*equal(ANSWER_SCORES, scorer=scorer))
            query = query.order_by(ANSWER_SCORES.c.created_at, ANSWER_SCORES.c.scorer)
            found = await self._records(query, AnswerScore)
            newest.update({score.interaction_id: score for score in found})
        return newest

    async def save_revision(self, revision: Revision) -> None:
        """Saves a revision, in place of one with the same id; not if its turn has been deleted meanwhile."""
        columns = {"interaction_id": revision.interaction_id, "status": revision.status}
        await self._save_for_turns(REVISIONS, [night_made(revision) | columns])

    async def revision(self, id: str) -> Revision:
        """The revision with this id. Raises UnknownRevision."""
        found = await self._records(select(REVISIONS.c.body).where(*equal(REVISIONS, id=id)), Revision)
        if not found:
            raise UnknownRevision(f"no revision {id}: it is unknown, or its turn is no longer kept")
        return found[0]

    async def revisions(
        self,
        *,
        night_id: str | None = None,
        domain: str | None = None,
        status: RevisionStatus | None = None,
        since: datetime | None = None,
        access: Access = EVERYTHING,
        limit: int = 1000,
    ) -> tuple[Revision, ...]:
        """Revisions that match all filters, newest first; None matches all."""
        query = made(REVISIONS, since, limit, access=access, night_id=night_id, domain=domain, status=status)
        return await self._records(query, Revision)

    async def save_statements(self, statements: Sequence[Statement]) -> int:
        """Saves statements, in place of those with the same ids; returns how many ids are new."""
        rows = {
            statement.id: {
                "id": statement.id,
                "domain": statement.domain,
                "unit": statement.unit,
                "status": statement.status,
                "said_at": statement.said_at.timestamp(),
                "body": statement.model_dump(mode="json"),
            }
            for statement in statements
        }
        async with self._database.begin() as connection:
            known = await existing(connection, STATEMENTS, rows)
            if rows:
                await connection.execute(self._database.upsert(STATEMENTS), list(rows.values()))
        return len(rows) - len(known)

    async def statements(
        self,
        *,
        unit: str | None = None,
        domain: str | None = None,
        status: StatementStatus | None = None,
        limit: int = 1000,
    ) -> tuple[Statement, ...]:
        """Statements that match all filters, latest said first; None matches all."""
        query = select(STATEMENTS.c.body).where(*equal(STATEMENTS, unit=unit, domain=domain, status=status))
        query = query.order_by(STATEMENTS.c.said_at.desc(), STATEMENTS.c.id).limit(limit)
        return await self._records(query, Statement)

    async def delete_unit(self, unit: str, at: datetime) -> int:
        """Deletes what this user or conversation stated; returns how many statements there were.

        From then on `forgotten` tells that what they said before is not to be read again.
        """
        row = {"unit": unit, "forgotten_at": at.timestamp()}
        if "\0" in unit:
            return 0  # PostgreSQL cannot hold it
        async with self._database.begin() as connection:
            await connection.execute(self._database.upsert(FORGOTTEN_UNITS), [row])
            return (
                await connection.execute(delete(STATEMENTS).where(*equal(STATEMENTS, unit=unit)))
            ).rowcount

    async def forgotten(self, units: Collection[str]) -> dict[str, datetime]:
        """When each of these units was forgotten last; those that never were are missing."""
        query = select(FORGOTTEN_UNITS).where(FORGOTTEN_UNITS.c.unit.in_(units))
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["unit"]: datetime.fromtimestamp(row["forgotten_at"], UTC) for row in rows}

    async def save_topics(self, night_id: str, topics: Sequence[Topic]) -> None:
        """Saves the topics of the night, in place of those that it had."""
        rows = [night_made(topic) | {"priority": topic.priority} for topic in topics]
        async with self._database.begin() as connection:
            await connection.execute(delete(TOPICS).where(*equal(TOPICS, night_id=night_id)))
            if rows:
                await connection.execute(insert(TOPICS), rows)

    async def topics(
        self,
        *,
        domain: str,
        since: datetime | None = None,
        night_id: str | None = None,
        access: Access = EVERYTHING,
        limit: int = 500,
    ) -> tuple[Topic, ...]:
        """The domain's topics of all nights, or of one; newest first, of one night by priority."""
        query = made(
            TOPICS, since, limit, TOPICS.c.priority.desc(), access=access, domain=domain, night_id=night_id
        )
        return await self._records(query, Topic)

    async def save_golden(self, pairs: Sequence[GoldenPair]) -> int:
        """Saves those pairs that are new or were withdrawn, and returns how many.

        Stored ones keep people's decisions.
        """
        rows = {pair.id: night_made(pair) | {"status": pair.status} for pair in pairs}
        withdrawn = equal(GOLDEN_PAIRS, status="withdrawn")
        async with self._database.begin() as connection:
            for ids in batches(list(rows)):
                await connection.execute(delete(GOLDEN_PAIRS).where(GOLDEN_PAIRS.c.id.in_(ids), *withdrawn))
            known = await existing(connection, GOLDEN_PAIRS, rows)
            new = [row for id, row in rows.items() if id not in known]
            if new:
                await connection.execute(self._database.insert_once(GOLDEN_PAIRS), new)
        return len(new)

    async def golden(
        self,
        *,
        domain: str | None = None,
        night_id: str | None = None,
        status: GoldenStatus | None = None,
        source: str | None = None,
        access: Access = EVERYTHING,
        limit: int = 5000,
    ) -> tuple[GoldenPair, ...]:
        """Golden pairs that match all filters, newest first; None matches all."""
        query = made(
            GOLDEN_PAIRS, None, limit, access=access, domain=domain, night_id=night_id, status=status
        )
        if source is not None:
            query = query.where(GOLDEN_PAIRS.c.body["source"].as_string() == source)
        return await self._records(query, GoldenPair)

    async def golden_queue(
        self,
        *,
        domain: str | None = None,
        night_id: str | None = None,
        access: Access = EVERYTHING,
        limit: int = 1000,
    ) -> tuple[GoldenPair, ...]:
        """Golden pairs drawn for a spot check on which nobody has decided, newest first.

        Those that are not held are taught meanwhile.
        """
        body = GOLDEN_PAIRS.c.body
        query = made(GOLDEN_PAIRS, None, limit, access=access, domain=domain, night_id=night_id).where(
            or_(
                GOLDEN_PAIRS.c.status == "waiting",
                and_(GOLDEN_PAIRS.c.status == "approved", body["spot_check"].as_boolean()),
            ),
            body["decided_by"].as_string().is_(None),
        )
        return await self._records(query, GoldenPair)

    async def golden_pair(self, id: str) -> GoldenPair:
        """The golden pair with this id. Raises UnknownGolden."""
        async with self._database.begin() as connection:
            return await _find_golden(connection, id)

    async def decide_golden(self, id: str, approved: bool, by: str) -> GoldenPair:
        """Stores a person's decision on the pair, in place of an earlier one. Raises UnknownGolden."""
        status: GoldenStatus = "approved" if approved else "declined"
        changes = {"status": status, "decided_by": by, "withdrawn_by": None}
        async with self._database.begin() as connection:
            return await _change_golden(connection, await _find_golden(connection, id), changes)

    async def withdraw_golden(self, id: str, night_id: str) -> GoldenPair:
        """Withdraws the pair, unless a person has decided on it; safe to repeat. Raises UnknownGolden."""
        async with self._database.begin() as connection:
            pair = await _find_golden(connection, id)
            if pair.decided_by is not None or pair.status == "withdrawn":
                return pair
            changes = {"status": "withdrawn", "withdrawn_by": night_id}
            return await _change_golden(connection, pair, changes)

    async def save_surprises(self, surprises: Sequence[Surprise]) -> None:
        """Saves the surprise of items, in place of what their domain has of the same items."""
        rows = [
            {"domain": each.domain, "item": each.item, "body": each.model_dump(mode="json")}
            for each in surprises
        ]
        if rows:
            async with self._database.begin() as connection:
                await connection.execute(self._database.upsert(SURPRISES), rows)

    async def surprises(self, domain: str) -> dict[Digest, Surprise]:
        """The surprise of the domain's items, by their digest."""
        found = await self._records(
            select(SURPRISES.c.body).where(*equal(SURPRISES, domain=domain)), Surprise
        )
        return {surprise.item: surprise for surprise in found}

    async def _domain_is_busy(self, night: Night) -> AlreadyExists:
        query = select(NIGHTS).where(NIGHTS.c.domain == night.domain, UNFINISHED_NIGHT)
        async with self._database.begin() as connection:
            other = (await connection.execute(query)).mappings().first()
        which = "another night runs" if other is None else f"night {other['id']} is {other['status']}"
        return AlreadyExists(
            f"{which} on {night.domain}: wait for its end, or stop it with `nightschool night stop`"
        )

    async def _records(self, query: Select[Any], kind: type[AnyRecord]) -> tuple[AnyRecord, ...]:
        async with self._database.begin() as connection:
            bodies = (await connection.execute(query)).scalars().all()
        return tuple(kind.model_validate(body) for body in bodies)

    async def _save_for_turns(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Saves rows of turns that still exist; the lock keeps these until the transaction ends."""
        for batch in batches(rows):
            ids = sorted({row["interaction_id"] for row in batch})
            stored = select(INTERACTIONS.c.id).where(INTERACTIONS.c.id.in_(ids)).order_by(INTERACTIONS.c.id)
            async with self._database.begin() as connection:
                still_there = set((await connection.execute(stored.with_for_update(read=True))).scalars())
                kept = [row for row in batch if row["interaction_id"] in still_there]
                if kept:
                    await connection.execute(self._database.upsert(table), kept)


async def _find_night(connection: AsyncConnection, night_id: str, *, lock: bool = False) -> Night:
    query = select(NIGHTS).where(*equal(NIGHTS, id=night_id))
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().first()
    if row is None:
        raise UnknownNight(f"no night {night_id}: `nightschool night list` lists them")
    return _night(row)


async def _update_night(connection: AsyncConnection, night: Night) -> None:
    await connection.execute(update(NIGHTS).where(NIGHTS.c.id == night.id).values(_night_row(night)))


async def _find_golden(connection: AsyncConnection, id: str) -> GoldenPair:
    query = select(GOLDEN_PAIRS.c.body).where(*equal(GOLDEN_PAIRS, id=id)).with_for_update()
    body = (await connection.execute(query)).scalar()
    if body is None:
        raise UnknownGolden(f"no golden pair {id}: `nightschool night queue` lists those to look at")
    return GoldenPair.model_validate(body)


async def _change_golden(
    connection: AsyncConnection, pair: GoldenPair, changes: dict[str, Any]
) -> GoldenPair:
    changed = pair.model_copy(update=changes)
    values = {"status": changed.status, "body": changed.model_dump(mode="json")}
    await connection.execute(update(GOLDEN_PAIRS).where(*equal(GOLDEN_PAIRS, id=pair.id)).values(values))
    return changed


def _night_row(night: Night) -> dict[str, Any]:
    return {
        "id": night.id,
        "domain": night.domain,
        "status": night.status,
        "until": night.until.timestamp(),
        "began_at": night.began_at.timestamp(),
        "body": night.model_dump(mode="json"),
    }


def _night(row: RowMapping) -> Night:
    return Night.model_validate(row["body"] | {"status": row["status"]})
