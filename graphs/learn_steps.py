"""The steps of a learn run from detecting the gap to approval, and the report.

Each takes the state, calls one part of `agent`, and returns an update. Their order is in `learn`.
"""

import asyncio
from collections.abc import Mapping

from langgraph.runtime import Runtime as Injected
from langgraph.types import interrupt

from agent.chat.routing import DEFAULT_DOMAIN, domain_name
from agent.chat.support import supports
from agent.engines.base import EndingScorer
from agent.errors import TeacherError
from agent.learning import exploration, perspectives
from agent.learning.candidate_pairs import WrittenPairs
from agent.learning.critique import MIN_FAITHFULNESS, critique
from agent.learning.curriculum import attributed, closest_groups, compose_curriculum, group_wordings
from agent.learning.gaps import is_gap
from agent.learning.perspectives import Contested
from agent.learning.several_views import SeveralViews
from graphs import lessons
from graphs.model_exploration import call_events, explore_by_model, not_driving
from graphs.report import explained_outcome, store_outcome
from graphs.state import (
    Event,
    FindingsSummary,
    LearnState,
    Runtime,
    Update,
    check_time_limit,
    event,
    required_approval,
    run_limits,
)
from graphs.web_steps import agreed_pairs, lacking, may_search, run_access
from memory.language.text import sentences
from memory.records.access import Access
from memory.records.approvals import ApprovalRecord
from memory.records.knowledge import Critique, Findings, Passage
from memory.records.perspectives import Viewpoints
from memory.records.runs import Approval, Outcome
from memory.server.keys import LOCAL_OPERATOR
from memory.server.perspectives import Perspectives

UNANSWERED = (
    "nothing to learn from: the passages found hold no teachable answer to this question; "
    "if they answer it in another form, chat answers from them"
)
UNSCORED = (
    "; their endings were not checked, because the engine cannot score texts or failed to (see the log)"
)
DISPUTED = "disputed between sources"
VERIFIED_PER_TAUGHT = 2
"""Facts that a topic's run verifies for each one that it may teach, because some are dropped."""


