"""Stores what users stated, keeps it consistent, lets it expire, and forgets it.

Safe to repeat: the same turns change nothing the second time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from agent.nights.statements.contradictions import contradicted_by
from agent.nights.statements.extract import extract_statements
from agent.nights.statements.facts import statement_fact, statement_source
from agent.nights.statements.utterances import NAME_OF_USER, utterances_of
from memory.language.relations import base_relation
from memory.language.text import key
from memory.records.base import Record, digest_of
from memory.records.interactions import Interaction, speaker_id
from memory.records.nights import Statement, StatementStatus
from memory.semantic.base import SemanticMemory

MAX_STATEMENTS = 100_000
"""Statements that are compared at once."""


class StatementStore(Protocol):
    """The part of the store of nights that holds statements."""

    async def save_statements(self, statements: Sequence[Statement]) -> int:
        """Saves statements in place of those with the same ids; returns how many ids are new."""
        ...

    async def statements(
        self,
        *,
        unit: str | None = None,
        domain: str | None = None,
        status: StatementStatus | None = None,
        limit: int = 1000,
    ) -> tuple[Statement, ...]:
        """Statements that match all filters."""
        ...

    async def delete_unit(self, unit: str, at: datetime) -> int:
        """Deletes what a unit stated, and notes when."""
        ...

    async def forgotten(self, units: Collection[str]) -> dict[str, datetime]:
        """When each of these units was forgotten last, if ever."""
        ...


class Consolidation(Record):
    """What came of the day's statements."""

    new: int = 0
    repeated: int = 0
    contradicted: int = 0
    """Statements that a later one, or one of the same moment, contradicts."""
    stale: int = 0
    """Those whose validity has passed since the last time."""
    contradictions: tuple[tuple[str, str], ...] = ()
    """Ids of the later and the earlier statement of each."""


async def consolidate(
    turns: Sequence[Interaction], *, store: StatementStore, semantic: SemanticMemory, now: datetime
) -> Consolidation:
    """Stores what the users of the turns stated, as statements and as facts that only they can find.

    Call it for each batch of turns, oldest first. Raises StoreUnavailable.
    """
    forgotten = await store.forgotten({turn.unit for turn in turns if turn.unit})
    utterances = [
        each for each in utterances_of(turns) if (at := forgotten.get(each.unit)) is None or each.said_at > at
    ]
    known = {
        (unit, owner): [
            s for s in await store.statements(unit=unit, limit=MAX_STATEMENTS) if s.owner == owner
        ]
        for unit, owner in {(u.unit, u.owner) for u in utterances}
    }
    names = {speaker_id(*who): name for who, stored in known.items() if (name := name_given(stored))}
    found = await asyncio.to_thread(extract_statements, utterances, names)
    by_speaker: dict[str, list[Statement]] = defaultdict(list)
    for statement in map(_of_owner, found):
        by_speaker[speaker_id(statement.unit, statement.owner)].append(statement)
    total = Consolidation()
    for _, said in sorted(by_speaker.items()):
        merged = await asyncio.to_thread(merge, known[said[0].unit, said[0].owner], said, now)
        await _keep(merged.changed, store, semantic)
        total = _sum(total, merged.counts)
    return total


def _of_owner(statement: Statement) -> Statement:
    """The statement under an id that the same words of a user of another owner do not have."""
    if statement.owner is None:
        return statement
    return statement.model_copy(update={"id": digest_of([statement.owner, statement.id])[:32]})


def name_given(statements: Sequence[Statement]) -> str | None:
    """The name that a unit's user gave themselves last."""
    given = [s for s in statements if (s.subject, s.relation, s.status) == (NAME_OF_USER, "is", "current")]
    return max(given, key=lambda s: (s.said_at, s.id)).object if given else None


async def expire(*, store: StatementStore, semantic: SemanticMemory, now: datetime) -> Consolidation:
    """Marks the statements stale whose validity has passed."""
    current = await store.statements(status="current", limit=MAX_STATEMENTS)
    passed = [s for s in current if s.valid_until is not None and s.valid_until < now]
    await _keep([s.model_copy(update={"status": "stale"}) for s in passed], store, semantic)
    return Consolidation(stale=len(passed))


