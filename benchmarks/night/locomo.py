"""Part `locomo`: conversations over months, a night after each of their days, and questions about them.

Measures one conversation after the other. What was said of a day is logged as conversation turns, and the
night graph goes over it with the real stores and the worker's own training.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agent.feedback.logged_messages import logged_messages
from agent.feedback.pseudonyms import pseudonym
from agent.nights.statements.facts import statement_fact
from benchmarks.night.bench import Bench
from benchmarks.night.known import known_rights
from benchmarks.night.lines import Lines
from benchmarks.night.locomo_arms import Evaluated, answer_all, open_arms
from benchmarks.night.locomo_data import (
    CATEGORIES,
    Conversation,
    LocomoQuestion,
    Session,
    conversation_ids,
    grouped,
    read_conversation,
)
from benchmarks.night.locomo_report import ConversationResult, locomo_figures, locomo_tables
from benchmarks.night.service import NightService, open_night_service
from benchmarks.parts import PartResult
from memory.outbox.files import write_atomically
from memory.records.adapters import Adapter
from memory.records.base import Record
from memory.records.interactions import Interaction
from memory.records.nights import Night, NightOptions

ACKNOWLEDGED = "Noted."
"""What the log has as the service's answer to a line of the conversation: nobody asked the service."""
TURN = timedelta(seconds=30)
"""Between two lines."""
QUESTIONS, QUICK_QUESTIONS = 20, 2
"""Questions per category and conversation."""
QUICK_NIGHTS = 2
KNOWN, QUICK_KNOWN = 100, 5
"""General questions that the base model knows, asked before and after."""
MAX_STATEMENTS = 100_000
OPTIONS = NightOptions(
    max_turns=5000, max_revisions=0, explore_gaps=0, preferences=False, teach_statements=True
)
"""The lines are no questions to the service, so that there are no answers to revise and no gaps."""


class NightDone(Record):
    """One night of a conversation."""

    number: int
    """From 1."""
    sessions: tuple[int, ...]
    status: str
    statements: int
    """Those that hold after it."""
    training: str
    """What its training came to, in words."""
    live: str | None
    """Adapter that is live after it."""
    seconds: float


async def measure(bench: Bench) -> PartResult:
    """Measures the chosen conversations; those of earlier runs are on the page too."""
    every = conversation_ids(bench.data)
    chosen = bench.conversations or every
    if unknown := set(chosen) - set(every):
        raise ValueError(f"there is no conversation {min(unknown)!r}: choose from {', '.join(every)}")
    for number, id in enumerate(chosen, 1):
        started = time.monotonic()
        bench.say(f"conversation {id}, {number} of {len(chosen)}")
        result = await measure_conversation(bench, read_conversation(bench.data, id))
        write_atomically(bench.home / "locomo" / id / "result.json", result.model_dump_json())
        minutes = (time.monotonic() - started) / 60
        bench.say(f"conversation {id}: {minutes:.1f} minutes, {minutes * (len(chosen) - number):.0f} left")
    results = await asyncio.to_thread(_results, bench, every)
    return PartResult(part="locomo", figures=locomo_figures(results), tables=locomo_tables(results))


async def measure_conversation(bench: Bench, conversation: Conversation) -> ConversationResult:
    """Replays the conversation with its nights, and asks after the first and after the last."""
    home = bench.home / "locomo" / conversation.id
    domain = f"locomo-{conversation.id}"
    groups = grouped(conversation.sessions, QUICK_NIGHTS if bench.quick else bench.nights)
    questions = chosen_questions(conversation, bench.most(QUESTIONS, QUICK_QUESTIONS))
    known = QUICK_KNOWN if bench.quick else KNOWN
    done, evaluated = Lines(home / "nights.jsonl", NightDone), Lines(home / "answers.jsonl", Evaluated)
    async with open_night_service(bench, home, domain, conversation.sessions[0].date) as service:
        statements = await service.runtime.nights.statements(domain=domain, limit=MAX_STATEMENTS)
        await service.semantic.add([statement_fact(s) for s in statements if s.status == "current"])
        arms = await open_arms(bench, service, conversation, home, domain)
        since = conversation.sessions[0].date - timedelta(hours=1)
        for number, group in enumerate(groups, 1):
            until = night_time(group[-1].date)
            if number > len(done.all):
                done.add(await _night(service, group, number, since, until, domain))
                bench.say(f"night {number} of {len(groups)}: {done.all[-1].seconds:.0f} s")
            since = until
            if number == 1:
                first = _asked_after_first(questions, group)
                await answer_all(arms, "first", first, conversation.sessions[: len(group)], evaluated)
        await answer_all(arms, "last", questions, conversation.sessions, evaluated)
        before, after = await known_rights(bench, arms.live_adapter, known)
        current = await service.runtime.nights.statements(
            domain=domain, status="current", limit=MAX_STATEMENTS
        )
    return ConversationResult(
        id=conversation.id,
        lines=sum(len(session.lines) for session in conversation.sessions),
        statements=len(current),
        nights=len(groups),
        deployed=len({night.live for night in done.all if night.live is not None}),
        first_sessions=tuple(session.number for session in groups[0]),
        notes=tuple(night.training for night in done.all),
        night_seconds=sum(night.seconds for night in done.all),
        evaluated=tuple(evaluated.all),
        known_before=before,
        known_after=after,
        general=_general(arms.live_adapter),
    )


