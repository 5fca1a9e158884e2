"""Learn runs are durable: started, watched, approved, resumed, and taken up again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from agent.errors import NotTeachable
from agent.learning.gaps import open_gap
from graphs.server.learn_runs import LearnRuns, LearnStatus
from graphs.server.learn_spec import LearnInput
from graphs.state import Event, Runtime
from memory.checkpoints.savers import SqliteSaver
from memory.errors import UnknownRun
from memory.outbox.base import Progress, TrainingResult
from memory.outbox.volatile import VolatileOutbox
from memory.records.access import EVERYTHING
from memory.records.curricula import Curriculum
from memory.records.runs import Approval, Job
from memory.server.runs import ThreadRuns
from tests.graphs.conftest import TRAINED, eventually
from tests.support.cards import card
from tests.support.learn_service import open_runs, over

Changed = Callable[..., Runtime]
DONE = TrainingResult(status="candidate", adapter=TRAINED.name, reason="all gates passed")


class Counting(VolatileOutbox):
    """Counts the handovers, a repeated one too."""

    calls = 0

    async def submit(self, curriculum: Curriculum, *, run_id: str) -> Job:
        self.calls += 1
        return await super().submit(curriculum, run_id=run_id)


@pytest.fixture
async def runs(runtime: Runtime, home: Path) -> AsyncIterator[LearnRuns]:
    async with open_runs(runtime, home) as opened:
        yield opened


async def until(runs: LearnRuns, run_id: str, status: str) -> LearnStatus:
    async def reached() -> bool:
        return (await runs.status(run_id)).status == status

    await eventually(reached)
    return await runs.status(run_id)


async def test_a_run_is_started_watched_and_ends_with_its_report(runs: LearnRuns, runtime: Runtime) -> None:
    run_id = await runs.start(LearnInput(topic="  Rust   ownership "))
    await until(runs, run_id, "ended")
    record = await runtime.database.run(run_id)
    assert record.outcome is not None
    assert (record.subject, record.outcome.status) == ("Rust ownership", "learned")
    assert [e.step for e in await runs.events(run_id)][-2:] == ["promote", "report"]


@pytest.mark.parametrize("subject", ["", "  "])
async def test_a_run_needs_a_subject(runs: LearnRuns, runtime: Runtime, subject: str) -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        await runs.start(LearnInput(topic=subject))
    assert await runtime.database.runs() == ()


async def test_a_run_that_needs_a_person_waits_and_goes_on_with_the_approval(
    runs: LearnRuns, runtime: Runtime
) -> None:
    run_id = await runs.start(LearnInput(topic="Rust ownership", approval="human"))
    waiting = await until(runs, run_id, "waiting")
    assert waiting.asks is not None
    assert waiting.asks["facts"] > 8
    await runs.approve(run_id, Approval(approved=True, by="Ada"))
    await until(runs, run_id, "ended")
    assert (await runtime.database.run(run_id)).status == "learned"
    with pytest.raises(ValueError, match="is not waiting"):
        await runs.approve(run_id, Approval(approved=True, by="Ada"))


async def test_all_who_follow_a_run_share_what_is_read_of_it(
    runs: LearnRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await runs.start(LearnInput(topic="Rust ownership", approval="human"))
    reads, status = [], runs.status

    async def counted(run_id: str) -> LearnStatus:
        reads.append(run_id)
        return await status(run_id)

    monkeypatch.setattr(runs, "status", counted)
    followed = await asyncio.gather(*(runs.follow(run_id) for _ in range(20)))
    assert len(reads) == 1
    assert {result[0].status for result in followed} == {"running"}
    monkeypatch.undo()
    await until(runs, run_id, "waiting")
    runs._reads.clear()  # as a second later
    assert (await runs.follow(run_id))[0].status == "waiting"
    await runs.approve(run_id, Approval(approved=True, by="Ada"))
    assert (await runs.follow(run_id))[0].status != "waiting"


async def test_of_two_opposite_decisions_only_the_first_counts_and_the_other_is_refused(
    runs: LearnRuns, runtime: Runtime
) -> None:
    run_id = await runs.start(LearnInput(topic="Rust ownership", approval="human"))
    await until(runs, run_id, "waiting")
    words = [Approval(approved=False, by="Ada"), Approval(approved=True, by="Bob")]
    results = await asyncio.gather(*(runs.approve(run_id, word) for word in words), return_exceptions=True)
    (refused,) = [error for error in results if error is not None]
    assert isinstance(refused, ValueError)
    assert "is not waiting for approval" in str(refused)
    await until(runs, run_id, "ended")
    status = (await runtime.database.run(run_id)).status
    assert status == ("declined" if results[0] is None else "learned")


async def test_events_keep_their_numbers_while_the_trainer_reports_and_after_it(
    changed: Changed, home: Path
) -> None:
    class Training(VolatileOutbox):
        done = 0

        async def progress(self, digest: str) -> Progress:
            self.done += 1
            return Progress(phase="training", done=self.done, total=5)

        async def result(self, digest: str) -> TrainingResult | None:
            return await super().result(digest) if self.done == 5 else None

    runtime = changed(outbox=Training(DONE))
    async with open_runs(runtime, home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership"))
        seen: tuple[Event, ...] = ()
        status = "running"
        while status == "running":
            status = (await runs.status(run_id)).status
            lines = await runs.events(run_id)
            assert lines[: len(seen)] == seen
            seen = lines
            await asyncio.sleep(0.002)
    steps = [e.step for e in seen]
    assert steps.count("train") == 6
    assert steps[-2:] == ["promote", "report"]


async def test_unknown_runs_are_named(runs: LearnRuns) -> None:
    for ask in (runs.status, runs.events, runs.resume):
        with pytest.raises(UnknownRun, match="nowhere"):
            await ask("nowhere")


async def test_a_run_that_failed_keeps_its_checkpoint_and_can_be_resumed(
    runs: LearnRuns, runtime: Runtime
) -> None:
    runtime.engine.available = False  # type: ignore[attr-defined]
    run_id = await runs.start(LearnInput(topic="Rust ownership"))
    await until(runs, run_id, "ended")
    failed = await runtime.database.run(run_id)
    assert failed.outcome is not None
    assert (failed.status, failed.outcome.reason[:21]) == ("failed", "the scripted engine w")
    runtime.engine.available = True  # type: ignore[attr-defined]
    await runs.resume(run_id)

    async def learned() -> bool:
        return (await runtime.database.run(run_id)).status == "learned"

    await eventually(learned)


async def test_a_finished_run_is_not_resumed(runs: LearnRuns) -> None:
    run_id = await runs.start(LearnInput(topic="Rust ownership"))
    await until(runs, run_id, "ended")
    with pytest.raises(ValueError, match="cannot be resumed"):
        await runs.resume(run_id)


async def test_a_run_cut_off_by_closing_goes_on_at_the_next_opening_and_hands_over_once(
    runtime: Runtime, changed: Changed, home: Path
) -> None:
    never = Counting({})
    async with open_runs(changed(outbox=never), home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership"))

        async def handed_over() -> bool:
            return (await runs.status(run_id)).next == ("train",)

        await eventually(handed_over)
    assert (await runtime.database.run(run_id)).status == "running"
    later = Counting(DONE)
    later.submitted = never.submitted
    again = changed(outbox=later)
    async with open_runs(again, home) as runs:
        await until(runs, run_id, "ended")
        steps = [e.step for e in await runs.events(run_id)]
    assert (await runtime.database.run(run_id)).status == "learned"
    assert steps.count("hand over") == 1
    assert never.calls + later.calls == 1


async def test_an_approval_is_still_asked_for_after_a_restart(runtime: Runtime, home: Path) -> None:
    async with open_runs(runtime, home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership", approval="human"))
        await until(runs, run_id, "waiting")
    async with open_runs(runtime, home) as runs:
        assert (await runs.status(run_id)).status == "waiting"
        await runs.approve(run_id, Approval(approved=True, by="Ada"))
        await until(runs, run_id, "ended")
    assert (await runtime.database.run(run_id)).status == "learned"


async def test_a_run_that_was_noted_but_never_queued_is_ended_at_the_next_opening(
    runtime: Runtime, home: Path
) -> None:
    gap = open_gap(
        "What is a move?",
        domain="rust",
        keywords=(),
        uncertainty=None,
        owner=None,
        id="g1",
        now=runtime.clock(),
    )
    await runtime.database.open_gap(gap)
    await runtime.database.start_run(
        "lost", subject="x", whole=True, domain=None, gap_id="g1", now=runtime.clock()
    )
    await runtime.database.set_gap("g1", "learning", "lost")
    async with open_runs(runtime, home) as runs:
        assert (await runtime.database.run("lost")).status == "stopped"
        assert [e.step for e in await runs.events("lost")] == ["report"]
    assert (await runtime.database.gap("g1", access=EVERYTHING)).status == "open"


async def test_a_run_whose_work_broke_down_outside_its_graph_is_ended_at_the_next_opening(
    runtime: Runtime, home: Path
) -> None:
    class Gone(SqliteSaver):
        async def aget_tuple(self, config: Any) -> Any:
            raise OSError("no such device")

    async with aiosqlite.connect(":memory:") as connection, over(runtime, Gone(connection), home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership"))

        async def given_up() -> bool:
            return (await runtime.database.run(run_id)).outcome is None and not await unfinished(
                runtime, run_id
            )

        await eventually(given_up)
    assert (await runtime.database.run(run_id)).status == "running"
    async with open_runs(runtime, home) as runs:
        ended = await runtime.database.run(run_id)
        assert ended.outcome is not None
        assert (ended.status, "no such device" in ended.outcome.reason) == ("failed", True)
        assert (await runs.status(run_id)).status == "ended"


async def unfinished(runtime: Runtime, run_id: str) -> bool:
    return bool(await ThreadRuns(runtime.database).unfinished(run_id))


async def test_a_run_is_cancelled_where_it_is_and_can_be_resumed(
    changed: Changed, home: Path, runtime: Runtime
) -> None:
    never = VolatileOutbox({})
    async with open_runs(changed(outbox=never), home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership"))

        async def handed_over() -> bool:
            return bool(never.submitted)

        await eventually(handed_over)
        await runs.cancel(run_id, by="Ada")
        await until(runs, run_id, "ended")
        record = await runtime.database.run(run_id)
        assert (record.status, record.outcome and record.outcome.reason) == ("stopped", "it was cancelled")
        assert (await runs.status(run_id)).next == ("train",)
        with pytest.raises(ValueError, match="has ended"):
            await runs.cancel(run_id, by="Ada")


async def test_a_run_that_waits_for_a_person_is_declined_when_it_is_cancelled(
    runs: LearnRuns, runtime: Runtime
) -> None:
    run_id = await runs.start(LearnInput(topic="Rust ownership", approval="human"))
    await until(runs, run_id, "waiting")
    await runs.cancel(run_id, by="Ada", reason="not today")
    await until(runs, run_id, "ended")
    record = await runtime.database.run(run_id)
    assert record.status == "declined"
    assert record.outcome is not None
    assert "Ada: not today" in record.outcome.reason


UNFIT = card(verdict="retrieval only", reasons=("its context is short",))
"""Of a model without a trainer."""


async def test_a_model_for_retrieval_only_has_no_curriculum_approved_but_one_declined(
    runtime: Runtime, changed: Changed, home: Path
) -> None:
    async with open_runs(runtime, home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership", approval="human"))
        await until(runs, run_id, "waiting")
    async with open_runs(changed(card=UNFIT), home) as runs:
        with pytest.raises(NotTeachable, match="its context is short"):
            await runs.approve(run_id, Approval(approved=True, by="Ada"))
        assert (await runs.status(run_id)).status == "waiting"
        await runs.approve(run_id, Approval(approved=False, by="Ada"))
        await until(runs, run_id, "ended")
    assert (await runtime.database.run(run_id)).status == "declined"


async def test_a_run_is_not_resumed_on_a_model_for_retrieval_only(
    runtime: Runtime, changed: Changed, home: Path
) -> None:
    runtime.engine.available = False  # type: ignore[attr-defined]
    async with open_runs(runtime, home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership"))
        await until(runs, run_id, "ended")
    runtime.engine.available = True  # type: ignore[attr-defined]
    async with open_runs(changed(card=UNFIT), home) as runs:
        with pytest.raises(NotTeachable):
            await runs.resume(run_id)
        assert not await unfinished(runtime, run_id)


async def test_a_run_that_waits_for_the_trainer_fails_where_the_next_model_has_none(
    runtime: Runtime, changed: Changed, home: Path
) -> None:
    never = VolatileOutbox({})
    async with open_runs(changed(outbox=never), home) as runs:
        run_id = await runs.start(LearnInput(topic="Rust ownership"))

        async def handed_over() -> bool:
            return (await runs.status(run_id)).next == ("train",)

        await eventually(handed_over)
    async with open_runs(changed(outbox=never, card=UNFIT), home) as runs:
        await until(runs, run_id, "ended")
    outcome = (await runtime.database.run(run_id)).outcome
    assert outcome is not None
    assert (outcome.status, "its context is short" in outcome.reason) == ("failed", True)


async def test_nothing_is_forgotten_by_training_on_a_model_for_retrieval_only(
    runtime: Runtime, changed: Changed, home: Path
) -> None:
    async with open_runs(changed(card=UNFIT), home) as runs:
        with pytest.raises(NotTeachable):
            await runs.forget("rust", "ab" * 32)
    assert await runtime.database.runs() == ()
