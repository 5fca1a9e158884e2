"""The lessons of a learn run. A topic with more facts than one lesson holds is taught as several, in document
order, each a version of the domain's adapter on top of the last.

One lesson's way from the outbox to the served adapter is in `swap`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
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
from agent.learning.exploration import MOST_PASSAGES
from agent.learning.forgetting import with_unused_digest
from agent.learning.taught_facts import facts_taught
from graphs.state import LearnState, Limits, Runtime, Update, event, limits_of
from memory.records.base import Domain
from memory.records.curricula import Curriculum, QAPair
from memory.records.knowledge import Findings, Passage
from memory.records.runs import Lesson, LessonsDone, Outcome

SAMPLE = 12
"""Pairs shown to the person who approves, spread over all lessons."""
TAUGHT = "taught in earlier lessons"
QUARANTINED = "in a lesson that is in quarantine"


async def of_topic(
    candidates: Sequence[CandidatePair], passages: Mapping[str, Passage], state: LearnState, given: Runtime
) -> Update:
    """The lessons of a whole topic.

    Where one is too small for it, what the domain was taught before is left out, so that the topic can be
    asked for again to go on with the rest; so is what is beyond the run's limit.
    """
    limits, domain = limits_of(state, given), state["domain"]
    assert domain is not None, "teach has named it"
    groups = group_wordings(in_document_order(candidates, passages))
    left_out: dict[str, int] = {}
    if len(groups) > min(limits.facts_per_lesson, limits.facts):
        groups, left_out = await _untaught(groups, passages, domain, given)
    if len(groups) > limits.facts:
        left_out[over(limits)] = len(groups) - limits.facts
    every = state["left_out"] | left_out
    if not groups:
        return {"left_out": every, "outcome": _nothing_left(left_out, state["found"].passages)}

    def composed() -> list[Curriculum]:
        found = []
        for part in split_into_lessons(groups[: limits.facts], limits.facts_per_lesson):
            wordings = [candidate for group in part for candidate in group]
            made = compose_curriculum(
                state["subject"], domain, wordings, passages, teacher=given.teacher.name
            )
            assert made is not None, "no part is empty"
            found.append(made)
        return found

    # Off the event loop: a thousand facts take a second, and chats must not wait for them.
    return await ready(await asyncio.to_thread(composed), {**state, "left_out": every}, given)


async def ready(curricula: Sequence[Curriculum], state: LearnState, given: Runtime) -> Update:
    """The lessons to be approved: those that are not in quarantine. All but the first go to the outbox, where
    each waits for its turn."""
    free: list[Curriculum] = []
    reasons: list[str] = []
    left_out = dict(state.get("left_out", {}))
    for each in curricula:
        anew, reason = await asyncio.to_thread(_anew, each, given)
        if reason is None:
            free.append(anew)
        else:
            reasons.append(reason)
            left_out[QUARANTINED] = left_out.get(QUARANTINED, 0) + len(each.facts)
    if not free:
        reason = (
            f"this very curriculum is in quarantine: {reasons[0]}; change its sources, or learn it in"
            " another domain"
        )
        return {"curriculum": curricula[0], "outcome": Outcome(status="rejected", reason=reason)}
    for later in free[1:]:
        await given.outbox.publish(later)
    update: Update = {
        "curriculum": free[0],
        "lessons": tuple(_lesson(each) for each in free),
        "left_out": left_out,
    }
    if len(free) > 1:
        facts = sum(len(each.facts) for each in free)
        text = f"{facts} facts are more than one lesson holds: they are taught in {len(free)} lessons"
        update["events"] = [event(given, "verify", text, facts=facts, lessons=len(free))]
        update["findings"] = Findings(query=state["findings"].query)
    return update


async def next_lesson(state: LearnState, runtime: Injected[Runtime]) -> Update:
    """Takes up the next lesson."""
    given = runtime.context
    place = upcoming(state)
    assert place is not None, "the run has lessons left"
    curriculum = await given.outbox.curriculum(state["lessons"][place].digest)
    text = f"{len(curriculum.facts)} facts, {len(curriculum.pairs)} questions and answers"
    said = event(given, "lesson", f"{prefix(state)}{text}", **figures(state))
    return {"curriculum": curriculum, "events": [said]}


# Which lesson it is


def upcoming(state: LearnState) -> int | None:
    """The place, from 0, of the lesson that is taught now or next; None once all are promoted."""
    lessons = state.get("lessons", ())
    return next((place for place, lesson in enumerate(lessons) if lesson.adapter is None), None)


def changed(state: LearnState, **changes: Any) -> Update:
    """An update of the lesson that is taught now; none for a run without lessons, which forgets one."""
    place = upcoming(state)
    if place is None:
        return {}
    lessons = list(state["lessons"])
    lessons[place] = lessons[place].model_copy(update=changes)
    return {"lessons": tuple(lessons)}


def prefix(state: LearnState) -> str:
    """What a line of progress begins with, where there is more than one lesson."""
    told = figures(state)
    return f"lesson {told['lesson']} of {told['lessons']}: " if told else ""


def figures(state: LearnState) -> dict[str, int]:
    """The same for machines."""
    place, total = upcoming(state), len(state.get("lessons", ()))
    return {"lesson": place + 1, "lessons": total} if place is not None and total > 1 else {}


def done(state: Mapping[str, Any]) -> LessonsDone | None:
    """How many are promoted; None for a run without lessons."""
    lessons: tuple[Lesson, ...] = state.get("lessons", ())
    promoted = sum(lesson.adapter is not None for lesson in lessons)
    return LessonsDone(done=promoted, total=len(lessons)) if lessons else None


# What a person is asked


async def summary(state: LearnState, given: Runtime) -> dict[str, Any]:
    """All lessons for the person who approves them: one decision is for all."""
    first = state["curriculum"]
    pairs: list[QAPair] = list(first.pairs)
    facts, digests = len(first.facts), [first.digest]
    for lesson in state.get("lessons", ())[1:]:
        later = await given.outbox.curriculum(lesson.digest)
        pairs += later.pairs
        facts += len(later.facts)
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
        "critique": state["critique"].model_dump(mode="json"),
        "sample": [pair.model_dump(mode="json") for pair in pairs[::stride][:SAMPLE]],
    }


# What is left out


OVER = "over the limit of "


def over(limits: Limits) -> str:
    """Why facts are left to another run."""
    if limits.facts < limits.facts_per_lesson * limits.lessons_per_run:
        return f"{OVER}{limits.facts} facts in one run"
    lessons = "one lesson" if limits.lessons_per_run == 1 else f"{limits.lessons_per_run} lessons"
    return f"{OVER}{lessons} in one run"


async def untaught_first(
    groups: Sequence[Group], passages: Mapping[str, Passage], domain: Domain, given: Runtime
) -> tuple[Group, ...]:
    """The facts with those last that lessons of the domain have taught: what one run can verify may end
    before them. A quote that its passage lacks, which verification drops, counts as untaught."""
    taught = await facts_taught(domain, given.registry, given.outbox)

    def known(group: Group) -> bool:
        first, passage = group[0], passages[group[0].passage_id]
        return first.quote in passage.text and fact_id(first, passage) in taught.live | taught.quarantined

    return tuple(sorted(groups, key=known))


async def _untaught(
    groups: Sequence[Group], passages: Mapping[str, Passage], domain: Domain, given: Runtime
) -> tuple[tuple[Group, ...], dict[str, int]]:
    """The facts that no lesson of the domain has taught, and how many others there are."""
    taught = await facts_taught(domain, given.registry, given.outbox)
    found: list[Group] = []
    left_out: Counter[str] = Counter()
    for group in groups:
        fact = fact_id(group[0], passages[group[0].passage_id])
        if fact in taught.live:
            left_out[TAUGHT] += 1
        elif fact in taught.quarantined:
            left_out[QUARANTINED] += 1
        else:
            found.append(group)
    return tuple(found), dict(left_out)


def _anew(curriculum: Curriculum, given: Runtime) -> tuple[Curriculum, str | None]:
    """The lesson as it would be handed over, and why it may not be: it is in quarantine as it was or is."""
    anew = with_unused_digest(curriculum, given.registry)
    quarantined = given.registry.quarantined
    return anew, quarantined(curriculum.digest) or quarantined(anew.digest)


def _nothing_left(left_out: Mapping[str, int], passages: int) -> Outcome:
    taught, barred = left_out.get(TAUGHT, 0), left_out.get(QUARANTINED, 0)
    facts = (
        f"{taught} of this topic's {taught + barred} facts" if barred else f"all {taught} facts of this topic"
    )
    reason = f"nothing more to learn: {facts} were taught in earlier lessons"
    if barred:
        reason += "; the others are in quarantine, and stay answered from sources"
    if passages >= MOST_PASSAGES:
        reason += f"; they come from the {passages} closest passages: ask for a narrower topic to go further"
    return Outcome(status="nothing_to_learn", reason=reason)


def _lesson(curriculum: Curriculum) -> Lesson:
    return Lesson(
        digest=curriculum.digest,
        facts=len(curriculum.facts),
        pairs=len(curriculum.pairs),
        held_out=len(curriculum.held_out),
    )
