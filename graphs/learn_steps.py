"""The steps of a learn run: each takes the state, calls one part of `agent`, and returns an update.

Their order is in `learn`; a step never names the one that follows it. From the approved curriculum to the
served adapter they are in `swap`.
"""

import asyncio

from langgraph.runtime import Runtime as Injected
from langgraph.types import interrupt

from agent.chat.routing import DEFAULT_DOMAIN, domain_name
from agent.chat.support import supports
from agent.engines.base import EndingScorer
from agent.errors import TeacherError
from agent.learning import exploration as exploring
from agent.learning.candidate_pairs import WrittenPairs
from agent.learning.corpus_index import CorpusIndex
from agent.learning.critique import conflicts, critique
from agent.learning.curriculum import closest, compose_curriculum, group_wordings
from agent.learning.gap_wording import pair_for_question
from agent.learning.gaps import is_gap
from agent.learning.verification import verify
from graphs import lessons
from graphs.report import as_told, conclude
from graphs.state import Event, Found, LearnState, Runtime, Update, event, limits_of, tripped
from memory.language.text import sentences
from memory.records.runs import Approval, Outcome

UNANSWERED = (
    "nothing to learn from: the passages that were found hold no answer to this question that can be taught; "
    "chat answers it from its sources where they say it"
)
UNSCORED = "; how they end is not checked: the engine scores no texts, or failed to (see the log)"
VERIFIED = 2
"""Facts that a topic's run verifies for each one that it may teach: some are dropped."""


