"""Rows of the relational store that tell of a user, a document or a single record: finds and deletes them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Table, delete, or_, select, update

from memory.database.database import Database
from memory.database.tables import (
    ANNOTATION_ITEMS,
    ATTACKS,
    CRONS,
    EXPOSURES,
    FEEDBACK,
    GAPS,
    GOLDEN_PAIRS,
    INTERACTIONS,
    NIGHTS,
    PERSPECTIVE_DOCUMENTS,
    PERSPECTIVES,
    REVISIONS,
    RUNS,
    STATEMENTS,
    THREAD_RUNS,
    THREADS,
    TOPICS,
    VERIFICATIONS,
    WITHDRAWN_SENTENCES,
)
from memory.records.base import Digest, Record
from memory.records.interactions import Interaction
from memory.records.nights import Statement
from memory.server.perspectives import UNUSED

PAGE = 500
FREE_TEXT = frozenset(
    {"reason", "label", "question", "complaints", "refused", "forgotten", "attention", "gates", "retained"}
)
"""Fields of nights and their reports that may quote what users asked; others keep their values."""
REMOVED = "<forgotten>"
"""What takes the place of a forgotten text in a record of many."""


class Target(Record):
    """What to forget."""

    kind: Literal["user", "source", "id"]
    """`user`: as a client named it, or the owner of a key. `source`: a document. `id`: a turn, thread, gap or
    statement."""
    value: str
    units: tuple[str, ...] = ()
    """The user's name and its pseudonym."""
    owner: str | None = None
    """Only what belongs to this owner; None for all."""


class Traces(NamedTuple):
    """What records of the target hold: any of these as one of their strings."""

    strings: frozenset[str]
    """Ids and texts."""
    source: str | None = None
    owner: str | None = None
    """Only documents of this owner are meant by `source`; None for all."""

    def in_(self, value: Any) -> bool:
        """Whether the JSON value holds one of them."""
        if isinstance(value, str):
            return value in self.strings
        if isinstance(value, Mapping):
            cited = self.source is not None and value.get("source") == self.source
            if cited and self.owner in (None, value.get("owner")):
                return True
            return any(map(self.in_, value.values()))
        return isinstance(value, list | tuple) and any(map(self.in_, value))


