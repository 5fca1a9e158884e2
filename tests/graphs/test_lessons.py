"""A topic too large for one lesson is taught as several, each a version of the domain's adapter."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.chat.routing import Routes
from agent.engines.scripted import ScriptedEngine
from agent.learning.candidate_pairs import CandidatePair, WrittenPairs
from agent.learning.teachers.base import PassageProgress
from graphs.learn import build
from graphs.server.learn_runs import LearnRuns
from graphs.server.learn_spec import LearnInput
from graphs.state import Limits, RequestedLimits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.checkpoints.connect import serializer
from memory.outbox.base import TrainingResult
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.knowledge import Passage
from memory.records.runs import Approval, LessonsDone
from tests.graphs.conftest import BASE_LINES, LIMITS, SONG, Clock, eventually
from tests.graphs.test_learn import CONFIG, beginning, run
from tests.support.adapters import curriculum
from tests.support.facts import RUST
from tests.support.learn_service import open_runs
from tests.support.trainers import REJECTED, FakeTrainer

Changed = Callable[..., Runtime]
TOPIC = "Rust ownership"
STATED = (
    ("definition", "What is a move?", "a transfer of a value to a new owner", 0),
    ("definition", "What is a string slice?", "a reference to a part of a string", 1),
    ("what", "What stores a value on the heap?", "`Box<T>`", 2),
    ("what", "What does the borrow checker prevent?", "data races", 3),
    ("what", "What prevents data races at compile time?", "The borrow checker", 3),
    ("what", "What does the `clone` method return?", "a deep copy of the value", 4),
    ("what", "What are lifetime annotations part of?", "the function signature", 5),
    ("what", "What does a weak reference require before each use?", "an upgrade", 6),
    ("what", "What is ownership a kind of?", "discipline", 7),
)
"""Form, question, answer and the sentence that states it."""
FACTS, SIZES = len(STATED), [4, 3, 2]
SMALL = LIMITS.model_copy(update={"facts_per_lesson": 4})
FAILED = TrainingResult(status="failed", adapter=None, reason="the disk is full")


class FixedTeacher:
    """Writes one question about each fact, the last one first."""

    name = "fixed"

    async def write(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        on_progress: PassageProgress | None = None,
    ) -> WrittenPairs:
        written = [
            CandidatePair.model_validate(
                {
                    "question": asked,
                    "answer": answer,
                    "form": form,
                    "quote": RUST[sentence][3],
                    "passage_id": passages[0].id,
                }
            )
            for form, asked, answer, sentence in reversed(STATED)
        ]
        return WrittenPairs(candidates=tuple(written), failed={})


@pytest.fixture
def school(changed: Changed) -> Callable[..., tuple[Runtime, FakeTrainer]]:
    """The runtime with small lessons and a trainer that makes an adapter of each."""

    def opened(limits: Limits = SMALL, **behaviour: Any) -> tuple[Runtime, FakeTrainer]:
        registry = VolatileAdapterRegistry()
        trainer = FakeTrainer(registry, **behaviour)
        engine = ScriptedEngine(BASE_LINES, adapters={"rust": SONG})
        routes = Routes(registry, lambda digest: curriculum())
        return changed(
            registry=registry,
            outbox=trainer,
            engine=engine,
            routes=routes,
            limits=limits,
            teacher=FixedTeacher(),
        ), trainer

    return opened


School = Callable[..., tuple[Runtime, FakeTrainer]]


def taught(lessons: tuple[Curriculum, ...]) -> Counter[str]:
    return Counter(fact.id for lesson in lessons for fact in lesson.facts)


def learned(runtime: Runtime) -> tuple[Digest, ...]:
    live = runtime.registry.live("rust")
    return live.learned if live else ()


async def reported(runtime: Runtime) -> dict[str, Any]:
    report = (await runtime.database.run("r1")).report
    assert report is not None
    return report


async def test_each_fact_is_taught_once_and_each_lesson_becomes_a_version_on_top_of_the_last(
    school: School,
) -> None:
    runtime, trainer = school()
    state = await run(runtime, TOPIC)
    assert [len(lesson.facts) for lesson in trainer.lessons] == SIZES
    assert set(taught(trainer.lessons).values()) == {1}
    made = runtime.registry.list("rust")
    assert [each.version for each in made] == [1, 2, 3]
    assert [each.parent for each in made[1:]] == [each.name for each in made[:-1]]
    assert learned(runtime) == tuple(lesson.digest for lesson in trainer.lessons)
    assert (state["outcome"].status, state["outcome"].adapter) == ("learned", made[-1].name)


async def test_the_facts_of_the_lessons_follow_each_other_as_in_the_document(school: School) -> None:
    runtime, trainer = school()
    await run(runtime, TOPIC)
    places = [fact.start for lesson in trainer.lessons for fact in lesson.facts]
    assert places == sorted(places)


async def test_progress_tells_which_lesson_of_how_many(school: School) -> None:
    runtime, _ = school()
    state = await run(runtime, TOPIC)
    steps = [event.step for event in state["events"]]
    assert steps[steps.index("approve") + 1 :] == [
        *["hand over", "train", "promote"],
        *["lesson", "hand over", "train", "promote"] * 2,
        "report",
    ]
    second = [event for event in state["events"] if event.figures.get("lesson") == 2]
    assert [event.step for event in second] == ["lesson", "hand over", "train", "promote"]
    assert all(event.message.startswith("lesson 2 of 3: ") for event in second)
    assert second[0].figures["lessons"] == 3


async def test_the_outcome_and_the_report_count_lessons_and_facts(school: School) -> None:
    runtime, trainer = school()
    await run(runtime, TOPIC)
    outcome = (await runtime.database.run("r1")).outcome
    assert outcome is not None
    assert outcome.lessons == LessonsDone(done=3, total=3)
    assert outcome.reason.startswith("3 of 3 lessons promoted: rust-v3-")
    report = await reported(runtime)
    assert report["curriculum"]["facts"] == FACTS
    assert [lesson["digest"] for lesson in report["lessons"]] == [each.digest for each in trainer.lessons]
    assert [lesson["adapter"] for lesson in report["lessons"]] == [
        each.name for each in runtime.registry.list("rust")
    ]


async def test_a_rejected_lesson_stops_the_run_and_what_was_promoted_stays(school: School) -> None:
    runtime, trainer = school(ends={2: REJECTED})
    await run(runtime, TOPIC)
    outcome = (await runtime.database.run("r1")).outcome
    assert outcome is not None
    assert outcome.status == "rejected"
    assert outcome.reason.startswith(
        "1 of 3 lessons promoted; the second was rejected: target accuracy: 0.210"
    )
    assert outcome.reason.endswith("2 facts are left: learn the topic again to continue with them")
    assert outcome.lessons == LessonsDone(done=1, total=3)
    assert len(trainer.lessons) == 2
    assert learned(runtime) == (trainer.lessons[0].digest,)


async def test_where_the_adapter_is_full_nobody_is_told_to_go_on(school: School) -> None:
    runtime, _ = school(ends={2: REJECTED.model_copy(update={"full": True})})
    await run(runtime, TOPIC)
    outcome = (await runtime.database.run("r1")).outcome
    assert outcome is not None
    assert outcome.reason.endswith("the second was rejected: target accuracy: 0.210, needs >= 0.50")


async def test_each_checkpoint_of_later_lessons_holds_one_curriculum(school: School) -> None:
    runtime, _ = school()
    state = await run(runtime, TOPIC)
    assert state["findings"].evidence == ()
    assert state["draft"] is None
    assert (await reported(runtime))["findings"]["sources"] == ["rust.md"]


async def test_a_first_lesson_that_fails_leaves_nothing_promoted_and_says_so(school: School) -> None:
    runtime, _ = school(ends={1: FAILED})
    await run(runtime, TOPIC)
    outcome = (await runtime.database.run("r1")).outcome
    assert outcome is not None
    assert outcome.reason.startswith("0 of 3 lessons promoted; the first failed: the disk is full")


async def test_the_topic_asked_for_again_goes_on_with_what_was_not_taught(school: School) -> None:
    runtime, trainer = school(ends={2: FAILED})
    await run(runtime, TOPIC)
    failed = trainer.lessons[1].digest
    await run(runtime, TOPIC)
    assert learned(runtime) == tuple(lesson.digest for lesson in trainer.lessons)
    assert learned(runtime)[1] == failed
    assert set(taught(trainer.lessons).values()) == {1}
    assert trainer.jobs == 4
    again = await run(runtime, TOPIC)
    assert again["outcome"].status == "nothing_to_learn"
    assert f"all {FACTS} facts" in again["outcome"].reason


async def test_facts_of_a_lesson_in_quarantine_are_not_taught_in_another_one(school: School) -> None:
    runtime, trainer = school(ends={2: REJECTED})
    await run(runtime, TOPIC)
    rejected = trainer.lessons[1]
    runtime.registry.quarantine(rejected.digest, "it does not hold")
    await run(runtime, TOPIC)
    assert len(learned(runtime)) == 2
    by_digest = {lesson.digest: lesson for lesson in trainer.lessons}
    facts = taught(tuple(by_digest[digest] for digest in learned(runtime)))
    assert not set(facts) & {fact.id for fact in rejected.facts}
    assert (await reported(runtime))["curriculum"]["facts_left_out"] == {
        "in a lesson that is in quarantine": 3,
        "taught in earlier lessons": 4,
    }
    reason = (await run(runtime, TOPIC))["outcome"].reason
    assert "6 of this topic's 9 facts were taught in earlier lessons; the others are in quarantine" in reason


async def test_beyond_the_most_lessons_of_a_run_facts_are_left_out_counted_and_taught_by_the_next_run(
    school: School,
) -> None:
    runtime, trainer = school(SMALL.model_copy(update={"lessons_per_run": 2}))
    state = await run(runtime, TOPIC)
    assert [len(lesson.facts) for lesson in trainer.lessons] == [4, 4]
    assert state["left_out"]["over the limit of 2 lessons in one run"] == 1
    outcome = (await runtime.database.run("r1")).outcome
    assert outcome is not None
    assert outcome.reason.endswith("1 fact is left: learn the topic again to continue with it")
    await run(runtime, TOPIC)
    assert sum(taught(trainer.lessons).values()) == FACTS
    assert set(taught(trainer.lessons).values()) == {1}


async def test_a_run_may_ask_for_fewer_lessons_or_facts(school: School) -> None:
    runtime, trainer = school()
    await run(runtime, TOPIC, bounds=RequestedLimits(lessons=1))
    assert [len(lesson.facts) for lesson in trainer.lessons] == [4]
    runtime, trainer = school()
    await run(runtime, TOPIC, bounds=RequestedLimits(facts=5))
    assert [len(lesson.facts) for lesson in trainer.lessons] == [3, 2]


async def test_runs_of_few_facts_each_go_on_until_all_are_taught(school: School) -> None:
    """Fewer than one lesson holds, and fewer than a run looks at."""
    runtime, trainer = school(LIMITS)
    for _ in range(3):
        await run(runtime, TOPIC, bounds=RequestedLimits(facts=3))
    assert [len(lesson.facts) for lesson in trainer.lessons] == [3, 3, 3]
    assert sum(taught(trainer.lessons).values()) == FACTS
    assert set(taught(trainer.lessons).values()) == {1}
    again = await run(runtime, TOPIC, bounds=RequestedLimits(facts=3))
    assert again["outcome"].status == "nothing_to_learn"


async def test_a_question_is_one_lesson_of_the_nearest_facts(school: School) -> None:
    runtime, trainer = school()
    state = await run(runtime, "What is a string slice?", whole=False)
    (lesson,) = trainer.lessons
    assert 1 < len(lesson.facts) <= 4
    assert "What is a string slice?" in {pair.question for pair in lesson.pairs}
    assert state["outcome"].status == "learned"


async def test_one_decision_is_for_all_lessons_and_names_each(school: School) -> None:
    runtime, trainer = school()
    await runtime.database.start_run(
        "r1", subject=TOPIC, whole=True, domain=None, gap_id=None, now=runtime.clock()
    )
    graph = build(runtime.limits).compile(checkpointer=InMemorySaver(serde=serializer()))
    start = beginning(runtime, TOPIC, approval_policy="human")
    await graph.ainvoke(start, CONFIG, context=runtime)
    (asked,) = (await graph.aget_state(CONFIG)).interrupts
    assert (asked.value["lessons"], asked.value["facts"]) == (3, FACTS)
    assert trainer.lessons == ()
    decision = Approval(approved=True, by="Ada").model_dump()
    state = await graph.ainvoke(Command(resume=decision), CONFIG, context=runtime)
    assert state["outcome"].status == "learned"
    assert asked.value["digests"] == [lesson.digest for lesson in trainer.lessons]
    assert asked.value["pairs"] == sum(len(lesson.pairs) for lesson in trainer.lessons)
    quotes = {pair["quote"] for pair in asked.value["sample"]}
    assert all(quotes & {fact.sentence for fact in lesson.facts} for lesson in trainer.lessons)


async def test_where_the_lessons_are_declined_nothing_is_trained(school: School) -> None:
    runtime, trainer = school()
    await runtime.database.start_run(
        "r1", subject=TOPIC, whole=True, domain=None, gap_id=None, now=runtime.clock()
    )
    graph = build(runtime.limits).compile(checkpointer=InMemorySaver(serde=serializer()))
    await graph.ainvoke(beginning(runtime, TOPIC, approval_policy="human"), CONFIG, context=runtime)
    decision = Approval(approved=False, by="Ada", reason="not now").model_dump()
    state = await graph.ainvoke(Command(resume=decision), CONFIG, context=runtime)
    assert (state["outcome"].status, state["outcome"].reason) == ("declined", "declined by Ada: not now")
    assert trainer.lessons == ()
    assert runtime.registry.list() == ()


async def test_the_time_limit_is_for_each_lesson(school: School, clock: Clock) -> None:
    runtime, _ = school()
    seconds = runtime.limits.training_seconds - 1

    class Slow(FakeTrainer):
        async def result(self, digest: str) -> TrainingResult | None:
            if digest not in self.ended:
                clock.advance(seconds)
            return await super().result(digest)

    trainer = Slow(runtime.registry)  # type: ignore[arg-type]
    state = await run(replace(runtime, outbox=trainer), TOPIC)
    assert state["outcome"].status == "learned"


async def test_a_run_closed_between_two_lessons_goes_on_and_trains_none_twice(
    school: School, home: Path
) -> None:
    runtime, trainer = school(busy={2})
    async with open_runs(runtime, home) as runs:
        run_id = await runs.start(LearnInput(topic=TOPIC))
        await handed_over(trainer, 2)
        status = await runs.status(run_id)
        assert status.lessons == LessonsDone(done=1, total=3)
    assert (await runtime.database.run(run_id)).status == "running"
    trainer.busy.clear()
    async with open_runs(runtime, home) as runs:
        await ended(runs, run_id)
        steps = [event.step for event in await runs.events(run_id)]
    assert (await runtime.database.run(run_id)).status == "learned"
    assert steps.count("hand over") == steps.count("promote") == 3
    assert trainer.jobs == len(trainer.lessons) == 3
    assert set(taught(trainer.lessons).values()) == {1}


async def test_a_run_closed_just_after_a_promotion_goes_on_with_the_next_lesson(
    school: School, home: Path
) -> None:
    runtime, trainer = school()
    reached = asyncio.Event()

    class Stuck(FakeTrainer):
        async def curriculum(self, digest: Digest) -> Curriculum:
            reached.set()
            await asyncio.sleep(3600)
            raise AssertionError("the process has ended by now")

    stuck = Stuck(runtime.registry)  # type: ignore[arg-type]
    async with open_runs(replace(runtime, outbox=stuck), home) as runs:
        run_id = await runs.start(LearnInput(topic=TOPIC))
        await reached.wait()
    assert len(stuck.lessons) == 1
    trainer.published, trainer.submitted = stuck.published, stuck.submitted
    trainer.ended, trainer.jobs = stuck.ended, stuck.jobs
    async with open_runs(runtime, home) as runs:
        await ended(runs, run_id)
    assert (await runtime.database.run(run_id)).status == "learned"
    assert trainer.jobs == len(trainer.lessons) == 3
    assert len(learned(runtime)) == 3


async def test_a_run_cancelled_in_a_later_lesson_keeps_the_earlier_ones_and_can_be_resumed(
    school: School, home: Path
) -> None:
    runtime, trainer = school(busy={2})
    async with open_runs(runtime, home) as runs:
        run_id = await runs.start(LearnInput(topic=TOPIC))
        await handed_over(trainer, 2)
        await runs.cancel(run_id, by="Ada")
        await ended(runs, run_id)
        outcome = (await runtime.database.run(run_id)).outcome
        assert outcome is not None
        assert outcome.reason.startswith("1 of 3 lessons promoted; the second was stopped: it was cancelled")
        assert len(learned(runtime)) == 1
        trainer.busy.clear()
        await runs.resume(run_id)

        async def complete() -> bool:
            return (await runtime.database.run(run_id)).status == "learned"

        await eventually(complete)
    assert len(learned(runtime)) == trainer.jobs == 3


async def handed_over(trainer: FakeTrainer, count: int) -> None:
    async def reached() -> bool:
        return len(trainer.lessons) == count

    await eventually(reached)


async def ended(runs: LearnRuns, run_id: str) -> None:
    async def over() -> bool:
        return (await runs.status(run_id)).status == "ended"

    await eventually(over)


def test_the_recursion_limit_grows_with_the_lessons() -> None:
    assert Limits(lessons_per_run=1).steps == Limits().recursion
    assert Limits(lessons_per_run=9).steps >= Limits(lessons_per_run=1).steps + 8 * 4
