"""Carries out a person's decision on a revised answer or a golden pair, wherever the same answer is kept.

A golden pair that was made of a revision is the same answer: what is decided on one holds for both. The last
decision counts.
"""

from datetime import datetime

from agent.nights.revision.archive import archive_answers, archive_golden
from memory.errors import UnknownGolden, UnknownRevision
from memory.nights.answers import AnswerArchive
from memory.nights.store import NightStore
from memory.records.access import Access
from memory.records.nights import GoldenPair, Revision


async def changeable_revision(id: str, access: Access, store: NightStore) -> Revision:
    """A revision that may be decided on with this access. Raises UnknownRevision, DomainClosed."""
    revision = await store.revision(id)
    if not (access.may_use(revision.domain) and access.may_quote(revision.citations)):
        raise UnknownRevision(f"no revision {id}: it is unknown, or its turn is no longer kept")
    access.require_write(revision.domain)
    return revision


async def changeable_golden(id: str, access: Access, store: NightStore) -> GoldenPair:
    """A golden pair that may be decided on with this access. Raises UnknownGolden, DomainClosed."""
    pair = await store.golden_pair(id)
    if not (access.may_use(pair.domain) and access.may_quote(pair.citations)):
        raise UnknownGolden(f"no golden pair {id}")
    access.require_write(pair.domain)
    return pair


async def decide_revision(
    id: str,
    *,
    approve: bool,
    by: str,
    access: Access,
    store: NightStore,
    archive: AnswerArchive,
    now: datetime,
) -> Revision:
    """Approves the revised answer, which chat and lessons then use, or declines it.

    Raises UnknownRevision, DomainClosed, and ValueError for the approval of an answer that cites no source.
    """
    revision = await changeable_revision(id, access, store)
    if approve and not revision.citations:
        raise ValueError(
            f"revision {id} cites no source, so it cannot be approved: add a document that answers its"
            " question, or decline it"
        )
    decided = await _decide_revision(revision, approve, by, store, archive, now)
    for pair in await store.golden(source=id):
        await _decide_golden(pair.id, approve, by, store, archive, now)
    return decided


async def decide_golden(
    id: str,
    *,
    approve: bool,
    by: str,
    access: Access,
    store: NightStore,
    archive: AnswerArchive,
    now: datetime,
) -> GoldenPair:
    """Approves the golden pair, or declines it, so that it is not taught.

    Raises UnknownGolden, DomainClosed.
    """
    await changeable_golden(id, access, store)
    decided = await _decide_golden(id, approve, by, store, archive, now)
    try:
        revision = await store.revision(decided.source)
    except UnknownRevision:
        return decided  # it comes from an answer that was good as it was, or the turn is no longer kept
    if not approve or revision.citations:
        await _decide_revision(revision, approve, by, store, archive, now)
    return decided


async def _decide_revision(
    revision: Revision, approve: bool, by: str, store: NightStore, archive: AnswerArchive, now: datetime
) -> Revision:
    changes = {"status": "improved" if approve else "rejected", "decided_by": by}
    decided = revision.model_copy(update=changes)
    await store.save_revision(decided)
    await archive_answers([decided], archive=archive, now=now)
    return decided


async def _decide_golden(
    id: str, approve: bool, by: str, store: NightStore, archive: AnswerArchive, now: datetime
) -> GoldenPair:
    decided = await store.decide_golden(id, approve, by)
    await archive_golden([decided], archive=archive, now=now)
    return decided