class ErasableRows:
    """The rows of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turns(self, target: Target) -> tuple[Interaction, ...]:
        """The chat turns of the target: its own, or those that cite it."""
        columns = INTERACTIONS.c
        match target.kind:
            case "user":
                wanted = or_(columns.unit.in_(target.units), columns.owner == target.value)
                found = await self._matching(INTERACTIONS, lambda _: True, wanted)
            case "id":
                wanted = or_(columns.id == target.value, columns.unit.in_(target.units))
                found = await self._matching(INTERACTIONS, lambda _: True, wanted)
            case "source":
                cites = Traces(frozenset(), target.value, target.owner)
                found = await self._matching(INTERACTIONS, cites.in_)
        turns = [Interaction.model_validate(body) for body in found.values()]
        return tuple(t for t in turns if target.kind == "source" or target.owner in (None, t.owner))

    async def threads(self, target: Target, held: Collection[str]) -> set[str]:
        """Threads of the target: of a user by owner, id or metadata; and of those `held`, which quote it."""
        columns = (THREADS.c.id, THREADS.c.owner, THREADS.c.metadata)
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(*columns))).all()
        return {
            id
            for id, owner, metadata in rows
            if target.owner in (None, owner)
            and (
                id in held
                or (target.kind != "source" and target.value == id)
                or (target.kind == "user" and (target.value == owner or target.value in metadata.values()))
            )
        }

    async def gaps(self, target: Target, turns: Sequence[Interaction]) -> dict[str, str]:
        """Questions of the target's gaps, by id; those that other turns opened too are left out."""
        mine = {turn.id for turn in turns}
        corrected = await self._matching(GAPS, lambda body: _corrected_by(body) & mine != set())
        ids = {turn.gap_id for turn in turns if turn.gap_id is not None}
        ids |= {id for id, body in corrected.items() if _corrected_by(body) <= mine}
        others = await self._matching(INTERACTIONS, lambda body: body["gap_id"] in ids) if ids else {}
        ids -= {body["gap_id"] for id, body in others.items() if id not in mine}

        def is_theirs(body: Mapping[str, Any]) -> bool:
            if target.owner not in (None, body["owner"]):
                return False
            named = target.kind == "id" and body["id"] == target.value
            return named or (target.kind == "user" and body["owner"] == target.value) or body["id"] in ids

        return {id: body["question"] for id, body in (await self._matching(GAPS, is_theirs)).items()}

    async def statements(self, target: Target, turn_ids: Collection[str]) -> tuple[Statement, ...]:
        """What the user stated, or what was stated in these turns."""

        def is_theirs(body: Mapping[str, Any]) -> bool:
            if target.owner not in (None, body["owner"]):
                return False
            named = target.kind == "id" and body["id"] == target.value
            theirs = target.kind == "user" and (body["unit"] in target.units or body["owner"] == target.value)
            return named or theirs or body["interaction_id"] in turn_ids

        found = await self._matching(STATEMENTS, is_theirs)
        return tuple(map(Statement.model_validate, found.values()))

    async def made_of(self, traces: Traces) -> dict[str, dict[str, dict[str, Any]]]:
        """Bodies of the revisions, annotation items, golden pairs and attacks made of these, by table."""
        found = {}
        for table in (REVISIONS, ANNOTATION_ITEMS):
            found[table.name] = await self._matching(table, traces.in_)
        ids = {id for rows in found.values() for id in rows}
        traces = traces._replace(strings=traces.strings | ids)
        for table in (GOLDEN_PAIRS, ATTACKS):
            found[table.name] = await self._matching(table, traces.in_)
        return found

    async def runs_of_threads(self, thread_ids: Collection[str]) -> tuple[str, ...]:
        """Ids of the runs on these threads."""
        query = select(THREAD_RUNS.c.id).where(THREAD_RUNS.c.thread_id.in_(thread_ids))
        async with self._database.begin() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def learn_runs(
        self, target: Target, gap_ids: Collection[str], thread_ids: Collection[str]
    ) -> set[str]:
        """Learn runs of these gaps and threads, and those that the user asked for."""
        conditions: list[ColumnElement[bool]] = [RUNS.c.gap_id.in_(gap_ids), RUNS.c.id.in_(thread_ids)]
        if target.kind == "user" and target.owner in (None, target.value):
            conditions.append(RUNS.c.asked_by == target.value)
        async with self._database.begin() as connection:
            return set((await connection.execute(select(RUNS.c.id).where(or_(*conditions)))).scalars())

    async def lessons_of_gaps(self, gap_ids: Collection[str]) -> frozenset[Digest]:
        """Digests of the lessons that learn runs made of these gaps."""
        runs = select(RUNS.c.id).where(RUNS.c.gap_id.in_(gap_ids))
        query = select(VERIFICATIONS.c.digest).where(VERIFICATIONS.c.run_id.in_(runs))
        async with self._database.begin() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def redact(self, texts: Collection[str]) -> int:
        """Removes texts from topics and nights, which many users share; returns how many of these changed."""
        if not texts:
            return 0
        labels = await self._redact_topics(texts)
        return len(labels) + await self._redact_nights(dict.fromkeys(texts, REMOVED) | labels)

    async def delete(self, table: Table, ids: Iterable[str]) -> int:
        """Deletes the rows with these ids; returns how many there were."""
        count, all_ids = 0, sorted(ids)
        for first in range(0, len(all_ids), PAGE):
            page = all_ids[first : first + PAGE]
            async with self._database.begin() as connection:
                if table is GAPS:
                    mine = RUNS.c.gap_id.in_(page)
                    await connection.execute(update(RUNS).where(mine).values(gap_id=None))
                    await connection.execute(
                        update(GAPS).where(GAPS.c.merged_into.in_(page)).values(merged_into=None)
                    )
                of_page = table.c.id.in_(page)
                # Locked in one order, so that no two writers wait for each other.
                locked = select(table.c.id).where(of_page).order_by(table.c.id).with_for_update()
                await connection.execute(locked)
                count += (await connection.execute(delete(table).where(of_page))).rowcount
        return count

    async def delete_withdrawn(self, target: Target) -> int:
        """Deletes what was withdrawn from the document, or from the user's documents."""
        columns = WITHDRAWN_SENTENCES.c
        match target.kind:
            case "source":
                wanted = columns.source == target.value
            case "user":
                wanted = columns.owner == target.value
            case "id":
                wanted = columns.id == target.value
        if target.owner is not None:
            wanted &= columns.owner == target.owner
        async with self._database.begin() as connection:
            return (await connection.execute(delete(WITHDRAWN_SENTENCES).where(wanted))).rowcount

    async def delete_perspectives(self, target: Target) -> int:
        """Deletes from which perspective the document speaks, or the user's documents."""
        columns = PERSPECTIVE_DOCUMENTS.c
        if target.kind == "id":
            return 0
        wanted = (columns.source if target.kind == "source" else columns.owner) == target.value
        if target.owner is not None:
            wanted &= columns.owner == target.owner
        async with self._database.begin() as connection:
            gone = (await connection.execute(delete(PERSPECTIVE_DOCUMENTS).where(wanted))).rowcount
            await connection.execute(delete(PERSPECTIVES).where(UNUSED))
            return gone

    async def delete_feedback_of(self, owner: str) -> int:
        """Deletes the feedback that one owner of keys gave on anybody's turns."""
        mine = FEEDBACK.c.body["owner"].as_string() == owner
        async with self._database.begin() as connection:
            return (await connection.execute(delete(FEEDBACK).where(mine))).rowcount

    async def delete_exposures(self, units: Collection[str]) -> int:
        """Deletes which variants of experiments these units saw."""
        async with self._database.begin() as connection:
            return (await connection.execute(delete(EXPOSURES).where(EXPOSURES.c.unit.in_(units)))).rowcount

    async def feedback_on(self, turn_ids: Collection[str]) -> int:
        """How much feedback goes with these turns."""
        return len(await self._matching(FEEDBACK, lambda body: body["interaction_id"] in turn_ids))

    async def crons(self, owner: str) -> tuple[str, ...]:
        """The owner's crons."""
        async with self._database.begin() as connection:
            return tuple(
                (await connection.execute(select(CRONS.c.id).where(CRONS.c.owner == owner))).scalars()
            )

    async def strip_corrections(self, turn_ids: Collection[str]) -> int:
        """Takes the corrections of these turns out of other gaps; returns how many gaps had any."""

        found = await self._matching(GAPS, lambda body: _corrected_by(body) & {*turn_ids} != set())
        for id, body in found.items():
            kept = [each for each in body["corrections"] if each["interaction_id"] not in turn_ids]
            await self._set_body(GAPS, id, body | {"corrections": kept})
        return len(found)

    async def _redact_topics(self, texts: Collection[str]) -> dict[str, str]:
        """Takes the texts, and words of labels that only they hold, out of topics; returns changed labels."""
        labels = {}
        async with self._database.begin() as connection:
            bodies = (await connection.execute(select(TOPICS.c.body))).scalars().all()
            found = [body for body in bodies if Traces(frozenset(texts)).in_(body["questions"])]
            for body in found:
                kept = [each for each in body["questions"] if each not in texts]
                said = " ".join(kept).casefold()
                label = [word for word in body["label"] if word.casefold() in said]
                mine = (TOPICS.c.night_id == body["night_id"], TOPICS.c.id == body["id"])
                change = update(TOPICS).values(body=body | {"questions": kept, "label": label})
                await connection.execute((change if kept else delete(TOPICS)).where(*mine))
                labels[", ".join(body["label"])] = ", ".join(label) or REMOVED
        return labels

    async def _redact_nights(self, replacements: Mapping[str, str]) -> int:
        found = await self._matching(NIGHTS, lambda body: _redacted(body, replacements) != body)
        for id, body in found.items():
            await self._set_body(NIGHTS, id, _redacted(body, replacements))
        return len(found)

    async def _set_body(self, table: Table, id: str, body: Any) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(table).where(table.c.id == id).values(body=body))

    async def _matching(
        self, table: Table, matches: Callable[[Any], bool], *conditions: Any
    ) -> dict[str, dict[str, Any]]:
        """Bodies of the rows that match, by id; reads a page at a time, so that writers do not wait long."""
        found: dict[str, dict[str, Any]] = {}
        query = select(table.c.id, table.c.body).where(*conditions).order_by(table.c.id).limit(PAGE)
        last = ""
        while True:
            async with self._database.begin() as connection:
                rows = (await connection.execute(query.where(table.c.id > last))).all()
            found.update((id, body) for id, body in rows if matches(body))
            if len(rows) < PAGE:
                return found
            last = rows[-1].id


def _corrected_by(gap: Mapping[str, Any]) -> set[str]:
    """Ids of the turns that a gap has corrections of."""
    return {each["interaction_id"] for each in gap["corrections"]}


def _redacted(value: Any, replacements: Mapping[str, str], *, free: bool = False) -> Any:
    """The JSON value with texts replaced in its fields of free text; a single word only where it is all.

    A user may ask any word, such as the name of a status, which stands in every night.
    """
    if isinstance(value, str) and free:
        for text, new in replacements.items():
            value = value.replace(text, new) if " " in text else (new if value == text else value)
        return value
    if isinstance(value, Mapping):
        return {name: _redacted(each, replacements, free=name in FREE_TEXT) for name, each in value.items()}
    if isinstance(value, list):
        return [_redacted(each, replacements, free=free) for each in value]
    return value
