"""The steps of a learn run: each takes the state, calls one part of `agent`, and returns an update.

Their order is in `learn`; a step never names the one that follows it. From the approved curriculum to the
served adapter they are in `swap`.
"""

import asyncio
from collections.abc import Sequence

from langchain_core.messages import HumanMessage
from langgraph.runtime import Runtime as Injected
from langgraph.types import interrupt

from agent import explore as exploring
from agent.chat.asking import ask
from agent.chat.conversation import prompt
from agent.chat.gate import measure
from agent.chat.support import supports
from agent.critique import conflicts, critique
from agent.curriculum import compose, items, write
from agent.errors import TeacherError
from agent.forgetting import afresh
from agent.gaps import is_gap, keywords
from agent.grading import correct, declined
from agent.routing import DEFAULT_DOMAIN, route
from agent.terms import occurs
from agent.verify import verify
from agent.wordings import wordings
from graphs.report import as_told, conclude
from graphs.state import Attempt, LearnState, Runtime, Update, event, limits_of, tripped
from memory.language import sentences
from memory.records import Fact, domain_name
from memory.runs import Approval, Outcome

PROBES = 6
"""Questions put to the model about a topic before learning it: enough to see whether it knows it."""
SAMPLE = 12
"""Pairs shown to the person who approves, spread over the curriculum."""


