"""A topic too large for one lesson is taught as several, each a version of the domain's adapter."""

from dataclasses import replace
from typing import Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs.learn import build
from graphs.server.learn_spec import LearnSpec
from graphs.state import Limits, RequestedLimits
from memory.checkpoints.connect import serializer
from memory.outbox.base import Progress, TrainingResult
from memory.records.runs import Approval, LessonsDone
from tests.graphs.conftest import LIMITS, Clock
from tests.support.learn_graph import CONFIG, beginning, run
from tests.support.lesson_runs import FACTS, FAILED, SIZES, SMALL, TOPIC, School, learned, reported, taught
from tests.support.trainers import REJECTED, FakeTrainer


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
    spec = LearnSpec(runtime, cast(Any, InMemorySaver(serde=serializer())))
    graph = spec.graph
    start = beginning(runtime, TOPIC, approval_policy="human")
    await graph.ainvoke(start, CONFIG, context=runtime)
    (asked,) = (await graph.aget_state(CONFIG)).interrupts
    assert (asked.value["lessons"], asked.value["facts"]) == (3, FACTS)
    assert trainer.lessons == ()
    decision = Approval(approved=True, by="Ada").model_dump()
    await spec.record_answer("r1", decision)
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


@pytest.mark.parametrize(("progresses", "status"), [(True, "learned"), (False, "stopped")])
async def test_a_slow_trainer_is_waited_for_as_long_as_it_progresses(
    school: School, clock: Clock, progresses: bool, status: str
) -> None:
    runtime, _ = school()
    seconds = runtime.limits.training_seconds / 2 + 1

    class Slow(FakeTrainer):
        polls = 0

        async def result(self, digest: str) -> TrainingResult | None:
            if digest not in self.ended and self.polls % 5 < 4:
                return None
            return await super().result(digest)

        async def progress(self, digest: str) -> Progress:
            self.polls += 1
            clock.advance(seconds)
            return Progress(phase="training", done=self.polls if progresses else 0, total=50)

    limits = runtime.limits.model_copy(update={"poll_seconds": 0.0})
    trainer = Slow(runtime.registry)  # type: ignore[arg-type]
    state = await run(replace(runtime, outbox=trainer, limits=limits), TOPIC)
    assert state["outcome"].status == status
    assert progresses or "made no progress" in state["outcome"].reason


def test_the_recursion_limit_grows_with_the_lessons() -> None:
    assert Limits(lessons_per_run=1).steps == Limits().recursion
    assert Limits(lessons_per_run=9).steps >= Limits(lessons_per_run=1).steps + 8 * 4
