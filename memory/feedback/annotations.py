"""The annotation queue: items with two answers to compare, leases on them, and judgements.

A lease reserves one of the judgements that an item wants. Every change to an item's leases or judgements
locks the item's row first, and of several items in the order of their ids: in another order, two transactions
could wait for each other. SQLite has no such locks: there, one connection leaves one transaction at a time.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.database import Database
from memory.database.tables import ANNOTATION_ITEMS, ANNOTATION_LEASES, JUDGEMENTS
from memory.database.visibility import usable_rows
from memory.errors import AnnotationItemTaken, UnknownAnnotationItem
from memory.feedback.next_annotation import COUNTED, ITEMS, LEASES, drawn_gold, has_room, taken, unseen
from memory.records.access import Access
from memory.records.base import Domain, Record
from memory.records.feedback import AnnotationItem, Choice, ItemStatus, Judgement
from memory.records.interactions import LoggedMessage

LEASE = timedelta(minutes=15)
MAX_IDS = 500
"""Ids in one query; SQLite limits its parameters."""


class AnnotationTask(Record):
    """What an annotator sees of an item; it tells neither gold items nor the answers' sources."""

    item_id: str
    domain: Domain
    messages: tuple[LoggedMessage, ...]
    """The conversation up to the answer."""
    a: str
    b: str
    expires_at: datetime
    """End of the lease."""


class BatchProgress(Record):
    """Counts of one batch."""

    batch: str
    open: int = 0
    done: int = 0
    gold: int = 0
    """Gold items, which are counted as neither open nor done."""
    judgements: int = 0


class AnnotatorProgress(Record):
    """How far one annotator is."""

    judged: int
    skipped: int
    left: int
    """Items that it could still get, gold items among them."""