async def detect(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Finds the answers that show a gap: unsure or wrong ones. If all are right, nothing is learned."""
    attempts = state["attempts"]
    gaps = [a for a in attempts if is_gap(a.uncertainty) or a.right is False]
    update: Update = {"query": state["subject"], "refinements": 0}
    if not gaps and all(a.right for a in attempts):
        return update | _known(runtime.context, "detect")
    wrong = sum(a.right is False for a in attempts)
    progress_event = event(
        runtime.context,
        "detect",
        f"{len(gaps)} of {len(attempts)} answers show a gap about {', '.join(state['keywords'][:6])}",
        gaps=len(gaps),
        wrong=wrong,
        entropy=max(a.uncertainty.maximum.upper for a in attempts),
    )
    if state.get("web") == "always" and may_search(state, runtime.context):
        update["web_due"] = True
    return update | {"events": [progress_event]}


async def explore(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Searches memory for the query, and widens the search to the documents of the hits."""
    context = runtime.context
    if (stop := check_time_limit(state, context)) is not None:
        return {"outcome": stop}
    only, calls, first = frozenset(state.get("sources", ())), list[Event](), None
    if state.get("explorer") == "model":
        if not context.card.may_explore:  # another model may be served by now
            return {"outcome": Outcome(status="failed", reason=not_driving(context.card))}
        by_tools = await explore_by_model(state, context)
        first, only = by_tools.findings, only or frozenset(by_tools.sources)
        calls = call_events(by_tools, context)
    findings = await exploration.explore(
        state["query"],
        episodic=context.episodic,
        semantic=context.semantic,
        access=run_access(state, context),
        domain=state["domain"],
        whole=state["whole"] or "explored" in state,  # one page of the web alone teaches nothing
        only=only,
        viewpoints=await Perspectives(context.database).viewpoints(context.access),
        first=first,
    )
    summary = FindingsSummary(
        query=findings.query,
        passages=len(findings.evidence),
        facts=len(findings.facts),
        sources=tuple(sorted({hit.passage.source for hit in findings.evidence})),
    )
    prefix = "the closest " if summary.passages >= exploration.MAX_PASSAGES else ""
    progress_event = event(
        context,
        "explore",
        f"{prefix}{summary.passages} passages and {summary.facts} facts for {state['query']!r}",
        passages=summary.passages,
        facts=summary.facts,
        refinements=state["refinements"],
    )
    return {"findings": findings, "found": summary, "events": [*calls, progress_event]}


async def judge_findings(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Judges the findings: the verdict accepts them, refines the search, or ends the run."""
    context = runtime.context
    viewpoints = await Perspectives(context.database).viewpoints(context.access)
    judgement = await critique(
        state["subject"],
        state["findings"],
        viewpoints=viewpoints,
        judge=context.judge,
        now=context.clock(),
    )
    progress_event = event(
        context,
        "critique",
        f"{judgement.verdict}: {'; '.join(judgement.reasons)}",
        relevance=round(judgement.relevance, 3),
        faithfulness=round(judgement.faithfulness, 3),
        quality=round(judgement.quality, 3),
    )
    update: Update = {"critique": judgement, "events": [progress_event]}
    why = "; ".join(judgement.reasons)
    if judgement.verdict == "refine" and state["refinements"] >= run_limits(state, context).max_refinements:
        reason = f"nothing to learn from: {why}; ingest documents about it and learn it again"
        return update | lacking(state, context, reason)
    if judgement.verdict == "flag":
        return update | {"outcome": _flagged(judgement)}
    if judgement.verdict == "discard" and may_search(state, context):
        return update | lacking(state, context, why)
    if judgement.verdict == "discard":
        return update | {"outcome": Outcome(status="discarded", reason=f"not worth learning from: {why}")}
    return update


async def refine(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Rewords the query after a search that found too little."""
    count = state["refinements"] + 1
    query = exploration.refined_query(state["subject"], state["keywords"], state["findings"], count)
    return {"refinements": count, "query": query}


async def write_candidates(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Has the teacher write candidate pairs from the findings, except for facts that sources dispute.

    For a question it keeps as many facts as fit into one lesson, for a topic as many as one run can verify.
    """
    context = runtime.context
    findings = state["findings"]
    if (stop := check_time_limit(state, context)) is not None:
        return {"outcome": stop}
    if not state["whole"] and _already_answered(state):
        return _known(context, "curriculum")
    passages = [hit.passage for hit in findings.evidence]
    question = None if state["whole"] else state["subject"]

    lines: list[Event] = []

    def progress(done: int, total: int) -> None:
        if done == total:
            return  # the result is reported below
        text = f"{context.teacher.name} read {done} of {total} passages"
        lines.append(event(context, "curriculum", text, done=done, total=total))
        runtime.stream_writer(lines[-1])

    try:
        written = await context.teacher.write(passages, question=question, on_progress=progress)
    except TeacherError as error:
        return {"outcome": Outcome(status="failed", reason=str(error))}
    if not written.candidates:
        return lacking(state, context, _nothing_written(written))
    viewpoints = await Perspectives(context.database).viewpoints(context.access)
    found, by_id = perspectives.contested(findings.facts, viewpoints), {p.id: p for p in passages}
    undisputed = [c for c in written.candidates if not found.is_disputed(c.quote)]
    usable, untaught = perspectives.taught(undisputed, by_id, found, viewpoints)
    groups, limits = group_wordings(usable), run_limits(state, context)
    domain = state["domain"] or _domain(state, context)
    if question:
        chosen = closest_groups(groups, question, min(limits.facts_per_lesson, limits.facts))
    else:
        limit = VERIFIED_PER_TAUGHT * limits.facts
        if len(groups) > limit:
            groups = await lessons.untaught_first(groups, by_id, domain, context, viewpoints)
        chosen = groups[:limit]
    left_out = {f"passages: {reason}": count for reason, count in written.failed.items()} | untaught
    if len(undisputed) < len(written.candidates):
        left_out[DISPUTED] = len(written.candidates) - len(undisputed)
    if len(groups) > len(chosen):
        reason = "further from the question" if question else "more than one run can verify"
        left_out[reason] = len(groups) - len(chosen)
    candidates = tuple(candidate for group in chosen for candidate in group)
    progress_event = event(
        context,
        "curriculum",
        f"{len(candidates)} questions about {len(chosen)} facts, written by {context.teacher.name}",
        candidates=len(candidates),
        facts=len(chosen),
        passages=len(passages),
    )
    context.access.require_write(domain)
    await context.database.set_run_domain(state["run_id"], domain)
    draft = WrittenPairs(candidates=candidates, failed=written.failed)
    return {"draft": draft, "left_out": left_out, "domain": domain, "events": [*lines, progress_event]}


async def verify_candidates(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Verifies every candidate against its source as stored now, and makes lessons of those that pass.

    The critique is repeated on what the stores say, because a client may have written the findings or jumped
    over their critique; whoever approves reads this one. A lesson for a question must answer that question
    itself; else there is nothing to learn.
    """
    context = runtime.context
    draft = state["draft"]
    assert draft is not None, "write_candidates leaves a draft"
    # A client may have jumped over the step that finds the domain.
    domain = state["domain"] or DEFAULT_DOMAIN
    ids = list(dict.fromkeys(candidate.passage_id for candidate in draft.candidates))
    teachable = run_access(state, context).to_teach(domain)
    passages = {p.id: p for p in await context.episodic.get(ids, access=teachable)}
    viewpoints = await Perspectives(context.database).viewpoints(context.access)
    judgement, found = await _judge_stored(state, passages, teachable, context, viewpoints)
    update: Update = {"draft": None, "judgement": judgement}
    if judgement.faithfulness < MIN_FAITHFULNESS:
        return update | {"outcome": _flagged(judgement)}
    undisputed = [c for c in draft.candidates if not found.is_disputed(c.quote)]
    candidates, untaught = perspectives.taught(undisputed, passages, found, viewpoints)
    left_out = dict(state.get("left_out", {}))
    left_out_now = untaught | {DISPUTED: len(draft.candidates) - len(undisputed)}
    for reason, count in left_out_now.items():
        if count:
            left_out[reason] = left_out.get(reason, 0) + count
            update["left_out"] = left_out
    views = await asyncio.to_thread(SeveralViews, candidates, passages, viewpoints)
    verified = await views.verify(context.engine if isinstance(context.engine, EndingScorer) else None)
    kept, reasons = await agreed_pairs(verified, passages, state, context, teachable)
    dropped = sum(reasons.values())
    why = "".join(f"; {count} {reason}" for reason, count in reasons.items())
    progress_event = event(
        context,
        "verify",
        f"{len(kept)} questions kept, {dropped} dropped{why}{'' if verified.scored else UNSCORED}",
        kept=len(kept),
        dropped=dropped,
    )
    update |= {"kept": len(kept), "dropped": reasons, "events": [progress_event]}
    if not kept:
        reason = f"nothing to learn from: no question is supported by its source{why}"
        return update | lacking(state, context, reason)
    if state["whole"]:
        planned = await lessons.plan_topic(
            views.with_joint(kept),
            passages,
            {**state, "left_out": left_out, "domain": domain},
            context,
            viewpoints,
        )
    else:
        answer_pair = await views.answer(state["subject"], kept, context.embedder)
        if answer_pair is None:
            return update | lacking(state, context, UNANSWERED)
        text = f"{attributed(answer_pair)!r} is taught as {answer_pair.answer!r}"
        update["events"].append(event(context, "verify", text))
        curriculum = compose_curriculum(
            state["subject"],
            domain,
            views.with_joint(kept),
            passages,
            teacher=context.teacher.name,
            asked=answer_pair,
        )
        assert curriculum is not None, "some pairs were kept"
        planned = await lessons.publish_lessons([curriculum], {**state, "left_out": left_out}, context)
    return update | planned | {"events": [*update["events"], *planned.get("events", [])]}


async def approve(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Approves all lessons by policy, or interrupts the run until a person has decided.

    Raises NotApproved for lessons that were not verified, or not shown to that person.
    """
    context = runtime.context
    policy = required_approval(state, context)
    if policy == "auto":
        decision = Approval(approved=True, by="policy", reason="verified against its sources")
        await _approve_by_policy(decision, state, context)
    else:
        decision = Approval.model_validate(interrupt(await lessons.approval_question(state, context)))
    if decision.approved:  # a person's approval was recorded when it was given, by digest
        for digest in lessons.digests_of(state):
            await context.approvals.require(digest, policy=policy)
    verb = "approved" if decision.approved else "declined"
    progress_event = event(
        context, "approve", f"{verb} by {decision.by}" + (f": {decision.reason}" if decision.reason else "")
    )
    # Waiting for a person is not work, so the time limit starts again.
    update: Update = {
        "approval": decision,
        "worked_seconds": -state.get("worked_seconds", 0.0),
        "events": [progress_event],
    }
    if not decision.approved:
        reason = f"declined by {decision.by}: {decision.reason or 'no reason given'}"
        return update | {"outcome": Outcome(status="declined", reason=reason)}
    return update


async def report(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Stores the run's outcome and report, and closes or reopens its gap."""
    outcome = explained_outcome(state)
    progress_event = event(runtime.context, "report", f"{outcome.status}: {outcome.reason}")
    ended: LearnState = {**state, "outcome": outcome, "events": [*state["events"], progress_event]}
    await store_outcome(ended, runtime.context)
    return {"events": [progress_event]}


async def _judge_stored(
    state: LearnState,
    passages: Mapping[str, Passage],
    access: Access,
    context: Runtime,
    viewpoints: Viewpoints,
) -> tuple[Critique, Contested]:
    """The critique of the stored passages that were found or are to be taught, and what is contested."""
    earlier = state.get("findings", Findings(query=state["subject"]))
    ids = [hit.passage.id for hit in earlier.evidence if hit.passage.id not in passages]
    found = await context.episodic.get(ids, access=access)
    findings = await exploration.stored_findings(
        earlier, [*passages.values(), *found], semantic=context.semantic, access=access
    )
    judgement = await critique(
        state["subject"], findings, viewpoints=viewpoints, judge=context.judge, now=context.clock()
    )
    return judgement, perspectives.contested(findings.facts, viewpoints)


def _flagged(judgement: Critique) -> Outcome:
    return Outcome(status="flagged", reason=f"needs a person's review: {'; '.join(judgement.reasons)}")


async def _approve_by_policy(decision: Approval, state: LearnState, context: Runtime) -> None:
    run = await context.database.run(state["run_id"])
    for digest in lessons.digests_of(state):
        await context.approvals.record(
            ApprovalRecord(
                digest=digest,
                run_id=run.id,
                asked_by=run.asked_by or LOCAL_OPERATOR,
                approved_by=decision.by,
                policy="auto",
                reason=decision.reason,
                approved_at=context.clock(),
            )
        )


def _already_answered(state: LearnState) -> bool:
    """Whether the model answered the question confidently and in agreement with the sources."""
    (attempt,) = state["attempts"]
    if is_gap(attempt.uncertainty):
        return False
    passages = [hit.passage for hit in state["findings"].evidence]
    return any(
        supports(
            passage.text[start:end],
            attempt.answer,
            question=attempt.question,
            nearby=f"{passage.title} {passage.section}",
        )
        for passage in passages
        for start, end in sentences(passage.text)
    )


def _nothing_written(written: WrittenPairs) -> str:
    why = "; ".join(f"{count} passages {reason}" for reason, count in written.failed.items())
    return (
        f"nothing to learn from: {why or 'the teacher wrote no questions'}; lessons can be written from"
        " English prose, tables, option lists and steps; chat also answers from sources in other languages"
    )


def _known(runtime: Runtime, step: str) -> Update:
    reason = "nothing to learn: the model already answers this confidently and in agreement with the sources"
    outcome = Outcome(status="nothing_to_learn", reason=reason)
    return {"outcome": outcome, "known": True, "events": [event(runtime, step, reason)]}


def _domain(state: LearnState, runtime: Runtime) -> str:
    """The domain of the findings; a topic in documents without a domain gets a domain of its own."""
    found_domain = exploration.main_domain(state["findings"].evidence)
    is_open = found_domain not in runtime.access.closed
    new_domain = state["whole"] and found_domain == DEFAULT_DOMAIN and is_open
    return domain_name(state["subject"]) if new_domain else found_domain
