"""The lessons of a learn run: splits a topic into them, and keeps track of the current one.

A topic with more facts than one lesson holds is taught in several, in document order. Each lesson trains a
new version of the domain's adapter, on top of the last one; see `handover`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from langgraph.runtime import Runtime as Injected

from agent.learning.candidate_pairs import CandidatePair
from agent.learning.curriculum import (
    Group,
    compose_curriculum,
    fact_id,
    group_wordings,
    in_document_order,
    split_into_lessons,
)
from agent.learning.exploration import MAX_PASSAGES
from agent.learning.fair_share import fair_share, in_turns
from agent.learning.forgetting import with_unused_digest
from agent.learning.taught_facts import facts_taught
from graphs.state import LearnState, Limits, Runtime, Update, event, run_limits
from memory.records.base import Digest, Domain
from memory.records.curricula import Curriculum, QAPair
from memory.records.knowledge import Findings, Passage
from memory.records.perspectives import Viewpoints
from memory.records.runs import Lesson, LessonsDone, Outcome

SAMPLE = 12
"""Pairs shown for approval, spread over all lessons."""
TAUGHT = "taught in earlier lessons"
QUARANTINED = "in a lesson that is in quarantine"


async def plan_topic(
    candidates: Sequence[CandidatePair],
    passages: Mapping[str, Passage],
    state: LearnState,
    runtime: Runtime,
    viewpoints: Viewpoints,
) -> Update:
    """Splits a topic into lessons.

    If the topic does not fit into one lesson, facts that earlier lessons taught are left out, so that
    learning the topic again continues with the rest. Facts beyond the run's limit are left out too; the
    documents get a fair share of it each, those of a perspective together what it weighs.
    """
    limits, domain = run_limits(state, runtime), state["domain"]
    assert domain is not None, "write_candidates sets it"
    groups = group_wordings(in_document_order(candidates, passages))
    left_out: dict[str, int] = {}
    if len(groups) > min(limits.facts_per_lesson, limits.facts):
        groups, left_out = await _untaught(groups, passages, domain, runtime)
    if len(groups) > limits.facts:
        left_out[over_limit_reason(limits)] = len(groups) - limits.facts
        voice = partial(voice_of, passages=passages, viewpoints=viewpoints)
        groups = fair_share(groups, source_in(passages), limits.facts, voice=voice)
    all_left_out = state["left_out"] | left_out
    if not groups:
        return {"left_out": all_left_out, "outcome": _nothing_left(left_out, state["found"].passages)}

    def compose() -> list[Curriculum]:
        curricula = []
        for part in split_into_lessons(groups, limits.facts_per_lesson):
            wordings = [candidate for group in part for candidate in group]
            curriculum = compose_curriculum(
                state["subject"], domain, wordings, passages, teacher=runtime.teacher.name
            )
            assert curriculum is not None, "no part is empty"
            curricula.append(curriculum)
        return curricula

    # In a thread: a thousand facts take a second, in which the event loop could serve no chats.
    curricula = await asyncio.to_thread(compose)
    return await publish_lessons(curricula, {**state, "left_out": all_left_out}, runtime)


async def publish_lessons(curricula: Sequence[Curriculum], state: LearnState, runtime: Runtime) -> Update:
    """Puts the lessons up for approval, without those in quarantine.

    All but the first are published to the outbox, from which `next_lesson` takes them.
    """
    allowed: list[Curriculum] = []
    quarantine_reasons: list[str] = []
    left_out = dict(state.get("left_out", {}))
    for curriculum in curricula:
        unused, reason = await asyncio.to_thread(_check_quarantine, curriculum, runtime)
        if reason is None:
            allowed.append(unused)
        else:
            quarantine_reasons.append(reason)
            left_out[QUARANTINED] = left_out.get(QUARANTINED, 0) + len(curriculum.facts)
    if not allowed:
        reason = (
            f"this curriculum is in quarantine: {quarantine_reasons[0]}; change its sources, or learn it in"
            " another domain"
        )
        return {"curriculum": curricula[0], "outcome": Outcome(status="rejected", reason=reason)}
    for curriculum in allowed:
        await runtime.approvals.verified(curriculum.digest, run_id=state["run_id"])
    for curriculum in allowed[1:]:
        await runtime.outbox.publish(curriculum)
    update: Update = {
        "curriculum": allowed[0],
        "lessons": tuple(_lesson(curriculum) for curriculum in allowed),
        "left_out": left_out,
    }
    if len(allowed) > 1:
        facts = sum(len(curriculum.facts) for curriculum in allowed)
        text = f"{facts} facts are more than one lesson holds: they are taught in {len(allowed)} lessons"
        update["events"] = [event(runtime, "verify", text, facts=facts, lessons=len(allowed))]
        update["findings"] = Findings(query=state["findings"].query)
    return update


async def next_lesson(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Starts the next lesson: reads its curriculum from the outbox."""
    context = runtime.context
    index = current_lesson(state)
    assert index is not None, "the run has lessons left"
    curriculum = await context.outbox.curriculum(state["lessons"][index].digest)
    text = f"{len(curriculum.facts)} facts, {len(curriculum.pairs)} questions and answers"
    started = event(context, "lesson", f"{progress_prefix(state)}{text}", **progress_figures(state))
    return {"curriculum": curriculum, "events": [started]}


