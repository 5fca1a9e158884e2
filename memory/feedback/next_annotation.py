"""Which item an annotator gets next: one with room for a judgement, and now and then a gold item."""

import hashlib

from sqlalchemy import ColumnElement, RowMapping, and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.tables import ANNOTATION_ITEMS, ANNOTATION_LEASES, JUDGEMENTS

GOLD_SHARE = 0.1
"""Least share of gold items among those that an annotator gets, while there are some that it has not seen."""

ITEMS, LEASES = ANNOTATION_ITEMS.c, ANNOTATION_LEASES.c
COUNTED = JUDGEMENTS.c.choice != "skip"


def taken(annotator: str, now: float) -> ColumnElement[int]:
    """How many of an item's judgements other annotators have made or reserved."""
    judged = select(func.count()).where(
        JUDGEMENTS.c.item_id == ITEMS.id, JUDGEMENTS.c.annotator != annotator, COUNTED
    )
    leased = select(func.count()).where(
        LEASES.item_id == ITEMS.id, LEASES.annotator != annotator, LEASES.expires_at > now
    )
    counts = (query.correlate(ANNOTATION_ITEMS).scalar_subquery() for query in (judged, leased))
    made, reserved = counts
    return made + reserved


def unseen(annotator: str) -> ColumnElement[bool]:
    """Whether the annotator neither judged nor skipped the item."""
    seen = exists().where(JUDGEMENTS.c.item_id == ITEMS.id, JUDGEMENTS.c.annotator == annotator)
    return ~seen.correlate(ANNOTATION_ITEMS)


def has_room(annotator: str, now: float) -> ColumnElement[bool]:
    """Whether an item wants a judgement that the annotator may make."""
    return and_(
        ITEMS.status == "open",
        ~ITEMS.gold,
        unseen(annotator),
        taken(annotator, now) < ITEMS.annotators,
    )


async def drawn_gold(
    connection: AsyncConnection, annotator: str, usable: ColumnElement[bool], eligible: ColumnElement[bool]
) -> RowMapping | None:
    """A `usable` gold item that the annotator has not seen, if the draw says that it gets one now.

    `eligible` are the other items that it might get. Drawn as from a shuffled pile of the gold and the other
    items; the same draw until the annotator judges again.
    """
    gold = select(ITEMS.id).where(ITEMS.gold, usable, unseen(annotator))
    ids = (await connection.execute(gold)).scalars().all()
    if not ids:
        return None
    count = select(func.count()).select_from(ANNOTATION_ITEMS).where(eligible)
    others = (await connection.execute(count)).scalar_one()
    judged = select(func.count()).where(JUDGEMENTS.c.annotator == annotator)
    number = (await connection.execute(judged)).scalar_one()
    if _draw(annotator, str(number)) >= max(GOLD_SHARE, len(ids) / (len(ids) + others)):
        return None
    chosen = min(ids, key=lambda item_id: _draw(annotator, item_id))
    return (await connection.execute(select(ANNOTATION_ITEMS).where(ITEMS.id == chosen))).mappings().one()


def _draw(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
