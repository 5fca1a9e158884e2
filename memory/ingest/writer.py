"""Stores and removes documents; those that wait at the same time are committed together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import NamedTuple

from memory.episodic.base import EpisodicMemory, fingerprint
from memory.episodic.history import PastPassage
from memory.errors import CorruptRecord, StorageError
from memory.ingest.folders import Failure
from memory.records.access import EVERYTHING
from memory.records.base import Domain, Record
from memory.records.knowledge import Fact, Passage
from memory.semantic.base import SemanticMemory

MAX_BATCH = 500
"""Passages that are committed together, unless one document has more."""


class Place(NamedTuple):
    """Where a document is stored. There is one document in a place."""

    source: str
    domain: Domain
    owner: str | None


class Contents(NamedTuple):
    """What was read of a document."""

    passages: tuple[Passage, ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know of it, such as what was left out."""


class Note(NamedTuple):
    """A remark on a document that was read."""

    source: str
    text: str


class IngestReport(Record):
    """The result of an ingest."""

    documents: int = 0
    """Newly stored, also in place of another version."""
    changed: int = 0
    """Of these, those that replaced another version."""
    passages: int = 0
    facts: int = 0
    unchanged: int = 0
    failed: tuple[Failure, ...] = ()
    notes: tuple[Note, ...] = ()


class Removed(Record):
    """How much of a document was removed."""

    passages: int
    facts: int


class _Write(NamedTuple):
    place: Place
    contents: Contents
    done: "asyncio.Future[IngestReport]"