# The current lesson


def current_lesson(state: LearnState) -> int | None:
    """The index of the first lesson that is not promoted yet; None once all are."""
    lessons = state.get("lessons", ())
    return next((index for index, lesson in enumerate(lessons) if lesson.adapter is None), None)


def update_current(state: LearnState, **changes: Any) -> Update:
    """A state update that changes the current lesson; empty for a run without lessons, which forgets one."""
    index = current_lesson(state)
    if index is None:
        return {}
    lessons = list(state["lessons"])
    lessons[index] = lessons[index].model_copy(update=changes)
    return {"lessons": tuple(lessons)}


def progress_prefix(state: LearnState) -> str:
    """The lesson's number, to begin a progress line with; empty in a run of one lesson."""
    figures = progress_figures(state)
    return f"lesson {figures['lesson']} of {figures['lessons']}: " if figures else ""


def progress_figures(state: LearnState) -> dict[str, int]:
    """The lesson's number from 1 and the number of lessons; empty in a run of one lesson."""
    index, total = current_lesson(state), len(state.get("lessons", ()))
    return {"lesson": index + 1, "lessons": total} if index is not None and total > 1 else {}


def count_promoted(state: Mapping[str, Any]) -> LessonsDone | None:
    """How many lessons are promoted; None for a run without lessons."""
    lessons: tuple[Lesson, ...] = state.get("lessons", ())
    promoted = sum(lesson.adapter is not None for lesson in lessons)
    return LessonsDone(done=promoted, total=len(lessons)) if lessons else None


# Approval


def digests_of(state: LearnState) -> tuple[Digest, ...]:
    """The digests of all lessons, which are approved or declined together."""
    digests = (state["curriculum"].digest, *(lesson.digest for lesson in state.get("lessons", ())))
    return tuple(dict.fromkeys(digests))