def chosen_questions(conversation: Conversation, most: int) -> tuple[LocomoQuestion, ...]:
    """At most `most` questions per category, evenly spaced over the conversation."""
    chosen: list[LocomoQuestion] = []
    for category in CATEGORIES:
        own = [question for question in conversation.questions if question.category == category]
        count = min(most, len(own))
        chosen += [own[n * len(own) // count] for n in range(count)]
    return tuple(chosen)


def night_time(day: datetime) -> datetime:
    """Two o'clock of the next day."""
    return datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1)


def turns_of(session: Session, domain: str, unit: str) -> list[Interaction]:
    """The lines of a session as logged turns, each with the lines before it."""
    messages: list[BaseMessage] = []
    turns: list[Interaction] = []
    for number, line in enumerate(session.lines):
        messages.append(HumanMessage(line.text, name=line.speaker))
        turns.append(
            Interaction(
                id=f"{domain}-{line.id}",
                question=line.text,
                answer=ACKNOWLEDGED,
                messages=logged_messages(messages),
                domain=domain,
                adapter=None,
                uncertainty=None,
                intent="conversation",
                outcome="answered",
                unit=unit,
                created_at=session.date + number * TURN,
            )
        )
        messages.append(AIMessage(ACKNOWLEDGED))
    return turns


async def _night(
    service: NightService,
    group: Sequence[Session],
    number: int,
    since: datetime,
    until: datetime,
    domain: str,
) -> NightDone:
    started, runtime = time.monotonic(), service.runtime
    unit = pseudonym(domain, runtime.pseudonym_key)
    for session in group:
        for turn in turns_of(session, domain, unit):
            await runtime.interactions.save(turn)
    service.clock.now = until
    night = await service.night(
        Night(
            id=f"{domain}-night-{number}",
            domain=domain,
            status="waiting",
            since=since,
            until=until,
            options=OPTIONS,
            began_at=until,
        )
    )
    live = await asyncio.to_thread(runtime.registry.live, domain)
    current = await runtime.nights.statements(domain=domain, status="current", limit=MAX_STATEMENTS)
    reports = [step for step in night.steps if step.step in ("train", "deploy")]
    return NightDone(
        number=number,
        sessions=tuple(session.number for session in group),
        status=night.status,
        statements=len(current),
        training="; ".join(" ".join(step.reason.split()) for step in reports if step.reason),
        live=None if live is None else live.name,
        seconds=time.monotonic() - started,
    )


def _general(live: Adapter | None) -> tuple[float, float] | None:
    """What the gate measured of the adapter; see ConversationResult.general."""
    if live is None:
        return None
    return live.before.out_of_distribution.accuracy, live.after.out_of_distribution.accuracy


def _asked_after_first(
    questions: Sequence[LocomoQuestion], group: Sequence[Session]
) -> tuple[LocomoQuestion, ...]:
    """The answerable questions whose evidence was all said before the first night."""
    said = {session.number for session in group}
    return tuple(q for q in questions if q.answerable and q.sessions and set(q.sessions) <= said)


def _results(bench: Bench, ids: Sequence[str]) -> list[ConversationResult]:
    paths = (bench.home / "locomo" / id / "result.json" for id in ids)
    return [
        ConversationResult.model_validate_json(path.read_text(encoding="utf-8"))
        for path in paths
        if path.is_file()
    ]