class DocumentWriter:
    """The only writer of documents in a process: two ingests of one document would mix."""

    def __init__(
        self,
        episodic: EpisodicMemory,
        semantic: SemanticMemory,
        sole_writer: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_stored: Callable[[Sequence[IngestReport]], None] | None = None,
        corrected: Callable[[Place, Contents], Awaitable[Contents]] | None = None,
    ) -> None:
        """`sole_writer` keeps out the writers of other processes while its block runs; `on_stored` is told
        what was stored; `corrected` leaves out of what was read what people found wrong."""
        self._episodic = episodic
        self._semantic = semantic
        self._sole_writer = sole_writer
        self._clock = clock
        self._on_stored = on_stored
        self._corrected = corrected
        self._lock = asyncio.Lock()
        self._waiting: list[_Write] = []
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keeps all others from storing and removing documents while the block runs."""
        async with self._lock, self._sole_writer():
            yield

    async def store(self, place: Place, contents: Contents) -> IngestReport:
        """Stores the document, unless it is stored unchanged. Raises StoreUnavailable.

        The old content is removed only after the new content is stored, so an interruption loses nothing, and
        ingesting again repairs it. The passages decide whether a document counts as stored; they are
        therefore added after its facts and removed before them.
        """
        done: asyncio.Future[IngestReport] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(place, contents, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_waiting())
        return await done

    async def compare(self, place: Place, contents: Contents) -> IngestReport:
        """What `store` would report now. Raises StoreUnavailable."""
        stored = await self._fingerprints([place])
        return _report(place, await self._correct(place, contents), stored.get(place))

    async def rewrite(self, place: Place) -> Removed:
        """Leaves out of a stored document what people found wrong since; returns how much that was.

        Raises StoreUnavailable.
        """
        source, domain, owner = place
        async with self.alone():
            passages = await self._episodic.passages(source, domain=domain, owner=owner)
            facts = await self._semantic.facts(source, domain=domain, owner=owner)
            contents = await self._correct(place, Contents(passages, facts))
            if contents.passages:
                done: asyncio.Future[IngestReport] = asyncio.get_running_loop().create_future()
                await self._write([_Write(place, contents, done)])
            else:
                await self._semantic.remove(source, domain=domain, owner=owner)
                await self._episodic.remove(source, domain=domain, owner=owner)
        changed = {p.id for p in passages} - {p.id for p in contents.passages}
        return Removed(passages=len(changed), facts=len(facts) - len(contents.facts))

    async def remove(self, place: Place) -> Removed:
        """Removes the document from vectors, full text and graph. Raises StoreUnavailable."""
        source, domain, owner = place
        async with self.alone():
            passages = await self._episodic.remove(source, domain=domain, owner=owner)
            facts = await self._semantic.remove(source, domain=domain, owner=owner)
        return Removed(passages=passages, facts=facts)

    async def _write_waiting(self) -> None:
        while self._waiting:
            async with self._lock:
                batch = self._next_batch()
                try:
                    await self._write_alone(batch)
                except StorageError as error:
                    if len(batch) == 1:
                        _fail(batch, error)
                        continue
                    for each in batch:  # one of them may be to blame
                        await self._write_one(each)
                except BaseException as error:
                    _fail([*batch, *self._waiting], error)
                    self._waiting.clear()
                    raise

    async def _write_one(self, write: _Write) -> None:
        try:
            await self._write_alone([write])
        except StorageError as error:
            _fail([write], error)

    def _next_batch(self) -> list[_Write]:
        """Takes documents of different places, in order, up to MAX_BATCH passages."""
        batch: dict[Place, _Write] = {}
        rest: list[_Write] = []
        passages = 0
        for write in self._waiting:
            passages += len(write.contents.passages)
            if rest or write.place in batch or (batch and passages > MAX_BATCH):
                rest.append(write)
            elif not write.done.cancelled():
                batch[write.place] = write
        self._waiting = rest
        return list(batch.values())

    async def _write_alone(self, batch: Sequence[_Write]) -> None:
        async with self._sole_writer():
            await self._write(batch)

    async def _write(self, batch: Sequence[_Write]) -> None:
        now = self._clock()
        batch = [w._replace(contents=await self._correct(w.place, w.contents)) for w in batch]
        stored = await self._fingerprints([write.place for write in batch])
        changed = [w for w in batch if stored.get(w.place) != fingerprint(p.id for p in w.contents.passages)]
        # Also of unchanged documents: the rules that find facts may have changed.
        facts = [_observed(fact, now) for write in batch for fact in write.contents.facts]
        known = [fact for write in batch if write.place in stored for fact in await self._redated(write)]
        await self._semantic.redate(known)
        await self._semantic.add(facts)
        await self._episodic.add(
            [_stamped(passage, now) for write in changed for passage in write.contents.passages]
        )
        for write in batch:
            (source, domain, owner), contents = write.place, write.contents
            if write in changed and write.place in stored:
                kept = {p.id for p in contents.passages}
                await self._keep_history(write.place, kept, now)
                await self._episodic.remove(source, domain=domain, owner=owner, keep=kept)
            # Also for an unchanged document: an interrupted ingest may have left facts of another version.
            await self._semantic.remove(
                source, domain=domain, owner=owner, keep={f.id for f in contents.facts}
            )
        reports = [_report(write.place, write.contents, stored.get(write.place)) for write in batch]
        if self._on_stored is not None:
            self._on_stored(reports)
        for write, report in zip(batch, reports, strict=True):
            if not write.done.done():
                write.done.set_result(report)

    async def _redated(self, write: _Write) -> list[Fact]:
        """The stored facts to which the document now gives another date, with that.

        If some cannot be read, it removes all: the document gives them again.
        """
        source, domain, owner = write.place
        dates = {fact.id: fact.dated for fact in write.contents.facts}
        try:
            stored = await self._semantic.facts(source, domain=domain, owner=owner)
        except CorruptRecord:
            await self._semantic.remove(source, domain=domain, owner=owner)
            return []
        return [
            fact.model_copy(update={"dated": dates[fact.id]})
            for fact in stored
            if fact.id in dates and fact.dated != dates[fact.id]
        ]

    async def _correct(self, place: Place, contents: Contents) -> Contents:
        return contents if self._corrected is None else await self._corrected(place, contents)

    async def _keep_history(self, place: Place, kept: Collection[str], now: datetime) -> None:
        """Remembers the passages that a new version of their document replaces."""
        source, domain, owner = place
        stored = await self._episodic.passages(source, domain=domain, owner=owner)
        if replaced := [passage for passage in stored if passage.id not in kept]:
            facts = await self._semantic.facts(source, domain=domain, owner=owner)
            past = []
            for passage in replaced:
                theirs = tuple(fact for fact in facts if fact.passage_id == passage.id)
                past.append(PastPassage(passage=passage, facts=theirs, until=now))
            await self._episodic.history.add(past)

    async def _fingerprints(self, places: Sequence[Place]) -> dict[Place, str]:
        """The stored documents of these places."""
        sources = {place.source for place in places}
        stored = await self._episodic.documents(access=EVERYTHING, sources=sources)
        found = {Place(each.source, each.domain, each.owner): each.fingerprint for each in stored}
        return {place: found[place] for place in places if place in found}


def _observed(fact: Fact, now: datetime) -> Fact:
    """The fact with the time at which it is first stored, unless it has one."""
    return fact if fact.observed_at else fact.model_copy(update={"observed_at": now})


def _stamped(passage: Passage, now: datetime) -> Passage:
    """The passage with the time at which it is stored, unless it has one, as an imported passage has."""
    return passage if passage.added_at else passage.model_copy(update={"added_at": now})


def _report(place: Place, contents: Contents, stored: str | None) -> IngestReport:
    notes = tuple(Note(place.source, text) for text in contents.notes)
    if stored == fingerprint(p.id for p in contents.passages):
        return IngestReport(unchanged=1, notes=notes)
    return IngestReport(
        documents=1,
        changed=int(stored is not None),
        passages=len(contents.passages),
        facts=len(contents.facts),
        notes=notes,
    )


def _fail(writes: Sequence[_Write], error: BaseException) -> None:
    for write in writes:
        if not write.done.done():
            write.done.set_exception(error)
