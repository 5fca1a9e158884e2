"""What a night trains: its lesson and its preference pairs, how surprising they are, and their hand-over."""

import asyncio

from agent.engines.base import AnswerScorer, EndingScorer
from agent.feedback.preference_evidence import evaluated_prompts, read_evidence
from agent.nights.attacks import evaluation_items
from agent.nights.collect import collect, usable_evidence
from agent.nights.curriculum import LessonDeps, night_curriculum
from agent.nights.preferences import night_preferences
from agent.nights.surprise import SurpriseItem, measure_losses, update_surprise, weights
from agent.promotion import load_with_canary
from graphs.night_approval import BY_ADMINS, teachable_pairs
from graphs.night_step import StepContext, StepResult
from graphs.state import Runtime
from memory.errors import UnknownRun
from memory.nights.attacks import Attacks
from memory.records.adapters import Adapter
from memory.records.curricula import Curriculum
from memory.records.feedback import PreferenceSet
from memory.records.nights import Night
from memory.records.runs import JobKind
from memory.server.perspectives import Perspectives
from memory.server.threads import Threads

MAX_ITEMS = 500
"""Taught questions whose surprise is measured, the latest lessons first."""
MAX_STATEMENTS = 100_000
MAX_RUNS = 100
MAX_ATTACKS = 60
"""Attacks that a lesson's evaluation asks, the newest; as many as questions about invented names."""
RECENT_SETS = 20
"""Preference sets that are looked through for one in training."""


async def surprise(work: StepContext) -> StepResult:
    """Measures how surprising the taught items are to the live model."""
    context, night = work.runtime, work.night
    if not isinstance(context.engine, AnswerScorer):
        return StepResult("skipped", "the engine cannot score given answers")
    live = await asyncio.to_thread(context.registry.live, night.domain)
    items = await _taught_items(night, live, context)
    if not items:
        return StepResult("skipped", "nothing was taught yet")
    if live is not None and live.name not in await context.engine.loaded():  # the engine was restarted
        await load_with_canary(live, engine=context.engine, registry=context.registry)
    losses = await measure_losses(items, context.engine, None if live is None else live.name)
    earlier = await context.nights.surprises(night.domain)
    measured = update_surprise(items, losses, earlier, now=night.began_at)
    await context.nights.save_surprises(measured)
    mean = sum(each.loss for each in measured) / len(measured) if measured else 0.0
    return StepResult(figures={"items": len(measured), "mean_loss": mean})


async def hand_over(
    record: Curriculum | PreferenceSet, kind: JobKind, night: Night, context: Runtime
) -> Night:
    """Queues the training job and notes it in the stored night; safe to repeat. Raises NotApproved."""
    await context.approvals.require(record.digest, policy=context.approval)
    job = await context.outbox.submit(record, run_id=night.id)
    stored = await context.nights.night(night.id)
    stored = stored.model_copy(update={"handed_over": stored.handed_over | {kind: job.digest}})
    await context.nights.update(stored)
    return stored


async def what_to_train(kind: JobKind, work: StepContext) -> tuple[Curriculum | PreferenceSet | None, str]:
    """What to train, or None, and the reason in words."""
    context, night = work.runtime, work.night
    assert context.model_folder is not None, "`_why_not` looks at it"
    evaluated = await evaluated_prompts(
        night.domain, context.model_folder, registry=context.registry, outbox=context.outbox
    )
    if kind == "lesson":
        scorer = context.engine if isinstance(context.engine, EndingScorer) else None
        statements = (
            await context.nights.statements(domain=night.domain, status="current", limit=MAX_STATEMENTS)
            if night.options.teach_statements and context.approval == "auto"
            else ()
        )
        lesson = await night_curriculum(
            await teachable_pairs(work),
            statements,
            weights((await context.nights.surprises(night.domain)).values()),
            domain=night.domain,
            topic=f"the day before {night.until:%Y-%m-%d %H:%M}",
            minimum=night.options.minimum_examples,
            deps=LessonDeps(
                context.episodic,
                work.access,
                context.teacher,
                context.registry,
                context.outbox,
                scorer,
                await Perspectives(context.database).viewpoints(),
            ),
            evaluated=evaluated,
            most=context.limits.facts_per_lesson,
            attacked=evaluation_items(
                await Attacks(context.database).list(domain=night.domain, access=work.access), MAX_ATTACKS
            ),
        )
        return lesson.curriculum, lesson.reason
    if not night.options.preferences:
        return None, "the night was started without preference training"
    if context.approval == "human":
        return None, BY_ADMINS
    if context.experiments is not None and await context.experiments.store.list(
        domain=night.domain, status="running"
    ):
        return None, "an experiment runs on the domain"
    turns = frozenset((await collect(context.interactions, context.feedback, night, work.access)).ids)
    evidence = await read_evidence(
        night.domain,
        night.since,
        night.until,
        interactions=context.interactions,
        feedback=context.feedback,
        annotations=context.annotations,
        access=work.access,
    )
    evidence = await usable_evidence(evidence, context.interactions, context.feedback, night, work.access)
    revisions = await context.nights.revisions(domain=night.domain, since=night.since)
    made = night_preferences(
        [each for each in revisions if each.interaction_id in turns],
        evidence,
        domain=night.domain,
        evaluated=evaluated,
        minimum=max(2, night.options.minimum_examples),
        scores=await context.nights.scores(sorted(turns)),
        since=night.since,
        until=night.until,
    )
    return made.preferences, made.reason


async def _taught_items(night: Night, live: Adapter | None, context: Runtime) -> list[SurpriseItem]:
    """One question of each fact that the live adapter was taught, and the approved golden pairs."""
    pairs = await context.nights.golden(domain=night.domain, status="approved", limit=MAX_ITEMS)
    items = [SurpriseItem(domain=pair.domain, question=pair.question, answer=pair.answer) for pair in pairs]
    for digest in reversed(() if live is None else live.learned):
        try:
            lesson = await context.outbox.curriculum(digest)
        except UnknownRun:
            continue  # it was taught by another installation
        first = {pair.fact_id: pair for pair in reversed(lesson.pairs)}.values()
        items += [SurpriseItem(domain=night.domain, question=p.question, answer=p.answer) for p in first]
    return items[:MAX_ITEMS]


async def trainer_is_free(work: StepContext) -> bool:
    """Waits while other runs train the domain; False if the window ended first."""
    while await _others_train(work):
        if not work.has_time:
            return False
        await work.runtime.sleep(max(work.runtime.limits.poll_seconds, 1.0))
    return True


async def _others_train(work: StepContext) -> bool:
    """Whether a learn run of the domain is at work, or a preference set of it is in training."""
    context, domain = work.runtime, work.night.domain
    threads = Threads(context.database)
    for run in await context.database.runs(limit=MAX_RUNS):
        if run.outcome is None and run.domain == domain and (await threads.get(run.id)).status == "busy":
            return True
    own = set(work.night.handed_over.values())
    for digest in (await context.outbox.preference_digests())[-RECENT_SETS:]:
        try:
            unfinished = digest not in own and await context.outbox.result(digest) is None
        except UnknownRun:
            continue  # it was published, but never queued
        if unfinished and (await context.outbox.preferences(digest)).domain == domain:
            return True
    return False