class ItemDiffers(ValueError):
    """An item with this id exists, and has another conversation or other answers."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"item {item_id} exists with other texts: give the new one another id")
        self.item_id = item_id


class Annotations:
    """The annotation queue of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, items: Sequence[AnnotationItem], judgements: Sequence[Judgement] = ()) -> int:
        """Adds items, and judgements of them, all or nothing; returns how many items are new.

        Items and judgements that exist are left as they are. Raises ItemDiffers.
        """
        new = {item.id: item for item in items}
        if unknown := {judgement.item_id for judgement in judgements} - new.keys():
            raise ValueError(
                f"there are judgements of items that are not added: {', '.join(sorted(unknown))}"
            )
        if not new:
            return 0
        async with self._database.begin() as connection:
            before = await _ids(connection, new)
            rows = [_row(new[id]) for id in sorted(new)]
            await connection.execute(self._database.insert_once(ANNOTATION_ITEMS), rows)
            for row in await _locked(connection, new):
                stored = _item(row)
                if _texts(stored) != _texts(new[stored.id]):
                    raise ItemDiffers(stored.id)
            if judgements:
                judged = [_judgement_row(judgement) for judgement in judgements]
                await connection.execute(self._database.insert_once(JUDGEMENTS), judged)
                for item_id in sorted({judgement.item_id for judgement in judgements}):
                    await _close_if_complete(connection, item_id)
        return len(new.keys() - before)

    async def next(self, annotator: str, now: datetime, *, access: Access) -> AnnotationTask | None:
        """Leases the best open item to the annotator for 15 minutes; renews the lease that it holds, if any.

        None if nothing is left for this annotator in domains that `access` may use. It never gets an item
        again that it judged or skipped. Gold items are mixed in at random.
        """
        full: set[str] = set()
        for wait in (False, True):  # waits for other annotators' locks only if every open item is locked
            while isinstance(found := await self._lease(annotator, now, access, full, wait), str):
                full.add(found)
            if found is not None:
                return found
        return None

    async def _lease(
        self, annotator: str, now: datetime, access: Access, full: set[str], wait: bool
    ) -> AnnotationTask | str | None:
        """A leased item, the id of one whose last slot was taken meanwhile, or None if there is none."""
        mine, time = LEASES.annotator == annotator, now.timestamp()
        usable = usable_rows(access, ANNOTATION_ITEMS)
        async with self._database.begin() as connection:
            await connection.execute(delete(ANNOTATION_LEASES).where(mine, LEASES.expires_at <= time))
        async with self._database.begin() as connection:
            held = select(ANNOTATION_ITEMS).join(ANNOTATION_LEASES).where(mine, usable)
            row = (await connection.execute(held.order_by(ITEMS.id).limit(1))).mappings().first()
            if row is not None:
                extended = update(ANNOTATION_LEASES).where(mine, LEASES.item_id == row["id"])
                await connection.execute(extended.values(expires_at=(now + LEASE).timestamp()))
                return _task(row, now)
            eligible = and_(usable, has_room(annotator, time))
            row = await drawn_gold(connection, annotator, usable, eligible)
            if row is None:
                best = (
                    select(ANNOTATION_ITEMS)
                    .where(eligible, ITEMS.id.not_in(full))
                    .order_by(ITEMS.priority.desc(), ITEMS.created_at, ITEMS.id)
                    .limit(1)
                    .with_for_update(of=ANNOTATION_ITEMS, skip_locked=not wait)
                )
                row = (await connection.execute(best)).mappings().first()
                if row is None:
                    return None
                # Again under the lock, because the query's snapshot may be older than the lock.
                room = select(ITEMS.id).where(eligible, ITEMS.id == row["id"])
                if (await connection.execute(room)).first() is None:
                    return str(row["id"])
            elif not await _locked(connection, [row["id"]]):  # it was withdrawn meanwhile
                return str(row["id"])
            lease = {"item_id": row["id"], "annotator": annotator, "expires_at": (now + LEASE).timestamp()}
            await connection.execute(self._database.insert_once(ANNOTATION_LEASES).values(lease))
            return _task(row, now)

    async def release(self, item_id: str, annotator: str) -> None:
        """Gives the annotator's lease back, if it has one. Raises UnknownAnnotationItem."""
        async with self._database.begin() as connection:
            await _lock(connection, item_id)
            lease = and_(LEASES.item_id == item_id, LEASES.annotator == annotator)
            await connection.execute(delete(ANNOTATION_LEASES).where(lease))

    async def judge(self, judgement: Judgement) -> Judgement:
        """Saves a judgement and ends the annotator's lease; the same judgement again changes nothing.

        Another judgement by the same annotator replaces the first while the item is open. Raises
        UnknownAnnotationItem, and AnnotationItemTaken if the item wants no further judgement, or the lease
        has expired and others hold the remaining ones.
        """
        item_id, annotator, time = judgement.item_id, judgement.annotator, judgement.created_at.timestamp()
        lease = and_(LEASES.item_id == item_id, LEASES.annotator == annotator)
        async with self._database.begin() as connection:
            row = await _lock(connection, item_id)
            ended = await connection.execute(delete(ANNOTATION_LEASES).where(lease, LEASES.expires_at > time))
            own = and_(JUDGEMENTS.c.item_id == item_id, JUDGEMENTS.c.annotator == annotator)
            body = (await connection.execute(select(JUDGEMENTS.c.body).where(own))).scalar()
            before = None if body is None else Judgement.model_validate(body)
            if before is not None and _content(before) == _content(judgement):
                return before
            if before is not None and before.choice != "skip" and row["status"] == "done":
                raise AnnotationItemTaken(f"item {item_id} is closed: your judgement can no longer change")
            free = select(taken(annotator, time) < ITEMS.annotators).where(ITEMS.id == item_id)
            if not ended.rowcount and not (await connection.execute(free)).scalar():
                raise AnnotationItemTaken(
                    f"item {item_id} wants no further judgement: `nightschool annotate next` gives another"
                )
            saved = _judgement_row(judgement)
            if before is None:
                await connection.execute(insert(JUDGEMENTS).values(saved))
            else:
                await connection.execute(update(JUDGEMENTS).where(own).values(saved))
            await _close_if_complete(connection, item_id)
        return judgement

    async def set_gold(self, item_id: str, choice: Choice | None) -> AnnotationItem:
        """Makes the item a gold item with this right choice, or an ordinary one again with None.

        Raises UnknownAnnotationItem, and ValueError for `skip`, which no item has as its right choice.
        """
        if choice == "skip":
            raise ValueError("a gold item's choice has to be a, b, both_good or both_bad")
        async with self._database.begin() as connection:
            await connection.execute(
                update(ANNOTATION_ITEMS).where(ITEMS.id == item_id).values(gold=choice is not None)
            )
            item = _item(await _lock(connection, item_id)).model_copy(update={"gold": choice})
            await connection.execute(update(ANNOTATION_ITEMS).where(ITEMS.id == item_id).values(_row(item)))
        return item

    async def get(self, item_id: str) -> AnnotationItem:
        """The item with this id. Raises UnknownAnnotationItem."""
        found = await self.of([item_id])
        if not found:
            raise _unknown(item_id)
        return found[0]

    async def of(self, item_ids: Iterable[str]) -> tuple[AnnotationItem, ...]:
        """The items with these ids, in the order of the ids; unknown ones are left out."""
        async with self._database.begin() as connection:
            rows = [
                row
                for ids in _chunks(item_ids)
                for row in (
                    await connection.execute(select(ANNOTATION_ITEMS).where(ITEMS.id.in_(ids)))
                ).mappings()
            ]
        return tuple(sorted((_item(row) for row in rows), key=lambda item: item.id))

    async def list(
        self,
        *,
        batch: str | None = None,
        domain: str | None = None,
        status: ItemStatus | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[AnnotationItem, ...]:
        """Items, newest first; None for a filter means all. `after` is the previous page's last id.

        Raises UnknownAnnotationItem if there is no such item.
        """
        conditions = _equal((ITEMS.batch, batch), (ITEMS.domain, domain), (ITEMS.status, status))
        if after is not None:
            last = (await self.get(after)).created_at.timestamp()
            older = and_(ITEMS.created_at == last, ITEMS.id < after)
            conditions.append(or_(ITEMS.created_at < last, older))
        query = select(ANNOTATION_ITEMS).where(*conditions)
        query = query.order_by(ITEMS.created_at.desc(), ITEMS.id.desc()).limit(limit)
        async with self._database.begin() as connection:
            return tuple(_item(row) for row in (await connection.execute(query)).mappings())

    async def withdraw(self, interaction_id: str) -> None:
        """Deletes the items that quote the interaction, with their judgements."""
        async with self._database.begin() as connection:
            await delete_items(connection, ITEMS.interaction_id == interaction_id)

    async def interaction_ids(self) -> frozenset[str]:
        """Ids of the interactions that items were made from."""
        query = select(ITEMS.interaction_id).where(ITEMS.interaction_id.is_not(None)).distinct()
        async with self._database.begin() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def judgements(
        self,
        *,
        batch: str | None = None,
        domain: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Judgement, ...]:
        """Judgements from `since` until before `until`, oldest first; None for a filter means all."""
        conditions = _equal((ITEMS.batch, batch), (ITEMS.domain, domain))
        if since is not None:
            conditions.append(JUDGEMENTS.c.created_at >= since.timestamp())
        if until is not None:
            conditions.append(JUDGEMENTS.c.created_at < until.timestamp())
        query = select(JUDGEMENTS.c.body).join(ANNOTATION_ITEMS).where(*conditions)
        order = (JUDGEMENTS.c.created_at, JUDGEMENTS.c.item_id, JUDGEMENTS.c.annotator)
        async with self._database.begin() as connection:
            bodies = (await connection.execute(query.order_by(*order))).scalars()
            return tuple(Judgement.model_validate(body) for body in bodies)

    async def progress_of(self, annotator: str, now: datetime, *, access: Access) -> AnnotatorProgress:
        """How many items the annotator judged and skipped, and how many `next` could still give it."""
        wanted = or_(has_room(annotator, now.timestamp()), and_(ITEMS.gold, unseen(annotator)))
        left = select(func.count()).select_from(ANNOTATION_ITEMS)
        own = select(func.count()).select_from(JUDGEMENTS).where(JUDGEMENTS.c.annotator == annotator)
        async with self._database.begin() as connection:
            judged = (await connection.execute(own.where(COUNTED))).scalar_one()
            skipped = (await connection.execute(own.where(~COUNTED))).scalar_one()
            found = await connection.execute(left.where(wanted, usable_rows(access, ANNOTATION_ITEMS)))
            return AnnotatorProgress(judged=judged, skipped=skipped, left=found.scalar_one())

    async def progress(self) -> tuple[BatchProgress, ...]:
        """Counts of each batch, by name."""
        judged = select(ITEMS.batch, func.count().label("judgements")).select_from(
            JUDGEMENTS.join(ANNOTATION_ITEMS)
        )
        counts = select(ITEMS.batch, ITEMS.status, ITEMS.gold, func.count().label("items"))
        async with self._database.begin() as connection:
            judgements = (await connection.execute(judged.group_by(ITEMS.batch))).mappings()
            by_batch: dict[str, int] = {row["batch"]: row["judgements"] for row in judgements}
            rows = (
                await connection.execute(counts.group_by(ITEMS.batch, ITEMS.status, ITEMS.gold))
            ).mappings()
            found: dict[str, dict[str, int]] = {}
            for row in rows:
                batch = found.setdefault(row["batch"], {})
                kind = "gold" if row["gold"] else row["status"]
                batch[kind] = batch.get(kind, 0) + row["items"]
        return tuple(
            BatchProgress(batch=name, judgements=by_batch.get(name, 0), **found[name])
            for name in sorted(found)
        )


async def delete_items(connection: AsyncConnection, condition: ColumnElement[bool]) -> None:
    """Deletes the items with their leases and judgements."""
    locked = select(ITEMS.id).where(condition).order_by(ITEMS.id).with_for_update()
    ids = (await connection.execute(locked)).scalars().all()
    for page in _chunks(ids):
        await connection.execute(delete(ANNOTATION_ITEMS).where(ITEMS.id.in_(page)))


async def _close_if_complete(connection: AsyncConnection, item_id: str) -> None:
    """Closes the item if it has the judgements that it wants; skips do not count."""
    counted = select(func.count()).where(JUDGEMENTS.c.item_id == ITEMS.id, COUNTED)
    complete = counted.correlate(ANNOTATION_ITEMS).scalar_subquery() >= ITEMS.annotators
    await connection.execute(
        update(ANNOTATION_ITEMS).where(ITEMS.id == item_id, complete).values(status="done")
    )


async def _lock(connection: AsyncConnection, item_id: str) -> RowMapping:
    rows = await _locked(connection, [item_id])
    if not rows:
        raise _unknown(item_id)
    return rows[0]


async def _locked(connection: AsyncConnection, item_ids: Iterable[str]) -> Sequence[RowMapping]:
    """The items' rows, locked until the transaction ends; in the order of the ids, which avoids deadlocks."""
    rows: list[RowMapping] = []
    for ids in _chunks(item_ids):
        query = select(ANNOTATION_ITEMS).where(ITEMS.id.in_(ids)).order_by(ITEMS.id).with_for_update()
        rows += (await connection.execute(query)).mappings().all()
    return rows


async def _ids(connection: AsyncConnection, item_ids: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for ids in _chunks(item_ids):
        found |= set((await connection.execute(select(ITEMS.id).where(ITEMS.id.in_(ids)))).scalars())
    return found


def _chunks(item_ids: Iterable[str]) -> list[list[str]]:
    ids = sorted(set(item_ids))
    return [ids[start : start + MAX_IDS] for start in range(0, len(ids), MAX_IDS)]


def _equal(*filters: tuple[ColumnElement[Any], str | None]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in filters if value is not None]


def _unknown(item_id: str) -> UnknownAnnotationItem:
    return UnknownAnnotationItem(f"no annotation item {item_id}: `nightschool annotate items` lists them")


def _texts(item: AnnotationItem) -> tuple[object, ...]:
    return item.messages, item.a, item.b


def _content(judgement: Judgement) -> tuple[object, ...]:
    return judgement.choice, judgement.comment, judgement.rewrite


def _task(row: RowMapping, now: datetime) -> AnnotationTask:
    item = _item(row)
    return AnnotationTask(
        item_id=item.id,
        domain=item.domain,
        messages=item.messages,
        a=item.a,
        b=item.b,
        expires_at=now + LEASE,
    )


def _item(row: RowMapping) -> AnnotationItem:
    return AnnotationItem.model_validate(row["body"] | {"status": row["status"]})


def _row(item: AnnotationItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "batch": item.batch,
        "interaction_id": item.interaction_id,
        "domain": item.domain,
        "status": item.status,
        "priority": item.priority,
        "annotators": item.annotators,
        "gold": item.gold is not None,
        "created_at": item.created_at.timestamp(),
        "body": item.model_dump(mode="json"),
    }


def _judgement_row(judgement: Judgement) -> dict[str, Any]:
    return {
        "item_id": judgement.item_id,
        "annotator": judgement.annotator,
        "choice": judgement.choice,
        "created_at": judgement.created_at.timestamp(),
        "body": judgement.model_dump(mode="json"),
    }
