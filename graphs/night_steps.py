"""The steps of a night from the day's turns to their golden pairs: collect, score, revise, and so on.

Each writes what it makes as it is made, under ids by which a repeated step finds it again.
"""

import asyncio
from collections.abc import Mapping, Sequence

from langchain_core.messages import BaseMessage

from agent.chat.model_calls import ask_model, with_length_limit
from agent.engines.base import Reply, Sampling
from agent.nights.collect import Collected, by_unit, collect
from agent.nights.golden.evidence import gather_golden_evidence
from agent.nights.golden.select import select_golden
from agent.nights.privacy import is_personal
from agent.nights.revision.archive import archive_answers, archive_golden
from agent.nights.revision.lessons import Lessons
from agent.nights.revision.rescoring import rescoring
from agent.nights.revision.revise import RevisionDeps, revise_turn
from agent.nights.scoring.evidence import gather_evidence
from agent.nights.scoring.score import score_turns
from agent.nights.scoring.scorer import Scorer, standard_scorer
from agent.nights.scoring.truth_set import truth_set_report
from agent.nights.statements.consolidate import MAX_STATEMENTS, expire
from agent.nights.statements.consolidate import consolidate as consolidate_turns
from agent.nights.statements.contradictions import disputes
from agent.nights.topics.find import examine_day
from agent.nights.topics.membership import topic_name, topics_of
from graphs.night_gaps import explore_gaps
from graphs.night_step import StepContext, StepResult
from graphs.state import Runtime
from memory.language.counting import counted
from memory.records.access import EVERYTHING
from memory.records.interactions import Interaction
from memory.records.nights import AnswerScore, Revision

BATCH = 50
"""Turns whose results are stored together."""
MAX_GAPS = 2000
MAX_REVISIONS = 10_000


async def collect_turns(work: StepContext) -> StepResult:
    """Counts the turns to go over; below the minimum the night is skipped."""
    found = await _collected(work)
    minimum = work.night.options.minimum_turns
    reasons = [f"{count} left out: {reason}" for reason, count in sorted(found.left_out.items())]
    if len(found.turns) < minimum:
        reason = f"{counted(len(found.turns), 'turn')}, and the minimum is {minimum}"
        ending = {"ending": "skipped", "reason": reason}
        return StepResult("skipped", "; ".join([reason, *reasons]), found.figures, ending)
    return StepResult(reason="; ".join(reasons), figures=found.figures)


async def score(work: StepContext) -> StepResult:
    """Scores the turns that this version of the scorer has not scored, and checks the scorer for drift."""
    context, store = work.runtime, work.runtime.nights
    turns = (await _collected(work)).turns
    scorer = await _scorer(context)
    known = await store.scores([turn.id for turn in turns], scorer=scorer.label)
    # Neighbours of one user, because the next turn tells something about an answer.
    missing = [turn for turn in by_unit(turns) if turn.id not in known]
    for start in range(0, len(missing), BATCH):
        if not work.has_time:
            return StepResult("stopped", f"the window ended after {len(known)} of {len(turns)} answers")
        batch = missing[start : start + BATCH]
        evidence = await gather_evidence(
            batch,
            episodic=context.episodic,
            semantic=context.semantic,
            access=work.access,
            feedback=context.feedback,
        )
        scores = await asyncio.to_thread(score_turns, batch, evidence, scorer, now=context.clock())
        await store.save_scores(scores)
        known |= {each.interaction_id: each for each in scores}
        work.say(f"{len(known)} of {len(turns)} answers are scored", done=len(known), total=len(turns))
    brackets = [each.bracket for each in known.values()]
    counts = {f"{name}_scores": float(brackets.count(name)) for name in ("low", "middle", "high")}
    truth = await asyncio.to_thread(truth_set_report, scorer)
    drift = (
        f"; the scorer has drifted: {truth.auroc:.3f} on the truth set, {truth.recorded_auroc:.3f} when it"
        " was calibrated"
        if truth.drifted and truth.recorded_auroc is not None
        else ""
    )
    return StepResult(reason=f"by {scorer.label}{drift}", figures=counts | truth.figures)


