"""Growing: teaches a base model the lessons that another one's live adapters have learned.

The lessons are the signed curricula of the outbox, as they are; the training worker trains them and its
gates decide. All progress is in the queue, in the registry and in a folder of answers, so that a run that was
killed goes on where it was and trains nothing twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from agent.engines.base import Engine
from agent.errors import AdapterRefused, CanaryFailed, GrowthRefused, NothingToGrow
from agent.growth.closed_book import Question, closed_book, held_out_questions
from agent.growth.engines import OneEngine
from agent.growth.gain import Measured, growth_report
from agent.growth.records import ClosedBook, GrownLesson, GrowthReport
from agent.growth.tokenizers import tokenizer_mismatch
from agent.models.card import require_teachable
from agent.models.store import AddedModel
from agent.promotion import is_outdated, promote
from memory.adapters.base import AdapterRegistry
from memory.errors import AdapterNotServable, CorruptRecord, UnknownRun
from memory.outbox.base import Outbox, TrainingResult
from memory.records.adapters import Adapter
from memory.records.base import Digest, Domain
from memory.records.curricula import Curriculum
from memory.records.runs import Lever

POLL_SECONDS = 0.5


class Watch(Protocol):
    """Shows how far growing is."""

    def say(self, line: str) -> None:
        """Something has ended."""
        ...

    def progress(self, what: str, done: int, total: int) -> None:
        """So much of what goes on now is done; a total of 0 is not known."""
        ...


@dataclass(frozen=True)
class Growing:
    """Dependencies of growing from one base model to another."""

    source: AddedModel
    target: AddedModel
    source_adapters: AdapterRegistry
    target_adapters: AdapterRegistry
    """The same registry as the two bases see it."""
    outbox: Outbox
    """Its jobs are those of lessons that move to the target."""
    unapproved: Callable[[Digest], str | None]
    """Why the approval of a curriculum does not hold; None if it does."""
    open_engine: Callable[[AddedModel], Engine]
    worker: Callable[[], AbstractAsyncContextManager[Callable[[], None]]]
    """A training worker of the target; the function it gives raises GrowthRefused once it has ended."""
    promoting: Callable[[Adapter], AbstractAsyncContextManager[None]]
    """Around each promotion, for the audit log."""
    folder: Path
    """For the models' answers."""
    watch: Watch
    lever: Lever = "curriculum"
    run_id: str = "grow"
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True)
class Source:
    """A domain's live adapter on the source, the lessons that can be taught again, and those that cannot."""

    adapter: Adapter
    lessons: tuple[Curriculum, ...]
    unusable: tuple[GrownLesson, ...]

    @property
    def domain(self) -> Domain:
        """The domain that it serves."""
        return self.adapter.domain


async def grow(growing: Growing, domain: Domain | None = None) -> GrowthReport:
    """Moves the lessons of one domain, or of all, and measures both models before and after.

    Raises GrowthRefused for models that cannot be used together, NotTeachable for a target that cannot be
    taught, NothingToGrow, and errors of the engine and the stores. A lesson that fails is listed in the
    report.
    """
    check_models(growing.source, growing.target, growing.lever)
    sources = await _sources(growing, domain)
    questions = {each.domain: held_out_questions(each.lessons) for each in sources}
    engines = OneEngine(growing.open_engine, growing.source_adapters, growing.target_adapters)

    async def ask(model: AddedModel, adapter: Adapter | None, domain: Domain) -> ClosedBook:
        return await _ask(growing, engines, model, adapter, domain, questions[domain])

    on_source = {
        each.domain: [await ask(growing.source, adapter, each.domain) for adapter in (None, each.adapter)]
        for each in sources
    }
    on_target = {each.domain: [await ask(growing.target, None, each.domain)] for each in sources}
    taught: dict[Domain, list[GrownLesson]] = {each.domain: [] for each in sources}
    if any(each.lessons for each in sources):
        async with growing.worker() as check:
            for each in sources:
                taught[each.domain] = await _teach_all(growing, engines, each, check)
    measured = []
    for each in sources:
        live = await asyncio.to_thread(growing.target_adapters.live, each.domain)
        after = on_target[each.domain][0] if live is None else await ask(growing.target, live, each.domain)
        on_target[each.domain].append(after)
        attempts = await asyncio.to_thread(_attempts, growing, each)
        lessons = (*each.unusable, *taught[each.domain])
        measured.append(
            Measured(
                source=each.adapter,
                target=live,
                lessons=lessons,
                attempts=attempts,
                on_source=on_source[each.domain],
                on_target=on_target[each.domain],
            )
        )
    return growth_report(growing.source.name, growing.target.name, growing.lever, measured)


def check_models(source: AddedModel, target: AddedModel, lever: Lever) -> None:
    """Raises GrowthRefused for models that cannot be used together, NotTeachable for the target."""
    if source.card.digest == target.card.digest:
        raise GrowthRefused(
            f"{source.name} and {target.name} are the same model: name another one to grow onto"
            " (`nightschool models list`)"
        )
    require_teachable(target.card)
    if lever == "distillation" and (reason := tokenizer_mismatch(source.folder, target.folder)) is not None:
        raise GrowthRefused(
            f"{reason}, so the log-probabilities of one mean nothing to the other: grow with --lever"
            " curriculum, or onto a model of the same family"
        )


