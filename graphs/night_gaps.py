"""Starts learn runs for the gaps that a night's topics ask for most."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import datetime

from agent.errors import NotTeachable
from agent.models.card import require_teachable
from agent.nights.topics.trending_gaps import trending_gaps
from graphs.night_step import StepContext
from graphs.state import Runtime
from memory.records.interactions import Gap
from memory.records.nights import Topic

MAX_RUNS = 1000


async def explore_gaps(work: StepContext, topics: Sequence[Topic], gaps: Sequence[Gap]) -> tuple[int, str]:
    """How many learn runs the night has started, and why there are none; safe to repeat."""
    context, limit = work.runtime, work.night.options.explore_gaps
    try:
        require_teachable(context.card)
    except NotTeachable as error:
        return 0, f"no gap is explored: {error}"
    if context.start_run is None or context.learn_gap is None:
        return 0, "no gap is explored: learn runs cannot be started here"
    started = [gap for gap in gaps if gap.run_id == _run_id(work, gap)]
    wanted = await asyncio.to_thread(
        trending_gaps,
        topics,
        gaps,
        limit - len(started),
        embedder=context.embedder,
        now=context.clock(),
        explored=await _explored(context),
    )
    for gap in [*started, *wanted]:
        await context.learn_gap(context, gap, _run_id(work, gap))
        work.say(f"a learn run explores gap {gap.id}")
    return len(started) + len(wanted), ""


def _run_id(work: StepContext, gap: Gap) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{work.night.id}:{gap.id}").hex


async def _explored(context: Runtime) -> dict[str, datetime]:
    """When the last learn run about a gap ended, by gap id."""
    runs = await context.database.runs(limit=MAX_RUNS)
    ends = [(run.gap_id, run.finished_at) for run in reversed(runs)]
    return {gap_id: end for gap_id, end in ends if gap_id is not None and end is not None}