async def revise(work: StepContext) -> StepResult:
    """Looks for better answers than the low ones, lowest first, except for those that it has revised.

    Questions that users ask about themselves are left alone: no library answers them.
    """
    context, options = work.runtime, work.night.options
    turns = {turn.id: turn for turn in (await _collected(work)).turns}
    scores = await _scores(work, turns)
    revised = await _revisions(work, turns)
    answers = [each for each in scores.values() if each.bracket == "low"]
    personal = await asyncio.to_thread(_personal, [turns[each.interaction_id] for each in answers])
    low = sorted(
        (each for each in answers if each.interaction_id not in personal),
        key=lambda each: (each.value, each.interaction_id),
    )
    if not low:
        return StepResult("skipped", "no answer has a low score")
    deps = await _revision_deps(work)
    for each in low[: options.max_revisions]:
        if each.interaction_id in revised:
            continue
        if not work.has_time:
            return StepResult("stopped", f"the window ended after {len(revised)} of {len(low)} answers")
        revision = await revise_turn(
            turns[each.interaction_id],
            each,
            deps,
            night_id=work.night.id,
            strategies=options.strategies,
            attempts=options.attempts,
            now=context.clock(),
        )
        await context.nights.save_revision(revision)
        revised[each.interaction_id] = revision
        work.say(f"answer {revision.interaction_id}: {revision.status}", score=round(revision.score_after, 1))
    made = [revised[each.interaction_id] for each in low if each.interaction_id in revised]
    statuses = ("improved", "no_better", "unverified", "needs_person", "rejected")
    figures: dict[str, float] = {name: sum(each.status == name for each in made) for name in statuses}
    figures |= {"low_answers": len(low), "tokens": sum(each.tokens for each in made)}
    beyond = max(0, len(low) - options.max_revisions)
    reason = f"{counted(beyond, 'low answer')} beyond the limit" if beyond else ""
    return StepResult(reason=reason, figures=figures)


async def archive(work: StepContext) -> StepResult:
    """Puts the improved answers where chat finds them."""
    context = work.runtime
    turns = {turn.id: turn for turn in (await _collected(work)).turns}
    revisions = list((await _revisions(work, turns)).values())
    improved = sum(each.status == "improved" for each in revisions)
    if not improved:
        return StepResult("skipped", "no answer was improved")
    topics = await context.nights.topics(domain=work.night.domain)
    questions = [each.question for each in revisions]
    found = await asyncio.to_thread(topics_of, questions, topics, embedder=context.embedder)
    names = {each.id: topic_name(topic) for each, topic in zip(revisions, found, strict=True) if topic}
    await archive_answers(
        revisions,
        archive=context.answers,
        topics_of=lambda revision: names.get(revision.id, ""),
        now=context.clock(),
    )
    return StepResult(figures={"archived": improved})


async def consolidate(work: StepContext) -> StepResult:
    """Keeps what users stated about themselves, for their own questions only."""
    context = work.runtime
    turns = by_unit([turn for turn in (await _collected(work)).turns if turn.unit is not None])
    expired = await expire(store=context.nights, semantic=context.semantic, now=context.clock())
    if not turns:
        figures = {"stale": float(expired.stale)}
        return StepResult("skipped", "no turn names a user or a conversation", figures)
    figures = {"new": 0.0, "repeated": 0.0, "contradicted": 0.0, "stale": float(expired.stale)}
    for start in range(0, len(turns), BATCH):
        if not work.has_time:
            return StepResult("stopped", f"the window ended after {start} of {len(turns)} turns", figures)
        counts = await consolidate_turns(
            turns[start : start + BATCH], store=context.nights, semantic=context.semantic, now=context.clock()
        )
        for name in figures:
            figures[name] += getattr(counts, name)
    if work.night.options.teach_statements:
        stated = await context.nights.statements(
            domain=work.night.domain, status="current", limit=MAX_STATEMENTS
        )
        figures["disputed"] = float(sum(map(len, await asyncio.to_thread(disputes, stated))))
    return StepResult(figures=figures)