async def _sources(growing: Growing, domain: Domain | None) -> tuple[Source, ...]:
    registry = growing.source_adapters
    live = sorted((await asyncio.to_thread(registry.live_names)).items())
    chosen = [name for there, name in live if domain in (None, there)]
    adapters = [await asyncio.to_thread(registry.get, name) for name in chosen]
    sources = [await _source(growing, adapter) for adapter in adapters if adapter.learned]
    if not sources:
        where = f"the domain {domain!r}" if domain else "any domain"
        raise NothingToGrow(
            f"{growing.source.name} has no live adapter with lessons in {where}, so there is nothing to move:"
            " `nightschool adapters list` shows what it has learned, `nightschool learn` teaches it"
        )
    return tuple(sources)


async def _source(growing: Growing, adapter: Adapter) -> Source:
    lessons: list[Curriculum] = []
    unusable: list[GrownLesson] = []
    for digest in adapter.learned:
        try:
            lesson = await growing.outbox.curriculum(digest)
        except (UnknownRun, CorruptRecord) as error:
            unusable.append(GrownLesson(digest=digest, status="failed", reason=str(error)))
            continue
        if (reason := await asyncio.to_thread(growing.unapproved, digest)) is None:
            lessons.append(lesson)
        else:
            unusable.append(_ended(lesson, "failed", reason))
    return Source(adapter, tuple(lessons), tuple(unusable))


async def _teach_all(
    growing: Growing, engines: OneEngine, source: Source, check: Callable[[], None]
) -> list[GrownLesson]:
    """Teaches the lessons in the order in which the source learned them, each on top of the one before."""
    ended = []
    for number, lesson in enumerate(source.lessons, 1):
        title = f"{source.domain}: lesson {number} of {len(source.lessons)}, {lesson.topic}"
        live = await asyncio.to_thread(growing.target_adapters.live, source.domain)
        if live is not None and lesson.digest in live.learned:
            grown = _ended(lesson, "transferred", f"{live.name} knows it", live.name)
        else:
            result = await _train(growing, lesson, title, check)
            grown = await _promoted(growing, engines, lesson, result)
        growing.watch.say(f"{title}: {grown.status}: {grown.reason}")
        ended.append(grown)
    return ended


async def _train(
    growing: Growing, lesson: Curriculum, title: str, check: Callable[[], None]
) -> TrainingResult:
    """Queues the lesson and waits for its result. Queueing again what was queued or trained does nothing."""
    outbox = growing.outbox
    await outbox.submit(lesson, run_id=growing.run_id)
    while (result := await outbox.result(lesson.digest)) is None:
        check()
        now = await outbox.progress(lesson.digest)
        growing.watch.progress(f"{title}: {now.phase} {now.message}".rstrip(), now.done, now.total)
        await growing.sleep(POLL_SECONDS)
    return result


async def _promoted(
    growing: Growing, engines: OneEngine, lesson: Curriculum, result: TrainingResult
) -> GrownLesson:
    """Makes a candidate live on the target, if it answers its canary question."""
    if result.status != "candidate" or result.adapter is None:
        status: Literal["rejected", "failed"] = "rejected" if result.status == "rejected" else "failed"
        return _ended(lesson, status, result.reason, result.adapter)
    registry = growing.target_adapters
    adapter = await asyncio.to_thread(registry.get, result.adapter)
    live = await asyncio.to_thread(registry.live, adapter.domain)
    if adapter.status == "retired" or is_outdated(adapter, live):
        reason = (
            f"{adapter.name} knows it, but {adapter.domain} was rolled back or got another live adapter on"
            f" {growing.target.name} since: `nightschool adapters promote {adapter.name}` puts it back"
        )
        return _ended(lesson, "failed", reason, adapter.name)
    try:
        engine = await engines.of(growing.target)
        async with growing.promoting(adapter):
            await promote(adapter.name, engine=engine, registry=registry)
    except (AdapterRefused, CanaryFailed, AdapterNotServable) as error:
        return _ended(lesson, "failed", f"trained, but not served: {error}", adapter.name)
    return _ended(lesson, "transferred", result.reason, adapter.name)


def _ended(
    lesson: Curriculum,
    status: Literal["transferred", "rejected", "failed"],
    reason: str,
    adapter: str | None = None,
) -> GrownLesson:
    return GrownLesson(
        digest=lesson.digest,
        topic=lesson.topic,
        facts=len(lesson.facts),
        status=status,
        adapter=adapter,
        reason=reason,
    )


def _attempts(growing: Growing, source: Source) -> tuple[Adapter, ...]:
    """The adapters that the target has of these lessons, whether they passed their gates or not."""
    digests = {lesson.digest for lesson in source.lessons}
    return tuple(
        adapter
        for adapter in growing.target_adapters.list(source.domain)
        if adapter.base_digest == growing.target.card.digest and adapter.curriculum in digests
    )


async def _ask(
    growing: Growing,
    engines: OneEngine,
    model: AddedModel,
    adapter: Adapter | None,
    domain: Domain,
    questions: Sequence[Question],
) -> ClosedBook:
    """What the model answers to the domain's questions, with this adapter or without any."""
    what = f"{domain}: asking {adapter.name if adapter else model.name}"
    answered = 0

    def on_answer() -> None:
        nonlocal answered
        answered += 1
        growing.watch.progress(what, answered, len(questions))

    return await closed_book(
        questions,
        model.card,
        adapter.name if adapter else None,
        partial(engines.of, model, adapter),
        growing.folder / "answers",
        on_answer=on_answer,
        monotonic=growing.monotonic,
    )
