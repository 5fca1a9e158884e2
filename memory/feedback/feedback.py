"""Feedback on interactions, written in groups; of each kind, a user's latest counts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.database import Database
from memory.database.group_commit import GroupCommit
from memory.database.tables import FEEDBACK, INTERACTIONS
from memory.errors import QuotaReached
from memory.feedback.interactions import unknown
from memory.records.feedback import Feedback, FeedbackKind

MAX_IDS = 500
"""Ids in one query; SQLite limits its parameters."""
MOST_CHANGES = 50
"""Records of one kind by one owner on one interaction: opinions change, but every write reads them all."""
TICK = timedelta(microseconds=1)
"""How much later than what it replaces a record is at least, whatever the clocks of the processes say."""


@dataclass
class _Write:
    """Feedback that waits to be written; `stored` stays None if its interaction does not exist, or `full`."""

    feedback: tuple[Feedback, ...]
    stored: tuple[Feedback, ...] | None = None
    full: bool = False
    """Its owner changed their mind too often."""


class FeedbackStore:
    """The feedback of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writes = GroupCommit(self._write)

    async def add(self, *feedback: Feedback) -> tuple[Feedback, ...]:
        """Saves feedback on one interaction, all or nothing, and returns the records that now count.

        A record that says the same as the user's latest of its kind is not saved again: the earlier one is
        returned, with its own id. Raises UnknownInteraction, and QuotaReached after MOST_CHANGES of a kind.
        """
        write = _Write(feedback)
        await self._writes.add(write)
        if write.full:
            raise QuotaReached(
                f"this turn has {MOST_CHANGES} pieces of your feedback of one kind: the last one stays"
            )
        if write.stored is None:
            raise unknown(feedback[0].interaction_id)
        return write.stored

    async def of(self, interaction_ids: Iterable[str]) -> tuple[Feedback, ...]:
        """All feedback on these interactions, oldest first."""
        ids = list(interaction_ids)
        found: list[Feedback] = []
        for start in range(0, len(ids), MAX_IDS):
            async with self._database.begin() as connection:
                found += await _of(connection, ids[start : start + MAX_IDS])
        return tuple(found)

    async def list(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        kind: FeedbackKind | None = None,
    ) -> tuple[Feedback, ...]:
        """Feedback sent from `since` until before `until`, oldest first; of all kinds, or of one."""
        query = select(FEEDBACK.c.body).order_by(FEEDBACK.c.created_at, FEEDBACK.c.id)
        if since is not None:
            query = query.where(FEEDBACK.c.created_at >= since.timestamp())
        if until is not None:
            query = query.where(FEEDBACK.c.created_at < until.timestamp())
        if kind is not None:
            query = query.where(FEEDBACK.c.kind == kind)
        async with self._database.begin() as connection:
            return tuple(
                Feedback.model_validate(body) for body in (await connection.execute(query)).scalars()
            )

    async def _write(self, writes: Sequence[_Write]) -> None:
        for start in range(0, len(writes), MAX_IDS):
            await self._write_some(writes[start : start + MAX_IDS])

    async def _write_some(self, writes: Sequence[_Write]) -> None:
        ids = sorted({feedback.interaction_id for write in writes for feedback in write.feedback})
        async with self._database.begin() as connection:
            # The lock makes other processes wait; SQLite has only one, with one connection.
            kept = select(INTERACTIONS.c.id).where(INTERACTIONS.c.id.in_(ids)).order_by(INTERACTIONS.c.id)
            existing = set((await connection.execute(kept.with_for_update())).scalars())
            earlier = await _of(connection, ids)
            current = {_said(feedback): feedback for feedback in latest(earlier)}
            counts = Counter(map(_said, earlier))
            rows: list[dict[str, object]] = []
            for write in writes:
                if any(feedback.interaction_id not in existing for feedback in write.feedback):
                    continue
                new = [each for each in write.feedback if not _repeats(each, current.get(_said(each)))]
                if any(counts[_said(feedback)] >= MOST_CHANGES for feedback in new):
                    write.full = True
                    continue
                counts.update(map(_said, new))
                stored = []
                for feedback in write.feedback:
                    before = current.get(_said(feedback))
                    if before is not None and _repeats(feedback, before):
                        stored.append(before)
                        continue
                    if before is not None and feedback.created_at <= before.created_at:
                        feedback = feedback.model_copy(update={"created_at": before.created_at + TICK})
                    current[_said(feedback)] = feedback
                    stored.append(feedback)
                    rows.append(_row(feedback))
                write.stored = tuple(stored)
            if rows:
                await connection.execute(insert(FEEDBACK), rows)


def latest(feedback: Iterable[Feedback]) -> tuple[Feedback, ...]:
    """The feedback that counts: of each interaction, kind and owner the latest record."""
    counting: dict[object, Feedback] = {}
    for each in sorted(feedback, key=lambda each: (each.created_at, each.id)):
        counting[_said(each)] = each
    return tuple(counting.values())


def by_interaction(feedback: Iterable[Feedback]) -> dict[str, tuple[Feedback, ...]]:
    """The feedback of each interaction that has any."""
    grouped: defaultdict[str, list[Feedback]] = defaultdict(list)
    for each in feedback:
        grouped[each.interaction_id].append(each)
    return {interaction_id: tuple(group) for interaction_id, group in grouped.items()}


def _said(feedback: Feedback) -> tuple[str, str, str | None]:
    """What feedback replaces if it is equal: the same kind by the same owner on the same interaction."""
    return feedback.interaction_id, feedback.kind, feedback.owner


def _repeats(feedback: Feedback, before: Feedback | None) -> bool:
    return before is not None and (before.value, before.text) == (feedback.value, feedback.text)


async def _of(connection: AsyncConnection, interaction_ids: Sequence[str]) -> list[Feedback]:
    query = (
        select(FEEDBACK.c.body)
        .where(FEEDBACK.c.interaction_id.in_(interaction_ids))
        .order_by(FEEDBACK.c.created_at, FEEDBACK.c.id)
    )
    return [Feedback.model_validate(body) for body in (await connection.execute(query)).scalars()]


def _row(feedback: Feedback) -> dict[str, object]:
    return {
        "id": feedback.id,
        "interaction_id": feedback.interaction_id,
        "kind": feedback.kind,
        "created_at": feedback.created_at.timestamp(),
        "body": feedback.model_dump(mode="json"),
    }
