"""The steps that ask the model: before a lesson, for what it lacks, and after it, for what it learned."""

import asyncio

from langchain_core.messages import HumanMessage
from langgraph.runtime import Runtime as Injected

from agent.chat.conversation import prompt_messages
from agent.chat.gate import measure
from agent.chat.model_calls import ask_model
from agent.chat.routing import resolve_route
from agent.engines.base import Reply
from agent.grading import admits_ignorance, is_correct
from agent.learning import exploration as exploring
from agent.learning.critique import critique
from agent.learning.curriculum import evenly_spread, group_wordings
from agent.learning.gaps import gap_keywords, is_gap
from agent.learning.teachers.rules import RulesTeacher
from graphs.state import Attempt, LearnState, Runtime, Update, event
from memory.records.curricula import GUESSED_FORMS

PROBES = 6
"""Questions put to the model about a topic before learning it: enough to see whether it knows it."""
PROBED = 8
"""Passages from which these questions come."""


async def attempt(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Asks, as chat would: the question itself, a topic's first ones or the caller's, without sources.

    The run's domain decides which adapter answers, else its gap's, else the words of each question.
    """
    given = runtime.context
    probes: list[tuple[str, tuple[str, ...]]] = [(question, ()) for question in state.get("questions", ())]
    if not probes:
        probes = [(state["subject"], ())] if not state["whole"] else await _probes(state, given)
    requested = await _served_domain(state, given)
    asked = await asyncio.gather(*(_attempt(q, references, requested, given) for q, references in probes))
    attempts = tuple(made for made, _ in asked)
    words = [gap_keywords(a.question, r) for a, r in asked]
    merged = tuple(
        dict.fromkeys(w for group in [gap_keywords(state["subject"], None), *words] for w in group)
    )
    unsure = sum(is_gap(a.uncertainty) for a in attempts)
    said = event(
        given, "attempt", f"answered {len(attempts)} questions", questions=len(attempts), unsure=unsure
    )
    return {"attempts": attempts, "keywords": merged[:24], "events": [said]}


async def ask_again(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Asks the question that was learned, as chat would now: a right and confident answer closes its gap."""
    given, question = runtime.context, state["subject"]
    references = tuple(pair.answer for pair in state["curriculum"].pairs if pair.question == question)
    made, _ = await _attempt(question, references, state["domain"], given)
    said = event(given, "ask again", f"{question!r} is now answered {made.answer!r}")
    return {"asked_again": made, "events": [said]}


async def _attempt(
    question: str, references: tuple[str, ...], domain: str | None, given: Runtime
) -> tuple[Attempt, Reply]:
    """One question as chat answers it without sources; right or wrong where references tell."""
    chosen = await resolve_route(
        question, domain, routes=given.routes, base=given.base, base_name=given.base_name
    )
    reply = await ask_model(
        prompt_messages([HumanMessage(question)], given.card),
        chosen.adapter,
        engine=given.engine,
        routes=given.routes,
        card=given.card,
    )
    abstained = admits_ignorance(reply.text, given.card.declines)
    made = Attempt(
        question=question,
        answer=reply.text,
        uncertainty=measure(reply.tokens, chosen.gate, abstained=abstained),
        references=references,
        right=is_correct(reply.text, references) if references else None,
    )
    return made, reply


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
    written = await RulesTeacher().write([hit.passage for hit in found.evidence[:PROBED]])
    plain = evenly_spread(
        [g for g in group_wordings(written.candidates) if g[0].form not in GUESSED_FORMS], PROBES
    )
    return [(group[0].question, (group[0].answer,)) for group in plain] or [(state["subject"], ())]
