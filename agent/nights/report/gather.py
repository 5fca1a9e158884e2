"""Reads what a night stored and makes its morning report."""

import asyncio
from collections.abc import Sequence

from agent.nights.collect import collect
from agent.nights.report.records import MorningReport, NightFigures
from agent.nights.report.report import morning_report
from agent.skew.records import SkewReport
from memory.adapters.base import AdapterRegistry
from memory.feedback.feedback import FeedbackStore
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.records.access import Access
from memory.records.attacks import Attack
from memory.records.curricula import item_digest
from memory.records.nights import Night

NIGHTS = 60
"""Earlier nights in the history: two months, if there is one every day."""


async def gather_report(
    night: Night,
    *,
    store: NightStore,
    log: InteractionLog,
    feedback: FeedbackStore,
    registry: AdapterRegistry,
    access: Access,
    skew: SkewReport | None = None,
    attacks: Sequence[Attack] = (),
) -> MorningReport:
    """The report of a night by what it has stored so far; `access` is what the night may read.

    Turns that were deleted since, such as by retention, are missing: keep the report of a night that is done
    as its `summary`. Raises StoreUnavailable.
    """
    turns = (await collect(log, feedback, night, access)).turns
    scores = await store.scores([turn.id for turn in turns])
    taught = {item_digest(each.question, each.answer) for each in await store.golden(domain=night.domain)}
    surprises = await store.surprises(night.domain)
    return morning_report(
        night,
        turns=turns,
        scores=tuple(scores.values()),
        topics=await store.topics(domain=night.domain, night_id=night.id),
        revisions=await store.revisions(night_id=night.id),
        golden=await store.golden(night_id=night.id),
        surprises=tuple(each for item, each in surprises.items() if item in taught),
        adapters=await asyncio.to_thread(registry.list, night.domain),
        history=await read_history(night, store),
        skew=skew,
        attacks=attacks,
    )


async def read_history(night: Night, store: NightStore) -> tuple[NightFigures, ...]:
    """The figures of the domain's nights that were done before this one, oldest first."""
    nights = await store.nights(domain=night.domain, limit=NIGHTS + 1)
    figures = [
        MorningReport.model_validate(each.summary).figures
        for each in nights
        if each.status == "done" and each.summary and each.id != night.id and each.until <= night.until
    ]
    return tuple(sorted(figures, key=lambda each: each.at))


def stored_report(night: Night) -> MorningReport | None:
    """The report that the night ended with; None if it ended without one, or is not over."""
    return MorningReport.model_validate(night.summary) if night.summary else None
