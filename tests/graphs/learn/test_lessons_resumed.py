"""A run of several lessons that is interrupted or cancelled goes on without training one twice."""

import asyncio
from dataclasses import replace
from pathlib import Path

from graphs.server.learn_runs import LearnRuns
from graphs.server.learn_spec import LearnInput
from memory.records.base import Digest
from memory.records.curricula import Curriculum
from memory.records.runs import LessonsDone
from tests.graphs.conftest import eventually
from tests.support.learn_service import open_runs
from tests.support.lesson_runs import TOPIC, School, learned, taught
from tests.support.trainers import FakeTrainer


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
