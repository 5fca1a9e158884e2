"""The interaction log: every chat turn, on SQLite or PostgreSQL, written in groups."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select

from memory.database.database import Database
from memory.database.group_commit import GroupCommit
from memory.database.tables import EXPOSURES, INTERACTIONS
from memory.errors import UnknownInteraction
from memory.feedback.annotations import delete_items
from memory.feedback.next_annotation import ITEMS
from memory.records.interactions import ChatOutcome, Interaction

PAGE = 500
"""Interactions read or deleted in one transaction, so that writers of turns do not wait long."""


class InteractionLog:
    """The logged chat turns of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writes = GroupCommit(self._write)

    async def save(self, interaction: Interaction) -> None:
        """Saves a turn, and its unit's first exposure to an experiment; repeating it changes nothing.

        Returns once both are on disk. Raises IntegrityError if the assignment names no experiment.
        """
        await self._writes.add(interaction)

    async def get(self, interaction_id: str, *, owner: str | None = None) -> Interaction:
        """The turn with this id. Raises UnknownInteraction, also for another owner's; None may see all."""
        if "\0" in interaction_id:
            raise unknown(interaction_id)  # PostgreSQL cannot even look for it
        query = select(INTERACTIONS.c.body).where(INTERACTIONS.c.id == interaction_id)
        if owner is not None:
            query = query.where(INTERACTIONS.c.owner == owner)
        found = await self._interactions(query)
        if not found:
            raise unknown(interaction_id)
        return found[0]

    async def of(self, ids: Iterable[str]) -> tuple[Interaction, ...]:
        """The turns with these ids, in the order of the ids; those that are not kept are missing."""
        wanted = sorted(set(ids))
        found: tuple[Interaction, ...] = ()
        for start in range(0, len(wanted), PAGE):
            page = INTERACTIONS.c.id.in_(wanted[start : start + PAGE])
            found += await self._interactions(
                select(INTERACTIONS.c.body).where(page).order_by(INTERACTIONS.c.id)
            )
        return found

    async def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        domain: str | None = None,
        unit: str | None = None,
        outcome: ChatOutcome | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[Interaction, ...]:
        """Turns from `since` until before `until`, newest first; None for a filter means all.

        `unit` is a pseudonym. `after` is the id of the last turn of the previous page. Raises
        UnknownInteraction if there is no such turn.
        """
        query = _filtered(since=since, until=until, domain=domain, unit=unit, outcome=outcome, owner=owner)
        time, id = INTERACTIONS.c.created_at, INTERACTIONS.c.id
        if after is not None:
            last = (await self.get(after, owner=owner)).created_at.timestamp()
            query = query.where(or_(time < last, and_(time == last, id < after)))
        return await self._interactions(query.order_by(time.desc(), id.desc()).limit(limit))

    async def stream(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        domain: str | None = None,
        owner: str | None = None,
        experiment: str | None = None,
        page: int = PAGE,
    ) -> AsyncIterator[tuple[Interaction, ...]]:
        """Pages of the turns from `since` until before `until`, oldest first.

        `experiment` is the id of the experiment that assigned them. Holds no connection between pages.
        """
        time, id = INTERACTIONS.c.created_at, INTERACTIONS.c.id
        query = _filtered(since=since, until=until, domain=domain, owner=owner, experiment=experiment)
        query = query.order_by(time, id).limit(page)
        found = await self._interactions(query)
        while found:
            yield found
            last, last_id = found[-1].created_at.timestamp(), found[-1].id
            found = await self._interactions(query.where(or_(time > last, and_(time == last, id > last_id))))

    async def delete_before(self, moment: datetime, *, limit: int | None = None) -> int:
        """Deletes turns from before then with their feedback and the items for annotation that quote them, at
        most `limit` turns, and returns how many turns."""
        old = select(INTERACTIONS.c.id).where(INTERACTIONS.c.created_at < moment.timestamp())
        count = 0
        while True:
            page = PAGE if limit is None else min(PAGE, limit - count)
            async with self._database.begin() as connection:
                ids = (await connection.execute(old.limit(page))).scalars().all()
                await delete_items(connection, ITEMS.interaction_id.in_(ids))
                await connection.execute(delete(INTERACTIONS).where(INTERACTIONS.c.id.in_(ids)))
            count += len(ids)
            if len(ids) < page or count == limit:
                return count

    async def _interactions(self, query: Select[Any]) -> tuple[Interaction, ...]:
        async with self._database.begin() as connection:
            bodies = (await connection.execute(query)).scalars().all()
        return tuple(Interaction.model_validate(body) for body in bodies)

    async def _write(self, interactions: Sequence[Interaction]) -> None:
        rows = [_row(interaction) for interaction in interactions]
        exposures = [row for interaction in interactions if (row := _exposure(interaction)) is not None]
        async with self._database.begin() as connection:
            await connection.execute(self._database.insert_once(INTERACTIONS), rows)
            if exposures:
                await connection.execute(self._database.insert_once(EXPOSURES), exposures)


def unknown(interaction_id: str) -> UnknownInteraction:
    """The error for an interaction that is not kept."""
    return UnknownInteraction(f"no interaction {interaction_id}: it is unknown, or no longer kept")


def _filtered(
    *,
    since: datetime | None,
    until: datetime | None,
    domain: str | None,
    owner: str | None,
    unit: str | None = None,
    outcome: ChatOutcome | None = None,
    experiment: str | None = None,
) -> Select[Any]:
    columns = INTERACTIONS.c
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(columns.created_at >= since.timestamp())
    if until is not None:
        conditions.append(columns.created_at < until.timestamp())
    equal: list[tuple[ColumnElement[Any], str | None]] = [
        (columns.unit, unit),
        (columns.domain, domain),
        (columns.outcome, outcome),
        (columns.owner, owner),
        (columns.body["assignment"]["experiment_id"].as_string(), experiment),
    ]
    conditions += [column == value for column, value in equal if value is not None]
    return select(columns.body).where(*conditions)


def _row(interaction: Interaction) -> dict[str, Any]:
    return {
        "id": interaction.id,
        "domain": interaction.domain,
        "created_at": interaction.created_at.timestamp(),
        "unit": interaction.unit,
        "owner": interaction.owner,
        "outcome": interaction.outcome,
        "body": interaction.model_dump(mode="json"),
        "gap_id": interaction.gap_id,
    }


def _exposure(interaction: Interaction) -> dict[str, Any] | None:
    """The row of the exposure that the turn is; None without an assignment or a unit."""
    assignment, unit = interaction.assignment, interaction.user
    if assignment is None or unit is None:
        return None
    return {
        "experiment_id": assignment.experiment_id,
        "version": assignment.version,
        "unit": unit,
        "variant": assignment.variant,
        "created_at": interaction.created_at.timestamp(),
    }