async def detect(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Compares the answers' entropy with the threshold; a topic known throughout is not learned again."""
    attempts = state["attempts"]
    gaps = [a for a in attempts if is_gap(a.uncertainty) or a.right is False]
    update: Update = {"query": state["subject"], "refinements": 0}
    if not gaps and all(a.right for a in attempts):
        return update | _known(runtime.context, "detect")
    wrong = sum(a.right is False for a in attempts)
    said = event(
        runtime.context,
        "detect",
        f"{len(gaps)} of {len(attempts)} answers show a gap; it lacks {', '.join(state['keywords'][:6])}",
        gaps=len(gaps),
        wrong=wrong,
        entropy=max(a.uncertainty.maximum.upper for a in attempts),
    )
    return update | {"events": [said]}


async def explore(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Searches memory for the query, and widens to the documents that it hits."""
    given = runtime.context
    if (stop := tripped(state, given)) is not None:
        return {"outcome": stop}
    found = await exploring.explore(
        state["query"],
        episodic=given.episodic,
        semantic=given.semantic,
        domain=state["domain"],
        whole=state["whole"],
        only=frozenset(state.get("sources", ())),
    )
    counts = Found(
        query=found.query,
        passages=len(found.evidence),
        facts=len(found.facts),
        sources=tuple(sorted({hit.passage.source for hit in found.evidence})),
    )
    which = "the closest " if counts.passages >= exploring.MOST_PASSAGES else ""
    said = event(
        given,
        "explore",
        f"{which}{counts.passages} passages and {counts.facts} facts for {state['query']!r}",
        passages=counts.passages,
        facts=counts.facts,
        refinements=state["refinements"],
    )
    return {"findings": found, "found": counts, "events": [said]}


async def criticise(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Marks what was found; only an accepted critique goes on to a curriculum."""
    given = runtime.context
    marks = await critique(state["subject"], state["findings"], judge=given.judge)
    said = event(
        given,
        "critique",
        f"{marks.verdict}: {'; '.join(marks.reasons)}",
        relevance=round(marks.relevance, 3),
        faithfulness=round(marks.faithfulness, 3),
        quality=round(marks.quality, 3),
    )
    update: Update = {"critique": marks, "events": [said]}
    why = "; ".join(marks.reasons)
    if marks.verdict == "refine" and state["refinements"] >= limits_of(state, given).max_refinements:
        reason = f"nothing to learn from: {why}; ingest documents about it and try again"
        return update | {"outcome": Outcome(status="nothing_to_learn", reason=reason)}
    if marks.verdict == "flag":
        return update | {"outcome": Outcome(status="flagged", reason=f"needs a person's review: {why}")}
    if marks.verdict == "discard":
        return update | {"outcome": Outcome(status="discarded", reason=f"not worth learning from: {why}")}
    return update


async def refine(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Words the query anew after a search that missed the point."""
    count = state["refinements"] + 1
    query = exploring.refined_query(state["subject"], state["keywords"], state["findings"], count)
    return {"refinements": count, "query": query}


async def teach(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Writes candidates from the passages whose facts nobody disputes: for a question as many as one lesson
    has room for, for a topic all."""
    given = runtime.context
    found = state["findings"]
    if (stop := tripped(state, given)) is not None:
        return {"outcome": stop}
    if not state["whole"] and _answered(state):
        return _known(given, "curriculum")
    passages = [hit.passage for hit in found.evidence]
    asked = None if state["whole"] else state["subject"]

    lines: list[Event] = []

    def progress(done: int, total: int) -> None:
        if done == total:
            return  # what came of it is said below
        text = f"{given.teacher.name} read {done} of {total} passages"
        lines.append(event(given, "curriculum", text, done=done, total=total))
        runtime.stream_writer(lines[-1])

    try:
        written = await given.teacher.write(passages, question=asked, on_progress=progress)
    except TeacherError as error:
        return {"outcome": Outcome(status="failed", reason=str(error))}
    if not written.candidates:
        return {"outcome": Outcome(status="nothing_to_learn", reason=_silent(written))}
    disputed = {fact.sentence for pair in conflicts(found.facts) for fact in pair}
    usable = [c for c in written.candidates if c.quote not in disputed]
    groups, limits = group_wordings(usable), limits_of(state, given)
    if asked:
        chosen = closest(groups, asked, min(limits.facts_per_lesson, limits.facts))
    else:
        most = VERIFIED * limits.facts
        if len(groups) > most:
            by_id, domain = {passage.id: passage for passage in passages}, state["domain"] or _domain(state)
            groups = await lessons.untaught_first(groups, by_id, domain, given)
        chosen = groups[:most]
    left_out = {f"passages: {reason}": count for reason, count in written.failed.items()}
    if len(usable) < len(written.candidates):
        left_out["disputed between sources"] = len(written.candidates) - len(usable)
    if len(groups) > len(chosen):
        reason = "further from the question" if asked else "not verified: more than one run can"
        left_out[reason] = len(groups) - len(chosen)
    kept = tuple(candidate for group in chosen for candidate in group)
    said = event(
        given,
        "curriculum",
        f"{len(kept)} questions about {len(chosen)} facts, written by {given.teacher.name}",
        candidates=len(kept),
        facts=len(chosen),
        passages=len(passages),
    )
    domain = state["domain"] or _domain(state)
    draft = WrittenPairs(candidates=kept, failed=written.failed)
    return {"draft": draft, "left_out": left_out, "domain": domain, "events": [*lines, said]}


async def check(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Verifies every candidate against its source as it stands in memory now, and drops what it cannot prove.

    What is left becomes one lesson or, of a large topic, several. A lesson for a question must teach an
    answer to that very question, else it is no lesson for it.
    """
    given = runtime.context
    draft = state["draft"]
    assert draft is not None, "teach runs first and leaves a draft"
    ids = list(dict.fromkeys(candidate.passage_id for candidate in draft.candidates))
    passages = {p.id: p for p in await given.episodic.get(ids)}
    corpus = await asyncio.to_thread(CorpusIndex, list(passages.values()))
    scorer = given.engine if isinstance(given.engine, EndingScorer) else None
    verified = await verify(draft.candidates, passages, corpus=corpus, scorer=scorer)
    kept, dropped = verified.kept, sum(verified.dropped.values())
    why = "".join(f"; {count} {reason}" for reason, count in verified.dropped.items())
    said = event(
        given,
        "verify",
        f"{len(kept)} questions kept, {dropped} dropped{why}{'' if verified.scored else UNSCORED}",
        kept=len(kept),
        dropped=dropped,
    )
    update: Update = {"draft": None, "kept": len(kept), "dropped": verified.dropped, "events": [said]}
    if not kept:
        reason = f"nothing to learn from: no question is supported by its source{why}"
        return update | {"outcome": Outcome(status="nothing_to_learn", reason=reason)}
    if state["whole"]:
        planned = await lessons.of_topic(kept, passages, state, given)
    else:
        asked = await pair_for_question(state["subject"], kept, passages, corpus, given.embedder)
        if asked is None:
            return update | {"outcome": Outcome(status="nothing_to_learn", reason=UNANSWERED)}
        update["events"].append(event(given, "verify", f"{state['subject']!r} is taught as {asked.answer!r}"))
        domain = state["domain"] or DEFAULT_DOMAIN
        made = compose_curriculum(
            state["subject"], domain, kept, passages, teacher=given.teacher.name, asked=asked
        )
        assert made is not None, "something was kept"
        planned = await lessons.ready([made], state, given)
    return update | planned | {"events": [*update["events"], *planned.get("events", [])]}


async def approve(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Lets all lessons through by policy, or stops the run until a person has decided on them."""
    given = runtime.context
    if state["approval_policy"] == "auto":
        decision = Approval(approved=True, by="policy", reason="verified against its sources")
    else:
        decision = Approval.model_validate(interrupt(await lessons.summary(state, given)))
    verb = "approved" if decision.approved else "declined"
    said = event(
        given, "approve", f"{verb} by {decision.by}" + (f": {decision.reason}" if decision.reason else "")
    )
    # A person's thinking time is not the run's work, so the breaker's clock starts anew.
    update: Update = {"approval": decision, "working_since": given.clock(), "events": [said]}
    if not decision.approved:
        reason = f"declined by {decision.by}: {decision.reason or 'no reason given'}"
        return update | {"outcome": Outcome(status="declined", reason=reason)}
    return update


async def report(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Writes the run's outcome and figures down, and closes or reopens its gap."""
    outcome = as_told(state)
    said = event(runtime.context, "report", f"{outcome.status}: {outcome.reason}")
    ended: LearnState = {**state, "outcome": outcome, "events": [*state["events"], said]}
    await conclude(ended, runtime.context)
    return {"events": [said]}


def _answered(state: LearnState) -> bool:
    """Whether the model answered the question confidently, and as the sources do."""
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


def _silent(written: WrittenPairs) -> str:
    why = "; ".join(f"{count} passages {reason}" for reason, count in written.failed.items())
    return (
        f"nothing to learn from: {why or 'the teacher wrote no question'}; lessons are written from English"
        " prose, tables, option lists and steps, and chat answers from sources in other languages too"
    )


def _known(given: Runtime, step: str) -> Update:
    reason = "nothing to learn: the model already answers this confidently and as the sources do"
    outcome = Outcome(status="nothing_to_learn", reason=reason)
    return {"outcome": outcome, "known": True, "events": [event(given, step, reason)]}


def _domain(state: LearnState) -> str:
    """The domain of what was found; a topic among unlabelled documents becomes a domain of its own."""
    home = exploring.main_domain(state["findings"].evidence)
    return domain_name(state["subject"]) if home == DEFAULT_DOMAIN and state["whole"] else home