async def topics(work: StepContext) -> StepResult:
    """Finds what many questions were about, and starts learn runs for the gaps that are asked for most."""
    context, night = work.runtime, work.night
    turns = (await _collected(work)).turns
    scores = await _scores(work, {turn.id: turn for turn in turns})
    gaps = [
        gap
        for gap in await context.database.gaps(access=EVERYTHING, limit=MAX_GAPS)
        if gap.domain == night.domain
    ]
    found = await asyncio.to_thread(
        examine_day,
        turns,
        scores,
        [gap for gap in gaps if gap.status == "open"],
        await context.nights.topics(domain=night.domain),
        embedder=context.embedder,
        night=night,
        now=night.began_at,
        feedback=await context.feedback.of(turn.id for turn in turns),
    )
    await context.nights.save_topics(night.id, found.topics)
    started, reason = await explore_gaps(work, found.topics, gaps)
    figures: dict[str, float] = {
        "topics": len(found.topics),
        "questions": found.questions,
        "repeated": found.repeated,
        "in_no_topic": found.unclustered,
        "explored": started,
    }
    return StepResult(reason=reason, figures=figures)


async def golden(work: StepContext) -> StepResult:
    """Selects verified question and answer pairs that are good enough to learn from."""
    context, night = work.runtime, work.night
    turns = (await _collected(work)).turns
    by_id = {turn.id: turn for turn in turns}
    scores, revisions = await _scores(work, by_id), list((await _revisions(work, by_id)).values())
    evidence = await gather_golden_evidence(
        turns,
        scores,
        revisions,
        episodic=context.episodic,
        semantic=context.semantic,
        access=work.access,
        feedback=context.feedback,
    )
    selection = await asyncio.to_thread(
        select_golden,
        turns,
        scores,
        revisions,
        await context.nights.topics(domain=night.domain, night_id=night.id),
        await context.nights.golden(domain=night.domain),
        evidence=evidence,
        embedder=context.embedder,
        night=night,
        now=night.began_at,
    )
    await context.nights.save_golden(selection.pairs)
    withdrawn = [await context.nights.withdraw_golden(id, night.id) for id in selection.withdrawn]
    pairs = await context.nights.golden(night_id=night.id)  # with people's decisions
    await archive_golden([*pairs, *withdrawn], archive=context.answers, now=context.clock())
    figures: dict[str, float] = {
        "golden": len(selection.pairs),
        "contradictions": len(selection.contradictions),
        "withdrawn": len(selection.withdrawn),
        "waiting": sum(pair.status == "waiting" for pair in pairs),
        "dropped": sum(selection.dropped.values()),
    }
    reasons = "; ".join(f"{count} dropped: {reason}" for reason, count in selection.dropped.items())
    return StepResult("done" if selection.pairs else "skipped", reasons or "", figures)


def _personal(turns: Sequence[Interaction]) -> frozenset[str]:
    """Ids of those turns that concern their user alone."""
    return frozenset(turn.id for turn in turns if is_personal(turn))


async def _collected(work: StepContext) -> Collected:
    """The night's turns, read anew in each step: the graph's state may be a client's."""
    return await collect(work.runtime.interactions, work.runtime.feedback, work.night, work.access)


async def _scorer(context: Runtime) -> Scorer:
    return await asyncio.to_thread(standard_scorer, context.embedder, context.card.declines)


async def _scores(work: StepContext, turns: Mapping[str, Interaction]) -> dict[str, AnswerScore]:
    """The scores of the turns by the present scorer."""
    label = (await _scorer(work.runtime)).label
    return await work.runtime.nights.scores(list(turns), scorer=label)


async def _revisions(work: StepContext, turns: Mapping[str, Interaction]) -> dict[str, Revision]:
    """The newest revision of each of the turns that has one, also by a night that did not end."""
    found: Sequence[Revision] = await work.runtime.nights.revisions(
        domain=work.night.domain, since=work.night.since, limit=MAX_REVISIONS
    )
    return {each.interaction_id: each for each in reversed(found) if each.interaction_id in turns}


async def _revision_deps(work: StepContext) -> RevisionDeps:
    context = work.runtime

    async def ask(messages: Sequence[BaseMessage], sampling: Sampling) -> Reply:
        return await ask_model(
            messages,
            None,
            engine=context.engine,
            routes=context.routes,
            card=context.card,
            sampling=with_length_limit(sampling, context.card),
        )

    return RevisionDeps(
        ask=ask,
        score=rescoring(
            await _scorer(context),
            episodic=context.episodic,
            semantic=context.semantic,
            access=work.access,
            feedback=context.feedback,
        ),
        episodic=context.episodic,
        semantic=context.semantic,
        access=work.access,
        embedder=context.embedder,
        card=context.card,
        lessons=Lessons(context.embedder),
        archive=context.answers,
        reviewer=context.judge,
    )