async def attempt(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Asks, as chat would: the question itself, a topic's first ones or the caller's, without sources.

    The run's domain decides which adapter answers, else its gap's, else the words of each question.
    """
    given = runtime.context
    probes: list[tuple[str, tuple[str, ...]]] = [(question, ()) for question in state.get("questions", ())]
    if not probes:
        probes = [(state["subject"], ())] if not state["whole"] else await _probes(state, given)
    requested = await _served_domain(state, given)
    routes = [
        await route(q, requested, routes=given.routes, base=given.base, base_name=given.base_name)
        for q, _ in probes
    ]
    replies = await asyncio.gather(
        *(
            ask(
                prompt([HumanMessage(q)], given.card),
                r.adapter,
                engine=given.engine,
                routes=given.routes,
                card=given.card,
            )
            for (q, _), r in zip(probes, routes, strict=True)
        )
    )
    attempts = tuple(
        Attempt(
            question=question,
            answer=reply.text,
            uncertainty=measure(
                reply.tokens, chosen.gate, abstained=declined(reply.text, given.card.declines)
            ),
            references=references,
            right=correct(reply.text, references) if references else None,
        )
        for (question, references), chosen, reply in zip(probes, routes, replies, strict=True)
    )
    words = [keywords(a.question, r) for a, r in zip(attempts, replies, strict=True)]
    merged = tuple(dict.fromkeys(w for group in [keywords(state["subject"], None), *words] for w in group))
    unsure = sum(is_gap(a.uncertainty) for a in attempts)
    said = event(
        given, "attempt", f"answered {len(attempts)} questions", questions=len(attempts), unsure=unsure
    )
    return {"attempts": attempts, "keywords": merged[:24], "events": [said]}


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
    passages, facts = len(found.evidence), len(found.facts)
    said = event(
        given,
        "explore",
        f"{passages} passages and {facts} facts for {state['query']!r}",
        passages=passages,
        facts=facts,
        refinements=state["refinements"],
    )
    return {"findings": found, "events": [said]}


async def criticise(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Marks what was found; only an accepted critique goes on to a curriculum."""
    given = runtime.context
    judge = given.teacher.judge if given.teacher else None
    marks = await critique(state["subject"], state["findings"], judge=judge)
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
    query = exploring.refined(state["subject"], state["keywords"], state["findings"], count)
    return {"refinements": count, "query": query}


async def teach(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Writes question and answer pairs from the undisputed facts, by rules or by a larger model."""
    given = runtime.context
    found = state["findings"]
    if (stop := tripped(state, given)) is not None:
        return {"outcome": stop}
    if not state["whole"] and _answered(state):
        return _known(given, "curriculum")
    disputed = {f.id for pair in conflicts(found.facts) for f in pair}
    usable = [f for f in found.facts if f.id not in disputed]
    most = limits_of(state, given).facts_per_run
    central = sorted(usable, key=lambda f: not occurs(f.subject, state["subject"]))
    draft = await asyncio.to_thread(write, central[:most], per_form=given.limits.wordings_per_form)
    if given.teacher is not None:
        try:
            written = await given.teacher.write(draft.facts, per_fact=given.limits.wordings_per_form)
        except TeacherError as error:
            return {"outcome": Outcome(status="failed", reason=str(error))}
        draft = draft.model_copy(update={"pairs": written, "withheld": ()})
    left_out = dict(draft.dropped)
    if disputed:
        left_out["disputed between sources"] = len(disputed)
    if len(central) > most:
        left_out["over the limit of facts per run"] = len(central) - most
    said = event(
        given,
        "curriculum",
        f"{len(draft.pairs)} pairs about {len(draft.facts)} facts",
        pairs=len(draft.pairs),
        facts=len(draft.facts),
        withheld=len(draft.withheld),
    )
    domain = state["domain"] or _domain(state)
    return {"draft": draft, "left_out": left_out, "domain": domain, "events": [said]}


async def check(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Verifies every pair against its source as it stands in memory now, and drops what it cannot prove."""
    given = runtime.context
    draft = state["draft"]
    assert draft is not None, "teach runs first and leaves a draft"
    ids = list(dict.fromkeys(f.passage_id for f in draft.facts))
    passages = {p.id: p for p in await given.episodic.get(ids)}
    # Off the event loop: thousands of pairs take a second, and chats must not wait for it.
    verified = await asyncio.to_thread(verify, draft.pairs, draft.facts, passages)
    topic = state["subject"]
    author = given.teacher.name if given.teacher else "rules"
    domain = state["domain"] or DEFAULT_DOMAIN
    curriculum = compose(topic, domain, draft, verified.kept, teacher=author)
    lost = sum(verified.dropped.values())
    why = "".join(f"; {count} {reason}" for reason, count in verified.dropped.items())
    said = event(
        given,
        "verify",
        f"{len(verified.kept)} pairs kept, {lost} dropped{why}",
        kept=len(verified.kept),
        dropped=lost,
    )
    update: Update = {
        "draft": None,
        "kept": len(verified.kept),
        "dropped": verified.dropped,
        "events": [said],
    }
    if curriculum is None:
        reason = f"nothing to learn from: no pair is supported by its source{why}"
        return update | {"outcome": Outcome(status="nothing_to_learn", reason=reason)}
    quarantined = await asyncio.to_thread(given.registry.quarantined, curriculum.digest)
    if quarantined is not None:
        reason = (
            f"this very curriculum is in quarantine: {quarantined}; change its sources, or learn it in"
            " another domain"
        )
        return update | {"curriculum": curriculum, "outcome": Outcome(status="rejected", reason=reason)}
    return update | {"curriculum": await asyncio.to_thread(afresh, curriculum, given.registry)}


async def approve(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Lets the curriculum through by policy, or stops the run until a person has decided."""
    given = runtime.context
    curriculum = state["curriculum"]
    stride = max(1, len(curriculum.pairs) // SAMPLE)
    if state["approval_policy"] == "auto":
        decision = Approval(approved=True, by="policy", reason="verified against its sources")
    else:
        decision = Approval.model_validate(
            interrupt(
                {
                    "topic": curriculum.topic,
                    "domain": curriculum.domain,
                    "digest": curriculum.digest,
                    "facts": len(curriculum.facts),
                    "pairs": len(curriculum.pairs),
                    "dropped": state["dropped"],
                    "critique": state["critique"].model_dump(mode="json"),
                    "sample": [pair.model_dump(mode="json") for pair in curriculum.pairs[::stride][:SAMPLE]],
                }
            )
        )
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


async def _served_domain(state: LearnState, given: Runtime) -> str | None:
    """The run's domain, or its gap's, if an adapter serves it; None leaves the choice to the question."""
    domain = state["domain"]
    if domain is None and state["gap_id"] is not None:
        domain = (await given.database.gap(state["gap_id"])).domain
    return domain if domain in given.routes.live else None


async def _probes(state: LearnState, given: Runtime) -> list[tuple[str, tuple[str, ...]]]:
    """A topic's first questions with their right answers, or the bare topic where memory knows nothing."""
    found = await exploring.explore(
        state["subject"],
        episodic=given.episodic,
        semantic=given.semantic,
        domain=state["domain"],
        whole=True,
    )
    if (await critique(state["subject"], found)).verdict == "refine":
        return [(state["subject"], ())]
    plain = [item for item in items(found.facts) if item.form == _relation(item.fact_id, found.facts)]
    probes: list[tuple[str, tuple[str, ...]]] = [
        (wordings(i.form, "taught", 1, 0, subject=i.subject, object=i.object)[0], (i.answer,))
        for i in plain[:: max(1, len(plain) // PROBES)][:PROBES]
    ]
    return probes or [(state["subject"], ())]


def _relation(fact_id: str, facts: Sequence[Fact]) -> str:
    return next(f.relation for f in facts if f.id == fact_id)


def _answered(state: LearnState) -> bool:
    """Whether the model answered the question confidently, and as the sources do."""
    (attempt,) = state["attempts"]
    if is_gap(attempt.uncertainty):
        return False
    found = state["findings"]
    objects = tuple(f.object for f in found.facts if occurs(f.subject, attempt.question))
    right = bool(objects) and correct(attempt.answer, objects)
    passages = [hit.passage for hit in found.evidence]
    return right or any(
        supports(
            passage.text[start:end],
            attempt.answer,
            question=attempt.question,
            nearby=f"{passage.title} {passage.section}",
        )
        for passage in passages
        for start, end in sentences(passage.text)
    )


def _known(given: Runtime, step: str) -> Update:
    reason = "nothing to learn: the model already answers this confidently and as the sources do"
    outcome = Outcome(status="nothing_to_learn", reason=reason)
    return {"outcome": outcome, "known": True, "events": [event(given, step, reason)]}


def _domain(state: LearnState) -> str:
    """The domain of what was found; a topic among unlabelled documents becomes a domain of its own."""
    home = exploring.main_domain(state["findings"].evidence)
    return domain_name(state["subject"]) if home == DEFAULT_DOMAIN and state["whole"] else home