async def approval_question(state: LearnState, runtime: Runtime) -> dict[str, Any]:
    """Describes all lessons to the person who approves or declines them together."""
    first = state["curriculum"]
    pairs: list[QAPair] = list(first.pairs)
    facts, digests = len(first.facts), [first.digest]
    for lesson in state.get("lessons", ())[1:]:
        curriculum = await runtime.outbox.curriculum(lesson.digest)
        pairs += curriculum.pairs
        facts += len(curriculum.facts)
        digests.append(lesson.digest)
    stride = max(1, len(pairs) // SAMPLE)
    return {
        "topic": first.topic,
        "domain": first.domain,
        "lessons": len(digests),
        "digest": first.digest,
        "digests": digests,
        "facts": facts,
        "pairs": len(pairs),
        "dropped": state["dropped"],
        "left_out": state.get("left_out", {}),
        "critique": state["judgement"].model_dump(mode="json"),
        "sample": [pair.model_dump(mode="json") for pair in pairs[::stride][:SAMPLE]],
    }


# Facts that are left out


OVER_LIMIT = "over the limit of "


def over_limit_reason(limits: Limits) -> str:
    """The reason for leaving facts to another run."""
    if limits.facts < limits.facts_per_lesson * limits.lessons_per_run:
        return f"{OVER_LIMIT}{limits.facts} facts in one run"
    lessons = "one lesson" if limits.lessons_per_run == 1 else f"{limits.lessons_per_run} lessons"
    return f"{OVER_LIMIT}{lessons} in one run"


async def untaught_first(
    groups: Sequence[Group],
    passages: Mapping[str, Passage],
    domain: Domain,
    runtime: Runtime,
    viewpoints: Viewpoints,
) -> tuple[Group, ...]:
    """Sorts facts that earlier lessons taught to the end, because one run cannot verify all of them.

    Before and after, the documents take turns, those of a perspective together by its weight. A quote that is
    not in its passage, which verification would drop, counts as untaught.
    """
    taught = await facts_taught(domain, runtime.registry, runtime.outbox)

    def known(group: Group) -> bool:
        first, passage = group[0], passages[group[0].passage_id]
        return first.quote in passage.text and fact_id(first, passage) in taught.live | taught.quarantined

    voice = partial(voice_of, passages=passages, viewpoints=viewpoints)
    turns = in_turns(groups, source_in(passages))
    return tuple(sorted(in_turns(turns, lambda g: voice(g)[0], lambda g: voice(g)[1]), key=known))


def source_in(passages: Mapping[str, Passage]) -> Callable[[Group], str]:
    """Tells the document of a group, whose passage is among these."""
    return lambda group: passages[group[0].passage_id].source


def voice_of(group: Group, passages: Mapping[str, Passage], viewpoints: Viewpoints) -> tuple[str, float]:
    """Who speaks in a group, and with what weight: its perspective, or its document alone."""
    passage = passages[group[0].passage_id]
    name = viewpoints.of(passage)
    return (f"perspective {name}", viewpoints.weight(passage)) if name else (passage.source, 1.0)


async def _untaught(
    groups: Sequence[Group], passages: Mapping[str, Passage], domain: Domain, runtime: Runtime
) -> tuple[tuple[Group, ...], dict[str, int]]:
    """The facts that no lesson of the domain has taught, and the number of the others by reason."""
    taught = await facts_taught(domain, runtime.registry, runtime.outbox)
    untaught: list[Group] = []
    left_out: Counter[str] = Counter()
    for group in groups:
        fact = fact_id(group[0], passages[group[0].passage_id])
        if fact in taught.live:
            left_out[TAUGHT] += 1
        elif fact in taught.quarantined:
            left_out[QUARANTINED] += 1
        else:
            untaught.append(group)
    return tuple(untaught), dict(left_out)


def _check_quarantine(curriculum: Curriculum, runtime: Runtime) -> tuple[Curriculum, str | None]:
    """The curriculum under a digest that can be handed over, and the reason if it is in quarantine."""
    unused = with_unused_digest(curriculum, runtime.registry)
    quarantined = runtime.registry.quarantined
    return unused, quarantined(curriculum.digest) or quarantined(unused.digest)


def _nothing_left(left_out: Mapping[str, int], passages: int) -> Outcome:
    taught, quarantined = left_out.get(TAUGHT, 0), left_out.get(QUARANTINED, 0)
    facts = f"all {taught} facts of this topic"
    if quarantined:
        facts = f"{taught} of this topic's {taught + quarantined} facts"
    reason = f"nothing more to learn: {facts} were taught in earlier lessons"
    if quarantined:
        reason += "; the others are in quarantine, and are answered from sources"
    if passages >= MAX_PASSAGES:
        reason += f"; they come from the {passages} closest passages: learn a narrower topic to find more"
    return Outcome(status="nothing_to_learn", reason=reason)


def _lesson(curriculum: Curriculum) -> Lesson:
    return Lesson(
        digest=curriculum.digest,
        facts=len(curriculum.facts),
        pairs=len(curriculum.pairs),
        held_out=len(curriculum.held_out),
    )
