"""The learn steps that question the model: before a lesson to find the gap, afterwards to see it closed."""

import asyncio

from langchain_core.messages import HumanMessage
from langgraph.runtime import Runtime as Injected

from agent.chat.conversation import prompt_messages
from agent.chat.gate import measure_uncertainty
from agent.chat.model_calls import ask_model
from agent.chat.routing import resolve_route
from agent.engines.base import Reply
from agent.grading import admits_ignorance, is_correct
from agent.learning import exploration
from agent.learning.critique import critique
from agent.learning.curriculum import evenly_spread, group_wordings
from agent.learning.gaps import gap_keywords, is_gap
from agent.learning.teachers.rules import RulesTeacher
from graphs.state import Attempt, LearnState, Runtime, Update, event
from memory.records.curricula import GUESSED_FORMS

PROBE_QUESTIONS = 6
"""Questions about a topic that the model is asked before learning it, to see whether it knows the topic."""
PROBE_PASSAGES = 8
"""Passages that these questions are written from."""
MAX_KEYWORDS = 24
"""Keywords of the gap that are kept."""


async def attempt(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Asks the model without sources: the question itself, the caller's questions, or the topic's first ones.

    The adapter is chosen by the run's domain, else by that of its gap, else by each question as in chat.
    """
    context = runtime.context
    questions: list[tuple[str, tuple[str, ...]]] = [(text, ()) for text in state.get("questions", ())]
    if not questions:
        questions = await _topic_questions(state, context) if state["whole"] else [(state["subject"], ())]
    domain = await _served_domain(state, context)
    answered = await asyncio.gather(
        *(_ask(question, references, domain, context) for question, references in questions)
    )
    attempts = tuple(attempt for attempt, _ in answered)
    groups = [gap_keywords(attempt.question, reply) for attempt, reply in answered]
    keywords = dict.fromkeys(
        word for group in [gap_keywords(state["subject"], None), *groups] for word in group
    )
    unsure = sum(is_gap(attempt.uncertainty) for attempt in attempts)
    text = f"answered {len(attempts)} questions"
    progress = event(context, "attempt", text, questions=len(attempts), unsure=unsure)
    return {"attempts": attempts, "keywords": tuple(keywords)[:MAX_KEYWORDS], "events": [progress]}


async def ask_again(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Asks the learned question again: a correct and confident answer closes its gap."""
    context, question = runtime.context, state["subject"]
    references = tuple(pair.answer for pair in state["curriculum"].pairs if pair.question == question)
    again, _ = await _ask(question, references, state["domain"], context)
    progress = event(context, "ask again", f"{question!r} is now answered {again.answer!r}")
    return {"asked_again": again, "events": [progress]}


async def _ask(
    question: str, references: tuple[str, ...], domain: str | None, runtime: Runtime
) -> tuple[Attempt, Reply]:
    """Answers a question as chat does without sources; with references, the answer is graded."""
    route = await resolve_route(
        question,
        domain,
        routes=runtime.routes,
        base=runtime.base,
        base_name=runtime.base_name,
        access=runtime.access,
    )
    reply = await ask_model(
        prompt_messages([HumanMessage(question)], runtime.card),
        route.adapter,
        engine=runtime.engine,
        routes=runtime.routes,
        card=runtime.card,
    )
    abstained = admits_ignorance(reply.text, runtime.card.declines)
    attempt = Attempt(
        question=question,
        answer=reply.text,
        uncertainty=measure_uncertainty(reply.tokens, route.gate, abstained=abstained),
        references=references,
        right=is_correct(reply.text, references) if references else None,
    )
    return attempt, reply


async def _served_domain(state: LearnState, runtime: Runtime) -> str | None:
    """The domain of the run or its gap, if it has a live adapter; None to route by the question."""
    domain = state["domain"]
    if domain is None and state["gap_id"] is not None:
        domain = (await runtime.database.gap(state["gap_id"], access=runtime.access)).domain
    usable = domain is not None and domain in runtime.routes.live and runtime.access.may_use(domain)
    return domain if usable else None


async def _topic_questions(state: LearnState, runtime: Runtime) -> list[tuple[str, tuple[str, ...]]]:
    """The topic's first questions with their answers; the topic itself if memory knows nothing about it."""
    findings = await exploration.explore(
        state["subject"],
        episodic=runtime.episodic,
        semantic=runtime.semantic,
        access=runtime.access,
        domain=state["domain"],
        whole=True,
    )
    if (await critique(state["subject"], findings)).verdict == "refine":
        return [(state["subject"], ())]
    written = await RulesTeacher().write([hit.passage for hit in findings.evidence[:PROBE_PASSAGES]])
    facts = [group for group in group_wordings(written.candidates) if group[0].form not in GUESSED_FORMS]
    chosen = evenly_spread(facts, PROBE_QUESTIONS)
    return [(group[0].question, (group[0].answer,)) for group in chosen] or [(state["subject"], ())]