async def forget_unit(unit: str, *, store: StatementStore, semantic: SemanticMemory, now: datetime) -> int:
    """Deletes everything that a user or conversation stated; returns how many statements there were.

    The turns stay logged, but what was said in them until now is not consolidated again.

    Facts go too whose statement a broken-off step did not store.
    """
    stated = await store.statements(unit=unit, limit=MAX_STATEMENTS)
    sources = {(statement_source(each.id), each.domain) for each in stated}
    sources |= {(fact.source, fact.domain) for fact in await semantic.said(unit, limit=MAX_STATEMENTS)}
    for source, domain in sorted(sources):
        await semantic.remove(source, domain=domain)
    return await store.delete_unit(unit, now)


class Merged(NamedTuple):
    """Statements that are new or changed, and counts of what happened to them."""

    changed: tuple[Statement, ...]
    counts: Consolidation


def merge(known: Sequence[Statement], said: Sequence[Statement], now: datetime) -> Merged:
    """The statements of one unit and owner with those that were just found."""
    before = {s.id: s for s in known}
    after = dict(before)
    repeated = 0
    for statement in sorted(said, key=lambda s: (s.said_at, s.interaction_id)):
        earlier = after.get(statement.id)
        if earlier is None:
            after[statement.id] = statement
        elif (statement.said_at, statement.interaction_id) > (earlier.said_at, earlier.interaction_id):
            moved = {
                "said_at": statement.said_at,
                "interaction_id": statement.interaction_id,
                "quote": statement.quote,
            }
            after[statement.id] = earlier.model_copy(update=moved)
            repeated += 1
    settled = _settled(list(after.values()), now)
    changed = tuple(s for s in settled if before.get(s.id) != s)
    superseded = [s for s in changed if _lost(s) and not (s.id in before and _lost(before[s.id]))]
    old_pairs = {(s.id, other) for s in known for other in s.contradicts}
    pairs = tuple((s.id, other) for s in changed for other in s.contradicts if (s.id, other) not in old_pairs)
    return Merged(
        changed,
        Consolidation(
            new=len(after) - len(before),
            repeated=repeated,
            contradicted=len([s for s in superseded if s.valid_until is None or s.valid_until >= now]),
            stale=len([s for s in superseded if s.valid_until is not None and s.valid_until < now]),
            contradictions=pairs,
        ),
    )


def _lost(statement: Statement) -> bool:
    return statement.status != "current"


def _settled(statements: Sequence[Statement], now: datetime) -> list[Statement]:
    """The statements with their status: of contradicting ones the latest holds, and none of one moment."""
    status: dict[str, StatementStatus] = {}
    earlier_ids: dict[str, tuple[str, ...]] = {}
    # Only statements of one subject and relation can contradict, and none contradicts what is overtaken.
    by_slot: dict[tuple[str, str], list[Statement]] = defaultdict(list)
    for statement in sorted(statements, key=lambda s: (s.said_at, s.id)):
        slot = (key(statement.subject), base_relation(statement.relation).base)
        seen = [each for each in by_slot[slot] if status.get(each.id) != "stale"]
        against = contradicted_by(statement, seen)
        earlier_ids[statement.id] = against
        for other in seen:
            if other.id in against:
                same_moment = other.said_at == statement.said_at
                status[other.id] = "contradicted" if same_moment else "stale"
                if same_moment:
                    status[statement.id] = "contradicted"
        by_slot[slot] = [*seen, statement]
    for statement in statements:
        if statement.valid_until is not None and statement.valid_until < now:
            status[statement.id] = "stale"
    return [
        s.model_copy(
            update={
                "status": status.get(s.id, "current"),
                "contradicts": tuple(dict.fromkeys([*s.contradicts, *earlier_ids[s.id]])),
            }
        )
        for s in statements
    ]


async def _keep(statements: Sequence[Statement], store: StatementStore, semantic: SemanticMemory) -> None:
    """Writes the facts first, so that a step that was broken off writes them again."""
    for statement in statements:
        await semantic.remove(statement_source(statement.id), domain=statement.domain)
    await semantic.add([statement_fact(s) for s in statements if s.status == "current"])
    await store.save_statements(statements)


def _sum(one: Consolidation, other: Consolidation) -> Consolidation:
    return Consolidation(
        new=one.new + other.new,
        repeated=one.repeated + other.repeated,
        contradicted=one.contradicted + other.contradicted,
        stale=one.stale + other.stale,
        contradictions=one.contradictions + other.contradictions,
    )
