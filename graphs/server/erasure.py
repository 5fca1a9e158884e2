"""Erasure: forgets a user, a document or a single record in every store, and purges the stores' files.

What was derived goes first and what it was derived from last, so that an erasure that was broken off is
completed by another one of the same target.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from agent.concurrency import gather_limited
from agent.feedback.pseudonyms import pseudonym
from agent.nights.curriculum import TEACHER
from agent.nights.statements.facts import statement_source
from graphs.server import threads
from graphs.server.executor import Executor
from graphs.server.taught import TaughtLesson
from graphs.state import Runtime
from memory.database.purge import purge
from memory.database.tables import (
    ANNOTATION_ITEMS,
    ATTACKS,
    GAPS,
    GOLDEN_PAIRS,
    INTERACTIONS,
    REVISIONS,
    RUNS,
    STATEMENTS,
)
from memory.errors import CorruptRecord, UnknownRun, UnknownThread
from memory.records.access import EVERYTHING
from memory.records.base import Digest, Record
from memory.records.curricula import Curriculum
from memory.records.interactions import speaker_id
from memory.server.crons import Crons
from memory.server.erasure import ErasableRows, Target, Traces
from memory.server.store import ItemStore, delete_items

REASON = "what it teaches was forgotten"


class Erased(Record):
    """What was forgotten: the number of records by store, those of zero left out."""

    counts: dict[str, int]
    taught: tuple[TaughtLesson, ...] = ()
    """From this target; for admins also from what was forgotten before."""


@dataclass(frozen=True)
class Erasure:
    """Forgets in the stores of one service."""

    runtime: Runtime
    executor: Executor
    items: ItemStore
    databases: tuple[str, ...]
    """SQLAlchemy URLs of all databases with texts."""

    async def forget(self, target: Target) -> Erased:
        """Forgets the target everywhere; repeating it completes what was broken off.

        Adapters stay as they are: see `Erased.taught`. Raises StoreUnavailable, and ThreadBusy if a run of a
        thread does not end.
        """
        rows, runtime = ErasableRows(self.runtime.database), self.runtime
        is_document = target.kind == "source"
        held = await self.executor.saver.athreads_holding(target.value) if is_document else ()
        thread_ids = await rows.threads(target, held)
        if not is_document:  # a thread's turns are logged under its pseudonym
            units = (*target.units, *(pseudonym(each, runtime.pseudonym_key) for each in sorted(thread_ids)))
            target = target.model_copy(update={"units": units})
        turns = await rows.turns(target)
        turn_ids = {turn.id for turn in turns}
        gaps = await rows.gaps(target, turns)
        learn_runs = await rows.learn_runs(target, gaps, thread_ids)
        statements = await rows.statements(target, turn_ids)
        strings = frozenset({*turn_ids, *gaps, *(statement_source(each.id) for each in statements)})
        source = target.value if is_document else None
        traces = Traces(strings, source, target.owner)
        made = await rows.made_of(traces)
        made_ids = {id for bodies in made.values() for id in bodies}
        verified = {body["question"] for body in made[GOLDEN_PAIRS.name].values()}
        traces = traces._replace(strings=traces.strings | made_ids)
        counts: dict[str, int] = {}

        lessons = await self._forget_lessons(traces, await rows.lessons_of_gaps(gaps), verified)
        counts["lessons and preference sets"] = len(lessons)
        counts["archived answers"] = await self._forget_answers(traces)
        counts["topics and nights"] = await rows.redact(
            {turn.question for turn in turns} | verified | {*gaps.values()}
        )
        for table in (ATTACKS, GOLDEN_PAIRS, ANNOTATION_ITEMS, REVISIONS):
            counts[table.name.replace("_", " ")] = await rows.delete(table, made[table.name])
        counts["passages"], counts["facts"] = await self._forget_documents(target)
        for statement in statements:
            await runtime.semantic.remove(statement_source(statement.id), domain=statement.domain)
        for unit in target.units:
            for fact in await runtime.semantic.said(speaker_id(unit, target.owner), limit=100_000):
                await runtime.semantic.remove(fact.source, domain=fact.domain)
        counts["withdrawn sentences"] = await rows.delete_withdrawn(target)
        counts["perspectives"] = await rows.delete_perspectives(target)
        counts["statements"] = await rows.delete(STATEMENTS, {each.id for each in statements})
        run_ids = await rows.runs_of_threads({*thread_ids, *learn_runs})
        await self.executor.jobs.forget_webhooks(run_ids)
        counts["learn runs"] = await rows.delete(RUNS, learn_runs)
        if target.kind == "user":
            counts["stored items"] = await delete_items(self.items, target.value, target.owner)
            counts["crons"] = await self._forget_crons(target)
            counts["exposures"] = await rows.delete_exposures(
                {
                    *(speaker_id(unit, target.owner) for unit in target.units),
                    *(turn.user for turn in turns if turn.user),
                }
            )
            if target.owner in (None, target.value):
                counts["feedback"] = await rows.delete_feedback_of(target.value)
        counts["feedback"] = counts.get("feedback", 0) + await rows.feedback_on(turn_ids)
        counts["corrections"] = await rows.strip_corrections(turn_ids)
        counts["gaps"] = await rows.delete(GAPS, gaps)
        counts["turns"] = await rows.delete(INTERACTIONS, turn_ids)
        counts["threads"] = await self._forget_threads({*thread_ids, *learn_runs})
        await self._purge()
        adapters = await asyncio.to_thread(self._taught, None if target.owner is None else lessons)
        return Erased(counts={name: count for name, count in counts.items() if count}, taught=adapters)

    async def _forget_lessons(
        self, traces: Traces, of_gaps: frozenset[Digest], verified: Collection[str]
    ) -> frozenset[Digest]:
        """Deletes what the trainer was or may be given of these traces, and puts it into quarantine.

        Also the lessons `of_gaps`, and those of nights with one of the `verified` questions. A text alone is
        no trace: a user may ask any, also one that somebody else's lesson teaches.
        """
        outbox, found = self.runtime.outbox, set()
        for kind, digest in await outbox.digests():
            try:
                record = await (outbox.curriculum if kind == "lesson" else outbox.preferences)(digest)
            except (UnknownRun, CorruptRecord):
                continue  # gone meanwhile, or no record of ours
            if (
                digest in of_gaps
                or traces.in_(record.model_dump(mode="json"))
                or (isinstance(record, Curriculum) and _is_of_night(record, verified))
            ):
                await asyncio.to_thread(self.runtime.registry.quarantine, digest, REASON)
                await outbox.delete(digest)
                found.add(digest)
        if found:
            await self.runtime.routes.refresh()
        return frozenset(found)

    def _taught(self, digests: frozenset[Digest] | None) -> tuple[TaughtLesson, ...]:
        """Live adapters that learned any of these, or anything that was ever forgotten; blocks."""
        registry = self.runtime.registry
        found = []
        for domain in registry.live_names():
            adapter = registry.live(domain)
            if adapter is None:  # rolled back meanwhile
                continue
            for digest in (*adapter.learned, *adapter.preferences):
                if registry.quarantined(digest) != REASON or (digests is not None and digest not in digests):
                    continue
                lesson = digest in adapter.learned
                command = f"forget {domain} {digest[:12]}" if lesson else f"rollback {domain}"
                found.append(
                    TaughtLesson(
                        adapter=adapter.name,
                        domain=domain,
                        digest=digest,
                        command=f"nightschool adapters {command}",
                    )
                )
        return tuple(found)

    async def _forget_answers(self, traces: Traces) -> int:
        answers = await self.runtime.answers.list()
        return await self.runtime.answers.remove(
            [each.id for each in answers if traces.in_(each.model_dump(mode="json"))]
        )

    async def _forget_documents(self, target: Target) -> tuple[int, int]:
        """Removes the document, or all documents of the user; returns how many passages and facts."""
        passages = facts = 0
        for each in await self.runtime.episodic.documents(access=EVERYTHING):
            named = target.kind == "source" and each.source == target.value
            theirs = target.kind == "user" and each.owner == target.value
            if (named or theirs) and target.owner in (None, each.owner):
                domain, owner = each.domain, each.owner
                facts += await self.runtime.semantic.remove(each.source, domain=domain, owner=owner)
                passages += await self.runtime.episodic.remove(each.source, domain=domain, owner=owner)
        return passages, facts

    async def _forget_threads(self, thread_ids: Collection[str]) -> int:
        count = 0
        for thread_id in sorted(thread_ids):
            with suppress(UnknownThread):
                await threads.delete(self.executor, thread_id)
                count += 1
        return count

    async def _forget_crons(self, target: Target) -> int:
        if target.owner not in (None, target.value):
            return 0
        ids = await ErasableRows(self.runtime.database).crons(target.value)
        for cron_id in ids:
            await self.executor.jobs.unschedule(cron_id)
            await Crons(self.runtime.database).delete(cron_id)
        return len(ids)

    async def _purge(self) -> None:
        """All stores at once, because a purge mostly waits: for searches that use the old files to end."""
        runtime = self.runtime
        calls: list[Callable[[], Awaitable[None]]] = [
            runtime.episodic.purge,
            runtime.answers.purge,
            runtime.semantic.purge,
            *(partial(purge, url) for url in dict.fromkeys(self.databases)),
        ]
        if runtime.web is not None:
            calls.append(runtime.web.forget_replies)
        await gather_limited(calls, len(calls))


def _is_of_night(curriculum: Curriculum, questions: Collection[str]) -> bool:
    """Whether a night made the lesson of one of these questions."""
    pairs = (*curriculum.pairs, *curriculum.held_out)
    if curriculum.teacher != TEACHER:
        return False
    attacks = [pair.question for pair in curriculum.attacked]  # a question is a part of the attack on it
    return any(pair.question in questions for pair in pairs) or any(
        question in text for question in questions for text in attacks
    )
