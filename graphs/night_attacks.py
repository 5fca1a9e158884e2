"""The step of a night that attacks the live model with false versions of what it was asked and taught."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Sequence
from typing import get_args

from langchain_core.messages import BaseMessage

from agent.chat.model_calls import ask_model, with_length_limit
from agent.engines.base import GREEDY
from agent.errors import PromptTooLong
from agent.feedback.corrections import MESSAGE_TYPES
from agent.nights.attacks import Target, plan_attacks, with_answer
from agent.nights.collect import collect
from agent.nights.privacy import is_personal
from agent.nights.scoring.evidence import standalone_question
from graphs.night_step import StepContext, StepResult
from memory.errors import CorruptRecord, UnknownRun
from memory.language.counting import counted
from memory.nights.attacks import Attacks
from memory.records.adapters import Adapter
from memory.records.attacks import Attack, AttackResult
from memory.records.interactions import Interaction
from memory.records.knowledge import Fact

log = logging.getLogger(__name__)

MAX_FACTS = 2000
"""Facts of the quoted documents, and of lessons, that are looked through."""


async def attack(work: StepContext) -> StepResult:
    """Attacks the live model about a sample of what was asked and taught; what was attacked already stays."""
    context, night = work.runtime, work.night
    if not night.options.attacks:
        return StepResult("skipped", "the night was started without attacks")
    live = await asyncio.to_thread(context.registry.live, night.domain)
    asked, facts = await _asked(work)
    taught = await _taught(work, live)
    known = [*facts, *(target.fact for target in taught)]
    planned = await asyncio.to_thread(
        plan_attacks, [*asked, *taught], known, night_id=night.id, most=night.options.attacks
    )
    if not planned:
        return StepResult("skipped", "nothing was asked or taught that another fact contradicts")
    store = Attacks(context.database)
    made = {each.id: each for each in await store.list(night_id=night.id)}
    left_out, tokens = 0, 0
    for each in planned:
        if each.id in made:
            continue
        if not work.has_time:
            reason = f"the window ended after {len(made)} of {counted(len(planned), 'attack')}"
            return StepResult("stopped", reason, _figures(made.values(), tokens))
        messages: list[BaseMessage] = [MESSAGE_TYPES[m.role](m.content) for m in each.messages]
        try:
            reply = await ask_model(
                messages,
                None if live is None else live.name,
                engine=context.engine,
                routes=context.routes,
                card=context.card,
                sampling=with_length_limit(GREEDY, context.card),
            )
        except PromptTooLong:
            left_out += 1
            continue
        tokens += reply.completion_tokens
        found = with_answer(
            each,
            reply.text,
            night_id=night.id,
            domain=night.domain,
            adapter=None if live is None else live.name,
            created_at=context.clock(),
        )
        await store.save(found)
        made[found.id] = found
        work.say(f"{found.kind}: {found.result}", done=len(made), total=len(planned))
    reason = f"{counted(left_out, 'attack')} longer than the model's context" if left_out else ""
    return StepResult(reason=reason, figures=_figures(made.values(), tokens))


async def _asked(work: StepContext) -> tuple[list[Target], tuple[Fact, ...]]:
    """Questions of the day with the fact that their answer quotes, and all facts of the quoted documents."""
    context = work.runtime
    found = await collect(context.interactions, context.feedback, work.night, work.access)
    quoting = [turn for turn in found.turns if turn.intent == "question" and turn.citations]
    sources = {citation.source for turn in quoting for citation in turn.citations}
    if not sources:
        return [], ()
    facts = await context.semantic.of_documents(sources, access=work.access, limit=MAX_FACTS)
    facts = tuple(fact for fact in facts if fact.domain == work.night.domain and not fact.negated)
    return await asyncio.to_thread(_quoted, quoting, facts), facts


def _quoted(turns: Sequence[Interaction], facts: Sequence[Fact]) -> list[Target]:
    """Each question that concerns more than its user, with the facts that the sentences it quotes state."""
    return [
        Target(question, fact, turn.id)
        for turn in turns
        if not is_personal(turn) and (question := standalone_question(turn).strip())
        for fact in facts
        if any(c.source == fact.source and c.quote and fact.sentence in c.quote for c in turn.citations)
    ]


async def _taught(work: StepContext, live: Adapter | None) -> list[Target]:
    """Facts of the live adapter's lessons with one of their questions, latest lessons first."""
    targets: list[Target] = []
    for digest in reversed(() if live is None else live.learned):
        try:
            lesson = await work.runtime.outbox.curriculum(digest)
        except (UnknownRun, CorruptRecord) as error:
            log.warning("the curriculum %s cannot be read: %s", digest[:12], error)
            continue
        questions = {pair.fact_id: pair.question for pair in reversed(lesson.pairs)}
        targets += [
            Target(questions[fact.id], fact)
            for fact in lesson.facts
            if fact.id in questions and fact.said_by is None and work.access.may_read(fact.owner, fact.domain)
        ]
        if len(targets) >= MAX_FACTS:
            break
    return targets[:MAX_FACTS]


def _figures(attacks: Collection[Attack], tokens: int) -> dict[str, float]:
    counts = Counter(each.result for each in attacks)
    results = {result: float(counts[result]) for result in get_args(AttackResult)}
    return {"attacks": float(len(attacks)), **results, "tokens": float(tokens)}
